//! The environments that policies are evaluated in, and an episode in one of them.

use gym::config::Task;
use gym::envs::{ActionKind, MarketMaking, MarketMakingConfig};
use gym::{Action, Env, EnvConfig, EnvError, ResolvedMarket};
use lob::ParameterError;
use lob::models::Liquidity;
use lob::sim::derive_seed;

use super::player::Player;
use super::tape::{Attribution, Tape, TapeFill};
use crate::market_making::{QuotingError, Situation};

/// How far from the mid a rule can quote, ticks.
const RULE_REACH: f64 = 50.0;

/// The settings of an evaluation's environment, read once.
#[derive(Clone, Debug)]
pub struct Setting {
    task: MarketMakingConfig,
    market: ResolvedMarket,
    steps: u64,
}

impl Setting {
    /// Reads them.
    ///
    /// # Errors
    /// A setting that is not legal; another environment than market making in a book.
    pub fn new(config: &EnvConfig) -> Result<Self, QuotingError> {
        let Task::MarketMaking(task) = &config.task else {
            let name = format!("{:?}", config.name());
            let legal = "market_making (execution strategies: lobgym compare)";
            return Err(ParameterError::new("name", name, legal).within("env").into());
        };
        let market = config.market.resolve(&config.directory)?;
        let steps = config.max_episode_steps.map_or(task.steps, |most| task.steps.min(most));
        Ok(Self { task: task.clone(), market, steps })
    }

    /// The market.
    pub fn market(&self) -> &ResolvedMarket {
        &self.market
    }

    /// The most lots of a quote.
    pub fn max_lots(&self) -> u64 {
        self.task.max_quote_lots
    }

    /// The inventory limit, lots.
    pub fn limit(&self) -> u64 {
        self.task.limit_lots()
    }

    /// The offsets that an action can say, ticks.
    pub fn offsets(&self) -> [f64; 2] {
        [self.task.min_offset_ticks, self.task.max_offset_ticks]
    }

    /// Time between decisions, s.
    pub fn step_seconds(&self) -> f64 {
        self.task.step_seconds
    }

    /// Decisions in an episode.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What a tick on a lot is worth, money.
    pub fn tick_value(&self) -> f64 {
        self.task.tick_size * self.task.lot_size as f64
    }

    /// The environment.
    ///
    /// # Errors
    /// A setting that is not legal.
    pub fn environment(&self) -> Result<MarketMaking, ParameterError> {
        MarketMaking::new(&self.task, &self.market)
    }

    /// The same environment with an action in which a rule can say what it wants: offsets up to 50 ticks either way. Market, rewards, limit and
    /// sizes are untouched.
    fn for_rules(&self) -> MarketMakingConfig {
        MarketMakingConfig {
            action: ActionKind::OffsetsAndSizes,
            min_offset_ticks: -RULE_REACH,
            max_offset_ticks: RULE_REACH,
            ..self.task.clone()
        }
    }
}

/// The environments of one thread.
#[derive(Clone, Debug)]
pub struct Stage {
    rules: MarketMaking,
    actors: MarketMaking,
    steps: u64,
    lot_size: f64,
    observation: Vec<f32>,
    info: Vec<f64>,
}

impl Stage {
    /// Made from settings.
    ///
    /// # Errors
    /// A setting that is not legal.
    pub fn new(setting: &Setting) -> Result<Self, ParameterError> {
        let rules = MarketMaking::new(&setting.for_rules(), &setting.market)?;
        let actors = setting.environment()?;
        Ok(Self {
            observation: vec![0.0; actors.observation_space().len()],
            info: vec![0.0; MarketMaking::INFO.len()],
            steps: setting.steps,
            lot_size: setting.task.lot_size as f64,
            rules,
            actors,
        })
    }

    /// Plays a session and writes it down.
    ///
    /// # Errors
    /// [`EnvError::Session`] if the task cannot be set in it; [`EnvError::Action`] of an actor whose action the environment does not take.
    pub fn play(&mut self, session: u64, player: &mut Player, tape: &mut Tape) -> Result<(), EnvError> {
        let env = match player {
            Player::Rule(_) => &mut self.rules,
            Player::Actor(_) => &mut self.actors,
        };
        tape.clear();
        env.reset(session, &mut self.observation)?;
        // A stream of its own: a policy that draws must not draw the market's numbers.
        let seed = derive_seed(session, u64::MAX);
        match player {
            Player::Rule(quoter) => quoter.start(seed),
            Player::Actor(actor) => actor.start(seed),
        }
        env.write_info(&mut self.info);
        for _ in 0..self.steps {
            let &[_, mid, bid, ask, _, inventory, ..] = self.info.as_slice() else {
                unreachable!("as long as the environment's names")
            };
            tape.mids.push(mid);
            tape.bests.push([bid, ask]);
            tape.inventory.push(inventory / self.lot_size);
            let step = match player {
                Player::Rule(quoter) => {
                    let [bid, ask] = env.bests();
                    let situation = Situation {
                        mid: env.mid(),
                        spread: bid.zip(ask).map(|(bid, ask)| (ask.0 - bid.0) as f64),
                        inventory: env.inventory_lots() as f64,
                        time_left: env.time_left(),
                    };
                    let action = env.action().action(&quoter.quotes(&situation));
                    env.step(action.as_action(), &mut self.observation)
                }
                Player::Actor(actor) => {
                    let action = actor.act(&self.observation);
                    check(env, action)?;
                    env.step(action, &mut self.observation)
                }
            };
            tape.reward += step.reward;
            tape.profit.push(env.profit());
            let wanted = env.wanted();
            for side in wanted {
                tape.wanted_lots += side.iter().map(|level| level.1).sum::<u64>();
            }
            if let [[bid, ..], [ask, ..]] = wanted {
                tape.two_sided += 1;
                tape.quoted_spread += (ask.0.0 - bid.0.0) as f64;
            }
            for fill in env.fills() {
                let sign = if fill.fill.side == lob::Side::Buy { 1.0 } else { -1.0 };
                let (price, lots) = (fill.fill.price.0 as f64, fill.fill.quantity.0 as f64);
                if fill.fill.liquidity == Liquidity::Taker {
                    tape.forced.push((fill.time, sign, price, lots));
                    continue;
                }
                let [others, touch] = [fill.others, fill.touch]
                    .map(|[bid, ask]| bid.zip(ask).map(|(bid, ask)| [bid.0 as f64, ask.0 as f64]));
                tape.fills.push(TapeFill { time: fill.time, sign, price, lots, others, touch });
            }
            env.write_info(&mut self.info);
        }
        let info = |name: &str| {
            let place = MarketMaking::INFO.iter().position(|known| *known == name);
            self.info[place.expect("a name of the environment's own")]
        };
        tape.attribution = Attribution {
            spread: info("spread_profit"),
            inventory: info("inventory_profit"),
            liquidation: info("liquidation_profit"),
            fees: info("fees"),
        };
        Ok(())
    }
}

/// An action from elsewhere must be an element of the space.
fn check(env: &MarketMaking, action: Action<'_>) -> Result<(), EnvError> {
    let space = env.action_space();
    space.check(action)?;
    let (found, legal) = (action.len(), space.len());
    if found == legal { Ok(()) } else { Err(EnvError::Buffer { name: "action", found, legal }) }
}

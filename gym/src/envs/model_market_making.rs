//! A market maker in a model without a book.

use std::sync::Arc;

use lob::parameter::{finite, integer, positive};
use lob::random::{exponential, standard_normal};
use lob::sim::SimRng;
use lob::{ParameterError, Side};
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::env::{Action, Env, EnvError, Step};
use crate::quoting::{OffsetsAndSizes, Quotes};
use crate::reward::{Earned, RewardWeights};
use crate::scene::{Scene, SceneFill, SceneLevel};
use crate::space::{BoxSpace, Component, Space};

/// Settings of [`ModelMarketMaking`]. The defaults are the market of Avellaneda & Stoikov (2008), section 3.3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelMarketMakingConfig {
    /// The mid at the start, ticks.
    pub initial_price: f64,
    /// Length of an episode, s.
    pub horizon_seconds: f64,
    /// Time between decisions, s.
    pub step_seconds: f64,
    /// Standard deviation of the mid's move in a second, ticks.
    pub volatility: f64,
    /// Fills per second and side for a quote at the mid: A.
    pub arrival_rate: f64,
    /// How fast fills thin out with the distance from the mid, 1 / ticks: k.
    pub decay: f64,
    /// The offset that an action of -1 means, ticks; negative: beyond the mid.
    pub min_offset_ticks: f64,
    /// The offset that an action of 1 means, ticks.
    pub max_offset_ticks: f64,
    /// The size that an action of 1 means, lots.
    pub max_quote_lots: u64,
    /// A side that would take the inventory beyond this is cut, lots.
    pub inventory_limit: u64,
    /// See [`RewardWeights`].
    pub pnl_weight: f64,
    /// See [`RewardWeights`].
    pub risk_aversion: f64,
    /// See [`RewardWeights`].
    pub edge_weight: f64,
    /// See [`RewardWeights`].
    pub dampening: f64,
}

impl Default for ModelMarketMakingConfig {
    fn default() -> Self {
        Self {
            initial_price: 100.0,
            horizon_seconds: 1.0,
            step_seconds: 0.005,
            volatility: 2.0,
            arrival_rate: 140.0,
            decay: 1.5,
            min_offset_ticks: 0.0,
            max_offset_ticks: 3.0,
            max_quote_lots: 1,
            inventory_limit: 100,
            pnl_weight: 1.0,
            risk_aversion: 0.001,
            edge_weight: 0.0,
            dampening: 0.0,
        }
    }
}

/// Sizes and limits above this would leave the exact range of floats.
const MAX_LOTS: u64 = 1_000_000_000;

impl ModelMarketMakingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        finite("initial_price", self.initial_price)?;
        positive("horizon_seconds", self.horizon_seconds)?;
        positive("step_seconds", self.step_seconds)?;
        if self.step_seconds > self.horizon_seconds {
            let legal = format!("at most horizon_seconds, {}", self.horizon_seconds);
            return Err(ParameterError::new("step_seconds", self.step_seconds, legal));
        }
        positive("volatility", self.volatility)?;
        positive("arrival_rate", self.arrival_rate)?;
        positive("decay", self.decay)?;
        finite("min_offset_ticks", self.min_offset_ticks)?;
        finite("max_offset_ticks", self.max_offset_ticks)?;
        if self.max_offset_ticks <= self.min_offset_ticks {
            let legal = format!("above min_offset_ticks, {}", self.min_offset_ticks);
            return Err(ParameterError::new("max_offset_ticks", self.max_offset_ticks, legal));
        }
        integer("max_quote_lots", self.max_quote_lots, 1..=MAX_LOTS)?;
        integer("inventory_limit", self.inventory_limit, 1..=MAX_LOTS)?;
        self.reward().validate()
    }

    fn reward(&self) -> RewardWeights {
        RewardWeights {
            pnl_weight: self.pnl_weight,
            risk_aversion: self.risk_aversion,
            edge_weight: self.edge_weight,
            dampening: self.dampening,
        }
    }

    /// Decisions in an episode.
    pub fn steps(&self) -> u64 {
        (self.horizon_seconds / self.step_seconds).round().max(1.0) as u64
    }
}

/// What all copies of an environment share.
#[derive(Debug)]
struct Rules {
    observation_space: BoxSpace,
    action_space: Space,
    action: OffsetsAndSizes,
    reward: RewardWeights,
    steps: u64,
    step_seconds: f64,
    initial_price: f64,
    /// Standard deviation of the mid's move in a step.
    step_deviation: f64,
    /// ln(A dt).
    log_rate: f64,
    decay: f64,
    limit: f64,
    /// Reciprocals of the observation's units: a product costs a fraction of a quotient.
    per_limit: f64,
    per_lots: f64,
    per_steps: f64,
    /// 1 / (standard deviation of the mid's move in an episode).
    per_episode_deviation: f64,
}

/// The world of Avellaneda & Stoikov, *High-frequency trading in a limit order book*, Quantitative Finance 8(3), 2008.
///
/// The mid is a Brownian motion with `volatility`. A quote at distance `delta` from it is filled in a step with probability
/// `min(1, A exp(-k delta) dt)`, at its own price and in full; then the mid moves. There is no book, no queue and no impact.
/// Inventory left at the end counts at the mid. Money is in ticks x lots.
///
/// Action: [`OffsetsAndSizes`], `Box(-1, 1, 4)`; offsets are not rounded.
///
/// | index | observation | unit |
/// |---|---|---|
/// | 0 | time left | share of the episode |
/// | 1 | inventory | lots / inventory_limit |
/// | 2 | mid - initial mid | ticks / (volatility x sqrt(horizon)) |
/// | 3 | last change of the mid | ticks / (volatility x sqrt(step)) |
/// | 4 | bought in the last step | lots / max_quote_lots |
/// | 5 | sold in the last step | lots / max_quote_lots |
#[derive(Clone, Debug)]
pub struct ModelMarketMaking {
    rules: Arc<Rules>,
    rng: SimRng,
    step: u64,
    mid: f64,
    cash: f64,
    inventory: f64,
    /// The parts of the profit: what fills gained against the mid, and what inventory gained by its moves.
    spread_profit: f64,
    inventory_profit: f64,
    bought: f64,
    sold: f64,
    /// The last step, for pictures: its quotes, lots filled, and the mid they were around.
    quotes: Quotes,
    fills: [f64; 2],
    mid_before: f64,
}

impl ModelMarketMaking {
    /// Names of [`Env::write_info`]'s numbers: time in s, prices in ticks, money in ticks x lots, sizes in lots.
    pub const INFO: [&'static str; 9] =
        ["time", "mid", "cash", "inventory", "profit", "spread_profit", "inventory_profit", "bought", "sold"];

    /// An environment with these settings.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn new(config: &ModelMarketMakingConfig) -> Result<Self, ParameterError> {
        config.validate()?;
        let observation_space = BoxSpace::new(vec![
            Component::new("time left", "share of the episode", 0.0, 1.0),
            Component::new("inventory", "lots / inventory_limit", -1.0, 1.0),
            Component::unbounded("mid - initial mid", "ticks / (volatility x sqrt(horizon_seconds))"),
            Component::unbounded("last change of the mid", "ticks / (volatility x sqrt(step_seconds))"),
            Component::new("bought in the last step", "lots / max_quote_lots", 0.0, 1.0),
            Component::new("sold in the last step", "lots / max_quote_lots", 0.0, 1.0),
        ]);
        let action = OffsetsAndSizes {
            min_offset: config.min_offset_ticks,
            max_offset: config.max_offset_ticks,
            max_lots: config.max_quote_lots,
        };
        let rules = Rules {
            observation_space,
            action_space: action.space(),
            action,
            reward: config.reward(),
            steps: config.steps(),
            step_seconds: config.step_seconds,
            initial_price: config.initial_price,
            step_deviation: config.volatility * config.step_seconds.sqrt(),
            log_rate: libm::log(config.arrival_rate * config.step_seconds),
            decay: config.decay,
            limit: config.inventory_limit as f64,
            per_limit: 1.0 / config.inventory_limit as f64,
            per_lots: 1.0 / config.max_quote_lots as f64,
            per_steps: 1.0 / config.steps() as f64,
            per_episode_deviation: 1.0 / (config.volatility * config.horizon_seconds.sqrt()),
        };
        Ok(Self {
            mid: rules.initial_price,
            rules: Arc::new(rules),
            rng: SimRng::seed_from_u64(0),
            step: 0,
            cash: 0.0,
            inventory: 0.0,
            spread_profit: 0.0,
            inventory_profit: 0.0,
            bought: 0.0,
            sold: 0.0,
            quotes: Quotes::default(),
            fills: [0.0; 2],
            mid_before: config.initial_price,
        })
    }

    /// What actions mean here.
    pub fn action(&self) -> OffsetsAndSizes {
        self.rules.action
    }

    /// Lots held.
    pub fn inventory(&self) -> f64 {
        self.inventory
    }

    /// Time left, s.
    pub fn time_left(&self) -> f64 {
        (self.rules.steps - self.step) as f64 * self.rules.step_seconds
    }

    /// Time, s.
    pub fn time(&self) -> f64 {
        self.step as f64 * self.rules.step_seconds
    }

    /// Cash + inventory x mid since the start, ticks x lots.
    pub fn profit(&self) -> f64 {
        self.cash + self.inventory * self.mid
    }

    #[inline]
    fn observe(&self, moved: f64, fills: [f64; 2], observation: &mut [f32]) {
        let rules = &*self.rules;
        // One check of the length instead of six.
        let observation = &mut observation[..6];
        observation[0] = ((rules.steps - self.step) as f64 * rules.per_steps) as f32;
        observation[1] = (self.inventory * rules.per_limit) as f32;
        observation[2] = ((self.mid - rules.initial_price) * rules.per_episode_deviation) as f32;
        observation[3] = moved as f32;
        observation[4] = (fills[0] * rules.per_lots) as f32;
        observation[5] = (fills[1] * rules.per_lots) as f32;
    }
}

impl Env for ModelMarketMaking {
    fn observation_space(&self) -> &BoxSpace {
        &self.rules.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.rules.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.rng = SimRng::seed_from_u64(session);
        (self.step, self.mid, self.cash, self.inventory) = (0, self.rules.initial_price, 0.0, 0.0);
        (self.spread_profit, self.inventory_profit, self.bought, self.sold) = (0.0, 0.0, 0.0, 0.0);
        (self.quotes, self.fills, self.mid_before) = (Quotes::default(), [0.0; 2], self.mid);
        self.observe(0.0, [0.0; 2], observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let rules = &*self.rules;
        let quotes = rules.action.quotes(action.continuous());
        let mut edge = 0.0;
        let mut fills = [0.0; 2];
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            // A uniform U is below A exp(-k delta) dt when -ln U, an exponential, is above k delta - ln(A dt); a probability above 1 is 1.
            let filled = exponential(&mut self.rng) > rules.decay * quotes.offset[side] - rules.log_rate;
            let room = (rules.limit - sign * self.inventory).max(0.0);
            let lots = (quotes.lots[side] as f64).min(room);
            if filled && lots > 0.0 {
                fills[side] = lots;
                self.cash -= sign * lots * (self.mid - sign * quotes.offset[side]);
                edge += lots * quotes.offset[side];
            }
        }
        self.inventory += fills[0] - fills[1];
        self.bought += fills[0];
        self.sold += fills[1];
        let z = standard_normal(&mut self.rng);
        let moved = rules.step_deviation * z;
        (self.quotes, self.fills, self.mid_before) = (quotes, fills, self.mid);
        self.mid += moved;
        self.step += 1;
        let inventory_gain = self.inventory * moved;
        self.spread_profit += edge;
        self.inventory_profit += inventory_gain;
        self.observe(z, fills, observation);
        let earned =
            Earned { profit: edge + inventory_gain, inventory_gain, edge, inventory: self.inventory };
        Step { reward: rules.reward.reward(&earned), terminated: self.step >= rules.steps, truncated: false }
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    #[inline]
    fn write_info(&self, info: &mut [f64]) {
        info.copy_from_slice(&[
            self.time(),
            self.mid,
            self.cash,
            self.inventory,
            self.profit(),
            self.spread_profit,
            self.inventory_profit,
            self.bought,
            self.sold,
        ]);
    }

    fn scene(&self) -> Scene {
        let level = |side: usize, sign: f64| SceneLevel {
            price: self.mid - sign * self.quotes.offset[side],
            lots: self.quotes.lots[side] as f64,
            own: self.quotes.lots[side] as f64,
        };
        let fill = |side, lots: f64, price| SceneFill { time: self.time(), side, price, lots, maker: true };
        let fills = [(Side::Buy, 0, 1.0), (Side::Sell, 1, -1.0)];
        let fills =
            fills.into_iter().filter(|&(_, index, _)| self.fills[index] > 0.0).map(|(side, index, sign)| {
                fill(side, self.fills[index], self.mid_before - sign * self.quotes.offset[index])
            });
        Scene {
            title: "market making in the model of Avellaneda and Stoikov".into(),
            time: self.time(),
            horizon: self.rules.steps as f64 * self.rules.step_seconds,
            bids: vec![level(0, 1.0)],
            asks: vec![level(1, -1.0)],
            fills: fills.collect(),
            figures: vec![
                ("inventory", self.inventory, "lots"),
                ("profit", self.profit(), "ticks x lots"),
                ("mid", self.mid, "ticks"),
            ],
        }
    }

    fn step_cost_ns(&self) -> u64 {
        60
    }
}

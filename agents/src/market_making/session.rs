//! Episodes of a market-making environment under a quoting strategy.

use gym::config::Task;
use gym::{Action, AnyEnv, ConfigError, Env, EnvConfig, EnvError, Episodes, OffsetsAndSizes, Step};
use lob::ParameterError;
use lob::sim::derive_seed;
use serde_json::Value;
use thiserror::Error;

use super::{Quoter, Situation};

/// Why an episode cannot be played under quotes.
#[derive(Debug, Error)]
pub enum QuotingError {
    /// The environment cannot be made.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It does not take quotes, or does not say what they need.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// It did not do what it was asked.
    #[error(transparent)]
    Env(#[from] EnvError),
}

/// What an episode came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// Decisions.
    pub steps: u64,
    /// Sum of the rewards.
    pub reward: f64,
    /// Mean of |inventory| over the decisions, lots.
    pub mean_abs_inventory: f64,
    /// Greatest |inventory|, lots.
    pub max_abs_inventory: f64,
    /// The environment's infos after the last step, by name; their units are in its documentation.
    pub infos: Vec<(&'static str, f64)>,
}

impl Played {
    /// One of the infos; NaN if the environment has none of that name.
    pub fn info(&self, name: &str) -> f64 {
        self.infos.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |info| info.1)
    }

    /// Counts a step, after which this is held.
    pub(crate) fn add(&mut self, step: &Step, inventory: f64) {
        let size = inventory.abs();
        self.steps += 1;
        self.reward += step.reward;
        self.mean_abs_inventory += (size - self.mean_abs_inventory) / self.steps as f64;
        self.max_abs_inventory = self.max_abs_inventory.max(size);
    }

    /// Takes the infos after the last step.
    pub(crate) fn end(&mut self, names: &[&'static str], infos: &[f64]) {
        self.infos = names.iter().copied().zip(infos.iter().copied()).collect();
    }
}

/// An environment that is quoted in: anything whose action is [`OffsetsAndSizes`] and whose infos have `time`, `mid` and `inventory`.
#[derive(Debug)]
pub struct QuotingSession {
    episodes: Episodes<AnyEnv>,
    codec: OffsetsAndSizes,
    /// Where `time`, `mid` and `inventory` are among the infos.
    places: [usize; 3],
    /// Where `best_bid` and `best_ask` are, if there is a book.
    bests: Option<[usize; 2]>,
    infos: Vec<f64>,
    observation: Vec<f32>,
}

impl QuotingSession {
    /// An environment to quote in.
    ///
    /// # Errors
    /// Settings that are not legal, or an environment that does not take quotes.
    pub fn new(config: &EnvConfig) -> Result<Self, QuotingError> {
        let codec = codec(config)?;
        let mut config = config.clone();
        if let Task::MarketMaking(task) = &mut config.task {
            // A strategy knows the market as it is, and says what it wants in it.
            task.symmetric = false;
        }
        let config = &config;
        let env = AnyEnv::new(config)?;
        let names = env.info_names();
        let find = |wanted: &str| names.iter().position(|name| *name == wanted);
        let place = |wanted: &str| find(wanted).ok_or_else(|| refused(config, format!("no info {wanted}")));
        let bests = find("best_bid").zip(find("best_ask")).map(|(bid, ask)| [bid, ask]);
        let places = [place("time")?, place("mid")?, place("inventory")?];
        if *env.action_space() != codec.space() {
            return Err(refused(config, "another action".into()).into());
        }
        let (infos, observation) = (vec![0.0; names.len()], vec![0.0; env.observation_space().len()]);
        Ok(Self {
            episodes: Episodes::new(env, config.max_episode_steps()),
            codec,
            places,
            bests,
            infos,
            observation,
        })
    }

    /// What actions mean here.
    pub fn codec(&self) -> OffsetsAndSizes {
        self.codec
    }

    /// Length of an episode, s.
    ///
    /// # Errors
    /// [`QuotingError::Env`] if a session cannot be begun to ask.
    pub fn horizon(&mut self) -> Result<f64, QuotingError> {
        self.episodes.reset(Some(0), &mut self.observation)?;
        Ok(self.episodes.env().scene().horizon)
    }

    /// Plays the episode of a seed. `watch` is called after the reset (with no step) and after each step.
    ///
    /// # Errors
    /// [`QuotingError::Env`] if the session cannot be played.
    pub fn play(
        &mut self,
        seed: u64,
        quoter: &mut dyn Quoter,
        mut watch: impl FnMut(&AnyEnv, Option<&Step>),
    ) -> Result<Played, QuotingError> {
        self.episodes.reset(Some(seed), &mut self.observation)?;
        // A stream of its own: a strategy that draws must not draw the market's numbers.
        quoter.start(derive_seed(seed, u64::MAX));
        watch(self.episodes.env(), None);
        let horizon = self.episodes.env().scene().horizon;
        let mut played = Played::default();
        self.episodes.env().write_info(&mut self.infos);
        // The mid of an empty side is not known: quote around the last one that was.
        let mut last_mid = 0.0;
        while self.episodes.is_running() {
            let [time, mid, inventory] = self.places.map(|place| self.infos[place]);
            if mid.is_finite() {
                last_mid = mid;
            }
            let spread = self.bests.map(|[bid, ask]| self.infos[ask] - self.infos[bid]);
            let situation = Situation {
                mid: last_mid,
                spread: spread.filter(|spread| spread.is_finite()),
                inventory,
                time_left: (horizon - time).max(0.0),
            };
            let action = self.codec.action(&quoter.quotes(&situation));
            let step = self.episodes.step(Action::Continuous(&action), &mut self.observation)?;
            self.episodes.env().write_info(&mut self.infos);
            played.add(&step, self.infos[self.places[2]]);
            watch(self.episodes.env(), Some(&step));
        }
        played.end(self.episodes.env().info_names(), &self.infos);
        Ok(played)
    }
}

fn refused(config: &EnvConfig, what: String) -> ParameterError {
    let legal = "an environment with the action of offsets and sizes, as model_market_making has";
    ParameterError::new("name", format_args!("{:?} ({what})", config.name()), legal)
}

/// How an environment reads quotes, from its settings.
fn codec(config: &EnvConfig) -> Result<OffsetsAndSizes, ParameterError> {
    let settings = config.to_map();
    let number = |key: &str| {
        settings.get(key).and_then(Value::as_f64).ok_or_else(|| refused(config, format!("no setting {key}")))
    };
    Ok(OffsetsAndSizes {
        // A book's environment scales from the mid outwards.
        min_offset: if settings.contains_key("min_offset_ticks") { number("min_offset_ticks")? } else { 0.0 },
        max_offset: number("max_offset_ticks")?,
        max_lots: number("max_quote_lots")? as u64,
    })
}

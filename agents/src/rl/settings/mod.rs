//! The schema of a training: the sections `env` and `train` of a file.

mod algorithms;

use gym::config::{ConfigError, EnvConfig, Settings, parse, to_map};
use lob::ParameterError;
use lob::parameter::{finite, integer, non_negative, positive};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use algorithms::{ActorCriticSettings, DqnSettings, PpoSettings, ReinforceSettings, Schedule};

use crate::policy::{Activation, Body};

/// Numbers of environments, steps and the like above this are mistakes.
const MANY: usize = 10_000_000;

/// A training: which environment, which algorithm, and every setting of both.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// Section `env`.
    pub env: EnvConfig,
    /// The keys of section `train` that all algorithms have.
    pub common: Common,
    /// The others.
    pub algorithm: AlgorithmSettings,
}

/// Settings that every algorithm has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Common {
    /// Seed of everything: parameters, environments, actions, order of minibatches.
    pub seed: u64,
    /// Environment steps in all, of all environments together; the last update may exceed it.
    pub steps: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Layers between observation and outputs.
    pub network: NetworkSettings,
    /// The distribution of actions.
    pub head: HeadChoice,
    /// Bring observations to mean 0 and variance 1 by what was seen so far.
    pub normalise_observations: bool,
    /// Where normalised observations are cut.
    pub observation_limit: f32,
    /// Updates between two checkpoints; 0: only at the end and on Ctrl-C.
    pub checkpoint_updates: u64,
    /// Which episodes have a row in the log of episodes.
    pub episode_log: EpisodeLog,
    /// Sessions that the finished policy is evaluated over, beside the environment's usual baselines; 0: none. None of them is trained on.
    pub evaluation_episodes: u64,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 1_000_000,
            environments: 16,
            network: NetworkSettings::default(),
            head: HeadChoice::Auto,
            normalise_observations: true,
            observation_limit: 10.0,
            checkpoint_updates: 50,
            episode_log: EpisodeLog::default(),
            evaluation_episodes: 500,
        }
    }
}

/// Which episodes of each environment have a row in `episodes.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false or a number of episodes, at least 1")]
pub enum EpisodeLog {
    /// `false`: none. `true`: all until the environments together have about 4,000 rows, then ever fewer: half of as many episodes again, a
    /// quarter of twice as many, and so on, which makes 2,000 rows more for each doubling of the episodes.
    Usual(bool),
    /// Those whose number, from 0, is a multiple of this.
    Every(u64),
}

impl Default for EpisodeLog {
    fn default() -> Self {
        Self::Usual(true)
    }
}

/// Networks of policy and value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// `mlp`, `gru` or `tcn`.
    pub body: Body,
    /// Observations that are seen at once, the present one included.
    pub window: usize,
    /// Numbers of the recurrent state, or channels of the convolutions.
    pub body_size: usize,
    /// Convolutions; dilations 1, 2, 4, ...
    pub body_layers: usize,
    /// Taps of a convolution.
    pub kernel: usize,
    /// Widths of the hidden dense layers.
    pub hidden: Vec<usize>,
    /// Between all layers.
    pub activation: Activation,
    /// One network for policy and value instead of two.
    pub shared: bool,
    /// Orthogonal initialisation: gain of the hidden layers.
    pub hidden_gain: f64,
    /// Gain of the policy's last layer.
    pub policy_gain: f64,
    /// Bias of the policy's last layer: one number for all outputs, or one for each.
    pub policy_bias: Vec<f32>,
    /// Gain of the value's last layer.
    pub value_gain: f64,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            body: Body::Mlp,
            window: 1,
            body_size: 64,
            body_layers: 3,
            kernel: 3,
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            shared: false,
            hidden_gain: std::f64::consts::SQRT_2,
            policy_gain: 0.01,
            policy_bias: vec![0.0],
            value_gain: 1.0,
        }
    }
}

/// The distribution of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadChoice {
    /// `gaussian` for boxes, `categorical` and `multi_categorical` for choices.
    #[default]
    Auto,
    /// See [`Head`](crate::policy::Head).
    Gaussian,
    /// See [`Head`](crate::policy::Head).
    TanhGaussian,
    /// See [`Head`](crate::policy::Head).
    LogisticNormal,
    /// See [`Head`](crate::policy::Head).
    SoftmaxGaussian,
    /// See [`Head`](crate::policy::Head).
    Dirichlet,
    /// See [`Head`](crate::policy::Head).
    Categorical,
    /// See [`Head`](crate::policy::Head).
    MultiCategorical,
}

/// Which algorithm, with its own settings.
#[derive(Clone, Debug, PartialEq)]
pub enum AlgorithmSettings {
    /// Proximal policy optimisation.
    Ppo(PpoSettings),
    /// The actor-critic of the execution paper.
    ActorCritic(ActorCriticSettings),
    /// Monte Carlo policy gradient.
    Reinforce(ReinforceSettings),
    /// Deep Q-learning.
    Dqn(DqnSettings),
}

impl AlgorithmSettings {
    /// The algorithms.
    pub const NAMES: [&str; 4] = ["ppo", "actor_critic", "reinforce", "dqn"];

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ppo(_) => "ppo",
            Self::ActorCritic(_) => "actor_critic",
            Self::Reinforce(_) => "reinforce",
            Self::Dqn(_) => "dqn",
        }
    }

    fn to_map(&self) -> Map<String, Value> {
        match self {
            Self::Ppo(own) => to_map(own),
            Self::ActorCritic(own) => to_map(own),
            Self::Reinforce(own) => to_map(own),
            Self::Dqn(own) => to_map(own),
        }
    }

    fn validate(&self) -> Result<(), ParameterError> {
        match self {
            Self::Ppo(own) => own.validate(),
            Self::ActorCritic(own) => own.validate(),
            Self::Reinforce(own) => own.validate(),
            Self::Dqn(own) => own.validate(),
        }
    }
}

impl RunConfig {
    /// Reads the sections `env` and `train`.
    ///
    /// # Errors
    /// The first key or value that is not legal, with the file it is in.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        if let Some((key, value)) =
            settings.root().iter().find(|(key, _)| !["env", "train"].contains(&&***key))
        {
            let problem = ParameterError::new(key, value, "the sections env and train");
            return Err(in_file(problem, settings));
        }
        // What a run records must mean the same from any directory.
        let env = EnvConfig::from_settings(settings)?.with_absolute_paths()?;
        let train = settings.section("train")?;
        let (common, algorithm) =
            read_train(train).map_err(|problem| in_file(problem.within("train"), settings))?;
        Ok(Self { env, common, algorithm })
    }

    /// All settings with their values, defaults included.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut train = Map::from_iter([("algorithm".to_owned(), self.algorithm.name().into())]);
        train.extend(to_map(&self.common));
        train.extend(self.algorithm.to_map());
        Map::from_iter([("env".to_owned(), self.env.to_map().into()), ("train".to_owned(), train.into())])
    }
}

fn in_file(problem: ParameterError, settings: &Settings) -> ConfigError {
    match settings.file() {
        Some(file) => ConfigError::InFile { path: file.to_owned(), problem },
        None => problem.into(),
    }
}

fn read_train(mut map: Map<String, Value>) -> Result<(Common, AlgorithmSettings), ParameterError> {
    let name = map.remove("algorithm").unwrap_or(Value::Null);
    let common_keys: Vec<String> = to_map(&Common::default()).into_iter().map(|(key, _)| key).collect();
    let (common, own): (Map<_, _>, Map<_, _>) =
        map.into_iter().partition(|(key, _)| common_keys.contains(key));
    let legal = |own: Map<String, Value>| {
        let own = own.into_iter().map(|(key, _)| key);
        common_keys.iter().cloned().chain(own).chain(["algorithm".to_owned()]).collect::<Vec<_>>()
    };
    fn read<T: DeserializeOwned + Serialize + Default>(
        own: Map<String, Value>,
        legal: impl Fn(Map<String, Value>) -> Vec<String>,
    ) -> Result<T, ParameterError> {
        parse(own, &legal(to_map(&T::default())))
    }
    let algorithm = match name.as_str() {
        Some("ppo") => AlgorithmSettings::Ppo(read(own, legal)?),
        Some("actor_critic") => AlgorithmSettings::ActorCritic(read(own, legal)?),
        Some("reinforce") => AlgorithmSettings::Reinforce(read(own, legal)?),
        Some("dqn") => AlgorithmSettings::Dqn(read(own, legal)?),
        _ => {
            let names = AlgorithmSettings::NAMES.join(", ");
            return Err(ParameterError::new("algorithm", &name, format!("one of {names}")));
        }
    };
    let common: Common = parse(common, &common_keys)?;
    common.validate()?;
    algorithm.validate()?;
    Ok((common, algorithm))
}

impl Common {
    fn validate(&self) -> Result<(), ParameterError> {
        integer("steps", self.steps, 1..=u64::MAX / 2)?;
        integer("environments", self.environments, 1..=1_000_000)?;
        integer("evaluation_episodes", self.evaluation_episodes, 0..=10_000_000)?;
        if let EpisodeLog::Every(number) = self.episode_log {
            integer("episode_log", number, 1..=u64::MAX / 2)?;
        }
        positive("observation_limit", f64::from(self.observation_limit))?;
        let network = &self.network;
        let inside = |error: ParameterError| error.within("network");
        non_negative("hidden_gain", network.hidden_gain).map_err(inside)?;
        non_negative("policy_gain", network.policy_gain).map_err(inside)?;
        non_negative("value_gain", network.value_gain).map_err(inside)?;
        for bias in &network.policy_bias {
            finite("policy_bias", f64::from(*bias)).map_err(inside)?;
        }
        // The sizes need the environment's as well, and are checked with them; 1 stands for those.
        self.network.spec(1, 1).validate().map_err(inside)
    }
}

impl NetworkSettings {
    /// The network for an observation and so many outputs.
    pub fn spec(&self, observation: usize, outputs: usize) -> crate::policy::NetworkSpec {
        crate::policy::NetworkSpec {
            observation,
            window: self.window,
            body: self.body,
            body_size: if self.body == Body::Mlp { 0 } else { self.body_size },
            body_layers: if self.body == Body::Tcn { self.body_layers } else { 0 },
            kernel: if self.body == Body::Tcn { self.kernel } else { 0 },
            hidden: self.hidden.clone(),
            activation: self.activation,
            outputs,
        }
    }
}

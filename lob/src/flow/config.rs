//! A whole market: its flow, its fees and the latency of those who trade in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    FlowParams, HawkesParams, HistoryError, Imbalance, Opening, Profile, QueueReactiveParams, ReplayParams,
    Shape, StrategicParams,
};
use crate::data::NpzError;
use crate::models::FeeConfig;
use crate::parameter::ParameterError;
use crate::sim::LatencyConfig;

/// A market, as configured: one YAML file describes it in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketConfig {
    /// Who trades besides the participants of interest.
    pub flow: FlowConfig,
    /// An order-flow file (`.npz`) that replaces the flow's parameters, or its shape: see [`FlowConfig::with_file`]. A relative path
    /// starts at the configuration's directory.
    #[serde(default)]
    pub flow_file: Option<PathBuf>,
    /// What the venue charges.
    pub fees: FeeConfig,
    /// How long participants' orders and reports travel; the flow itself acts in the book without delay.
    pub latency: LatencyConfig,
}

/// The order flows, as configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowConfig {
    /// Noise traders.
    Noise(Box<FlowParams>),
    /// Tactical traders: noise traders that react to the book's imbalance.
    #[serde(rename = "flow")]
    Tactical(Box<FlowParams>),
    /// Tactical traders and one strategic trader.
    Strategic(Box<StrategicMarket>),
    /// A multivariate Hawkes process.
    Hawkes(Box<HawkesParams>),
    /// The queue-reactive model.
    QueueReactive(Box<QueueReactiveParams>),
    /// Recorded events.
    Replay(Box<ReplayParams>),
}

/// The market `strategic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategicMarket {
    /// The traders around it.
    pub flow: FlowParams,
    /// The strategic trader.
    pub trader: StrategicParams,
}

impl FlowConfig {
    /// The name, as in a configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Noise(_) => "noise",
            Self::Tactical(_) => "flow",
            Self::Strategic(_) => "strategic",
            Self::Hawkes(_) => "hawkes",
            Self::QueueReactive(_) => "queue_reactive",
            Self::Replay(_) => "replay",
        }
    }

    /// The book it starts with.
    pub const fn opening(&self) -> &Opening {
        match self {
            Self::Noise(params) | Self::Tactical(params) => &params.opening,
            Self::Strategic(market) => &market.flow.opening,
            Self::Hawkes(params) => &params.opening,
            Self::QueueReactive(params) => &params.opening,
            Self::Replay(params) => &params.opening,
        }
    }

    /// The book it starts with, to be changed: live or frozen, say.
    pub const fn opening_mut(&mut self) -> &mut Opening {
        match self {
            Self::Noise(params) | Self::Tactical(params) => &mut params.opening,
            Self::Strategic(market) => &mut market.flow.opening,
            Self::Hawkes(params) => &mut params.opening,
            Self::QueueReactive(params) => &mut params.opening,
            Self::Replay(params) => &mut params.opening,
        }
    }

    /// Its time of day.
    pub const fn profile(&self) -> &Profile {
        match self {
            Self::Noise(params) | Self::Tactical(params) => &params.profile,
            Self::Strategic(market) => &market.flow.profile,
            Self::Hawkes(params) => &params.profile,
            Self::QueueReactive(params) => &params.profile,
            Self::Replay(params) => &params.profile,
        }
    }

    /// Its time of day, to be changed.
    pub const fn profile_mut(&mut self) -> &mut Profile {
        match self {
            Self::Noise(params) | Self::Tactical(params) => &mut params.profile,
            Self::Strategic(market) => &mut market.flow.profile,
            Self::Hawkes(params) => &mut params.profile,
            Self::QueueReactive(params) => &mut params.profile,
            Self::Replay(params) => &mut params.profile,
        }
    }

    /// The flow with an order-flow file applied: a full file replaces all parameters of noise and tactical traders, one with keys `hawkes.*` those of
    /// a Hawkes flow; one with `bidv` and `askv` alone, and any other file for the Hawkes and queue-reactive flows, replaces the shape of
    /// the opening book.
    ///
    /// # Errors
    /// If the file cannot be used; the message names file, key and what was expected.
    pub fn with_file(mut self, path: impl AsRef<Path>) -> Result<Self, NpzError> {
        match &mut self {
            Self::Noise(params) | Self::Tactical(params) => {
                **params = FlowParams::from_npz_or(path, (**params).clone())?;
            }
            Self::Strategic(market) => market.flow = FlowParams::from_npz_or(path, market.flow.clone())?,
            Self::Hawkes(params) if HawkesParams::is_in_npz(&path)? => {
                **params = HawkesParams::from_npz(path)?
            }
            Self::Hawkes(params) => params.opening.shape = Shape::from_npz(path, params.opening.levels)?,
            Self::QueueReactive(params) => {
                params.opening.shape = Shape::from_npz(path, params.opening.levels)?
            }
            Self::Replay(_) => {
                let legal = "none: a replayed market has its own file";
                let error = ParameterError::new("flow_file", path.as_ref().display(), legal);
                return Err(NpzError::file(path.as_ref(), error.into()));
            }
        }
        Ok(self)
    }

    /// Reads the recorded events of a replayed market, a relative path from `directory`; other markets need nothing read.
    ///
    /// # Errors
    /// As [`ReplayParams::load`].
    pub fn load(&mut self, directory: impl AsRef<Path>) -> Result<(), HistoryError> {
        match self {
            Self::Replay(params) => params.load(directory.as_ref()),
            _ => Ok(()),
        }
    }

    /// Whether a session can go on for so many seconds after t = 0: history ends some time.
    ///
    /// # Errors
    /// If the episodes of a replayed market are shorter.
    pub fn check_length(&self, seconds: f64) -> Result<(), ParameterError> {
        match self {
            Self::Replay(params) if params.episode_seconds < seconds => {
                let legal = format!("at least {seconds}, the length of the task");
                Err(ParameterError::new("flow.replay.episode_seconds", params.episode_seconds, legal))
            }
            _ => Ok(()),
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let checked = match self {
            Self::Noise(params) if params.imbalance != Imbalance::None => Err(ParameterError::new(
                "imbalance",
                "not none",
                "none; the market that reacts is called flow",
            )),
            Self::Noise(params) | Self::Tactical(params) => params.validate(),
            Self::Strategic(market) => market
                .flow
                .validate()
                .map_err(|error| error.within("flow"))
                .and_then(|()| market.trader.validate().map_err(|error| error.within("trader"))),
            Self::Hawkes(params) => params.validate(),
            Self::QueueReactive(params) => params.validate(),
            Self::Replay(params) => params.validate(),
        };
        checked.map_err(|error| error.within(self.name()))
    }
}

impl MarketConfig {
    /// The names of the markets that come with the library, each also a file `config/market/<name>.yaml`.
    pub const PRESETS: [&str; 6] = ["noise", "flow", "strategic", "hawkes", "queue_reactive", "flow_u_shape"];

    /// A market by its name; `None` if there is none of that name.
    pub fn preset(name: &str) -> Option<Self> {
        let tactical = || Box::new(FlowParams::tactical());
        let flow = match name {
            "noise" => FlowConfig::Noise(Box::new(FlowParams::noise())),
            "flow" => FlowConfig::Tactical(tactical()),
            "strategic" => FlowConfig::Strategic(Box::new(StrategicMarket {
                flow: FlowParams::tactical(),
                trader: StrategicParams::reference(),
            })),
            "hawkes" => FlowConfig::Hawkes(Box::new(HawkesParams::reference())),
            "queue_reactive" => FlowConfig::QueueReactive(Box::new(QueueReactiveParams::reference())),
            "flow_u_shape" => FlowConfig::Tactical(Box::new(FlowParams {
                profile: Profile::u_shape(),
                ..FlowParams::tactical()
            })),
            _ => return None,
        };
        Some(Self { flow, flow_file: None, fees: FeeConfig::None, latency: LatencyConfig::default() })
    }

    /// Reads the order-flow file, if one is named, into the flow; relative paths from `directory`. Without one it does nothing.
    ///
    /// # Errors
    /// As [`FlowConfig::with_file`].
    pub fn load_flow_file(mut self, directory: impl AsRef<Path>) -> Result<Self, NpzError> {
        if let Some(file) = self.flow_file.take() {
            self.flow = self.flow.with_file(directory.as_ref().join(file))?;
        }
        Ok(self)
    }

    /// Checks every field. Does not open files.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.flow.validate().map_err(|error| error.within("flow"))?;
        self.fees.validate().map_err(|error| error.within("fees"))?;
        self.latency.validate().map_err(|error| error.within("latency"))
    }
}

#[cfg(feature = "yaml")]
mod yaml {
    use thiserror::Error;

    use super::{HistoryError, MarketConfig, NpzError, ParameterError, Path, PathBuf};

    /// A market configuration that cannot be used.
    #[derive(Debug, Error)]
    pub enum MarketConfigError {
        /// The file cannot be read.
        #[error("{}: {problem}", path.display())]
        Io {
            /// The file.
            path: PathBuf,
            /// Why.
            problem: std::io::Error,
        },
        /// It is no YAML, or has an unknown, missing or mistyped key; the message has line and column.
        #[error("{}: {problem}", path.display())]
        Yaml {
            /// The file.
            path: PathBuf,
            /// Why.
            problem: Box<serde_saphyr::Error>,
        },
        /// A value that is not legal.
        #[error("{}: {problem}", path.display())]
        Parameter {
            /// The file.
            path: PathBuf,
            /// Which, and what would be.
            problem: ParameterError,
        },
        /// The order-flow file it names cannot be used.
        #[error(transparent)]
        FlowFile(#[from] NpzError),
        /// The recorded events it names cannot be used.
        #[error("{}: {problem}", path.display())]
        History {
            /// The configuration.
            path: PathBuf,
            /// Why.
            problem: HistoryError,
        },
    }

    impl MarketConfig {
        /// Reads a market from a YAML file, with the order-flow file it may name, and checks every field.
        ///
        /// # Errors
        /// A message that names the file and the line, or the key, its value and what is legal.
        pub fn from_yaml(path: impl AsRef<Path>) -> Result<Self, MarketConfigError> {
            let path = path.as_ref().to_owned();
            let text = std::fs::read_to_string(&path)
                .map_err(|problem| MarketConfigError::Io { path: path.clone(), problem })?;
            let config: Self = serde_saphyr::from_str(&text).map_err(|problem| MarketConfigError::Yaml {
                path: path.clone(),
                problem: Box::new(problem),
            })?;
            let invalid = |problem| MarketConfigError::Parameter { path: path.clone(), problem };
            config.validate().map_err(invalid)?;
            let directory = path.parent().unwrap_or(Path::new(""));
            let mut config = config.load_flow_file(directory)?;
            let unread = |problem| MarketConfigError::History { path: path.clone(), problem };
            config.flow.load(directory).map_err(unread)?;
            config.validate().map_err(invalid)?;
            Ok(config)
        }

        /// The market as YAML, which [`from_yaml`](Self::from_yaml) reads.
        ///
        /// # Errors
        /// What the serialiser says; no market that is legal is known to have any.
        pub fn to_yaml(&self) -> Result<String, String> {
            serde_saphyr::to_string(self).map_err(|error| error.to_string())
        }
    }
}

#[cfg(feature = "yaml")]
pub use yaml::MarketConfigError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_legal_and_known_by_name() {
        for name in MarketConfig::PRESETS {
            let config = MarketConfig::preset(name).unwrap();
            config.validate().unwrap();
            assert!(name.starts_with(config.flow.name()));
        }
        assert_eq!(MarketConfig::preset("nose"), None);
    }

    #[test]
    fn errors_have_the_whole_path() {
        let mut config = MarketConfig::preset("strategic").unwrap();
        config.flow.opening_mut().lead_in_seconds = -1.0;
        let text = config.validate().unwrap_err().to_string();
        assert_eq!(text, "flow.strategic.flow.opening.lead_in_seconds is -1; legal: a finite number >= 0");
        let noise = FlowConfig::Noise(Box::new(FlowParams::tactical()));
        assert_eq!(noise.validate().unwrap_err().key, "noise.imbalance");
    }
}

//! Settings of the trader.

use std::fmt;
use std::path::{Path, PathBuf};

use lob::ParameterError;
use lob::models::ImpactConfig;
use lob::parameter::{integer, non_negative, positive, probability};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::recorded::Data;
use super::wallet::AccountConfig;
use crate::config::{ConfigError, Settings};
use crate::envs::TradingConditions;
use crate::features::{FeaturesConfig, Method, Normalisation};
use crate::prices::TickBarsConfig;

/// Which bars of a file sessions are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of them.
    All,
    /// The first `train_share`, which normalisation is fitted on.
    #[default]
    Train,
    /// Those after it.
    Test,
}

/// A file of bars, and which of them are played. In settings a path alone stands for one with all else at its defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct BarsSource {
    /// As [`TickBarsConfig::file`].
    pub file: PathBuf,
    /// As [`TickBarsConfig::time`].
    pub time: Option<String>,
    /// As [`TickBarsConfig::extra`].
    pub extra: Vec<String>,
    /// Share of the bars, the first ones, that are for training.
    pub train_share: f64,
    /// Which are played.
    pub part: Part,
}

impl Default for BarsSource {
    fn default() -> Self {
        Self { file: PathBuf::new(), time: None, extra: Vec::new(), train_share: 0.7, part: Part::Train }
    }
}

impl Serialize for BarsSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for BarsSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMap;

        impl<'de> Visitor<'de> for PathOrMap {
            type Value = BarsSource;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the path of a file, a map as in {file: bars.csv, part: test}, or null")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<BarsSource, E> {
                Ok(BarsSource { file: path.into(), ..BarsSource::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BarsSource, A::Error> {
                // The one of the fields.
                BarsSource::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(PathOrMap)
    }
}

impl BarsSource {
    /// The file alone.
    pub fn bars(&self) -> TickBarsConfig {
        TickBarsConfig { file: self.file.clone(), time: self.time.clone(), extra: self.extra.clone() }
    }
}

/// How features are normalised.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FeatureScaling {
    /// Fitted in this way on the training part of the bars, as they are when the file is read.
    Method(Method),
    /// As it was fitted once: what a policy was trained with. The bars up to the end of its span are the training part then.
    Fitted(Box<Normalisation>),
}

impl FeatureScaling {
    /// How it is fitted, or was.
    pub fn method(&self) -> Method {
        match self {
            Self::Method(method) => *method,
            Self::Fitted(fitted) => fitted.method,
        }
    }

    /// What was fitted, if it was.
    pub fn fitted(&self) -> Option<&Normalisation> {
        match self {
            Self::Method(_) => None,
            Self::Fitted(fitted) => Some(fitted),
        }
    }
}

impl<'de> Deserialize<'de> for FeatureScaling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = FeatureScaling;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("mean_std, median_iqr, what was fitted in a training, or null")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<FeatureScaling, E> {
                Method::deserialize(de::value::StrDeserializer::new(name)).map(FeatureScaling::Method)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FeatureScaling, A::Error> {
                let fitted = Normalisation::deserialize(de::value::MapAccessDeserializer::new(map))?;
                fitted.validate().map_err(de::Error::custom)?;
                Ok(FeatureScaling::Fitted(Box::new(fitted)))
            }
        }

        deserializer.deserialize_any(NameOrMap)
    }
}

/// What an action is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// `hold`, `buy`, `sell`.
    #[default]
    Trades,
    /// The position wanted, a share of the most that may be held: 0 to 1, or -1 to 1 where positions may be short.
    Lots,
}

/// What is earned in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// Growth of the equity's logarithm, in percent.
    #[default]
    LogGrowth,
    /// Change of the equity, percent of the capital.
    Profit,
    /// Realised profit of the step, percent of the capital. It looks away from open losses: for experiments about that.
    Realised,
}

/// Settings of [`Trader`](super::Trader).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraderConfig {
    /// A file of bars; null: the market of the market's settings, in whose book orders are filled.
    pub bars: Option<BarsSource>,
    /// In a book: time between decisions, s.
    pub interval_seconds: f64,
    /// In a book: money a tick.
    pub tick_size: f64,
    /// Units a lot. In a book each order is of whole lots; with bars null: any amount.
    pub lot_size: Option<f64>,
    /// The features seen: `default`, `microstructure`, or a YAML file.
    pub features: String,
    /// How features are normalised; null: not at all. In a book there is nothing to fit on, and none but what was fitted elsewhere.
    pub normalisation: Option<FeatureScaling>,
    /// Bars seen at once, the latest last.
    pub window: usize,
    /// Decisions of an episode; null: all bars of the part, 256 in a book.
    pub steps: Option<u64>,
    /// Whether an episode begins at a bar drawn at random, if it does not need them all.
    pub random_start: bool,
    /// What an action is.
    pub action: ActionKind,
    /// Of `trades`: what a purchase (or a sale that opens a short position) is worth, a share of the most that may be held.
    pub lot: f64,
    /// Whether a position, once opened, cannot be increased before it has been closed.
    pub blocking_cycles: bool,
    /// Of `lots`: changes of less than this share of the equity are not traded, but for closing.
    pub band: f64,
    /// What a position is.
    pub account: AccountConfig,
    /// Money at the start.
    pub capital: f64,
    /// What is earned.
    pub reward: RewardKind,
    /// Fee on what is traded, a share of it, besides the market's `fees`.
    pub transaction_cost: f64,
    /// Ask less bid, a share of the price, where the bars do not say it.
    pub spread: f64,
    /// What orders do to the price, where no book shows it.
    pub impact: ImpactConfig,
    /// The market that orders meet there. Null: the volume of the bars before.
    pub conditions: TradingConditions,
}

impl Default for TraderConfig {
    fn default() -> Self {
        Self {
            bars: None,
            interval_seconds: 5.0,
            tick_size: 0.1,
            lot_size: None,
            features: "default".into(),
            normalisation: Some(FeatureScaling::Method(Method::MeanStd)),
            window: 16,
            steps: Some(256),
            random_start: true,
            action: ActionKind::Trades,
            lot: 1.0,
            blocking_cycles: true,
            band: 0.05,
            account: AccountConfig::Spot,
            capital: 10_000.0,
            reward: RewardKind::LogGrowth,
            transaction_cost: 0.0,
            spread: 0.0,
            impact: ImpactConfig::None,
            conditions: TradingConditions::default(),
        }
    }
}

impl TraderConfig {
    /// Checks every field without reading a file.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if let Some(source) = &self.bars {
            source.bars().validate().map_err(|error| error.within("bars"))?;
            probability("bars.train_share", source.train_share)?;
            if source.train_share == 0.0 {
                return Err(ParameterError::new("bars.train_share", 0, "a number above 0, at most 1"));
            }
        }
        // Beyond a day a bar of a simulated book is no bar any more, but hours of computing.
        if !(1e-3..=86_400.0).contains(&self.interval_seconds) {
            return Err(ParameterError::new(
                "interval_seconds",
                self.interval_seconds,
                "a number from 0.001 to 86,400",
            ));
        }
        for (key, value) in [("tick_size", Some(self.tick_size)), ("lot_size", self.lot_size)] {
            if let Some(value) = value.filter(|value| !(1e-12..=1e9).contains(value)) {
                return Err(ParameterError::new(key, value, "a number from 1e-12 to 1e9"));
            }
        }
        integer("window", self.window as u64, 1..=4_096)?;
        if let Some(steps) = self.steps {
            integer("steps", steps, 1..=1_000_000_000)?;
        }
        probability("lot", self.lot)?;
        if self.lot == 0.0 {
            return Err(ParameterError::new("lot", 0, "a number above 0, at most 1"));
        }
        probability("band", self.band)?;
        self.account.validate()?;
        positive("capital", self.capital)?;
        probability("transaction_cost", self.transaction_cost)?;
        non_negative("spread", self.spread)?;
        probability("spread", self.spread)?;
        self.impact.validate().map_err(|error| error.within("impact"))?;
        self.conditions.validate(Some(1))
    }

    /// Whether an impact model asks what others trade, and the bars are to say it.
    pub(super) fn meets_volume(&self) -> bool {
        self.impact != ImpactConfig::None && self.conditions.volume.is_none()
    }

    /// The same with its normalisation as it is fitted on the bars as they are now: to be kept with what is learned from them. Without bars, or
    /// with nothing to fit, nothing changes.
    ///
    /// # Errors
    /// A file or a setting that is not legal.
    pub fn fitted(&self, directory: &Path) -> Result<Self, ConfigError> {
        let (Some(source), Some(FeatureScaling::Method(_))) = (&self.bars, &self.normalisation) else {
            return Ok(self.clone());
        };
        self.validate()?;
        let normalisation = Data::read(self, source, directory)?.normalisation;
        let scaling = normalisation.map(|fitted| FeatureScaling::Fitted(Box::new(fitted)));
        Ok(Self { normalisation: scaling, ..self.clone() })
    }

    /// What was fitted before, for the feature set.
    ///
    /// # Errors
    /// If it was fitted for another one.
    pub(super) fn kept(&self, features: &FeaturesConfig) -> Result<Option<Normalisation>, ParameterError> {
        let Some(fitted) = self.normalisation.as_ref().and_then(FeatureScaling::fitted) else {
            return Ok(None);
        };
        if fitted.config == *features {
            return Ok(Some(fitted.clone()));
        }
        let legal = format!(
            "null, mean_std, median_iqr, or one that was fitted for the feature set {}",
            self.features
        );
        Err(ParameterError::new("normalisation", "fitted for other features", legal))
    }

    /// The feature set, a file's path from `directory`.
    ///
    /// # Errors
    /// A file that cannot be read, or a setting in it that is not legal.
    pub fn feature_set(&self, directory: &Path) -> Result<FeaturesConfig, ConfigError> {
        if is_file(&self.features) {
            return FeaturesConfig::from_settings(&Settings::read(directory.join(&self.features))?);
        }
        FeaturesConfig::named(&self.features).map_err(|error| match error {
            ConfigError::Parameter(problem) => {
                let legal = format!("{}, or a file ending in .yaml", problem.legal);
                ParameterError { key: "features".into(), legal, ..problem }.into()
            }
            other => other,
        })
    }
}

/// Whether a feature set's name is a path.
pub(crate) fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

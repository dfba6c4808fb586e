//! Feature sets as configured.

use lob::ParameterError;
use lob::parameter::{Validity, length};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Field, Tick};
use crate::config::{keys_of, one_of, parse, to_map};
use crate::indicators::{AnyIndicator, IndicatorConfig};
use crate::{ConfigError, Settings};

/// More features than this are a mistake.
pub const MAX_FEATURES: usize = 1_000;

/// Feature sets that come with the library: name and text.
const SHIPPED: [(&str, &str); 3] = [
    ("default", include_str!("../../../config/features/default.yaml")),
    ("microstructure", include_str!("../../../config/features/microstructure.yaml")),
    ("price", include_str!("../../../config/features/price.yaml")),
];

/// What a feature is in terms of its indicator's value and a reference price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Express {
    /// The value itself.
    #[default]
    Value,
    /// `value / reference - 1`, for values that are prices themselves.
    Gap,
    /// `value / reference`, for values that are differences of prices.
    Share,
}

/// One indicator of a feature set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// The column's name; with several outputs, `name.output` each.
    pub name: String,
    /// Which indicator.
    pub indicator: IndicatorConfig,
    /// What goes into it, where that is one number or a traded price; none: `close`, of [`IndicatorConfig::Vwap`] `typical`.
    #[serde(default)]
    pub input: Option<Field>,
    /// Which of its outputs; none: all.
    #[serde(default)]
    pub outputs: Option<Vec<String>>,
    /// As what.
    #[serde(default)]
    pub express: Express,
    /// The price that `gap` and `share` refer to; none: `close`.
    #[serde(default)]
    pub reference: Option<Field>,
}

impl FeatureConfig {
    /// Where each number of the indicator comes from.
    pub(super) fn sources(&self, indicator: &AnyIndicator) -> Result<Vec<Field>, ParameterError> {
        let takes_any = matches!(indicator.inputs(), ["close"]) || indicator.inputs().contains(&"price");
        if let Some(input) = self.input.filter(|_| !takes_any) {
            let legal = format!("null: the indicator takes {}", indicator.inputs().join(", "));
            return Err(ParameterError::new("input", format_args!("{:?}", input.name()), legal));
        }
        let is_single = indicator.inputs().len() == 1;
        let source = |name: &&'static str| match *name {
            "close" if is_single => self.input.unwrap_or(Field::Close),
            "price" => self.input.unwrap_or(Field::Typical),
            name => Field::named(name).expect("indicators take what ticks have"),
        };
        Ok(indicator.inputs().iter().map(source).collect())
    }

    /// The positions of its outputs.
    pub(super) fn chosen(&self, indicator: &AnyIndicator) -> Result<Vec<usize>, ParameterError> {
        let all = indicator.outputs();
        let Some(outputs) = &self.outputs else { return Ok((0..all.len()).collect()) };
        length("outputs", outputs.len(), 1..=all.len())?;
        let mut chosen = Vec::with_capacity(outputs.len());
        for (i, name) in outputs.iter().enumerate() {
            let place = all.iter().position(|output| output == name).filter(|place| !chosen.contains(place));
            chosen.push(place.ok_or_else(|| {
                let legal = format!("{}, each once", one_of(all, name));
                ParameterError::new(format!("outputs[{i}]"), format_args!("{name:?}"), legal)
            })?);
        }
        Ok(chosen)
    }

    fn validate(&self) -> Validity {
        if self.name.is_empty() || self.name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let legal = "a name without spaces";
            return Err(ParameterError::new("name", format_args!("{:?}", self.name), legal));
        }
        let indicator = AnyIndicator::new(&self.indicator)
            .map_err(|error| error.within(self.indicator.name()).within("indicator"))?;
        self.sources(&indicator)?;
        self.chosen(&indicator)?;
        match self.reference {
            Some(reference) if self.express == Express::Value => {
                let legal = "null, as express is value";
                Err(ParameterError::new("reference", format_args!("{:?}", reference.name()), legal))
            }
            Some(reference) if !reference.is_price() => {
                let prices = Field::ALL.into_iter().filter(|field| field.is_price()).map(Field::name);
                let legal = one_of(&prices.collect::<Vec<_>>(), reference.name());
                Err(ParameterError::new("reference", format_args!("{:?}", reference.name()), legal))
            }
            _ => Ok(()),
        }
    }
}

/// A feature set: the keys of a file in `config/features`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Its features, in the order of their columns.
    pub features: Vec<FeatureConfig>,
}

impl FeaturesConfig {
    /// One that comes with the library: `default`, `microstructure`, `price`.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if there is none of that name.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((name, text)) => Self::from_settings(&Settings::from_yaml(text, name)?),
            None => {
                let legal = one_of(&SHIPPED.map(|(name, _)| name), name);
                Err(ParameterError::new("feature_set", format_args!("{name:?}"), legal).into())
            }
        }
    }

    /// That of a file.
    ///
    /// # Errors
    /// The first key or value that is not legal, with the file it is in.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        Self::from_map(settings.root().clone()).map_err(|problem| match settings.file() {
            Some(file) => ConfigError::InFile { path: file.to_owned(), problem },
            None => problem.into(),
        })
    }

    /// From a map with the key `features`.
    ///
    /// # Errors
    /// The first key or value that is not legal.
    pub fn from_map(map: Map<String, Value>) -> Result<Self, ParameterError> {
        let config: Self = parse(map, &keys_of(&Self::default()))?;
        config.validate()?;
        Ok(config)
    }

    /// What [`from_map`](Self::from_map) reads to the same effect.
    pub fn to_map(&self) -> Map<String, Value> {
        to_map(self)
    }

    /// Whether every setting is legal.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Validity {
        length("features", self.features.len(), 1..=MAX_FEATURES)?;
        for (i, feature) in self.features.iter().enumerate() {
            let key = format!("features[{i}]");
            feature.validate().map_err(|error| error.within(&key))?;
            if self.features[..i].iter().any(|other| other.name == feature.name) {
                let found = format_args!("{:?}", feature.name);
                return Err(ParameterError::new(
                    format!("{key}.name"),
                    found,
                    "a name that no other feature has",
                ));
            }
        }
        Ok(())
    }

    /// The numbers of a tick that it looks at, in the order of [`Field::ALL`], without those that are made of others.
    pub fn needed(&self) -> Vec<Field> {
        let mut needed = Vec::new();
        for feature in &self.features {
            let indicator = AnyIndicator::new(&feature.indicator).ok();
            let sources =
                indicator.and_then(|indicator| feature.sources(&indicator).ok()).unwrap_or_default();
            let reference =
                (feature.express != Express::Value).then(|| feature.reference.unwrap_or(Field::Close));
            needed.extend(sources.into_iter().chain(reference).flat_map(|field| field.made_of().to_vec()));
        }
        Field::ALL.into_iter().filter(|field| needed.contains(field)).collect()
    }
}

impl Field {
    /// The numbers of a tick that it is made of.
    fn made_of(self) -> &'static [Self] {
        match self {
            Self::Typical => &[Self::High, Self::Low, Self::Close],
            Self::Mid => &[Self::BidPrice, Self::AskPrice],
            Self::Open => &[Self::Open],
            Self::High => &[Self::High],
            Self::Low => &[Self::Low],
            Self::Close => &[Self::Close],
            Self::Volume => &[Self::Volume],
            Self::BidPrice => &[Self::BidPrice],
            Self::BidSize => &[Self::BidSize],
            Self::AskPrice => &[Self::AskPrice],
            Self::AskSize => &[Self::AskSize],
            Self::Session => &[Self::Session],
        }
    }

    /// Its value in a tick.
    pub(crate) fn of(self, tick: &Tick) -> f64 {
        match self {
            Self::Open => tick.open,
            Self::High => tick.high,
            Self::Low => tick.low,
            Self::Close => tick.close,
            Self::Volume => tick.volume,
            Self::BidPrice => tick.bid_price,
            Self::BidSize => tick.bid_size,
            Self::AskPrice => tick.ask_price,
            Self::AskSize => tick.ask_size,
            Self::Session => tick.session,
            Self::Typical => (tick.high + tick.low + tick.close) / 3.0,
            Self::Mid => (tick.bid_price + tick.ask_price) / 2.0,
        }
    }
}

//! Rows of features for a policy to see: named lists of [`indicators`](crate::indicators), fed tick by tick, and their normalisation.
//!
//! A [`FeaturesConfig`] names the columns; a [`FeatureSet`] turns each [`Tick`] into a row of them; a [`Normalisation`] is fitted on a
//! training span of rows and applied to any.
//!
//! ```
//! use gym::features::{FeatureSet, FeaturesConfig, Tick};
//!
//! let mut features = FeatureSet::new(&FeaturesConfig::named("microstructure").unwrap()).unwrap();
//! let mut row = vec![0.0; features.names().len()];
//! let tick = Tick::quote(99.0, 4.0, 101.0, 2.0);
//! let is_ready = features.update(&tick, &mut row).unwrap();
//! assert!(!is_ready && features.warm_up() > 0);
//! ```

mod config;
mod normalisation;

use lob::ParameterError;
use serde::{Deserialize, Serialize};

use crate::indicators::{AnyIndicator, LARGEST, SMALLEST_PRICE};

pub use config::{Express, FeatureConfig, FeaturesConfig, MAX_FEATURES};
pub use normalisation::{Method, Normalisation, Span};

/// What a tick or a bar brings. What there is none of is NaN, and refused only where a feature needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    /// First price of a bar, money.
    pub open: f64,
    /// Highest price, money.
    pub high: f64,
    /// Lowest price, money.
    pub low: f64,
    /// Last price, money.
    pub close: f64,
    /// Units traded.
    pub volume: f64,
    /// Best bid, money.
    pub bid_price: f64,
    /// Units there.
    pub bid_size: f64,
    /// Best ask, money.
    pub ask_price: f64,
    /// Units there.
    pub ask_size: f64,
    /// Any number that changes when a new session begins, such as the day; 0 by default.
    pub session: f64,
}

impl Default for Tick {
    fn default() -> Self {
        let none = f64::NAN;
        Self {
            open: none,
            high: none,
            low: none,
            close: none,
            volume: none,
            bid_price: none,
            bid_size: none,
            ask_price: none,
            ask_size: none,
            session: 0.0,
        }
    }
}

impl Tick {
    /// A bar without quotes.
    pub fn bar(open: f64, high: f64, low: f64, close: f64, volume: f64) -> Self {
        Self { open, high, low, close, volume, ..Self::default() }
    }

    /// Quotes without trades.
    pub fn quote(bid_price: f64, bid_size: f64, ask_price: f64, ask_size: f64) -> Self {
        Self { bid_price, bid_size, ask_price, ask_size, ..Self::default() }
    }
}

/// A number of a tick, or one made of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// [`Tick::open`].
    Open,
    /// [`Tick::high`].
    High,
    /// [`Tick::low`].
    Low,
    /// [`Tick::close`].
    Close,
    /// [`Tick::volume`].
    Volume,
    /// [`Tick::bid_price`].
    BidPrice,
    /// [`Tick::bid_size`].
    BidSize,
    /// [`Tick::ask_price`].
    AskPrice,
    /// [`Tick::ask_size`].
    AskSize,
    /// [`Tick::session`].
    Session,
    /// The mean of high, low and close.
    Typical,
    /// The mean of best bid and best ask.
    Mid,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
        Self::BidPrice,
        Self::BidSize,
        Self::AskPrice,
        Self::AskSize,
        Self::Session,
        Self::Typical,
        Self::Mid,
    ];

    /// As configurations have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::BidPrice => "bid_price",
            Self::BidSize => "bid_size",
            Self::AskPrice => "ask_price",
            Self::AskSize => "ask_size",
            Self::Session => "session",
            Self::Typical => "typical",
            Self::Mid => "mid",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    fn is_price(self) -> bool {
        !matches!(self, Self::Volume | Self::BidSize | Self::AskSize | Self::Session)
    }
}

/// An indicator with its place in the row.
#[derive(Clone, Debug)]
struct Feature {
    indicator: AnyIndicator,
    sources: Vec<Field>,
    chosen: Vec<usize>,
    express: Express,
    reference: Field,
}

impl Feature {
    /// The indicator's numbers in a tick.
    fn gather(&self, tick: &Tick) -> [f64; 8] {
        let mut numbers = [0.0; 8];
        for (number, field) in numbers.iter_mut().zip(&self.sources) {
            *number = field.of(tick);
        }
        numbers
    }

    fn check(&self, tick: &Tick) -> Result<(), ParameterError> {
        self.indicator.check(&self.gather(tick)).map_err(|error| {
            // Named as the tick names it.
            let place = self.indicator.inputs().iter().position(|name| *name == error.key);
            let key = place.map_or(error.key, |place| self.sources[place].name().to_owned());
            ParameterError { key, ..error }
        })?;
        let reference = self.reference.of(tick);
        if self.express != Express::Value && !(SMALLEST_PRICE..=LARGEST).contains(&reference) {
            let legal = "a number from 1e-100 to 1e100";
            return Err(ParameterError::new(self.reference.name(), reference, legal));
        }
        Ok(())
    }
}

/// Turns ticks into rows of features.
///
/// Cost: the sum of its indicators', each constant a tick, amortised; no allocation after `new`.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    features: Vec<Feature>,
    names: Vec<String>,
    warm_up: usize,
    seen: usize,
}

impl FeatureSet {
    /// A set at its beginning.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn new(config: &FeaturesConfig) -> Result<Self, ParameterError> {
        config.validate()?;
        let (mut features, mut names) = (Vec::new(), Vec::new());
        for one in &config.features {
            let indicator = AnyIndicator::new(&one.indicator)?;
            let (sources, chosen) = (one.sources(&indicator)?, one.chosen(&indicator)?);
            let outputs = indicator.outputs();
            if outputs.len() == 1 {
                names.push(one.name.clone());
            } else {
                names.extend(chosen.iter().map(|&place| format!("{}.{}", one.name, outputs[place])));
            }
            let reference = one.reference.unwrap_or(Field::Close);
            features.push(Feature { indicator, sources, chosen, express: one.express, reference });
        }
        let warm_up = features.iter().map(|feature| feature.indicator.warm_up()).max().unwrap_or(0);
        Ok(Self { features, names, warm_up, seen: 0 })
    }

    /// The columns' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Ticks at the beginning whose rows have NaN somewhere.
    pub fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// Takes a tick in and writes its row, `f64` for each of [`names`](Self::names); NaN in columns that are warming up. True once none
    /// is: from then on, rows have no NaN, but for a volume-weighted price before the first volume.
    ///
    /// # Errors
    /// The first number of the tick that a feature cannot take, by its name, or a row of another length; then nothing has changed.
    pub fn update(&mut self, tick: &Tick, row: &mut [f64]) -> Result<bool, ParameterError> {
        if row.len() != self.names.len() {
            let legal = format!("{} numbers, one for each feature", self.names.len());
            return Err(ParameterError::new("row", format_args!("{} numbers", row.len()), legal));
        }
        for feature in &self.features {
            feature.check(tick)?;
        }
        let mut row = row.iter_mut();
        for feature in &mut self.features {
            let input = feature.gather(tick);
            let mut output = [0.0; 8];
            feature.indicator.advance(&input, &mut output[..feature.indicator.outputs().len()]);
            let reference = feature.reference.of(tick);
            for (&place, number) in feature.chosen.iter().zip(&mut row) {
                *number = match feature.express {
                    Express::Value => output[place],
                    Express::Gap => output[place] / reference - 1.0,
                    Express::Share => output[place] / reference,
                };
            }
        }
        self.seen = self.seen.saturating_add(1);
        Ok(self.seen > self.warm_up)
    }

    /// As new.
    pub fn reset(&mut self) {
        for feature in &mut self.features {
            feature.indicator.reset();
        }
        self.seen = 0;
    }
}

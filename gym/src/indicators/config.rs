//! Indicators as configured.

use lob::ParameterError;
use lob::parameter::{Validity, integer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DeviationUnit;
use super::inputs::{LARGEST, SMALLEST_PRICE};
use crate::config::{one_of, parse};

/// No window is longer: a mistake, and TA-Lib's own limit.
pub const LONGEST_PERIOD: u32 = 100_000;

macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )*};
}

settings! {
    /// Settings of [`Sma`](super::Sma).
    SmaConfig {
        /// Ticks, 1 to 100,000.
        period: u32 = 20,
    }
    /// Settings of [`Ema`](super::Ema).
    EmaConfig {
        /// Ticks, 1 to 100,000.
        period: u32 = 20,
    }
    /// Settings of [`Rsi`](super::Rsi).
    RsiConfig {
        /// Ticks, 2 to 100,000.
        period: u32 = 14,
    }
    /// Settings of [`Macd`](super::Macd).
    MacdConfig {
        /// Ticks of the fast average, 2 or more and less than `slow`.
        fast: u32 = 12,
        /// Ticks of the slow average, 3 to 100,000.
        slow: u32 = 26,
        /// Ticks of the average of their difference, 1 to 100,000.
        signal: u32 = 9,
    }
    /// Settings of [`Bollinger`](super::Bollinger).
    BollingerConfig {
        /// Ticks, 1 to 100,000.
        period: u32 = 20,
        /// Standard deviations to the upper band, 0 to 1,000.
        deviations_up: f64 = 2.0,
        /// Standard deviations to the lower band, 0 to 1,000.
        deviations_down: f64 = 2.0,
    }
    /// Settings of [`Atr`](super::Atr).
    AtrConfig {
        /// Ticks, 1 to 100,000.
        period: u32 = 14,
    }
    /// Settings of [`Vwap`](super::Vwap).
    VwapConfig {
        /// Ticks, 1 to 100,000; none: all since the session began.
        window: Option<u32> = None,
    }
    /// Settings of [`Volatility`](super::Volatility).
    VolatilityConfig {
        /// Returns, 2 to 100,000.
        period: u32 = 20,
        /// What squared deviations are divided by.
        divisor: Divisor = Divisor::Sample,
    }
    /// Settings of [`LogReturn`](super::LogReturn).
    LogReturnConfig {
        /// Ticks, 1 to 100,000.
        period: u32 = 1,
    }
    /// Settings of [`OrderFlowImbalance`](super::OrderFlowImbalance).
    OrderFlowImbalanceConfig {
        /// Changes of quotes, 1 to 100,000.
        window: u32 = 10,
    }
    /// Settings of [`MicropriceDeviation`](super::MicropriceDeviation).
    MicropriceDeviationConfig {
        /// What it is measured in: `relative`, `price`, or `{ticks: SIZE}`.
        unit: DeviationUnit = DeviationUnit::Relative,
    }
}

/// Whose standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divisor {
    /// Of a sample: one less than there are values.
    Sample,
    /// Of the population: as many as there are values.
    Population,
}

/// An indicator and its settings: its name is a key, they are below it, as in `{rsi: {period: 14}}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IndicatorConfig {
    /// Simple moving average.
    Sma(SmaConfig),
    /// Exponential moving average.
    Ema(EmaConfig),
    /// Relative strength index.
    Rsi(RsiConfig),
    /// Moving average convergence and divergence.
    Macd(MacdConfig),
    /// Bollinger bands.
    Bollinger(BollingerConfig),
    /// Average true range.
    Atr(AtrConfig),
    /// Volume-weighted average price.
    Vwap(VwapConfig),
    /// Rolling volatility.
    Volatility(VolatilityConfig),
    /// Logarithmic return.
    LogReturn(LogReturnConfig),
    /// Order-flow imbalance.
    OrderFlowImbalance(OrderFlowImbalanceConfig),
    /// The size-weighted mid's distance from the mid.
    MicropriceDeviation(MicropriceDeviationConfig),
}

impl IndicatorConfig {
    /// The indicators.
    pub const NAMES: [&str; 11] = [
        "sma",
        "ema",
        "rsi",
        "macd",
        "bollinger",
        "atr",
        "vwap",
        "volatility",
        "log_return",
        "order_flow_imbalance",
        "microprice_deviation",
    ];

    /// An indicator by its name and settings, as maps have them; checked.
    ///
    /// # Errors
    /// The first name, key or value that is not legal.
    pub fn from_map(name: &str, settings: Map<String, Value>) -> Result<Self, ParameterError> {
        if !Self::NAMES.contains(&name) {
            let legal = one_of(&Self::NAMES, name);
            return Err(ParameterError::new("indicator", format_args!("{name:?}"), legal));
        }
        let wrapped = Map::from_iter([(name.to_owned(), Value::Object(settings))]);
        let map = Map::from_iter([("indicator".to_owned(), Value::Object(wrapped))]);
        let named: Named = parse(map, &[]).map_err(|error| {
            let own = error.key.strip_prefix("indicator.").and_then(|key| key.strip_prefix(name));
            let key = own.map(|key| key.trim_start_matches('.').to_owned());
            ParameterError { key: key.unwrap_or(error.key), ..error }
        })?;
        let config = named.indicator.expect("it was put there under its name");
        config.validate()?;
        Ok(config)
    }

    /// Its name, one of [`NAMES`](Self::NAMES).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sma(_) => "sma",
            Self::Ema(_) => "ema",
            Self::Rsi(_) => "rsi",
            Self::Macd(_) => "macd",
            Self::Bollinger(_) => "bollinger",
            Self::Atr(_) => "atr",
            Self::Vwap(_) => "vwap",
            Self::Volatility(_) => "volatility",
            Self::LogReturn(_) => "log_return",
            Self::OrderFlowImbalance(_) => "order_flow_imbalance",
            Self::MicropriceDeviation(_) => "microprice_deviation",
        }
    }

    /// Whether every setting is legal.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Validity {
        let ticks = |key: &str, found: u32, least: u32| integer(key, found, least..=LONGEST_PERIOD);
        match *self {
            Self::Sma(SmaConfig { period })
            | Self::Ema(EmaConfig { period })
            | Self::Atr(AtrConfig { period })
            | Self::LogReturn(LogReturnConfig { period }) => ticks("period", period, 1),
            Self::Rsi(RsiConfig { period }) | Self::Volatility(VolatilityConfig { period, .. }) => {
                ticks("period", period, 2)
            }
            Self::Macd(MacdConfig { fast, slow, signal }) => {
                ticks("slow", slow, 3)?;
                integer("fast", fast, 2..=slow - 1)?;
                ticks("signal", signal, 1)
            }
            Self::Bollinger(BollingerConfig { period, deviations_up, deviations_down }) => {
                ticks("period", period, 1)?;
                deviations("deviations_up", deviations_up)?;
                deviations("deviations_down", deviations_down)
            }
            Self::Vwap(VwapConfig { window }) => window.map_or(Ok(()), |window| ticks("window", window, 1)),
            Self::OrderFlowImbalance(OrderFlowImbalanceConfig { window }) => ticks("window", window, 1),
            Self::MicropriceDeviation(MicropriceDeviationConfig { unit }) => match unit {
                DeviationUnit::Ticks(size) => tick_size("unit.ticks", size),
                DeviationUnit::Relative | DeviationUnit::Price => Ok(()),
            },
        }
    }
}

/// An indicator as maps have it.
#[derive(Default, Serialize, Deserialize)]
struct Named {
    indicator: Option<IndicatorConfig>,
}

/// Below this, a quotient by a tick could overflow.
fn tick_size(key: &str, size: f64) -> Validity {
    if (SMALLEST_PRICE..=LARGEST).contains(&size) {
        return Ok(());
    }
    Err(ParameterError::new(key, size, "a number from 1e-100 to 1e100"))
}

fn deviations(key: &str, count: f64) -> Validity {
    if (0.0..=1000.0).contains(&count) {
        return Ok(());
    }
    Err(ParameterError::new(key, count, "a number from 0 to 1000"))
}

//! Technical and microstructure indicators, a value a tick.
//!
//! One file has one indicator with its formula, its source and where its values begin; [`IndicatorConfig`] is the choice between them,
//! [`AnyIndicator`] one of that choice, and [`batch`] the same over whole columns, bit for bit. Values and their beginnings are those of
//! TA-Lib (unstable period 0) where it has the indicator; before them there is NaN.
//!
//! - Cost: a tick takes constant time, amortised, and no allocation after `new`.
//! - Rounding: nothing drifts. Sums and variances over a window are made of the values in that window alone (`window.rs`), sums over a
//!   session are compensated, and exponential averages shrink earlier errors.
//! - Input that is NaN, infinite or beyond [`LARGEST`] is refused with an error that names it, and changes nothing.
//! - No value depends on what comes later.
//!
//! ```
//! use gym::indicators::{AnyIndicator, IndicatorConfig, RsiConfig};
//!
//! let mut rsi = AnyIndicator::new(&IndicatorConfig::Rsi(RsiConfig { period: 2 })).unwrap();
//! let mut value = [0.0];
//! for close in [10.0, 11.0, 10.5] {
//!     rsi.update(&[close], &mut value).unwrap();
//! }
//! assert_eq!(value, [100.0 * (0.5 / 0.75)]);
//! assert_eq!(rsi.update(&[f64::NAN], &mut value).unwrap_err().key, "close");
//! ```

mod atr;
mod bollinger;
mod config;
mod ema;
mod inputs;
mod log_return;
mod macd;
mod microprice_deviation;
mod order_flow_imbalance;
mod rsi;
mod sma;
mod volatility;
mod vwap;
mod window;

use lob::ParameterError;
use lob::parameter::Validity;

pub use atr::Atr;
pub use bollinger::Bollinger;
pub use config::{
    AtrConfig, BollingerConfig, Divisor, EmaConfig, IndicatorConfig, LONGEST_PERIOD, LogReturnConfig,
    MacdConfig, MicropriceDeviationConfig, OrderFlowImbalanceConfig, RsiConfig, SmaConfig, VolatilityConfig,
    VwapConfig,
};
pub use ema::Ema;
pub use inputs::{Bands, Bar, Input, LARGEST, MacdLines, Output, Quote, SMALLEST_PRICE, Trade};
pub use log_return::LogReturn;
pub use macd::Macd;
pub use microprice_deviation::{DeviationUnit, MicropriceDeviation};
pub use order_flow_imbalance::OrderFlowImbalance;
pub use rsi::Rsi;
pub use sma::Sma;
pub use volatility::Volatility;
pub use vwap::Vwap;
pub(crate) use window::join_all;

/// A function of the ticks up to now.
pub trait Indicator: Clone {
    /// What a tick brings.
    type Input: Input;
    /// What comes of it.
    type Output: Output;

    /// Whether a tick is legal.
    ///
    /// # Errors
    /// The first number that is not, by its name.
    fn check(&self, input: Self::Input) -> Validity;

    /// Takes a tick in that [`check`](Self::check) accepts; NaN during the warm-up.
    fn advance(&mut self, input: Self::Input) -> Self::Output;

    /// Takes a tick in; NaN during the warm-up.
    ///
    /// # Errors
    /// As [`check`](Self::check); then nothing has changed.
    fn update(&mut self, input: Self::Input) -> Result<Self::Output, ParameterError> {
        self.check(input)?;
        Ok(self.advance(input))
    }

    /// As new.
    fn reset(&mut self);

    /// Ticks at the beginning that give NaN.
    fn warm_up(&self) -> usize;
}

macro_rules! any_indicator {
    ($($name:ident),*) => {
        /// An indicator chosen by configuration; numbers in the order of [`inputs`](Self::inputs) and [`outputs`](Self::outputs).
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is the type of its name")]
        pub enum AnyIndicator { $($name($name)),* }

        impl AnyIndicator {
            /// Names of the numbers that a tick brings.
            pub fn inputs(&self) -> &'static [&'static str] {
                match self { $(Self::$name(_) => <<$name as Indicator>::Input as Input>::NAMES),* }
            }

            /// Names of the numbers that come of it.
            pub fn outputs(&self) -> &'static [&'static str] {
                match self { $(Self::$name(_) => <<$name as Indicator>::Output as Output>::NAMES),* }
            }

            /// Whether a tick is legal; as many numbers as there are [`inputs`](Self::inputs).
            ///
            /// # Errors
            /// The first number that is not, by its name.
            ///
            /// # Panics
            /// With fewer numbers.
            pub fn check(&self, input: &[f64]) -> Validity {
                match self { $(Self::$name(one) => one.check(Input::read(input))),* }
            }

            /// Takes a tick in that [`check`](Self::check) accepts.
            ///
            /// # Panics
            /// With fewer numbers than `inputs`, or others than as many as `outputs`.
            pub fn advance(&mut self, input: &[f64], output: &mut [f64]) {
                match self { $(Self::$name(one) => one.advance(Input::read(input)).write(output)),* }
            }

            /// As new.
            pub fn reset(&mut self) {
                match self { $(Self::$name(one) => one.reset()),* }
            }

            /// Ticks at the beginning that give NaN.
            pub fn warm_up(&self) -> usize {
                match self { $(Self::$name(one) => one.warm_up()),* }
            }

            /// Takes columns in, from where it is; see [`batch`].
            fn run(&mut self, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Validity {
                match self { $(Self::$name(one) => run(one, inputs, outputs)),* }
            }
        }
    };
}

any_indicator!(
    Sma,
    Ema,
    Rsi,
    Macd,
    Bollinger,
    Atr,
    Vwap,
    Volatility,
    LogReturn,
    OrderFlowImbalance,
    MicropriceDeviation
);

impl AnyIndicator {
    /// One with these settings.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn new(config: &IndicatorConfig) -> Result<Self, ParameterError> {
        config.validate()?;
        let ticks = |period: u32| period as usize;
        Ok(match *config {
            IndicatorConfig::Sma(SmaConfig { period }) => Self::Sma(Sma::new(ticks(period))),
            IndicatorConfig::Ema(EmaConfig { period }) => Self::Ema(Ema::new(ticks(period))),
            IndicatorConfig::Rsi(RsiConfig { period }) => Self::Rsi(Rsi::new(ticks(period))),
            IndicatorConfig::Macd(MacdConfig { fast, slow, signal }) => {
                Self::Macd(Macd::new(ticks(fast), ticks(slow), ticks(signal)))
            }
            IndicatorConfig::Bollinger(BollingerConfig { period, deviations_up, deviations_down }) => {
                Self::Bollinger(Bollinger::new(ticks(period), deviations_up, deviations_down))
            }
            IndicatorConfig::Atr(AtrConfig { period }) => Self::Atr(Atr::new(ticks(period))),
            IndicatorConfig::Vwap(VwapConfig { window }) => Self::Vwap(Vwap::new(window.map(ticks))),
            IndicatorConfig::Volatility(VolatilityConfig { period, divisor }) => {
                Self::Volatility(Volatility::new(ticks(period), usize::from(divisor == Divisor::Sample)))
            }
            IndicatorConfig::LogReturn(LogReturnConfig { period }) => {
                Self::LogReturn(LogReturn::new(ticks(period)))
            }
            IndicatorConfig::OrderFlowImbalance(OrderFlowImbalanceConfig { window }) => {
                Self::OrderFlowImbalance(OrderFlowImbalance::new(ticks(window)))
            }
            IndicatorConfig::MicropriceDeviation(MicropriceDeviationConfig { unit }) => {
                Self::MicropriceDeviation(MicropriceDeviation::new(unit))
            }
        })
    }

    /// Takes a tick in: as many numbers as [`inputs`](Self::inputs), into as many as [`outputs`](Self::outputs).
    ///
    /// # Errors
    /// The first number that is not legal, by its name, or a number of numbers that is not; then nothing has changed.
    pub fn update(&mut self, input: &[f64], output: &mut [f64]) -> Validity {
        expect_length("input", input.len(), self.inputs())?;
        expect_length("output", output.len(), self.outputs())?;
        self.check(input)?;
        self.advance(input, output);
        Ok(())
    }
}

fn expect_length(key: &str, found: usize, names: &[&str]) -> Validity {
    if found == names.len() {
        return Ok(());
    }
    let legal = format!("{}: {}", names.len(), names.join(", "));
    Err(ParameterError::new(key, format_args!("a list of {found}"), legal))
}

fn run<I: Indicator>(indicator: &mut I, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Validity {
    // Long enough for every input and output there is.
    let (mut input, mut output) = ([0.0; 8], [0.0; 8]);
    let (input, output) =
        (&mut input[..<I::Input as Input>::NAMES.len()], &mut output[..<I::Output as Output>::NAMES.len()]);
    for row in 0..inputs[0].len() {
        for (number, column) in input.iter_mut().zip(inputs) {
            *number = column[row];
        }
        let tick = I::Input::read(input);
        indicator
            .check(tick)
            .map_err(|error| ParameterError { key: format!("{}[{row}]", error.key), ..error })?;
        indicator.advance(tick).write(output);
        for (number, column) in output.iter().zip(outputs.iter_mut()) {
            column[row] = *number;
        }
    }
    Ok(())
}

/// An indicator over whole columns: one for each of its inputs, into one for each of its outputs, all equally long. The values are those
/// of [`AnyIndicator::update`] from the first row to the last, bit for bit.
///
/// # Errors
/// A setting that is not legal; columns too few, too many or of other lengths; the first number that is not legal, as in `close[17] is NaN`.
pub fn batch(config: &IndicatorConfig, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Validity {
    let mut indicator = AnyIndicator::new(config)?;
    expect_length("inputs", inputs.len(), indicator.inputs())?;
    expect_length("outputs", outputs.len(), indicator.outputs())?;
    let rows = inputs[0].len();
    let names = indicator.inputs().iter().chain(indicator.outputs());
    let lengths = inputs.iter().map(|column| column.len()).chain(outputs.iter().map(|column| column.len()));
    for (name, length) in names.zip(lengths) {
        if length != rows {
            let legal = format!("{rows} long, as {} is", indicator.inputs()[0]);
            return Err(ParameterError::new(*name, format_args!("{length} long"), legal));
        }
    }
    indicator.run(inputs, outputs)
}

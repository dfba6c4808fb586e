//! Rolling volatility.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::positive_price;
use super::log_return::LogReturn;
use super::window::{Moments, Window};

/// The standard deviation of the last `period` logarithmic returns from tick to tick: Hull (2018), "Options, Futures, and Other
/// Derivatives", 10th edition, section 15.4, eq. for s without its annualisation. Per tick: times the root of the ticks in a year, it is
/// the annual one. Sample (divisor `period - 1`) unless configured as population; TA-Lib has none of returns, its `STDDEV` of
/// them is the population's. First value at index `period`.
#[derive(Clone, Debug)]
pub struct Volatility {
    growth: LogReturn,
    window: Window<Moments>,
    divisor: f64,
}

impl Volatility {
    /// `period` returns, `degrees_lost` taken off it in the divisor.
    pub(super) fn new(period: usize, degrees_lost: usize) -> Self {
        let divisor = (period - degrees_lost) as f64;
        Self { growth: LogReturn::new(1), window: Window::new(period), divisor }
    }
}

impl Indicator for Volatility {
    type Input = f64;
    type Output = f64;

    fn check(&self, close: f64) -> Validity {
        positive_price("close", close)
    }

    fn advance(&mut self, close: f64) -> f64 {
        let growth = self.growth.advance(close);
        if growth.is_nan() {
            return f64::NAN;
        }
        self.window
            .push(Moments::of(growth))
            .map_or(f64::NAN, |moments| (moments.squares / self.divisor).sqrt())
    }

    fn reset(&mut self) {
        self.growth.reset();
        self.window.reset();
    }

    fn warm_up(&self) -> usize {
        self.window.period()
    }
}

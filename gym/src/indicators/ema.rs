//! Exponential moving average.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::number;

/// `ema += (close - ema) * 2 / (period + 1)`, begun with the mean of the first `period` values. TA-Lib's `EMA` with unstable period 0;
/// first value at index `period - 1`.
///
/// Each step shrinks what rounding went before by `1 - 2 / (period + 1)`: errors do not add up over time.
#[derive(Clone, Debug)]
pub struct Ema {
    period: usize,
    /// Values at the beginning that it does not look at.
    skipped: usize,
    seen: usize,
    /// The sum of the first values, then the average.
    state: f64,
}

impl Ema {
    pub(super) fn new(period: usize) -> Self {
        Self::after(period, 0)
    }

    /// One that begins after `skipped` values.
    pub(super) fn after(period: usize, skipped: usize) -> Self {
        Self { period, skipped, seen: 0, state: 0.0 }
    }
}

impl Indicator for Ema {
    type Input = f64;
    type Output = f64;

    fn check(&self, close: f64) -> Validity {
        number("close", close)
    }

    fn advance(&mut self, close: f64) -> f64 {
        let full = self.skipped + self.period;
        if self.seen >= full {
            self.state += (close - self.state) * (2.0 / (self.period as f64 + 1.0));
            return self.state;
        }
        self.seen += 1;
        if self.seen > self.skipped {
            self.state += close;
        }
        if self.seen < full {
            return f64::NAN;
        }
        self.state /= self.period as f64;
        self.state
    }

    fn reset(&mut self) {
        (self.seen, self.state) = (0, 0.0);
    }

    fn warm_up(&self) -> usize {
        self.skipped + self.period - 1
    }
}

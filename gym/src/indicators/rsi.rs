//! Relative strength index.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::number;

/// 100 times the average gain over the sum of average gain and average loss, both smoothed as Wilder does: Wilder (1978), "New Concepts in
/// Technical Trading Systems", section VI. TA-Lib's `RSI` with unstable period 0; first value at index `period`.
///
/// The averages begin with the means over the first `period` changes; then `average = (average * (period - 1) + change) / period`, which
/// shrinks earlier rounding. Where nothing has ever moved, the index is 0, as in TA-Lib.
#[derive(Clone, Debug)]
pub struct Rsi {
    period: usize,
    /// Closes up to now, counted up to `period + 1`.
    seen: usize,
    last: f64,
    /// Sums over the first changes, then averages.
    gain: f64,
    loss: f64,
}

impl Rsi {
    pub(super) fn new(period: usize) -> Self {
        Self { period, seen: 0, last: 0.0, gain: 0.0, loss: 0.0 }
    }
}

impl Indicator for Rsi {
    type Input = f64;
    type Output = f64;

    fn check(&self, close: f64) -> Validity {
        number("close", close)
    }

    fn advance(&mut self, close: f64) -> f64 {
        let change = close - self.last;
        self.last = close;
        if self.seen == 0 {
            self.seen = 1;
            return f64::NAN;
        }
        let period = self.period as f64;
        let is_smoothed = self.seen > self.period;
        if is_smoothed {
            self.gain *= period - 1.0;
            self.loss *= period - 1.0;
        }
        if change < 0.0 {
            self.loss -= change;
        } else {
            self.gain += change;
        }
        if !is_smoothed {
            self.seen += 1;
            if self.seen <= self.period {
                return f64::NAN;
            }
        }
        self.gain /= period;
        self.loss /= period;
        let both = self.gain + self.loss;
        if both > 0.0 { 100.0 * (self.gain / both) } else { 0.0 }
    }

    fn reset(&mut self) {
        *self = Self::new(self.period);
    }

    fn warm_up(&self) -> usize {
        self.period
    }
}

//! Average true range.

use lob::ParameterError;
use lob::parameter::Validity;

use super::Indicator;
use super::inputs::{Bar, number};

/// The true range, smoothed as Wilder does: Wilder (1978), "New Concepts in Technical Trading Systems", section III. The true range is the
/// largest of `high - low` and the distances of both from the last close. TA-Lib's `ATR` with unstable period 0; first value at index
/// `period`, as the first bar has no close before it.
///
/// The average begins with the mean of the first `period` true ranges; then `average = (average * (period - 1) + range) / period`, which
/// shrinks earlier rounding.
#[derive(Clone, Debug)]
pub struct Atr {
    period: usize,
    /// Bars up to now, counted up to `period + 1`.
    seen: usize,
    last_close: f64,
    /// The sum of the first ranges, then the average.
    average: f64,
}

impl Atr {
    pub(super) fn new(period: usize) -> Self {
        Self { period, seen: 0, last_close: 0.0, average: 0.0 }
    }
}

impl Indicator for Atr {
    type Input = Bar;
    type Output = f64;

    fn check(&self, bar: Bar) -> Validity {
        number("high", bar.high)?;
        number("low", bar.low)?;
        number("close", bar.close)?;
        if bar.low > bar.high {
            return Err(ParameterError::new("low", bar.low, format!("at most high, {}", bar.high)));
        }
        Ok(())
    }

    fn advance(&mut self, bar: Bar) -> f64 {
        let last_close = std::mem::replace(&mut self.last_close, bar.close);
        if self.seen == 0 {
            self.seen = 1;
            return f64::NAN;
        }
        let range = (bar.high - bar.low).max((bar.high - last_close).abs()).max((bar.low - last_close).abs());
        let period = self.period as f64;
        if self.seen > self.period {
            self.average = (self.average * (period - 1.0) + range) / period;
            return self.average;
        }
        self.average += range;
        self.seen += 1;
        if self.seen <= self.period {
            return f64::NAN;
        }
        self.average /= period;
        self.average
    }

    fn reset(&mut self) {
        *self = Self::new(self.period);
    }

    fn warm_up(&self) -> usize {
        self.period
    }
}

//! Logarithmic return.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::positive_price;

/// `ln(close / close before period ticks)`. TA-Lib has the plain return, `ROCP`; first value at index `period`.
#[derive(Clone, Debug)]
pub struct LogReturn {
    /// The last `period` closes, the oldest at `next`.
    closes: Vec<f64>,
    next: usize,
    is_full: bool,
}

impl LogReturn {
    pub(super) fn new(period: usize) -> Self {
        Self { closes: vec![0.0; period], next: 0, is_full: false }
    }
}

impl Indicator for LogReturn {
    type Input = f64;
    type Output = f64;

    fn check(&self, close: f64) -> Validity {
        positive_price("close", close)
    }

    fn advance(&mut self, close: f64) -> f64 {
        let before = std::mem::replace(&mut self.closes[self.next], close);
        let value = if self.is_full { libm::log(close / before) } else { f64::NAN };
        self.next += 1;
        if self.next == self.closes.len() {
            (self.next, self.is_full) = (0, true);
        }
        value
    }

    fn reset(&mut self) {
        (self.next, self.is_full) = (0, false);
    }

    fn warm_up(&self) -> usize {
        self.closes.len()
    }
}

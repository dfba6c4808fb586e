//! Simple moving average.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::number;
use super::window::Window;

/// The mean of the last `period` values. TA-Lib's `SMA`; first value at index `period - 1`.
#[derive(Clone, Debug)]
pub struct Sma {
    window: Window<f64>,
}

impl Sma {
    pub(super) fn new(period: usize) -> Self {
        Self { window: Window::new(period) }
    }
}

impl Indicator for Sma {
    type Input = f64;
    type Output = f64;

    fn check(&self, close: f64) -> Validity {
        number("close", close)
    }

    fn advance(&mut self, close: f64) -> f64 {
        self.window.push(close).map_or(f64::NAN, |sum| sum / self.window.period() as f64)
    }

    fn reset(&mut self) {
        self.window.reset();
    }

    fn warm_up(&self) -> usize {
        self.window.period() - 1
    }
}

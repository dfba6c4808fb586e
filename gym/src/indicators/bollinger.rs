//! Bollinger bands.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::{Bands, number};
use super::window::{Moments, Window};

/// The mean of the last `period` values, and that many standard deviations above and below: Bollinger (2001), "Bollinger on Bollinger
/// Bands". The deviation is the population's (divisor `period`), as in TA-Lib's `BBANDS` with a simple average; first value at
/// index `period - 1`.
#[derive(Clone, Debug)]
pub struct Bollinger {
    window: Window<Moments>,
    up: f64,
    down: f64,
}

impl Bollinger {
    pub(super) fn new(period: usize, up: f64, down: f64) -> Self {
        Self { window: Window::new(period), up, down }
    }
}

impl Indicator for Bollinger {
    type Input = f64;
    type Output = Bands;

    fn check(&self, close: f64) -> Validity {
        number("close", close)
    }

    fn advance(&mut self, close: f64) -> Bands {
        let Some(moments) = self.window.push(Moments::of(close)) else { return Bands::WARMING_UP };
        let (middle, deviation) = (moments.mean, (moments.squares / moments.count).sqrt());
        Bands { upper: middle + self.up * deviation, middle, lower: middle - self.down * deviation }
    }

    fn reset(&mut self) {
        self.window.reset();
    }

    fn warm_up(&self) -> usize {
        self.window.period() - 1
    }
}

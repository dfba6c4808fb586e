//! Moving average convergence and divergence.

use lob::parameter::Validity;

use super::Indicator;
use super::ema::Ema;
use super::inputs::{MacdLines, number};

/// The difference of a fast and a slow exponential average, its own average, and the difference of these: Appel (1979), "The Moving
/// Average Convergence-Divergence Trading Method". TA-Lib's `MACD`; all three lines begin at index `slow + signal - 2`.
///
/// As in TA-Lib, the fast average begins with the mean of the `fast` values that end where the slow average's first `slow` values end.
#[derive(Clone, Debug)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// `fast < slow`.
    pub(super) fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self { fast: Ema::after(fast, slow - fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }
}

impl Indicator for Macd {
    type Input = f64;
    type Output = MacdLines;

    fn check(&self, close: f64) -> Validity {
        number("close", close)
    }

    fn advance(&mut self, close: f64) -> MacdLines {
        let line = self.fast.advance(close) - self.slow.advance(close);
        if line.is_nan() {
            return MacdLines::WARMING_UP;
        }
        let signal = self.signal.advance(line);
        if signal.is_nan() {
            return MacdLines::WARMING_UP;
        }
        MacdLines { line, signal, histogram: line - signal }
    }

    fn reset(&mut self) {
        self.fast.reset();
        self.slow.reset();
        self.signal.reset();
    }

    fn warm_up(&self) -> usize {
        self.slow.warm_up() + self.signal.warm_up()
    }
}

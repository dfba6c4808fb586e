//! Sums over numbers.

/// How many numbers there were, their sum and that of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Standard deviation; `None` of fewer than two.
    pub(super) fn deviation(&self) -> Option<f64> {
        let n = self.count as f64;
        let mean = self.sum / n;
        (self.count > 1).then(|| ((self.squares - n * mean * mean).max(0.0) / (n - 1.0)).sqrt())
    }

    /// Standard error of the mean, as if the numbers were independent.
    pub(super) fn error(&self) -> Option<f64> {
        self.deviation().map(|deviation| deviation / (self.count as f64).sqrt())
    }
}

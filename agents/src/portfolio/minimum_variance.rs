//! The least variance.

use super::{Covariance, Situation, Strategy, ledoit_wolf, minimise};

/// The long-only weights of least variance, the covariance estimated by [`ledoit_wolf`]. Before there are 2 periods: what is held.
#[derive(Clone, Debug)]
pub struct MinimumVariance {
    /// Periods that the covariance is estimated from, 2 or more.
    pub window: usize,
    covariance: Covariance,
}

impl MinimumVariance {
    /// With a covariance of `window` periods.
    pub fn new(window: usize) -> Self {
        Self { window, covariance: Covariance::default() }
    }
}

impl Strategy for MinimumVariance {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        targets.copy_from_slice(situation.weights);
        if ledoit_wolf(situation.last(self.window), situation.assets(), &mut self.covariance) {
            let none = vec![0.0; situation.assets()];
            minimise(&self.covariance.matrix, &none, 0.0, situation.weights, targets);
        }
    }
}

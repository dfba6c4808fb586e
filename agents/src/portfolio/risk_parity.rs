//! The same risk from every asset.

use super::{Covariance, Situation, Strategy, ledoit_wolf};

/// Weights to which each asset contributes the same variance, the covariance estimated by [`ledoit_wolf`]. Before there are 2 periods: what is
/// held.
#[derive(Clone, Debug)]
pub struct RiskParity {
    /// Periods that the covariance is estimated from, 2 or more.
    pub window: usize,
    covariance: Covariance,
}

impl RiskParity {
    /// With a covariance of `window` periods.
    pub fn new(window: usize) -> Self {
        Self { window, covariance: Covariance::default() }
    }
}

impl Strategy for RiskParity {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        targets.copy_from_slice(situation.weights);
        if ledoit_wolf(situation.last(self.window), situation.assets(), &mut self.covariance) {
            equal_risk(&self.covariance.matrix, targets);
        }
    }
}

/// Writes weights with `w_i (Cw)_i` the same for all. They are the minimiser of `x'Cx / 2 - sum ln x_i / N`, scaled to a sum of 1 (Spinu, *An
/// algorithm for computing risk parity weights*, 2013), found by cyclical coordinate descent (Griveau-Billion, Richard & Roncalli, *A fast
/// algorithm for computing high-dimensional risk parity portfolios*, 2013). `matrix` is N x N, positive definite.
pub fn equal_risk(matrix: &[f64], weights: &mut [f64]) {
    let n = weights.len();
    for (asset, weight) in weights.iter_mut().enumerate() {
        *weight = 1.0 / libm::sqrt(matrix[asset * n + asset] * n as f64);
    }
    for _ in 0..1_000 {
        let mut moved: f64 = 0.0;
        for asset in 0..n {
            let row = &matrix[asset * n..][..n];
            let own = row[asset];
            let others: f64 =
                row.iter().zip(weights.iter()).map(|(entry, weight)| entry * weight).sum::<f64>()
                    - own * weights[asset];
            let root = libm::sqrt(others * others + 4.0 * own / n as f64);
            let new = (root - others) / (2.0 * own);
            moved = moved.max((new / weights[asset] - 1.0).abs());
            weights[asset] = new;
        }
        if moved < 1e-13 {
            break;
        }
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
}

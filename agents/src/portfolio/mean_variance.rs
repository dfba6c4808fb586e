//! Return against variance, blind to costs or not.

use super::{Covariance, Situation, Strategy, ledoit_wolf, minimise};

/// The long-only weights that maximise `m'w - risk_aversion / 2 w'Cw` (Markowitz, *Portfolio selection*, Journal of Finance 7, 1952), with the
/// window's mean `m` and its covariance `C` by [`ledoit_wolf`], both of log growth in a period. With a `horizon`, the cost of trading spread
/// over so many periods is part of the aim, `- cost / horizon sum |w - held|`: inside a region about its target it does not trade (Davis &
/// Norman, *Portfolio selection with transaction costs*, Mathematics of Operations Research 15, 1990).
#[derive(Clone, Debug)]
pub struct MeanVariance {
    /// Periods that the moments are estimated from, 2 or more.
    pub window: usize,
    /// Weight of the variance, above 0.
    pub risk_aversion: f64,
    /// Periods that a trade's cost is spread over, above 0; none: costs are not seen.
    pub horizon: Option<f64>,
    covariance: Covariance,
}

impl MeanVariance {
    /// With these parameters.
    pub fn new(window: usize, risk_aversion: f64, horizon: Option<f64>) -> Self {
        Self { window, risk_aversion, horizon, covariance: Covariance::default() }
    }
}

impl Strategy for MeanVariance {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        targets.copy_from_slice(situation.weights);
        if ledoit_wolf(situation.last(self.window), situation.assets(), &mut self.covariance) {
            let Covariance { matrix, means, .. } = &mut self.covariance;
            matrix.iter_mut().for_each(|entry| *entry *= self.risk_aversion);
            let cost = self.horizon.map_or(0.0, |horizon| situation.cost / horizon);
            minimise(matrix, means, cost, situation.weights, targets);
        }
    }
}

//! Return against variance, blind to costs or not.

use super::{Covariance, ImpactEstimate, Situation, Strategy, ledoit_wolf, minimise};

/// The long-only weights that maximise `m'w - risk_aversion / 2 w'Cw` (Markowitz, *Portfolio selection*, Journal of Finance 7, 1952), with the
/// window's mean `m` and its covariance `C` by [`ledoit_wolf`], both of log growth in a period. With a `horizon`, the cost of trading spread
/// over so many periods is part of the aim, `- cost / horizon sum |w - held|`: inside a region about its target it does not trade (Davis &
/// Norman, *Portfolio selection with transaction costs*, Mathematics of Operations Research 15, 1990). So is the impact of the orders, as the
/// market's own models estimate it, where orders move prices.
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
            let Some(horizon) = self.horizon else {
                minimise(matrix, means, 0.0, situation.weights, targets);
                return;
            };
            minimise(matrix, means, situation.cost / horizon, situation.weights, targets);
            if let Some(impact) = situation.impact {
                foresee(matrix, means, situation, impact, horizon, targets);
            }
        }
    }
}

/// Changes of weight that count as none: a trade this small tells the slope at rest.
const LEAST: f64 = 1e-5;

/// Moves `targets`, the best without impact, to the best with the impact of each asset's order spread over the horizon.
///
/// The impact of a change `d` has a slope at rest, which displaced prices cause; a bend at rest, which a half-spread causes; and the rest
/// of it, `e(d)`. The first two are parts of the problem that [`minimise`] solves. In the third each `e` is replaced by the parabola with
/// its own slope at the change found last, `e'(d) / (2 d) x d^2`, and the problem is solved again until the weights stay: for costs
/// that grow less than the square of the order, as those of every law here but a thin book do, the parabola lies above the cost, so that
/// each solution is better than the last (Hunter & Lange, *A tutorial on MM algorithms*, The American Statistician 58, 2004).
fn foresee(
    matrix: &[f64],
    means: &[f64],
    situation: &Situation<'_>,
    impact: &dyn ImpactEstimate,
    horizon: f64,
    targets: &mut [f64],
) {
    let (n, held) = (targets.len(), situation.weights);
    let rest: Vec<[f64; 2]> = (0..n)
        .map(|asset| [LEAST, -LEAST].map(|change| impact.impact_of(asset, change)))
        .map(|[buy, sell]| [(buy - sell) / (2.0 * LEAST), (buy + sell) / (2.0 * LEAST)])
        .collect();
    let bend = rest.iter().map(|[_, bend]| bend.max(0.0)).fold(f64::INFINITY, f64::min);
    let bent = |asset: usize, change: f64| {
        impact.impact_of(asset, change) - rest[asset][0] * change - bend * change.abs()
    };
    let (mut curved, mut gains) = (matrix.to_vec(), means.to_vec());
    let mut last = vec![0.0; n];
    for _ in 0..30 {
        last.copy_from_slice(targets);
        for asset in 0..n {
            let change = targets[asset] - held[asset];
            let size = change.abs().max(LEAST);
            let [near, far] = [0.95, 1.05].map(|factor| bent(asset, (factor * size).copysign(change)));
            let curvature = ((far - near) / (0.1 * size * size)).max(0.0) / horizon;
            curved[asset * n + asset] = matrix[asset * n + asset] + curvature;
            gains[asset] = means[asset] - rest[asset][0] / horizon + curvature * held[asset];
        }
        minimise(&curved, &gains, (situation.cost + bend) / horizon, held, targets);
        let moved = targets.iter().zip(&last).map(|(now, last)| (now - last).abs()).fold(0.0, f64::max);
        if moved < LEAST {
            break;
        }
    }
}

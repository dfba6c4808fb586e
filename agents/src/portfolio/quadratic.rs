//! The best weights for a quadratic aim and proportional costs.

/// Moves `weights`, on the simplex, to the minimiser of `w'Qw / 2 - b'w + cost sum |w - held|` there. `matrix` is Q, N x N, positive
/// semidefinite; `gains` is b.
///
/// Coordinate descent on pairs, each minimised exactly: what is not smooth is separable and there is one linear constraint, so a point that no
/// pair improves is the best (Tseng & Yun, *Block-coordinate gradient descent method for linearly constrained nonsmooth separable
/// optimization*, Journal of Optimization Theory and Applications 140, 2009).
pub fn minimise(matrix: &[f64], gains: &[f64], cost: f64, held: &[f64], weights: &mut [f64]) {
    let n = weights.len();
    let mut slopes: Vec<f64> =
        (0..n).map(|i| (0..n).map(|j| matrix[i * n + j] * weights[j]).sum::<f64>() - gains[i]).collect();
    let mut changed = false;
    for _ in 0..2_000 {
        let mut moved: f64 = 0.0;
        for i in 0..n {
            for j in 0..i {
                let slope = slopes[i] - slopes[j];
                let curvature = matrix[i * n + i] + matrix[j * n + j] - 2.0 * matrix[i * n + j];
                let (low, high) = (-weights[i], weights[j]);
                let kinks = [held[i] - weights[i], weights[j] - held[j]];
                let value = |d: f64| {
                    let bent = (d - kinks[0]).abs() + (d - kinks[1]).abs() - kinks[0].abs() - kinks[1].abs();
                    slope * d + 0.5 * curvature * d * d + cost * bent
                };
                let mut best = (0.0, 0.0);
                let flat = |tilt: f64| if curvature > 0.0 { -(slope + tilt) / curvature } else { 0.0 };
                let stationary = [flat(0.0), flat(2.0 * cost), flat(-2.0 * cost)];
                for d in [low, high].into_iter().chain(kinks).chain(stationary) {
                    let d = d.clamp(low, high);
                    let found = value(d);
                    if found < best.1 {
                        best = (d, found);
                    }
                }
                let d = best.0;
                if d == 0.0 {
                    continue;
                }
                weights[i] = (weights[i] + d).max(0.0);
                weights[j] = (weights[j] - d).max(0.0);
                for (k, slope) in slopes.iter_mut().enumerate() {
                    *slope += d * (matrix[k * n + i] - matrix[k * n + j]);
                }
                moved = moved.max(d.abs());
                changed = true;
            }
        }
        if moved < 1e-12 {
            break;
        }
    }
    // Transfers leave rounding errors; weights that were not touched keep their bits.
    if changed {
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}

//! How assets move together.

/// Means and covariance of log growth in a period, with the memory to estimate them again.
#[derive(Clone, Debug, Default)]
pub struct Covariance {
    /// One an asset.
    pub means: Vec<f64>,
    /// N x N, row by row.
    pub matrix: Vec<f64>,
    /// Share of the target in the estimate, from 0 to 1.
    pub shrinkage: f64,
}

/// Estimates the covariance of `past` (rows of `assets` numbers) by Ledoit & Wolf, *A well-conditioned estimator for large-dimensional
/// covariance matrices*, Journal of Multivariate Analysis 88 (2004): with the sample covariance `S` (divided by the number of rows T), `m =
/// tr(S) / N`, `d2 = |S - mI|^2`, `b2 = min(d2, sum_t |x_t x_t' - S|^2 / T^2)` in Frobenius norm, it is `b2/d2 m I + (1 - b2/d2) S`. False,
/// and no estimate, with fewer than 2 rows or without any variance.
pub fn ledoit_wolf(past: &[f64], assets: usize, out: &mut Covariance) -> bool {
    let n = assets;
    let rows = past.len() / n.max(1);
    if rows < 2 {
        return false;
    }
    let per = 1.0 / rows as f64;
    out.means.clear();
    out.means.resize(n, 0.0);
    for row in past.chunks_exact(n) {
        out.means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value * per);
    }
    out.matrix.clear();
    out.matrix.resize(n * n, 0.0);
    // |x x' - S|^2 summed over rows is the sum of |x|^4 less T |S|^2.
    let mut fourth = 0.0;
    for row in past.chunks_exact(n) {
        let mut square = 0.0;
        for i in 0..n {
            let one = row[i] - out.means[i];
            square += one * one;
            let entries = out.matrix[i * n..][..n].iter_mut();
            for (entry, (value, mean)) in entries.zip(row.iter().zip(&out.means)) {
                *entry += one * (value - mean) * per;
            }
        }
        fourth += square * square;
    }
    let norm: f64 = out.matrix.iter().map(|entry| entry * entry).sum();
    let scale = (0..n).map(|i| out.matrix[i * n + i]).sum::<f64>() / n as f64;
    if !(scale > 0.0 && scale.is_finite()) {
        return false;
    }
    let distance = norm - n as f64 * scale * scale;
    let noise = ((fourth * per - norm) * per).max(0.0);
    out.shrinkage = if noise < distance { noise / distance } else { 1.0 };
    for i in 0..n {
        for j in 0..n {
            let target = if i == j { scale } else { 0.0 };
            let entry = &mut out.matrix[i * n + j];
            *entry = out.shrinkage * target + (1.0 - out.shrinkage) * *entry;
        }
    }
    true
}

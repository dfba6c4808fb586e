//! Distances between distributions.

/// The probability that the empirical distribution of `n` independent numbers lies `distance` or more from their own: Kolmogorov's limit with the
/// correction of M. A. Stephens, *Use of the Kolmogorov-Smirnov, Cramer-von Mises and related statistics without extensive
/// tables*, Journal of the Royal Statistical Society B 32 (1970) 115-122.
pub(super) fn kolmogorov(distance: f64, n: f64) -> f64 {
    let root = n.sqrt();
    let x = (root + 0.12 + 0.11 / root) * distance;
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let k2 = f64::from(k * k);
        let size = libm::exp(-2.0 * k2 * x * x);
        if k % 2 == 1 { size } else { -size }
    };
    (2.0 * (1..=50).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_points_of_the_kolmogorov_distribution() {
        // D sqrt(n) = 1.3581 and 1.6276 are the 5% and 1% points for large n.
        for (x, p) in [(1.358_1, 0.05), (1.627_6, 0.01), (1.223_8, 0.1)] {
            let n = 1e10_f64;
            assert!((kolmogorov(x / n.sqrt(), n) - p).abs() < 1e-4, "{x}");
        }
        assert_eq!(kolmogorov(0.0, 100.0), 1.0);
    }
}

//! Integrals of functions with a square-root end.

/// Nodes and weights of the 12-point Gauss-Legendre rule on [-1, 1]; the other six are their mirror images.
const NODES: [(f64, f64); 6] = [
    (0.125_233_408_511_468_9, 0.249_147_045_813_402_8),
    (0.367_831_498_998_180_2, 0.233_492_536_538_354_8),
    (0.587_317_954_286_617_5, 0.203_167_426_723_065_9),
    (0.769_902_674_194_304_7, 0.160_078_328_543_346_2),
    (0.904_117_256_370_474_9, 0.106_939_325_995_318_4),
    (0.981_560_634_246_719_3, 0.047_175_336_386_511_8),
];

/// The integral of `f` from 0 to `length`. The substitution `t = length (3 u^2 - 2 u^3)` makes the integrand smooth where it goes to zero
/// like a square root at either end.
pub(super) fn integral(length: f64, f: impl Fn(f64) -> f64) -> f64 {
    let at = |u: f64| 6.0 * u * (1.0 - u) * f(length * u * u * (3.0 - 2.0 * u));
    let sum: f64 =
        NODES.iter().map(|&(node, weight)| weight * (at(0.5 - 0.5 * node) + at(0.5 + 0.5 * node))).sum();
    0.5 * length * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_integrated_to_many_digits() {
        assert!((integral(4.0, |_| 1.0) - 4.0).abs() < 1e-13);
        assert!((integral(4.0, f64::sqrt) - 16.0 / 3.0).abs() < 1e-9);
        assert!((integral(1.0, |t| (1.0 - t).sqrt()) - 2.0 / 3.0).abs() < 1e-9);
        assert!((integral(2.0, |t| (-t).exp()) - (1.0 - (-2.0_f64).exp())).abs() < 1e-10);
    }
}

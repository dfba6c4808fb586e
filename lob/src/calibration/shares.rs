//! Which share of what rests a cancellation takes.

use std::collections::BTreeMap;

/// Cancellations by what rested at their price: how many, the sum of their lots and that of the squares.
///
/// A flow that cancels shares takes `max(1, round(share x lots))`, half to even. The estimate is the share with which all cancellations together take the lots that they took.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    by_resting: BTreeMap<u64, (f64, f64, f64)>,
}

impl Shares {
    /// Sees a cancellation of `lots` where `resting` lots are.
    pub(super) fn see(&mut self, lots: u64, resting: u64) {
        if resting == 0 {
            return;
        }
        let lots = lots.min(resting) as f64;
        let entry = self.by_resting.entry(coarse(resting)).or_default();
        *entry = (entry.0 + 1.0, entry.1 + lots, entry.2 + lots * lots);
    }

    pub(super) fn events(&self) -> u64 {
        self.by_resting.values().map(|entry| entry.0 as u64).sum()
    }

    /// The share and its standard error; `None` without events. The flow's rounding leaves an interval of shares that all take the same; its
    /// middle is the estimate, and its standard deviation (a uniform number's) part of the error.
    pub(super) fn fit(&self) -> Option<(f64, f64)> {
        if self.by_resting.is_empty() {
            return None;
        }
        let taken: f64 = self.by_resting.values().map(|entry| entry.1).sum();
        let low = bisect(|share| self.expected(share) >= taken);
        let high = bisect(|share| self.expected(share) > taken);
        let share = 0.5 * (low + high);
        let variance: f64 = self
            .by_resting
            .iter()
            .map(|(&resting, &(n, sum, squares))| {
                let mean = takes(share, resting);
                squares - 2.0 * mean * sum + n * mean * mean
            })
            .sum();
        // Slope over a stretch that many roundings lie in.
        let (below, above) = ((0.95 * share).max(1e-12), (1.05 * share).min(1.0));
        let slope = (self.expected(above) - self.expected(below)) / (above - below);
        let rounding = (high - low) / 12f64.sqrt();
        let sampling = variance.max(0.0).sqrt() / slope;
        Some((share, libm::hypot(sampling, rounding)))
    }

    fn expected(&self, share: f64) -> f64 {
        self.by_resting.iter().map(|(&resting, entry)| entry.0 * takes(share, resting)).sum()
    }
}

fn takes(share: f64, resting: u64) -> f64 {
    (resting as f64 * share).round_ties_even().max(1.0)
}

/// Large numbers keep 10 bits, so that there are not too many different ones.
fn coarse(lots: u64) -> u64 {
    let shift = (64 - lots.leading_zeros()).saturating_sub(11);
    if shift == 0 { lots } else { (lots >> shift << shift) + (1 << (shift - 1)) }
}

/// The least number in (0, 1] at which an increasing condition holds; 1 if it never does.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..52 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flows_share_comes_back() {
        for share in [0.07, 0.2, 0.45, 0.8] {
            let mut shares = Shares::default();
            for resting in 1..200 {
                shares.see(takes(share, resting) as u64, resting);
            }
            let (found, error) = shares.fit().unwrap();
            assert!((found - share).abs() < 2.0 * error && error < 0.001, "{found} +- {error} for {share}");
        }
    }

    #[test]
    fn sizes_that_are_no_shares_have_a_wide_error() {
        let mut shares = Shares::default();
        for index in 0..400_u64 {
            // Everything or one lot.
            shares.see(if index % 4 == 0 { 40 } else { 1 }, 40);
        }
        let (found, error) = shares.fit().unwrap();
        assert!((found - 43.0 / 160.0).abs() < 0.03, "{found}");
        // Deviation 16.9 of 40 lots, 400 times.
        assert!((error - 16.9 / 40.0 / 20.0).abs() < 0.01, "{error}");
        assert_eq!(Shares::default().fit(), None);
    }
}

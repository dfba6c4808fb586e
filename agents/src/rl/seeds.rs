//! What several runs of one training say together.

use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

/// Mean of the middle half. Source: R. Agarwal et al., *Deep reinforcement learning at the edge of the statistical precipice*, arXiv
/// 2108.13264; a value on the edge of the half counts by the share of it that lies inside.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let (low, high) = (n / 4.0, 3.0 * n / 4.0);
    let inside = |index: usize| ((index + 1) as f64).min(high) - (index as f64).max(low);
    let total: f64 = sorted.iter().enumerate().map(|(index, value)| inside(index).max(0.0) * value).sum();
    total / (high - low)
}

/// Percentile bootstrap interval of the interquartile mean, from 10,000 resamples.
pub fn bootstrap_interval(values: &[f64], level: f64, seed: u64) -> (f64, f64) {
    const RESAMPLES: usize = 10_000;
    let mut rng = SimRng::seed_from_u64(seed);
    let mut resample = vec![0.0; values.len()];
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let pick = |slot: &mut f64| *slot = values[(uniform(&mut rng) * values.len() as f64) as usize];
            resample.iter_mut().for_each(pick);
            interquartile_mean(&resample)
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| means[((share * RESAMPLES as f64) as usize).min(RESAMPLES - 1)];
    let outside = (1.0 - level) / 2.0;
    (at(outside), at(1.0 - outside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_counts() {
        assert_eq!(interquartile_mean(&[100.0, 1.0, 2.0, -50.0]), 1.5);
        assert_eq!(interquartile_mean(&[3.0]), 3.0);
        // Of three, the middle one counts whole and a quarter of each other.
        assert_eq!(interquartile_mean(&[0.0, 1.0, 5.0]), (0.25 * 0.0 + 1.0 + 0.25 * 5.0) / 1.5);
    }

    #[test]
    fn intervals_hold_the_mean_and_shrink_with_agreement() {
        let (low, high) = bootstrap_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95, 1);
        assert!(low < 3.0 && 3.0 < high);
        assert_eq!(bootstrap_interval(&[2.0; 4], 0.95, 1), (2.0, 2.0));
    }
}

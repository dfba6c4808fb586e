//! Distributions in bounded memory, and how far apart two of them are.

use std::collections::BTreeMap;

use serde::Serialize;

/// How a distribution is divided into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Whole numbers: each its own up to 128, then 32 bins an octave.
    Whole,
    /// Positive numbers from 1e-9 to 1e9: 20 bins a decade; 0 is a bin of its own.
    Logarithmic,
}

/// Of a logarithmic scale: zero, and what is below it.
const ZERO: i32 = i32::MIN;

impl Scale {
    fn bin(self, value: f64) -> i32 {
        match self {
            Self::Whole if value <= 128.0 => value.max(0.0) as i32,
            Self::Whole => 128 + (libm::log2(value / 128.0) * 32.0) as i32,
            Self::Logarithmic if value < 1e-9 => ZERO,
            Self::Logarithmic => (libm::log10(value.min(1e9)) * 20.0).floor() as i32,
        }
    }

    /// Where a bin begins and ends.
    fn edges(self, bin: i32) -> (f64, f64) {
        match self {
            Self::Whole if bin < 128 => (f64::from(bin), f64::from(bin)),
            Self::Whole => {
                let edge = |bin: i32| 128.0 * libm::exp2(f64::from(bin - 128) / 32.0);
                (edge(bin), edge(bin + 1))
            }
            Self::Logarithmic if bin == ZERO => (0.0, 0.0),
            Self::Logarithmic => {
                let edge = |bin: i32| libm::exp10(f64::from(bin) / 20.0);
                (edge(bin), edge(bin + 1))
            }
        }
    }
}

/// Weights by bin, as they are collected. At most some 400 bins on a logarithmic scale and 2,000 on one of whole numbers.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    scale: Scale,
    /// Weight, and weight times value.
    bins: BTreeMap<i32, (f64, f64)>,
    squares: f64,
}

impl Histogram {
    pub(super) fn new(scale: Scale) -> Self {
        Self { scale, bins: BTreeMap::new(), squares: 0.0 }
    }

    pub(super) fn add(&mut self, value: f64, weight: f64) {
        if weight > 0.0 {
            let entry = self.bins.entry(self.scale.bin(value)).or_default();
            *entry = (entry.0 + weight, entry.1 + weight * value);
            self.squares += weight * value * value;
        }
    }

    /// The distribution of what was collected.
    pub(super) fn distribution(&self) -> Distribution {
        let weight: f64 = self.bins.values().map(|bin| bin.0).sum();
        let sum: f64 = self.bins.values().map(|bin| bin.1).sum();
        let bins = self.bins.iter().map(|(&index, &(part, sum))| {
            let (low, high) = self.scale.edges(index);
            Bin { index, low, high, share: part / weight, mean: sum / part }
        });
        let mean = (weight > 0.0).then(|| sum / weight);
        let deviation = mean.map(|mean| (self.squares / weight - mean * mean).max(0.0).sqrt());
        Distribution { scale: self.scale, weight, mean, deviation, bins: bins.collect() }
    }
}

/// A part of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    #[serde(skip)]
    index: i32,
    /// Its lower end.
    pub low: f64,
    /// Its upper end; the same for a whole number by itself.
    pub high: f64,
    /// The share of all weight that lies in it.
    pub share: f64,
    /// The mean of what lies in it.
    pub mean: f64,
}

/// A distribution by bins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// How it is divided.
    pub scale: Scale,
    /// All weight: a number of events, or seconds.
    pub weight: f64,
    /// Its mean, exact; `None` without anything.
    pub mean: Option<f64>,
    /// Its standard deviation, exact.
    pub deviation: Option<f64>,
    /// Where the weight lies, ascending; bins without any are left out.
    pub bins: Vec<Bin>,
}

impl Distribution {
    /// The mean of the bin in which a share of the weight is reached.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut reached = 0.0;
        let found = self.bins.iter().find(|bin| {
            reached += bin.share;
            reached >= share
        });
        found.or(self.bins.last()).map(|bin| bin.mean)
    }

    /// Deviation over mean: 1 for waiting times of a Poisson process, more where events cluster.
    pub fn variation(&self) -> Option<f64> {
        self.mean.filter(|&mean| mean > 0.0).zip(self.deviation).map(|(mean, deviation)| deviation / mean)
    }

    /// The largest difference of the two distribution functions (Kolmogorov-Smirnov), from 0 to 1, at the ends of bins. `None` if one is empty or they are divided
    /// differently.
    pub fn ks(&self, other: &Self) -> Option<f64> {
        if self.bins.is_empty() || other.bins.is_empty() || self.scale != other.scale {
            return None;
        }
        let mut steps: Vec<(i32, f64)> = self.bins.iter().map(|bin| (bin.index, bin.share)).collect();
        steps.extend(other.bins.iter().map(|bin| (bin.index, -bin.share)));
        steps.sort_by_key(|step| step.0);
        let (mut difference, mut largest) = (0.0_f64, 0.0_f64);
        for bin in steps.chunk_by(|one, next| one.0 == next.0) {
            difference += bin.iter().map(|step| step.1).sum::<f64>();
            largest = largest.max(difference.abs());
        }
        Some(largest.min(1.0))
    }

    /// How far weight has to be moved on average to make one into the other (Wasserstein-1), in the unit of the values; what lies in a bin
    /// counts at its mean. `None` as for [`ks`](Self::ks).
    pub fn wasserstein(&self, other: &Self) -> Option<f64> {
        if self.bins.is_empty() || other.bins.is_empty() || self.scale != other.scale {
            return None;
        }
        let mut steps: Vec<(f64, f64)> = self.bins.iter().map(|bin| (bin.mean, bin.share)).collect();
        steps.extend(other.bins.iter().map(|bin| (bin.mean, -bin.share)));
        steps.sort_by(|one, next| one.0.total_cmp(&next.0));
        let (mut difference, mut moved) = (0.0_f64, 0.0);
        for pair in steps.windows(2) {
            difference += pair[0].1;
            moved += difference.abs() * (pair[1].0 - pair[0].0);
        }
        Some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scale: Scale, values: &[(f64, f64)]) -> Distribution {
        let mut histogram = Histogram::new(scale);
        values.iter().for_each(|&(value, weight)| histogram.add(value, weight));
        histogram.distribution()
    }

    #[test]
    fn distances_of_known_distributions() {
        let one = of(Scale::Whole, &[(1.0, 3.0), (2.0, 1.0)]);
        let other = of(Scale::Whole, &[(1.0, 1.0), (2.0, 1.0), (5.0, 2.0)]);
        // Distribution functions 0.75, 1, 1 and 0.25, 0.5, 1 at 1, 2 and 5.
        assert_eq!(one.ks(&other), Some(0.5));
        assert_eq!(one.wasserstein(&other), Some(0.5 + 0.5 * 3.0));
        assert_eq!((one.ks(&one), one.wasserstein(&one)), (Some(0.0), Some(0.0)));
        assert_eq!(
            (one.mean, one.deviation, one.quantile(0.9)),
            (Some(1.25), Some(0.1875f64.sqrt()), Some(2.0))
        );
        assert_eq!(of(Scale::Whole, &[]).ks(&one), None);
        // A shift by a constant is the distance.
        let shifted = of(Scale::Logarithmic, &[(0.31, 1.0), (2.31, 1.0)]);
        let found = of(Scale::Logarithmic, &[(0.01, 1.0), (2.01, 1.0)]).wasserstein(&shifted).unwrap();
        assert!((found - 0.3).abs() < 1e-12, "{found}");
    }

    #[test]
    fn bins_hold_what_lies_between_their_ends() {
        for value in [0.0, 3.0, 128.0, 129.0, 1e4, 123_456.0] {
            let bin = of(Scale::Whole, &[(value, 1.0)]).bins[0];
            assert!(bin.low <= value + 1e-6 && value <= bin.high + 1e-6, "{value}: {bin:?}");
            assert!(bin.high <= bin.low * 1.03 + 1.0);
        }
        for value in [0.0, 1e-7, 0.9999, 1.0, 77.0] {
            let bin = of(Scale::Logarithmic, &[(value, 1.0)]).bins[0];
            assert!(
                bin.low <= value * (1.0 + 1e-12) && value <= bin.high * (1.0 + 1e-12),
                "{value}: {bin:?}"
            );
        }
    }

    #[test]
    fn variation_tells_clusters() {
        let even = of(Scale::Logarithmic, &[(1.0, 10.0)]);
        let clustered = of(Scale::Logarithmic, &[(0.1, 9.0), (9.1, 1.0)]);
        assert_eq!(even.variation(), Some(0.0));
        assert!(clustered.variation().unwrap() > 2.0);
    }
}

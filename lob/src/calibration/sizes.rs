//! The sizes that events ask for, of which a book shows no more than it has.

use std::collections::BTreeMap;

use crate::flow::SizeDistribution;

/// Sizes above this many different ones are put together.
const MAX_SIZES: usize = 400;

/// Sizes of one kind of event, some of which are only known to be at least so large.
///
/// A cancellation asks for a size and gets what is there; one that empties its price says only that it asked for no less. The
/// product-limit estimator (Kaplan and Meier, *Nonparametric Estimation from Incomplete Observations*, JASA 53 (1958) 457-481) is consistent
/// for the sizes asked for, as a flow draws them independently of what is there; without censoring it is the relative frequency.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    /// By size: events of exactly this size, and events of at least this size.
    counts: BTreeMap<u64, (u64, u64)>,
}

/// An estimated size distribution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SizeFit {
    pub(super) sizes: Vec<u64>,
    pub(super) probabilities: Vec<f64>,
    pub(super) standard_errors: Vec<f64>,
    pub(super) mean: f64,
    pub(super) mean_error: f64,
}

impl Sizes {
    pub(super) fn see(&mut self, lots: u64, at_least: bool) {
        let entry = self.counts.entry(lots).or_default();
        *(if at_least { &mut entry.1 } else { &mut entry.0 }) += 1;
    }

    pub(super) fn events(&self) -> u64 {
        self.counts.values().map(|count| count.0 + count.1).sum()
    }

    /// The distribution, and Greenwood's standard errors; `None` without events.
    ///
    /// Of the mean the error is that of the observed sizes' mean, `E (S)` under the product limit: the integral of the survival function,
    /// with the variance sum over sizes of (what lies above)^2 d / (n (n - d)).
    pub(super) fn fit(&self) -> Option<SizeFit> {
        let counts = self.thinned();
        let (&last, _) = counts.last_key_value()?;
        let mut at_risk: u64 = counts.values().map(|count| count.0 + count.1).sum();
        let mut survival = 1.0;
        // Sum of d / (n (n - d)): the relative variance of the survival function.
        let mut greenwood = 0.0;
        let (mut sizes, mut probabilities, mut standard_errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut hazards = Vec::new();
        for (&size, &(exact, at_least)) in &counts {
            // Whoever asked for at least this size says nothing about who asked for exactly it.
            at_risk -= at_least;
            // What is left beyond the largest size observed is put there.
            let is_last = size == last;
            if exact > 0 || is_last {
                let (n, d) = (at_risk as f64, if is_last { at_risk } else { exact } as f64);
                let hazard = if is_last { 1.0 } else { d / n };
                let probability = survival * hazard;
                // Var p = p^2 (greenwood before + (1 - h) / (n h)).
                let relative = greenwood + if is_last { 0.0 } else { (1.0 - hazard) / d };
                sizes.push(size);
                probabilities.push(probability);
                standard_errors.push(probability * relative.sqrt());
                hazards.push((n, d));
                survival *= 1.0 - hazard;
                if n > d {
                    greenwood += d / (n * (n - d));
                }
            }
            at_risk -= exact;
        }
        let mean: f64 = sizes.iter().zip(&probabilities).map(|(&size, p)| size as f64 * p).sum();
        // Mean size beyond each size, above that size: the integral of the survival function from there on.
        let mut variance = 0.0;
        let mut above = 0.0;
        let mut tail = 0.0;
        for index in (0..sizes.len()).rev() {
            let (n, d) = hazards[index];
            if n > d {
                variance += above * above * d / (n * (n - d));
            }
            tail += probabilities[index];
            let below = if index == 0 { 0 } else { sizes[index - 1] };
            above += tail * (sizes[index] - below) as f64;
        }
        Some(SizeFit { sizes, probabilities, standard_errors, mean, mean_error: variance.sqrt() })
    }

    /// The counts, of no more than so many sizes: large ones are put together at a size that keeps their mean.
    fn thinned(&self) -> BTreeMap<u64, (u64, u64)> {
        if self.counts.len() <= MAX_SIZES {
            return self.counts.clone();
        }
        let mut groups: BTreeMap<u64, (f64, (u64, u64))> = BTreeMap::new();
        for (&size, &count) in &self.counts {
            // Exact up to 128, then 32 groups an octave.
            let key = if size <= 128 { size } else { 128 + (libm::log2(size as f64 / 128.0) * 32.0) as u64 };
            let group = groups.entry(key).or_default();
            group.0 += size as f64 * (count.0 + count.1) as f64;
            group.1 = (group.1.0 + count.0, group.1.1 + count.1);
        }
        let mut thinned: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (sum, count) in groups.into_values() {
            let entry = thinned.entry((sum / (count.0 + count.1) as f64).round() as u64).or_default();
            *entry = (entry.0 + count.0, entry.1 + count.1);
        }
        thinned
    }
}

impl SizeFit {
    pub(super) fn distribution(&self) -> SizeDistribution {
        SizeDistribution::Empirical { sizes: self.sizes.clone(), weights: self.probabilities.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_censoring_it_is_the_relative_frequency() {
        let mut sizes = Sizes::default();
        for (size, count) in [(1, 50), (2, 30), (5, 20)] {
            (0..count).for_each(|_| sizes.see(size, false));
        }
        let fit = sizes.fit().unwrap();
        assert_eq!(fit.sizes, [1, 2, 5]);
        for (index, p) in [0.5, 0.3, 0.2f64].into_iter().enumerate() {
            assert!((fit.probabilities[index] - p).abs() < 1e-12);
            // The binomial error.
            let error = (p * (1.0 - p) / 100.0).sqrt();
            assert!((fit.standard_errors[index] - error).abs() < 1e-12, "{:?}", fit.standard_errors);
        }
        assert!((fit.mean - 2.1).abs() < 1e-12);
        // The variance of the sizes, 1 x 0.5 + 4 x 0.3 + 25 x 0.2 - 2.1^2 = 2.29, over 100.
        assert!((fit.mean_error - (2.29f64 / 100.0).sqrt()).abs() < 1e-12, "{}", fit.mean_error);
        assert_eq!(Sizes::default().fit(), None);
    }

    #[test]
    fn sizes_cut_short_by_the_book_are_seen_through() {
        // Asked for 1 or 4 with probability 1/2 each; half of the time only 2 are there.
        let mut sizes = Sizes::default();
        for (lots, at_least, count) in [(1, false, 500), (2, true, 250), (4, false, 250)] {
            (0..count).for_each(|_| sizes.see(lots, at_least));
        }
        let fit = sizes.fit().unwrap();
        assert_eq!(fit.sizes, [1, 4]);
        assert!((fit.probabilities[1] - 0.5).abs() < 1e-12);
        // Exactly as much as there is counts as cut short: 1, 2, 3 are asked for equally often, and half of the time 2 are there.
        let mut sizes = Sizes::default();
        for (lots, at_least, count) in [(1, false, 200), (2, true, 200), (2, false, 100), (3, false, 100)] {
            (0..count).for_each(|_| sizes.see(lots, at_least));
        }
        let fit = sizes.fit().unwrap();
        assert!(fit.probabilities.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-12), "{fit:?}");
    }

    #[test]
    fn many_sizes_are_put_together_and_keep_their_mean() {
        let mut sizes = Sizes::default();
        let mut sum = 0.0;
        for size in (1..4000).step_by(3) {
            sizes.see(size, false);
            sum += size as f64;
        }
        let fit = sizes.fit().unwrap();
        assert!(fit.sizes.len() <= MAX_SIZES, "{}", fit.sizes.len());
        let events = sizes.events() as f64;
        assert!((fit.mean - sum / events).abs() < 1.0, "{} {}", fit.mean, sum / events);
    }
}

//! Drawing from a short list of values with one `u64` and no arithmetic on floats.

use rand::Rng;

use crate::Quantity;
use crate::flow::SizeDistribution;
use crate::parameter::ParameterError;

/// Draws the size of an event: one `u64`, one table look-up, no loop.
///
/// An alias table (Walker 1974; built as in Vose, *A linear algorithm for generating random numbers with a given
/// distribution*, IEEE Transactions on Software Engineering 17, 1991, 972-975) whose probabilities are integers
/// out of 2^64. They add up exactly, so no draw is lost to rounding, and they are the same on every machine. A probability
/// differs from the analytic one by less than 2^-52 in absolute terms.
///
/// Memory: 16 bytes a column, a power of two of columns at least the number of sizes: 512 bytes for the reference sizes.
#[derive(Clone, Debug)]
pub struct SizeSampler {
    columns: Box<[Column]>,
    /// 64 - log2(number of columns).
    shift: u32,
    /// The lowest `shift` bits.
    mask: u64,
}

/// One column: its own size, `sizes[1]`, below the threshold; another one's, `sizes[0]`, at or above it.
#[derive(Clone, Copy, Debug)]
struct Column {
    threshold: u64,
    sizes: [u32; 2],
}

impl SizeSampler {
    /// The sampler of a distribution.
    ///
    /// # Errors
    /// As [`SizeDistribution::validate`].
    pub fn new(distribution: &SizeDistribution) -> Result<Self, ParameterError> {
        Ok(Self::from_probabilities(&distribution.probabilities()?))
    }

    /// Draws a size.
    #[inline]
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Quantity {
        let bits = rng.next_u64();
        let column = &self.columns[(bits >> self.shift) as usize];
        let rest = bits & self.mask;
        // An index rather than a branch: half of the draws would be mispredicted.
        Quantity(u64::from(column.sizes[usize::from(rest < column.threshold)]))
    }

    /// `table` is not empty, its probabilities are positive and its sizes fit `u32`: [`SizeDistribution::probabilities`] sees to it.
    fn from_probabilities(table: &[(Quantity, f64)]) -> Self {
        // At least two columns: a single one would hold 2^64, one more than a u64 can say.
        let count = table.len().next_power_of_two().max(2);
        let shift = 64 - count.trailing_zeros();
        let full = 1u128 << shift;

        let mut mass = integer_masses(table);
        mass.resize(count, 0);
        let size = |i: usize| table.get(i).map_or(0, |entry| entry.0.0 as u32);

        let mut columns = vec![Column { threshold: 0, sizes: [0; 2] }; count];
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|&i| mass[i] < full);
        while let Some(donor) = large.pop() {
            if mass[donor] == full || small.is_empty() {
                // Exactly one column is left for it.
                columns[donor] = Column { threshold: 0, sizes: [size(donor); 2] };
                continue;
            }
            let Some(poor) = small.pop() else { continue };
            columns[poor] = Column { threshold: mass[poor] as u64, sizes: [size(donor), size(poor)] };
            mass[donor] -= full - mass[poor];
            if mass[donor] < full { small.push(donor) } else { large.push(donor) }
        }
        debug_assert!(small.is_empty(), "integer masses add up to full columns");
        Self { columns: columns.into_boxed_slice(), shift, mask: (1 << shift) - 1 }
    }

    /// Out of 2^64, how often each size is drawn. For tests.
    #[cfg(test)]
    fn masses(&self) -> std::collections::BTreeMap<u64, u128> {
        let full = 1u128 << self.shift;
        let mut masses = std::collections::BTreeMap::new();
        for column in &self.columns {
            *masses.entry(u64::from(column.sizes[1])).or_default() += u128::from(column.threshold);
            *masses.entry(u64::from(column.sizes[0])).or_default() += full - u128::from(column.threshold);
        }
        masses.retain(|_, mass| *mass > 0);
        masses
    }
}

/// The probabilities as integers that add up to exactly 2^64.
fn integer_masses(table: &[(Quantity, f64)]) -> Vec<u128> {
    const ONE: u128 = 1 << 64;
    let total: f64 = table.iter().map(|entry| entry.1).sum();
    let mut masses: Vec<u128> = table.iter().map(|entry| (entry.1 / total * ONE as f64) as u128).collect();
    let sum: u128 = masses.iter().sum();
    // Rounding leaves a difference of some 2^12 a size; the largest mass takes it, where it matters least.
    if let Some(largest) = masses.iter_mut().max() {
        *largest = *largest + ONE - sum;
    }
    masses
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn distributions() -> Vec<SizeDistribution> {
        vec![
            SizeDistribution::reference(),
            SizeDistribution::HalfNormal { offset: 0.0, sigma: 30.0, min: 3, max: 64 },
            SizeDistribution::LogNormal { mu: 1.2, sigma: 0.9, min: 1, max: 500 },
            SizeDistribution::Empirical {
                sizes: vec![1, 2, 10, 100, 1000],
                weights: vec![50.0, 20.0, 20.0, 9.0, 1.0],
            },
            SizeDistribution::Constant { lots: 7 },
        ]
    }

    /// Chi-square of `n` draws against the probabilities; cells with fewer than 10 expected draws are merged.
    fn chi_square(distribution: &SizeDistribution, n: usize, seed: u64) -> (f64, f64) {
        let sampler = SizeSampler::new(distribution).unwrap();
        let table = distribution.probabilities().unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..n {
            *counts.entry(sampler.sample(&mut rng)).or_insert(0usize) += 1;
        }
        assert!(
            counts.keys().all(|size| table.iter().any(|entry| entry.0 == *size)),
            "a size that cannot occur"
        );
        let (mut statistic, mut cells, mut observed, mut expected) = (0.0, 0usize, 0.0, 0.0);
        for (i, (size, probability)) in table.iter().enumerate() {
            observed += counts.get(size).copied().unwrap_or(0) as f64;
            expected += probability * n as f64;
            let rest: f64 = table[i + 1..].iter().map(|entry| entry.1 * n as f64).sum();
            if expected >= 10.0 && (rest >= 10.0 || i + 1 == table.len()) {
                statistic += (observed - expected) * (observed - expected) / expected;
                cells += 1;
                (observed, expected) = (0.0, 0.0);
            }
        }
        if expected > 0.0 {
            statistic += (observed - expected) * (observed - expected) / expected;
            cells += 1;
        }
        (statistic, (cells - 1) as f64)
    }

    #[test]
    fn draws_follow_the_analytic_probabilities() {
        for (i, distribution) in distributions().iter().enumerate() {
            let (statistic, freedom) = chi_square(distribution, 1_000_000, i as u64);
            // Four standard deviations of a chi-square variable; the seeds are fixed, so this never flickers.
            let bound = freedom + 4.0 * (2.0 * freedom).sqrt();
            assert!(statistic <= bound, "{distribution:?}: {statistic} on {freedom}");
        }
    }

    #[test]
    fn the_distribution_is_that_of_the_recipe_it_stands_for() {
        // The table against the recipe itself: draw a normal number, clip, round.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(99);
        let n = 1_000_000;
        let mut counts = [0.0; 21];
        for _ in 0..n {
            let x: f64 = 1.0 + (2.0 * crate::random::standard_normal(&mut rng)).abs();
            counts[x.clamp(1.0, 20.0).round_ties_even() as usize] += 1.0;
        }
        for (size, probability) in SizeDistribution::reference().probabilities().unwrap() {
            let expected = probability * f64::from(n);
            let deviation = (counts[size.0 as usize] - expected).abs();
            assert!(deviation <= 4.5 * expected.sqrt() + 1.0, "{size}: {deviation} of {expected}");
        }
    }

    #[test]
    fn draws_keep_their_sequence() {
        // Pinned: a change here changes every seeded market.
        let sampler = SizeSampler::new(&SizeDistribution::reference()).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
        let drawn: Vec<u64> = (0..12).map(|_| sampler.sample(&mut rng).0).collect();
        assert_eq!(drawn, [3, 1, 5, 3, 3, 2, 5, 2, 1, 4, 2, 3]);
    }

    proptest! {
        #[test]
        fn masses_are_the_probabilities_and_lose_nothing(
            weights in prop::collection::vec(prop_oneof![Just(0.0), 1e-12..1e3f64], 1..200)
        ) {
            prop_assume!(weights.iter().any(|&w| w > 0.0));
            let sizes = (1..=weights.len() as u64).collect();
            let distribution = SizeDistribution::Empirical { sizes, weights };
            let table = distribution.probabilities().unwrap();
            let masses = SizeSampler::from_probabilities(&table).masses();
            prop_assert_eq!(masses.values().sum::<u128>(), 1u128 << 64);
            for (size, probability) in table {
                let mass = masses.get(&size.0).copied().unwrap_or(0) as f64 / (1u128 << 64) as f64;
                prop_assert!((mass - probability).abs() < 1e-12, "{}: {} {}", size, mass, probability);
            }
        }
    }
}

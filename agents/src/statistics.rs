//! Statistics of a market's sessions: pure functions over series, and sums that merge.
//!
//! What depends on several sessions is kept as sums. The sums of each session are added in the order of the sessions, so that the
//! result is the same bit for bit however the sessions were shared out. Values that are not there (a mid price while a side
//! is empty) are NaN in a series, and leave out every sum that they would enter.
//!
//! Sources: R. Cont, "Empirical properties of asset returns: stylized facts and statistical issues", Quantitative Finance 1 (2001)
//! 223-236; J.-P. Bouchaud, Y. Gefen, M. Potters, M. Wyart, "Fluctuations and response in financial markets: the subtle nature of
//! 'random' price changes", Quantitative Finance 4 (2004) 176-190; T. G. Andersen, T. Bollerslev, F. X. Diebold, P. Labys, "Great
//! realizations", Risk 13 (2000) 105-108.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Count, sum and sum of squares of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
}

impl Moments {
    /// Of the values that are not NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut moments = Self::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments
    }

    /// Adds a value; NaN changes nothing.
    pub fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.count += 1;
            self.sum += value;
            self.sum_squares += value * value;
        }
    }

    /// Adds another's sums.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.sum_squares += other.sum_squares;
    }

    /// `sum / n`; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The unbiased variance `(sum of x^2 - (sum of x)^2 / n) / (n - 1)`; `None` of fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        let n = self.count as f64;
        (self.count > 1).then(|| ((self.sum_squares - self.sum * self.sum / n) / (n - 1.0)).max(0.0))
    }

    /// The standard error of the mean of independent values, `sqrt(variance / n)`.
    pub fn standard_error(&self) -> Option<f64> {
        self.variance().map(|variance| (variance / self.count as f64).sqrt())
    }
}

/// Mean and standard deviation (of the sample, n - 1) in two passes, exact where the sum of squares would cancel; 0 where there are too
/// few values.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// Mean of the worst 5% (at least one value): conditional value at risk of a reward (Rockafellar & Uryasev 2000). 0 of nothing.
pub fn worst_twentieth(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len().div_ceil(20);
    if count == 0 { 0.0 } else { sorted[..count].iter().sum::<f64>() / count as f64 }
}

/// A mean of paired differences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairedDifference {
    /// The mean.
    pub mean: f64,
    /// Student's 95% confidence interval: low, high. Infinite of a single pair, which says nothing about its spread.
    pub ci95: [f64; 2],
}

/// The mean of `values - others`, pair by pair, with its interval.
pub fn paired_difference(values: &[f64], others: &[f64]) -> PairedDifference {
    let differences: Vec<f64> = values.iter().zip(others).map(|(one, other)| one - other).collect();
    let (mean, deviation) = mean_and_deviation(&differences);
    let n = differences.len() as f64;
    let half_width = if differences.len() > 1 {
        let quantile = StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.96, |t| t.inverse_cdf(0.975));
        quantile * deviation / n.sqrt()
    } else {
        f64::INFINITY
    };
    PairedDifference { mean, ci95: [mean - half_width, mean + half_width] }
}

/// The time after which a first-order autoregression has forgotten half of a deviation, `-ln 2 / ln(correlation)`, in steps; `None` unless
/// the lag-one autocorrelation is between 0 and 1: it decays within a step, or not at all.
pub fn half_life_steps(correlation: f64) -> Option<f64> {
    (correlation > 0.0 && correlation < 1.0).then(|| -std::f64::consts::LN_2 / correlation.ln())
}

/// The most that was lost since a maximum before, of a series that starts at 0: `max over s < t of x[s] - x[t]`, at least 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawdown {
    peak: f64,
    /// The greatest so far.
    pub greatest: f64,
}

impl Drawdown {
    /// The series goes on.
    pub fn add(&mut self, value: f64) {
        self.peak = self.peak.max(value);
        self.greatest = self.greatest.max(self.peak - value);
    }
}

/// How often each value occurs.
pub fn count_values(values: &[u64]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for &value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts
}

/// The mean of values counted by [`count_values`].
pub fn counted_mean(counts: &BTreeMap<u64, u64>) -> Option<f64> {
    let total: u64 = counts.values().sum();
    let sum: f64 = counts.iter().map(|(&value, &count)| value as f64 * count as f64).sum();
    (total > 0).then(|| sum / total as f64)
}

/// The changes `x[i + lag] - x[i]` of a series for all `i`: they overlap, which uses all of a short session and biases nothing.
pub fn changes(series: &[f64], lag: usize) -> impl Iterator<Item = f64> + '_ {
    series.iter().zip(series.iter().skip(lag)).map(|(before, after)| after - before)
}

/// A point of the volatility signature: `Var[m(t + lag) - m(t)] / lag`, in squared units of `m` a second (Andersen et al. 2000). Flat for a
/// random walk; falling with the lag where changes are taken back, rising where they go on.
pub fn variance_per_second(changes: &Moments, lag_seconds: f64) -> Option<f64> {
    changes.variance().map(|variance| variance / lag_seconds)
}

/// Sums of the pairs `(x[i], x[i + lag])`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct LagSums {
    count: u64,
    first: f64,
    second: f64,
    product: f64,
}

/// Sums for the autocorrelation of a series in several pieces; no pair reaches from one piece to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autocorrelation {
    values: Moments,
    /// At index `lag - 1`.
    lags: Vec<LagSums>,
}

impl Autocorrelation {
    /// Of one piece, for lags 1 to `longest`.
    pub fn of(series: &[f64], longest: usize) -> Self {
        let lags = (1..=longest).map(|lag| {
            let mut sums = LagSums::default();
            for (&first, &second) in series.iter().zip(series.iter().skip(lag)) {
                if !first.is_nan() && !second.is_nan() {
                    sums.count += 1;
                    sums.first += first;
                    sums.second += second;
                    sums.product += first * second;
                }
            }
            sums
        });
        Self { values: Moments::of(series.iter().copied()), lags: lags.collect() }
    }

    /// Adds another piece's sums.
    pub fn merge(&mut self, other: &Self) {
        self.values.merge(&other.values);
        self.lags.resize(self.lags.len().max(other.lags.len()), LagSums::default());
        for (sums, more) in self.lags.iter_mut().zip(&other.lags) {
            sums.count += more.count;
            sums.first += more.first;
            sums.second += more.second;
            sums.product += more.product;
        }
    }

    /// How many values went in.
    pub fn count(&self) -> u64 {
        self.values.count
    }

    /// `(E[x[i] x[i + lag]] - E[x[i]] E[x[i + lag]]) / Var[x]`, each mean over the pairs of this lag, the variance over all values
    /// (Cont 2001, section 5, for returns; Bouchaud et al. 2004, section 3, for the signs of market orders). `None` without pairs, of a constant series and
    /// at lags that were not asked for.
    pub fn at(&self, lag: usize) -> Option<f64> {
        let sums = self.lags.get(lag.checked_sub(1)?).filter(|sums| sums.count > 0)?;
        let (n, all) = (sums.count as f64, self.values.count as f64);
        let variance = self.values.sum_squares / all - (self.values.sum / all).powi(2);
        let covariance = sums.product / n - (sums.first / n) * (sums.second / n);
        (variance > 0.0).then(|| covariance / variance)
    }

    /// The correlations at all lags.
    pub fn all(&self) -> Vec<Option<f64>> {
        (1..=self.lags.len()).map(|lag| self.at(lag)).collect()
    }

    /// `1.96 / sqrt(n)`: 95% of the autocorrelations of `n` independent values are nearer to 0 (Bartlett's approximation).
    pub fn white_noise_band(&self) -> Option<f64> {
        (self.values.count > 0).then(|| 1.96 / (self.values.count as f64).sqrt())
    }
}

/// What an order did to the mid price, in ticks: `sign x (with - without)` at each moment. The response function of Bouchaud et al. (2004, equation 3)
/// with the price that would have been, rather than the one before the order, as what it is compared with: a simulator can
/// play the same future without the order, which takes out the noise.
pub fn response<'a>(sign: f64, with: &'a [f64], without: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    with.iter().zip(without).map(move |(with, without)| sign * (with - without))
}

/// The median; of an even number of values the mean of the middle two. Reorders `values`, which hold no NaN. `None` of nothing.
pub fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let (middle, even) = (values.len() / 2, values.len().is_multiple_of(2));
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(if even { (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0 } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_few_values() {
        let moments = Moments::of([1.0, 2.0, f64::NAN, 6.0]);
        assert_eq!((moments.count, moments.mean()), (3, Some(3.0)));
        // (4 + 1 + 9) / 2
        assert_eq!(moments.variance(), Some(7.0));
        assert_eq!(moments.standard_error(), Some((7.0_f64 / 3.0).sqrt()));
        assert_eq!(Moments::of([]).mean(), None);
        assert_eq!(Moments::of([5.0]).variance(), None);
    }

    #[test]
    fn merged_moments_are_those_of_everything() {
        let mut merged = Moments::of([1.0, 2.0]);
        merged.merge(&Moments::of([6.0]));
        assert_eq!(merged, Moments::of([1.0, 2.0, 6.0]));
    }

    #[test]
    fn a_mean_comes_with_its_deviation() {
        // Values 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, over 2.
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 6.0]), (3.0, 7.0_f64.sqrt()));
        assert_eq!(mean_and_deviation(&[5.0]), (5.0, 0.0));
        assert_eq!(mean_and_deviation(&[]), (0.0, 0.0));
    }

    #[test]
    fn paired_interval_is_students() {
        let paired = paired_difference(&[1.0, 2.0, 3.0, 6.0], &[0.0; 4]);
        // Mean 3, deviation 2.1602, t(3) = 3.1824: half width 3.4374.
        assert!((paired.mean - 3.0).abs() < 1e-12);
        assert!((paired.ci95[0] - (3.0 - 3.437_39)).abs() < 1e-4, "{:?}", paired.ci95);
        assert!((paired.ci95[1] - (3.0 + 3.437_39)).abs() < 1e-4);
        assert_eq!(paired_difference(&[1.0], &[0.0]).ci95, [f64::NEG_INFINITY, f64::INFINITY]);
    }

    #[test]
    fn worst_twentieth_is_the_mean_of_the_lowest_values() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(worst_twentieth(&values), 2.0);
        assert_eq!(worst_twentieth(&[7.0]), 7.0);
    }

    #[test]
    fn half_lives_by_hand() {
        assert_eq!(half_life_steps(0.5), Some(1.0));
        assert!((half_life_steps(0.5_f64.sqrt()).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!([-0.1, 0.0, 1.0, f64::NAN].map(half_life_steps), [None; 4]);
    }

    #[test]
    fn drawdown_is_from_the_highest_point_before() {
        let of = |values: &[f64]| {
            let mut drawdown = Drawdown::default();
            values.iter().for_each(|&value| drawdown.add(value));
            drawdown.greatest
        };
        assert_eq!(of(&[1.0, 3.0, 0.5, 4.0, 2.0]), 2.5);
        assert_eq!(of(&[-2.0, -1.0, -5.0]), 5.0, "from the 0 at the start");
        assert_eq!(of(&[1.0, 2.0]), 0.0);
    }

    #[test]
    fn spreads_are_counted() {
        let counts = count_values(&[1, 2, 1, 4]);
        assert_eq!(counts, BTreeMap::from([(1, 2), (2, 1), (4, 1)]));
        assert_eq!(counted_mean(&counts), Some(2.0));
        assert_eq!(counted_mean(&BTreeMap::new()), None);
    }

    #[test]
    fn signature_of_a_bouncing_price_falls() {
        let mids = [0.0, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(changes(&mids, 1).collect::<Vec<_>>(), [1.0, -1.0, 1.0, -1.0]);
        // Changes of +-1, mean 0: 4 / 3. At lag 2 nothing has changed.
        assert_eq!(variance_per_second(&Moments::of(changes(&mids, 1)), 0.5), Some(4.0 / 3.0 / 0.5));
        assert_eq!(variance_per_second(&Moments::of(changes(&mids, 2)), 1.0), Some(0.0));
        assert_eq!(variance_per_second(&Moments::of(changes(&mids, 9)), 4.5), None);
    }

    #[test]
    fn autocorrelation_by_hand() {
        let bouncing = Autocorrelation::of(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0], 3);
        // Lag 1: five products of -1, means 1/5 and -1/5: -1 + 1/25.
        assert!((bouncing.at(1).unwrap() + 0.96).abs() < 1e-12);
        assert_eq!(bouncing.at(2), Some(1.0));
        assert_eq!((bouncing.at(0), bouncing.at(4)), (None, None));
        assert_eq!(bouncing.white_noise_band(), Some(1.96 / 6.0_f64.sqrt()));
        assert_eq!(Autocorrelation::of(&[2.0; 5], 2).all(), [None, None]);
        assert_eq!(Autocorrelation::of(&[1.0], 1).all(), [None]);
    }

    #[test]
    fn autocorrelation_pairs_nothing_across_pieces_or_gaps() {
        let mut pieces = Autocorrelation::of(&[1.0, 2.0], 1);
        pieces.merge(&Autocorrelation::of(&[3.0, 1.0], 1));
        let gap = Autocorrelation::of(&[1.0, 2.0, f64::NAN, 3.0, 1.0], 1);
        assert_eq!(pieces, gap);
        // Pairs (1, 2) and (3, 1): 5/2 - 2 * 3/2 = -1/2; variance 15/4 - (7/4)^2 = 11/16.
        assert!((pieces.at(1).unwrap() + 8.0 / 11.0).abs() < 1e-12);
    }

    #[test]
    fn response_has_the_sign_of_the_order() {
        let sell: Vec<f64> = response(-1.0, &[98.5, 99.0, f64::NAN], &[100.0, 98.0, 99.0]).collect();
        assert_eq!(sell[..2], [1.5, -1.0]);
        assert!(sell[2].is_nan());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}

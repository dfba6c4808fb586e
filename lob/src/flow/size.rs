//! How many lots an event has.

use serde::{Deserialize, Serialize};

use crate::Quantity;
use crate::parameter::{
    ParameterError, Validity, finite, integer, length, non_negative, non_negative_list, positive,
};
use crate::random::normal_tail;

/// The most different sizes one distribution may have.
pub const MAX_SUPPORT: usize = 65_536;

/// The largest size of one event, in lots.
pub const MAX_SIZE: u64 = u32::MAX as u64;

/// The distribution of an event's size in lots.
///
/// The continuous ones are clipped to `[min, max]` first and rounded to an integer then, as the reference market does;
/// both limits are integers, so clipping and rounding may be swapped. What a draw can be is therefore a finite list of
/// sizes whose probabilities [`probabilities`](Self::probabilities) gives in closed form. Half-way cases have probability 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SizeDistribution {
    /// `round(clip(offset + |N(0, sigma)|, min, max))`: the reference market, with 1, 2, 1, 20.
    HalfNormal {
        /// Smallest size before clipping, in lots; 0 or more.
        offset: f64,
        /// Standard deviation of the normal number whose absolute value is taken, in lots; above 0.
        sigma: f64,
        /// Lower limit in lots, at least 1.
        min: u64,
        /// Upper limit in lots.
        max: u64,
    },
    /// `round(clip(exp(N(mu, sigma)), min, max))`.
    LogNormal {
        /// Mean of the logarithm of the size in lots.
        mu: f64,
        /// Standard deviation of that logarithm; above 0.
        sigma: f64,
        /// Lower limit in lots, at least 1.
        min: u64,
        /// Upper limit in lots.
        max: u64,
    },
    /// Each of `sizes` with a probability proportional to its weight.
    Empirical {
        /// Sizes in lots, strictly increasing, each at least 1.
        sizes: Vec<u64>,
        /// One weight for each size, 0 or more, not all 0.
        weights: Vec<f64>,
    },
    /// Always the same.
    Constant {
        /// The size in lots, at least 1.
        lots: u64,
    },
}

impl SizeDistribution {
    /// The reference market's: `round(clip(1 + |N(0, 2)|, 1, 20))`.
    pub const fn reference() -> Self {
        Self::HalfNormal { offset: 1.0, sigma: 2.0, min: 1, max: 20 }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            Self::HalfNormal { offset, sigma, min, max } => {
                non_negative("half_normal.offset", *offset)?;
                positive("half_normal.sigma", *sigma)?;
                limits("half_normal", *min, *max)
            }
            Self::LogNormal { mu, sigma, min, max } => {
                finite("log_normal.mu", *mu)?;
                positive("log_normal.sigma", *sigma)?;
                limits("log_normal", *min, *max)
            }
            Self::Empirical { sizes, weights } => empirical(sizes, weights),
            Self::Constant { lots } => integer("constant.lots", *lots, 1..=MAX_SIZE),
        }
    }

    /// Every size that can occur, in increasing order, with its probability. The probabilities add up to 1 up to rounding.
    ///
    /// For the half-normal one, P(size >= s) = erfc((s - 1/2 - offset) / (sigma sqrt 2)) for `min < s <= max`; for the
    /// log-normal one, P(size >= s) = erfc((ln(s - 1/2) - mu) / (sigma sqrt 2)) / 2. Both are evaluated with `libm`: the
    /// same bits everywhere.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn probabilities(&self) -> Result<Vec<(Quantity, f64)>, ParameterError> {
        self.validate()?;
        let mut table =
            match self {
                Self::HalfNormal { offset, sigma, min, max } => rounded(*min, *max, |x| {
                    if x <= *offset { 1.0 } else { 2.0 * normal_tail((x - offset) / sigma) }
                }),
                Self::LogNormal { mu, sigma, min, max } => {
                    rounded(*min, *max, |x| normal_tail((libm::log(x) - mu) / sigma))
                }
                Self::Empirical { sizes, weights } => {
                    let total: f64 = weights.iter().sum();
                    sizes.iter().zip(weights).map(|(&s, &w)| (Quantity(s), w / total)).collect()
                }
                Self::Constant { lots } => vec![(Quantity(*lots), 1.0)],
            };
        table.retain(|&(_, probability)| probability > 0.0);
        Ok(table)
    }

    /// The mean size in lots.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn mean(&self) -> Result<f64, ParameterError> {
        Ok(self.probabilities()?.iter().map(|&(size, p)| size.0 as f64 * p).sum())
    }

    /// The name of the variant, as in a configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HalfNormal { .. } => "half_normal",
            Self::LogNormal { .. } => "log_normal",
            Self::Empirical { .. } => "empirical",
            Self::Constant { .. } => "constant",
        }
    }
}

/// Probabilities of a clipped and rounded number, from P(X >= x) of the number before.
fn rounded(min: u64, max: u64, tail: impl Fn(f64) -> f64) -> Vec<(Quantity, f64)> {
    let at_least = |size: u64| tail(size as f64 - 0.5);
    (min..=max)
        .map(|size| {
            let above = if size == max { 0.0 } else { at_least(size + 1) };
            let from = if size == min { 1.0 } else { at_least(size) };
            (Quantity(size), from - above)
        })
        .collect()
}

fn limits(name: &str, min: u64, max: u64) -> Validity {
    integer("min", min, 1..=MAX_SIZE)
        .and_then(|()| integer("max", max, min..=MAX_SIZE.min(min + MAX_SUPPORT as u64 - 1)))
        .map_err(|error| error.within(name))
}

fn empirical(sizes: &[u64], weights: &[f64]) -> Validity {
    length("empirical.sizes", sizes.len(), 1..=MAX_SUPPORT)?;
    let mut previous = 0;
    for (i, &size) in sizes.iter().enumerate() {
        if size <= previous || size > MAX_SIZE {
            let legal = format!("an integer from {} to {MAX_SIZE} (sizes increase)", previous + 1);
            return Err(ParameterError::new(format!("empirical.sizes[{i}]"), size, legal));
        }
        previous = size;
    }
    non_negative_list("empirical.weights", weights, sizes.len()..=sizes.len())?;
    let total: f64 = weights.iter().sum();
    if total > 0.0 && total.is_finite() {
        return Ok(());
    }
    Err(ParameterError::new("empirical.weights", format_args!("a list with sum {total}"), "a finite sum > 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legal() -> [SizeDistribution; 4] {
        [
            SizeDistribution::reference(),
            SizeDistribution::LogNormal { mu: 1.0, sigma: 0.8, min: 1, max: 60 },
            SizeDistribution::Empirical { sizes: vec![1, 5, 100], weights: vec![7.0, 0.0, 3.0] },
            SizeDistribution::Constant { lots: 3 },
        ]
    }

    #[test]
    fn probabilities_add_up_to_one() {
        for distribution in legal() {
            let sum: f64 = distribution.probabilities().unwrap().iter().map(|entry| entry.1).sum();
            assert!((sum - 1.0).abs() < 1e-14, "{distribution:?}: {sum}");
        }
    }

    #[test]
    fn reference_probabilities_are_those_of_the_formula() {
        let table = SizeDistribution::reference().probabilities().unwrap();
        // P(size = 1) = P(|N(0, 1)| < 1/4), P(size = 2) = P(1/4 < |N(0, 1)| < 3/4).
        assert!((table[0].1 - 0.197_412_651_364_2).abs() < 1e-9, "{}", table[0].1);
        assert!((table[1].1 - 0.349_332_643_9).abs() < 1e-9, "{}", table[1].1);
        assert_eq!(table.first().unwrap().0, Quantity(1));
        assert!(table.last().unwrap().0 <= Quantity(20));
        // E = 1 + 2 sqrt(2/pi) up to what rounding and clipping move.
        assert!((SizeDistribution::reference().mean().unwrap() - 2.6).abs() < 0.05);
    }

    #[test]
    fn errors_name_the_field() {
        let bad = SizeDistribution::HalfNormal { offset: 1.0, sigma: 0.0, min: 1, max: 20 };
        assert_eq!(
            bad.validate().unwrap_err().to_string(),
            "half_normal.sigma is 0; legal: a finite number > 0"
        );
        let bad = SizeDistribution::LogNormal { mu: 0.0, sigma: 1.0, min: 5, max: 4 };
        assert!(
            bad.validate()
                .unwrap_err()
                .to_string()
                .starts_with("log_normal.max is 4; legal: an integer from 5")
        );
        let bad = SizeDistribution::Empirical { sizes: vec![2, 2], weights: vec![1.0, 1.0] };
        assert_eq!(bad.validate().unwrap_err().key, "empirical.sizes[1]");
        let bad = SizeDistribution::Empirical { sizes: vec![1, 2], weights: vec![1.0, f64::NAN] };
        assert_eq!(bad.validate().unwrap_err().key, "empirical.weights[1]");
        let bad = SizeDistribution::Empirical { sizes: vec![1, 2], weights: vec![0.0, 0.0] };
        assert_eq!(bad.validate().unwrap_err().key, "empirical.weights");
        let bad = SizeDistribution::Constant { lots: 0 };
        assert_eq!(bad.validate().unwrap_err().key, "constant.lots");
    }
}

//! What is wrong with a parameter: its dotted path, its value and what is legal.

use std::fmt;

use thiserror::Error;

/// A parameter that cannot be used.
///
/// The path is the one a user writes: `limit_intensity.buy[3]` in a flow, `flow.noise.limit_intensity.buy[3]` in a
/// market configuration.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{key} is {value}; legal: {legal}")]
pub struct ParameterError {
    /// Dotted path of the parameter, list positions counted from 0.
    pub key: String,
    /// The value found, as text.
    pub value: String,
    /// What would have been accepted.
    pub legal: String,
}

impl ParameterError {
    /// An error at `key`.
    pub fn new(key: impl Into<String>, value: impl fmt::Display, legal: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), legal: legal.into() }
    }

    /// The same error one level further out: `prefix.key`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        if !prefix.is_empty() {
            self.key = if self.key.is_empty() { prefix.into() } else { format!("{prefix}.{}", self.key) };
        }
        self
    }
}

/// Validation that passes with nothing to say.
pub type Validity = Result<(), ParameterError>;

/// `value` must be finite and >= 0.
pub fn non_negative(key: &str, value: f64) -> Validity {
    within(key, value, value >= 0.0, "a finite number >= 0")
}

/// `value` must be finite and > 0.
pub fn positive(key: &str, value: f64) -> Validity {
    within(key, value, value > 0.0, "a finite number > 0")
}

/// `value` must be finite.
pub fn finite(key: &str, value: f64) -> Validity {
    within(key, value, true, "a finite number")
}

/// `value` must lie in [0, 1].
pub fn probability(key: &str, value: f64) -> Validity {
    within(key, value, (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn within(key: &str, value: f64, legal: bool, what: &str) -> Validity {
    // A comparison with NaN is false, an infinity passes comparisons: finiteness is its own condition.
    if value.is_finite() && legal { Ok(()) } else { Err(ParameterError::new(key, value, what)) }
}

/// Every entry must be finite and >= 0, and the number of entries within `lengths`.
pub fn non_negative_list(key: &str, values: &[f64], lengths: std::ops::RangeInclusive<usize>) -> Validity {
    length(key, values.len(), lengths)?;
    for (i, &value) in values.iter().enumerate() {
        if !(value.is_finite() && value >= 0.0) {
            return Err(ParameterError::new(format!("{key}[{i}]"), value, "a finite number >= 0"));
        }
    }
    Ok(())
}

/// The number of entries of a list must lie within `lengths`.
pub fn length(key: &str, found: usize, lengths: std::ops::RangeInclusive<usize>) -> Validity {
    if lengths.contains(&found) {
        return Ok(());
    }
    let (low, high) = (lengths.start(), lengths.end());
    let legal = if low == high { format!("{low} entries") } else { format!("{low} to {high} entries") };
    Err(ParameterError::new(key, format_args!("a list of {found}"), legal))
}

/// `value` must lie within `range`.
pub fn integer<T>(key: &str, value: T, range: std::ops::RangeInclusive<T>) -> Validity
where
    T: PartialOrd + fmt::Display + Copy,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(ParameterError::new(key, value, format!("an integer from {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_grow_outwards() {
        let error = ParameterError::new("sigma", -1.0, "a finite number > 0").within("size.market");
        assert_eq!(error.to_string(), "size.market.sigma is -1; legal: a finite number > 0");
    }

    #[test]
    fn nan_and_infinity_are_never_legal() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(finite("x", value).is_err());
            assert!(non_negative("x", value).is_err());
            assert!(positive("x", value).is_err());
            assert!(probability("x", value).is_err());
            assert!(non_negative_list("x", &[value], 1..=1).is_err());
        }
    }
}

//! Who trades a parent order: as it is asked for, and ready to play.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use lob::ParameterError;

use super::ExecutionPolicy;
use crate::baselines::StrategyName;
use crate::policy::{PolicyError, PolicyReference};

/// Who is to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrant {
    /// A strategy by rule: `twap` and the like.
    Strategy(StrategyName),
    /// A trained policy: `policy:PATH`.
    Policy(PolicyReference),
}

/// An entrant whose files have been read.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// A strategy by rule.
    Strategy(StrategyName),
    /// A trained policy.
    Policy(Arc<ExecutionPolicy>),
}

impl Entrant {
    /// The entrant, ready to play.
    ///
    /// # Errors
    /// A policy that cannot be read or was trained for another task than execution.
    pub fn candidate(&self) -> Result<Candidate, PolicyError> {
        Ok(match self {
            Self::Strategy(name) => Candidate::Strategy(*name),
            Self::Policy(reference) => Candidate::Policy(Arc::new(ExecutionPolicy::open(reference)?)),
        })
    }
}

impl From<StrategyName> for Entrant {
    fn from(name: StrategyName) -> Self {
        Self::Strategy(name)
    }
}

impl From<StrategyName> for Candidate {
    fn from(name: StrategyName) -> Self {
        Self::Strategy(name)
    }
}

impl Candidate {
    /// Its name in the results.
    pub fn name(&self) -> &str {
        match self {
            Self::Strategy(name) => name.name(),
            Self::Policy(policy) => policy.name(),
        }
    }

    /// True if it is this strategy.
    pub fn is(&self, strategy: StrategyName) -> bool {
        matches!(self, Self::Strategy(name) if *name == strategy)
    }
}

/// What [`Entrant::from_str`] would read to the same effect.
impl fmt::Display for Entrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strategy(name) => formatter.write_str(name.name()),
            Self::Policy(reference) => reference.fmt(formatter),
        }
    }
}

impl FromStr for Entrant {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        if PolicyReference::is_meant(text) {
            return text.parse().map(Self::Policy);
        }
        let found = StrategyName::ALL.into_iter().find(|known| known.name() == text.trim());
        found.map(Self::Strategy).ok_or_else(|| {
            let names = StrategyName::ALL.map(StrategyName::name).join(", ");
            let legal = format!("one of {names}, or policy:PATH, a policy file or a run's directory");
            ParameterError::new("strategies", format_args!("{text:?}"), legal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in
            StrategyName::ALL.map(StrategyName::name).into_iter().chain(["policy:runs/a:decision=mode"])
        {
            assert_eq!(name.parse::<Entrant>().unwrap().to_string(), name);
        }
        let error = "fast".parse::<Entrant>().unwrap_err().to_string();
        assert!(error.contains("fast") && error.contains("twap-schedule") && error.contains("policy:PATH"));
    }
}

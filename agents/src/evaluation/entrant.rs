//! Policies as they are asked for, rules and trained ones alike.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gym::Env;
use lob::ParameterError;
use thiserror::Error;

use super::player::Candidate;
use super::rules::Rule;
use super::stage::Setting;
use crate::market_making::{FillModel, QuotingError};
use crate::policy::{PolicyActor, PolicyError, PolicyReference};

/// Who is to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Entrant {
    /// A rule: `join:lots=5` and the like.
    Rule(Rule),
    /// A trained policy: `policy:PATH`.
    Policy(PolicyReference),
}

/// Why an entrant cannot take part.
#[derive(Debug, Error)]
pub enum EntrantError {
    /// A number of a rule that is not legal, or a setting of the environment.
    #[error(transparent)]
    Quoting(#[from] QuotingError),
    /// A policy that cannot be read, or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Entrant {
    /// True if its parameters are to be fitted to the market.
    pub fn needs_model(&self) -> bool {
        matches!(self, Self::Rule(rule) if rule.needs_model())
    }

    /// The entrant in an environment. `model` is what [`needs_model`](Self::needs_model) asks for.
    ///
    /// # Errors
    /// A number that is not legal; a policy that cannot be read or was trained on other spaces.
    pub fn candidate(&self, setting: &Setting, model: Option<&FillModel>) -> Result<Candidate, EntrantError> {
        let reference = match self {
            Self::Rule(rule) => return Ok(rule.candidate(setting, model).map_err(QuotingError::from)?),
            Self::Policy(reference) => reference,
        };
        Self::trained(reference, &setting.environment().map_err(QuotingError::from)?, "market_making")
    }

    /// A trained policy in the environment of this name.
    ///
    /// # Errors
    /// A policy that cannot be read or was trained on other spaces.
    pub(super) fn trained(
        reference: &PolicyReference,
        env: &impl Env,
        name: &str,
    ) -> Result<Candidate, EntrantError> {
        let file = reference.open()?;
        file.header.fits(env, name)?;
        let decision = reference.decision(&file);
        let algorithm = file.header.training.get("algorithm").and_then(|name| name.as_str()).unwrap_or("-");
        let description = format!(
            "trained by {algorithm}, {} network, {}",
            file.header.network.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
            decision.name(),
        );
        let policy = Arc::new(file.policy);
        Ok(Candidate::actor(reference.to_string(), description, move || {
            PolicyActor::new(Arc::clone(&policy), decision)
        }))
    }
}

/// What [`Entrant::from_str`] would read to the same effect.
impl fmt::Display for Entrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(formatter),
            Self::Policy(reference) => reference.fmt(formatter),
        }
    }
}

impl FromStr for Entrant {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        if PolicyReference::is_meant(text) {
            text.parse().map(Self::Policy)
        } else {
            text.parse().map(Self::Rule)
        }
    }
}

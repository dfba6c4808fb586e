//! Policies as players of evaluations, and how they are named there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use lob::ParameterError;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::{Decision, Policy, PolicyError, PolicyFile, PolicyState};
use crate::evaluation::Actor;

/// A policy that plays episodes. With the same episode's seed it draws the same numbers.
#[derive(Clone, Debug)]
pub struct PolicyActor {
    policy: Arc<Policy>,
    decision: Decision,
    state: PolicyState,
    rng: SimRng,
}

impl PolicyActor {
    /// A player.
    pub fn new(policy: Arc<Policy>, decision: Decision) -> Self {
        let state = policy.state();
        Self { policy, decision, state, rng: SimRng::seed_from_u64(0) }
    }
}

impl Actor for PolicyActor {
    fn start(&mut self, seed: u64) {
        self.state.reset();
        self.rng = SimRng::seed_from_u64(seed);
    }

    fn act(&mut self, observation: &[f32]) -> gym::Action<'_> {
        self.policy.act(observation, self.decision, &mut self.rng, &mut self.state)
    }
}

/// A policy as it is asked for: `policy:PATH`, or `policy:PATH:decision=sample`, where the path is a policy's file or a run's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReference {
    /// A policy's file or a run's directory.
    pub path: PathBuf,
    /// How it decides; if nothing is said, as [`Head::usual_decision`](super::Head::usual_decision) has it.
    pub decision: Option<Decision>,
}

impl PolicyReference {
    /// What its names begin with.
    pub const PREFIX: &str = "policy:";
    const LEGAL: &str =
        "policy:PATH or policy:PATH:decision=mode (or sample), PATH being a policy file or a run's directory";

    /// The policy of a path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), decision: None }
    }

    /// True if a name is meant to be a policy's.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with(Self::PREFIX)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`PolicyError::Io`], [`PolicyError::Content`].
    pub fn open(&self) -> Result<PolicyFile, PolicyError> {
        PolicyFile::open(&self.path)
    }

    /// How the policy decides.
    pub fn decision(&self, file: &PolicyFile) -> Decision {
        self.decision.unwrap_or(file.policy.head.usual_decision())
    }
}

impl fmt::Display for PolicyReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", Self::PREFIX, self.path.display())?;
        match self.decision {
            Some(decision) => write!(formatter, ":decision={}", decision.name()),
            None => Ok(()),
        }
    }
}

impl FromStr for PolicyReference {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let refused = || ParameterError::new("policy", format_args!("{text:?}"), Self::LEGAL);
        let rest = text.trim().strip_prefix(Self::PREFIX).ok_or_else(refused)?;
        let (path, decision) = match rest.rsplit_once(":decision=") {
            Some((path, "mode")) => (path, Some(Decision::Mode)),
            Some((path, "sample")) => (path, Some(Decision::Sample)),
            Some(_) => return Err(refused()),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(refused());
        }
        Ok(Self { path: path.into(), decision })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in
            ["policy:runs/a", "policy:runs/a:decision=mode", "policy:c:/x.safetensors:decision=sample"]
        {
            assert_eq!(text.parse::<PolicyReference>().unwrap().to_string(), text);
        }
        for text in ["policy:", "policy::decision=mode", "policy:runs/a:decision=most", "runs/a"] {
            let error = text.parse::<PolicyReference>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("decision=mode"), "{error}");
        }
    }
}

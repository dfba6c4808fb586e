//! Who decides, as it is asked for.

use std::path::Path;

use lob::ParameterError;

use super::targets::absolute;
use super::{BrokerError, PaperConfig, PolicyTargets, RuleTargets, Targets};
use crate::backtest::{Alternative, Entrant};
use crate::policy::PolicyReference;
use crate::portfolio::Rule;

/// Who decides in a paper broker: a rule of `lobgym backtest`, or a trained policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice(Alternative);

impl Default for Choice {
    /// The same of each asset.
    fn default() -> Self {
        Self(Alternative::Rule(Rule::EqualWeight { band: 0.0 }))
    }
}

impl Choice {
    /// The trained policy of a path: its file or a run's directory.
    pub fn policy(path: &Path) -> Self {
        Self(Alternative::Policy(PolicyReference::new(path)))
    }

    /// The same from wherever it is read.
    ///
    /// # Errors
    /// A path without a working directory.
    pub(super) fn absolute(&self) -> Result<Self, BrokerError> {
        Ok(Self(match &self.0 {
            Alternative::Policy(reference) => {
                Alternative::Policy(PolicyReference { path: absolute(&reference.path)?, ..reference.clone() })
            }
            rule @ Alternative::Rule(_) => rule.clone(),
        }))
    }

    /// Periods of the past that it has to know.
    pub fn history(&self) -> usize {
        self.0.window()
    }

    /// What decides so, with the directory in which relative paths of the prices start. A trained policy's prices (unless `config` has its own,
    /// from `directory`), assets and windows are put into `config`.
    ///
    /// # Errors
    /// A policy that cannot be read or does not fit.
    pub(super) fn open(
        &self,
        config: &mut PaperConfig,
        directory: &Path,
    ) -> Result<(Box<dyn Targets>, std::path::PathBuf), BrokerError> {
        match &self.0 {
            Alternative::Rule(rule) => Ok((Box::new(RuleTargets::new(*rule)), directory.to_owned())),
            Alternative::Policy(reference) => {
                if !reference.path.exists() {
                    let legal =
                        format!("a policy's file, a run's directory, or one of {}", Rule::NAMES.join(", "));
                    return Err(ParameterError::new("policy", reference.path.display(), legal).into());
                }
                let (targets, directory) = PolicyTargets::open(reference, config, directory)?;
                Ok((Box::new(targets), directory))
            }
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.0.name())
    }
}

impl std::str::FromStr for Choice {
    type Err = ParameterError;

    /// `risk_parity:window=60`, `policy:RUN`, `policy:RUN:decision=sample`, or the path of a run or policy file.
    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let text = text.trim();
        let name = text.split(':').next().unwrap_or_default();
        if !PolicyReference::is_meant(text) && !Rule::NAMES.contains(&name) {
            return if text.is_empty() {
                Err(ParameterError::new("policy", "\"\"", "a strategy, policy:RUN, or the path of a run"))
            } else {
                Ok(Self::policy(Path::new(text)))
            };
        }
        let mut alternatives = text.parse::<Entrant>()?.alternatives;
        match (alternatives.pop(), alternatives.is_empty()) {
            (Some(only), true) if only.needs_expected() => {
                let legal = "another strategy: a broker knows prices, not what was expected of them";
                Err(ParameterError::new("policy", format_args!("{text:?}"), legal))
            }
            (Some(only), true) => Ok(Self(only)),
            _ => {
                let legal = "one number for each parameter: a broker has nothing to choose alternatives (|) on, lobgym backtest has";
                Err(ParameterError::new("policy", format_args!("{text:?}"), legal))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "equal_weight:band=0.02",
            "risk_parity:window=60",
            "cost_aware:window=30:risk_aversion=2:horizon=20",
            "policy:runs/a",
            "policy:runs/a:decision=sample",
        ] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        assert_eq!("runs/a".parse::<Choice>().unwrap().to_string(), "policy:runs/a");
        assert_eq!("equal_weight".parse::<Choice>().unwrap(), Choice::default());
    }

    #[test]
    fn alternatives_and_unknown_parameters_are_refused() {
        for (text, expected) in [
            ("risk_parity:window=20|60", "alternatives"),
            ("risk_parity:band=1", "window"),
            ("risk_parity:window=1", "2 to 100000"),
            ("policy:", "policy:PATH"),
            (" ", "a strategy"),
        ] {
            let error = text.parse::<Choice>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

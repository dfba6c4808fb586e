//! Who takes part, as it is asked for.

use std::str::FromStr;
use std::sync::Arc;

use gym::Env;
use lob::ParameterError;

use super::BacktestError;
use crate::evaluation::Actor;
use crate::policy::{Decision, Policy, PolicyActor, PolicyReference};
use crate::portfolio::{Rule, Strategy};

/// More alternatives than this are a mistake.
const MAX_ALTERNATIVES: usize = 10_000;

/// A strategy, or several that differ in their parameters, of which one is to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// As it was asked for.
    pub name: String,
    /// In the order of the numbers in the name, the last parameter's changing fastest.
    pub alternatives: Vec<Alternative>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Alternative {
    /// A rule.
    Rule(Rule),
    /// A trained policy.
    Policy(PolicyReference),
}

impl Alternative {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Rule(rule) => rule.to_string(),
            Self::Policy(reference) => reference.to_string(),
        }
    }

    /// Periods that it looks back at.
    pub fn window(&self) -> usize {
        match self {
            Self::Rule(rule) => rule.window(),
            Self::Policy(_) => 0,
        }
    }

    /// What decides so in environments like `env`.
    ///
    /// # Errors
    /// A policy that cannot be read, or was trained on other spaces.
    pub(super) fn prepare(&self, env: &impl Env) -> Result<Prepared, BacktestError> {
        Ok(match self {
            Self::Rule(rule) => Prepared::Rule(*rule),
            Self::Policy(reference) => {
                let file = reference.open()?;
                file.header.fits(env, "portfolio_rebalancing")?;
                let decision = reference.decision(&file);
                Prepared::Policy(Arc::new(file.policy), decision)
            }
        })
    }
}

/// An alternative with its file read.
pub(super) enum Prepared {
    Rule(Rule),
    Policy(Arc<Policy>, Decision),
}

/// Who decides.
pub(super) enum Decider {
    Strategy(Box<dyn Strategy>),
    Actor(Box<PolicyActor>),
}

impl Prepared {
    /// As at the beginning; `seed` is for policies that draw.
    pub(super) fn make(&self, seed: u64) -> Decider {
        match self {
            Self::Rule(rule) => Decider::Strategy(rule.make()),
            Self::Policy(policy, decision) => {
                let mut actor = PolicyActor::new(Arc::clone(policy), *decision);
                actor.start(seed);
                Decider::Actor(Box::new(actor))
            }
        }
    }
}

impl FromStr for Entrant {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        if PolicyReference::is_meant(text) {
            let reference: PolicyReference = text.parse()?;
            return Ok(Self {
                name: reference.to_string(),
                alternatives: vec![Alternative::Policy(reference)],
            });
        }
        let mut texts = vec![String::new()];
        for (index, part) in text.trim().split(':').enumerate() {
            let (key, values) =
                part.split_once('=').map_or((part, None), |(key, values)| (key, Some(values)));
            let choices: Vec<String> = match values {
                None => vec![key.to_owned()],
                Some(values) => values.split('|').map(|value| format!("{key}={value}")).collect(),
            };
            if texts.len() * choices.len() > MAX_ALTERNATIVES {
                let legal = format!("at most {MAX_ALTERNATIVES} alternatives");
                return Err(ParameterError::new("policy", format_args!("{text:?}"), legal));
            }
            let colon = if index == 0 { "" } else { ":" };
            texts = texts
                .iter()
                .flat_map(|start| choices.iter().map(move |choice| format!("{start}{colon}{choice}")))
                .collect();
        }
        let alternatives = texts.iter().map(|text| text.parse().map(Alternative::Rule));
        Ok(Self { name: text.trim().to_owned(), alternatives: alternatives.collect::<Result<_, _>>()? })
    }
}

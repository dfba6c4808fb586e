//! Who takes part, as it is asked for.

use std::str::FromStr;
use std::sync::Arc;

use gym::envs::PortfolioRebalancing;
use gym::{Env, EnvError, Step};
use lob::ParameterError;

use crate::evaluation::Actor;
use crate::policy::{Decision, Policy, PolicyActor, PolicyError, PolicyReference};
use crate::portfolio::{ImpactEstimate, Rule, Situation, Strategy};

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

    /// Whether it must know what growth is expected, besides what a policy sees.
    pub fn needs_expected(&self) -> bool {
        matches!(self, Self::Rule(rule) if rule.needs_expected())
    }

    /// What decides so in environments like `env`.
    ///
    /// # Errors
    /// A policy that cannot be read, or was trained on other spaces.
    pub(crate) fn prepare(&self, env: &impl Env) -> Result<Prepared, PolicyError> {
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
pub(crate) enum Prepared {
    Rule(Rule),
    Policy(Arc<Policy>, Decision),
}

/// Who decides.
pub(crate) enum Decider {
    Strategy(Box<dyn Strategy>),
    Actor(Box<PolicyActor>),
}

impl Prepared {
    /// As at the beginning; `seed` is for policies that draw.
    pub(crate) fn make(&self, seed: u64) -> Decider {
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

impl Decider {
    /// Decides and steps. `past` is all log growth before the coming period, a row of one number an asset each, oldest first, `cost` the
    /// proportional one; `targets` is as long as the environment's weights.
    ///
    /// # Errors
    /// An action that the environment does not take.
    pub(crate) fn step(
        &mut self,
        env: &mut PortfolioRebalancing,
        past: &[f64],
        cost: f64,
        targets: &mut [f64],
        observation: &mut [f32],
    ) -> Result<Step, EnvError> {
        let strategy = match self {
            Self::Strategy(strategy) => strategy,
            Self::Actor(actor) => {
                let action = actor.act(observation);
                env.action_space().check(action)?;
                return Ok(env.step(action, observation));
            }
        };
        let (assets, cash) = targets.split_at_mut(env.assets());
        let situation = Situation {
            past,
            weights: &env.weights()[..assets.len()],
            cost,
            impact: env.has_impact().then_some(env as &dyn ImpactEstimate),
            expected: env.expected(),
            cash: env.cash_growth(),
        };
        strategy.weigh(&situation, assets);
        if let Some(cash) = cash.first_mut() {
            // Weights of a rule that holds none have a sum of 1, rounding apart.
            let rest = 1.0 - assets.iter().sum::<f64>();
            *cash = if rest > 1e-12 { rest } else { 0.0 };
        }
        Ok(env.rebalance(targets, observation))
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

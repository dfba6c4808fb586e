//! Traders as they are asked for: `lowrider:reluctance=20` and the like.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use gym::Space;
use gym::envs::trader::{CHOICES, FeatureScaling, Session, Wish};
use lob::ParameterError;
use lob::parameter::probability;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::lowrider::{Lowrider, LowriderSettings};
use super::rules::Rule;
use crate::policy::{
    ComponentRecord, Decision, Policy, PolicyError, PolicyFile, PolicyReference, PolicyState,
};

const LEGAL: &str = "cash, buy_and_hold, random:entry=0.05:exit=0.05, lowrider with options as in \
                     lowrider:reluctance=10:first=0.2:growth=1.5:spacing=0.002:spacing_growth=1.2:profit=0.001 and policy=RUN to scale its lots \
                     by a trained policy's probability of buying, or policy:RUN of a trained one";

/// Who trades, as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum TraderEntrant {
    /// [`Rule::Cash`].
    Cash,
    /// [`Rule::BuyAndHold`].
    BuyAndHold,
    /// [`Rule::Random`].
    Random {
        /// Of an entry at each step.
        entry: f64,
        /// Of an exit at each step.
        exit: f64,
    },
    /// [`Lowrider`], its lots scaled by a policy's probability of buying where one is named.
    Lowrider {
        /// The rule.
        settings: LowriderSettings,
        /// A run or a policy's file.
        policy: Option<PathBuf>,
    },
    /// A trained policy.
    Policy(PolicyReference),
}

impl FromStr for TraderEntrant {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        if PolicyReference::is_meant(text) {
            return text.parse().map(Self::Policy);
        }
        let refused = || ParameterError::new("policy", format_args!("{text:?}"), LEGAL);
        let mut parts = text.trim().split(':');
        let mut entrant = match parts.next().unwrap_or_default() {
            "cash" => Self::Cash,
            "buy_and_hold" => Self::BuyAndHold,
            "random" => Self::Random { entry: 0.05, exit: 0.05 },
            "lowrider" => Self::Lowrider { settings: LowriderSettings::default(), policy: None },
            _ => return Err(refused()),
        };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(refused)?;
            let number = || value.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(refused);
            let within = |error: ParameterError| error.within(text);
            match (&mut entrant, key) {
                (Self::Random { entry, .. }, "entry") => *entry = number()?,
                (Self::Random { exit, .. }, "exit") => *exit = number()?,
                (Self::Lowrider { policy, .. }, "policy") if !value.is_empty() => {
                    *policy = Some(value.into())
                }
                (Self::Lowrider { settings, .. }, key) => {
                    *match key {
                        "reluctance" => &mut settings.reluctance,
                        "first" => &mut settings.first,
                        "growth" => &mut settings.growth,
                        "spacing" => &mut settings.spacing,
                        "spacing_growth" => &mut settings.spacing_growth,
                        "profit" => &mut settings.profit,
                        _ => return Err(refused()),
                    } = number()?;
                }
                _ => return Err(refused()),
            }
            match &entrant {
                Self::Random { entry, exit } => {
                    probability("entry", *entry).and(probability("exit", *exit)).map_err(within)?;
                }
                Self::Lowrider { settings, .. } => settings.validate().map_err(within)?,
                _ => {}
            }
        }
        Ok(entrant)
    }
}

/// What [`TraderEntrant::from_str`] would read to the same effect: what is not at its default is said.
impl fmt::Display for TraderEntrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cash => formatter.write_str("cash"),
            Self::BuyAndHold => formatter.write_str("buy_and_hold"),
            Self::Random { entry, exit } => {
                formatter.write_str("random")?;
                for (key, value) in [("entry", entry), ("exit", exit)] {
                    if *value != 0.05 {
                        write!(formatter, ":{key}={value}")?;
                    }
                }
                Ok(())
            }
            Self::Lowrider { settings, policy } => {
                let usual = LowriderSettings::default();
                formatter.write_str("lowrider")?;
                for (key, value, usual) in [
                    ("reluctance", settings.reluctance, usual.reluctance),
                    ("first", settings.first, usual.first),
                    ("growth", settings.growth, usual.growth),
                    ("spacing", settings.spacing, usual.spacing),
                    ("spacing_growth", settings.spacing_growth, usual.spacing_growth),
                    ("profit", settings.profit, usual.profit),
                ] {
                    if value != usual {
                        write!(formatter, ":{key}={value}")?;
                    }
                }
                match policy {
                    Some(path) => write!(formatter, ":policy={}", path.display()),
                    None => Ok(()),
                }
            }
            Self::Policy(reference) => reference.fmt(formatter),
        }
    }
}

/// A trained policy with what it remembers of an episode.
#[derive(Clone, Debug)]
struct Mind {
    policy: Arc<Policy>,
    decision: Decision,
    state: PolicyState,
    rng: SimRng,
}

impl Mind {
    fn new(file: PolicyFile, decision: Decision) -> Self {
        let state = file.policy.state();
        Self { policy: Arc::new(file.policy), decision, state, rng: SimRng::seed_from_u64(0) }
    }

    fn start(&mut self, seed: u64) {
        self.state.reset();
        self.rng = SimRng::seed_from_u64(seed);
    }

    /// The probabilities of [`CHOICES`], of a policy that has them.
    fn probabilities(&self) -> Option<Vec<f32>> {
        self.policy.head.probabilities(self.state.outputs())
    }
}

/// Who trades in an episode. `Clone` makes another one for another thread.
#[derive(Clone, Debug)]
pub struct TraderMind(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Rule(Rule),
    Policy(Mind),
    Adaptive(Lowrider, Mind),
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The wish.
    pub wish: Wish,
    /// The probabilities of [`CHOICES`], of a policy that has them.
    pub probabilities: Option<Vec<f32>>,
}

impl TraderEntrant {
    /// What it is, in full.
    pub fn description(&self) -> String {
        match self {
            Self::Cash => "does not trade".to_owned(),
            Self::BuyAndHold => "buys for all its money, without leverage, and holds".to_owned(),
            Self::Random { entry, exit } => {
                format!("enters with probability {entry} a step, leaves with {exit}")
            }
            Self::Lowrider { settings, policy } => {
                let scaled = if policy.is_some() { ", times a policy's probability of buying" } else { "" };
                format!(
                    "buys again each {:.2}% lower, lots {:.2} times the last up to 1/{} of the wallet{scaled}, sells {:.2}% above cost",
                    100.0 * settings.spacing,
                    settings.growth,
                    settings.reluctance,
                    100.0 * settings.profit
                )
            }
            Self::Policy(_) => "a trained policy".to_owned(),
        }
    }

    /// The run or file of the trained policy in it, if there is one.
    pub fn trained(&self) -> Option<PolicyReference> {
        match self {
            Self::Policy(reference) => Some(reference.clone()),
            Self::Lowrider { policy: Some(path), .. } => Some(PolicyReference::new(path)),
            _ => None,
        }
    }

    /// How the features were normalised that its trained policy learned from, if there is a policy and they were.
    ///
    /// # Errors
    /// A policy that cannot be read.
    pub fn normalisation(&self) -> Result<Option<FeatureScaling>, PolicyError> {
        let Some(reference) = self.trained() else { return Ok(None) };
        let env = reference.open()?.header.env;
        let kept = env.get("normalisation").cloned().unwrap_or_default();
        // What another environment or version has there says nothing of this one.
        Ok(serde_json::from_value::<Option<FeatureScaling>>(kept).ok().flatten())
    }

    /// The trader for an environment with these spaces.
    ///
    /// # Errors
    /// A policy that cannot be read or was trained on other spaces; one without a probability of buying, to scale lots with.
    pub fn mind(&self, observation: &gym::BoxSpace, action: &Space) -> Result<TraderMind, PolicyError> {
        let open = |reference: &PolicyReference| -> Result<Mind, PolicyError> {
            let file = reference.open()?;
            file.header.fits_spaces(&ComponentRecord::of(observation), action, "trader")?;
            let decision = reference.decision(&file);
            Ok(Mind::new(file, decision))
        };
        Ok(TraderMind(match self {
            Self::Cash => Kind::Rule(Rule::Cash),
            Self::BuyAndHold => Kind::Rule(Rule::BuyAndHold { bought: false }),
            Self::Random { entry, exit } => {
                Kind::Rule(Rule::Random { entry: *entry, exit: *exit, rng: SimRng::seed_from_u64(0) })
            }
            Self::Lowrider { settings, policy } => {
                let lowrider = Lowrider::new(*settings).expect("entrants are checked as they are read");
                match policy {
                    None => Kind::Rule(Rule::Lowrider(lowrider)),
                    Some(path) => {
                        let mind = open(&PolicyReference::new(path))?;
                        if mind.policy.head.probabilities(mind.state.outputs()).is_none() {
                            return Err(PolicyError::Content {
                                path: path.clone(),
                                problem: format!(
                                    "it has no probability of buying; legal: a policy over {}, trained with env.action=trades by \
                                     an algorithm that draws its actions",
                                    CHOICES.join(", ")
                                ),
                            });
                        }
                        Kind::Adaptive(lowrider, mind)
                    }
                }
            }
            Self::Policy(reference) => Kind::Policy(open(reference)?),
        }))
    }
}

impl TraderMind {
    /// A new episode begins; `seed` is for those that draw.
    pub fn start(&mut self, seed: u64) {
        match &mut self.0 {
            Kind::Rule(rule) => rule.start(seed),
            Kind::Policy(mind) => mind.start(seed),
            Kind::Adaptive(lowrider, mind) => {
                *lowrider = lowrider.renewed();
                mind.start(seed);
            }
        }
    }

    /// What to do now. `observation` is what the session shows.
    pub fn decide(&mut self, session: &Session, observation: &[f32]) -> Decided {
        match &mut self.0 {
            Kind::Rule(rule) => Decided { wish: rule.decide(session), probabilities: None },
            Kind::Policy(mind) => {
                let action = mind.policy.act(observation, mind.decision, &mut mind.rng, &mut mind.state);
                let wish = session.wish(action);
                Decided { wish, probabilities: mind.probabilities() }
            }
            Kind::Adaptive(lowrider, mind) => {
                mind.policy.act(observation, Decision::Mode, &mut mind.rng, &mut mind.state);
                let probabilities = mind.probabilities();
                let buys = probabilities.as_ref().map_or(1.0, |list| f64::from(list[1]));
                Decided { wish: lowrider.decide(session, buys), probabilities }
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
            "cash",
            "buy_and_hold",
            "random",
            "random:entry=0.1",
            "lowrider",
            "lowrider:reluctance=20:spacing=0.01",
            "lowrider:profit=0.01:policy=runs/a",
            "policy:runs/a:decision=sample",
        ] {
            assert_eq!(text.parse::<TraderEntrant>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_legal_is_refused_with_what_is() {
        for text in [
            "",
            "hodl",
            "cash:entry=1",
            "random:entry=2",
            "lowrider:first=0",
            "lowrider:growth=0.5",
            "lowrider:x=1",
        ] {
            let error = text.parse::<TraderEntrant>().unwrap_err().to_string();
            assert!(error.contains("legal") && error.contains(text), "{error}");
        }
    }
}

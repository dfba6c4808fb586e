//! Settings of the execution environment.

use lob::parameter::{integer, non_negative, positive};
use lob::{ParameterError, Side};
use serde::{Deserialize, Serialize};

use super::Task;

/// How an action is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Shares of the remaining lots: at market, at each of the slots, inactive.
    #[default]
    Simplex,
    /// One of a few things to do with all remaining lots.
    Discrete,
    /// The share of the remaining lots to be traded now.
    Rate,
}

/// When the reward is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardTiming {
    /// At the step in which it is earned.
    #[default]
    PerStep,
    /// All of it at the last step.
    Terminal,
}

/// Settings of [`Execution`](super::Execution). The defaults are the task of Cheridito & Weiss (arXiv 2507.06345), 20 lots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Size of the parent order, lots: 1 to 10,000. The observation has two numbers for each.
    pub lots: u64,
    /// Sell or buy.
    pub side: Side,
    /// Time to trade in, s: above 0, at most 1,000,000.
    pub horizon_seconds: f64,
    /// Time between decisions, s: above 0, at most the horizon.
    pub step_seconds: f64,
    /// Slots of the simplex action, and depth of the observation, ticks: 1 to 64, at most the levels of the market's opening book.
    pub levels: usize,
    /// How an action is meant.
    pub action: ActionKind,
    /// When the reward is paid.
    pub reward: RewardTiming,
    /// Price of holding the whole parent order over the whole horizon, ticks per lot; see the environment's documentation.
    pub risk_aversion: f64,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        let Task { side, lots, horizon_seconds, step_seconds } = Task::default();
        Self {
            lots,
            side,
            horizon_seconds,
            step_seconds,
            levels: 5,
            action: ActionKind::default(),
            reward: RewardTiming::default(),
            risk_aversion: 0.0,
        }
    }
}

/// Most lots of a parent order: two numbers of the observation each.
const MAX_LOTS: u64 = 10_000;
/// Longest horizon, s.
const MAX_SECONDS: f64 = 1e6;
/// Most steps of an episode: what a step's number can still be told apart by.
const MAX_STEPS: f64 = 1e9;
/// Most slots.
pub(super) const MAX_LEVELS: usize = 64;

impl ExecutionConfig {
    /// Checks every field that can be checked without the market.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        integer("lots", self.lots, 1..=MAX_LOTS)?;
        positive("horizon_seconds", self.horizon_seconds)?;
        if self.horizon_seconds > MAX_SECONDS {
            let legal = format!("at most {MAX_SECONDS}");
            return Err(ParameterError::new("horizon_seconds", self.horizon_seconds, legal));
        }
        positive("step_seconds", self.step_seconds)?;
        if self.step_seconds > self.horizon_seconds || self.horizon_seconds / self.step_seconds > MAX_STEPS {
            let legal =
                format!("from horizon_seconds / {MAX_STEPS} to horizon_seconds, {}", self.horizon_seconds);
            return Err(ParameterError::new("step_seconds", self.step_seconds, legal));
        }
        integer("levels", self.levels, 1..=MAX_LEVELS)?;
        non_negative("risk_aversion", self.risk_aversion)
    }

    /// What is to be done.
    pub fn task(&self) -> Task {
        Task {
            side: self.side,
            lots: self.lots,
            horizon_seconds: self.horizon_seconds,
            step_seconds: self.step_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_setting() {
        let good = ExecutionConfig::default();
        good.validate().unwrap();
        let bad = [
            ("lots", ExecutionConfig { lots: 0, ..good.clone() }),
            ("lots", ExecutionConfig { lots: 10_001, ..good.clone() }),
            ("horizon_seconds", ExecutionConfig { horizon_seconds: f64::NAN, ..good.clone() }),
            ("horizon_seconds", ExecutionConfig { horizon_seconds: 2e6, ..good.clone() }),
            ("step_seconds", ExecutionConfig { step_seconds: 150.1, ..good.clone() }),
            ("step_seconds", ExecutionConfig { step_seconds: 1e-9, ..good.clone() }),
            ("levels", ExecutionConfig { levels: 0, ..good.clone() }),
            ("risk_aversion", ExecutionConfig { risk_aversion: -1.0, ..good.clone() }),
        ];
        for (key, config) in bad {
            assert_eq!(config.validate().unwrap_err().key, key);
        }
    }
}

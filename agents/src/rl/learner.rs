//! What all algorithms have in common: how they are run, and how they fail.

use gym::EnvError;
use lob::ParameterError;
use tch::Device;
use thiserror::Error;

use super::checkpoint::State;
use super::rollout::{Finished, RolloutError};
use super::settings::RunConfig;
use crate::policy::Policy;

/// Why a training stopped.
#[derive(Debug, Error)]
pub enum LearnError {
    /// Settings that do not suit the environment.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An environment that cannot begin.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A rollout that ended early.
    #[error("update {update}: {problem}")]
    Rollout {
        /// Which update, from 1.
        update: u64,
        /// Why.
        problem: RolloutError,
    },
    /// A number that is none, or beyond all bounds.
    #[error(
        "update {update}, minibatch {minibatch}: the {what} is {value}; training has diverged. A smaller \
         train.learning_rate or train.gradient_norm, or normalised observations and rewards, may help"
    )]
    Diverged {
        /// Which update, from 1.
        update: u64,
        /// Which minibatch of it, from 1.
        minibatch: u64,
        /// The culprit.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A saved state that is not this training's.
    #[error("{0}")]
    State(String),
}

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Updates made.
    pub update: u64,
    /// Updates to be made in all.
    pub updates: u64,
}

impl Progress {
    /// Share of training that is done, from 0; 1 is never reached.
    pub fn share(self) -> f64 {
        self.update as f64 / self.updates as f64
    }

    /// A value that goes linearly from `start` at the first update to `end` at the last.
    pub fn anneal(self, start: f64, end: f64) -> f64 {
        start + (end - start) * self.update as f64 / (self.updates.max(2) - 1) as f64
    }

    /// The standard deviation of an annealed head; `start` where it is not annealed.
    pub fn deviation(self, start: f64, end: Option<f64>) -> f64 {
        end.map_or(start, |end| self.anneal(start, end))
    }
}

/// What an update gave.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Numbers to log, by name; always the same names in the same order.
    pub metrics: Vec<(&'static str, f64)>,
    /// Episodes that ended.
    pub finished: Vec<Finished>,
}

/// An algorithm in the middle of a training.
pub trait Learner {
    /// Environment steps of an update, of all environments together.
    fn steps_per_update(&self) -> u64;

    /// Plays and learns.
    ///
    /// # Errors
    /// [`LearnError`]; the learner is then of no further use.
    fn update(&mut self, progress: Progress) -> Result<Update, LearnError>;

    /// Names of the numbers in [`Finished::record`]; none if episodes are not noted.
    fn episode_columns(&self) -> &[String];

    /// Writes all that the next updates depend on.
    fn save(&self, state: &mut State);

    /// Takes what was saved.
    ///
    /// # Errors
    /// [`LearnError::State`] if something is missing or does not fit.
    fn restore(&mut self, state: &State) -> Result<(), LearnError>;

    /// The policy as it is now, with the deviation that `progress` has, and its network's parameters.
    ///
    /// # Errors
    /// None but for what the constructor has refused.
    fn policy(&mut self, progress: Progress) -> Result<(Policy, Vec<f32>), LearnError>;
}

/// Losses beyond this are no longer learning.
const EXPLODED: f64 = 1e12;

/// Passes a number on if it is one.
pub(super) fn sane(
    value: f64,
    what: &'static str,
    progress: Progress,
    minibatch: u64,
) -> Result<f64, LearnError> {
    if value.is_finite() && value.abs() < EXPLODED {
        return Ok(value);
    }
    Err(LearnError::Diverged { update: progress.update + 1, minibatch: minibatch + 1, what, value })
}

/// What an algorithm is made from.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a, E> {
    /// Everything configured.
    pub run: &'a RunConfig,
    /// The environment.
    pub env: &'a E,
    /// Where tensors live.
    pub device: Device,
    /// Threads that play and learn.
    pub threads: usize,
}

//! One environment, episode after episode.

use lob::sim::derive_seed;

use crate::env::{Action, Env, EnvError, Step};

/// Where an environment stands between calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Running,
    Ended,
}

/// An environment with its seeds, its time limit and its manners.
///
/// Episode `k` after a reset with seed `s` plays session `derive_seed(s, k)`: the same seed gives the same row of episodes. Without a
/// seed, a reset goes on with the next episode; before any seed was given, the seed is 0.
#[derive(Clone, Debug)]
pub struct Episodes<E> {
    env: E,
    seed: u64,
    /// Number of the next episode.
    next: u64,
    /// Steps of this episode.
    steps: u64,
    max_steps: Option<u64>,
    stage: Stage,
}

impl<E: Env> Episodes<E> {
    /// An environment that is cut off (truncated) after `max_steps` steps, if given.
    pub fn new(env: E, max_steps: Option<u64>) -> Self {
        Self { env, seed: 0, next: 0, steps: 0, max_steps, stage: Stage::Fresh }
    }

    /// The environment.
    pub fn env(&self) -> &E {
        &self.env
    }

    /// The environment, to change how it presents itself. Its session should not be touched.
    pub fn env_mut(&mut self) -> &mut E {
        &mut self.env
    }

    /// Steps of the episode so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// True while a step may follow.
    pub fn is_running(&self) -> bool {
        self.stage == Stage::Running
    }

    /// True once an episode has ended and the next has not begun.
    pub fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The seed that the sessions are derived from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of the running episode, from 0, under that seed; `None` before the first.
    pub fn episode(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Begins an episode: the first of `seed`, or the next one.
    ///
    /// # Errors
    /// [`EnvError::Session`], [`EnvError::Buffer`].
    pub fn reset(&mut self, seed: Option<u64>, observation: &mut [f32]) -> Result<(), EnvError> {
        check_length("observation", observation.len(), self.env.observation_space().len())?;
        if let Some(seed) = seed {
            (self.seed, self.next) = (seed, 0);
        }
        let session = derive_seed(self.seed, self.next);
        self.next += 1;
        self.steps = 0;
        self.stage = Stage::Fresh;
        self.env.reset(session, observation)?;
        self.stage = Stage::Running;
        Ok(())
    }

    /// One step.
    ///
    /// # Errors
    /// [`EnvError::Action`], [`EnvError::NotReset`], [`EnvError::Ended`], [`EnvError::Buffer`]; the environment is as before.
    pub fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Result<Step, EnvError> {
        let space = self.env.action_space();
        space.check(action)?;
        check_length("action", action.len(), space.len())?;
        check_length("observation", observation.len(), self.env.observation_space().len())?;
        self.ready()?;
        Ok(self.advance(action, observation))
    }

    /// The seed of a next episode that is begun without one.
    pub(crate) fn set_seed(&mut self, seed: u64) {
        (self.seed, self.next) = (seed, 0);
    }

    /// Whether a step may follow.
    pub(crate) fn ready(&self) -> Result<(), EnvError> {
        match self.stage {
            Stage::Running => Ok(()),
            Stage::Fresh => Err(EnvError::NotReset { row: 0 }),
            Stage::Ended => Err(EnvError::Ended { row: 0 }),
        }
    }

    /// A step whose arguments have been checked.
    #[inline]
    pub(crate) fn advance(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let mut step = self.env.step(action, observation);
        self.steps += 1;
        // As Gymnasium's TimeLimit: a task that is over at its very last step is both.
        step.truncated |= self.max_steps.is_some_and(|limit| self.steps >= limit);
        if step.is_last() {
            self.stage = Stage::Ended;
        }
        step
    }
}

/// An array must have the length it is used with.
pub(crate) fn check_length(name: &'static str, found: usize, legal: usize) -> Result<(), EnvError> {
    if found == legal { Ok(()) } else { Err(EnvError::Buffer { name, found, legal }) }
}

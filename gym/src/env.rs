//! The contract between an environment and whoever acts in it.

use lob::ParameterError;
use thiserror::Error;

use crate::scene::Scene;
use crate::space::{BoxSpace, Space};

/// One action, or several laid out one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// For [`Space::Box`].
    Continuous(&'a [f32]),
    /// For [`Space::Discrete`] and [`Space::MultiDiscrete`].
    Discrete(&'a [i64]),
}

impl<'a> Action<'a> {
    /// Numbers `first..first + len`.
    #[inline]
    pub fn slice(self, first: usize, len: usize) -> Self {
        match self {
            Self::Continuous(values) => Self::Continuous(&values[first..first + len]),
            Self::Discrete(values) => Self::Discrete(&values[first..first + len]),
        }
    }

    /// How many numbers.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Continuous(values) => values.len(),
            Self::Discrete(values) => values.len(),
        }
    }

    /// True if there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The numbers of a continuous action.
    ///
    /// # Panics
    /// If it is discrete: [`Space::check`] comes first.
    #[inline]
    pub fn continuous(self) -> &'a [f32] {
        match self {
            Self::Continuous(values) => values,
            Self::Discrete(_) => panic!("a checked action of a continuous space is continuous"),
        }
    }

    /// The numbers of a discrete action.
    ///
    /// # Panics
    /// If it is continuous: [`Space::check`] comes first.
    #[inline]
    pub fn discrete(self) -> &'a [i64] {
        match self {
            Self::Discrete(values) => values,
            Self::Continuous(_) => panic!("a checked action of a discrete space is discrete"),
        }
    }
}

/// What a step gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The reward, in the environment's unit.
    pub reward: f64,
    /// The task is over; nothing is to come, and nothing to be bootstrapped.
    pub terminated: bool,
    /// The episode was cut off: what was to come still counts, unless the task was over at that very step (`terminated` as well).
    pub truncated: bool,
}

impl Step {
    /// True if a reset comes next.
    pub fn is_last(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// Why an environment did not do what it was asked. Nothing was changed, unless the error says otherwise.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EnvError {
    /// An action that is no element of the space.
    #[error("action[{index}] of environment {row} is {value}; legal: {legal}")]
    Action {
        /// Which environment of the batch; 0 if there is one.
        row: usize,
        /// Which number of its action.
        index: usize,
        /// What it was.
        value: String,
        /// What it may be.
        legal: String,
    },
    /// A step before the first reset.
    #[error("environment {row}: step() before reset(); call reset() first")]
    NotReset {
        /// Which environment of the batch; 0 if there is one.
        row: usize,
    },
    /// A step after the end of an episode.
    #[error("environment {row}: step() after the episode ended; call reset() first")]
    Ended {
        /// Which environment of the batch; 0 if there is one.
        row: usize,
    },
    /// A session in which the task cannot be set. The environment wants another reset.
    #[error("session {session:#018x}: {problem}")]
    Session {
        /// Its seed.
        session: u64,
        /// Why.
        problem: String,
    },
    /// A parameter that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An array that does not fit.
    #[error("{name} has {found} entries; legal: {legal}")]
    Buffer {
        /// Which.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The length it should have.
        legal: usize,
    },
}

impl EnvError {
    /// The same error, about environment `row` of a batch.
    #[must_use]
    pub fn in_row(mut self, at: usize) -> Self {
        if let Self::Action { row, .. } | Self::NotReset { row } | Self::Ended { row } = &mut self {
            *row = at;
        }
        self
    }
}

/// A task for one participant: a session of a market, cut into steps.
///
/// An environment is told its session's seed and does the same in the same session, whatever it did before. It neither counts
/// episodes nor guards against a step that must not be: [`Episodes`](crate::Episodes) does both. `Clone` forks it in the middle of
/// an episode: both copies have the same future under the same actions.
///
/// After warm-up, neither `reset` nor `step` should allocate.
pub trait Env: Clone + Send {
    /// What `observation` holds, index by index.
    fn observation_space(&self) -> &BoxSpace;

    /// What `action` may be.
    fn action_space(&self) -> &Space;

    /// Begins the session with this seed and writes the first observation (as long as the space).
    ///
    /// # Errors
    /// [`EnvError::Session`] if the task cannot be set in it.
    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError>;

    /// Acts, plays on to the next decision and writes what is seen then, also after the last step. `action` has been checked
    /// against the space.
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step;

    /// Names of what [`write_info`](Self::write_info) writes. Units are in the environment's documentation.
    fn info_names(&self) -> &'static [&'static str];

    /// Where the episode stands, for people and for tests: not part of the observation. As long as the names.
    fn write_info(&self, info: &mut [f64]);

    /// What there is to be drawn now. Allocates; not for every step of a training.
    fn scene(&self) -> Scene;

    /// Roughly what a step costs, in nanoseconds: small batches of cheap steps are not worth waking threads for.
    fn step_cost_ns(&self) -> u64 {
        1_000
    }
}

//! Trained policies, without libtorch: what one is, how it acts, and how it is kept in a file.
//!
//! - [`Policy`] chooses actions: normalise, network, head. After the first call nothing is allocated. [`PolicyBatch`] does it for many
//!   callers at once.
//! - [`PolicyFile`] is a policy with its origin, as safetensors; [`PolicyHeader::fits`] says whether an environment suits it.
//! - [`PolicyReference`] names one in evaluations and comparisons, [`PolicyActor`] plays it.
//! - [`Inspection`] is what a file says of itself.
//! - [`Network`] and [`NetworkSpec`] are the networks, [`Head`] is what their outputs mean.
//!
//! Training plays its rollouts with the same code: a policy in a file acts exactly as it did when it was trained.

mod activation;
mod actor;
mod batch;
mod dense;
mod file;
mod head;
mod inspection;
mod network;
mod normaliser;
mod spaces;
mod temporal;

pub use activation::Activation;
pub use actor::{PolicyActor, PolicyReference};
pub use batch::PolicyBatch;
#[cfg(feature = "torch")]
pub(crate) use file::pack;
pub use file::{FORMAT, POLICY_FILE, PolicyError, PolicyFile, PolicyHeader};
pub use head::{Bounds, Head};
pub use inspection::{ActionGroups, ComponentGroup, Inspection, Normalisation, ObservationGroups, Tensor};
pub use network::{Body, Network, NetworkSpec, Workspace};
pub use normaliser::{Moments, Normaliser};
pub use spaces::{ActionRecord, ComponentRecord};

use lob::sim::SimRng;

/// A network with a head: observations in, actions out.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The network.
    pub network: Network,
    /// What its outputs mean.
    pub head: Head,
    /// Standard deviations of heads that have them, one for each number of the raw action.
    pub deviation: Vec<f32>,
    /// How observations are normalised, if they are.
    pub normaliser: Option<Normaliser>,
}

/// What one caller of a [`Policy`] needs besides: the last observations and room for results.
#[derive(Clone, Debug)]
pub struct PolicyState {
    /// The last `window` observations, the oldest first, normalised; zeros before an episode's first.
    window: Vec<f32>,
    outputs: Vec<f32>,
    raw: Vec<f32>,
    action: Vec<f32>,
    choices: Vec<i64>,
    workspace: Workspace,
}

/// How a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The most likely action ([`Head::mode`]).
    Mode,
    /// A draw from its distribution.
    Sample,
}

impl Decision {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Sample => "sample",
        }
    }
}

impl Policy {
    /// The state of a caller before its first episode.
    pub fn state(&self) -> PolicyState {
        let spec = self.network.spec();
        PolicyState {
            window: vec![0.0; spec.input_len()],
            outputs: vec![0.0; spec.outputs],
            raw: vec![0.0; self.head.raw_len()],
            action: vec![0.0; self.head.action_len()],
            choices: vec![0; self.head.action_len()],
            workspace: Workspace::default(),
        }
    }

    /// Chooses an action for `observation`, `f32[d]`. `rng` is drawn from with [`Decision::Sample`] only.
    ///
    /// # Panics
    /// If the observation is longer or shorter than the network's.
    pub fn act<'a>(
        &self,
        observation: &[f32],
        decision: Decision,
        rng: &mut SimRng,
        state: &'a mut PolicyState,
    ) -> gym::Action<'a> {
        push_window(&mut state.window, observation, self.normaliser.as_ref());
        self.network.forward(&state.window, 1, &mut state.workspace, &mut state.outputs);
        match decision {
            Decision::Mode => self.head.mode(&state.outputs, &mut state.raw),
            Decision::Sample => {
                self.head.sample(&state.outputs, &self.deviation, rng, &mut state.raw);
            }
        }
        if self.head.is_discrete() {
            for (choice, raw) in state.choices.iter_mut().zip(&state.raw) {
                *choice = *raw as i64;
            }
            gym::Action::Discrete(&state.choices)
        } else {
            self.head.action(&state.raw, &mut state.action);
            gym::Action::Continuous(&state.action)
        }
    }
}

impl PolicyState {
    /// What the network gave for the last observation.
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// Forgets what was seen: a new episode begins.
    pub fn reset(&mut self) {
        self.window.fill(0.0);
    }
}

/// Drops the oldest observation of a window and appends this one, normalised.
pub(crate) fn push_window(window: &mut [f32], observation: &[f32], normaliser: Option<&Normaliser>) {
    let d = observation.len();
    let last = window.len() - d;
    window.copy_within(d.., 0);
    match normaliser {
        Some(normaliser) => normaliser.apply(observation, &mut window[last..]),
        None => window[last..].copy_from_slice(observation),
    }
}

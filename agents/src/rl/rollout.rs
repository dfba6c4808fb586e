//! Playing environments with the present policy, on worker threads.
//!
//! Every thread takes a few environments at a time and plays their whole share of the rollout: it runs the policy on all of them at once
//! and steps each, so that threads wait for each other once a rollout and not once a step. Each environment draws its actions from a
//! generator of its own, seeded by (seed, environment, update), and a network's result for a row does not depend on the rows beside it:
//! the number of threads changes no bit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gym::{Action, Env, EnvError, Episodes};
use lob::random::uniform;
use lob::sim::{SimRng, derive_seed};
use rand_xoshiro::rand_core::SeedableRng;
use thiserror::Error;

use super::episode_log::{EpisodeRecord, Rule, Tally, columns};
use super::settings::EpisodeLog;
use crate::policy::{Head, Moments, Network, Normaliser, Workspace, push_window};

/// Environments that share a pass of the network.
const BLOCK: usize = 16;
/// Sessions in a row that may fail to begin.
const ATTEMPTS: u64 = 100;

/// Why a rollout ended early.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RolloutError {
    /// An environment refused.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The policy gave something that is no number.
    #[error("environment {row}: the policy's outputs are not finite")]
    Outputs {
        /// Which environment.
        row: usize,
    },
    /// An environment gave something that is no number.
    #[error("environment {row}: the {what} is {value}")]
    Value {
        /// Which environment.
        row: usize,
        /// What.
        what: String,
        /// What it was.
        value: f64,
    },
}

/// What plays: the policy as it is now, and what its states are worth.
#[derive(Clone, Debug)]
pub struct Brain {
    /// The policy's network; with the value as its last output if `shared`.
    pub actor: Network,
    /// The value's own network, if there is one.
    pub critic: Option<Network>,
    /// The actor's last output is the value.
    pub shared: bool,
    /// What the actor's outputs mean.
    pub head: Head,
    /// Standard deviations of heads that have them.
    pub deviation: Vec<f32>,
    /// How observations are normalised, if they are.
    pub normaliser: Option<Normaliser>,
    /// Share of choices that are drawn at random, all alike.
    pub epsilon: f64,
}

/// Results of a rollout, environment after environment: row-major `[environments, steps, ...]`.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// Environments.
    pub environments: usize,
    /// Steps of each.
    pub steps: usize,
    /// What the network saw, `f32[environments, steps, input]`.
    pub inputs: Vec<f32>,
    /// What it would have seen after the step, the last observation of an episode that ended included; `f32[environments, steps, input]`,
    /// empty unless asked for.
    pub next_inputs: Vec<f32>,
    /// Raw draws, `f32[environments, steps, raw]`.
    pub raw: Vec<f32>,
    /// Logarithms of their densities.
    pub log_density: Vec<f32>,
    /// Rewards.
    pub rewards: Vec<f32>,
    /// Values before the steps; 0 without a critic.
    pub values: Vec<f32>,
    /// Values after the steps: 0 after a termination, that of the last observation after a truncation.
    pub next_values: Vec<f32>,
    /// The step ended its episode.
    pub ends: Vec<bool>,
    /// The step ended its episode by termination.
    pub terminations: Vec<bool>,
}

impl Rollout {
    /// Room for a rollout.
    pub fn new(environments: usize, steps: usize, input: usize, raw: usize, with_next: bool) -> Self {
        let count = environments * steps;
        Self {
            environments,
            steps,
            inputs: vec![0.0; count * input],
            next_inputs: if with_next { vec![0.0; count * input] } else { Vec::new() },
            raw: vec![0.0; count * raw],
            log_density: vec![0.0; count],
            rewards: vec![0.0; count],
            values: vec![0.0; count],
            next_values: vec![0.0; count],
            ends: vec![false; count],
            terminations: vec![false; count],
        }
    }

    /// Steps of all environments.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }
}

/// An episode that ended in a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Its rewards, added up.
    pub total: f64,
    /// Its steps.
    pub steps: u64,
    /// What was noted of it, if [`Collector::note_episodes`] asked for it.
    pub record: Option<EpisodeRecord>,
}

/// One environment with all that belongs to it.
#[derive(Clone, Debug)]
struct Lane<E> {
    episodes: Episodes<E>,
    seed: u64,
    /// Number of the running episode.
    episode: u64,
    /// Raw observation.
    observation: Vec<f32>,
    /// The network's input.
    window: Vec<f32>,
    /// All actions of the running episode, one after the other: with its number, where the environment stands.
    actions: Vec<f32>,
    total: f64,
    seen: Moments,
    tally: Tally,
    finished: Vec<Finished>,
}

/// Where an environment stands, in numbers that a file can hold.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneState {
    /// Number of the running episode.
    pub episode: u64,
    /// Its actions so far.
    pub actions: Vec<f32>,
    /// The network's input.
    pub window: Vec<f32>,
    /// What is noted of the running episode: the number of steps, then sums over them.
    pub noted: Vec<f64>,
}

/// Environments that are played, rollout after rollout.
#[derive(Debug)]
pub struct Collector<E> {
    lanes: Vec<Lane<E>>,
    seed: u64,
    threads: usize,
}

impl<E: Env + Clone + Send> Collector<E> {
    /// `environments` copies of `env`, each at the beginning of its first episode. `window` observations make an input.
    ///
    /// # Errors
    /// [`EnvError::Session`] if no episode can begin.
    pub fn new(
        env: &E,
        environments: usize,
        max_steps: Option<u64>,
        window: usize,
        normaliser: Option<&Normaliser>,
        seed: u64,
        threads: usize,
    ) -> Result<Self, EnvError> {
        let d = env.observation_space().len();
        let lane = |index: usize| Lane {
            episodes: Episodes::new(env.clone(), max_steps),
            seed: derive_seed(seed, index as u64),
            episode: 0,
            observation: vec![0.0; d],
            window: vec![0.0; d * window],
            actions: Vec::new(),
            total: 0.0,
            seen: Moments::new(d),
            tally: Tally::none(),
            finished: Vec::new(),
        };
        let mut lanes: Vec<_> = (0..environments).map(lane).collect();
        for (row, lane) in lanes.iter_mut().enumerate() {
            lane.begin(0, normaliser).map_err(|error| error.in_row(row))?;
        }
        Ok(Self { lanes, seed, threads: threads.max(1) })
    }

    /// Notes single episodes from now on, of a policy with this head; to be called before the first rollout. Returns the names of a record's
    /// numbers; none if nothing is to be noted.
    pub fn note_episodes(&mut self, log: EpisodeLog, head: &Head) -> Vec<String> {
        let rule = Rule::new(log, self.lanes.len());
        for lane in &mut self.lanes {
            lane.tally = Tally::new(rule, head);
            lane.tally.begin(lane.episode);
        }
        if rule == Rule::Never { Vec::new() } else { columns(self.env(), head) }
    }

    /// One of the environments, for its spaces.
    pub fn env(&self) -> &E {
        self.lanes[0].episodes.env()
    }

    /// Plays `rollout.steps` steps of each environment.
    ///
    /// # Errors
    /// The failure of the environment with the lowest number; the environments are then of no further use.
    pub fn collect(&mut self, brain: &Brain, update: u64, rollout: &mut Rollout) -> Result<(), RolloutError> {
        let steps = rollout.steps;
        let (input, raw) = (brain.actor.spec().input_len(), brain.head.raw_len());
        let count = BLOCK * steps;
        let with_next = !rollout.next_inputs.is_empty();
        let mut next_inputs = rollout.next_inputs.chunks_mut(count * input);
        let densities = rollout.log_density.chunks_mut(count).zip(rollout.rewards.chunks_mut(count));
        let values = rollout.values.chunks_mut(count).zip(rollout.next_values.chunks_mut(count));
        let ends = rollout.ends.chunks_mut(count).zip(rollout.terminations.chunks_mut(count));
        let rows = self.lanes.chunks_mut(BLOCK).zip(rollout.inputs.chunks_mut(count * input));
        let blocks = rows.zip(rollout.raw.chunks_mut(count * raw)).zip(densities).zip(values).zip(ends);
        let blocks: Vec<_> = blocks
            .map(|(((((lanes, inputs), raw), (log_density, rewards)), (values, next_values)), ends)| {
                let next_inputs = if with_next { next_inputs.next() } else { None };
                let (ends, terminations) = ends;
                Mutex::new(Some(Block {
                    lanes,
                    steps,
                    inputs,
                    next_inputs: next_inputs.unwrap_or_default(),
                    raw,
                    log_density,
                    rewards,
                    values,
                    next_values,
                    ends,
                    terminations,
                }))
            })
            .collect();
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<(usize, RolloutError)>> = Mutex::new(None);
        let seed = derive_seed(self.seed, derive_seed(ACTIONS, update));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(block) = blocks.get(index) else { break };
                let Some(mut block) = lock(block).take() else { continue };
                if let Err((row, error)) = block.play(brain, seed, index * BLOCK) {
                    let mut first = lock(&failure);
                    if first.as_ref().is_none_or(|(other, _)| row < *other) {
                        *first = Some((row, error));
                    }
                }
            }
        };
        let helpers = self.threads.min(blocks.len()) - 1;
        std::thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Episodes that ended since this was last called, environment after environment.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        self.lanes.iter_mut().flat_map(|lane| lane.finished.drain(..)).collect()
    }

    /// Moments of the observations seen since this was last called.
    pub fn take_seen(&mut self) -> Moments {
        let mut all = Moments::new(self.env().observation_space().len());
        for lane in &mut self.lanes {
            all.merge(&lane.seen);
            lane.seen.clear();
        }
        all
    }

    /// Where the environments stand.
    pub fn state(&self) -> Vec<LaneState> {
        let state = |lane: &Lane<E>| LaneState {
            episode: lane.episode,
            actions: lane.actions.clone(),
            window: lane.window.clone(),
            noted: lane.tally.state(),
        };
        self.lanes.iter().map(state).collect()
    }

    /// Puts the environments where they stood: begins the same episodes and takes the same actions.
    ///
    /// # Errors
    /// What an environment refuses; it then is another one than was saved.
    pub fn restore(&mut self, states: &[LaneState]) -> Result<(), EnvError> {
        for (row, (lane, state)) in self.lanes.iter_mut().zip(states).enumerate() {
            lane.restore(state).map_err(|error| error.in_row(row))?;
        }
        Ok(())
    }
}

/// Separates the seeds of actions from those of environments.
const ACTIONS: u64 = 0x0061_6374_696f_6e73;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<E: Env> Lane<E> {
    /// Begins episode `first`, or the next one that can begin.
    fn begin(&mut self, first: u64, normaliser: Option<&Normaliser>) -> Result<(), EnvError> {
        self.window.fill(0.0);
        self.actions.clear();
        self.total = 0.0;
        let mut attempt = 0;
        loop {
            self.episode = first + attempt;
            match self.episodes.reset(Some(derive_seed(self.seed, self.episode)), &mut self.observation) {
                Ok(()) => break,
                Err(EnvError::Session { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
        self.tally.begin(self.episode);
        push_window(&mut self.window, &self.observation, normaliser);
        Ok(())
    }

    fn restore(&mut self, state: &LaneState) -> Result<(), EnvError> {
        self.begin(state.episode, None)?;
        let discrete = !self.episodes.env().action_space().is_continuous();
        let mut choices = Vec::new();
        for action in state.actions.chunks_exact(self.episodes.env().action_space().len()) {
            choices.clear();
            choices.extend(action.iter().map(|choice| *choice as i64));
            let action = if discrete { Action::Discrete(&choices) } else { Action::Continuous(action) };
            self.total += self.episodes.step(action, &mut self.observation)?.reward;
        }
        self.actions.extend_from_slice(&state.actions);
        self.window.copy_from_slice(&state.window);
        self.tally.restore(&state.noted);
        Ok(())
    }
}

/// A few environments with their part of the rollout.
struct Block<'a, E> {
    lanes: &'a mut [Lane<E>],
    steps: usize,
    inputs: &'a mut [f32],
    next_inputs: &'a mut [f32],
    raw: &'a mut [f32],
    log_density: &'a mut [f32],
    rewards: &'a mut [f32],
    values: &'a mut [f32],
    next_values: &'a mut [f32],
    ends: &'a mut [bool],
    terminations: &'a mut [bool],
}

impl<E: Env> Block<'_, E> {
    fn play(&mut self, brain: &Brain, seed: u64, first: usize) -> Result<(), (usize, RolloutError)> {
        let (rows, steps) = (self.lanes.len(), self.steps);
        let mut minds = Minds::new(brain, rows);
        let input = minds.input_len;
        let raw_len = brain.head.raw_len();
        let mut rngs: Vec<_> =
            (first..first + rows).map(|row| SimRng::seed_from_u64(derive_seed(seed, row as u64))).collect();
        let mut action = vec![0.0; brain.head.action_len()];
        let mut choices = vec![0; brain.head.action_len()];
        for step in 0..steps {
            for (row, lane) in self.lanes.iter().enumerate() {
                minds.inputs[row * input..][..input].copy_from_slice(&lane.window);
            }
            minds.think(brain, rows);
            for (row, lane) in self.lanes.iter_mut().enumerate() {
                let at = row * steps + step;
                let fail = |error: RolloutError| (first + row, error);
                self.inputs[at * input..][..input].copy_from_slice(&lane.window);
                self.values[at] = minds.values[row];
                if step > 0 && !self.ends[at - 1] {
                    self.next_values[at - 1] = minds.values[row];
                }
                let raw = &mut self.raw[at * raw_len..][..raw_len];
                let outputs = minds.outputs(row);
                if outputs.iter().any(|output| !output.is_finite()) || !minds.values[row].is_finite() {
                    return Err(fail(RolloutError::Outputs { row: first + row }));
                }
                self.log_density[at] = brain.draw(outputs, &mut rngs[row], raw);
                let step_taken = if brain.head.is_discrete() {
                    for (choice, raw) in choices.iter_mut().zip(&*raw) {
                        *choice = *raw as i64;
                    }
                    lane.actions.extend_from_slice(raw);
                    lane.episodes.step(Action::Discrete(&choices), &mut lane.observation)
                } else {
                    brain.head.action(raw, &mut action);
                    lane.actions.extend_from_slice(&action);
                    lane.episodes.step(Action::Continuous(&action), &mut lane.observation)
                };
                if lane.tally.is_active() {
                    lane.tally.push(&brain.head, brain.epsilon, outputs, raw, &action);
                }
                let taken = step_taken.map_err(|error| fail(error.in_row(first + row).into()))?;
                check(first + row, taken.reward, &lane.observation).map_err(fail)?;
                lane.total += taken.reward;
                lane.seen.push(&lane.observation);
                push_window(&mut lane.window, &lane.observation, brain.normaliser.as_ref());
                self.rewards[at] = taken.reward as f32;
                self.ends[at] = taken.is_last();
                self.terminations[at] = taken.terminated;
                if !self.next_inputs.is_empty() {
                    self.next_inputs[at * input..][..input].copy_from_slice(&lane.window);
                }
                if taken.is_last() {
                    self.next_values[at] = 0.0;
                    if !taken.terminated {
                        minds.single.copy_from_slice(&lane.window);
                        self.next_values[at] = minds.value_of_single(brain);
                    }
                    let steps = lane.episodes.steps();
                    let record = lane.tally.record(lane.episodes.env(), first + row, lane.episode, steps);
                    lane.finished.push(Finished { total: lane.total, steps, record });
                    lane.begin(lane.episode + 1, brain.normaliser.as_ref())
                        .map_err(|error| fail(error.in_row(first + row).into()))?;
                }
            }
        }
        for (row, lane) in self.lanes.iter().enumerate() {
            minds.inputs[row * input..][..input].copy_from_slice(&lane.window);
        }
        minds.think(brain, rows);
        for row in 0..rows {
            let at = row * steps + steps - 1;
            if !self.ends[at] {
                self.next_values[at] = minds.values[row];
            }
        }
        Ok(())
    }
}

fn check(row: usize, reward: f64, observation: &[f32]) -> Result<(), RolloutError> {
    if !reward.is_finite() {
        return Err(RolloutError::Value { row, what: "reward".into(), value: reward });
    }
    match observation.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let value = f64::from(observation[index]);
            Err(RolloutError::Value { row, what: format!("observation[{index}]"), value })
        }
    }
}

impl Brain {
    fn draw(&self, outputs: &[f32], rng: &mut SimRng, raw: &mut [f32]) -> f32 {
        if let Head::Greedy { choices, .. } = self.head
            && uniform(rng) < self.epsilon
        {
            raw[0] = (uniform(rng) * choices as f64).floor() as f32;
            return 0.0;
        }
        self.head.sample(outputs, &self.deviation, rng, raw)
    }

    /// Outputs of the head; the actor's network may have one more.
    fn head_outputs(&self) -> usize {
        self.head.outputs()
    }
}

/// Room for the networks' inputs and outputs of a block.
struct Minds {
    input_len: usize,
    actor_len: usize,
    head_len: usize,
    inputs: Vec<f32>,
    actor: Vec<f32>,
    values: Vec<f32>,
    single: Vec<f32>,
    workspace: Workspace,
}

impl Minds {
    fn new(brain: &Brain, rows: usize) -> Self {
        let (input_len, actor_len) = (brain.actor.spec().input_len(), brain.actor.spec().outputs);
        Self {
            input_len,
            actor_len,
            head_len: brain.head_outputs(),
            inputs: vec![0.0; rows * input_len],
            actor: vec![0.0; rows * actor_len],
            values: vec![0.0; rows],
            single: vec![0.0; input_len],
            workspace: Workspace::default(),
        }
    }

    fn think(&mut self, brain: &Brain, rows: usize) {
        brain.actor.forward(&self.inputs, rows, &mut self.workspace, &mut self.actor);
        if let Some(critic) = &brain.critic {
            critic.forward(&self.inputs, rows, &mut self.workspace, &mut self.values);
        } else if brain.shared {
            for (value, outputs) in self.values.iter_mut().zip(self.actor.chunks_exact(self.actor_len)) {
                *value = outputs[self.actor_len - 1];
            }
        }
    }

    fn outputs(&self, row: usize) -> &[f32] {
        &self.actor[row * self.actor_len..][..self.head_len]
    }

    fn value_of_single(&mut self, brain: &Brain) -> f32 {
        let mut value = [0.0];
        if let Some(critic) = &brain.critic {
            critic.forward(&self.single, 1, &mut self.workspace, &mut value);
        } else if brain.shared {
            let mut outputs = vec![0.0; self.actor_len];
            brain.actor.forward(&self.single, 1, &mut self.workspace, &mut outputs);
            value[0] = outputs[self.actor_len - 1];
        }
        value[0]
    }
}

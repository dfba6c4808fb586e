//! What algorithms learn from: rollouts, rewards in a common unit, and batches of both.

use gym::Env;
use lob::random::uniform;
use lob::sim::{SimRng, derive_seed};
use rand_xoshiro::rand_core::SeedableRng;
use tch::{Device, Tensor};

use super::checkpoint::State;
use super::clipped::Noted;
use super::learner::{LearnError, Progress, Setting};
use super::model::Model;
use super::rollout::{Brain, Collector, Finished, Rollout};
use crate::policy::{Moments, Normaliser};

/// Environments, and what plays them.
#[derive(Debug)]
pub struct Player<E> {
    collector: Collector<E>,
    brain: Brain,
    episode_columns: Vec<String>,
    /// The last rollout.
    pub rollout: Rollout,
}

impl<E: Env> Player<E> {
    /// Environments at their beginnings.
    ///
    /// # Errors
    /// An environment that cannot begin.
    pub fn new(
        setting: &Setting<'_, E>,
        model: &Model,
        rollout_steps: usize,
        with_next: bool,
    ) -> Result<Self, LearnError> {
        let common = &setting.run.common;
        let normaliser = common.normalise_observations.then(|| {
            let columns = setting.env.observation_space().len();
            Normaliser::new(Moments::new(columns), common.observation_limit)
        });
        let mut collector = Collector::new(
            setting.env,
            common.environments,
            setting.run.env.max_episode_steps(),
            common.network.window,
            normaliser.as_ref(),
            common.seed,
            setting.threads,
        )?;
        let brain = model.new_brain(normaliser)?;
        let raw = brain.head.raw_len();
        let rollout = Rollout::new(common.environments, rollout_steps, model.input_len(), raw, with_next);
        let episode_columns = collector.note_episodes(common.episode_log, &brain.head);
        Ok(Self { collector, brain, episode_columns, rollout })
    }

    /// Plays a rollout with the model as it is now; returns the episodes that ended.
    ///
    /// Observations are normalised by what was seen before the rollout; what it saw counts from the next on.
    ///
    /// # Errors
    /// [`LearnError::Rollout`].
    pub fn play(
        &mut self,
        model: &mut Model,
        deviation: f64,
        epsilon: f64,
        progress: Progress,
    ) -> Result<Vec<Finished>, LearnError> {
        model.write_brain(&mut self.brain, deviation);
        self.brain.epsilon = epsilon;
        let update = progress.update;
        let result = self.collector.collect(&self.brain, update, &mut self.rollout);
        result.map_err(|problem| LearnError::Rollout { update: update + 1, problem })?;
        let seen = self.collector.take_seen();
        if let Some(normaliser) = &mut self.brain.normaliser {
            normaliser.merge(&seen);
        }
        Ok(self.collector.take_finished())
    }

    /// Names of the numbers that are noted of episodes; none if there are no such notes.
    pub fn episode_columns(&self) -> &[String] {
        &self.episode_columns
    }

    /// How observations are normalised now.
    pub fn normaliser(&self) -> Option<&Normaliser> {
        self.brain.normaliser.as_ref()
    }

    /// Writes where the environments stand and what the normaliser has seen.
    pub fn save(&self, state: &mut State) {
        if let Some(normaliser) = &self.brain.normaliser {
            state.put_moments("normaliser", normaliser.moments());
        }
        let lanes = self.collector.state();
        state.put_u64s("lanes.episode", lanes.iter().map(|lane| lane.episode).collect());
        state.put_u64s("lanes.actions_len", lanes.iter().map(|lane| lane.actions.len() as u64).collect());
        state.put_f32s("lanes.actions", lanes.iter().flat_map(|lane| lane.actions.iter().copied()).collect());
        state.put_f32s("lanes.window", lanes.iter().flat_map(|lane| lane.window.iter().copied()).collect());
        state.put_f64s("lanes.noted", lanes.iter().flat_map(|lane| lane.noted.iter().copied()).collect());
    }

    /// Takes what was saved.
    ///
    /// # Errors
    /// [`LearnError::State`], or an environment that is another one than was saved.
    pub fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        if let Some(normaliser) = &mut self.brain.normaliser {
            *normaliser = Normaliser::new(state.moments("normaliser")?, normaliser.limit());
        }
        let mut lanes = self.collector.state();
        let (episodes, lens) = (state.u64s("lanes.episode")?, state.u64s("lanes.actions_len")?);
        let (actions, windows) = (state.f32s("lanes.actions")?, state.f32s("lanes.window")?);
        let misfit = || LearnError::State("the checkpoint's environments are not this training's".into());
        if episodes.len() != lanes.len() || lens.len() != lanes.len() {
            return Err(misfit());
        }
        // Absent from checkpoints of versions that noted nothing, and of another length where other things were noted.
        let noted = state.f64s("lanes.noted").unwrap_or_default();
        let (mut first, mut windows) = (0, &windows[..]);
        let width = noted.len() / lanes.len();
        for (row, ((lane, episode), len)) in lanes.iter_mut().zip(episodes).zip(lens).enumerate() {
            lane.noted = noted[row * width..][..width].to_vec();
            lane.episode = episode;
            lane.actions = actions.get(first..first + len as usize).ok_or_else(misfit)?.to_vec();
            first += len as usize;
            let (window, rest) = windows.split_at_checked(lane.window.len()).ok_or_else(misfit)?;
            lane.window.copy_from_slice(window);
            windows = rest;
        }
        Ok(self.collector.restore(&lanes)?)
    }
}

/// Rewards divided by the deviation of the discounted returns seen so far. Source: Engstrom et al., arXiv 2005.12729, section 3.
#[derive(Clone, Debug)]
pub struct RewardScaler {
    returns: Vec<f64>,
    moments: Moments,
    discount: f64,
}

/// Scaled rewards are cut here.
const REWARD_LIMIT: f32 = 10.0;

impl RewardScaler {
    /// A scaler that has seen nothing.
    pub fn new(environments: usize, discount: f64) -> Self {
        Self { returns: vec![0.0; environments], moments: Moments::new(1), discount }
    }

    /// Sees a rollout's rewards, then scales them.
    pub fn scale(&mut self, rollout: &mut Rollout) {
        let steps = rollout.steps;
        for (row, total) in self.returns.iter_mut().enumerate() {
            for at in row * steps..(row + 1) * steps {
                *total = self.discount * *total + f64::from(rollout.rewards[at]);
                self.moments.push(&[*total as f32]);
                if rollout.ends[at] {
                    *total = 0.0;
                }
            }
        }
        let factor = (1.0 / (self.moments.variance(0) + 1e-8).sqrt()) as f32;
        for reward in &mut rollout.rewards {
            *reward = (*reward * factor).clamp(-REWARD_LIMIT, REWARD_LIMIT);
        }
    }

    /// Writes all it depends on.
    pub fn save(&self, state: &mut State) {
        state.put_f64s("rewards.returns", self.returns.clone());
        state.put_moments("rewards", &self.moments);
    }

    /// Takes what was saved.
    ///
    /// # Errors
    /// [`LearnError::State`].
    pub fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        self.returns = state.f64s("rewards.returns")?;
        self.moments = state.moments("rewards")?;
        Ok(())
    }
}

/// What an update learns from: a rollout with what each of its steps was worth.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// What was seen and done.
    pub rollout: &'a Rollout,
    /// How much better than expected each step was, `f32[environments, steps]`.
    pub advantages: &'a [f32],
    /// What the value should have been, likewise.
    pub returns: &'a [f32],
}

/// Some rows of a lesson as tensors.
#[derive(Debug)]
pub struct Rows {
    /// `f32[rows, input]`
    pub inputs: Tensor,
    /// `f32[rows, raw]`
    pub raw: Tensor,
    /// When they were drawn, `f32[rows]`.
    pub log_density: Tensor,
    /// Minus a mean, times a scale; `f32[rows]`.
    pub advantages: Tensor,
    /// `f32[rows]`
    pub returns: Tensor,
}

impl Lesson<'_> {
    /// The rows, in this order; advantages become `(advantage - mean) * scale`.
    pub fn rows(
        &self,
        rows: impl Iterator<Item = usize> + Clone,
        standard: (f32, f32),
        device: Device,
    ) -> Rows {
        let (inputs, raw) = self.seen(rows.clone(), device);
        let vector = |number: fn(Noted) -> f32| {
            let taken: Vec<f32> = rows.clone().map(|row| number(self.noted(row, standard))).collect();
            Tensor::from_slice(&taken).to_device(device)
        };
        Rows {
            inputs,
            raw,
            log_density: vector(|noted| noted.log_density),
            advantages: vector(|noted| noted.advantage),
            returns: vector(|noted| noted.target),
        }
    }

    /// What was seen, `f32[rows, input]`, and done, `f32[rows, raw]`, in these rows, in this order.
    pub fn seen(&self, rows: impl Iterator<Item = usize> + Clone, device: Device) -> (Tensor, Tensor) {
        let matrix = |values: &[f32]| {
            let width = values.len() / self.rollout.len();
            let mut taken = Vec::with_capacity(rows.size_hint().0 * width);
            rows.clone().for_each(|row| taken.extend_from_slice(&values[row * width..(row + 1) * width]));
            tensor(&taken, width, device)
        };
        (matrix(&self.rollout.inputs), matrix(&self.rollout.raw))
    }

    /// What was noted of a row; its advantage becomes `(advantage - mean) * scale`.
    pub(super) fn noted(&self, row: usize, (mean, scale): (f32, f32)) -> Noted {
        Noted {
            log_density: self.rollout.log_density[row],
            value: self.rollout.values[row],
            advantage: (self.advantages[row] - mean) * scale,
            target: self.returns[row],
        }
    }

    /// What brings the advantages of these rows to mean 0 and deviation 1 (over n - 1, as torch's `std`).
    pub fn standard(&self, rows: impl Iterator<Item = usize>) -> (f32, f32) {
        let mut moments = Moments::new(1);
        rows.for_each(|row| moments.push(&self.advantages[row..=row]));
        if moments.count < 2.0 {
            return (0.0, 1.0);
        }
        let deviation = (moments.squares[0] / (moments.count - 1.0)).sqrt();
        (moments.mean[0] as f32, (1.0 / (deviation + 1e-8)) as f32)
    }
}

/// Numbers `f32[rows, width]` on a device.
pub(super) fn tensor(values: &[f32], width: usize, device: Device) -> Tensor {
    Tensor::from_slice(values).view([-1, width as i64]).to_device(device)
}

/// Separates the seeds of orders from others.
const ORDER: u64 = 0x006f_7264_6572;

/// The numbers below `count` in random order, the same for the same seed, update and epoch. `order` is reused.
pub(super) fn shuffle(order: &mut Vec<usize>, count: usize, seed: u64, progress: Progress, epoch: usize) {
    let seed = derive_seed(derive_seed(seed, ORDER), derive_seed(progress.update, epoch as u64));
    let mut rng = SimRng::seed_from_u64(seed);
    order.clear();
    order.extend(0..count);
    for last in (1..count).rev() {
        order.swap(last, (uniform(&mut rng) * (last + 1) as f64) as usize);
    }
}

/// 1 - Var(returns - values) / Var(returns): how much of the returns the values explain.
pub(super) fn explained_variance(values: &[f32], returns: &[f32]) -> f64 {
    let (mut errors, mut all) = (Moments::new(1), Moments::new(1));
    for (value, target) in values.iter().zip(returns) {
        errors.push(&[target - value]);
        all.push(&[*target]);
    }
    if all.squares[0] == 0.0 { 0.0 } else { 1.0 - errors.squares[0] / all.squares[0] }
}

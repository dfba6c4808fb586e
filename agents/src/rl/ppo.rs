//! Proximal policy optimisation.
//!
//! Source: Schulman et al., arXiv 1707.06347, equation (7) (`clipped.rs`) with the usual details: advantages by GAE and standardised
//! in each minibatch, gradients clipped together, and half the squared error for the value.

use std::ops::Range;

use gym::Env;
use tch::{Kind, Tensor};

use super::adam::Adam;
use super::checkpoint::State;
use super::clipped::Clipped;
use super::distribution::Distribution;
use super::experience::{Lesson, Player, RewardScaler, explained_variance, shuffle};
use super::gae::{Traces, advantages};
use super::gradient::gradient;
use super::learner::{LearnError, Learner, Progress, Setting, Update, sane};
use super::model::{Model, head_for};
use super::parameters::numbers;
use super::settings::PpoSettings;
use crate::policy::Policy;

/// A training by PPO.
#[derive(Debug)]
pub struct Ppo<E> {
    settings: PpoSettings,
    seed: u64,
    model: Model,
    adam: Adam,
    player: Player<E>,
    scaler: Option<RewardScaler>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    order: Vec<usize>,
    threads: usize,
}

impl<E: Env> Ppo<E> {
    /// A training at its beginning.
    ///
    /// # Errors
    /// Settings that do not suit the environment, or an environment that cannot begin.
    pub fn new(setting: &Setting<'_, E>, settings: &PpoSettings) -> Result<Self, LearnError> {
        let common = &setting.run.common;
        let head = head_for(common.head, setting.env.action_space())?;
        let learned = settings.final_deviation.is_none().then_some(settings.initial_deviation);
        let model = Model::new(common, setting.env, head, true, learned, setting.device)?;
        let player = Player::new(setting, &model, settings.rollout_steps, false)?;
        let adam = Adam::new(&model.flat, settings.adam_epsilon);
        let scaler =
            settings.normalise_rewards.then(|| RewardScaler::new(common.environments, settings.discount));
        let count = player.rollout.len();
        Ok(Self {
            settings: settings.clone(),
            seed: common.seed,
            model,
            adam,
            player,
            scaler,
            advantages: vec![0.0; count],
            returns: vec![0.0; count],
            order: Vec::with_capacity(count),
            threads: setting.threads,
        })
    }

    fn deviation(&self, progress: Progress) -> f64 {
        progress.deviation(self.settings.initial_deviation, self.settings.final_deviation)
    }
}

impl<E: Env> Learner for Ppo<E> {
    fn steps_per_update(&self) -> u64 {
        self.player.rollout.len() as u64
    }

    fn update(&mut self, progress: Progress) -> Result<Update, LearnError> {
        let deviation = self.deviation(progress);
        let settings = &self.settings;

        // Play.
        let finished = self.player.play(&mut self.model, deviation, 0.0, progress)?;
        let rollout = &mut self.player.rollout;
        if let Some(scaler) = &mut self.scaler {
            scaler.scale(rollout);
        }

        // What each step was worth.
        let traces = Traces {
            rewards: &rollout.rewards,
            values: &rollout.values,
            next_values: &rollout.next_values,
            ends: &rollout.ends,
        };
        advantages(traces, rollout.steps, settings.discount, settings.trace, &mut self.advantages);
        for (target, (advantage, value)) in
            self.returns.iter_mut().zip(self.advantages.iter().zip(&rollout.values))
        {
            *target = advantage + value;
        }
        let explained = explained_variance(&rollout.values, &self.returns);

        // Learn from it, pass after pass.
        let lesson = Lesson { rollout, advantages: &self.advantages, returns: &self.returns };
        let (shape, device) = (&self.model.shape, self.model.device());
        let learning_rate = settings.learning_rate * settings.learning_rate_schedule.factor(progress.share());
        let count = rollout.len();
        let batch = count.div_ceil(settings.minibatches.min(count));
        let clipped = Clipped { clip: settings.clip, value_clip: settings.value_clip };
        let mut sums = Sums::default();
        'passes: for epoch in 0..settings.epochs {
            shuffle(&mut self.order, count, self.seed, progress, epoch);
            for rows in self.order.chunks(batch) {
                let standard = match settings.normalise_advantages {
                    true => lesson.standard(rows.iter().copied()),
                    false => (0.0, 1.0),
                };
                let share = 1.0 / rows.len() as f64;
                let learn = |flat: &Tensor, part: Range<usize>| {
                    let rows = &rows[part];
                    let (inputs, raw) = lesson.seen(rows.iter().copied(), device);
                    let judgement = shape.judge(flat, &inputs, deviation);
                    let values = judgement.values.as_ref().expect("the model was made with a value");
                    let head = Distribution::new(shape.head(), &judgement.outputs, &judgement.log_deviation);
                    let log_density = head.log_density(&raw);

                    // Losses, and how they change with what the networks say.
                    let mut by_density = Vec::with_capacity(rows.len());
                    let mut by_value = Vec::with_capacity(rows.len());
                    let [mut policy_loss, mut value_loss, mut kl, mut outside] = [0.0; 4];
                    let said = numbers(&log_density).into_iter().zip(numbers(values));
                    for (row, (log_density, value)) in rows.iter().zip(said) {
                        let losses = clipped.losses(log_density, value, lesson.noted(*row, standard));
                        policy_loss += losses.policy * share;
                        value_loss += losses.value * share;
                        kl += losses.kl * share;
                        outside += if losses.outside { share } else { 0.0 };
                        by_density.push((losses.policy_slope * share) as f32);
                        by_value.push((losses.value_slope * share * settings.value_coefficient) as f32);
                    }

                    // What has the loss's gradient: linear in what has slopes.
                    let slope = |slopes: &[f32]| Tensor::from_slice(slopes).to_device(device);
                    let mut surrogate = log_density.dot(&slope(&by_density)) + values.dot(&slope(&by_value));
                    let entropy = match settings.entropy_coefficient > 0.0 {
                        true => {
                            let entropy = head.entropy(&raw).sum(None::<Kind>) * share;
                            surrogate -= &entropy * settings.entropy_coefficient;
                            entropy
                        }
                        false => tch::no_grad(|| head.entropy(&raw).sum(None::<Kind>) * share),
                    };
                    (surrogate, [policy_loss, value_loss, entropy.double_value(&[]), kl, outside])
                };
                let (gradient, numbers) = gradient(&self.model.flat, rows.len(), self.threads, learn);
                let minibatch = sums.minibatches;
                sane(numbers[0], "policy loss", progress, minibatch)?;
                sane(numbers[1], "value loss", progress, minibatch)?;
                let norm = self.adam.step(&self.model.flat, gradient, learning_rate, settings.gradient_norm);
                sane(norm, "gradient's norm", progress, minibatch)?;
                sums.add(numbers, norm);
                let kl = numbers[3];
                if settings.target_kl.is_some_and(|target| kl > 1.5 * target) {
                    break 'passes;
                }
            }
        }
        let mut metrics = sums.means();
        metrics.extend([
            ("explained_variance", explained),
            ("deviation", self.model.mean_deviation(deviation)),
            ("learning_rate", learning_rate),
        ]);
        Ok(Update { metrics, finished })
    }

    fn episode_columns(&self) -> &[String] {
        self.player.episode_columns()
    }

    fn save(&self, state: &mut State) {
        self.model.save(&self.adam, state);
        self.player.save(state);
        if let Some(scaler) = &self.scaler {
            scaler.save(state);
        }
    }

    fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        self.model.restore(&mut self.adam, state)?;
        self.player.restore(state)?;
        self.scaler.as_mut().map_or(Ok(()), |scaler| scaler.restore(state))
    }

    fn policy(&mut self, progress: Progress) -> Result<(Policy, Vec<f32>), LearnError> {
        let deviation = self.deviation(progress);
        Ok(self.model.policy(self.player.normaliser().cloned(), deviation)?)
    }
}

/// Sums over minibatches, for the log.
#[derive(Debug, Default)]
struct Sums {
    minibatches: u64,
    totals: [f64; 6],
}

impl Sums {
    const NAMES: [&str; 6] = ["policy_loss", "value_loss", "entropy", "kl", "clip_share", "gradient_norm"];

    fn add(&mut self, numbers: [f64; 5], norm: f64) {
        self.minibatches += 1;
        self.totals
            .iter_mut()
            .zip(numbers.into_iter().chain([norm]))
            .for_each(|(total, number)| *total += number);
    }

    fn means(&self) -> Vec<(&'static str, f64)> {
        let count = self.minibatches.max(1) as f64;
        let means = self.totals.map(|total| total / count);
        Self::NAMES.into_iter().zip(means).chain([("minibatches", self.minibatches as f64)]).collect()
    }
}

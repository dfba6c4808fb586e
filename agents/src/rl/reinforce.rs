//! REINFORCE: returns weigh the logarithms of densities.
//!
//! Source: R. J. Williams, *Machine Learning* 8, 1992; the baseline is a value learned from the same returns.

use std::ops::Range;

use gym::Env;
use tch::{Kind, Tensor};

use super::adam::Adam;
use super::checkpoint::State;
use super::distribution::Distribution;
use super::experience::{Lesson, Player, explained_variance};
use super::gae::{Traces, advantages};
use super::gradient::gradient;
use super::learner::{LearnError, Learner, Progress, Setting, Update, sane};
use super::model::{Model, head_for};
use super::settings::ReinforceSettings;
use crate::policy::Policy;

/// A training by REINFORCE.
#[derive(Debug)]
pub struct Reinforce<E> {
    settings: ReinforceSettings,
    model: Model,
    adam: Adam,
    player: Player<E>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    threads: usize,
}

impl<E: Env> Reinforce<E> {
    /// A training at its beginning.
    ///
    /// # Errors
    /// Settings that do not suit the environment, or an environment that cannot begin.
    pub fn new(setting: &Setting<'_, E>, settings: &ReinforceSettings) -> Result<Self, LearnError> {
        let common = &setting.run.common;
        let head = head_for(common.head, setting.env.action_space())?;
        let learned = settings.final_deviation.is_none().then_some(settings.initial_deviation);
        let model = Model::new(common, setting.env, head, settings.baseline, learned, setting.device)?;
        let player = Player::new(setting, &model, settings.rollout_steps, false)?;
        let adam = Adam::new(&model.flat, settings.adam_epsilon);
        let count = player.rollout.len();
        let (advantages, returns) = (vec![0.0; count], vec![0.0; count]);
        let threads = setting.threads;
        Ok(Self { settings: settings.clone(), model, adam, player, advantages, returns, threads })
    }

    fn deviation(&self, progress: Progress) -> f64 {
        progress.deviation(self.settings.initial_deviation, self.settings.final_deviation)
    }
}

impl<E: Env> Learner for Reinforce<E> {
    fn steps_per_update(&self) -> u64 {
        self.player.rollout.len() as u64
    }

    fn update(&mut self, progress: Progress) -> Result<Update, LearnError> {
        let deviation = self.deviation(progress);
        let settings = &self.settings;

        // Play.
        let finished = self.player.play(&mut self.model, deviation, 0.0, progress)?;
        let rollout = &self.player.rollout;

        // The discounted rewards to the episode's end, which GAE with a trace of 1 has as their difference from the values. Where the
        // rollout or a truncation cuts them off, the value stands for the rest, or nothing if there is no baseline.
        let traces = Traces {
            rewards: &rollout.rewards,
            values: &rollout.values,
            next_values: &rollout.next_values,
            ends: &rollout.ends,
        };
        advantages(traces, rollout.steps, settings.discount, 1.0, &mut self.advantages);
        let worth = self.advantages.iter().zip(&rollout.values);
        self.returns
            .iter_mut()
            .zip(worth)
            .for_each(|(target, (advantage, value))| *target = advantage + value);
        let explained = explained_variance(&rollout.values, &self.returns);

        // Learn from all of it at once.
        let lesson = Lesson { rollout, advantages: &self.advantages, returns: &self.returns };
        let (shape, device, count) = (&self.model.shape, self.model.device(), rollout.len());
        let standard = match settings.normalise_advantages {
            true => lesson.standard(0..count),
            false => (0.0, 1.0),
        };
        let share = 1.0 / count as f64;
        let learn = |flat: &Tensor, part: Range<usize>| {
            let seen = lesson.rows(part, standard, device);
            let judgement = shape.judge(flat, &seen.inputs, deviation);
            let head = Distribution::new(shape.head(), &judgement.outputs, &judgement.log_deviation);
            let gain = head.log_density(&seen.raw) * &seen.advantages;
            let policy_loss = gain.sum(None::<Kind>) * -share;
            // A copy: what is added in place must not change the number that is logged.
            let mut loss = &policy_loss * 1.0;
            let mut value_error = 0.0;
            if let Some(values) = &judgement.values {
                let value_loss = (values - &seen.returns).square().sum(None::<Kind>) * (0.5 * share);
                value_error = value_loss.double_value(&[]);
                loss += value_loss * settings.value_coefficient;
            }
            let entropy = head.entropy(&seen.raw).sum(None::<Kind>) * share;
            if settings.entropy_coefficient > 0.0 {
                loss -= &entropy * settings.entropy_coefficient;
            }
            (loss, [policy_loss.double_value(&[]), value_error, entropy.double_value(&[])])
        };
        let (gradient, [policy_loss, value_loss, entropy]) =
            gradient(&self.model.flat, count, self.threads, learn);
        sane(policy_loss, "policy loss", progress, 0)?;
        sane(value_loss, "value loss", progress, 0)?;
        let learning_rate = settings.learning_rate * settings.learning_rate_schedule.factor(progress.share());
        let norm = self.adam.step(&self.model.flat, gradient, learning_rate, settings.gradient_norm);
        let metrics = vec![
            ("policy_loss", policy_loss),
            ("value_loss", value_loss),
            ("entropy", entropy),
            ("gradient_norm", sane(norm, "gradient's norm", progress, 0)?),
            ("explained_variance", explained),
            ("deviation", self.model.mean_deviation(deviation)),
            ("learning_rate", learning_rate),
        ];
        Ok(Update { metrics, finished })
    }

    fn episode_columns(&self) -> &[String] {
        self.player.episode_columns()
    }

    fn save(&self, state: &mut State) {
        self.model.save(&self.adam, state);
        self.player.save(state);
    }

    fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        self.model.restore(&mut self.adam, state)?;
        self.player.restore(state)
    }

    fn policy(&mut self, progress: Progress) -> Result<(Policy, Vec<f32>), LearnError> {
        let deviation = self.deviation(progress);
        Ok(self.model.policy(self.player.normaliser().cloned(), deviation)?)
    }
}

//! Deep Q-learning.
//!
//! Source: Mnih et al., *Nature* 518, 2015, with double estimation (arXiv 1509.06461), duelling networks (arXiv 1511.06581), rewards of
//! several steps, and prioritised replay (arXiv 1511.05952). The loss is Huber's.

use gym::{Env, Space};
use lob::ParameterError;
use lob::sim::{SimRng, derive_seed};
use rand_xoshiro::rand_core::SeedableRng;
use tch::{Device, Kind, Reduction, Tensor};

use super::adam::Adam;
use super::checkpoint::State;
use super::experience::{Player, tensor};
use super::learner::{LearnError, Learner, Progress, Setting, Update, sane};
use super::model::{Model, ModelShape};
use super::replay::{Batch, Replay};
use super::settings::{DqnSettings, HeadChoice};
use crate::policy::{Head, Policy};

/// A training by DQN.
#[derive(Debug)]
pub struct Dqn<E> {
    settings: DqnSettings,
    seed: u64,
    model: Model,
    /// The parameters of a while ago.
    target: Tensor,
    adam: Adam,
    player: Player<E>,
    replay: Replay,
    batch: Batch,
    /// Minibatches learned from.
    minibatches: u64,
}

/// Separates the seeds of draws from the replay from others.
const DRAWS: u64 = 0x0064_7261_7773;

impl<E: Env> Dqn<E> {
    /// A training at its beginning.
    ///
    /// # Errors
    /// Settings that do not suit the environment, or an environment that cannot begin.
    pub fn new(setting: &Setting<'_, E>, settings: &DqnSettings) -> Result<Self, LearnError> {
        let common = &setting.run.common;
        let Space::Discrete(choices) = setting.env.action_space() else {
            let legal = "ppo, actor_critic or reinforce: the actions are not one of several choices";
            return Err(ParameterError::new("train.algorithm", "dqn", legal).into());
        };
        if common.head != HeadChoice::Auto {
            let found = format!("{:?}", common.head);
            return Err(ParameterError::new("train.head", found, "auto: dqn takes the best choice").into());
        }
        let head = Head::Greedy { choices: choices.len(), duelling: settings.duelling };
        let model = Model::new(common, setting.env, head, false, None, setting.device)?;
        let target = model.flat.copy();
        let player = Player::new(setting, &model, settings.rollout_steps, true)?;
        let longest = settings.rollout_steps.max(settings.n_step);
        let replay = Replay::new(
            common.environments,
            settings.replay,
            longest,
            model.input_len(),
            settings.prioritised,
        )?;
        let adam = Adam::new(&model.flat, settings.adam_epsilon);
        Ok(Self {
            settings: settings.clone(),
            seed: common.seed,
            model,
            target,
            adam,
            player,
            replay,
            batch: Batch::default(),
            minibatches: 0,
        })
    }

    fn epsilon(&self, progress: Progress) -> f64 {
        let DqnSettings { epsilon_start, epsilon_end, epsilon_share, .. } = self.settings;
        let done = if epsilon_share > 0.0 { (progress.share() / epsilon_share).min(1.0) } else { 1.0 };
        epsilon_start + (epsilon_end - epsilon_start) * done
    }

    /// Values of all choices, `f32[rows, choices]`.
    fn values(shape: &ModelShape, flat: &Tensor, input: &Tensor) -> Tensor {
        let outputs = shape.judge(flat, input, 1.0).outputs;
        match shape.head() {
            Head::Greedy { choices, duelling: true } => {
                let advantages = outputs.narrow(-1, 0, *choices as i64);
                let mean = advantages.mean_dim(-1, true, None::<Kind>);
                outputs.narrow(-1, *choices as i64, 1) + advantages - mean
            }
            _ => outputs,
        }
    }
}

impl<E: Env> Learner for Dqn<E> {
    fn steps_per_update(&self) -> u64 {
        self.player.rollout.len() as u64
    }

    fn update(&mut self, progress: Progress) -> Result<Update, LearnError> {
        let epsilon = self.epsilon(progress);
        let settings = &self.settings;

        // Play.
        let finished = self.player.play(&mut self.model, 1.0, epsilon, progress)?;
        self.replay.push(&self.player.rollout, settings.reward_scale);

        // Learn from what is remembered.
        let device = self.model.device();
        let learning_rate = settings.learning_rate * settings.learning_rate_schedule.factor(progress.share());
        let importance = settings.importance_start + (1.0 - settings.importance_start) * progress.share();
        let mut rng = SimRng::seed_from_u64(derive_seed(derive_seed(self.seed, DRAWS), progress.update));
        let (mut loss_sum, mut value_sum, mut norm_sum) = (0.0, 0.0, 0.0);
        let warm = self.replay.len() >= settings.warm_up;
        let minibatches = if warm { settings.gradient_steps } else { 0 };
        for minibatch in 0..minibatches as u64 {
            let (n, batch) = (settings.batch, &mut self.batch);
            self.replay.sample(n, settings.n_step, settings.discount, importance, &mut rng, batch);
            let (batch, shape, width) = (&self.batch, &self.model.shape, self.model.input_len());
            let vector = |values: &[f32]| Tensor::from_slice(values).to_device(device);
            let target = tch::no_grad(|| {
                let next = tensor(&batch.next_inputs, width, device);
                let worth = Self::values(shape, &self.target, &next);
                let best = if settings.double {
                    let choices = Self::values(shape, &self.model.flat, &next).argmax(-1, true);
                    worth.gather(-1, &choices, false).squeeze_dim(-1)
                } else {
                    worth.amax([-1], false)
                };
                vector(&batch.rewards) + vector(&batch.discounts) * best
            });
            // One thread: minibatches are small, and the parameters change after each.
            let leaf = self.model.flat.detach().set_requires_grad(true);
            let choices = Tensor::from_slice(&batch.choices).to_device(device).unsqueeze(-1);
            let values = Self::values(shape, &leaf, &tensor(&batch.inputs, width, device));
            let value = values.gather(-1, &choices, false).squeeze_dim(-1);
            let errors = value.huber_loss(&target, Reduction::None, 1.0);
            let loss = (errors * vector(&batch.weights)).mean(None::<Kind>);
            loss_sum += sane(loss.double_value(&[]), "loss", progress, minibatch)?;
            value_sum += value.detach().mean(None::<Kind>).double_value(&[]);
            loss.backward();
            let norm = self.adam.step(&self.model.flat, leaf.grad(), learning_rate, settings.gradient_norm);
            norm_sum += sane(norm, "gradient's norm", progress, minibatch)?;
            if settings.prioritised {
                let distance = (value - target).detach().to_device(Device::Cpu);
                let mut errors = vec![0.0_f32; n];
                distance.copy_data(&mut errors, n);
                self.replay.prioritise(&self.batch.indices, &errors, settings.priority_exponent);
            }
            self.minibatches += 1;
            if self.minibatches.is_multiple_of(settings.target_interval as u64) {
                self.target.copy_(&self.model.flat);
            }
        }
        let mean = |sum: f64| if minibatches == 0 { 0.0 } else { sum / minibatches as f64 };
        let metrics = vec![
            ("loss", mean(loss_sum)),
            ("value_mean", mean(value_sum)),
            ("gradient_norm", mean(norm_sum)),
            ("epsilon", epsilon),
            ("replay", self.replay.len() as f64),
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
        self.replay.save(state);
        state.put_tensor("target", &self.target);
        state.put_u64s("minibatches", vec![self.minibatches]);
    }

    fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        self.model.restore(&mut self.adam, state)?;
        self.player.restore(state)?;
        self.replay.restore(state)?;
        self.target.copy_(&state.tensor("target", &self.target)?);
        self.minibatches = state.u64s("minibatches")?.first().copied().unwrap_or_default();
        Ok(())
    }

    fn policy(&mut self, _progress: Progress) -> Result<(Policy, Vec<f32>), LearnError> {
        Ok(self.model.policy(self.player.normaliser().cloned(), 1.0)?)
    }
}

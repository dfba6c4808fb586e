//! What each algorithm can be told.

use lob::ParameterError;
use lob::parameter::{integer, non_negative, positive, probability};
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::AlgorithmSettings;
use super::MANY;

/// How the learning rate changes over training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// Falls linearly to 0 at the last step.
    Linear,
}

impl Schedule {
    /// The factor when this share of training is done.
    pub fn factor(self, done: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => (1.0 - done).max(0.0),
        }
    }
}

/// Settings of [`ppo`](AlgorithmSettings::Ppo).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoSettings {
    /// Steps of each environment between updates.
    pub rollout_steps: usize,
    /// Passes over each rollout.
    pub epochs: usize,
    /// Parts that a rollout is cut into, at random, in each pass.
    pub minibatches: usize,
    /// Adam's step.
    pub learning_rate: f64,
    /// How it changes.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Discount of a step: gamma.
    pub discount: f64,
    /// Decay of the advantage's traces: lambda.
    pub trace: f64,
    /// The ratio of densities counts up to this distance from 1.
    pub clip: f64,
    /// Values may move this far from what they were, if given (in the reward's normalised unit).
    pub value_clip: Option<f64>,
    /// Weight of the entropy.
    pub entropy_coefficient: f64,
    /// Weight of half the squared value error.
    pub value_coefficient: f64,
    /// The gradient is scaled down to this norm.
    pub gradient_norm: f64,
    /// Bring advantages to mean 0 and deviation 1 in each minibatch.
    pub normalise_advantages: bool,
    /// Stop the passes once the policy has moved so far (in nats), if given.
    pub target_kl: Option<f64>,
    /// Divide rewards by the deviation of discounted returns seen so far.
    pub normalise_rewards: bool,
    /// Standard deviation of normal heads at the start.
    pub initial_deviation: f64,
    /// Anneal it linearly to this; it is learned if not given.
    pub final_deviation: Option<f64>,
}

impl Default for PpoSettings {
    fn default() -> Self {
        Self {
            rollout_steps: 128,
            epochs: 10,
            minibatches: 32,
            learning_rate: 3e-4,
            learning_rate_schedule: Schedule::Linear,
            adam_epsilon: 1e-5,
            discount: 0.99,
            trace: 0.95,
            clip: 0.2,
            value_clip: None,
            entropy_coefficient: 0.0,
            value_coefficient: 0.5,
            gradient_norm: 0.5,
            normalise_advantages: true,
            target_kl: None,
            normalise_rewards: true,
            initial_deviation: 1.0,
            final_deviation: None,
        }
    }
}

/// Settings of [`actor_critic`](AlgorithmSettings::ActorCritic); the defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorCriticSettings {
    /// Steps of each environment between updates.
    pub rollout_steps: usize,
    /// Adam's step.
    pub learning_rate: f64,
    /// How it changes.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Discount of a step: gamma.
    pub discount: f64,
    /// Decay of the advantage's traces: lambda.
    pub trace: f64,
    /// The ratio of densities counts up to this distance from 1.
    pub clip: f64,
    /// Weight of the entropy.
    pub entropy_coefficient: f64,
    /// Weight of half the squared value error.
    pub value_coefficient: f64,
    /// The gradient is scaled down to this norm.
    pub gradient_norm: f64,
    /// Bring advantages to mean 0 and deviation 1.
    pub normalise_advantages: bool,
    /// Standard deviation of normal heads at the start.
    pub initial_deviation: f64,
    /// Anneal it linearly to this; it is learned if not given.
    pub final_deviation: Option<f64>,
}

impl Default for ActorCriticSettings {
    fn default() -> Self {
        Self {
            rollout_steps: 100,
            learning_rate: 5e-4,
            learning_rate_schedule: Schedule::Constant,
            adam_epsilon: 1e-5,
            discount: 1.0,
            trace: 1.0,
            clip: 0.5,
            entropy_coefficient: 0.0,
            value_coefficient: 0.5,
            gradient_norm: 0.5,
            normalise_advantages: true,
            initial_deviation: 1.0,
            final_deviation: Some(0.32),
        }
    }
}

/// Settings of [`reinforce`](AlgorithmSettings::Reinforce).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceSettings {
    /// Steps of each environment between updates; at least an episode's length lets most returns be complete.
    pub rollout_steps: usize,
    /// Adam's step.
    pub learning_rate: f64,
    /// How it changes.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Discount of a step: gamma.
    pub discount: f64,
    /// Subtract a learned value from the returns.
    pub baseline: bool,
    /// Weight of half the squared value error.
    pub value_coefficient: f64,
    /// Weight of the entropy.
    pub entropy_coefficient: f64,
    /// The gradient is scaled down to this norm.
    pub gradient_norm: f64,
    /// Bring advantages to mean 0 and deviation 1.
    pub normalise_advantages: bool,
    /// Standard deviation of normal heads at the start.
    pub initial_deviation: f64,
    /// Anneal it linearly to this; it is learned if not given.
    pub final_deviation: Option<f64>,
}

impl Default for ReinforceSettings {
    fn default() -> Self {
        Self {
            rollout_steps: 200,
            learning_rate: 1e-3,
            learning_rate_schedule: Schedule::Constant,
            adam_epsilon: 1e-5,
            discount: 1.0,
            baseline: true,
            value_coefficient: 0.5,
            entropy_coefficient: 0.0,
            gradient_norm: 0.5,
            normalise_advantages: true,
            initial_deviation: 1.0,
            final_deviation: None,
        }
    }
}

/// Settings of [`dqn`](AlgorithmSettings::Dqn).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DqnSettings {
    /// Steps of each environment between updates.
    pub rollout_steps: usize,
    /// Minibatches learned from after each of those.
    pub gradient_steps: usize,
    /// Transitions of a minibatch.
    pub batch: usize,
    /// Transitions kept, of all environments together.
    pub replay: usize,
    /// Transitions before learning begins.
    pub warm_up: usize,
    /// Adam's step.
    pub learning_rate: f64,
    /// How it changes.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Discount of a step: gamma.
    pub discount: f64,
    /// Rewards that are summed before the target's value counts.
    pub n_step: usize,
    /// Choose by the network, value by the target network. Source: arXiv 1509.06461.
    pub double: bool,
    /// A value and advantages. Source: arXiv 1511.06581.
    pub duelling: bool,
    /// Draw transitions by their error. Source: arXiv 1511.05952.
    pub prioritised: bool,
    /// Exponent of priorities: alpha.
    pub priority_exponent: f64,
    /// Exponent of the importance weights at the start: beta; 1 at the end.
    pub importance_start: f64,
    /// Minibatches between two copies to the target network.
    pub target_interval: usize,
    /// Share of random choices at the start.
    pub epsilon_start: f64,
    /// Share of random choices after `epsilon_share` of training.
    pub epsilon_end: f64,
    /// Share of training over which it falls.
    pub epsilon_share: f64,
    /// The gradient is scaled down to this norm.
    pub gradient_norm: f64,
    /// Rewards are multiplied by this.
    pub reward_scale: f64,
}

impl Default for DqnSettings {
    fn default() -> Self {
        Self {
            rollout_steps: 4,
            gradient_steps: 4,
            batch: 128,
            replay: 200_000,
            warm_up: 10_000,
            learning_rate: 3e-4,
            learning_rate_schedule: Schedule::Constant,
            adam_epsilon: 1.5e-4,
            discount: 0.99,
            n_step: 3,
            double: true,
            duelling: true,
            prioritised: false,
            priority_exponent: 0.6,
            importance_start: 0.4,
            target_interval: 500,
            epsilon_start: 1.0,
            epsilon_end: 0.02,
            epsilon_share: 0.2,
            gradient_norm: 10.0,
            reward_scale: 1.0,
        }
    }
}

fn check_adam(learning_rate: f64, epsilon: f64, gradient_norm: f64) -> Result<(), ParameterError> {
    positive("learning_rate", learning_rate)?;
    positive("adam_epsilon", epsilon)?;
    positive("gradient_norm", gradient_norm)
}

fn check_deviation(initial: f64, end: Option<f64>) -> Result<(), ParameterError> {
    positive("initial_deviation", initial)?;
    end.map_or(Ok(()), |end| positive("final_deviation", end))
}

impl PpoSettings {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        integer("rollout_steps", self.rollout_steps, 1..=MANY)?;
        integer("epochs", self.epochs, 1..=1_000)?;
        integer("minibatches", self.minibatches, 1..=MANY)?;
        check_adam(self.learning_rate, self.adam_epsilon, self.gradient_norm)?;
        probability("discount", self.discount)?;
        probability("trace", self.trace)?;
        positive("clip", self.clip)?;
        self.value_clip.map_or(Ok(()), |clip| positive("value_clip", clip))?;
        non_negative("entropy_coefficient", self.entropy_coefficient)?;
        non_negative("value_coefficient", self.value_coefficient)?;
        self.target_kl.map_or(Ok(()), |kl| positive("target_kl", kl))?;
        check_deviation(self.initial_deviation, self.final_deviation)
    }
}

impl ActorCriticSettings {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        integer("rollout_steps", self.rollout_steps, 1..=MANY)?;
        check_adam(self.learning_rate, self.adam_epsilon, self.gradient_norm)?;
        probability("discount", self.discount)?;
        probability("trace", self.trace)?;
        positive("clip", self.clip)?;
        non_negative("entropy_coefficient", self.entropy_coefficient)?;
        non_negative("value_coefficient", self.value_coefficient)?;
        check_deviation(self.initial_deviation, self.final_deviation)
    }
}

impl ReinforceSettings {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        integer("rollout_steps", self.rollout_steps, 1..=MANY)?;
        check_adam(self.learning_rate, self.adam_epsilon, self.gradient_norm)?;
        probability("discount", self.discount)?;
        non_negative("entropy_coefficient", self.entropy_coefficient)?;
        non_negative("value_coefficient", self.value_coefficient)?;
        check_deviation(self.initial_deviation, self.final_deviation)
    }
}

impl DqnSettings {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        integer("rollout_steps", self.rollout_steps, 1..=MANY)?;
        integer("gradient_steps", self.gradient_steps, 1..=MANY)?;
        integer("batch", self.batch, 1..=MANY)?;
        integer("replay", self.replay, self.batch..=1_000_000_000)?;
        integer("warm_up", self.warm_up, 1..=self.replay)?;
        check_adam(self.learning_rate, self.adam_epsilon, self.gradient_norm)?;
        probability("discount", self.discount)?;
        integer("n_step", self.n_step, 1..=1_000)?;
        non_negative("priority_exponent", self.priority_exponent)?;
        probability("importance_start", self.importance_start)?;
        integer("target_interval", self.target_interval, 1..=MANY)?;
        probability("epsilon_start", self.epsilon_start)?;
        probability("epsilon_end", self.epsilon_end)?;
        probability("epsilon_share", self.epsilon_share)?;
        positive("reward_scale", self.reward_scale)
    }
}

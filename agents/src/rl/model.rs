//! Policy and value as one set of parameters.

use gym::{Env, Space};
use lob::ParameterError;
use lob::sim::{SimRng, derive_seed};
use rand_xoshiro::rand_core::SeedableRng;
use tch::{Device, Kind, Tensor};

use super::adam::Adam;
use super::checkpoint::State;
use super::initialise::{self, Gains};
use super::learner::LearnError;
use super::network;
use super::parameters::{Layout, read, write};
use super::rollout::Brain;
use super::settings::{Common, HeadChoice};
use crate::policy::{Bounds, Head, Network, NetworkSpec, Normaliser, Policy};

/// Networks of policy and value with their parameters.
#[derive(Debug)]
pub struct Model {
    /// How outputs follow from parameters.
    pub shape: ModelShape,
    /// All parameters in one tensor.
    pub flat: Tensor,
    values: Vec<f32>,
}

/// Networks of policy and value without their parameters. In a flat tensor of those lie the actor's, then the critic's, then the
/// logarithms of deviations if those are learned.
#[derive(Clone, Debug)]
pub struct ModelShape {
    layout: Layout,
    actor: NetworkSpec,
    critic: Option<NetworkSpec>,
    head: Head,
    learned_deviation: bool,
    /// Tensors of the actor, and of the critic after it.
    counts: (usize, usize),
}

/// What a forward pass gives.
#[derive(Debug)]
pub struct Judgement {
    /// The head's parameters, `f32[rows, outputs]`.
    pub outputs: Tensor,
    /// Values, `f32[rows]`; none without a critic.
    pub values: Option<Tensor>,
    /// Logarithms of deviations, `f32[deviations]`.
    pub log_deviation: Tensor,
}

/// The head for an environment's actions.
///
/// # Errors
/// If the chosen one does not suit them.
pub fn head_for(choice: HeadChoice, space: &Space) -> Result<Head, ParameterError> {
    let legal = |legal: &str| Err(ParameterError::new("train.head", format_args!("{choice:?}"), legal));
    match (space, choice) {
        (Space::Box(space), HeadChoice::Auto | HeadChoice::Gaussian) => {
            Ok(Head::Gaussian { bounds: Bounds::of(space) })
        }
        (Space::Box(space), HeadChoice::TanhGaussian) => Ok(Head::TanhGaussian { bounds: Bounds::of(space) }),
        (
            Space::Box(space),
            HeadChoice::LogisticNormal | HeadChoice::SoftmaxGaussian | HeadChoice::Dirichlet,
        ) => {
            let in_simplex = |component: &gym::Component| component.low == 0.0 && component.high == 1.0;
            if space.len() < 2 || !space.components().iter().all(in_simplex) {
                return legal("gaussian or tanh_gaussian: the actions are no shares from 0 to 1");
            }
            let parts = space.len();
            Ok(match choice {
                HeadChoice::Dirichlet => Head::Dirichlet { parts },
                HeadChoice::SoftmaxGaussian => Head::SoftmaxGaussian { parts },
                _ => Head::LogisticNormal { parts },
            })
        }
        (Space::Box(_), _) => legal(
            "auto, gaussian, tanh_gaussian, logistic_normal, softmax_gaussian or dirichlet: actions are a box",
        ),
        (Space::Discrete(choices), HeadChoice::Auto | HeadChoice::Categorical) => {
            Ok(Head::Categorical { choices: choices.len() })
        }
        (Space::MultiDiscrete(lists), HeadChoice::Auto | HeadChoice::MultiCategorical) => {
            Ok(Head::MultiCategorical { choices: lists.iter().map(|(_, choices)| choices.len()).collect() })
        }
        (Space::Discrete(_), _) => legal("auto or categorical: actions are one choice"),
        (Space::MultiDiscrete(_), _) => {
            legal("auto or multi_categorical: actions are choices from several lists")
        }
    }
}

/// Separates the seed of parameters from others.
const PARAMETERS: u64 = 0x0070_6172_616d_6574;

impl Model {
    /// A model for an environment, initialised from the seed. With `initial_deviation` the deviations are learned.
    ///
    /// # Errors
    /// A size or a head that does not suit the environment.
    pub fn new(
        common: &Common,
        env: &impl Env,
        head: Head,
        with_value: bool,
        initial_deviation: Option<f64>,
        device: Device,
    ) -> Result<Self, ParameterError> {
        let settings = &common.network;
        let observation = env.observation_space().len();
        let outputs = head.outputs();
        if settings.policy_bias.len() != 1 && settings.policy_bias.len() != outputs {
            let found = format!("a list of {}", settings.policy_bias.len());
            let legal = format!("1 number, or {outputs}, one for each output");
            return Err(ParameterError::new("train.network.policy_bias", found, legal));
        }
        let shared = settings.shared && with_value;
        let actor = settings.spec(observation, outputs + usize::from(shared));
        let critic = (with_value && !shared).then(|| settings.spec(observation, 1));
        actor.validate().map_err(|error| error.within("train.network"))?;
        let mut rng = SimRng::seed_from_u64(derive_seed(common.seed, PARAMETERS));
        let mut bias = settings.policy_bias.clone();
        if shared {
            bias.resize(outputs + 1, bias[0]);
            bias[outputs] = 0.0;
        }
        let gains = Gains { hidden: settings.hidden_gain, last: settings.policy_gain, bias: &bias };
        let mut values = initialise::network(&actor, gains, &mut rng);
        let mut shapes: Vec<Vec<usize>> = actor.parameters().into_iter().map(|(_, shape)| shape).collect();
        let actor_count = shapes.len();
        if let Some(critic) = &critic {
            let gains = Gains { hidden: settings.hidden_gain, last: settings.value_gain, bias: &[0.0] };
            values.extend(initialise::network(critic, gains, &mut rng));
            shapes.extend(critic.parameters().into_iter().map(|(_, shape)| shape));
        }
        let critic_count = shapes.len() - actor_count;
        let learned_deviation = initial_deviation.is_some() && head.deviations() > 0;
        if let Some(deviation) = initial_deviation.filter(|_| learned_deviation) {
            values.extend(std::iter::repeat_n(libm::log(deviation) as f32, head.deviations()));
            shapes.push(vec![head.deviations()]);
        }
        let counts = (actor_count, critic_count);
        let layout = Layout::new(&shapes);
        let shape = ModelShape { layout, actor, critic, head, learned_deviation, counts };
        Ok(Self { shape, flat: write(&values, device), values })
    }

    /// The head.
    pub fn head(&self) -> &Head {
        &self.shape.head
    }

    /// Numbers of an input row.
    pub fn input_len(&self) -> usize {
        self.shape.actor.input_len()
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.flat.device()
    }
    /// What plays rollouts, with zeros for parameters until [`write_brain`](Self::write_brain).
    ///
    /// # Errors
    /// Sizes that are not legal; [`new`](Self::new) has refused those.
    pub fn new_brain(&self, normaliser: Option<Normaliser>) -> Result<Brain, ParameterError> {
        Ok(Brain {
            actor: Network::new(self.shape.actor.clone())?,
            critic: self.shape.critic.clone().map(Network::new).transpose()?,
            shared: self.shape.is_shared(),
            head: self.shape.head.clone(),
            deviation: vec![1.0; self.shape.head.deviations()],
            normaliser,
            epsilon: 0.0,
        })
    }

    /// Copies the parameters as they are now to what plays.
    pub fn write_brain(&mut self, brain: &mut Brain, deviation: f64) {
        read(&self.flat, &mut self.values);
        let (actor, rest) = self.values.split_at(self.shape.actor.parameter_count());
        brain.actor.set(actor);
        let mut log_deviation = rest;
        if let (Some(network), Some(spec)) = (&mut brain.critic, &self.shape.critic) {
            let (critic, rest) = rest.split_at(spec.parameter_count());
            network.set(critic);
            log_deviation = rest;
        }
        if self.shape.learned_deviation {
            for (deviation, log) in brain.deviation.iter_mut().zip(log_deviation) {
                *deviation = libm::expf(*log);
            }
        } else {
            brain.deviation.fill(deviation as f32);
        }
    }

    /// The policy alone, with its parameters in the order of its network's: a shared network loses its value output.
    ///
    /// # Errors
    /// Sizes that are not legal; [`new`](Self::new) has refused those.
    pub fn policy(
        &mut self,
        normaliser: Option<Normaliser>,
        deviation: f64,
    ) -> Result<(Policy, Vec<f32>), ParameterError> {
        let mut brain = self.new_brain(None)?;
        self.write_brain(&mut brain, deviation);
        let spec = NetworkSpec { outputs: self.shape.head.outputs(), ..self.shape.actor.clone() };
        let mut parameters = self.values[..self.shape.actor.parameter_count()].to_vec();
        if self.shape.is_shared() {
            // The last row of the last weights goes, which lies before the last bias, and the last bias.
            parameters.pop();
            let (inputs, outputs) = (spec.dense().last().map_or(0, |layer| layer.0), spec.outputs);
            let bias = parameters.len() - outputs;
            parameters.drain(bias - inputs..bias);
        }
        let mut network = Network::new(spec)?;
        network.set(&parameters);
        let policy =
            Policy { network, head: self.shape.head.clone(), deviation: brain.deviation, normaliser };
        Ok((policy, parameters))
    }

    /// Mean standard deviation of the head's normal numbers; 0 if it has none. `deviation` counts where deviations are not learned.
    pub fn mean_deviation(&self, deviation: f64) -> f64 {
        match (self.shape.head.deviations(), self.shape.learned_deviation) {
            (0, _) => 0.0,
            (_, false) => deviation,
            (count, true) => {
                let learned = self.flat.slice(0, -(count as i64), None, 1);
                learned.exp().mean(None::<Kind>).double_value(&[])
            }
        }
    }

    /// Writes the parameters and the optimiser's state.
    pub fn save(&self, adam: &Adam, state: &mut State) {
        state.put_tensor("parameters", &self.flat);
        let (steps, [mean, square]) = adam.state();
        state.put_u64s("adam.steps", vec![steps as u64]);
        state.put_tensor("adam.mean", &mean);
        state.put_tensor("adam.square", &square);
    }

    /// Takes what was saved.
    ///
    /// # Errors
    /// [`LearnError::State`] if something is missing or has another size.
    pub fn restore(&mut self, adam: &mut Adam, state: &State) -> Result<(), LearnError> {
        let (mean, square) =
            (state.tensor("adam.mean", &self.flat)?, state.tensor("adam.square", &self.flat)?);
        let steps = state.u64s("adam.steps")?.first().copied().unwrap_or_default();
        self.flat.copy_(&state.tensor("parameters", &self.flat)?);
        adam.restore(steps as i64, [&mean, &square]);
        Ok(())
    }
}

impl ModelShape {
    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What the parameters `flat` make of `input`, `f32[rows, input]`; `deviation` counts where deviations are not learned.
    pub fn judge(&self, flat: &Tensor, input: &Tensor, deviation: f64) -> Judgement {
        let views = self.layout.views(flat);
        let (actor, rest) = views.split_at(self.counts.0);
        let (critic, log_deviation) = rest.split_at(self.counts.1);
        let mut outputs = network::forward(&self.actor, actor, input);
        let mut values = None;
        if let Some(spec) = &self.critic {
            values = Some(network::forward(spec, critic, input).squeeze_dim(-1));
        } else if self.is_shared() {
            let count = self.head.outputs() as i64;
            values = Some(outputs.select(-1, count));
            outputs = outputs.narrow(-1, 0, count);
        }
        let log_deviation = match log_deviation.first() {
            Some(learned) => learned.shallow_clone(),
            None => Tensor::full(
                [self.head.deviations() as i64],
                libm::log(deviation),
                (Kind::Float, flat.device()),
            ),
        };
        Judgement { outputs, values, log_deviation }
    }

    fn is_shared(&self) -> bool {
        self.actor.outputs > self.head.outputs()
    }
}

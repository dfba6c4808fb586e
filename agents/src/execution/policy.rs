//! Trained policies as execution strategies.

use std::path::Path;
use std::sync::Arc;

use gym::config::Task as EnvTask;
use gym::envs::execution::{Execution, ExecutionConfig};
use gym::{Env, EnvConfig, EnvError, ResolvedMarket};
use lob::models::FeeConfig;
use lob::sim::{AgentFill, derive_seed};

use super::Task;
use super::episode::{EpisodeError, ExampleStep};
use super::shortfall::Trace;
use crate::evaluation::Actor;
use crate::policy::{Decision, Policy, PolicyActor, PolicyError, PolicyHeader, PolicyReference};

/// A trained policy with the execution task that it was trained for. It trades in any market, but no other parent order: size, side, horizon and
/// steps are part of what it has learned to see.
#[derive(Clone, Debug)]
pub struct ExecutionPolicy {
    name: String,
    header: PolicyHeader,
    policy: Arc<Policy>,
    decision: Decision,
    config: ExecutionConfig,
}

impl ExecutionPolicy {
    /// Reads the file.
    ///
    /// # Errors
    /// One that cannot be read; [`PolicyError::Misfit`] if it was trained in another environment.
    pub fn open(reference: &PolicyReference) -> Result<Self, PolicyError> {
        let file = reference.open()?;
        let name = reference.to_string();
        let misfit = |problem: String| PolicyError::Misfit {
            environment: "execution".to_owned(),
            problem: format!("{name} {problem}"),
        };
        let mut settings = file.header.env.clone();
        // Its market is the comparison's, and its files may be gone.
        settings.retain(|key, _| !gym::config::keys_of(&gym::MarketSettings::default()).contains(key));
        let config = EnvConfig::from_map(&settings, Path::new(""), "env")
            .map_err(|error| misfit(format!("has settings that this version does not take: {error}")))?;
        let EnvTask::Execution(config) = config.task else {
            return Err(misfit(format!("was trained in {}", config.name())));
        };
        let decision = reference.decision(&file);
        Ok(Self { name, header: file.header, policy: Arc::new(file.policy), decision, config })
    }

    /// Its name in the results: what it was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The task that it was trained for.
    pub fn task(&self) -> Task {
        self.config.task()
    }

    /// Whether a task is the one that it was trained for.
    ///
    /// # Errors
    /// [`PolicyError::Misfit`] with the first difference.
    pub fn check(&self, task: &Task) -> Result<(), PolicyError> {
        let own = self.task();
        let different = |what: &str, unit: &str, own: String, here: String| {
            let problem =
                format!("{} was trained with {what} {own}{unit}, here it is {here}{unit}", self.name);
            Err(PolicyError::Misfit { environment: "execution".to_owned(), problem })
        };
        if own.side != task.side {
            return different("side", "", own.side.to_string(), task.side.to_string());
        }
        for (what, own, here) in [
            ("horizon_seconds", own.horizon_seconds, task.horizon_seconds),
            ("step_seconds", own.step_seconds, task.step_seconds),
        ] {
            if own != here {
                return different(what, " s", own.to_string(), here.to_string());
            }
        }
        if own.lots != task.lots {
            return different("lots", "", own.lots.to_string(), task.lots.to_string());
        }
        Ok(())
    }

    /// The policy in a market.
    ///
    /// # Errors
    /// What is not legal in the market; [`PolicyError::Misfit`] if the environment is not what the policy was trained to see.
    pub fn trader(&self, market: &ResolvedMarket) -> Result<PolicyTrader, EpisodeError> {
        let env = Execution::new(&self.config, market)?;
        self.header.fits(&env, "execution")?;
        Ok(PolicyTrader {
            actor: PolicyActor::new(Arc::clone(&self.policy), self.decision),
            observation: vec![0.0; env.observation_space().len()],
            fees: market.fees,
            fills: Vec::new(),
            env,
        })
    }
}

/// A policy that trades in a market, session after session: its environment's decisions, assessed as everybody's are.
#[derive(Clone, Debug)]
pub struct PolicyTrader {
    env: Execution,
    actor: PolicyActor,
    fees: FeeConfig,
    observation: Vec<f32>,
    fills: Vec<AgentFill>,
}

impl PolicyTrader {
    /// Plays a session. With the same seed the market is the very session that [`Arena`](super::Arena) plays, and the policy's own draws are another
    /// stream of it.
    pub(super) fn play(
        &mut self,
        seed: u64,
        picture: Option<(f64, &mut Vec<ExampleStep>)>,
    ) -> Result<Trace, EpisodeError> {
        let Self { env, actor, fees, observation, fills } = self;
        env.watch(picture.as_ref().map(|(every, _)| *every));
        env.reset(seed, observation).map_err(|error| match error {
            EnvError::Session { .. } => EpisodeError::NoArrivalMid { seed },
            other => EpisodeError::Env(other),
        })?;
        fills.clear();
        let mut trace = Trace::new(env.arrival_mid(), env.reference_price());
        let traded_before = env.simulator().market().traded();
        actor.start(derive_seed(seed, u64::MAX));
        loop {
            let action = actor.act(observation);
            env.action_space().check(action)?;
            let step = env.step(action, observation);
            fills.extend_from_slice(env.fills());
            if step.is_last() {
                break;
            }
        }
        trace.close(env.simulator().market(), traded_before);
        trace.record(fills.iter().copied(), env.task(), fees);
        if let Some((_, steps)) = picture {
            let seen = env.watched().iter();
            steps.extend(seen.map(|seen| ExampleStep {
                time: seen.time,
                bid: seen.bid.0 as f64,
                ask: seen.ask.0 as f64,
                remaining: seen.remaining,
            }));
        }
        Ok(trace)
    }
}

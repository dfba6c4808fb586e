//! Who says what to hold.

use std::path::{Path, PathBuf};

use gym::config::Task;
use gym::envs::PortfolioRebalancingConfig;
use gym::envs::portfolio::{Aim, Risk, Weights};
use gym::{Env, EnvConfig};
use lob::ParameterError;
use lob::random::standard_normal;
use lob::sim::{SimRng, derive_seed};
use rand_xoshiro::rand_core::SeedableRng;

use super::{BrokerError, Market, PaperConfig, Venue};
use crate::policy::{
    Activation, Body, Decision, Head, Network, NetworkSpec, Policy, PolicyError, PolicyReference, PolicyState,
};

/// What is known at a decision.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Prices, returns and risk.
    pub market: &'a Market,
    /// What trading costs.
    pub venue: &'a Venue,
    /// Shares held, an asset each.
    pub positions: &'a [i64],
    /// Cents.
    pub cash: i64,
    /// Net asset value, cents.
    pub nav: i64,
    /// The broker's seed, from which chance at this step follows.
    pub seed: u64,
}

impl View<'_> {
    /// What is held of an asset, cents.
    pub fn value(&self, asset: usize) -> f64 {
        self.positions[asset] as f64 * self.market.prices()[asset] as f64
    }

    /// What is held of all assets, cents.
    pub fn invested(&self) -> f64 {
        (0..self.market.assets()).map(|asset| self.value(asset)).sum()
    }
}

/// Says what to hold.
pub trait Targets: std::fmt::Debug {
    /// How many weights it gives where there are `assets`: one more if the last is cash.
    fn len(&self, assets: usize) -> usize {
        assets
    }

    /// Writes target weights, shares of what is invested. They are checked before they are traded on.
    fn decide(&mut self, view: &View<'_>, targets: &mut Vec<f64>);

    /// Whether the last decision was to keep exactly what is held: nothing is traded then.
    fn holds(&self) -> bool {
        false
    }

    /// What the last decision saw, to be kept and shown to [`recall`](Self::recall) after a restart.
    fn seen(&self) -> &[f32] {
        &[]
    }

    /// How many earlier ones a decision depends on.
    fn memory(&self) -> u64 {
        0
    }

    /// Sees again what an earlier decision saw.
    fn recall(&mut self, _seen: &[f32]) {}
}

/// What it is told to say, for tests.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Says(pub(super) Vec<f64>);

#[cfg(test)]
impl Targets for Says {
    fn decide(&mut self, _view: &View<'_>, targets: &mut Vec<f64>) {
        targets.clone_from(&self.0);
    }
}

/// A policy that was trained in `portfolio_rebalancing`, long only.
#[derive(Debug)]
pub struct PolicyTargets {
    policy: Policy,
    decision: Decision,
    state: PolicyState,
    windows: Vec<usize>,
    /// Logarithm of the growth of cash in a period, if it is held.
    cash: Option<f64>,
    /// What its actions mean.
    aim: Aim,
    /// Shares of the net asset value, as the observation has them.
    held: Vec<f64>,
    observation: Vec<f32>,
}

impl PolicyTargets {
    /// Reads a policy, and puts the windows and assets that it was trained with into `config`, and its prices where `config` has none. Returns
    /// it with the directory in which relative paths of the prices start: `directory`, or the policy's.
    ///
    /// # Errors
    /// A file that cannot be read; [`PolicyError::Misfit`] if the policy is of another environment, of one that a broker does not play, or of
    /// another number of assets; other assets than the policy's prices have.
    pub fn open(
        reference: &PolicyReference,
        config: &mut PaperConfig,
        directory: &Path,
    ) -> Result<(Self, PathBuf), BrokerError> {
        let file = reference.open()?;
        let misfit = |problem: String| PolicyError::Misfit { environment: "paper".to_owned(), problem };
        let env = EnvConfig::from_map(&file.header.env, Path::new(""), "env")?;
        let Task::PortfolioRebalancing(task) = &env.task else {
            let problem = format!("{reference} was trained in {}, not in portfolio_rebalancing", env.name());
            return Err(misfit(problem).into());
        };
        if task.weights != Weights::LongOnly {
            let problem = format!(
                "{reference} was trained with weights: long_short; a paper broker holds assets and owes none, so that it plays \
                 policies trained with weights: long_only"
            );
            return Err(misfit(problem).into());
        }
        if task.risk != Risk::Variance || task.observe_expected {
            let wanted = "risk: variance and observe_expected: false";
            return Err(misfit(format!("{reference} was trained otherwise than with {wanted}")).into());
        }
        let mut task = task.clone();
        // How long it was trained is not how long it may trade.
        task.steps = None;
        let directory = match &config.prices {
            Some(own) => {
                task.prices = own.clone();
                task.assets = config.assets.or(task.assets);
                absolute(directory)?
            }
            None => {
                if let Some(assets) = config.assets.filter(|&assets| Some(assets) != task.assets) {
                    let legal = match task.assets {
                        Some(own) => format!("{own}, with which the policy was trained"),
                        None => "null, as the policy's prices say how many".to_owned(),
                    };
                    return Err(ParameterError::new("assets", assets, legal).into());
                }
                absolute(&env.directory)?
            }
        };
        let played = gym::envs::PortfolioRebalancing::new(&task, &directory)?;
        file.header.fits(&played, "portfolio_rebalancing")?;
        config.prices = Some(task.prices.clone());
        config.assets = task.assets;
        config.return_windows.clone_from(&task.return_windows);
        config.risk_window = task.risk_window;
        let targets = Self {
            decision: reference.decision(&file),
            state: file.policy.state(),
            windows: task.return_windows.clone(),
            cash: task.cash.then(|| libm::log1p(task.cash_return)),
            aim: Aim::new(&task, played.assets()),
            held: vec![0.0; played.weights().len()],
            observation: vec![0.0; played.observation_space().len()],
            policy: file.policy,
        };
        Ok((targets, directory))
    }

    /// A network of two hidden layers of 64 whose numbers are drawn: for timing, as a trained one takes as long.
    ///
    /// # Errors
    /// A size that is not legal.
    pub fn untrained(config: &PaperConfig, assets: usize, seed: u64) -> Result<Self, BrokerError> {
        let columns = config.return_windows.len() + 2;
        let head = Head::LogisticNormal { parts: assets };
        let spec = NetworkSpec {
            observation: assets * columns,
            window: 1,
            body: Body::Mlp,
            body_size: 0,
            body_layers: 0,
            kernel: 0,
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            outputs: head.outputs(),
        };
        let count = spec.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        let mut rng = SimRng::seed_from_u64(seed);
        let parameters: Vec<f32> = (0..count).map(|_| 0.1 * standard_normal(&mut rng) as f32).collect();
        let mut network = Network::new(spec)?;
        network.set(&parameters);
        let policy = Policy { deviation: vec![0.1; head.deviations()], network, head, normaliser: None };
        Ok(Self {
            decision: policy.head.usual_decision(),
            state: policy.state(),
            windows: config.return_windows.clone(),
            cash: None,
            aim: Aim::new(&PortfolioRebalancingConfig::default(), assets),
            held: vec![0.0; assets],
            observation: vec![0.0; assets * columns],
            policy,
        })
    }

    /// The environment's observation, of the market and the account as they are.
    fn observe(&mut self, view: &View<'_>) {
        let (rolling, nav) = (view.market.rolling(), view.nav as f64);
        let assets = view.market.assets();
        // An environment without cash knows no reserve: its weights are of what is invested, at first the same of each.
        let whole = if self.cash.is_some() { nav } else { view.invested() };
        let weight = |asset: usize| {
            if whole > 0.0 { view.value(asset) / whole } else { 1.0 / assets as f64 }
        };
        let (columns, windows) = (self.windows.len() + 2, self.windows.len());
        for (asset, row) in self.observation.chunks_exact_mut(columns).take(assets).enumerate() {
            for (index, number) in row[..windows].iter_mut().enumerate() {
                *number = rolling.returns(index)[asset] as f32;
            }
            row[windows] = rolling.variance(asset) as f32;
            self.held[asset] = weight(asset);
            row[windows + 1] = self.held[asset] as f32;
        }
        if let Some(log_growth) = self.cash {
            let row = &mut self.observation[assets * columns..];
            for (number, &window) in row.iter_mut().zip(&self.windows) {
                *number = (window as f64 * log_growth) as f32;
            }
            row[windows] = 0.0;
            self.held[assets] = view.cash as f64 / nav;
            row[windows + 1] = self.held[assets] as f32;
        }
    }
}

impl Targets for PolicyTargets {
    fn len(&self, assets: usize) -> usize {
        assets + usize::from(self.cash.is_some())
    }

    fn decide(&mut self, view: &View<'_>, targets: &mut Vec<f64>) {
        self.observe(view);
        let mut rng = SimRng::seed_from_u64(derive_seed(view.seed, view.market.step()));
        let Self { policy, decision, state, observation, aim, held, .. } = self;
        let action = policy.act(observation, *decision, &mut rng, state);
        let action = action.continuous();
        targets.clear();
        targets.extend(action.iter().map(|&weight| f64::from(weight)));
        // Points of a box, changes and parts of the way become weights as in the environment of the training: that is part of the policy. What
        // is no number stays what it is, and so do points of the simplex, which are checked like anybody's.
        let boxed = matches!(policy.head, Head::Gaussian { .. } | Head::TanhGaussian { .. });
        let is_legal = |targets: &[f64]| (targets.iter().sum::<f64>() - 1.0).abs() < 1e-3;
        let meant = if boxed { action.iter().all(|part| part.is_finite()) } else { is_legal(targets) };
        if meant && (boxed || !aim.is_plain()) {
            aim.targets(action, held, targets);
        }
    }

    fn seen(&self) -> &[f32] {
        &self.observation
    }

    fn memory(&self) -> u64 {
        (self.policy.network.spec().input_len() / self.observation.len()) as u64 - 1
    }

    fn recall(&mut self, seen: &[f32]) {
        if seen.len() == self.observation.len() {
            let mut rng = SimRng::seed_from_u64(0);
            self.policy.act(seen, Decision::Mode, &mut rng, &mut self.state);
        }
    }
}

/// A path from wherever the process is; an empty one is the working directory.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, BrokerError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).map_err(|problem| BrokerError::Io { path: path.to_owned(), problem })
}

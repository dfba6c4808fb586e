//! One question to every environment: how good are these policies? What `lobgym evaluate`, `lobgym.evaluate` and the end of a training ask.

use std::sync::atomic::AtomicBool;

use gym::config::Task;
use gym::{ConfigError, EnvConfig, EnvError};
use lob::ParameterError;
use lob::parameter::integer;
use lob::sim::LatencyError;
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::entrant::EntrantError;
use super::executing::ExecutionFinding;
use super::investing::{self, PortfolioFinding};
use super::making::MakingFinding;
use super::modelled::ModelFinding;
use super::trading::{self, TradingFinding};
use crate::execution::EpisodeError;
use crate::market_making::QuotingError;
use crate::policy::PolicyError;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where they play.
    pub env: EnvConfig,
    /// Who plays, by name: rules or strategies of the environment and `policy:PATH`. One that is named twice plays once.
    pub policies: Vec<String>,
    /// Besides `policies`, all rules with a net of parameters ([`grid`](super::grid) in a book), best first; market making in a book, and
    /// portfolios.
    pub grid: bool,
    /// Sessions; all play all of them.
    pub episodes: usize,
    /// Their seed: [`session_seed`](super::session_seed).
    pub seed: u64,
    /// Worker threads; the results do not depend on it.
    pub threads: usize,
    /// With whom the others are compared. If nothing is said: execution, twap where it takes part; of a grid the best; else the first.
    pub against: Option<String>,
    /// True if the page is wanted: sessions are drawn for it.
    pub examples: bool,
    /// What would ask it again.
    pub command: String,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// A number or name that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Settings of the environment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule, or a session under one.
    #[error(transparent)]
    Quoting(#[from] QuotingError),
    /// A policy that cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A session of a portfolio, or an action in it.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A session of the execution task.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// Recorded latencies.
    #[error(transparent)]
    Latency(#[from] LatencyError),
}

impl From<EntrantError> for EvaluateError {
    fn from(error: EntrantError) -> Self {
        match error {
            EntrantError::Quoting(error) => Self::Quoting(error),
            EntrantError::Policy(error) => Self::Policy(error),
        }
    }
}

/// The answer.
#[derive(Debug)]
pub enum Finding {
    /// Of market making in a book.
    Making(Box<MakingFinding>),
    /// Of the execution task.
    Execution(Box<ExecutionFinding>),
    /// Of market making in a model.
    Model(Box<ModelFinding>),
    /// Of portfolios.
    Portfolio(Box<PortfolioFinding>),
    /// Of traders of one asset.
    Trading(Box<TradingFinding>),
}

/// What all answers say of how they were found: enough to find them again.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    /// The environment's settings.
    pub(super) env: Map<String, Value>,
    pub(super) episodes: usize,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) version: &'static str,
    pub(super) command: String,
    pub(super) seconds: f64,
    pub(super) interrupted: bool,
}

impl Record {
    pub(super) fn new(request: &Request, seconds: f64, interrupted: bool) -> Self {
        Self {
            env: request.env.to_map(),
            episodes: request.episodes,
            seed: request.seed,
            threads: request.threads,
            version: env!("CARGO_PKG_VERSION"),
            command: request.command.clone(),
            seconds,
            interrupted,
        }
    }

    /// Names and values for a page.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        text_rows(self)
    }
}

/// A struct's fields as names and texts.
pub(super) fn text_rows(value: &impl Serialize) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = serde_json::to_value(value).unwrap_or_default();
    value
        .as_object()
        .map(|map| map.iter().map(|(key, value)| (key.clone(), text(value))).collect())
        .unwrap_or_default()
}

/// Whether there is an evaluation of this environment.
pub fn can_evaluate(env: &EnvConfig) -> bool {
    !matches!(env.task, Task::MultiAssetTrading(_))
}

/// Who is evaluated in an environment where nothing is said.
pub fn usual_policies(env: &EnvConfig) -> Vec<String> {
    let names: &[&str] = match &env.task {
        Task::Execution(_) => &["sl", "twap", "market"],
        Task::ModelMarketMaking(_) => &["as", "random"],
        Task::MarketMaking(config) if config.max_quote_lots < 2 => {
            &["join", "join:skew=4", "mid:distance=0.5", "mid:distance=1:skew=4", "as", "glft", "random"]
        }
        Task::MarketMaking(_) => &[
            "join",
            "join:skew=4",
            "mid:distance=0.5",
            "mid:distance=1:lots=2:skew=4",
            "as",
            "glft",
            "random",
        ],
        Task::PortfolioRebalancing(task) => return investing::usual(task),
        Task::Trader(_) => &trading::USUAL,
        Task::MultiAssetTrading(_) => &[],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Answers. `progress` is told what is going on and how many sessions have been finished since it was last told. After `stop` is set, what is
/// finished without a gap from the first session is summarised, and marked as interrupted.
///
/// # Errors
/// What is not legal, a file that cannot be used, or the first session that could not be played.
pub fn perform(
    request: &Request,
    stop: &AtomicBool,
    progress: &(dyn Fn(&str, usize) + Sync),
) -> Result<Finding, EvaluateError> {
    integer("episodes", request.episodes as u64, 1..=10_000_000)?;
    integer("threads", request.threads as u64, 1..=1024)?;
    let name = request.env.name();
    let without_rules = || {
        let legal = "market_making, execution, model_market_making, portfolio_rebalancing or trader";
        ParameterError::new("name", format!("{name:?}"), legal).within("env")
    };
    if request.grid && !matches!(request.env.task, Task::MarketMaking(_) | Task::PortfolioRebalancing(_)) {
        return Err(
            ParameterError::new("grid", true, format!("false in {name}: its rules are no grid")).into()
        );
    }
    if request.policies.is_empty() && !request.grid {
        return Err(ParameterError::new("policies", "empty", "at least one policy").into());
    }
    Ok(match &request.env.task {
        Task::MarketMaking(_) => Finding::Making(Box::new(MakingFinding::find(request, stop, progress)?)),
        Task::Execution(task) => {
            Finding::Execution(Box::new(ExecutionFinding::find(request, task, stop, progress)?))
        }
        Task::ModelMarketMaking(task) => {
            Finding::Model(Box::new(ModelFinding::find(request, task, stop, progress)?))
        }
        Task::PortfolioRebalancing(_) => {
            Finding::Portfolio(Box::new(PortfolioFinding::find(request, stop, progress)?))
        }
        Task::Trader(task) => {
            Finding::Trading(Box::new(TradingFinding::find(request, task, stop, progress)?))
        }
        Task::MultiAssetTrading(_) => return Err(without_rules().into()),
    })
}

/// The place of the policy that the others are compared with among `names`.
pub(super) fn place_of(against: &str, names: &[&str]) -> Result<usize, ParameterError> {
    names.iter().position(|name| *name == against).ok_or_else(|| {
        let list = if names.len() > 20 { "a policy of the grid".to_owned() } else { names.join(", ") };
        ParameterError::new("against", format_args!("{against:?}"), list)
    })
}

impl Finding {
    /// For people: a table of plain characters.
    pub fn table(&self) -> String {
        match self {
            Self::Making(found) => found.table(),
            Self::Execution(found) => found.table(),
            Self::Model(found) => found.table(),
            Self::Portfolio(found) => found.table(),
            Self::Trading(found) => found.table(),
        }
    }

    /// `{"policies": [...], "paired": [...], "settings": {...}}`; docs/market_making.md and docs/execution.md have the keys.
    ///
    /// # Errors
    /// What serde_json says.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Making(found) => found.json(),
            Self::Execution(found) => found.json(),
            Self::Model(found) => found.json(),
            Self::Portfolio(found) => found.json(),
            Self::Trading(found) => found.json(),
        }
    }

    /// A page, complete in itself.
    ///
    /// # Errors
    /// The session to be drawn cannot be played.
    pub fn html(&self) -> Result<String, EvaluateError> {
        match self {
            Self::Making(found) => found.html(),
            Self::Execution(found) => Ok(found.html()),
            Self::Model(found) => Ok(found.html()),
            Self::Portfolio(found) => Ok(found.html()),
            Self::Trading(found) => Ok(found.html()),
        }
    }

    /// What should be known before the figures are believed.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::Execution(found) => found.warnings(),
            Self::Trading(found) => found.warnings(),
            Self::Making(_) | Self::Model(_) | Self::Portfolio(_) => Vec::new(),
        }
    }

    /// Sessions that were finished.
    pub fn episodes(&self) -> usize {
        match self {
            Self::Making(found) => found.evaluation.policies.first().map_or(0, |policy| policy.episodes),
            Self::Execution(found) => found.episodes(),
            Self::Model(found) => found.policies.first().map_or(0, |policy| policy.episodes),
            Self::Portfolio(found) => found.policies.first().map_or(0, |policy| policy.episodes),
            Self::Trading(found) => found.policies.first().map_or(0, |policy| policy.episodes),
        }
    }

    /// True if it was stopped early: sessions are missing.
    pub fn interrupted(&self) -> bool {
        match self {
            Self::Making(found) => found.evaluation.interrupted,
            Self::Execution(found) => found.compared.comparison.settings.interrupted,
            Self::Model(found) => found.record.interrupted,
            Self::Portfolio(found) => found.record.interrupted,
            Self::Trading(found) => found.record.interrupted,
        }
    }

    /// Names of the policies, in the order of the results.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Making(found) => {
                found.evaluation.policies.iter().map(|policy| policy.name.as_str()).collect()
            }
            Self::Execution(found) => found.cell().map_or_else(Vec::new, |cell| {
                cell.strategies.iter().map(|strategy| strategy.name.as_str()).collect()
            }),
            Self::Model(found) => found.policies.iter().map(|policy| policy.name.as_str()).collect(),
            Self::Portfolio(found) => found.policies.iter().map(|policy| policy.name.as_str()).collect(),
            Self::Trading(found) => found.policies.iter().map(|policy| policy.name.as_str()).collect(),
        }
    }

    /// The reward of each session under the policy at `index`.
    pub fn rewards(&self, index: usize) -> &[f64] {
        match self {
            Self::Making(found) => &found.evaluation.policies[index].rewards,
            Self::Execution(found) => found.cell().map_or(&[], |cell| &cell.strategies[index].rewards),
            Self::Model(found) => &found.policies[index].rewards,
            Self::Portfolio(found) => &found.policies[index].rewards,
            Self::Trading(found) => &found.policies[index].rewards,
        }
    }
}

//! Settings of a backtest.

use std::path::PathBuf;

use gym::config::{Task, keys_of, parse};
use gym::envs::{PortfolioRebalancingConfig, portfolio::Start};
use gym::prices::Stamp;
use gym::{ConfigError, EnvConfig, Settings};
use lob::ParameterError;
use lob::parameter::{integer, positive, probability};
use serde::{Deserialize, Serialize};

use super::{Alternative, BacktestError, Entrant};

/// How the time is split into history, choice of parameters and what is reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Split {
    /// Shares of the periods, in this order; their sum is 1.
    Shares {
        /// History alone: nothing is decided in it. What a policy was trained on belongs here.
        train: f64,
        /// Where parameters are chosen.
        validation: f64,
        /// What is reported.
        test: f64,
    },
    /// Stamps, where the prices have them: each part begins with the first decision at or after its own. History is what is before.
    Stamps {
        /// Where parameters are chosen; none: with the test, and there is nothing to choose on.
        validation: Option<Stamp>,
        /// What is reported.
        test: Stamp,
    },
}

/// A split as a file has it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    train: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<At>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a share from 0 to 1, or a date as in 2024-02-29")]
enum At {
    Share(f64),
    Stamp(String),
}

impl TryFrom<Written> for Split {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { train, validation, test } = written;
        let stamp = |key: &str, text: &str| {
            Stamp::read(text).ok_or_else(|| {
                format!("{key} is {text:?}; legal: a share from 0 to 1, or a date as in 2024-02-29 or 2024-02-29T16:00:00Z")
            })
        };
        let share = |at: Option<At>, default: f64| match at {
            None => Ok(default),
            Some(At::Share(share)) => Ok(share),
            Some(At::Stamp(_)) => Err("expected shares of all parts, or dates of all"),
        };
        match (train, validation, test) {
            (None, validation, Some(At::Stamp(test))) => {
                let validation = match validation {
                    None => None,
                    Some(At::Stamp(text)) => Some(stamp("validation", &text)?),
                    Some(At::Share(_)) => return Err("expected a date as validation, as test is one".into()),
                };
                Ok(Self::Stamps { validation, test: stamp("test", &test)? })
            }
            (Some(_), _, Some(At::Stamp(_))) => {
                Err("expected no train where test is a date: it is what is before the other parts".into())
            }
            (train, validation, test) => Ok(Self::Shares {
                train: share(train, 0.4)?,
                validation: share(validation, 0.2)?,
                test: share(test, 0.4)?,
            }),
        }
    }
}

impl From<Split> for Written {
    fn from(split: Split) -> Self {
        let (share, stamp) = (|share| Some(At::Share(share)), |stamp: Stamp| At::Stamp(stamp.to_string()));
        match split {
            Split::Shares { train, validation, test } => {
                Self { train: share(train), validation: share(validation), test: share(test) }
            }
            Split::Stamps { validation, test } => {
                Self { train: None, validation: validation.map(stamp), test: Some(stamp(test)) }
            }
        }
    }
}

impl Default for Split {
    fn default() -> Self {
        Self::Shares { train: 0.4, validation: 0.2, test: 0.4 }
    }
}

impl Split {
    fn validate(&self) -> Result<(), ParameterError> {
        match *self {
            Self::Shares { train, validation, test } => {
                for (key, share) in [("train", train), ("validation", validation), ("test", test)] {
                    probability(&format!("split.{key}"), share)?;
                }
                let sum = train + validation + test;
                if (sum - 1.0).abs() > 1e-9 {
                    let legal = "shares with a sum of 1";
                    return Err(ParameterError::new("split", format_args!("a sum of {sum}"), legal));
                }
                Ok(())
            }
            Self::Stamps { validation: Some(validation), test } if !test.is_like(validation) => {
                Err(ParameterError::new("split.test", test, "a date if validation is one, else a number"))
            }
            Self::Stamps { validation: Some(validation), test } if test <= validation => Err(
                ParameterError::new("split.test", test, format!("later than {validation}, the validation")),
            ),
            Self::Stamps { .. } => Ok(()),
        }
    }
}

/// Parameters chosen again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkForward {
    /// Periods right before a choice, on which it is made.
    pub window: usize,
    /// Periods of the test from a choice to the next.
    pub step: usize,
}

/// The section `backtest` of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Who takes part: rules of portfolios, with alternatives as in `risk_parity:window=30|60`, and `policy:PATH`.
    pub strategies: Vec<String>,
    /// With whom the others are compared, as it is named in `strategies`; null: the first.
    pub against: Option<String>,
    /// Parts of the time.
    pub split: Split,
    /// Null: parameters are chosen once, on the validation part.
    pub walk_forward: Option<WalkForward>,
    /// Rows of the prices in a period: a decision each.
    pub period: usize,
    /// Rows of the prices in a year: figures are of a year.
    pub rows_per_year: f64,
    /// Periods in a block; differences of blocks, not of periods, are taken to be independent.
    pub block: usize,
    /// Rows that are drawn where prices are drawn; prices of a table have their own.
    pub rows: usize,
    /// Seed of drawn prices, and of policies that draw.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let strategies = [
            "equal_weight",
            "buy_and_hold",
            "equal_weight:band=0.01|0.02|0.05",
            "minimum_variance:window=60|120|250",
            "mean_variance:window=60|120|250:risk_aversion=2|5|20",
            "cost_aware:window=60|120|250:risk_aversion=2|5|20:horizon=20|60",
            "risk_parity:window=60|120|250",
        ];
        Self {
            strategies: strategies.map(str::to_owned).to_vec(),
            against: None,
            split: Split::default(),
            walk_forward: None,
            period: 1,
            rows_per_year: 252.0,
            block: 21,
            rows: 2_521,
            seed: 0,
        }
    }
}

impl Plan {
    /// Checks what can be checked without prices.
    ///
    /// # Errors
    /// The first field that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if self.strategies.is_empty() {
            return Err(ParameterError::new("strategies", "[]", "at least one strategy"));
        }
        for text in &self.strategies {
            let entrant: Entrant =
                text.parse().map_err(|error: ParameterError| error.within("strategies"))?;
            if entrant.alternatives.iter().any(Alternative::needs_expected) {
                let legal = "another strategy: a backtest knows prices, not what was expected of them";
                return Err(ParameterError::new("strategies", format_args!("{text:?}"), legal));
            }
        }
        self.split.validate()?;
        if let Some(WalkForward { window, step }) = self.walk_forward {
            integer("walk_forward.window", window, 1..=100_000_000)?;
            integer("walk_forward.step", step, 1..=100_000_000)?;
        }
        integer("period", self.period, 1..=1_000_000)?;
        positive("rows_per_year", self.rows_per_year)?;
        integer("block", self.block, 1..=1_000_000)?;
        integer("rows", self.rows, 3..=10_000_000)
    }

    /// Periods in a year.
    pub fn periods_per_year(&self) -> f64 {
        self.rows_per_year / self.period as f64
    }
}

/// A backtest as configured: an environment with its prices and costs, and what to do in it.
#[derive(Clone, Debug)]
pub struct BacktestConfig {
    /// The environment, of portfolio rebalancing.
    pub env: EnvConfig,
    /// The section `backtest`.
    pub plan: Plan,
    /// The file it was read from.
    pub file: Option<PathBuf>,
}

impl BacktestConfig {
    /// Reads the sections `env` and `backtest`.
    ///
    /// # Errors
    /// The first key or value that is not legal, with the file it is in.
    pub fn from_settings(settings: &Settings) -> Result<Self, BacktestError> {
        let legal = ["env".to_owned(), "backtest".to_owned()];
        let in_file = |problem: ParameterError| match settings.file() {
            Some(file) => ConfigError::InFile { path: file.to_owned(), problem },
            None => problem.into(),
        };
        if let Some((key, _)) = settings.root().iter().find(|(key, _)| !legal.contains(key)) {
            let problem = ParameterError::new(key, "an unknown section", gym::config::one_of(&legal, key));
            return Err(in_file(problem).into());
        }
        let env = EnvConfig::from_settings(settings)?;
        let section = settings.section("backtest")?;
        let read = || -> Result<Plan, ParameterError> {
            let plan: Plan = parse(section, &keys_of(&Plan::default()))?;
            plan.validate()?;
            Ok(plan)
        };
        let plan = read().map_err(|error| in_file(error.within("backtest")))?;
        let config = Self { env, plan, file: settings.file().map(Into::into) };
        config.task().map_err(|error| in_file(error.within("env")))?;
        Ok(config)
    }

    /// The environment's own settings.
    ///
    /// # Errors
    /// Another environment, or settings that say what only the backtest can.
    pub fn task(&self) -> Result<&PortfolioRebalancingConfig, ParameterError> {
        let Task::PortfolioRebalancing(task) = &self.env.task else {
            return Err(ParameterError::new("name", self.env.name(), "portfolio_rebalancing in a backtest"));
        };
        if let Some(steps) = task.steps.or(self.env.max_episode_steps) {
            let legal = "null: backtest.split says how long is traded";
            let key = if task.steps.is_some() { "steps" } else { "max_episode_steps" };
            return Err(ParameterError::new(key, steps, legal));
        }
        if task.observe_expected {
            let legal = "false: a backtest knows prices, not what was expected of them";
            return Err(ParameterError::new("observe_expected", true, legal));
        }
        if task.start != Start::Equal {
            return Err(ParameterError::new(
                "start",
                "cash",
                "equal: rules start from a portfolio of assets",
            ));
        }
        if task.leverage < 1.0 {
            let legal = "1 or more: rules are invested in full";
            return Err(ParameterError::new("leverage", task.leverage, legal));
        }
        Ok(task)
    }
}

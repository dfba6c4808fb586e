//! Portfolios over given prices, forward in time: parameters are chosen on one part, figures are those of a later one.
//!
//! [`BacktestConfig`] is what a file says, [`Backtest::new`] reads prices and policies, [`Backtest::run`] plays, and the [`Finding`] prints as a
//! table, as JSON and as a page. Weights, drift and costs are those of the environment
//! [`PortfolioRebalancing`](gym::envs::PortfolioRebalancing): there is no second formula here. A strategy is given the rows of the past alone.

mod config;
pub(crate) mod entrant;
mod finding;
mod market;
mod metrics;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use gym::{ConfigError, EnvError};
use lob::ParameterError;
use serde::Serialize;
use thiserror::Error;

pub use config::{BacktestConfig, Plan, Split, WalkForward};
pub use entrant::{Alternative, Entrant};
pub use finding::{Finding, PairedGrowth};
pub use market::Track;
pub use metrics::Metrics;

use crate::policy::PolicyError;
use entrant::Prepared;
use market::Market;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// A number or name that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A file, or a key or value in it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A policy that cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An action that is none.
    #[error(transparent)]
    Env(EnvError),
    /// Stopped before the end.
    #[error("stopped")]
    Stopped,
}

/// Parameters that were chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The first period that is traded with them.
    pub period: usize,
    /// The rule with its parameters.
    pub strategy: String,
    /// Growth over the periods that it was chosen on, 1 / year; none if there was nothing to choose.
    pub growth: Option<f64>,
}

/// What a strategy did.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// As it was asked for.
    pub name: String,
    /// Its parameters: one choice, or one for each step of a walk forward.
    pub choices: Vec<Choice>,
    /// Figures of the test.
    pub metrics: Metrics,
    /// The test, period by period.
    pub track: Track,
}

/// The parts of the time, in periods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// History alone.
    pub train: Range<usize>,
    /// Where parameters are chosen, unless they are chosen walking forward.
    pub validation: Range<usize>,
    /// What is reported.
    pub test: Range<usize>,
}

/// A strategy with its files read.
struct Contender {
    entrant: Entrant,
    prepared: Vec<Prepared>,
}

/// A backtest that is ready to run.
pub struct Backtest {
    config: BacktestConfig,
    market: Market,
    parts: Parts,
    /// Where choices are made, and on what.
    choices: Vec<(usize, Range<usize>)>,
    contenders: Vec<Contender>,
    against: usize,
}

impl Backtest {
    /// Reads prices and policies and lays out the time.
    ///
    /// # Errors
    /// What is not legal, a file that cannot be used, or too few prices.
    pub fn new(config: BacktestConfig) -> Result<Self, BacktestError> {
        config.plan.validate().map_err(|error| error.within("backtest"))?;
        let market = Market::new(&config)?;
        let plan = &config.plan;
        let mut entrants: Vec<Entrant> = Vec::new();
        for text in &plan.strategies {
            let entrant: Entrant = text.parse()?;
            if entrants.iter().all(|known| known.name != entrant.name) {
                entrants.push(entrant);
            }
        }
        let names: Vec<&str> = entrants.iter().map(|entrant| entrant.name.as_str()).collect();
        let against = match &plan.against {
            None => 0,
            Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
                ParameterError::new("backtest.against", format_args!("{wanted:?}"), names.join(", "))
            })?,
        };
        let (parts, choices) = layout(plan, &market, &entrants)?;
        let env = market.env(&parts.test)?;
        let contender = |entrant: Entrant| -> Result<Contender, BacktestError> {
            let prepared =
                entrant.alternatives.iter().map(|one| one.prepare(&env)).collect::<Result<_, _>>()?;
            Ok(Contender { entrant, prepared })
        };
        let contenders = entrants.into_iter().map(contender).collect::<Result<_, _>>()?;
        Ok(Self { parts, choices, contenders, against, market, config })
    }

    /// The parts of the time.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Tracks that are to be played: what `progress` adds up to.
    pub fn tracks(&self) -> usize {
        let of = |contender: &Contender| match contender.prepared.len() {
            1 => 1,
            several => 1 + several * self.choices.len(),
        };
        self.contenders.iter().map(of).sum()
    }

    /// Plays it. `progress` is told of each track that is finished.
    ///
    /// # Errors
    /// An action that is none; [`BacktestError::Stopped`] after `stop` is set.
    pub fn run(&self, stop: &AtomicBool, progress: &dyn Fn()) -> Result<Finding, BacktestError> {
        let play = |periods: &Range<usize>, pieces: &[(usize, &Prepared)]| {
            if stop.load(Ordering::Relaxed) {
                return Err(BacktestError::Stopped);
            }
            let track = self.market.play(periods, pieces)?;
            progress();
            Ok(track)
        };
        let mut outcomes = Vec::with_capacity(self.contenders.len());
        for Contender { entrant, prepared } in &self.contenders {
            let mut choices = Vec::new();
            let mut pieces: Vec<(usize, &Prepared)> = Vec::new();
            let mut last = None;
            if prepared.len() == 1 {
                let strategy = entrant.alternatives[0].name();
                choices.push(Choice { period: self.parts.test.start, strategy, growth: None });
                pieces.push((self.parts.test.start, &prepared[0]));
            } else {
                for (period, past) in &self.choices {
                    let mut best: Option<(usize, f64)> = None;
                    for (index, one) in prepared.iter().enumerate() {
                        let growth = self.metrics(&play(past, &[(past.start, one)])?).growth;
                        if best.is_none_or(|(_, most)| growth > most) {
                            best = Some((index, growth));
                        }
                    }
                    let Some((index, growth)) = best else { continue };
                    let strategy = entrant.alternatives[index].name();
                    choices.push(Choice { period: *period, strategy, growth: Some(growth) });
                    // The same again goes on with what it remembers.
                    if last != Some(index) {
                        pieces.push((*period, &prepared[index]));
                    }
                    last = Some(index);
                }
            }
            let track = play(&self.parts.test, &pieces)?;
            let metrics = self.metrics(&track);
            outcomes.push(Outcome { name: entrant.name.clone(), choices, metrics, track });
        }
        let stamps = self.market.stamps.clone();
        Ok(Finding::new(
            &self.config,
            self.parts.clone(),
            self.market.assets(),
            stamps,
            outcomes,
            self.against,
        ))
    }

    fn metrics(&self, track: &Track) -> Metrics {
        let cash = self.config.task().map_or(0.0, |task| task.cash_return);
        Metrics::of(track, self.config.plan.periods_per_year(), cash)
    }
}

type Choices = Vec<(usize, Range<usize>)>;

/// The parts of the time, and where parameters are chosen on what.
fn layout(plan: &Plan, market: &Market, entrants: &[Entrant]) -> Result<(Parts, Choices), ParameterError> {
    let periods = market.periods();
    let at = |share: f64| ((share * periods as f64).round() as usize).min(periods);
    // How the length of each part is said in the settings, for errors.
    let (first, second, [train_key, validation_key, test_key]) = match plan.split {
        Split::Shares { train, validation, .. } => {
            (at(train), at(train + validation), ["train", "validation", "test"])
        }
        Split::Stamps { validation, test } => {
            let second = market.period_at("test", test)?;
            let first = validation.map_or(Ok(second), |stamp| market.period_at("validation", stamp))?;
            (first, second, [if validation.is_some() { "validation" } else { "test" }, "validation", "test"])
        }
    };
    let key = |part: &str| format!("backtest.split.{part}");
    let parts = Parts { train: 0..first, validation: first..second, test: second..periods };
    let found = |what: &str, length: usize| format!("{what} of {length} periods, of {periods} in all");
    if parts.test.is_empty() {
        return Err(ParameterError::new(key(test_key), found("a test", 0), "1 period or more"));
    }
    let several = entrants.iter().find(|entrant| entrant.alternatives.len() > 1);
    let choices = match (several, plan.walk_forward) {
        (None, _) => Vec::new(),
        (Some(entrant), None) if parts.validation.is_empty() => {
            let legal = format!("1 period or more, as parameters of {} are to be chosen", entrant.name);
            return Err(ParameterError::new(key(validation_key), found("a part", 0), legal));
        }
        (Some(_), None) => vec![(second, parts.validation.clone())],
        (Some(_), Some(walk)) => {
            parts.test.clone().step_by(walk.step).map(|at| (at, at.saturating_sub(walk.window)..at)).collect()
        }
    };
    // Everything that is played has the past that it looks back at.
    let windows = entrants.iter().flat_map(|entrant| &entrant.alternatives).map(Alternative::window);
    let needed = windows.fold(market.lookback(), usize::max);
    let begin = choices.first().map_or(second, |(_, past)| past.start);
    if begin < needed {
        return Err(match plan.walk_forward {
            Some(walk) if !choices.is_empty() => ParameterError::new(
                "backtest.walk_forward.window",
                walk.window,
                format!(
                    "at most {}, as the test begins at period {second} and the longest window takes {needed}",
                    second.saturating_sub(needed)
                ),
            ),
            _ => ParameterError::new(
                key(train_key),
                found("history", begin),
                format!(
                    "{needed} periods or more before the first decision, as the longest window takes them"
                ),
            ),
        });
    }
    Ok((parts, choices))
}

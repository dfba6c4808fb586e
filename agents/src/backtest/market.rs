//! Prices and the portfolio in them.

use std::ops::Range;
use std::path::PathBuf;

use gym::envs::{PortfolioRebalancing, PortfolioRebalancingConfig};
use gym::prices::{AnyProcess, PriceProcess, Prices, Replay, Stamp, Table};
use gym::{Env, EnvError};
use lob::ParameterError;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::entrant::{Decider, Prepared};
use super::{BacktestConfig, BacktestError, Plan};
use crate::evaluation::session_seed;

/// The prices of a backtest. Period `k` goes from row `k` to row `k + 1`; its decision knows the rows up to `k`.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) prices: Table,
    /// Of each row, where they come from a file.
    pub(super) stamps: Option<Vec<Stamp>>,
    /// What the source observes of trading, if it does.
    observed: Option<Observed>,
    /// A row a period.
    log_growth: Vec<f64>,
    task: PortfolioRebalancingConfig,
    seed: u64,
    directory: PathBuf,
}

/// Trading as a source of prices observes it.
#[derive(Clone, Debug)]
struct Observed {
    /// Shares of each asset that the market trades in a period, as observed up to a row: a row each.
    volumes: Table,
    period_seconds: f64,
}

/// What a strategy did over some periods. Money and shares of the net asset value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// The first period.
    pub first: usize,
    /// Net asset value before the first period and after each.
    pub nav: Vec<f64>,
    /// Net log return of each period.
    pub log_returns: Vec<f64>,
    /// Weights held during each period, right after trading: a row of one number an asset, cash last if it is held.
    pub weights: Vec<f64>,
    /// Sum of the absolute changes of the assets' weights, each period.
    pub turnover: Vec<f64>,
    /// Fees paid in each period, a share of the net asset value.
    pub fees: Vec<f64>,
    /// Impact paid in each period, a share of the net asset value.
    pub impact: Vec<f64>,
    /// True if the portfolio was ruined: it does nothing from then on.
    pub ruined: bool,
}

impl Market {
    pub(super) fn new(config: &BacktestConfig) -> Result<Self, BacktestError> {
        let (task, plan) = (config.task()?.clone(), &config.plan);
        let (rows, stamps, observed) = match task.prices.resolve(task.assets, &config.env.directory)? {
            Prices::Table { table, stamps, .. } => (table, stamps, None),
            Prices::Process(process) => {
                let (table, observed) = drawn(process, plan)?;
                (table, None, observed)
            }
        };
        let kept: Vec<f64> =
            (0..rows.rows()).step_by(plan.period).flat_map(|row| rows.row(row).iter().copied()).collect();
        let stamps = stamps.map(|stamps| stamps.iter().step_by(plan.period).copied().collect());
        let n = rows.columns();
        if let Some(index) = kept.iter().position(|&price| price <= 0.0) {
            let key = format!("prices[{}][{}]", index / n * plan.period, index % n);
            return Err(ParameterError::new(key, kept[index], "a price > 0").into());
        }
        let log_growth = kept.iter().zip(kept.iter().skip(n)).map(|(a, b)| libm::log(b / a)).collect();
        let prices = Table::new("prices", kept.clone(), kept.len() / n.max(1), n)?;
        Ok(Self {
            prices,
            stamps,
            observed,
            log_growth,
            task,
            seed: plan.seed,
            directory: config.env.directory.clone(),
        })
    }

    pub(super) fn assets(&self) -> usize {
        self.prices.columns()
    }

    pub(super) fn periods(&self) -> usize {
        self.prices.rows().saturating_sub(1)
    }

    /// The first period whose decision is at `stamp` or later; `key` says whose it is.
    pub(super) fn period_at(&self, key: &str, stamp: Stamp) -> Result<usize, ParameterError> {
        let refused = |legal: String| ParameterError::new(format!("backtest.split.{key}"), stamp, legal);
        let Some(stamps) = &self.stamps else {
            return Err(refused("a share from 0 to 1, as only prices from a file have dates".into()));
        };
        match stamps[..self.periods()] {
            [first, .., last] if stamp.is_like(first) && first <= stamp && stamp <= last => {
                Ok(stamps.partition_point(|&known| known < stamp).min(self.periods()))
            }
            [first, .., last] => {
                Err(refused(format!("{first} to {last}, from the first decision to the last")))
            }
            [only] => Err(refused(only.to_string())),
            [] => Err(refused("prices of 2 rows or more".into())),
        }
    }

    /// Periods that the environment itself looks back at.
    pub(super) fn lookback(&self) -> usize {
        self.task.lookback()
    }

    /// The environment over some periods, which begin after [`lookback`](Self::lookback).
    pub(super) fn env(&self, periods: &Range<usize>) -> Result<PortfolioRebalancing, BacktestError> {
        let (first, last) = (periods.start - self.lookback(), periods.end);
        let n = self.assets();
        let values = self.prices.values()[first * n..(last + 1) * n].to_vec();
        let table = Table::new("prices", values, last + 1 - first, n)?;
        let mut process = Replay::new(&table, false)?;
        if let Some(Observed { volumes, period_seconds }) = &self.observed {
            let volumes = volumes.values()[first * n..(last + 1) * n].to_vec();
            let volumes = Table::new("volumes", volumes, last + 1 - first, n)?;
            process = process.observing(volumes, *period_seconds)?;
        }
        Ok(PortfolioRebalancing::over(AnyProcess::Replay(process), &self.task, &self.directory)?)
    }

    /// Plays `periods`, each piece under its own strategy from its first period on; the first piece begins with the periods.
    pub(super) fn play(
        &self,
        periods: &Range<usize>,
        pieces: &[(usize, &Prepared)],
    ) -> Result<Track, BacktestError> {
        let n = self.assets();
        let mut env = self.env(periods)?;
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(self.seed, &mut observation)?;
        let names = env.info_names();
        let place = |name: &str| names.iter().position(|known| *known == name);
        let (turnover_at, fees_at, impact_at) = (place("turnover"), place("fees"), place("impact"));
        // Money since the start.
        let mut paid = (0.0, 0.0);
        let mut info = vec![0.0; names.len()];
        let mut targets = env.weights().to_vec();
        let mut pieces = pieces.iter().peekable();
        let mut decider: Option<Decider> = None;
        let mut track = Track { first: periods.start, nav: vec![env.nav()], ..Track::default() };
        for period in periods.clone() {
            if let Some((_, prepared)) = pieces.next_if(|(first, _)| *first <= period) {
                decider = Some(prepared.make(session_seed(self.seed, period as u64)));
            }
            let before = env.nav();
            if track.ruined {
                track.nav.push(before);
                track.weights.extend_from_slice(&targets);
                for series in
                    [&mut track.log_returns, &mut track.turnover, &mut track.fees, &mut track.impact]
                {
                    series.push(0.0);
                }
                continue;
            }
            let decider =
                decider.as_mut().ok_or_else(|| ParameterError::new("strategies", "nobody", "a strategy"))?;
            // The past ends before this period: nothing later can be seen.
            let past = &self.log_growth[..period * n];
            let step =
                decider.step(&mut env, past, self.task.transaction_cost, &mut targets, &mut observation)?;
            targets.copy_from_slice(env.targets());
            track.weights.extend_from_slice(&targets);
            env.write_info(&mut info);
            let of = |at: Option<usize>| at.map_or(0.0, |at| info[at]);
            track.nav.push(env.nav());
            track.log_returns.push(libm::log(env.nav().max(f64::MIN_POSITIVE) / before));
            track.turnover.push(of(turnover_at));
            let now = (of(fees_at), of(impact_at));
            track.fees.push((now.0 - paid.0) / before);
            track.impact.push((now.1 - paid.1) / before);
            paid = now;
            track.ruined = step.terminated;
        }
        Ok(track)
    }
}

/// Prices that are drawn, and what their source observes of trading.
fn drawn(mut process: AnyProcess, plan: &Plan) -> Result<(Table, Option<Observed>), ParameterError> {
    let n = process.assets();
    let mut rng = SimRng::seed_from_u64(session_seed(plan.seed, 0));
    let (mut growth, mut log_growth) = (vec![1.0; n], vec![0.0; n]);
    let mut values = vec![100.0; n];
    process.begin(&mut rng, plan.rows as u64 - 1);
    process.prices(&mut values);
    // A period of several rows is as many times as long, and trades as many times as much.
    let rows_each = plan.period as f64;
    let mut volumes: Vec<f64> = Vec::new();
    let mut observe = |process: &AnyProcess, row: usize| {
        if row.is_multiple_of(plan.period) {
            volumes.extend(process.volumes().into_iter().flatten().map(|volume| volume * rows_each));
        }
    };
    observe(&process, 0);
    for row in 1..plan.rows {
        process.advance(&mut rng, &mut growth, &mut log_growth);
        for asset in 0..n {
            values.push(values[(row - 1) * n + asset] * growth[asset]);
        }
        observe(&process, row);
    }
    let observed = match process.period_seconds() {
        Some(seconds) if !volumes.is_empty() => {
            let rows = volumes.len() / n;
            Some(Observed {
                volumes: Table::new("volumes", volumes, rows, n)?,
                period_seconds: seconds * rows_each,
            })
        }
        _ => None,
    };
    Ok((Table::new("prices", values, plan.rows, n)?, observed))
}

impl From<EnvError> for BacktestError {
    fn from(error: EnvError) -> Self {
        Self::Env(error)
    }
}

//! Prices and the portfolio in them.

use std::ops::Range;
use std::path::PathBuf;

use gym::envs::{PortfolioRebalancing, PortfolioRebalancingConfig};
use gym::prices::{GivenConfig, PriceProcess, Prices, PricesConfig, Table};
use gym::{Env, EnvError};
use lob::ParameterError;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::entrant::{Decider, Prepared};
use super::{BacktestConfig, BacktestError};
use crate::evaluation::session_seed;

/// The prices of a backtest. Period `k` goes from row `k` to row `k + 1`; its decision knows the rows up to `k`.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) prices: Table,
    /// A row a period.
    log_growth: Vec<f64>,
    task: PortfolioRebalancingConfig,
    seed: u64,
    directory: PathBuf,
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
        let rows = match task.prices.resolve(task.assets, &config.env.directory)? {
            Prices::Table { table, .. } => table,
            Prices::Process(mut process) => {
                let n = process.assets();
                let mut rng = SimRng::seed_from_u64(session_seed(plan.seed, 0));
                let (mut growth, mut log_growth) = (vec![1.0; n], vec![0.0; n]);
                let mut values = vec![100.0; n];
                process.begin(&mut rng, plan.rows as u64 - 1);
                for row in 1..plan.rows {
                    process.advance(&mut rng, &mut growth, &mut log_growth);
                    for asset in 0..n {
                        values.push(values[(row - 1) * n + asset] * growth[asset]);
                    }
                }
                Table::new("prices", values, plan.rows, n)?
            }
        };
        let kept: Vec<f64> =
            (0..rows.rows()).step_by(plan.period).flat_map(|row| rows.row(row).iter().copied()).collect();
        let n = rows.columns();
        if let Some(index) = kept.iter().position(|&price| price <= 0.0) {
            let key = format!("prices[{}][{}]", index / n * plan.period, index % n);
            return Err(ParameterError::new(key, kept[index], "a price > 0").into());
        }
        let log_growth = kept.iter().zip(kept.iter().skip(n)).map(|(a, b)| libm::log(b / a)).collect();
        let prices = Table::new("prices", kept.clone(), kept.len() / n.max(1), n)?;
        Ok(Self { prices, log_growth, task, seed: plan.seed, directory: config.env.directory.clone() })
    }

    pub(super) fn assets(&self) -> usize {
        self.prices.columns()
    }

    pub(super) fn periods(&self) -> usize {
        self.prices.rows().saturating_sub(1)
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
        let prices = PricesConfig::Given(GivenConfig { table, random_start: false });
        let task = PortfolioRebalancingConfig { prices, assets: None, steps: None, ..self.task.clone() };
        Ok(PortfolioRebalancing::new(&task, &self.directory)?)
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

impl From<EnvError> for BacktestError {
    fn from(error: EnvError) -> Self {
        Self::Env(error)
    }
}

//! What a comparison measured.

use serde::Serialize;

/// The result of `lobgym compare`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// One for each market and number of lots.
    pub cells: Vec<Cell>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it was made with.
    pub settings: Settings,
}

/// What a comparison was made with, so that it can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// Seed of the first session; every strategy meets the same sessions.
    pub seed: u64,
    /// Sessions a cell.
    pub episodes: usize,
    /// Threads it ran on, which change nothing but the time.
    pub threads: usize,
    /// `sell` or `buy`.
    pub side: String,
    /// Time for the parent order, in seconds.
    pub horizon_seconds: f64,
    /// Time between decisions, in seconds.
    pub step_seconds: f64,
    /// The `.npz` file of the order flow, if it was not the project's own.
    pub flow_file: Option<String>,
    /// Fees, in words.
    pub fees: String,
    /// Latency, in words.
    pub latency: String,
    /// Version of the program.
    pub version: String,
    /// The strategies compared, in order.
    pub strategies: Vec<String>,
    /// The command line.
    pub command: String,
    /// True if it was stopped early, so that cells or episodes are missing.
    pub interrupted: bool,
}

/// One market and one size of the parent order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Name of the market.
    pub market: String,
    /// Size of the parent order.
    pub lots: u64,
    /// One for each strategy.
    pub strategies: Vec<StrategySummary>,
    /// Differences on the same sessions.
    pub paired: Vec<Paired>,
}

/// How a strategy did in a cell. Costs are in ticks per lot of the parent order, positive = paid.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StrategySummary {
    /// Name of the strategy.
    pub name: String,
    /// Sessions behind the figures.
    pub episodes: usize,
    /// Mean reward, in ticks per lot against the best price at arrival; higher is better.
    pub reward_mean: f64,
    /// Its standard deviation over the sessions.
    pub reward_std: f64,
    /// The standard error of the mean.
    pub reward_se: f64,
    /// Mean implementation shortfall against the mid at arrival.
    pub shortfall_ticks: f64,
    /// Its standard error.
    pub shortfall_se: f64,
    /// The same in basis points of the mid at arrival.
    pub shortfall_bps: f64,
    /// The part of the shortfall that is spread.
    pub spread_ticks: f64,
    /// The part that is impact.
    pub impact_ticks: f64,
    /// The part that is timing.
    pub timing_ticks: f64,
    /// The part that is fees.
    pub fees_ticks: f64,
    /// Share of the parent order that traded passively.
    pub fill_rate_passive: f64,
    /// Share that traded aggressively.
    pub fill_rate_aggressive: f64,
    /// Mean time of the last fill, in seconds.
    pub completion_seconds: f64,
    /// Lots of the parent order over all lots traded meanwhile.
    pub participation: f64,
    /// Mean reward over its standard deviation.
    pub risk_adjusted: f64,
    /// Mean of the worst 5% of rewards.
    pub cvar95: f64,
    /// The rewards of the single sessions, for their distribution.
    #[serde(skip)]
    pub rewards: Vec<f64>,
}

/// The mean difference in reward between two strategies on the same sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Paired {
    /// The strategy.
    pub name: String,
    /// What it is compared with.
    pub against: String,
    /// Mean of (reward of `name` - reward of `against`), in ticks per lot.
    pub difference: f64,
    /// Its 95% confidence interval: low, high.
    pub ci95: [f64; 2],
}

/// A session to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// Name of the market.
    pub market: String,
    /// Size of the parent order.
    pub lots: u64,
    /// Who traded.
    pub strategy: String,
    /// Seed of the session.
    pub seed: u64,
    /// What happened.
    pub episode: EpisodePicture,
}

/// What of a session is drawn. Times in seconds, prices in ticks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpisodePicture {
    /// Time, best bid, best ask, lots not filled yet; in order of time.
    pub steps: Vec<(f64, f64, f64, u64)>,
    /// Time, price, lots, and true if the fill was passive.
    pub fills: Vec<(f64, f64, u64, bool)>,
}

//! tmp
use serde::Serialize;
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub cells: Vec<Cell>,
    pub seconds: f64,
    pub settings: Settings,
}
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    pub seed: u64,
    pub episodes: usize,
    pub threads: usize,
    pub side: String,
    pub horizon_seconds: f64,
    pub step_seconds: f64,
    pub flow_file: Option<String>,
    pub fees: String,
    pub latency: String,
    pub version: String,
    pub strategies: Vec<String>,
    pub command: String,
    pub interrupted: bool,
}
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    pub market: String,
    pub lots: u64,
    pub strategies: Vec<StrategySummary>,
    pub paired: Vec<Paired>,
}
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategySummary {
    pub name: String,
    pub episodes: usize,
    pub reward_mean: f64,
    pub reward_std: f64,
    pub reward_se: f64,
    pub shortfall_ticks: f64,
    pub shortfall_bps: f64,
    pub spread_ticks: f64,
    pub impact_ticks: f64,
    pub timing_ticks: f64,
    pub fees_ticks: f64,
    pub fill_rate_passive: f64,
    pub fill_rate_aggressive: f64,
    pub completion_seconds: f64,
    pub participation: f64,
    pub shortfall_se: f64,
    pub risk_adjusted: f64,
    pub cvar95: f64,
    #[serde(skip)]
    pub rewards: Vec<f64>,
}
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    pub name: String,
    pub against: String,
    pub difference: f64,
    pub ci95: [f64; 2],
}
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub market: String,
    pub lots: u64,
    pub strategy: String,
    pub seed: u64,
    pub episode: EpisodePicture,
}
#[derive(Clone, Debug, PartialEq, Default)]
pub struct EpisodePicture {
    pub steps: Vec<(f64, f64, f64, u64)>,
    pub fills: Vec<(f64, f64, u64, bool)>,
}

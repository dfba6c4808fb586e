//! A calibration from its first look at the data to the comparison of the result with it.

use std::sync::atomic::AtomicBool;

use lob::ParameterError;
use lob::calibration::{
    Estimate, Grid, KindReaction, Observer, ReactionFit, ReferenceEstimator, ReferenceFit, ReferenceSettings,
    Tally,
};
use lob::flow::{FlowConfig, FlowParams, Imbalance, MarketConfig, Provenance, StandardErrors};
use lob::models::FeeConfig;
use lob::sim::LatencyConfig;
use serde::Serialize;

use super::check::{Check, Comparison};
use super::choose::{Choice, REACH, Survey};
use super::provenance::Source;
use super::{CalibrateError, Data, play_data, play_market};

/// The most events that the comparison simulates.
const COMPARED_EVENTS: f64 = 2e6;

/// The flow that is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// The reference flow, with a reaction to imbalance if the data shows one.
    Tactical,
    /// The reference flow without one.
    Noise,
}

/// What is to be calibrated to what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The data.
    pub data: Data,
    /// The flow.
    pub flow: FlowKind,
    /// Instrument ticks in a tick of the model; chosen if `None`.
    pub grid: Option<u64>,
    /// A lot of the model, in the instrument's unit; chosen if `None`.
    pub lot: Option<f64>,
    /// The window; chosen if `None`.
    pub levels: Option<usize>,
    /// A time of day: period in seconds, and equal parts of it.
    pub profile: Option<(f64, usize)>,
    /// Seed of the simulated session that the data is compared with.
    pub seed: u64,
}

/// A calibrated flow: docs/calibration.md has the fields of its JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Calibrated {
    /// 1.
    pub schema_version: u32,
    /// Name of the flow.
    pub flow: &'static str,
    /// Where the data comes from.
    pub source: Source,
    /// The grid, and what led to it.
    pub choice: Choice,
    /// What was made of the data's events.
    pub tally: Tally,
    /// Every estimate with its standard error.
    pub estimates: Vec<Estimate>,
    /// The reaction to imbalance, if there is one.
    pub reaction: Option<ReactionFit>,
    /// Whether each kind of event reacts; none were asked for under [`FlowKind::Noise`].
    pub kinds: Option<[KindReaction; 3]>,
    /// Seconds of the simulated session.
    pub simulated_seconds: f64,
    /// The data against the simulated market.
    pub comparison: Vec<Comparison>,
    /// The market, ready to be simulated.
    #[serde(skip)]
    pub market: FlowConfig,
    /// Standard errors by key of the order-flow file.
    #[serde(skip)]
    pub errors: StandardErrors,
}

/// Calibrates. `progress` hears of the pass (from 0) and of the bytes of the file read in it.
///
/// # Errors
/// If the file cannot be read or lacks something, a setting is not legal, or `stop` becomes true.
pub fn calibrate(
    request: &Request,
    stop: &AtomicBool,
    progress: &dyn Fn(usize, u64),
) -> Result<Calibrated, CalibrateError> {
    let data = &request.data;
    let mut survey = Survey::default();
    let shown = play_data(data, Grid::own(REACH), &mut [&mut survey], stop, &|bytes| progress(0, bytes))?;
    let lot = request.lot.map(|lot| {
        let count = shown.instrument.lot.count(lot).and_then(|count| u64::try_from(count).ok());
        let legal = || format!("a multiple of the instrument's lot, {}", shown.instrument.lot);
        count.filter(|&count| count > 0).ok_or_else(|| ParameterError::new("lot", lot, legal()))
    });
    let choice = survey.choose(request.grid, lot.transpose()?, request.levels);
    let grid = choice.grid;
    grid.validate()?;

    let mut settings = ReferenceSettings { profile: request.profile, ..ReferenceSettings::new(grid.levels) };
    if request.flow == FlowKind::Noise {
        settings.decays.clear();
    }
    let mut check = Check::default();
    let unfit = |problem| CalibrateError::Unfit { path: data.path.clone(), problem };
    let estimate = |settings: &ReferenceSettings, pass: usize, also: Option<&mut Check>| {
        let mut estimator = ReferenceEstimator::new(settings.clone())?;
        let mut observers: Vec<&mut dyn Observer> = vec![&mut estimator];
        if let Some(check) = also {
            observers.push(check);
        }
        let shown = play_data(data, grid, &mut observers, stop, &|bytes| progress(pass, bytes))?;
        Ok::<_, CalibrateError>((estimator.fit().map_err(unfit)?, shown))
    };
    let (mut fit, shown) = estimate(&settings, 1, Some(&mut check))?;
    if let Some(closer) = fit.closer(&settings) {
        fit = estimate(&closer, 2, None)?.0;
    }
    let market = market(&fit);

    let real = check.figures();
    let total: f64 = real.rates.iter().sum();
    let simulated_seconds = (4.0 * real.seconds).clamp(600.0, 1e6).min(COMPARED_EVENTS / total);
    let mut simulated = Check::default();
    play_market(&market, grid.levels, request.seed, simulated_seconds, &mut [&mut simulated])?;
    Ok(Calibrated {
        schema_version: 1,
        flow: market.name(),
        source: Source::new(data, &shown, grid)?,
        choice,
        tally: shown.tally,
        errors: fit.standard_errors(),
        estimates: fit.estimates,
        reaction: fit.reaction,
        kinds: fit.kinds,
        simulated_seconds,
        comparison: real.against(&simulated.figures()),
        market,
    })
}

fn market(fit: &ReferenceFit) -> FlowConfig {
    let params = Box::new(fit.params.clone());
    match params.imbalance {
        Imbalance::None => FlowConfig::Noise(params),
        Imbalance::Linear { .. } => FlowConfig::Tactical(params),
    }
}

impl Calibrated {
    /// The parameters of the reference flow.
    pub fn params(&self) -> Option<&FlowParams> {
        match &self.market {
            FlowConfig::Noise(params) | FlowConfig::Tactical(params) => Some(params),
            _ => None,
        }
    }

    /// The market around the flow, without fees and latency.
    pub fn market_config(&self) -> MarketConfig {
        MarketConfig {
            flow: self.market.clone(),
            flow_file: None,
            fees: FeeConfig::None,
            latency: LatencyConfig::default(),
        }
    }

    /// Where the parameters come from, for the order-flow file.
    pub fn provenance(&self) -> Provenance {
        let source = &self.source;
        let grid = &self.choice.grid;
        let entries = [
            ("tool", "lobgym calibrate".to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("flow", self.flow.to_owned()),
            ("data", source.file.clone()),
            ("data_digest", format!("xxh3-64 {}", source.digest)),
            ("data_format", source.format.to_owned()),
            ("data_date", source.dates.clone()),
            ("symbol", source.symbol.clone()),
            ("span", format!("{} s to {:.3} s after the first event", source.from, source.until)),
            ("valid_seconds", format!("{:.3}", self.tally.valid_seconds)),
            ("instrument_tick", source.tick.clone()),
            ("instrument_lot", source.lot.clone()),
            ("model_tick", format!("{} ({} instrument ticks)", source.model_tick, grid.ticks)),
            ("model_lot", format!("{} ({} instrument lots)", source.model_lot, grid.lot)),
            ("levels", grid.levels.to_string()),
            ("estimator", "counts over exposures, product-limit sizes, likelihood of the imbalance: docs/calibration.md".to_owned()),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

//! A calibration from its first look at the data to the comparison of the result with it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use lob::ParameterError;
use lob::calibration::{
    Estimate, Grid, HawkesFit, KindReaction, MarketStatistics, ReactionFit, StatisticsObserver, Tally,
    compare,
};
use lob::data::NpzError;
use lob::flow::{FlowConfig, FlowParams, HawkesParams, MarketConfig, Provenance, StandardErrors};
use lob::models::FeeConfig;
use lob::sim::LatencyConfig;
use serde::Serialize;

use super::check::{Check, Comparison};
use super::choose::{Choice, REACH, Survey};
use super::estimated::{Estimated, Look, Session, hawkes, queue_reactive, reference, simulate};
use super::provenance::Source;
use super::report::{CalibrationReport, EstimateTable, Model};
use super::{CalibrateError, Data, play_data};

/// The most events that the comparison simulates.
const COMPARED_EVENTS: f64 = 2e6;

/// The flow that is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// The reference flow, with a reaction to imbalance if the data shows one.
    Tactical,
    /// The reference flow without one.
    Noise,
    /// The queue-reactive flow, with so many queues on each side.
    QueueReactive(usize),
    /// The Hawkes flow.
    Hawkes,
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
    /// Also the Hawkes flow, beside the one that is asked for.
    pub hawkes: bool,
    /// Whether bids and asks of the reference flow are told apart; otherwise they are mirror images.
    pub sides_apart: bool,
    /// A time of day: period in seconds, and equal parts of it.
    pub profile: Option<(f64, usize)>,
    /// Seed of the simulated session that the data is compared with.
    pub seed: u64,
    /// How the command is spelled, without folders, for the provenance.
    pub command: String,
}

/// A calibrated flow: docs/calibration.md has the fields of its JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Calibrated {
    /// 1.
    pub schema_version: u32,
    /// Name of the flow.
    pub flow: &'static str,
    /// How it was asked for.
    pub command: String,
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
    /// Whether each kind of event reacts; `None` where that is not asked.
    pub kinds: Option<[KindReaction; 3]>,
    /// Seconds of the simulated session.
    pub simulated_seconds: f64,
    /// The data against the simulated market.
    pub comparison: Vec<Comparison>,
    /// Estimates of the Hawkes flow beside the one that was asked for, if it was.
    pub hawkes_estimates: Vec<Estimate>,
    /// The fit of the Hawkes flow's times, if there is one.
    pub hawkes: Option<HawkesFit>,
    /// What the data looks like.
    pub real: MarketStatistics,
    /// What the calibrated markets look like, the one that was asked for first.
    pub models: Vec<Model>,
    /// The market, ready to be simulated.
    #[serde(skip)]
    pub market: FlowConfig,
    /// Standard errors by key of the order-flow file.
    #[serde(skip)]
    pub errors: StandardErrors,
    /// The Hawkes flow that was estimated beside it, with its standard errors.
    #[serde(skip)]
    pub beside: Option<(Box<HawkesParams>, StandardErrors)>,
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
    let mut choice = survey.choose(request.grid, lot.transpose()?, request.levels);
    if let FlowKind::QueueReactive(queues) = request.flow {
        // The window must reach over the queues and a wide spread.
        choice.grid.levels = choice.grid.levels.max(queues.saturating_add(20)).min(lob::flow::MAX_LEVELS);
    }
    let grid = choice.grid;
    grid.validate()?;
    let look = Look { data, grid, stop, progress };
    // Only the queues are simulated by the queue-reactive flow, of which the first stands at distance 1 while the spread is a tick.
    let new_check = || match request.flow {
        FlowKind::QueueReactive(queues) => Check::within(queues),
        _ => Check::default(),
    };
    let (mut check, mut real) = (new_check(), StatisticsObserver::new());
    let shown = look.again(1, &mut [&mut check, &mut real])?;
    let (figures, real) = (check.figures(), real.statistics());
    let total: f64 = figures.rates.iter().sum();
    let simulated_seconds = (4.0 * figures.seconds).clamp(600.0, 1e6).min(COMPARED_EVENTS / total);
    let session = Session { seed: request.seed, seconds: simulated_seconds };
    let mut statistics = StatisticsObserver::new();
    let (estimated, simulated) = match request.flow {
        FlowKind::QueueReactive(queues) => queue_reactive(&look, queues, &figures, session, &mut statistics)?,
        flow => {
            let mut estimated = match flow {
                FlowKind::Hawkes => hawkes(&look, 2)?.into(),
                _ => reference(&look, flow == FlowKind::Tactical, request)?,
            };
            let mut simulated = Check::default();
            simulate(&look, &mut estimated.market, session, &mut [&mut simulated, &mut statistics])?;
            (estimated, simulated.figures())
        }
    };
    let model = |name: &str, statistics: &StatisticsObserver| {
        let statistics = statistics.statistics();
        Model { name: name.to_owned(), comparison: compare(&real, &statistics), statistics }
    };
    let mut models = vec![model(estimated.market.name(), &statistics)];
    let mut beside = None;
    let mut fit = estimated.hawkes;
    let mut hawkes_estimates = Vec::new();
    if request.hawkes && request.flow != FlowKind::Hawkes {
        let mut own: Estimated = hawkes(&look, 4)?.into();
        let mut statistics = StatisticsObserver::new();
        simulate(&look, &mut own.market, session, &mut [&mut statistics])?;
        models.push(model("hawkes", &statistics));
        if let FlowConfig::Hawkes(params) = own.market {
            beside = Some((params, own.errors));
        }
        (fit, hawkes_estimates) = (own.hawkes, own.estimates);
    }
    Ok(Calibrated {
        schema_version: 1,
        flow: estimated.market.name(),
        command: request.command.clone(),
        source: Source::new(data, &shown, grid)?,
        choice,
        tally: shown.tally,
        errors: estimated.errors,
        estimates: estimated.estimates,
        reaction: estimated.reaction,
        kinds: estimated.kinds,
        simulated_seconds,
        comparison: figures.against(&simulated),
        hawkes_estimates,
        hawkes: fit,
        real,
        models,
        market: estimated.market,
        beside,
    })
}

impl Calibrated {
    /// The parameters of the reference flow; `None` for other flows.
    pub fn params(&self) -> Option<&FlowParams> {
        match &self.market {
            FlowConfig::Noise(params) | FlowConfig::Tactical(params) => Some(params),
            _ => None,
        }
    }

    /// Writes the order-flow file: the flow that was asked for, and the Hawkes flow beside it. False for a flow that has no file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_npz(&self, path: &Path) -> Result<bool, NpzError> {
        let provenance = self.provenance();
        match &self.market {
            FlowConfig::Noise(params) | FlowConfig::Tactical(params) => {
                let beside = self.beside.as_ref().map(|(params, errors)| (&**params, errors));
                params.to_npz_beside(path, &provenance, &self.errors, beside)?;
            }
            FlowConfig::Hawkes(params) => params.to_npz(path, &self.errors, &provenance)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The page's content: docs/calibration.md, "The report".
    pub fn report(&self) -> CalibrationReport {
        let mut estimates = vec![EstimateTable { flow: self.flow.to_owned(), rows: self.estimates.clone() }];
        if !self.hawkes_estimates.is_empty() {
            let rows = self.hawkes_estimates.clone();
            estimates.push(EstimateTable { flow: "hawkes".to_owned(), rows });
        }
        CalibrationReport {
            schema_version: 1,
            title: format!("Calibration to {}", self.source.file),
            provenance: self.provenance(),
            real: self.real.clone(),
            models: self.models.clone(),
            estimates,
            hawkes: self.hawkes.clone(),
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
        let estimator = match &self.market {
            FlowConfig::QueueReactive(_) => {
                "counts over times at each size; theta_reinit by the volatility: docs/calibration.md"
            }
            FlowConfig::Hawkes(_) => "maximum likelihood: docs/calibration_hawkes.md",
            _ => {
                "counts over exposures, product-limit sizes, likelihood of the imbalance: docs/calibration.md"
            }
        };
        let entries = [
            ("tool", "lobgym calibrate".to_owned()),
            ("command", self.command.clone()),
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
            ("estimator", estimator.to_owned()),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

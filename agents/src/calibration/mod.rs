//! Calibration of a flow to a file of market data: docs/calibration.md.
//!
//! The file is read several times, always in a stream: once to choose the grid, and then for each estimator. [`play_data`] shows it to any
//! observers, [`play_market`] a simulated market to the same ones.

mod check;
mod choose;
mod estimated;
mod figure;
mod provenance;
mod render;
mod report;
mod run;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use lob::ParameterError;
use lob::calibration::{Grid, MarketSource, Observer, SimulationWatch, Span, Tally, watch_simulation};
use lob::data::market::{self, Instrument, ReadError, ReadOptions};
use lob::flow::FlowConfig;
use thiserror::Error;

pub use check::{Check, Comparison, Figures};
pub use choose::{Choice, Survey};
pub use provenance::{Source, date};
pub use render::render;
pub use report::{CalibrationReport, EstimateTable, Model, report_html, verdict_table, write_report};
pub use run::{Calibrated, FlowKind, Request, calibrate};

/// Why a flow could not be calibrated.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// The file of market data could not be read.
    #[error("{}: {source}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: ReadError,
    },
    /// The file itself could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It holds several instruments.
    #[error("{} holds several instruments ({first}, {second}, ...); choose one by --symbols", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// One.
        first: String,
        /// Another.
        second: String,
    },
    /// The data lacks what the estimator needs, or a setting is not legal.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: ParameterError,
    },
    /// A setting is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A file of market data, to be shown to observers as often as needed.
#[derive(Clone, Debug)]
pub struct Data {
    /// The file.
    pub path: PathBuf,
    /// How it is read.
    pub options: ReadOptions,
    /// From when to when, in seconds since the first event.
    pub span: Span,
}

/// What a showing of a file leaves behind.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What was made of the events.
    pub tally: Tally,
    /// The instrument.
    pub instrument: Instrument,
    /// Name of the file's format.
    pub format: &'static str,
    /// First and last stamp of the exchange in nanoseconds, of the whole file.
    pub stamps: (u64, u64),
    /// Damaged records that were passed over.
    pub damaged: u64,
}

/// Shows a file of market data to observers, on a grid. `progress` hears of the bytes read, as they are packed.
///
/// # Errors
/// If the file cannot be read, holds several instruments or lacks something, or `stop` becomes true.
pub fn play_data(
    data: &Data,
    grid: Grid,
    observers: &mut [&mut dyn Observer],
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Shown, CalibrateError> {
    let failed = |source| CalibrateError::Data { path: data.path.clone(), source };
    let unfit = |problem| CalibrateError::Unfit { path: data.path.clone(), problem };
    // Without it, executions of what rested before a LOBSTER file began are of no order.
    let orderbook = data.options.orderbook.clone().or_else(|| market::orderbook_beside(&data.path));
    let options = ReadOptions { orderbook, ..data.options.clone() };
    let mut reader = market::open(&data.path, &options).map_err(failed)?;
    let mut source = MarketSource::new(grid, data.span)?;
    let mut events = Vec::new();
    loop {
        events.clear();
        let more = reader.read(&mut events).map_err(failed)?;
        for event in &events {
            if event.instrument != 0 {
                let symbol = |index: usize| {
                    let instrument = reader.instruments().get(index);
                    instrument.map_or_else(|| "?".to_owned(), |instrument| instrument.symbol.clone())
                };
                let (first, second) = (symbol(0), symbol(usize::from(event.instrument)));
                return Err(CalibrateError::Several { path: data.path.clone(), first, second });
            }
            source.see(event, observers);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(CalibrateError::Stopped);
        }
        progress(reader.progress().0);
        if !more {
            break;
        }
    }
    source.end(observers);
    source.check().map_err(unfit)?;
    let (Some(instrument), Some(stamps)) = (reader.instruments().first().cloned(), source.stamps()) else {
        return Err(unfit(ParameterError::new("events", "an empty list", "market data of one instrument")));
    };
    Ok(Shown {
        tally: *source.tally(),
        instrument,
        format: reader.format().name(),
        stamps,
        damaged: reader.tally().damaged,
    })
}

/// Shows a simulated session to observers, as [`play_data`] does a file.
///
/// # Errors
/// What is not legal in the market.
pub fn play_market(
    market: &FlowConfig,
    levels: usize,
    seed: u64,
    seconds: f64,
    observers: &mut [&mut dyn Observer],
) -> Result<Tally, CalibrateError> {
    // The opening book has no gaps; a tenth of the session lets it find its own shape.
    let burn_in = market.opening().lead_in_seconds.max(0.1 * seconds);
    let watch = SimulationWatch { seed, seconds: burn_in + seconds, burn_in, levels, crowd_only: true };
    Ok(watch_simulation(market, &watch, observers)?)
}

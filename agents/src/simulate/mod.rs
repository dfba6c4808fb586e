//! A market's sessions, played for their statistics and written down event by event: what `lobgym simulate` and the Python package show.

mod figure;
mod recording;
mod report;
mod session;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use lob::ParameterError;
use lob::data::NpzError;
use lob::flow::FlowConfig;
use lob::sim::LatencyError;
use thiserror::Error;

pub use figure::draw;
pub use recording::{EVENT_KINDS, RecordedEvent, Recording, Snapshot, Target};
pub use report::{
    Correlations, DepthPoint, Impact, InterEventTime, Rate, Report, ResponsePoint, SignaturePoint, Spread,
    SpreadShare,
};
pub use session::Sides;

use session::{Plan, SAMPLES_PER_SECOND};

/// Book snapshots that one recording may hold.
const MOST_SNAPSHOTS: f64 = 1e7;

/// What is to be played and recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Length of a session, in seconds from t = 0: 1 to 1,000,000; rounded to tenths.
    pub seconds: f64,
    /// Sessions that the statistics are taken over, 1 to 100,000.
    pub sessions: u64,
    /// Session `i` has the seed `derive_seed(seed, i)`.
    pub seed: u64,
    /// Worker threads, 1 to 1,024; the results do not depend on it.
    pub threads: usize,
    /// Time between snapshots, in seconds.
    pub interval: f64,
    /// Levels of the snapshots and of the depth profile, 1 to 1,024.
    pub levels: usize,
}

/// Why sessions could not be played or kept.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// A setting or a market parameter is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A latency model cannot be used.
    #[error(transparent)]
    Latency(#[from] LatencyError),
    /// An `.npz` file could not be written.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// Another file could not be written.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The statistics could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// It was stopped: a part of the sessions says nothing.
    #[error("stopped before the end")]
    Stopped,
}

impl Settings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let illegal = |key: &str, value: f64, legal: &str| Err(ParameterError::new(key, value, legal));
        if !(1.0..=1e6).contains(&self.seconds) {
            return illegal("seconds", self.seconds, "1 to 1000000 seconds");
        }
        if !(self.interval > 0.0 && self.interval <= self.seconds) {
            return illegal("interval", self.interval, "above 0 and at most the session's seconds");
        }
        if self.seconds / self.interval > MOST_SNAPSHOTS {
            return illegal("interval", self.interval, "long enough for at most 10000000 snapshots");
        }
        for (key, value, most) in [
            ("sessions", self.sessions, 100_000),
            ("threads", self.threads as u64, 1024),
            ("levels", self.levels as u64, 1024),
        ] {
            if !(1..=most).contains(&value) {
                return Err(ParameterError::new(key, value, format!("a whole number from 1 to {most}")));
            }
        }
        Ok(())
    }

    /// Length of a session in samples of the book.
    fn samples(&self) -> usize {
        (self.seconds * SAMPLES_PER_SECOND as f64).round() as usize
    }
}

/// Plays all sessions of a market and takes their statistics. `progress` is called after each session.
///
/// # Errors
/// [`SimulateError::Parameter`]; [`SimulateError::Stopped`] once `stop` is true.
pub fn statistics(
    market: &str,
    flow: &FlowConfig,
    settings: &Settings,
    stop: &AtomicBool,
    progress: &(dyn Fn() + Sync),
) -> Result<Report, SimulateError> {
    settings.validate()?;
    let plan = Plan {
        flow,
        seed: settings.seed,
        sessions: settings.sessions as usize,
        samples: settings.samples(),
        levels: settings.levels,
        threads: settings.threads,
    };
    let sums = session::play_all(&plan, stop, progress)?;
    Ok(report::summarise(settings, market.to_owned(), flow.opening().book, sums))
}

/// Plays the first session once more, and writes down everything.
///
/// # Errors
/// [`SimulateError::Parameter`]; [`SimulateError::Stopped`] once `stop` is true.
pub fn record(flow: &FlowConfig, settings: &Settings, stop: &AtomicBool) -> Result<Recording, SimulateError> {
    settings.validate()?;
    let seconds = settings.samples() as f64 / SAMPLES_PER_SECOND as f64;
    recording::record(flow, settings.seed, seconds, settings.interval, settings.levels, &|| {
        stop.load(Ordering::Relaxed)
    })
}

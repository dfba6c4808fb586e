//! Sessions of a market, played for their statistics: `lobgym.simulate`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use agents::simulate::{self as sessions_of, Recording, Report, Settings, SimulateError, Target};
use numpy::{PyArray1, PyArray2};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{self, illegal};
use crate::simulator::SessionEventRow;
use crate::{errors, interrupt, market};

type Argument<'a, 'py> = &'a Bound<'py, PyAny>;

/// See `_core.pyi`.
#[pyclass(module = "lobgym._core", name = "Simulation", frozen)]
pub(crate) struct PySimulation {
    report: Report,
    recording: Option<Recording>,
}

fn raised(error: SimulateError) -> PyErr {
    let text = error.to_string();
    match error {
        SimulateError::Parameter(_) | SimulateError::Latency(_) => PyValueError::new_err(text),
        SimulateError::Npz(_) | SimulateError::Output { .. } => PyOSError::new_err(text),
        SimulateError::Plot(_) | SimulateError::Stopped => PyRuntimeError::new_err(text),
    }
}

/// Worker threads: as many as asked for, or one a core.
pub(crate) fn threads(value: Option<Argument<'_, '_>>) -> PyResult<usize> {
    match value {
        Some(value) => Ok(arguments::count("threads", value, 1, 1024)? as usize),
        None => Ok(agents::sharing::one_a_core()),
    }
}

/// Tells Python of progress, where it asked for it and there is some.
pub(crate) struct Progress<'a, 'py> {
    callback: Option<Argument<'a, 'py>>,
    total: u64,
    told: u64,
}

impl<'a, 'py> Progress<'a, 'py> {
    pub(crate) fn new(callback: Option<Argument<'a, 'py>>, total: u64) -> PyResult<Self> {
        if let Some(callback) = callback
            && !callback.is_callable()
        {
            return Err(illegal("progress", callback, "None or a callable that takes done and total"));
        }
        Ok(Self { callback, total, told: 0 })
    }

    pub(crate) fn tell(&mut self, done: u64) -> PyResult<()> {
        if let Some(callback) = self.callback
            && done != self.told
        {
            self.told = done;
            callback.call1((done, self.total))?;
        }
        Ok(())
    }
}

/// Plays sessions of a market.
#[pyfunction]
#[pyo3(signature = (market="noise", *, seconds=None, sessions=None, seed=None, threads=None, interval=None, levels=None, record=true, progress=None, **settings))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
pub(crate) fn simulate(
    py: Python<'_>,
    market: &str,
    seconds: Option<Argument<'_, '_>>,
    sessions: Option<Argument<'_, '_>>,
    seed: Option<Argument<'_, '_>>,
    threads: Option<Argument<'_, '_>>,
    interval: Option<Argument<'_, '_>>,
    levels: Option<Argument<'_, '_>>,
    record: bool,
    progress: Option<Argument<'_, '_>>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<PySimulation> {
    let plan = Settings {
        seconds: arguments::float("seconds", seconds, 600.0)?,
        sessions: sessions.map_or(Ok(20), |value| arguments::count("sessions", value, 1, 100_000))?,
        seed: seed.map_or(Ok(0), |value| arguments::count("seed", value, 0, u64::MAX))?,
        threads: self::threads(threads)?,
        interval: arguments::float("interval", interval, 1.0)?,
        levels: levels.map_or(Ok(10), |value| arguments::count("levels", value, 1, 1024))? as usize,
    };
    plan.validate().map_err(|error| PyValueError::new_err(error.to_string()))?;
    let market_settings = market::settings(market, settings)?;
    let resolved = market_settings.resolve(market::directory()).map_err(|error| errors::config(&error))?;
    let name = market_name(&market_settings.market);
    let done = AtomicU64::new(0);
    let mut progress = Progress::new(progress, plan.sessions)?;
    let result = interrupt::run_watched(
        py,
        |stop| {
            let report = sessions_of::statistics(&name, &resolved.flow, &plan, stop, &|| {
                done.fetch_add(1, Ordering::Relaxed);
            })?;
            let recording =
                if record { Some(sessions_of::record(&resolved.flow, &plan, stop)?) } else { None };
            Ok(PySimulation { report, recording })
        },
        |_| progress.tell(done.load(Ordering::Relaxed)),
    )?;
    let simulation = result.map_err(raised)?;
    progress.tell(done.load(Ordering::Relaxed))?;
    Ok(simulation)
}

/// The name of a market in results: that of a file without its ending.
pub(crate) fn market_name(market: &str) -> String {
    let path = Path::new(market);
    match (path.extension(), path.file_stem()) {
        (Some(_), Some(stem)) => stem.to_string_lossy().into_owned(),
        _ => market.to_owned(),
    }
}

impl PySimulation {
    fn recording(&self) -> PyResult<&Recording> {
        self.recording
            .as_ref()
            .ok_or_else(|| illegal("record", "False", "True, for simulations whose events are asked for"))
    }

    fn target(path: &Path) -> PyResult<Target> {
        let text = path.to_str().ok_or_else(|| illegal("path", path.display(), "a path in Unicode"))?;
        Target::parse(text).map_err(|legal| illegal("path", text, legal.trim_start_matches("legal: ")))
    }
}

#[pymethods]
impl PySimulation {
    /// The statistics as JSON.
    fn to_json(&self) -> PyResult<String> {
        json(&self.report)
    }

    /// The statistics.
    #[getter]
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (self.to_json()?,))
    }

    /// The events of the first session.
    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<SessionEventRow>>> {
        let events = &self.recording()?.events;
        Ok(PyArray1::from_vec(py, events.iter().map(SessionEventRow::new).collect()))
    }

    /// Snapshots of the first session's book, column by column.
    #[getter]
    fn snapshots<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let snapshots = &self.recording()?.snapshots;
        let columns = PyDict::new(py);
        let price = |price: Option<lob::Price>| price.map_or(f64::NAN, |price| price.0 as f64);
        let column = |of: &dyn Fn(&sessions_of::Snapshot) -> f64| {
            PyArray1::from_vec(py, snapshots.iter().map(of).collect())
        };
        columns.set_item("time", column(&|snapshot| snapshot.time))?;
        columns.set_item("best_bid", column(&|snapshot| price(snapshot.bid)))?;
        columns.set_item("best_ask", column(&|snapshot| price(snapshot.ask)))?;
        for (side, name) in ["bid_lots", "ask_lots"].into_iter().enumerate() {
            let rows: Vec<Vec<i64>> = snapshots
                .iter()
                .map(|snapshot| snapshot.lots[side].iter().map(|lots| lots.0.cast_signed()).collect())
                .collect();
            columns.set_item(name, PyArray2::from_vec2(py, &rows)?)?;
        }
        Ok(columns)
    }

    /// Writes the events to a file.
    fn write_events(&self, path: PathBuf) -> PyResult<()> {
        self.recording()?.write_events(&Self::target(&path)?).map_err(raised)
    }

    /// Writes the snapshots to a file.
    fn write_snapshots(&self, path: PathBuf) -> PyResult<()> {
        self.recording()?.write_snapshots(&Self::target(&path)?).map_err(raised)
    }

    /// Draws the statistics.
    fn to_svg(&self, path: PathBuf) -> PyResult<()> {
        write(&path, &sessions_of::draw(&self.report).map_err(raised)?)
    }

    fn __repr__(&self) -> String {
        let Report { market, sessions, seconds, seed, .. } = &self.report;
        format!("Simulation(market={market:?}, sessions={sessions}, seconds={seconds}, seed={seed})")
    }
}

/// A result as the command writes it.
pub(crate) fn json(value: &impl serde::Serialize) -> PyResult<String> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(text + "\n")
}

/// Writes a file that appears whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> PyResult<()> {
    agents::write_text(path, text).map_err(|error| PyOSError::new_err(format!("{}: {error}", path.display())))
}

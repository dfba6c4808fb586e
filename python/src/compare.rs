//! Comparisons of execution strategies: `lobgym.compare`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use agents::baselines::{StrategyName, StrategyParams};
use agents::compare::{
    self as comparing, AGAINST, Compared, DEFAULT_STRATEGIES, NamedMarket, Origin, Plan, REFERENCE_LOTS,
    REFERENCE_MARKETS,
};
use agents::execution::{Candidate, Entrant, EpisodeError, Outcome};
use agents::report::{Paired, StrategySummary, comparison_html, terminal_table};
use lob::Side;
use numpy::PyArray1;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{self, illegal};
use crate::simulate::{Progress, json, market_name, threads, write};
use crate::{errors, interrupt, market};

type Argument<'a, 'py> = &'a Bound<'py, PyAny>;

/// See `_core.pyi`.
#[pyclass(module = "lobgym._core", name = "Comparison", frozen)]
pub(crate) struct PyComparison {
    compared: Compared,
}

fn strategies(value: Option<Argument<'_, '_>>) -> PyResult<Vec<Entrant>> {
    let Some(value) = value else { return Ok(DEFAULT_STRATEGIES.map(Entrant::from).to_vec()) };
    let names = match value.extract::<String>() {
        Ok(name) => vec![name],
        Err(_) => value.extract::<Vec<String>>().map_err(|_| {
            let legal = DEFAULT_STRATEGIES.map(StrategyName::name).join(", ");
            PyTypeError::new_err(format!("strategies is {value}; legal: a list of {legal}, policy:PATH"))
        })?,
    };
    let parse =
        |name: String| name.parse::<Entrant>().map_err(|error| PyValueError::new_err(error.to_string()));
    names.into_iter().map(parse).collect()
}

/// One size, several, or `"all"`.
fn lots(value: Option<Argument<'_, '_>>) -> PyResult<Vec<u64>> {
    let Some(value) = value else { return Ok(vec![20]) };
    let legal = "an integer from 1 to 1000000, a list of them, or \"all\"";
    if let Ok(text) = value.extract::<String>() {
        return if text == "all" {
            Ok(REFERENCE_LOTS.to_vec())
        } else {
            Err(illegal("lots", format_args!("{text:?}"), legal))
        };
    }
    if let Ok(iterator) = value.try_iter() {
        return iterator.map(|item| arguments::number("lots", &item?, legal)).collect();
    }
    Ok(vec![arguments::number("lots", value, legal)?])
}

fn markets(names: Vec<String>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<NamedMarket>> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        let chosen = if name == "all" { REFERENCE_MARKETS.map(String::from).to_vec() } else { vec![name] };
        for name in chosen {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    if all.is_empty() {
        return Err(illegal("market", "empty", "at least one market"));
    }
    let load = |market: String| {
        let settings = market::settings(&market, settings)?;
        let (config, home) = settings.load(market::directory()).map_err(|error| errors::config(&error))?;
        let latency =
            config.latency.compile(home).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(NamedMarket { name: market_name(&market), config, latency })
    };
    all.into_iter().map(load).collect()
}

/// Compares execution strategies over the same sessions.
#[pyfunction]
#[pyo3(signature = (market=None, *, lots=None, strategies=None, side="sell", episodes=None, seed=None, threads=None, horizon_seconds=None, step_seconds=None, participation_rate=None, risk_aversion=None, progress=None, **settings))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
pub(crate) fn compare(
    py: Python<'_>,
    market: Option<Argument<'_, '_>>,
    lots: Option<Argument<'_, '_>>,
    strategies: Option<Argument<'_, '_>>,
    side: &str,
    episodes: Option<Argument<'_, '_>>,
    seed: Option<Argument<'_, '_>>,
    threads: Option<Argument<'_, '_>>,
    horizon_seconds: Option<Argument<'_, '_>>,
    step_seconds: Option<Argument<'_, '_>>,
    participation_rate: Option<Argument<'_, '_>>,
    risk_aversion: Option<Argument<'_, '_>>,
    progress: Option<Argument<'_, '_>>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyComparison> {
    let names = market.map_or_else(|| Ok(vec!["noise".to_owned()]), market::names)?;
    let mut params = StrategyParams::default();
    let rate = params.participation_rate;
    params.participation_rate = arguments::float("participation_rate", participation_rate, rate)?;
    let aversion = params.almgren_chriss.risk_aversion;
    params.almgren_chriss.risk_aversion = arguments::float("risk_aversion", risk_aversion, aversion)?;
    let plan = Plan {
        lots: self::lots(lots)?,
        side: match side {
            "sell" => Side::Sell,
            "buy" => Side::Buy,
            other => return Err(illegal("side", format_args!("{other:?}"), "\"sell\", \"buy\"")),
        },
        episodes: episodes.map_or(Ok(10_000), |value| arguments::count("episodes", value, 1, 10_000_000))?
            as usize,
        strategies: self::strategies(strategies)?,
        against: AGAINST,
        params,
        horizon_seconds: arguments::float("horizon_seconds", horizon_seconds, 150.0)?,
        step_seconds: arguments::float("step_seconds", step_seconds, 15.0)?,
        seed: seed.map_or(Ok(0), |value| arguments::count("seed", value, 0, u64::MAX))?,
        held_out: false,
        threads: self::threads(threads)?,
        examples: true,
    };
    let plan = plan.tidy().map_err(|error| PyValueError::new_err(error.to_string()))?;
    let origin = Origin { flow_file: flow_file(settings)?, command: command(&names, &plan, settings)? };
    let markets = markets(names, settings)?;
    let total = plan.episodes as u64 * markets.len() as u64;
    let mut progress = Progress::new(progress, total)?;
    let done = AtomicU64::new(0);
    let result = interrupt::run_watched(
        py,
        |stop| {
            comparing::run(plan, &markets, origin, stop, &|_, episodes| {
                done.fetch_add(episodes as u64, Ordering::Relaxed);
            })
        },
        |_| progress.tell(done.load(Ordering::Relaxed)),
    )?;
    let compared = result.map_err(|error| raised(&error))?;
    progress.tell(done.load(Ordering::Relaxed))?;
    Ok(PyComparison { compared })
}

/// What Python raises for an error of a session.
pub(crate) fn raised(error: &EpisodeError) -> PyErr {
    let text = error.to_string();
    match error {
        EpisodeError::Policy(problem) => errors::policy(problem),
        EpisodeError::Market(_) => PyValueError::new_err(text),
        EpisodeError::Env(_) | EpisodeError::NoArrivalMid { .. } => PyRuntimeError::new_err(text),
    }
}

fn flow_file(settings: Option<&Bound<'_, PyDict>>) -> PyResult<Option<String>> {
    let file = settings.map(|settings| settings.get_item("flow_file")).transpose()?.flatten();
    Ok(file.filter(|file| !file.is_none()).map(|file| file.to_string()))
}

/// The call that would make the comparison again.
fn command(names: &[String], plan: &Plan, settings: Option<&Bound<'_, PyDict>>) -> PyResult<String> {
    let strategies: Vec<String> = plan.strategies.iter().map(Entrant::to_string).collect();
    let mut text = format!(
        "lobgym.compare({names:?}, lots={:?}, strategies={strategies:?}, side=\"{}\", episodes={}, seed={}, horizon_seconds={}, \
         step_seconds={}, participation_rate={}, risk_aversion={}",
        plan.lots,
        plan.side,
        plan.episodes,
        plan.seed,
        plan.horizon_seconds,
        plan.step_seconds,
        plan.params.participation_rate,
        plan.params.almgren_chriss.risk_aversion
    );
    for (key, value) in settings.into_iter().flatten() {
        text += &format!(", {key}={}", value.repr()?);
    }
    Ok(text + ")")
}

/// The columns of a table in the making.
struct Columns<'py>(Bound<'py, PyDict>);

impl<'py> Columns<'py> {
    fn new(py: Python<'py>) -> Self {
        Self(PyDict::new(py))
    }

    fn texts<'a>(&self, name: &str, values: impl Iterator<Item = &'a str>) -> PyResult<()> {
        let numpy = self.0.py().import("numpy")?;
        self.0.set_item(name, numpy.call_method1("array", (values.collect::<Vec<_>>(), "U"))?)
    }

    /// Texts by their number in a list, for long columns.
    fn coded(&self, name: &str, names: &[&str], codes: Vec<u32>) -> PyResult<()> {
        let numpy = self.0.py().import("numpy")?;
        let names = numpy.call_method1("array", (names.to_vec(), "U"))?;
        self.0.set_item(name, names.call_method1("take", (PyArray1::from_vec(self.0.py(), codes),))?)
    }

    fn integers(&self, name: &str, values: impl Iterator<Item = u64>) -> PyResult<()> {
        let values = values.map(|value| value as i64).collect();
        self.0.set_item(name, PyArray1::from_vec(self.0.py(), values))
    }

    fn floats(&self, name: &str, values: impl Iterator<Item = f64>) -> PyResult<()> {
        self.0.set_item(name, PyArray1::from_vec(self.0.py(), values.collect()))
    }

    fn table(self) -> PyResult<Bound<'py, PyAny>> {
        self.0.py().import("lobgym.table")?.getattr("Table")?.call1((self.0,))
    }
}

/// The numbers of a row of the table.
type Of<T> = (&'static str, fn(&T) -> f64);

const SUMMARY: [Of<StrategySummary>; 16] = [
    ("reward_mean", |row| row.reward_mean),
    ("reward_std", |row| row.reward_std),
    ("reward_se", |row| row.reward_se),
    ("shortfall_ticks", |row| row.shortfall_ticks),
    ("shortfall_se", |row| row.shortfall_se),
    ("shortfall_bps", |row| row.shortfall_bps),
    ("spread_ticks", |row| row.spread_ticks),
    ("impact_ticks", |row| row.impact_ticks),
    ("timing_ticks", |row| row.timing_ticks),
    ("fees_ticks", |row| row.fees_ticks),
    ("fill_rate_passive", |row| row.fill_rate_passive),
    ("fill_rate_aggressive", |row| row.fill_rate_aggressive),
    ("completion_seconds", |row| row.completion_seconds),
    ("participation", |row| row.participation),
    ("risk_adjusted", |row| row.risk_adjusted),
    ("cvar95", |row| row.cvar95),
];

const OUTCOME: [Of<Outcome>; 11] = [
    ("reward", |row| row.reward),
    ("shortfall_ticks", |row| row.shortfall),
    ("shortfall_bps", |row| row.shortfall_bps),
    ("spread_ticks", |row| row.spread),
    ("impact_ticks", |row| row.impact),
    ("timing_ticks", |row| row.timing),
    ("fees_ticks", |row| row.fees),
    ("fill_rate_passive", |row| row.passive),
    ("fill_rate_aggressive", |row| row.aggressive),
    ("completion_seconds", |row| row.completion_seconds),
    ("participation", |row| row.participation),
];

const PAIRED: [Of<Paired>; 3] =
    [("difference", |row| row.difference), ("ci95_low", |row| row.ci95[0]), ("ci95_high", |row| row.ci95[1])];

#[pymethods]
impl PyComparison {
    /// A row for each market, size and strategy.
    #[getter]
    fn table<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let cells = &self.compared.comparison.cells;
        let rows: Vec<_> =
            cells.iter().flat_map(|cell| cell.strategies.iter().map(move |row| (cell, row))).collect();
        let columns = Columns::new(py);
        columns.texts("market", rows.iter().map(|(cell, _)| cell.market.as_str()))?;
        columns.integers("lots", rows.iter().map(|(cell, _)| cell.lots))?;
        columns.texts("strategy", rows.iter().map(|(_, row)| row.name.as_str()))?;
        columns.integers("episodes", rows.iter().map(|(_, row)| row.episodes as u64))?;
        for (name, of) in SUMMARY {
            columns.floats(name, rows.iter().map(|(_, row)| of(row)))?;
        }
        columns.table()
    }

    /// Differences of mean rewards over the same sessions.
    #[getter]
    fn paired<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let cells = &self.compared.comparison.cells;
        let rows: Vec<_> =
            cells.iter().flat_map(|cell| cell.paired.iter().map(move |row| (cell, row))).collect();
        let columns = Columns::new(py);
        columns.texts("market", rows.iter().map(|(cell, _)| cell.market.as_str()))?;
        columns.integers("lots", rows.iter().map(|(cell, _)| cell.lots))?;
        columns.texts("strategy", rows.iter().map(|(_, row)| row.name.as_str()))?;
        columns.texts("against", rows.iter().map(|(_, row)| row.against.as_str()))?;
        for (name, of) in PAIRED {
            columns.floats(name, rows.iter().map(|(_, row)| of(row)))?;
        }
        columns.table()
    }

    /// A row for each market, size, strategy and episode.
    #[getter]
    fn outcomes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (mut markets, mut lots, mut strategies, mut episodes) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut rows: Vec<&Outcome> = Vec::new();
        let mut strategy_names: Vec<&str> = Vec::new();
        for (code, market) in self.compared.outcomes.iter().enumerate() {
            let mut place = 0;
            for lineup in &market.lineups {
                for name in lineup.candidates.iter().map(Candidate::name) {
                    let known = strategy_names.iter().position(|other| *other == name);
                    let strategy = known.unwrap_or_else(|| {
                        strategy_names.push(name);
                        strategy_names.len() - 1
                    });
                    for episode in 0..market.outcomes.episodes() {
                        markets.push(code as u32);
                        lots.push(lineup.task.lots);
                        strategies.push(strategy as u32);
                        episodes.push(episode as u64);
                        rows.push(&market.outcomes.row(episode)[place]);
                    }
                    place += 1;
                }
            }
        }
        let names: Vec<&str> = self.compared.outcomes.iter().map(|market| market.market.as_str()).collect();
        let columns = Columns::new(py);
        columns.coded("market", &names, markets)?;
        columns.integers("lots", lots.into_iter())?;
        columns.coded("strategy", &strategy_names, strategies)?;
        columns.integers("episode", episodes.into_iter())?;
        for (name, of) in OUTCOME {
            columns.floats(name, rows.iter().map(|row| of(row)))?;
        }
        columns.table()
    }

    /// What strategies could not trade, and what should be known of policies.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        let notes = self.compared.notes.iter().cloned();
        notes.chain(comparing::warnings(&self.compared.comparison)).collect()
    }

    /// How long it took, in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        self.compared.comparison.seconds
    }

    /// The results as the command's JSON.
    fn to_json(&self) -> PyResult<String> {
        json(&self.compared.comparison)
    }

    /// The page.
    fn html(&self) -> String {
        comparison_html(&self.compared.comparison, &self.compared.examples)
    }

    /// Writes the page.
    fn to_html(&self, path: PathBuf) -> PyResult<()> {
        write(&path, &self.html())
    }

    fn __str__(&self) -> String {
        terminal_table(&self.compared.comparison)
    }

    fn __repr__(&self) -> String {
        let settings = &self.compared.comparison.settings;
        let cells = self.compared.comparison.cells.len();
        format!(
            "Comparison({cells} cells, strategies={:?}, episodes={})",
            settings.strategies, settings.episodes
        )
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        self.table(py)?.call_method0("_repr_html_")?.extract()
    }
}

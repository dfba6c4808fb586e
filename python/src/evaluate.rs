//! Policies evaluated over the same sessions of an environment: `lobgym.evaluate`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use agents::evaluation::{EvaluateError, Finding, Request, perform, usual_policies};
use agents::market_making::QuotingError;
use gym::EnvConfig;
use numpy::PyArray1;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use serde_json::{Map, Value};

use crate::arguments::{self, shown};
use crate::compare::{self, Columns};
use crate::simulate::{Progress, json, threads, write};
use crate::{config, errors, interrupt};

type Argument<'a, 'py> = &'a Bound<'py, PyAny>;

/// See `_core.pyi`.
#[pyclass(module = "lobgym._core", name = "Evaluation", frozen)]
pub(crate) struct PyEvaluation {
    found: Finding,
    /// The results as the command's JSON has them.
    value: Value,
}

fn raised(error: &EvaluateError) -> PyErr {
    let text = error.to_string();
    match error {
        EvaluateError::Config(error) | EvaluateError::Quoting(QuotingError::Config(error)) => {
            errors::config(error)
        }
        EvaluateError::Policy(error) => errors::policy(error),
        EvaluateError::Env(error) | EvaluateError::Quoting(QuotingError::Env(error)) => errors::env(error),
        EvaluateError::Episode(error) => compare::raised(error),
        EvaluateError::Parameter(_)
        | EvaluateError::Latency(_)
        | EvaluateError::Quoting(QuotingError::Parameter(_)) => PyValueError::new_err(text),
    }
}

/// A name, or all settings with the name among them.
fn environment(env: Argument<'_, '_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<EnvConfig> {
    if let Ok(name) = env.extract::<String>() {
        return config::resolve(&name, None, settings);
    }
    let legal = "the name of an environment, or a mapping of its settings with its name";
    let refused = || PyTypeError::new_err(format!("env is {}; legal: {legal}", shown(env)));
    let map = env.cast::<PyMapping>().map_err(|_| refused())?;
    let name = map.get_item("name").and_then(|name| name.extract::<String>());
    config::resolve(&name.map_err(|_| refused())?, Some(env), settings)
}

fn names(policies: Argument<'_, '_>) -> PyResult<Vec<String>> {
    if let Ok(name) = policies.extract::<String>() {
        return Ok(vec![name]);
    }
    policies.extract::<Vec<String>>().map_err(|_| {
        let legal = "a list of names, as join:skew=4, twap or policy:PATH";
        PyTypeError::new_err(format!("policies is {}; legal: {legal}", shown(policies)))
    })
}

/// Evaluates policies over the same sessions.
#[pyfunction]
#[pyo3(signature = (env=None, policies=None, *, episodes=None, seed=None, threads=None, against=None, grid=false, progress=None, **settings))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
pub(crate) fn evaluate(
    py: Python<'_>,
    env: Option<Argument<'_, '_>>,
    policies: Option<Argument<'_, '_>>,
    episodes: Option<Argument<'_, '_>>,
    seed: Option<Argument<'_, '_>>,
    threads: Option<Argument<'_, '_>>,
    against: Option<String>,
    grid: bool,
    progress: Option<Argument<'_, '_>>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyEvaluation> {
    let env = match env {
        Some(env) => environment(env, settings)?,
        None => config::resolve("market_making", None, settings)?,
    };
    let policies = match policies {
        Some(policies) => names(policies)?,
        None if grid => Vec::new(),
        None => usual_policies(&env),
    };
    let episodes = episodes.map_or(Ok(2_000), |value| arguments::count("episodes", value, 1, 10_000_000))?;
    let seed = seed.map_or(Ok(0), |value| arguments::count("seed", value, 0, u64::MAX))?;
    let mut request = Request {
        env,
        policies,
        grid,
        episodes: episodes as usize,
        seed,
        threads: self::threads(threads)?,
        against,
        examples: true,
        command: String::new(),
    };
    request.command = command(py, &request)?;
    let mut progress = Progress::new(progress, episodes)?;
    let done = AtomicU64::new(0);
    let result = interrupt::run_watched(
        py,
        |stop| {
            perform(&request, stop, &|_, finished| {
                done.fetch_add(finished as u64, Ordering::Relaxed);
            })
        },
        |_| progress.tell(done.load(Ordering::Relaxed)),
    )?;
    let found = result.map_err(|error| raised(&error))?;
    progress.tell(done.load(Ordering::Relaxed))?;
    let value = found.json().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(PyEvaluation { found, value })
}

/// The call that would evaluate the same again.
fn command(py: Python<'_>, request: &Request) -> PyResult<String> {
    let env = config::to_dict(py, &request.env.to_map())?.repr()?.to_string();
    let against = request.against.as_ref().map_or_else(|| "None".to_owned(), |name| format!("{name:?}"));
    let grid = if request.grid { "True" } else { "False" };
    Ok(format!(
        "lobgym.evaluate({env}, {:?}, episodes={}, seed={}, against={against}, grid={grid})",
        request.policies, request.episodes, request.seed
    ))
}

impl PyEvaluation {
    fn rows(&self, key: &str) -> Vec<&Map<String, Value>> {
        let rows = self.value.get(key).and_then(Value::as_array);
        rows.map(|rows| rows.iter().filter_map(Value::as_object).collect()).unwrap_or_default()
    }

    /// Rows as columns, what all have in common first; an interval becomes two of them, and what is no single number is left out.
    fn columns<'py>(&self, py: Python<'py>, key: &str, first: &[&str]) -> PyResult<Bound<'py, PyAny>> {
        let rows = self.rows(key);
        let columns = Columns::new(py);
        let more = rows.first().into_iter().flat_map(|row| row.keys().map(String::as_str));
        let more: Vec<&str> = more.filter(|name| !first.contains(name)).collect();
        let number = |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or(f64::NAN);
        for &name in first.iter().chain(&more) {
            let values = || rows.iter().map(|row| row.get(name));
            let is_text = values().any(|value| value.is_some_and(Value::is_string));
            let is_interval = name.ends_with("ci95");
            if is_text || (rows.is_empty() && matches!(name, "name" | "against")) {
                columns
                    .texts(name, values().map(|value| value.and_then(Value::as_str).unwrap_or_default()))?;
            } else if name == "episodes" {
                columns.integers(name, values().map(|value| value.and_then(Value::as_u64).unwrap_or(0)))?;
            } else if is_interval {
                for (end, suffix) in ["low", "high"].into_iter().enumerate() {
                    let column = values().map(|value| number(value.and_then(|value| value.get(end))));
                    columns.floats(&format!("{name}_{suffix}"), column)?;
                }
            } else if !values().any(|value| value.is_some_and(Value::is_array)) {
                columns.floats(name, values().map(number))?;
            }
        }
        columns.table()
    }
}

#[pymethods]
impl PyEvaluation {
    /// A row for each policy.
    #[getter]
    fn table<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.columns(py, "policies", &["name", "episodes", "reward_mean", "reward_std", "reward_se"])
    }

    /// Differences of mean rewards over the same sessions.
    #[getter]
    fn paired<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.columns(py, "paired", &["name", "against", "difference", "ci95"])
    }

    /// The reward of each session, by policy.
    #[getter]
    fn rewards<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rewards = PyDict::new(py);
        for (index, name) in self.found.names().into_iter().enumerate() {
            rewards.set_item(name, PyArray1::from_slice(py, self.found.rewards(index)))?;
        }
        Ok(rewards)
    }

    /// What it was made with.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        bridge::settings::to_python(py, self.value.get("settings").unwrap_or(&Value::Null))
    }

    /// What should be known before the figures are believed.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.found.warnings()
    }

    /// The results as the command's JSON.
    fn to_json(&self) -> PyResult<String> {
        json(&self.value)
    }

    /// The page.
    fn html(&self, py: Python<'_>) -> PyResult<String> {
        // The session that is drawn is played now.
        interrupt::run(py, |_| self.found.html())?.map_err(|error| raised(&error))
    }

    /// Writes the page.
    fn to_html(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        write(&path, &self.html(py)?)
    }

    fn __str__(&self) -> String {
        self.found.table()
    }

    fn __repr__(&self) -> String {
        format!("Evaluation(policies={:?}, episodes={})", self.found.names(), self.found.episodes())
    }
}

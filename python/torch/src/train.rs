//! A training, watched from Python.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use agents::rl::directory::{CHECKPOINT, free_directory};
use agents::rl::{Observer, Outcome, Report, RunOptions};
use bridge::{errors, interrupt};
use lob::ParameterError;
use pyo3::exceptions::{PyFileNotFoundError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tch::{Cuda, Device};

use crate::config;

/// A report on its way to the interpreter's thread.
struct Question {
    update: u64,
    updates: u64,
    steps: u64,
    total_steps: u64,
    steps_per_second: f64,
    mean_return: Option<f64>,
    metrics: Vec<(&'static str, f64)>,
    /// Whether to go on. Dropped without an answer, it means no.
    answer: Sender<bool>,
}

impl Question {
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = PyDict::new(py);
        report.set_item("update", self.update)?;
        report.set_item("updates", self.updates)?;
        report.set_item("steps", self.steps)?;
        report.set_item("total_steps", self.total_steps)?;
        report.set_item("steps_per_second", self.steps_per_second)?;
        report.set_item("mean_return", self.mean_return)?;
        let metrics = PyDict::new(py);
        for (name, value) in &self.metrics {
            metrics.set_item(name, value)?;
        }
        report.set_item("metrics", metrics)?;
        Ok(report)
    }
}

/// Asks the interpreter's thread after each update, where somebody there wants to know, and looks whether it has called it all off.
struct Watcher<'a> {
    stop: &'a AtomicBool,
    questions: Option<Sender<Question>>,
}

impl Observer for Watcher<'_> {
    fn evaluating(&mut self, _done: usize, _total: usize) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn updated(&mut self, report: &Report<'_>) -> bool {
        let go_on = self.questions.as_ref().is_none_or(|questions| {
            let (answer, answered) = channel();
            let question = Question {
                update: report.update,
                updates: report.updates,
                steps: report.steps,
                total_steps: report.total_steps,
                steps_per_second: report.steps_per_second,
                mean_return: report.mean_return,
                metrics: report.metrics.to_vec(),
                answer,
            };
            questions.send(question).is_ok() && answered.recv().unwrap_or(false)
        });
        go_on && !self.stop.load(Ordering::Relaxed)
    }
}

fn device(name: &str) -> PyResult<Device> {
    let index = match name {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => Some(0),
        other => other.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok()),
    };
    let found = usize::try_from(errors::guarded(Cuda::device_count)?).unwrap_or_default();
    match index.filter(|index| *index < found) {
        Some(index) => Ok(Device::Cuda(index)),
        None => {
            let legal = if found > 0 {
                format!("\"cpu\", \"cuda\", \"cuda:0\" to \"cuda:{}\"", found - 1)
            } else {
                "\"cpu\"; libtorch finds no CUDA device".to_owned()
            };
            Err(illegal("device", format_args!("{name:?}"), legal))
        }
    }
}

fn illegal(key: &str, value: impl std::fmt::Display, legal: impl Into<String>) -> PyErr {
    PyValueError::new_err(ParameterError::new(key, value, legal).to_string())
}

/// Trains, or goes on training.
///
/// `config` and `overrides` say what, `out` is the run's directory (by default `runs/NAME-N`), `threads` are by default one a core. `begun`
/// is called with the directory when the settings have been found legal, `observer` with a dictionary after each update; false from it ends
/// training. Both are called on the caller's thread. Returns how it ended.
#[pyfunction]
#[pyo3(signature = (config, overrides, *, out=None, resume=false, device="cpu", threads=None, begun=None, observer=None))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
pub(crate) fn train<'py>(
    py: Python<'py>,
    config: &Bound<'py, PyAny>,
    overrides: &Bound<'py, PyDict>,
    out: Option<PathBuf>,
    resume: bool,
    device: &str,
    threads: Option<&Bound<'py, PyAny>>,
    begun: Option<&Bound<'py, PyAny>>,
    observer: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (run, name) = config::resolve(config, overrides)?;
    let directory = match (out, resume) {
        (Some(directory), _) => directory,
        (None, false) => free_directory(&name),
        (None, true) => return Err(illegal("out", "None", "the run's directory, as resume is True")),
    };
    if resume && !directory.join(CHECKPOINT).exists() {
        let text = format!("{}: there is no {CHECKPOINT} to go on from", directory.display());
        return Err(PyFileNotFoundError::new_err(text));
    }
    let options = RunOptions {
        directory,
        resume,
        device: self::device(device)?,
        threads: match threads {
            Some(threads) => count(threads)?,
            None => agents::sharing::one_a_core(),
        },
    };
    if let Some(begun) = begun {
        begun.call1((&options.directory,))?;
    }
    let asked = observer.is_some();
    let outcome = interrupt::run_served(
        py,
        |stop, questions| {
            let questions = asked.then_some(questions);
            agents::rl::train(&run, &options, &mut Watcher { stop, questions })
        },
        |py, question: Option<Question>| {
            let (Some(question), Some(observer)) = (question, observer) else { return Ok(()) };
            let go_on = observer.call1((question.to_dict(py)?,))?.is_truthy()?;
            // Nobody listens where the training has failed meanwhile.
            let _ = question.answer.send(go_on);
            Ok(())
        },
    )?;
    let Outcome { updates, steps, complete, mean_return, policy, evaluation } =
        outcome.map_err(|error| crate::errors::train(&error))?;
    let result = PyDict::new(py);
    result.set_item("directory", options.directory)?;
    result.set_item("updates", updates)?;
    result.set_item("steps", steps)?;
    result.set_item("complete", complete)?;
    result.set_item("mean_return", mean_return)?;
    result.set_item("policy", policy)?;
    result.set_item("evaluation", evaluation)?;
    Ok(result)
}

fn count(threads: &Bound<'_, PyAny>) -> PyResult<usize> {
    let legal = "None, or an integer from 1 to 1024";
    let text = || threads.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string());
    let count: u64 = threads
        .extract()
        .map_err(|_| PyTypeError::new_err(ParameterError::new("threads", text(), legal).to_string()))?;
    if (1..=1024).contains(&count) { Ok(count as usize) } else { Err(illegal("threads", count, legal)) }
}

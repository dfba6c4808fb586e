//! How trainings fail, as Python's exceptions.

use agents::rl::{LearnError, TrainError};
use bridge::errors;
use pyo3::exceptions::{PyFileExistsError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// A training that could not begin or stopped.
pub(crate) fn train(error: &TrainError) -> PyErr {
    let text = error.to_string();
    match error {
        TrainError::Config(error) => errors::config(error),
        TrainError::Learn(LearnError::Env(error)) => errors::env(error),
        // A state that does not fit is one of other settings.
        TrainError::Learn(LearnError::Parameter(_) | LearnError::State(_)) => PyValueError::new_err(text),
        TrainError::Learn(LearnError::Rollout { .. } | LearnError::Diverged { .. }) => {
            PyRuntimeError::new_err(text)
        }
        TrainError::Io { problem, .. } => errors::system(problem, text),
        TrainError::Policy(error) => errors::policy(error),
        TrainError::Evaluation(_) => PyRuntimeError::new_err(text),
        TrainError::Exists(directory) => PyFileExistsError::new_err(format!(
            "{}: there is a run already; go on with it by resume=True, or give another directory as out",
            directory.display()
        )),
        TrainError::Resume { .. } => PyValueError::new_err(text),
    }
}

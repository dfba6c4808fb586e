//! What goes wrong in Rust, as Python's exceptions. Their classes are in `lobgym/errors.py`: some have two bases.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use agents::policy::PolicyError;
use gym::{ConfigError, EnvError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::import_exception!(gymnasium.error, ResetNeeded);
pyo3::import_exception!(lobgym.errors, BusyError);
pyo3::import_exception!(lobgym.errors, ClosedError);
pyo3::import_exception!(lobgym.errors, InternalError);
pyo3::import_exception!(lobgym.errors, InvalidAction);
pyo3::import_exception!(lobgym.errors, SessionError);

/// Settings that cannot be used: `ValueError`, or `OSError` for a file that cannot be read.
pub fn config(error: &ConfigError) -> PyErr {
    let text = error.to_string();
    match error {
        ConfigError::Io { problem, .. } => system(problem, text),
        _ => PyValueError::new_err(text),
    }
}

/// What an environment refused.
pub fn env(error: &EnvError) -> PyErr {
    let text = error.to_string();
    match error {
        EnvError::Action { .. } => InvalidAction::new_err(text),
        EnvError::NotReset { .. } | EnvError::Ended { .. } => ResetNeeded::new_err(text),
        EnvError::Session { .. } => SessionError::new_err(text),
        EnvError::Parameter(_) | EnvError::Buffer { .. } => PyValueError::new_err(text),
    }
}

/// A panic is a defect of ours; it ends the call and not the interpreter.
pub fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    InternalError::new_err(format!("internal error in lobgym, please report it: {text}"))
}

/// Calls `work`; its panic becomes `lobgym.InternalError`.
///
/// Whoever changes something in `work` must not use it again after an error: it may have been left half-way.
pub fn guarded<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked(&*panic))
}

/// A policy's file that cannot be used, or a policy that does not fit.
pub fn policy(error: &PolicyError) -> PyErr {
    match error {
        PolicyError::Io { problem, .. } => system(problem, error.to_string()),
        PolicyError::Content { .. } | PolicyError::Misfit { .. } => PyValueError::new_err(error.to_string()),
    }
}

/// What the system said, in more words: `FileNotFoundError`, `PermissionError` and the like.
pub fn system(problem: &std::io::Error, text: String) -> PyErr {
    std::io::Error::new(problem.kind(), text).into()
}

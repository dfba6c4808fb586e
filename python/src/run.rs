//! The directories of runs. `lobgym.Run` reads the rest of them itself.

use std::path::PathBuf;

use agents::report::{RunLog, run_html};
use agents::rl::RunConfig;
use gym::Settings;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{config, errors};

/// A YAML file as a dictionary.
#[pyfunction]
pub(crate) fn _settings(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let settings = Settings::read(path).map_err(|error| errors::config(&error))?;
    config::to_dict(py, settings.root())
}

/// The page of a run: its learning curves and settings.
#[pyfunction]
pub(crate) fn _training_html(py: Python<'_>, directory: PathBuf) -> PyResult<String> {
    let page = || {
        let settings = Settings::read(directory.join("config.yaml"));
        let run = settings.and_then(|settings| RunConfig::from_settings(&settings));
        let run = run.map_err(|error| errors::config(&error))?;
        let log = RunLog::read(&directory, format!("seed {}", run.common.seed));
        let log = log.map_err(|error| errors::system(&error, format!("{}: {error}", directory.display())))?;
        Ok(run_html(&run, &[log]))
    };
    py.detach(|| errors::guarded(page))?
}

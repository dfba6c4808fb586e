//! Where environments stand, kept aside.

use std::sync::Arc;

use gym::{AnyEnv, EnvConfig, Episodes};
use lob::ParameterError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Where one or more environments stand, in the middle of an episode or not: what `save_state` gives and `restore_state` takes, as often
/// as wanted. It does not change when the environments go on.
#[pyclass(frozen, module = "lobgym._core")]
pub(crate) struct State {
    pub(crate) config: Arc<EnvConfig>,
    pub(crate) lanes: Vec<Episodes<AnyEnv>>,
    /// What they see, one after the other.
    pub(crate) observations: Vec<f32>,
}

impl State {
    /// Whether it can be put into `num_envs` environments with these settings.
    pub(crate) fn check(&self, config: &EnvConfig, num_envs: usize) -> PyResult<()> {
        let refuse = |value: String, legal: String| {
            Err(PyValueError::new_err(ParameterError::new("state", value, legal).to_string()))
        };
        if self.lanes.len() != num_envs {
            return refuse(format!("of {} environments", self.lanes.len()), format!("a state of {num_envs}"));
        }
        if *self.config != *config {
            let (ours, theirs) = (config.to_map(), self.config.to_map());
            let other = theirs.iter().find(|(key, value)| ours.get(*key) != Some(value));
            let difference = other.map_or_else(String::new, |(key, value)| format!(" with {key} = {value}"));
            return refuse(
                format!("of another environment{difference}"),
                "a state of an environment with the same settings".to_owned(),
            );
        }
        Ok(())
    }
}

#[pymethods]
impl State {
    /// How many environments.
    #[getter]
    fn num_envs(&self) -> usize {
        self.lanes.len()
    }

    fn __repr__(&self) -> String {
        format!("State({}, num_envs={})", self.config.name(), self.lanes.len())
    }
}

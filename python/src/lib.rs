//! The Python extension `lobgym._core`: adapts the market, the environments, the comparisons and trained policies to Python and adds
//! nothing.

// In alphabetical order.
mod arguments;
mod arrays;
mod batch;
mod book;
mod compare;
mod config;
mod env;
mod evaluate;
mod features;
mod indicators;
mod market;
mod policy;
mod record;
mod render;
mod run;
mod simulate;
mod simulator;
mod space;
mod state;
mod tables;
mod vector;

use bridge::{errors, interrupt};
use pyo3::prelude::*;

/// Panics, for the tests, as a defect would: on this thread or where [`interrupt`] works.
#[pyfunction]
fn _panic(py: Python<'_>, elsewhere: bool) -> PyResult<()> {
    if elsewhere {
        interrupt::run(py, |_| panic!("on purpose"))
    } else {
        errors::guarded(|| panic!("on purpose"))
    }
}

/// Everything native.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    // In alphabetical order of their names in Python.
    #[pymodule_export]
    use crate::_panic;
    #[pymodule_export]
    use crate::book::PyOrderBook;
    #[pymodule_export]
    use crate::compare::{PyComparison, compare};
    #[pymodule_export]
    use crate::env::Env;
    #[pymodule_export]
    use crate::evaluate::{PyEvaluation, evaluate};
    #[pymodule_export]
    use crate::features::{PyFeatureSet, PyNormalisation};
    #[pymodule_export]
    use crate::indicators::{_indicator, Indicator};
    #[pymodule_export]
    use crate::policy::PyPolicy;
    #[pymodule_export]
    use crate::run::{_settings, _training_html};
    #[pymodule_export]
    use crate::simulate::{PySimulation, simulate};
    #[pymodule_export]
    use crate::simulator::PySimulator;
    #[pymodule_export]
    use crate::state::State;
    #[pymodule_export]
    use crate::vector::VecEnv;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::book::register(module)?;
        crate::simulator::register(module)?;
        // Names are told in `lobgym/__init__.py`.
        module.delattr("__all__")
    }
}

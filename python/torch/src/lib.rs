//! The Python extension `lobgym._torch`: the learners. It is loaded after `import torch`, whose libtorch it uses; `lobgym.train` sees to
//! that.

mod config;
mod errors;
mod train;

/// Everything that needs libtorch.
#[pyo3::pymodule]
mod _torch {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::train::train;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        // Names are told in `lobgym/__init__.py`.
        module.delattr("__all__")
    }
}

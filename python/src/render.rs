//! Pictures: all that this crate needs of `gym::render`.

use gym::{Scene, render};
use numpy::{PyArray1, PyArray3, PyArrayMethods};
use pyo3::prelude::*;

/// The ladder as text, in colours if wanted.
pub(crate) fn ansi(scene: &Scene, colour: bool) -> String {
    render::ansi(scene, colour)
}

/// The depth of an episode over time, with the participant's quotes and trades.
pub(crate) struct Picture(render::HeatMap);

impl Picture {
    /// An empty picture of `height` x `width` pixels.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self(render::HeatMap::new(width, height))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a moment.
    pub(crate) fn push(&mut self, scene: &Scene) {
        self.0.push(scene);
    }

    /// u8[height, width, 3]
    pub(crate) fn array<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let shape = [self.0.height(), self.0.width(), 3];
        PyArray1::from_slice(py, self.0.rgb()).reshape(shape)
    }
}

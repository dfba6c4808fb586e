//! Arrays of numbers from Python, of whatever NumPy makes one.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An array with its shape, or what was found instead, in words for an error.
type Found<'py> = Result<(Bound<'py, PyAny>, Vec<usize>), String>;

/// What NumPy makes of a value, if that is an array of real numbers.
pub(crate) fn numbers<'py>(value: &Bound<'py, PyAny>) -> PyResult<Found<'py>> {
    let numpy = value.py().import("numpy")?;
    let Ok(array) = numpy.call_method1("asarray", (value,)) else {
        let name = value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string());
        return Ok(Err(format!("{name}, of which NumPy makes no array")));
    };
    let dtype = array.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    if !matches!(kind.as_str(), "f" | "i" | "u") {
        return Ok(Err(format!("an array of {dtype}")));
    }
    let shape = array.getattr("shape")?.extract()?;
    Ok(Ok((array, shape)))
}

/// The array as float64, row by row without gaps; the same one if it is like that.
pub(crate) fn contiguous<'py>(array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(array.py());
    options.set_item("dtype", "float64")?;
    array.py().import("numpy")?.call_method("ascontiguousarray", (array,), Some(&options))
}

//! Indicators: over arrays, and tick by tick. `lobgym/indicators.py` has their signatures.

use gym::indicators::{AnyIndicator, IndicatorConfig, batch};
use lob::ParameterError;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::arguments::number;
use crate::{arrays, config, errors};

pub(crate) fn refused(error: &ParameterError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn read(name: &str, settings: &Bound<'_, PyDict>) -> PyResult<IndicatorConfig> {
    let settings = config::mapping(settings.as_mapping(), "", 0)?;
    IndicatorConfig::from_map(name, settings).map_err(|error| refused(&error))
}

/// One number a row, copied: other threads may write to the array while the interpreter's lock is released.
pub(crate) fn column(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    const LEGAL: &str = "a one-dimensional array of numbers";
    let refuse = |found: String| PyTypeError::new_err(format!("{key} is {found}; legal: {LEGAL}"));
    let (array, shape) = arrays::numbers(value)?.map_err(refuse)?;
    if shape.len() != 1 {
        let text = format!("{key} is an array of shape {}; legal: {LEGAL}", array.getattr("shape")?);
        return Err(PyValueError::new_err(text));
    }
    let array = arrays::contiguous(&array)?;
    let array = array.cast_into::<PyArray1<f64>>()?;
    let array = array.try_readonly().map_err(|error| PyValueError::new_err(format!("{key}: {error}")))?;
    Ok(array.as_slice()?.to_vec())
}

/// The indicator `name` over columns, one for each of its inputs; a list with an array for each of its outputs.
#[pyfunction]
pub(crate) fn _indicator<'py>(
    py: Python<'py>,
    name: &str,
    settings: &Bound<'py, PyDict>,
    columns: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyList>> {
    let config = read(name, settings)?;
    let indicator = AnyIndicator::new(&config).map_err(|error| refused(&error))?;
    let names = indicator.inputs();
    if columns.len() != names.len() {
        return Err(PyTypeError::new_err(format!("{} arrays; legal: {}", columns.len(), names.join(", "))));
    }
    let mut inputs: Vec<Vec<f64>> = Vec::with_capacity(names.len());
    for (key, value) in names.iter().zip(columns) {
        let is_one_session = *key == "session" && value.is_none();
        let rows = inputs.first().map_or(0, Vec::len);
        inputs.push(if is_one_session { vec![0.0; rows] } else { column(key, &value)? });
    }
    let outputs = py.detach(|| {
        errors::guarded(|| {
            let mut outputs = vec![vec![0.0; inputs[0].len()]; indicator.outputs().len()];
            let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
            let mut columns: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            batch(&config, &inputs, &mut columns).map(|()| outputs)
        })
    })?;
    let outputs = outputs.map_err(|error| refused(&error))?;
    PyList::new(py, outputs.into_iter().map(|output| PyArray1::from_vec(py, output)))
}

/// An indicator that takes a tick at a time.
#[pyclass(module = "lobgym._core", name = "_Indicator")]
pub(crate) struct Indicator {
    indicator: AnyIndicator,
    input: Vec<f64>,
    output: Vec<f64>,
}

#[pymethods]
impl Indicator {
    #[new]
    fn new(name: &str, settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let indicator = AnyIndicator::new(&read(name, settings)?).map_err(|error| refused(&error))?;
        let (inputs, outputs) = (indicator.inputs().len(), indicator.outputs().len());
        Ok(Self { indicator, input: vec![0.0; inputs], output: vec![0.0; outputs] })
    }

    /// Takes a tick in; a number, or a tuple of an indicator with several outputs.
    #[pyo3(signature = (*numbers))]
    fn update<'py>(&mut self, py: Python<'py>, numbers: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let names = self.indicator.inputs();
        if numbers.len() != names.len() {
            let text = format!("{} numbers; legal: {}", numbers.len(), names.join(", "));
            return Err(PyTypeError::new_err(text));
        }
        for ((slot, value), key) in self.input.iter_mut().zip(numbers).zip(names) {
            *slot = number(key, &value, "a number")?;
        }
        self.indicator.update(&self.input, &mut self.output).map_err(|error| refused(&error))?;
        if let [value] = self.output[..] {
            return Ok(value.into_pyobject(py)?.into_any());
        }
        Ok(PyTuple::new(py, &self.output)?.into_any())
    }

    /// As new.
    fn reset(&mut self) {
        self.indicator.reset();
    }

    /// Ticks at the beginning that give NaN.
    #[getter]
    fn warm_up(&self) -> usize {
        self.indicator.warm_up()
    }
}

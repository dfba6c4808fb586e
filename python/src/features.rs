//! Feature sets and their normalisation.

use bridge::settings::{Source, unknown_name};
use gym::features::{FeatureSet, FeaturesConfig, Field, Method, Normalisation, Tick};
use lob::ParameterError;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::arguments::number;
use crate::indicators::{column, refused};
use crate::{config, errors};

/// The number of a tick by its name; none for those made of others.
fn slot<'a>(tick: &'a mut Tick, name: &str) -> Option<&'a mut f64> {
    Some(match name {
        "open" => &mut tick.open,
        "high" => &mut tick.high,
        "low" => &mut tick.low,
        "close" => &mut tick.close,
        "volume" => &mut tick.volume,
        "bid_price" => &mut tick.bid_price,
        "bid_size" => &mut tick.bid_size,
        "ask_price" => &mut tick.ask_price,
        "ask_size" => &mut tick.ask_size,
        "session" => &mut tick.session,
        _ => return None,
    })
}

/// What a tick may be given, by name.
fn unknown(name: &str) -> PyErr {
    let mut tick = Tick::default();
    let names = Field::ALL.map(Field::name).into_iter().filter(|name| slot(&mut tick, name).is_some());
    let names = names.collect::<Vec<_>>().join(", ");
    PyTypeError::new_err(format!("{name} is an unknown argument; legal: {names}"))
}

/// Turns ticks into rows of features.
#[pyclass(module = "lobgym._core", name = "FeatureSet")]
pub(crate) struct PyFeatureSet {
    config: FeaturesConfig,
    set: FeatureSet,
    row: Vec<f64>,
}

#[pymethods]
impl PyFeatureSet {
    #[new]
    #[pyo3(signature = (config = None))]
    fn new(config: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let config = match config.map(Source::read).transpose()? {
            None => FeaturesConfig::named("default").map_err(|error| errors::config(&error))?,
            Some(Source::Map(map)) => FeaturesConfig::from_map(map).map_err(|error| refused(&error))?,
            Some(Source::Name(name)) => FeaturesConfig::named(&name).map_err(unknown_name)?,
            Some(Source::File(file)) => {
                FeaturesConfig::from_settings(&file).map_err(|error| errors::config(&error))?
            }
        };
        let set = FeatureSet::new(&config).map_err(|error| refused(&error))?;
        let row = vec![0.0; set.names().len()];
        Ok(Self { config, set, row })
    }

    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        config::to_dict(py, &self.config.to_map())
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.set.names().to_vec()
    }

    #[getter]
    fn needed(&self) -> Vec<&'static str> {
        self.config.needed().into_iter().map(Field::name).collect()
    }

    #[getter]
    fn warm_up(&self) -> usize {
        self.set.warm_up()
    }

    fn reset(&mut self) {
        self.set.reset();
    }

    #[pyo3(signature = (**tick))]
    fn update<'py>(
        &mut self,
        py: Python<'py>,
        tick: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let mut numbers = Tick::default();
        if let Some(tick) = tick {
            for (key, value) in tick.iter() {
                let key: String = key.extract()?;
                let slot = slot(&mut numbers, &key).ok_or_else(|| unknown(&key))?;
                *slot = number(&key, &value, "a number")?;
            }
        }
        self.set.update(&numbers, &mut self.row).map_err(|error| refused(&error))?;
        Ok(PyArray1::from_slice(py, &self.row))
    }

    #[pyo3(signature = (**columns))]
    fn rows<'py>(
        &self,
        py: Python<'py>,
        columns: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let mut given: Vec<(String, Vec<f64>)> = Vec::new();
        for (key, value) in columns.into_iter().flatten() {
            let key: String = key.extract()?;
            slot(&mut Tick::default(), &key).ok_or_else(|| unknown(&key))?;
            let numbers = column(&key, &value)?;
            given.push((key, numbers));
        }
        for field in self.config.needed().into_iter().filter(|&field| field != Field::Session) {
            if given.iter().all(|(key, _)| key != field.name()) {
                let needed = self.needed().join(", ");
                return Err(PyTypeError::new_err(format!("{} is missing; needed: {needed}", field.name())));
            }
        }
        let count = given.first().map_or(0, |(_, column)| column.len());
        for (key, column) in &given {
            if column.len() != count {
                let text =
                    format!("{key} is {} long; legal: {count} long, as {} is", column.len(), given[0].0);
                return Err(PyValueError::new_err(text));
            }
        }
        let width = self.row.len();
        let rows = py.detach(|| {
            errors::guarded(|| {
                let mut set = FeatureSet::new(&self.config)?;
                let mut rows = vec![0.0; count * width];
                for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                    let mut tick = Tick::default();
                    for (key, column) in &given {
                        *slot(&mut tick, key).expect("only such were given") = column[i];
                    }
                    set.update(&tick, row)
                        .map_err(|error| ParameterError { key: format!("{}[{i}]", error.key), ..error })?;
                }
                Ok(rows)
            })
        })?;
        PyArray1::from_vec(py, rows.map_err(|error: ParameterError| refused(&error))?).reshape([count, width])
    }
}

/// The numbers row by row.
fn copied(rows: &Bound<'_, PyArray2<f64>>) -> PyResult<Vec<f64>> {
    let rows = rows.try_readonly().map_err(|error| PyValueError::new_err(format!("rows: {error}")))?;
    Ok(rows.as_array().iter().copied().collect())
}

/// Centre and scale of features over a training span.
#[pyclass(module = "lobgym._core", name = "Normalisation", frozen)]
pub(crate) struct PyNormalisation(Normalisation);

#[pymethods]
impl PyNormalisation {
    #[staticmethod]
    #[pyo3(signature = (features, rows, span, *, method = "mean_std", times_ns = None))]
    fn fit(
        features: &PyFeatureSet,
        rows: &Bound<'_, PyArray2<f64>>,
        span: (usize, usize),
        method: &str,
        times_ns: Option<Vec<i64>>,
    ) -> PyResult<Self> {
        let method = match method {
            "mean_std" => Method::MeanStd,
            "median_iqr" => Method::MedianIqr,
            other => {
                let text = format!("method is {other:?}; legal: one of mean_std, median_iqr");
                return Err(PyValueError::new_err(text));
            }
        };
        let (width, found) = (features.row.len(), rows.shape()[1]);
        if found != width {
            let text = format!("rows has {found} columns; legal: {width}, one for each feature");
            return Err(PyValueError::new_err(text));
        }
        let numbers = copied(rows)?;
        Normalisation::fit(method, &features.config, &numbers, span.0..span.1, times_ns.as_deref())
            .map(Self)
            .map_err(|error| refused(&error))
    }

    #[classmethod]
    fn from_json(_kind: &Bound<'_, PyType>, text: &str) -> PyResult<Self> {
        Normalisation::from_json(text).map(Self).map_err(|error| refused(&error))
    }

    fn to_json(&self) -> String {
        self.0.to_json()
    }

    #[getter]
    fn centre<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.0.centre)
    }

    #[getter]
    fn scale<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.0.scale)
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.0.names.clone()
    }

    #[getter]
    fn span(&self) -> (usize, usize) {
        (self.0.span.begin, self.0.span.end)
    }

    fn apply<'py>(&self, rows: &Bound<'py, PyArray2<f64>>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (width, found) = (self.0.centre.len(), rows.shape()[1]);
        if found != width {
            let text = format!("rows has {found} columns; legal: {width}, one for each feature");
            return Err(PyValueError::new_err(text));
        }
        let mut numbers = copied(rows)?;
        for row in numbers.chunks_exact_mut(width) {
            self.0.apply(row).map_err(|error| refused(&error))?;
        }
        PyArray1::from_vec(rows.py(), numbers).reshape([rows.shape()[0], width])
    }
}

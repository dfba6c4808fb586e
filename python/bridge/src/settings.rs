//! Settings between Python and Rust: dictionaries, names and paths on one side, the maps of `gym::config` on the other.

use std::path::PathBuf;

use gym::ConfigError;
use gym::config::Settings;
use lob::ParameterError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde_json::{Map, Number, Value};

use crate::errors;

/// How deep settings may be nested; deeper is a mistake, such as a list that contains itself.
const MAX_DEPTH: usize = 32;

/// What a caller passed as `config`.
#[derive(Debug)]
pub enum Source {
    /// Settings themselves.
    Map(Map<String, Value>),
    /// The name of something that comes with the library.
    Name(String),
    /// A YAML file that has been read.
    File(Settings),
}

impl Source {
    /// Takes a dictionary, a name, or the path of a YAML file, which it reads. A string is a path if it ends in `.yaml` or `.yml` or has
    /// more than one part.
    ///
    /// # Errors
    /// `ValueError` for anything else; as [`errors::config`] for a file that cannot be read.
    pub fn read(config: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(dictionary) = config.cast::<PyMapping>() {
            return mapping(dictionary, "config", 0).map(Self::Map);
        }
        let path = path_of(config, "config")?;
        let is_file = path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml")
            || path.components().count() > 1
            || !config.is_instance_of::<PyString>();
        if is_file {
            return Settings::read(&path).map(Self::File).map_err(|error| errors::config(&error));
        }
        Ok(Self::Name(path.to_string_lossy().into_owned()))
    }
}

/// A name that there is not, told as the argument `config` and not as what it names.
pub fn unknown_name(error: ConfigError) -> PyErr {
    errors::config(&match error {
        ConfigError::Parameter(problem) => ParameterError { key: "config".to_owned(), ..problem }.into(),
        error => error,
    })
}

/// `key is value; legal: ...`, as Rust says it.
fn illegal(key: &str, value: &Bound<'_, PyAny>, legal: &str) -> PyErr {
    let text = value.repr().map_or_else(|_| "an object without a repr".to_owned(), |text| text.to_string());
    let text =
        if text.chars().count() > 200 { text.chars().take(200).collect::<String>() + "..." } else { text };
    PyValueError::new_err(ParameterError::new(key, text, legal).to_string())
}

/// A Python mapping as settings; `prefix` stands before its keys in errors. `depth` is 0.
///
/// # Errors
/// `ValueError` for what is no setting.
pub fn mapping(map: &Bound<'_, PyMapping>, prefix: &str, depth: usize) -> PyResult<Map<String, Value>> {
    let mut out = Map::new();
    for item in map.items()?.iter() {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let key: String =
            key.extract().map_err(|_| illegal(&format!("a key of {prefix}"), &key, "a string"))?;
        let path = if prefix.is_empty() || depth == 0 { key.clone() } else { format!("{prefix}.{key}") };
        let value = to_value(&value, &path, depth + 1)?;
        out.insert(key, value);
    }
    Ok(out)
}

fn path_of(value: &Bound<'_, PyAny>, key: &str) -> PyResult<PathBuf> {
    let legal = "a dictionary of settings, the name of a configuration or the path of a YAML file";
    value.extract().map_err(|_| illegal(key, value, legal))
}

/// A Python value as a setting. NumPy's scalars and arrays count as numbers and lists, paths as absolute paths.
fn to_value(value: &Bound<'_, PyAny>, key: &str, depth: usize) -> PyResult<Value> {
    let legal = "None, a bool, a number, a string, a path, or a list or dictionary of these";
    if depth > MAX_DEPTH {
        return Err(illegal(key, value, "settings that are not nested so deeply"));
    }
    if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(value) = value.cast::<PyBool>() {
        Ok(Value::Bool(value.is_true()))
    } else if value.is_instance_of::<PyInt>() {
        let number =
            value.extract::<u64>().map(Number::from).or_else(|_| value.extract::<i64>().map(Number::from));
        number.map(Value::Number).map_err(|_| illegal(key, value, "an integer of 64 bits"))
    } else if value.is_instance_of::<PyFloat>() {
        let number = Number::from_f64(value.extract()?);
        number.map(Value::Number).ok_or_else(|| illegal(key, value, "a finite number"))
    } else if let Ok(text) = value.cast::<PyString>() {
        Ok(Value::String(text.to_str()?.to_owned()))
    } else if let Ok(map) = value.cast::<PyMapping>() {
        mapping(map, key, depth).map(Value::Object)
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.enumerate();
        let items = items.map(|(index, item)| to_value(&item?, &format!("{key}[{index}]"), depth + 1));
        items.collect::<PyResult<_>>().map(Value::Array)
    } else if value.hasattr("__fspath__")? {
        // Relative to the working directory, also where settings come from a file elsewhere.
        let path: PathBuf = value.extract()?;
        let path = std::path::absolute(path)?;
        match path.into_os_string().into_string() {
            Ok(path) => Ok(Value::String(path)),
            Err(_) => Err(illegal(key, value, "a path in Unicode")),
        }
    } else if value.hasattr("dtype")? && value.hasattr("tolist")? {
        let plain = value.call_method0("tolist")?;
        if plain.hasattr("dtype")? {
            Err(illegal(key, value, legal))
        } else {
            to_value(&plain, key, depth + 1)
        }
    } else {
        Err(illegal(key, value, legal))
    }
}

/// A setting as a Python value.
///
/// # Errors
/// Those of Python's memory.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let items = items.iter().map(|item| to_python(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(map) => to_dict(py, map)?.into_any(),
    })
}

/// Settings as a dictionary.
///
/// # Errors
/// Those of Python's memory.
pub fn to_dict<'py>(py: Python<'py>, map: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    for (key, value) in map {
        out.set_item(key, to_python(py, value)?)?;
    }
    Ok(out)
}

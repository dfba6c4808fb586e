//! What is trained: a configuration and what overrides it, into the schema of `agents::rl`.

use agents::rl::{RunConfig, shipped};
use bridge::errors;
use bridge::settings::{Source, mapping, unknown_name};
use gym::{ConfigError, Settings};
use lob::ParameterError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Map, Value};

/// The training of `config` (a dictionary, the name of one that comes with the library, or the path of a YAML file) with `overrides`: keys
/// of the section `train`, maps for the sections `env` and `train`, or dotted paths. Also the name that its directory gets if none is
/// given.
pub(crate) fn resolve(
    config: &Bound<'_, PyAny>,
    overrides: &Bound<'_, PyDict>,
) -> PyResult<(RunConfig, String)> {
    let refuse = |error: ConfigError| errors::config(&error);
    let (mut settings, name) = match Source::read(config)? {
        Source::Map(map) => (Settings::from_map(map), None),
        Source::Name(name) => (shipped(&name).map_err(unknown_name)?, Some(name)),
        Source::File(settings) => {
            let stem = settings.file().and_then(|file| file.file_stem());
            let name = stem.map(|stem| stem.to_string_lossy().into_owned());
            (settings, name)
        }
    };
    let mut changed = Vec::new();
    for (key, value) in mapping(overrides.as_mapping(), "", 0)? {
        let path = if key == "env" || key == "train" || key.contains('.') {
            if let (false, "env" | "train") = (value.is_object(), &*key) {
                return Err(refuse(ParameterError::new(key, value, "a map of settings").into()));
            }
            key
        } else {
            format!("train.{key}")
        };
        merge(&mut settings, &path, value, &mut changed).map_err(refuse)?;
    }
    let run = RunConfig::from_settings(&settings).map_err(|error| match error {
        // What was given here is not the file's fault.
        ConfigError::InFile { problem, .. } if changed.iter().any(|path| concerns(&problem.key, path)) => {
            refuse(problem.into())
        }
        error => refuse(error),
    })?;
    let name = name.unwrap_or_else(|| format!("{}_{}", run.env.name(), run.algorithm.name()));
    Ok((run, name))
}

/// Puts a value at a dotted path; the keys of a map are put beside those that are there.
fn merge(
    settings: &mut Settings,
    path: &str,
    value: Value,
    changed: &mut Vec<String>,
) -> Result<(), ConfigError> {
    match value {
        Value::Object(map) if at(settings.root(), path).is_some_and(Value::is_object) => {
            for (key, value) in map {
                merge(settings, &format!("{path}.{key}"), value, changed)?;
            }
            Ok(())
        }
        value => {
            changed.push(path.to_owned());
            settings.insert(path, value)
        }
    }
}

fn at<'a>(root: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut keys = path.split('.');
    let first = root.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}

/// Whether an error about `key` is one about what was put at `path`.
fn concerns(key: &str, path: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    within(key, path) || within(path, key)
}

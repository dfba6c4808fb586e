//! Settings from Python: keyword arguments, dictionaries, names and files, all into the one schema of `gym::config`.

use std::path::{Path, PathBuf};

use bridge::settings::{Source, unknown_name};
pub(crate) use bridge::settings::{mapping, to_dict};
use gym::{ConfigError, EnvConfig};
use lob::ParameterError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use crate::errors;
use crate::tables::Tables;

/// The environment `name` with the settings of `config` (a dictionary, the name of a configuration that comes with the library, or the
/// path of a YAML file), overridden by `settings`.
pub(crate) fn resolve(
    name: &str,
    config: Option<&Bound<'_, PyAny>>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<EnvConfig> {
    let refuse = |error: ConfigError| errors::config(&error);
    let mut map = EnvConfig::named_settings(name).map_err(refuse)?;
    let task = map.get("name").cloned().unwrap_or_default();
    let (mut directory, mut file) = (PathBuf::new(), None);
    if let Some(config) = config.filter(|config| !config.is_none()) {
        let more = match Source::read(config)? {
            Source::Map(map) => map,
            Source::Name(name) => EnvConfig::named_settings(&name).map_err(unknown_name)?,
            Source::File(read) => {
                directory = read.directory().to_owned();
                file = read.file().map(Path::to_owned);
                read.section("env").map_err(refuse)?
            }
        };
        map.extend(more);
    }
    let mut named_here = Vec::new();
    let mut tables = Tables::default();
    if let Some(settings) = settings {
        let settings = &settings.copy()?;
        if let Some(task) = task.as_str() {
            tables = Tables::take(task, settings)?;
        }
        let own = mapping(settings.as_mapping(), "", 0)?;
        named_here.extend(own.keys().cloned());
        map.extend(own);
    }
    // What was asked for decides; a file for another environment is a mistake.
    if map.get("name") != Some(&task) {
        let found = map.get("name").unwrap_or(&Value::Null);
        let problem = ParameterError::new("name", found, format!("{task}, as this environment is one"));
        return Err(refuse(problem.into()));
    }
    let read = EnvConfig::from_map(&map, &directory, "").and_then(|config| tables.put_into(config));
    read.map_err(|error| match (error, file) {
        (ConfigError::Parameter(problem), Some(path)) => {
            let key = problem.key.split(['.', '[']).next().unwrap_or_default();
            if named_here.iter().any(|name| name == key) {
                refuse(problem.into())
            } else {
                refuse(ConfigError::InFile { path, problem: problem.within("env") })
            }
        }
        (error, _) => refuse(error),
    })
}

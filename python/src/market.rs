//! The market of a call: `market` and its settings, with the keys that configurations have everywhere.

use std::path::Path;

use gym::config::{keys_of, parse};
use gym::{ConfigError, MarketSettings};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Map;

use crate::{config, errors};

/// The settings of a market, from its name and keyword arguments.
pub(crate) fn settings(market: &str, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<MarketSettings> {
    let mut map =
        keywords.map_or_else(|| Ok(Map::new()), |keywords| config::mapping(keywords.as_mapping(), "", 0))?;
    map.insert("market".to_owned(), market.into());
    parse(map, &keys_of(&MarketSettings::default()))
        .map_err(|error| errors::config(&ConfigError::Parameter(error)))
}

/// The markets of a comparison: a name, or several.
pub(crate) fn names(market: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if let Ok(name) = market.extract::<String>() {
        return Ok(vec![name]);
    }
    market.extract::<Vec<String>>().map_err(|_| {
        let found = market.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string());
        PyTypeError::new_err(format!("market is {found}; legal: a str or a list of them"))
    })
}

/// Where relative paths of settings start: the working directory.
pub(crate) fn directory() -> &'static Path {
    Path::new("")
}

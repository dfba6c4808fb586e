//! Prices and features as NumPy arrays, which are too large to be settings like others.

use gym::config::Task;
use gym::prices::{GivenConfig, PricesConfig, Table};
use gym::{ConfigError, EnvConfig};
use lob::ParameterError;
use numpy::{PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};

use crate::arrays;

/// Arrays among the keyword arguments.
#[derive(Default)]
pub(crate) struct Tables {
    prices: Option<Table>,
    features: Option<Table>,
}

impl Tables {
    /// Takes the arrays that the environment `task` knows out of its keyword arguments. What names or describes a source of prices stays.
    pub(crate) fn take(task: &str, settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let keys: &[&str] = match task {
            "multi_asset_trading" => &["prices", "features"],
            "portfolio_rebalancing" => &["prices"],
            _ => &[],
        };
        let mut tables = Self::default();
        for &key in keys {
            let Some(value) = settings.get_item(key)? else { continue };
            if value.is_none() || value.cast::<PyMapping>().is_ok() || value.is_instance_of::<PyString>() {
                continue;
            }
            let table = table(key, &value)?;
            settings.del_item(key)?;
            if key == "prices" { tables.prices = Some(table) } else { tables.features = Some(table) }
        }
        Ok(tables)
    }

    /// Settings with these tables.
    pub(crate) fn put_into(self, mut config: EnvConfig) -> Result<EnvConfig, ConfigError> {
        let given = |table| PricesConfig::Given(GivenConfig { table, random_start: false });
        match &mut config.task {
            Task::MultiAssetTrading(own) => {
                if let Some(prices) = self.prices {
                    own.prices = given(prices);
                }
                if self.features.is_some() {
                    own.features = self.features;
                }
                own.validate()?;
            }
            Task::PortfolioRebalancing(own) => {
                if let Some(prices) = self.prices {
                    own.prices = given(prices);
                }
                own.validate()?;
            }
            _ => {}
        }
        Ok(config)
    }
}

/// A matrix of finite numbers, copied.
fn table(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Table> {
    const LEGAL: &str = "an array of finite numbers of shape (T, N), a row for each period";
    let refuse = |found: String| PyValueError::new_err(ParameterError::new(key, found, LEGAL).to_string());
    let (array, shape) = arrays::numbers(value)?.map_err(refuse)?;
    let &[rows, columns] = shape.as_slice() else {
        return Err(refuse(format!("an array of shape {}", array.getattr("shape")?)));
    };
    let array = arrays::contiguous(&array)?;
    let array = array.cast_into::<PyArray2<f64>>()?;
    let values = array.readonly().as_slice()?.to_vec();
    Table::new(key, values, rows, columns).map_err(|error| PyValueError::new_err(error.to_string()))
}

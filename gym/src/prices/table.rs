//! Numbers that are given: a row a period, a column an asset or a feature.

use std::sync::Arc;

use lob::ParameterError;
use serde::de::Error;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A matrix of finite 64-bit floats, row by row. Copies share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    values: Arc<[f64]>,
    rows: usize,
    columns: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { values: Arc::new([]), rows: 0, columns: 0 }
    }
}

impl Table {
    /// `values` has `columns` numbers of the first row, then those of the second, and so on.
    ///
    /// # Errors
    /// At `key`: a number of values that `rows` x `columns` is not; a value that is not finite, by its row and column.
    pub fn new(key: &str, values: Vec<f64>, rows: usize, columns: usize) -> Result<Self, ParameterError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            let legal = format!("{rows} x {columns}");
            return Err(ParameterError::new(key, format_args!("{} numbers", values.len()), legal));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let at = format!("{key}[{}][{}]", index / columns, index % columns);
            return Err(ParameterError::new(at, values[index], "a finite number"));
        }
        Ok(Self { values: values.into(), rows, columns })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A row, from 0.
    #[inline]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All of it, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Ratios of each row to the one before: a row fewer.
    pub(super) fn growth(&self, key: &str) -> Result<Self, ParameterError> {
        if self.rows < 2 || self.columns == 0 {
            let found = format!("a table of {} x {}", self.rows, self.columns);
            return Err(ParameterError::new(key, found, "2 rows or more and 1 column or more"));
        }
        if let Some(index) = self.values.iter().position(|&price| price <= 0.0) {
            let at = format!("{key}[{}][{}]", index / self.columns, index % self.columns);
            return Err(ParameterError::new(at, self.values[index], "a price > 0"));
        }
        let ratios = self.values[self.columns..].iter().zip(self.values.iter());
        let values = ratios.map(|(next, price)| next / price).collect();
        Self::new(key, values, self.rows - 1, self.columns)
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows))?;
        for row in 0..self.rows {
            rows.serialize_element(self.row(row))?;
        }
        rows.end()
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
        let columns = rows.first().map_or(0, Vec::len);
        if let Some(index) = rows.iter().position(|row| row.len() != columns) {
            let (row, found) = (index + 1, rows[index].len());
            return Err(D::Error::custom(format!(
                "expected rows of one length; the first has {columns} numbers, row {row} has {found}"
            )));
        }
        let count = rows.len();
        Table::new("table", rows.into_iter().flatten().collect(), count, columns).map_err(D::Error::custom)
    }
}

/// Prices that are in the settings themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenConfig {
    /// A row a period, a column an asset, money a share.
    pub table: Table,
    /// Whether a session begins at a row drawn at random, if it does not need them all, or at the first.
    #[serde(default)]
    pub random_start: bool,
}

impl GivenConfig {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        if self.table.rows() < 2 || self.table.columns() == 0 {
            let found = format!("{} x {}", self.table.rows(), self.table.columns());
            return Err(ParameterError::new("table", found, "2 rows or more and 1 column or more"));
        }
        Ok(())
    }
}

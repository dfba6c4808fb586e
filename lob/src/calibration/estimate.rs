//! An estimated number, as reports show it and files keep it.

use serde::{Deserialize, Serialize};

/// One estimated parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Its key in the flow's configuration.
    pub name: String,
    /// The estimate, in the unit of that key.
    pub value: f64,
    /// Its standard error in the same unit; `None` where it has none: at an end of its range, or where the data does not determine it.
    pub standard_error: Option<f64>,
    /// How many events it was estimated from.
    pub events: u64,
}

impl Estimate {
    /// An estimate whose standard error is one only if it is finite.
    pub fn new(name: impl Into<String>, value: f64, standard_error: f64, events: u64) -> Self {
        let standard_error = Some(standard_error).filter(|error| error.is_finite());
        Self { name: name.into(), value, standard_error, events }
    }
}

//! An estimate and how far to trust it.

use serde::Serialize;

/// An estimated parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Its path, as in the order-flow file: `limit_intensity.buy[3]`, say.
    pub name: String,
    /// The estimate, in the parameter's unit.
    pub value: f64,
    /// Its standard error, in the same unit; NaN (null in JSON) where there is none.
    pub standard_error: f64,
    /// Events it rests on.
    pub events: u64,
}

impl Estimate {
    /// An estimate.
    pub fn new(name: impl Into<String>, value: f64, standard_error: f64, events: u64) -> Self {
        Self { name: name.into(), value, standard_error, events }
    }
}

//! Temporary impact: the price of speed, which leaves no trace.

use serde::{Deserialize, Serialize};

use super::{Conditions, ImpactModel, MetaOrder, TradeCost, priced};
use crate::parameter::{ParameterError, Validity, non_negative};

/// Temporary impact `coefficient x volatility x participation^exponent`: linear with the default exponent.
///
/// Sources: R. Almgren & N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3 (2001) 5-39 (linear); R. Almgren, C. Thum,
/// E. Hauptmann & H. Li, "Direct estimation of equity market impact", Risk 18 (2005) 58-62 (exponent 3/5, coefficient 0.142 with
/// the volatility of a day, which is `0.142 x sqrt(23400)` = 21.7 with that of a second).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporaryParams {
    /// Cost at participation 1 in units of the volatility of a second; >= 0, in sqrt(s).
    pub coefficient: f64,
    /// Power of the participation; > 0, at most 2.
    #[serde(default = "linear")]
    pub exponent: f64,
    /// What crossing the spread costs, a fraction of the price; >= 0.
    #[serde(default)]
    pub half_spread: f64,
}

pub(super) fn linear() -> f64 {
    1.0
}

/// The exponent of temporary impact.
pub(super) fn check_exponent(key: &str, exponent: f64) -> Validity {
    if exponent > 0.0 && exponent <= 2.0 {
        return Ok(());
    }
    Err(ParameterError::new(key, exponent, "a number above 0, at most 2"))
}

impl TemporaryParams {
    pub(super) fn validate(&self) -> Validity {
        non_negative("coefficient", self.coefficient)?;
        check_exponent("exponent", self.exponent)?;
        non_negative("half_spread", self.half_spread)
    }
}

/// The model of [`TemporaryParams`]. It has nothing to remember.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temporary {
    params: TemporaryParams,
}

impl Temporary {
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(params: TemporaryParams) -> Result<Self, ParameterError> {
        params.validate()?;
        Ok(Self { params })
    }

    /// The part without the spread.
    pub(super) fn speed(&self, order: &MetaOrder, conditions: &Conditions) -> f64 {
        let TemporaryParams { coefficient, exponent, .. } = self.params;
        let participation = order.participation(conditions);
        let power = if exponent == 1.0 { participation } else { libm::pow(participation, exponent) };
        coefficient * conditions.volatility() * power
    }
}

impl ImpactModel for Temporary {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || [self.params.half_spread, self.speed(order, conditions), 0.0])
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        self.cost(order, conditions)
    }

    fn wait(&mut self, _seconds: f64) {}

    fn displacement_after(&self, _seconds: f64) -> f64 {
        0.0
    }

    fn permanent(&self) -> f64 {
        0.0
    }

    fn reset(&mut self) {}
}

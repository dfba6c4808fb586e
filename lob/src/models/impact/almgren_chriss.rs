//! Almgren & Chriss: a fixed half-spread, temporary and permanent impact together.

use serde::{Deserialize, Serialize};

use super::temporary::{check_exponent, linear};
use super::{
    Conditions, ImpactModel, MetaOrder, Permanent, PermanentParams, Temporary, TemporaryParams, TradeCost,
    priced,
};
use crate::parameter::{ParameterError, Validity, non_negative};

/// A fixed half-spread, temporary impact that grows with the speed and permanent impact that grows with the quantity.
///
/// Source: R. Almgren & N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk 3 (2001) 5-39, their linear impact
/// functions. An order here is one of their intervals traded evenly, so that on average it meets half of its own permanent
/// impact; theirs trades before the price moves, which is the difference between their `eta` and `eta - gamma tau / 2`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlmgrenChrissParams {
    /// Their epsilon: half the spread and fees, a fraction of the price; >= 0.
    #[serde(default)]
    pub half_spread: f64,
    /// Their eta: temporary impact at participation 1 in units of the volatility of a second; >= 0, in sqrt(s).
    pub temporary: f64,
    /// Power of the participation in the temporary impact; > 0, at most 2.
    #[serde(default = "linear")]
    pub temporary_exponent: f64,
    /// Their gamma: permanent impact of a second's market volume in units of the volatility of a second; >= 0, in 1/sqrt(s).
    pub permanent: f64,
}

impl AlmgrenChrissParams {
    pub(super) fn validate(&self) -> Validity {
        non_negative("half_spread", self.half_spread)?;
        non_negative("temporary", self.temporary)?;
        check_exponent("temporary_exponent", self.temporary_exponent)?;
        non_negative("permanent", self.permanent)
    }
}

/// The model of [`AlmgrenChrissParams`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlmgrenChriss {
    half_spread: f64,
    temporary: Temporary,
    permanent: Permanent,
}

impl AlmgrenChriss {
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(params: AlmgrenChrissParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let AlmgrenChrissParams { half_spread, temporary, temporary_exponent, permanent } = params;
        Ok(Self {
            half_spread,
            temporary: Temporary::new(TemporaryParams {
                coefficient: temporary,
                exponent: temporary_exponent,
                half_spread: 0.0,
            })?,
            permanent: Permanent::new(PermanentParams {
                coefficient: permanent,
                exponent: 1.0,
                half_spread: 0.0,
            })?,
        })
    }
}

impl ImpactModel for AlmgrenChriss {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || {
            [
                self.half_spread,
                self.temporary.speed(order, conditions),
                self.permanent.displaced(order, conditions),
            ]
        })
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        let cost = self.cost(order, conditions);
        self.permanent.remember(order, conditions);
        cost
    }

    fn wait(&mut self, _seconds: f64) {}

    fn displacement_after(&self, seconds: f64) -> f64 {
        self.permanent.displacement_after(seconds)
    }

    fn permanent(&self) -> f64 {
        self.permanent.permanent()
    }

    fn reset(&mut self) {
        self.permanent.reset();
    }
}

//! Permanent impact: what a trade tells the market for good.

use serde::{Deserialize, Serialize};

use super::temporary::linear;
use super::{Conditions, ImpactModel, MetaOrder, TradeCost, priced};
use crate::parameter::{ParameterError, Validity, non_negative};

/// Permanent impact `coefficient x volatility x quantity / volume`, linear in the quantity.
///
/// Source: G. Huberman & W. Stanzl, "Price manipulation and quasi-arbitrage", Econometrica 72 (2004) 1247-1275: permanent impact that does not
/// change over time and is not linear in the quantity lets round trips earn money without limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermanentParams {
    /// Displacement by a second's market volume, in units of the volatility of a second; >= 0, in 1/sqrt(s).
    pub coefficient: f64,
    /// Power of the quantity: 1, or the model is refused.
    #[serde(default = "linear")]
    pub exponent: f64,
    /// What crossing the spread costs, a fraction of the price; >= 0.
    #[serde(default)]
    pub half_spread: f64,
}

impl PermanentParams {
    pub(super) fn validate(&self) -> Validity {
        non_negative("coefficient", self.coefficient)?;
        if self.exponent != 1.0 {
            let legal =
                "1: permanent impact that is not linear lets round trips earn money (Huberman & Stanzl 2004)";
            return Err(ParameterError::new("exponent", self.exponent, legal));
        }
        non_negative("half_spread", self.half_spread)
    }
}

/// The model of [`PermanentParams`]; it remembers how far the price has been pushed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permanent {
    params: PermanentParams,
    displaced: f64,
}

impl Permanent {
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(params: PermanentParams) -> Result<Self, ParameterError> {
        params.validate()?;
        Ok(Self { params, displaced: 0.0 })
    }

    /// How far the order pushes the price, signed.
    fn push(&self, order: &MetaOrder, conditions: &Conditions) -> f64 {
        self.params.coefficient * conditions.volatility() * order.market_seconds(conditions)
    }

    /// The mean displacement while the order trades, in its direction: what there is, and half its own push.
    pub(super) fn displaced(&self, order: &MetaOrder, conditions: &Conditions) -> f64 {
        order.sign() * (self.displaced + 0.5 * self.push(order, conditions))
    }

    pub(super) fn remember(&mut self, order: &MetaOrder, conditions: &Conditions) {
        self.displaced += self.push(order, conditions);
    }
}

impl ImpactModel for Permanent {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || [self.params.half_spread, 0.0, self.displaced(order, conditions)])
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        let cost = self.cost(order, conditions);
        self.remember(order, conditions);
        cost
    }

    fn wait(&mut self, _seconds: f64) {}

    fn displacement_after(&self, _seconds: f64) -> f64 {
        self.displaced
    }

    fn permanent(&self) -> f64 {
        self.displaced
    }

    fn reset(&mut self) {
        self.displaced = 0.0;
    }
}

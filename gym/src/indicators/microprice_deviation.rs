//! How far the size-weighted mid-price is from the mid-price.

use lob::ParameterError;
use lob::parameter::Validity;
use serde::{Deserialize, Serialize};

use super::Indicator;
use super::inputs::Quote;
use super::order_flow_imbalance::check_quote;

/// What [`MicropriceDeviation`] is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviationUnit {
    /// A share of the mid-price.
    #[default]
    Relative,
    /// Money a unit, as prices are.
    Price,
    /// Ticks of this size.
    Ticks(f64),
}

/// The size-weighted mid-price less the mid-price: positive where more is bid than offered. The size-weighted mid,
/// `(p_bid q_ask + p_ask q_bid) / (q_bid + q_ask)`, is what most call microprice; Stoikov (2018), "The Micro-Price", Quantitative Finance
/// 18(12), calls it the weighted mid-price and keeps the other name for an expectation that has to be estimated from a market's past. The
/// deviation is `(p_ask - p_bid) / 2 * (q_bid - q_ask) / (q_bid + q_ask)`, which cancels no digits. First value at index 0. TA-Lib has none.
#[derive(Clone, Debug)]
pub struct MicropriceDeviation {
    unit: DeviationUnit,
}

impl MicropriceDeviation {
    pub(super) fn new(unit: DeviationUnit) -> Self {
        Self { unit }
    }
}

impl Indicator for MicropriceDeviation {
    type Input = Quote;
    type Output = f64;

    fn check(&self, quote: Quote) -> Validity {
        check_quote(quote)?;
        if quote.bid_size + quote.ask_size == 0.0 {
            return Err(ParameterError::new("ask_size", quote.ask_size, "above 0, as bid_size is 0"));
        }
        if self.unit == DeviationUnit::Relative {
            for (key, price) in [("bid_price", quote.bid_price), ("ask_price", quote.ask_price)] {
                super::inputs::positive_price(key, price)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, quote: Quote) -> f64 {
        let imbalance = (quote.bid_size - quote.ask_size) / (quote.bid_size + quote.ask_size);
        let deviation = (quote.ask_price - quote.bid_price) / 2.0 * imbalance;
        match self.unit {
            DeviationUnit::Relative => deviation / ((quote.bid_price + quote.ask_price) / 2.0),
            DeviationUnit::Price => deviation,
            DeviationUnit::Ticks(size) => deviation / size,
        }
    }

    fn reset(&mut self) {}

    fn warm_up(&self) -> usize {
        0
    }
}

//! The strategic trader of the reference market: a large order worked with a fixed rhythm.

use super::{Market, STRATEGIC, SimRng};
use crate::flow::StrategicParams;
use crate::parameter::ParameterError;
use crate::random::uniform;
use crate::{NewOrder, Price, Quantity, Side};

/// Sends, every `period_seconds`, a market order and then a limit order one tick inside the spread; see [`StrategicParams`].
/// It never cancels.
#[derive(Clone, Debug)]
pub struct StrategicTrader {
    params: StrategicParams,
    side: Side,
}

impl StrategicTrader {
    /// The trader that the parameters describe; a seller until it is reset.
    ///
    /// # Errors
    /// As [`StrategicParams::validate`].
    pub fn new(params: &StrategicParams) -> Result<Self, ParameterError> {
        params.validate()?;
        Ok(Self { params: *params, side: Side::Sell })
    }

    /// Draws its side for a new session.
    pub fn reset(&mut self, rng: &mut SimRng) {
        self.side = if uniform(rng) < self.params.seller_probability { Side::Sell } else { Side::Buy };
    }

    /// Its side in this session.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Acts once; returns the seconds until it acts again.
    pub fn act(&mut self, market: &mut Market) -> f64 {
        let StrategicParams { market_lots, limit_lots, period_seconds, .. } = self.params;
        // Both prices are read before its market order.
        let limit = match self.side {
            Side::Sell => market.book().best_bid().map(|bid| Price(bid.0 + 1)),
            Side::Buy => market.book().best_ask().map(|ask| Price(ask.0 - 1)),
        };
        if market_lots > 0 {
            let _refused_only_by_a_full_book =
                market.submit(NewOrder::market(STRATEGIC, self.side, Quantity(market_lots)));
        }
        if let Some(price) = limit.filter(|_| limit_lots > 0) {
            let _refused_at_the_price_limits =
                market.submit(NewOrder::limit(STRATEGIC, self.side, price, Quantity(limit_lots)));
        }
        period_seconds
    }
}

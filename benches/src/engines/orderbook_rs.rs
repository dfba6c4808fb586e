//! The crate `orderbook-rs` 0.15: a concurrent book, used from one thread.

use std::sync::Arc;

use lob::{Price, Quantity, Side};
use orderbook_rs::{Id, OrderBook, StubClock, TimeInForce};

use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The book, without listeners, fees or risk checks, and with a counting clock: a simulation needs no wall
/// time, and a system call an order would be held against it.
pub struct OrderbookRs(OrderBook<()>);

impl OrderbookRs {
    /// Applies a message; `visit` sees maker, price and lots of each trade.
    #[inline]
    fn execute(&mut self, message: &Message, mut visit: impl FnMut(Id, u128, u64)) {
        match *message {
            Message::Limit { id, side, price, quantity, .. } => {
                let order = self.0.add_limit_order_with_result(
                    Id::sequential(id),
                    price.0 as u128,
                    quantity.0,
                    translate(side),
                    TimeInForce::Gtc,
                    None,
                );
                if let Ok((_, Some(result))) = order {
                    for trade in result.match_result.trades().as_vec() {
                        visit(trade.maker_order_id(), trade.price().as_u128(), trade.quantity().as_u64());
                    }
                }
            }
            Message::Market { id, side, quantity, .. } => {
                // An error means that the other side is empty.
                if let Ok(result) =
                    self.0.submit_market_order(Id::sequential(id), quantity.0, translate(side))
                {
                    for trade in result.trades().as_vec() {
                        visit(trade.maker_order_id(), trade.price().as_u128(), trade.quantity().as_u64());
                    }
                }
            }
            Message::Cancel { id } => {
                // An order that has gone is no error to a stream.
                let _ = self.0.cancel_order(Id::sequential(id));
            }
        }
    }
}

fn translate(side: Side) -> orderbook_rs::Side {
    match side {
        Side::Buy => orderbook_rs::Side::Buy,
        Side::Sell => orderbook_rs::Side::Sell,
    }
}

impl Engine for OrderbookRs {
    fn new(stream: &Summary) -> Result<Self, Unsuited> {
        super::require_positive_prices(EngineId::OrderbookRs, stream)?;
        Ok(Self(OrderBook::with_clock("BENCH", Arc::new(StubClock::new()))))
    }

    #[inline]
    fn apply(&mut self, message: &Message) -> u64 {
        let mut volume = 0_u64;
        self.execute(message, |_, _, quantity| volume = volume.wrapping_add(quantity));
        volume
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        let (Message::Limit { id, .. } | Message::Market { id, .. } | Message::Cancel { id }) = *message;
        self.execute(message, |maker, price, quantity| {
            // Ids that were numbers are numbers still.
            let maker = maker.as_u64().unwrap_or(u64::MAX);
            trades.push(Trade { maker, taker: id, price: Price(price as i64), quantity: Quantity(quantity) });
        });
    }
}

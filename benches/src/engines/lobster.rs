//! The crate `lobster` 0.7: `OrderBook::execute` with 128-bit ids chosen by the caller.

use lob::{Price, Quantity, Side};

use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The book, with room for 16,384 orders from the start and statistics off, as its own benchmark has them.
pub struct Lobster(lobster::OrderBook);

impl Lobster {
    #[inline]
    fn execute(&mut self, message: &Message) -> lobster::OrderEvent {
        self.0.execute(match *message {
            Message::Limit { id, side, price, quantity, .. } => lobster::OrderType::Limit {
                id: u128::from(id),
                side: translate(side),
                qty: quantity.0,
                price: price.0 as u64,
            },
            Message::Market { id, side, quantity, .. } => {
                lobster::OrderType::Market { id: u128::from(id), side: translate(side), qty: quantity.0 }
            }
            Message::Cancel { id } => lobster::OrderType::Cancel { id: u128::from(id) },
        })
    }
}

fn translate(side: Side) -> lobster::Side {
    match side {
        Side::Buy => lobster::Side::Bid,
        Side::Sell => lobster::Side::Ask,
    }
}

impl Engine for Lobster {
    fn new(stream: &Summary) -> Result<Self, Unsuited> {
        super::require_positive_prices(EngineId::Lobster, stream)?;
        Ok(Self(lobster::OrderBook::new(16_384, 10, false)))
    }

    #[inline]
    fn apply(&mut self, message: &Message) -> u64 {
        match self.execute(message) {
            lobster::OrderEvent::Filled { filled_qty, .. }
            | lobster::OrderEvent::PartiallyFilled { filled_qty, .. } => filled_qty,
            _ => 0,
        }
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        if let lobster::OrderEvent::Filled { fills, .. }
        | lobster::OrderEvent::PartiallyFilled { fills, .. } = self.execute(message)
        {
            trades.extend(fills.iter().map(|fill| Trade {
                maker: fill.order_2 as u64,
                taker: fill.order_1 as u64,
                price: Price(fill.price as i64),
                quantity: Quantity(fill.qty),
            }));
        }
    }
}

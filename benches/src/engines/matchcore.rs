//! The crate `matchcore` 0.4: commands with consecutive sequence numbers, which double as order ids.

use lob::{Price, Quantity, Side};
use matchcore as mc;

use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The book, and the engine's id of each order by its number in the stream.
pub struct Matchcore {
    book: mc::OrderBook,
    sequence: u64,
    ids: Vec<mc::OrderId>,
    /// Number in the stream by sequence number. Filled by recording runs only.
    numbers: Vec<u64>,
}

impl Matchcore {
    #[inline]
    fn execute(&mut self, message: &Message) -> mc::CommandOutcome {
        let sequence = self.sequence;
        self.sequence += 1;
        let kind = match *message {
            Message::Limit { id, side, price, quantity, .. } => {
                self.ids[id as usize] = mc::OrderId(sequence);
                let quantity = mc::QuantityPolicy::Standard { quantity: mc::Quantity(quantity.0) };
                let flags = mc::OrderFlags::new(translate(side), false, mc::TimeInForce::Gtc);
                let order = mc::LimitOrder::new(mc::Price(price.0 as u64), quantity, flags);
                mc::CommandKind::Submit(mc::SubmitCmd { order: mc::NewOrder::Limit(order) })
            }
            Message::Market { id, side, quantity, .. } => {
                self.ids[id as usize] = mc::OrderId(sequence);
                let order = mc::MarketOrder::new(mc::Quantity(quantity.0), translate(side), false);
                mc::CommandKind::Submit(mc::SubmitCmd { order: mc::NewOrder::Market(order) })
            }
            Message::Cancel { id } => mc::CommandKind::Cancel(mc::CancelCmd {
                order_id: self.ids[id as usize],
                order_kind: mc::OrderKind::Limit,
            }),
        };
        let meta = mc::CommandMeta {
            sequence_number: mc::SequenceNumber(sequence),
            timestamp: mc::Timestamp(sequence),
        };
        self.book.execute(&mc::Command { meta, kind })
    }
}

fn translate(side: Side) -> mc::Side {
    match side {
        Side::Buy => mc::Side::Buy,
        Side::Sell => mc::Side::Sell,
    }
}

fn matched(outcome: &mc::CommandOutcome) -> Option<&mc::MatchResult> {
    match outcome {
        mc::CommandOutcome::Applied(mc::CommandReport::Submit(effects)) => {
            effects.target_order().match_result()
        }
        _ => None,
    }
}

impl Engine for Matchcore {
    fn new(stream: &Summary) -> Result<Self, Unsuited> {
        super::require_positive_prices(EngineId::Matchcore, stream)?;
        Ok(Self {
            book: mc::OrderBook::new("BENCH"),
            sequence: 0,
            ids: vec![mc::OrderId(u64::MAX); stream.orders as usize],
            numbers: Vec::new(),
        })
    }

    #[inline]
    fn apply(&mut self, message: &Message) -> u64 {
        let outcome = self.execute(message);
        matched(&outcome).map_or(0, |result| result.executed_quantity().0)
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        let taker = match *message {
            Message::Limit { id, .. } | Message::Market { id, .. } => id,
            Message::Cancel { .. } => u64::MAX,
        };
        self.numbers.push(taker);
        let outcome = self.execute(message);
        for trade in matched(&outcome).map_or(&[][..], mc::MatchResult::trades) {
            trades.push(Trade {
                maker: self.numbers[trade.maker_order_id().0 as usize],
                taker,
                price: Price(trade.price().0 as i64),
                quantity: Quantity(trade.quantity().0),
            });
        }
    }
}

//! The book that defines what is right: sorted maps of queues, and nothing clever.

use std::collections::{BTreeMap, HashMap, VecDeque};

use lob::{Price, Side};

use crate::message::{Message, Stream, Trade, TradeDigest, Trades};

/// Price-time priority, written to be read. One `BTreeMap` a side from price to the queue of `(id, lots)`.
#[derive(Debug, Default)]
pub struct NaiveBook {
    /// Levels of bids and asks.
    levels: [BTreeMap<i64, VecDeque<(u64, u64)>>; 2],
    /// Where each resting order is.
    places: HashMap<u64, (Side, i64)>,
}

impl NaiveBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one message and appends the trades it causes.
    pub fn apply(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        match *message {
            Message::Limit { id, side, price, quantity, .. } => {
                let rest = self.trade(id, side, Some(price.0), quantity.0, trades);
                if rest > 0 {
                    self.levels[side.index()].entry(price.0).or_default().push_back((id, rest));
                    self.places.insert(id, (side, price.0));
                }
            }
            Message::Market { id, side, quantity, .. } => {
                self.trade(id, side, None, quantity.0, trades);
            }
            Message::Cancel { id } => self.cancel(id),
        }
    }

    /// Trades while the other side is within `limit`; returns the lots left.
    fn trade(
        &mut self,
        taker: u64,
        side: Side,
        limit: Option<i64>,
        mut rest: u64,
        trades: &mut Vec<Trade>,
    ) -> u64 {
        while rest > 0 {
            let Some(price) = self.best(side.opposite()).map(|price| price.0) else { break };
            let reaches = match side {
                Side::Buy => limit.is_none_or(|limit| price <= limit),
                Side::Sell => limit.is_none_or(|limit| price >= limit),
            };
            if !reaches {
                break;
            }
            let levels = &mut self.levels[side.opposite().index()];
            let queue = levels.get_mut(&price).expect("the best price has a queue");
            let (maker, lots) = queue.front_mut().expect("a level that is kept has an order");
            let quantity = rest.min(*lots);
            trades.push(Trade {
                maker: *maker,
                taker,
                price: Price(price),
                quantity: lob::Quantity(quantity),
            });
            *lots -= quantity;
            rest -= quantity;
            if *lots == 0 {
                self.places.remove(maker);
                queue.pop_front();
                if queue.is_empty() {
                    levels.remove(&price);
                }
            }
        }
        rest
    }

    fn cancel(&mut self, id: u64) {
        let Some((side, price)) = self.places.remove(&id) else { return };
        let levels = &mut self.levels[side.index()];
        let queue = levels.get_mut(&price).expect("a resting order has a queue");
        let place =
            queue.iter().position(|&(other, _)| other == id).expect("it is in the queue of its price");
        queue.remove(place);
        if queue.is_empty() {
            levels.remove(&price);
        }
    }

    /// Best price of a side.
    pub fn best(&self, side: Side) -> Option<Price> {
        let levels = &self.levels[side.index()];
        let best = match side {
            Side::Buy => levels.last_key_value(),
            Side::Sell => levels.first_key_value(),
        };
        best.map(|(&price, _)| Price(price))
    }

    /// True if the order rests in the book.
    pub fn is_live(&self, id: u64) -> bool {
        self.places.contains_key(&id)
    }

    /// Resting orders.
    pub fn order_count(&self) -> usize {
        self.places.len()
    }
}

/// The trades that a stream must cause. An engine is *exact* if it makes the same.
pub fn trades_of(stream: &Stream) -> Trades {
    let mut book = NaiveBook::new();
    let mut digest = TradeDigest::default();
    let mut trades = Vec::new();
    for message in stream.messages() {
        trades.clear();
        book.apply(message, &mut trades);
        digest.update(&trades);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use lob::{Owner, Quantity};

    use super::*;

    fn limit(id: u64, side: Side, price: i64, quantity: u64) -> Message {
        Message::Limit { id, owner: Owner(0), side, price: Price(price), quantity: Quantity(quantity) }
    }

    #[test]
    fn better_price_first_then_first_come() {
        let mut book = NaiveBook::new();
        let mut trades = Vec::new();
        for message in [
            limit(0, Side::Sell, 102, 1),
            limit(1, Side::Sell, 101, 1),
            limit(2, Side::Sell, 101, 1),
            limit(3, Side::Sell, 101, 1),
            Message::Cancel { id: 2 },
            limit(4, Side::Buy, 102, 5),
        ] {
            book.apply(&message, &mut trades);
        }
        let makers: Vec<_> = trades.iter().map(|trade| (trade.maker, trade.price.0)).collect();
        assert_eq!(makers, [(1, 101), (3, 101), (0, 102)]);
        assert_eq!(book.best(Side::Buy), Some(Price(102)));
        assert!(book.is_live(4) && book.order_count() == 1);
    }

    #[test]
    fn market_order_never_rests() {
        let mut book = NaiveBook::new();
        let message =
            Message::Market { id: 0, owner: Owner(0), side: Side::Buy, quantity: Quantity(u64::MAX) };
        book.apply(&message, &mut Vec::new());
        assert_eq!(book.order_count(), 0);
    }
}

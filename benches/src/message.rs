//! What a stream consists of: limit orders, market orders and cancellations, and the trades they cause.

use lob::{Owner, Price, Quantity, Side};
use xxhash_rust::xxh3::Xxh3;

/// One message to a book. 32 bytes, so that a stream in memory is as compact as on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A limit order, good till cancelled: trades while it crosses, then rests.
    Limit {
        /// Its name: the orders of a stream are numbered 0, 1, 2, ... in the order in which they appear.
        id: u64,
        /// Whose it is.
        owner: Owner,
        /// Buy or sell.
        side: Side,
        /// The worst price to trade at, in ticks.
        price: Price,
        /// Its size in lots, at least 1.
        quantity: Quantity,
    },
    /// A market order: trades until filled or until the other side is empty; the rest is dropped.
    Market {
        /// Its name, numbered together with limit orders.
        id: u64,
        /// Whose it is.
        owner: Owner,
        /// Buy or sell.
        side: Side,
        /// Its size in lots, at least 1.
        quantity: Quantity,
    },
    /// Takes a resting order out of the book. One that has gone already is left alone.
    Cancel {
        /// The order, which appeared earlier in the stream.
        id: u64,
    },
}

/// What must be known of a stream before its first message, to size a book for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Messages.
    pub messages: u64,
    /// Limit and market orders; their ids are `0..orders`.
    pub orders: u64,
    /// Lowest and highest limit price, in ticks; `None` if there is no limit order.
    pub prices: Option<(Price, Price)>,
}

impl Summary {
    /// Counts `messages`.
    pub fn of(messages: &[Message]) -> Self {
        let mut summary = Self { messages: 0, orders: 0, prices: None };
        for message in messages {
            summary.add(message);
        }
        summary
    }

    /// Counts one message more.
    pub(crate) fn add(&mut self, message: &Message) {
        self.messages += 1;
        match *message {
            Message::Limit { price, .. } => {
                self.orders += 1;
                let (low, high) = self.prices.unwrap_or((price, price));
                self.prices = Some((low.min(price), high.max(price)));
            }
            Message::Market { .. } => self.orders += 1,
            Message::Cancel { .. } => {}
        }
    }
}

/// A stream in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    summary: Summary,
    messages: Vec<Message>,
}

impl Stream {
    /// A stream of `messages`, whose order ids must be 0, 1, 2, ... in order of appearance.
    pub fn new(messages: Vec<Message>) -> Self {
        Self { summary: Summary::of(&messages), messages }
    }

    /// What must be known before the first message.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The messages, in order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// One trade, by the ids of the stream. 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The resting order.
    pub maker: u64,
    /// The incoming order.
    pub taker: u64,
    /// The resting order's price, in ticks.
    pub price: Price,
    /// Lots that changed hands.
    pub quantity: Quantity,
}

/// The trades of a run as one number: two books that made the same trades, by the same orders and in the same
/// order, have the same digest. XXH3 with 64 bits over maker, taker, price and quantity of each trade,
/// little-endian.
#[derive(Clone, Default)]
pub struct TradeDigest {
    state: Xxh3,
    trades: u64,
    volume: u64,
}

impl TradeDigest {
    /// Takes the next trades in.
    pub fn update(&mut self, trades: &[Trade]) {
        for trade in trades {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&trade.maker.to_le_bytes());
            bytes[8..16].copy_from_slice(&trade.taker.to_le_bytes());
            bytes[16..24].copy_from_slice(&trade.price.0.to_le_bytes());
            bytes[24..].copy_from_slice(&trade.quantity.0.to_le_bytes());
            self.state.update(&bytes);
            self.trades += 1;
            // Wrapping: it is a checksum, and a hostile file may trade more than 2^64 lots in all.
            self.volume = self.volume.wrapping_add(trade.quantity.0);
        }
    }

    /// The result so far.
    pub fn finish(&self) -> Trades {
        Trades { count: self.trades, volume: self.volume, digest: self.state.digest() }
    }
}

/// All trades of a run, condensed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trades {
    /// How many.
    pub count: u64,
    /// Lots traded, modulo 2^64.
    pub volume: u64,
    /// See [`TradeDigest`].
    pub digest: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_trades_fill_half_a_cache_line() {
        assert_eq!(size_of::<Message>(), 32);
        assert_eq!(size_of::<Trade>(), 32);
    }

    #[test]
    fn digest_tells_orders_of_trades_apart() {
        let a = Trade { maker: 1, taker: 2, price: Price(3), quantity: Quantity(4) };
        let b = Trade { maker: 5, ..a };
        let digest = |trades: &[Trade]| {
            let mut digest = TradeDigest::default();
            digest.update(trades);
            digest.finish()
        };
        assert_ne!(digest(&[a, b]).digest, digest(&[b, a]).digest);
        assert_eq!(digest(&[a, b]).volume, 8);
    }
}

//! Digests: 64 bits that say whether two books, or two streams of events, are the same.

use xxhash_rust::xxh3::Xxh3Default;

use crate::{Event, Nanos, OrderView, Owner, Price, Quantity, SelfTradePrevention, StopView, TimeInForce};

/// Builds the digest of a book's state from its content. [`OrderBook::digest`](crate::OrderBook::digest) feeds it with: for each
/// side, bids first, the resting orders (best price first, in queue order) and then the pending stops (in firing order); then
/// the market; then each owner that has set its self-trade prevention, by number.
///
/// The digest is XXH3-64 of the fields as little-endian numbers, so that it is the same on every machine.
#[derive(Default)]
pub struct StateDigest(Xxh3Default);

impl StateDigest {
    /// A digest of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next resting order.
    pub fn order(&mut self, order: &OrderView) {
        self.numbers(&[
            1,
            order.handle.to_bits(),
            u64::from(order.owner.0),
            order.side as u64,
            order.price.0 as u64,
            order.visible.0,
            order.hidden.0,
            u64::from(order.post_only),
        ]);
        self.optional(order.display.map(|display| display.0));
        self.optional(order.expiry.map(|expiry| expiry.0));
    }

    /// The next pending stop.
    pub fn stop(&mut self, stop: &StopView) {
        self.numbers(&[
            2,
            stop.handle.to_bits(),
            u64::from(stop.owner.0),
            stop.side as u64,
            stop.stop.0 as u64,
            stop.quantity.0,
            u64::from(stop.post_only),
        ]);
        self.optional(stop.price.map(|price| price.0 as u64));
        self.optional(stop.display.map(|display| display.0));
        let (code, time) = match stop.time_in_force {
            TimeInForce::Gtc => (0, 0),
            TimeInForce::Ioc => (1, 0),
            TimeInForce::Fok => (2, 0),
            TimeInForce::Gtd(expiry) => (3, expiry.0),
        };
        self.numbers(&[code, time]);
    }

    /// The last trade price and the clock.
    pub fn market(&mut self, last_trade: Option<Price>, clock: Nanos) {
        self.numbers(&[3, clock.0]);
        self.optional(last_trade.map(|price| price.0 as u64));
    }

    /// The mode that an owner has set.
    pub fn self_trade_prevention(&mut self, owner: Owner, mode: SelfTradePrevention) {
        let code = match mode {
            SelfTradePrevention::Allow => 0,
            SelfTradePrevention::CancelNewest => 1,
            SelfTradePrevention::CancelOldest => 2,
            SelfTradePrevention::CancelBoth => 3,
            SelfTradePrevention::Decrement => 4,
        };
        self.numbers(&[4, u64::from(owner.0), code]);
    }

    /// The digest of what came so far.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.0.update(&number.to_le_bytes());
        }
    }

    fn optional(&mut self, number: Option<u64>) {
        self.numbers(&[u64::from(number.is_some()), number.unwrap_or(0)]);
    }
}

/// Builds the digest of a stream of events: XXH3-64 of each event's postcard encoding, which is the same on every machine.
#[derive(Clone, Default)]
pub struct EventDigest {
    hasher: Xxh3Default,
    events: u64,
}

impl std::fmt::Debug for EventDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventDigest({:016x} after {} events)", self.finish(), self.events)
    }
}

impl EventDigest {
    /// A digest of no events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next event.
    pub fn event(&mut self, event: &Event) {
        // An event encodes to at most 64 bytes: seven numbers of ten bytes at most are not reached, since owners have 32 bits.
        let mut buffer = [0_u8; 96];
        let bytes = postcard::to_slice(event, &mut buffer).expect("an event fits the buffer");
        self.hasher.update(bytes);
        self.events += 1;
    }

    /// The time in seconds of the events that follow, where it belongs to what is compared.
    pub fn time(&mut self, seconds: f64) {
        self.hasher.update(&seconds.to_bits().to_le_bytes());
    }

    /// The next events.
    pub fn extend<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        events.into_iter().for_each(|event| self.event(event));
    }

    /// Events so far.
    pub fn len(&self) -> u64 {
        self.events
    }

    /// True if no event has come yet.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// The digest of what came so far.
    pub fn finish(&self) -> u64 {
        self.hasher.digest()
    }
}

/// Digest of one trade after another, by the callers' own order ids: what matching engines with different handles have in common.
#[derive(Default)]
pub struct TradeDigest(Xxh3Default);

impl TradeDigest {
    /// A digest of no trades yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next trade: ids of the resting and the incoming order, price and quantity.
    pub fn trade(&mut self, maker: u64, taker: u64, price: Price, quantity: Quantity) {
        for number in [maker, taker, price.0 as u64, quantity.0] {
            self.0.update(&number.to_le_bytes());
        }
    }

    /// The digest of what came so far.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}

//! The yardstick: about the least work with which a price-time book can be right.
//!
//! Limit, market and cancel only; no owners, no events beyond a 32-byte trade record, no stale ids. Order ids
//! are indices into one vector, prices are indices into another that spans every price of the stream, and a
//! bitmap finds the next level. Nothing grows while it runs. A general engine is measured by how close it
//! comes.

use lob::{Price, Quantity, Side};

use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The end of a queue. Inside this file only; ids stay below it.
const NONE: u32 = u32::MAX;
/// The widest price range that gets an array: 2^26 levels are 512 MiB.
const MAX_LEVELS: u64 = 1 << 26;

/// 24 bytes an order. No lots means that the order has gone.
#[derive(Clone, Copy)]
struct Order {
    quantity: u64,
    level: u32,
    prev: u32,
    next: u32,
}

/// First and last order of a price.
#[derive(Clone, Copy)]
struct Level {
    head: u32,
    tail: u32,
}

/// See the [module](self).
pub struct Yardstick {
    orders: Vec<Order>,
    /// Level `i` holds price `base + i`. Level 0 and the last one are walls: always marked, never used, so
    /// that every search for a level ends. A level holds bids or asks, never both, so one array and one
    /// bitmap serve both sides.
    levels: Vec<Level>,
    occupied: Vec<u64>,
    base: i64,
    /// Level of the best bid; 0 if there is none.
    best_bid: u32,
    /// Level of the best ask; the last one if there is none.
    best_ask: u32,
    trades: Vec<Trade>,
}

impl Yardstick {
    #[inline]
    fn limit(&mut self, id: u32, side: Side, price: i64, quantity: u64) -> u64 {
        let level = (price - self.base) as u32;
        let rest = match side {
            Side::Buy => self.buy(id, level, quantity),
            Side::Sell => self.sell(id, level, quantity),
        };
        if rest > 0 {
            self.rest(id, level, rest);
            match side {
                Side::Buy => self.best_bid = self.best_bid.max(level),
                Side::Sell => self.best_ask = self.best_ask.min(level),
            }
        }
        quantity - rest
    }

    #[inline]
    fn market(&mut self, id: u32, side: Side, quantity: u64) -> u64 {
        // One level short of the wall on each side.
        let rest = match side {
            Side::Buy => self.buy(id, self.levels.len() as u32 - 2, quantity),
            Side::Sell => self.sell(id, 1, quantity),
        };
        quantity - rest
    }

    #[inline]
    fn buy(&mut self, id: u32, limit: u32, mut rest: u64) -> u64 {
        while self.best_ask <= limit && rest > 0 {
            rest = self.trade(id, self.best_ask, rest);
            if self.levels[self.best_ask as usize].head == NONE {
                self.clear(self.best_ask);
                self.best_ask = self.next_above(self.best_ask);
            }
        }
        rest
    }

    #[inline]
    fn sell(&mut self, id: u32, limit: u32, mut rest: u64) -> u64 {
        while self.best_bid >= limit && rest > 0 {
            rest = self.trade(id, self.best_bid, rest);
            if self.levels[self.best_bid as usize].head == NONE {
                self.clear(self.best_bid);
                self.best_bid = self.next_below(self.best_bid);
            }
        }
        rest
    }

    /// Trades at one level until it is empty or nothing is left; returns the lots left.
    #[inline]
    fn trade(&mut self, taker: u32, level: u32, mut rest: u64) -> u64 {
        let price = Price(self.base + i64::from(level));
        let mut head = self.levels[level as usize].head;
        while head != NONE && rest > 0 {
            let maker = &mut self.orders[head as usize];
            let quantity = maker.quantity.min(rest);
            maker.quantity -= quantity;
            rest -= quantity;
            self.trades.push(Trade {
                maker: u64::from(head),
                taker: u64::from(taker),
                price,
                quantity: Quantity(quantity),
            });
            if maker.quantity == 0 {
                head = maker.next;
            }
        }
        self.levels[level as usize].head = head;
        match self.orders.get_mut(head as usize) {
            Some(first) => first.prev = NONE,
            None => self.levels[level as usize].tail = NONE,
        }
        rest
    }

    #[inline]
    fn rest(&mut self, id: u32, level: u32, quantity: u64) {
        let queue = &mut self.levels[level as usize];
        let prev = queue.tail;
        queue.tail = id;
        self.orders[id as usize] = Order { quantity, level, prev, next: NONE };
        if prev == NONE {
            queue.head = id;
            self.occupied[(level / 64) as usize] |= 1 << (level % 64);
        } else {
            self.orders[prev as usize].next = id;
        }
    }

    #[inline]
    fn cancel(&mut self, id: u32) {
        let Order { quantity, level, prev, next } = self.orders[id as usize];
        if quantity == 0 {
            return;
        }
        self.orders[id as usize].quantity = 0;
        match self.orders.get_mut(prev as usize) {
            Some(order) => order.next = next,
            None => self.levels[level as usize].head = next,
        }
        match self.orders.get_mut(next as usize) {
            Some(order) => order.prev = prev,
            None => self.levels[level as usize].tail = prev,
        }
        if prev == NONE && next == NONE {
            self.clear(level);
            if level == self.best_bid {
                self.best_bid = self.next_below(level);
            } else if level == self.best_ask {
                self.best_ask = self.next_above(level);
            }
        }
    }

    #[inline]
    fn clear(&mut self, level: u32) {
        self.occupied[(level / 64) as usize] &= !(1 << (level % 64));
    }

    /// The next marked level below a level that is not the wall.
    #[inline]
    fn next_below(&self, level: u32) -> u32 {
        let mut word = (level / 64) as usize;
        let mut bits = self.occupied[word] & ((1 << (level % 64)) - 1);
        while bits == 0 {
            word -= 1;
            bits = self.occupied[word];
        }
        word as u32 * 64 + 63 - bits.leading_zeros()
    }

    /// The next marked level above a level that is not the wall.
    #[inline]
    fn next_above(&self, level: u32) -> u32 {
        let mut word = (level / 64) as usize;
        let mut bits = self.occupied[word] & (!1 << (level % 64));
        while bits == 0 {
            word += 1;
            bits = self.occupied[word];
        }
        word as u32 * 64 + bits.trailing_zeros()
    }
}

impl Engine for Yardstick {
    fn new(stream: &Summary) -> Result<Self, Unsuited> {
        let (low, high) = stream.prices.unwrap_or((Price(0), Price(0)));
        let span = high.0.abs_diff(low.0);
        if span > MAX_LEVELS - 3 || low.0 == i64::MIN {
            return Err(Unsuited {
                engine: EngineId::Yardstick,
                field: "price range",
                found: format!("{} to {}", low.0, high.0),
                legal: format!("above {}, at most {} ticks wide", i64::MIN, MAX_LEVELS - 3),
            });
        }
        let levels = span as usize + 3;
        let mut occupied = vec![0_u64; levels.div_ceil(64)];
        occupied[0] |= 1;
        occupied[(levels - 1) / 64] |= 1 << ((levels - 1) % 64);
        Ok(Self {
            // Not all zeros, so the pages are touched now and not under the clock.
            orders: vec![Order { quantity: 0, level: 0, prev: NONE, next: NONE }; stream.orders as usize],
            levels: vec![Level { head: NONE, tail: NONE }; levels],
            occupied,
            base: low.0 - 1,
            best_bid: 0,
            best_ask: levels as u32 - 1,
            trades: Vec::with_capacity(1024),
        })
    }

    #[inline]
    fn apply(&mut self, message: &Message) -> u64 {
        self.trades.clear();
        match *message {
            Message::Limit { id, side, price, quantity, .. } => {
                self.limit(id as u32, side, price.0, quantity.0)
            }
            Message::Market { id, side, quantity, .. } => self.market(id as u32, side, quantity.0),
            Message::Cancel { id } => {
                self.cancel(id as u32);
                0
            }
        }
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        self.apply(message);
        trades.extend_from_slice(&self.trades);
    }
}

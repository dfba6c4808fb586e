//! The limit order book: requests in, events out, views in between.
//!
//! | module | holds |
//! |---|---|
//! | `arena` | orders by slot, with generations |
//! | `level` | the queue of one price |
//! | `ladder` | the levels of one side: a dense window around the best price and a sorted overflow (`far`) |
//! | `owners` | the orders of each owner |
//! | `extra` | icebergs, expiries, stops |
//! | `requests` | cancel, mass cancel, amend, expire |
//! | `views` | questions about the book |
//! | `check` | invariants |
//! | `feed`, `order_index` | [`FeedBook`]: a book that follows an exchange's feed and matches nothing |
//!
//! Matching itself is in [`matching`](crate::OrderBook::submit)`.rs`.

use serde::{Deserialize, Serialize};

use crate::{ConfigError, Handle, Nanos, Owner, Price, Quantity, SelfTradePrevention, Side, TimeInForce};

mod arena;
mod check;
mod extra;
mod far;
mod feed;
mod ladder;
mod level;
mod matching;
mod order_index;
mod owners;
mod persist;
mod requests;
mod views;

pub use feed::{FeedBook, FeedOrder, FeedProblem, MAX_FEED_PRICE};
pub use persist::{Snapshot, SnapshotError};

use arena::{Arena, NONE, State};
use extra::Extras;
use far::FarLevels;
use ladder::Ladder;
use owners::Owners;

/// Limits and sizes of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BookConfig {
    /// Lowest legal price. Default -2^62.
    pub min_price: Price,
    /// Highest legal price. Default 2^62.
    pub max_price: Price,
    /// Owners are numbered from 0 to `max_owners - 1`. Default 65,536, at most 16,777,216.
    pub max_owners: u32,
    /// Self-trade prevention of owners that set none of their own.
    pub self_trade_prevention: SelfTradePrevention,
    /// Levels in each side's dense window: a power of two from 64 to 4096. Default 4096. The window
    /// follows the best price; levels outside it are kept in a sorted overflow.
    pub window_levels: usize,
    /// Orders to make room for at construction. Default 1024. More are accommodated as they come.
    pub order_capacity: usize,
}

impl Default for BookConfig {
    fn default() -> Self {
        Self {
            min_price: Price(-(1 << 62)),
            max_price: Price(1 << 62),
            max_owners: 65_536,
            self_trade_prevention: SelfTradePrevention::Allow,
            window_levels: 4096,
            order_capacity: 1024,
        }
    }
}

/// A resting order as others may see it, and what they may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// Its name.
    pub handle: Handle,
    /// Whose it is.
    pub owner: Owner,
    /// Buy or sell.
    pub side: Side,
    /// Its limit, in ticks.
    pub price: Price,
    /// Lots shown.
    pub visible: Quantity,
    /// Lots hidden behind them (icebergs).
    pub hidden: Quantity,
    /// The iceberg's display quantity.
    pub display: Option<Quantity>,
    /// When it expires.
    pub expiry: Option<Nanos>,
    /// True if it may never take liquidity.
    pub post_only: bool,
}

/// A stop that has not fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopView {
    /// Its name.
    pub handle: Handle,
    /// Whose it is.
    pub owner: Owner,
    /// Buy or sell.
    pub side: Side,
    /// The trigger, in ticks.
    pub stop: Price,
    /// The limit of the order it starts; `None` for a market order.
    pub price: Option<Price>,
    /// Its size in lots.
    pub quantity: Quantity,
    /// The display quantity of the order it starts.
    pub display: Option<Quantity>,
    /// How long it, and the order it starts, live.
    pub time_in_force: TimeInForce,
    /// True if the order it starts may never take liquidity.
    pub post_only: bool,
}

/// What stands before an order in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// Visible lots ahead of it at its price.
    pub quantity_ahead: Quantity,
    /// Orders ahead of it at its price.
    pub orders_ahead: u64,
}

/// What a market order would do, without doing it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    /// Lots it would trade.
    pub filled: Quantity,
    /// Sum of price x lots over its fills, in ticks x lots.
    pub notional: i128,
    /// The worst price it would reach, in ticks; `None` if nothing would trade.
    pub worst: Option<Price>,
    /// Price levels it would touch.
    pub levels: usize,
}

impl Sweep {
    /// Average price in ticks; `None` if nothing would trade.
    pub fn average_price(&self) -> Option<f64> {
        (self.filled.0 > 0).then(|| self.notional as f64 / self.filled.0 as f64)
    }
}

/// A limit order book with price-time priority.
///
/// Requests append what happens to the `events` buffer that the caller passes and never clear it. No request allocates
/// once the book's tables and the caller's buffer have grown to the size that the traffic needs.
///
/// `Clone` forks the book: both copies go on from the same state, with the same handles.
///
/// # Cost
/// Submitting, cancelling and trading cost O(1) an order touched: orders are linked into the queue of their price, prices
/// near the touch are found by index, the next price by bitmap. Prices further away than
/// [`BookConfig::window_levels`] and triggers of stops cost O(log n).
#[derive(Clone, Debug)]
pub struct OrderBook {
    config: BookConfig,
    arena: Arena,
    extras: Extras,
    owners: Owners,
    ladders: [Ladder; 2],
    /// Pending stops by side; a buy ranks by its negative trigger, a sell by its trigger, so that the highest rank fires first.
    stops: [FarLevels; 2],
    /// Open lots by side: visible, hidden and pending.
    open: [u64; 2],
    last_trade: Option<Price>,
    clock: Nanos,
    #[cfg(debug_assertions)]
    requests_checked: u64,
}

impl OrderBook {
    /// An empty book.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting, its value and what is legal.
    pub fn new(config: BookConfig) -> Result<Self, ConfigError> {
        let window = config.window_levels;
        if !window.is_power_of_two() || !(64..=4096).contains(&window) {
            return Err(ConfigError::WindowLevels(window));
        }
        let (min, max) = (config.min_price, config.max_price);
        if min > max || min.0 < -(1 << 62) || max.0 > 1 << 62 {
            return Err(ConfigError::PriceLimits { min, max });
        }
        if !(1..=1 << 24).contains(&config.max_owners) {
            return Err(ConfigError::MaxOwners(config.max_owners));
        }
        Ok(Self {
            config,
            arena: Arena::with_capacity(config.order_capacity),
            extras: Extras::default(),
            owners: Owners::new(config.max_owners, config.self_trade_prevention),
            ladders: [Ladder::new(window), Ladder::new(window)],
            stops: [FarLevels::default(), FarLevels::default()],
            open: [0; 2],
            last_trade: None,
            clock: Nanos(0),
            #[cfg(debug_assertions)]
            requests_checked: 0,
        })
    }

    /// Empties the book and forgets what has happened in it, as if new, but keeps its memory. Every handle given out before is void; the
    /// same handles will be given out again. Cost: the slots used so far and the occupied levels.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.extras.clear();
        self.owners.clear();
        self.ladders.iter_mut().for_each(Ladder::clear);
        self.stops.iter_mut().for_each(FarLevels::clear);
        self.open = [0; 2];
        self.last_trade = None;
        self.clock = Nanos(0);
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &BookConfig {
        &self.config
    }

    /// Lots of an order beyond the visible ones.
    #[inline]
    fn hidden(&self, extra: u32) -> u64 {
        if extra == NONE { 0 } else { self.extras.get(extra).hidden }
    }

    /// Takes an order out of its queue and its level's sums, and the level out of the ladder if that was the last. The order
    /// stays in its owner's list and in the side's open quantity.
    fn dequeue(&mut self, slot: u32) {
        let node = self.arena.get(slot);
        let (side, price, visible, extra, state) =
            (node.side, node.price, node.visible, node.extra, node.state);
        if state == State::Pending {
            let rank = stop_rank(side, Price(price));
            let level = self.stops[side.index()].get_mut(rank).expect("a pending stop has a level");
            level.unlink(&mut self.arena.nodes, slot);
            level.visible -= visible;
            if level.count == 0 {
                self.stops[side.index()].remove(rank);
            }
        } else {
            let hidden = self.hidden(extra);
            let rank = arena::rank(side, Price(price));
            let ladder = &mut self.ladders[side.index()];
            let level = ladder.level_mut(rank);
            level.unlink(&mut self.arena.nodes, slot);
            level.visible -= visible;
            level.hidden -= hidden;
            if level.count == 0 {
                ladder.vacate(rank);
            }
        }
    }

    /// Puts a pending stop, its node filled, at the back of its trigger price.
    fn enqueue_stop(&mut self, slot: u32) {
        let node = self.arena.get_mut(slot);
        node.state = State::Pending;
        let (side, stop, quantity) = (node.side, node.price, node.visible);
        let level = self.stops[side.index()].entry(stop_rank(side, Price(stop)));
        level.push_back(&mut self.arena.nodes, slot);
        level.visible += quantity;
    }

    /// Forgets an order that is in no queue any more.
    #[inline]
    fn release(&mut self, slot: u32) {
        self.owners.unlink(&mut self.arena.nodes, slot);
        self.discard(slot);
    }

    /// Forgets an order that is in no queue and no owner's list.
    #[inline]
    fn discard(&mut self, slot: u32) {
        let extra = self.arena.get(slot).extra;
        if extra != NONE {
            self.extras.remove(extra);
        }
        self.arena.free(slot);
    }

    /// Checks the whole book now and then in debug builds: always while it is small, else once in as many requests as it has orders.
    #[inline]
    fn debug_check(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.requests_checked += 1;
            let orders = self.arena.live() as u64;
            let due = orders < 64 || self.requests_checked.is_multiple_of(orders);
            if due && let Err(broken) = self.check_invariants() {
                panic!("order book invariant broken: {broken}");
            }
        }
    }
}

/// See [`OrderBook::stops`]: the order in which stops fire is that of resting orders of the opposite side.
#[inline]
fn stop_rank(side: Side, stop: Price) -> i64 {
    arena::rank(side.opposite(), stop)
}

//! A book that follows a feed: orders (level 3) or levels (level 2) as an exchange reports them.
//!
//! It matches nothing and lets the best prices cross, which feeds do and [`OrderBook`](crate::OrderBook) must not; so it is
//! a type of its own, on the same arena, queues and ladders.

use thiserror::Error;

use super::arena::{self, Arena, State};
use super::ladder::{EMPTY, Ladder};
use super::level::Level;
use super::order_index::OrderIndex;
use crate::{Price, Quantity, Side};

/// Prices of a [`FeedBook`] lie within plus and minus this many ticks.
pub const MAX_FEED_PRICE: i64 = 1 << 62;

/// Why an event does not fit the book; the book is unchanged unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FeedProblem {
    /// No order of this number rests.
    #[error("no order {0} rests")]
    UnknownOrder(u64),
    /// An order of this number rests already.
    #[error("order {0} rests already")]
    DuplicateOrder(u64),
    /// More lots were to be taken out of the order than it has; all of it was taken out.
    #[error("order {0} has fewer lots")]
    TooMany(u64),
    /// An order, or what is left of it, of zero lots.
    #[error("order of zero lots")]
    ZeroQuantity,
    /// A price beyond [`MAX_FEED_PRICE`].
    #[error("price {0} is out of range")]
    Price(Price),
    /// The lots at one price exceed 64 bits, or the orders 32.
    #[error("too many lots or orders")]
    Full,
    /// A level set as a whole where orders rest, or an order where a level was set as a whole.
    #[error("orders and whole levels at one price")]
    Mixed,
}

/// A resting order of a [`FeedBook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedOrder {
    /// Its side.
    pub side: Side,
    /// Its price, in ticks.
    pub price: Price,
    /// What is left of it, in lots.
    pub quantity: Quantity,
}

/// A book that follows a feed. Orders and whole levels cannot share a price.
///
/// Cost O(1) an event near the best price, O(log n) further away than the window; the order numbers of exchanges, dense and
/// growing, are found by index.
#[derive(Clone, Debug)]
pub struct FeedBook {
    arena: Arena,
    ladders: [Ladder; 2],
    index: OrderIndex,
}

impl FeedBook {
    /// An empty book with a dense window of `levels` prices a side: rounded to a power of two from 64 to 4096.
    pub fn new(levels: usize) -> Self {
        let window = levels.clamp(64, 4096).next_power_of_two();
        Self {
            arena: Arena::with_capacity(0),
            ladders: [Ladder::new(window), Ladder::new(window)],
            index: OrderIndex::default(),
        }
    }

    /// Empties the book; keeps its memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.ladders.iter_mut().for_each(Ladder::clear);
        self.index.clear();
    }

    /// Empties the levels of one side, only down to `to` if given. Cost: the levels and orders there.
    pub fn clear_side(&mut self, side: Side, to: Option<Price>) {
        let worst = to.map_or(-MAX_FEED_PRICE, |price| arena::rank(side, price));
        loop {
            let ladder = &mut self.ladders[side.index()];
            let best = ladder.best;
            if best == EMPTY || best < worst {
                return;
            }
            let level = ladder.level_mut(best);
            let mut slot = level.head;
            *level = Level::EMPTY;
            ladder.vacate(best);
            while slot != arena::NONE {
                let node = self.arena.get(slot);
                let next = node.next;
                let id = node_id(node);
                self.index.remove(id);
                self.arena.free(slot);
                slot = next;
            }
        }
    }

    /// The order `id` comes to rest behind all others at its price.
    ///
    /// # Errors
    /// [`FeedProblem::DuplicateOrder`], [`FeedProblem::ZeroQuantity`], [`FeedProblem::Price`], [`FeedProblem::Full`],
    /// [`FeedProblem::Mixed`].
    #[inline]
    pub fn add(&mut self, id: u64, side: Side, price: Price, quantity: Quantity) -> Result<(), FeedProblem> {
        if quantity.is_zero() {
            return Err(FeedProblem::ZeroQuantity);
        }
        check_price(price)?;
        if self.arena.is_full() {
            return Err(FeedProblem::Full);
        }
        let slot = self.arena.take();
        if !self.index.insert(id, slot) {
            self.arena.free(slot);
            return Err(FeedProblem::DuplicateOrder(id));
        }
        let rank = arena::rank(side, price);
        let level = self.ladders[side.index()].occupy(rank);
        let mixed = level.count > 0 && level.head == arena::NONE;
        let visible = level.visible.checked_add(quantity.0).filter(|_| !mixed);
        let Some(visible) = visible else {
            self.index.remove(id);
            self.arena.free(slot);
            return Err(if mixed { FeedProblem::Mixed } else { FeedProblem::Full });
        };
        level.visible = visible;
        let node = self.arena.get_mut(slot);
        node.price = price.0;
        node.visible = quantity.0;
        node.side = side;
        node.state = State::Resting;
        // The links among an owner's orders are free here: they hold the order's number.
        node.owner_prev = id as u32;
        node.owner_next = (id >> 32) as u32;
        level.push_back(&mut self.arena.nodes, slot);
        Ok(())
    }

    /// `quantity` lots leave the order, by trading or by being withdrawn; it keeps its place, or ends with its last lot. Returns
    /// what is left.
    ///
    /// # Errors
    /// [`FeedProblem::UnknownOrder`]; [`FeedProblem::TooMany`], and then the order is gone.
    #[inline]
    pub fn reduce(&mut self, id: u64, quantity: Quantity) -> Result<Quantity, FeedProblem> {
        let slot = self.index.get(id).ok_or(FeedProblem::UnknownOrder(id))?;
        let node = self.arena.get_mut(slot);
        if node.visible > quantity.0 {
            node.visible -= quantity.0;
            let (left, rank) = (node.visible, arena::rank(node.side, Price(node.price)));
            self.ladders[node.side.index()].level_mut(rank).visible -= quantity.0;
            return Ok(Quantity(left));
        }
        let had = node.visible;
        self.take_out(id, slot);
        if had < quantity.0 { Err(FeedProblem::TooMany(id)) } else { Ok(Quantity::ZERO) }
    }

    /// The order ends. Returns what was left of it.
    ///
    /// # Errors
    /// [`FeedProblem::UnknownOrder`].
    #[inline]
    pub fn delete(&mut self, id: u64) -> Result<Quantity, FeedProblem> {
        let slot = self.index.get(id).ok_or(FeedProblem::UnknownOrder(id))?;
        let left = self.arena.get(slot).visible;
        self.take_out(id, slot);
        Ok(Quantity(left))
    }

    /// The order now has `quantity` lots at `price`. It keeps its place unless the price differs or the quantity has grown.
    ///
    /// # Errors
    /// [`FeedProblem::UnknownOrder`], and as [`add`](Self::add); after [`FeedProblem::Full`] and [`FeedProblem::Mixed`] the order is gone.
    pub fn modify(&mut self, id: u64, price: Price, quantity: Quantity) -> Result<(), FeedProblem> {
        let slot = self.index.get(id).ok_or(FeedProblem::UnknownOrder(id))?;
        let node = self.arena.get(slot);
        let side = node.side;
        if node.price == price.0 && quantity.0 <= node.visible && quantity.0 > 0 {
            let less = node.visible - quantity.0;
            return self.reduce(id, Quantity(less)).map(drop);
        }
        if quantity.is_zero() {
            return Err(FeedProblem::ZeroQuantity);
        }
        check_price(price)?;
        // The slot stays, and with it what the index knows; only the queue changes.
        let (before, visible) = (arena::rank(side, Price(node.price)), node.visible);
        let ladder = &mut self.ladders[side.index()];
        let level = ladder.level_mut(before);
        level.unlink(&mut self.arena.nodes, slot);
        level.visible -= visible;
        if level.count == 0 {
            ladder.vacate(before);
        }
        let level = ladder.occupy(arena::rank(side, price));
        let mixed = level.count > 0 && level.head == arena::NONE;
        let Some(sum) = level.visible.checked_add(quantity.0).filter(|_| !mixed) else {
            self.index.remove(id);
            self.arena.free(slot);
            return Err(if mixed { FeedProblem::Mixed } else { FeedProblem::Full });
        };
        level.visible = sum;
        let node = self.arena.get_mut(slot);
        node.price = price.0;
        node.visible = quantity.0;
        level.push_back(&mut self.arena.nodes, slot);
        Ok(())
    }

    /// The order `old` is replaced by `new` on the same side, behind all others at its price.
    ///
    /// # Errors
    /// [`FeedProblem::UnknownOrder`], and then nothing is added; as [`add`](Self::add), and then the old order is gone.
    #[inline]
    pub fn replace(
        &mut self,
        old: u64,
        new: u64,
        price: Price,
        quantity: Quantity,
    ) -> Result<(), FeedProblem> {
        let slot = self.index.get(old).ok_or(FeedProblem::UnknownOrder(old))?;
        let side = self.arena.get(slot).side;
        self.take_out(old, slot);
        self.add(new, side, price, quantity)
    }

    /// All lots at a price are now `quantity`; zero empties the level.
    ///
    /// # Errors
    /// [`FeedProblem::Price`], [`FeedProblem::Mixed`].
    #[inline]
    pub fn set_level(&mut self, side: Side, price: Price, quantity: Quantity) -> Result<(), FeedProblem> {
        check_price(price)?;
        let rank = arena::rank(side, price);
        let ladder = &mut self.ladders[side.index()];
        if quantity.is_zero() {
            match ladder.level(rank) {
                None => return Ok(()),
                Some(level) if level.head != arena::NONE => return Err(FeedProblem::Mixed),
                Some(_) => {}
            }
            *ladder.level_mut(rank) = Level::EMPTY;
            ladder.vacate(rank);
            return Ok(());
        }
        let level = ladder.occupy(rank);
        if level.head != arena::NONE {
            return Err(FeedProblem::Mixed);
        }
        level.visible = quantity.0;
        level.count = 1;
        Ok(())
    }

    #[inline]
    fn take_out(&mut self, id: u64, slot: u32) {
        self.index.remove(id);
        let node = self.arena.get(slot);
        let (side, visible) = (node.side, node.visible);
        let rank = arena::rank(side, Price(node.price));
        let ladder = &mut self.ladders[side.index()];
        let level = ladder.level_mut(rank);
        level.unlink(&mut self.arena.nodes, slot);
        level.visible -= visible;
        if level.count == 0 {
            ladder.vacate(rank);
        }
        self.arena.free(slot);
    }

    /// Brings what is known of some orders into the caches. An order that is about to change is seldom there, and looking several up at
    /// once costs hardly more than one: their loads wait together.
    #[inline]
    pub(crate) fn warm(&self, ids: impl Iterator<Item = u64>) {
        let mut seen = 0;
        for id in ids {
            if let Some(slot) = self.index.get(id) {
                seen ^= self.arena.get(slot).visible;
            }
        }
        std::hint::black_box(seen);
    }

    /// The best price of a side and the lots there.
    #[inline]
    pub fn best(&self, side: Side) -> Option<(Price, Quantity)> {
        let ladder = &self.ladders[side.index()];
        if ladder.best == EMPTY {
            return None;
        }
        let level = ladder.level(ladder.best)?;
        Some((arena::price_of(side, ladder.best), Quantity(level.visible)))
    }

    /// The best price of a side.
    #[inline]
    pub fn best_price(&self, side: Side) -> Option<Price> {
        let best = self.ladders[side.index()].best;
        (best != EMPTY).then(|| arena::price_of(side, best))
    }

    /// The lots at a price.
    pub fn quantity_at(&self, side: Side, price: Price) -> Quantity {
        if check_price(price).is_err() {
            return Quantity::ZERO;
        }
        let level = self.ladders[side.index()].level(arena::rank(side, price));
        Quantity(level.map_or(0, |level| level.visible))
    }

    /// Prices and lots of a side, from the best on.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Quantity)> + '_ {
        let levels = self.ladders[side.index()].iter();
        levels.map(move |(rank, level)| (arena::price_of(side, rank), Quantity(level.visible)))
    }

    /// The order of a number, if it rests.
    pub fn order(&self, id: u64) -> Option<FeedOrder> {
        let node = self.arena.get(self.index.get(id)?);
        Some(FeedOrder { side: node.side, price: Price(node.price), quantity: Quantity(node.visible) })
    }

    /// Numbers and lots of the orders at a price, first in the queue first.
    pub fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = (u64, Quantity)> + '_ {
        let level =
            check_price(price).ok().and_then(|()| self.ladders[side.index()].level(arena::rank(side, price)));
        let slots = level.into_iter().flat_map(|level| level.slots(&self.arena.nodes));
        slots.map(|slot| {
            let node = self.arena.get(slot);
            (node_id(node), Quantity(node.visible))
        })
    }

    /// Resting orders.
    pub fn order_count(&self) -> usize {
        self.index.len()
    }

    /// Checks the book against itself.
    ///
    /// # Errors
    /// What is broken. An error is a defect of this crate.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut orders = 0;
        for side in Side::BOTH {
            self.ladders[side.index()].check()?;
            for (rank, level) in self.ladders[side.index()].iter() {
                if level.head == arena::NONE {
                    continue;
                }
                let mut sum = 0_u64;
                for slot in level.slots(&self.arena.nodes) {
                    let node = self.arena.get(slot);
                    sum += node.visible;
                    orders += 1;
                    if self.index.get(node_id(node)) != Some(slot)
                        || arena::rank(side, Price(node.price)) != rank
                    {
                        return Err(format!("order {} is not where the index says", node_id(node)));
                    }
                }
                if sum != level.visible {
                    return Err(format!("level at rank {rank} has {} lots, its orders {sum}", level.visible));
                }
            }
        }
        if orders != self.index.len() || orders != self.arena.live() {
            return Err(format!("{orders} orders in queues, {} in the index", self.index.len()));
        }
        Ok(())
    }
}

#[inline]
fn check_price(price: Price) -> Result<(), FeedProblem> {
    if (-MAX_FEED_PRICE..=MAX_FEED_PRICE).contains(&price.0) {
        Ok(())
    } else {
        Err(FeedProblem::Price(price))
    }
}

#[inline]
fn node_id(node: &arena::Node) -> u64 {
    u64::from(node.owner_next) << 32 | u64::from(node.owner_prev)
}

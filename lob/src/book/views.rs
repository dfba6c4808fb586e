//! Questions about the book. None of them changes it.

use super::arena::{NONE, Node, State, price_of, rank};
use super::ladder::EMPTY;
use super::{OrderBook, OrderView, QueuePosition, StopView, Sweep};
use crate::{Handle, Nanos, Owner, Price, Quantity, Side, StateDigest, TimeInForce};

impl OrderBook {
    /// The best price of a side: its highest bid or lowest ask.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Price> {
        let best = self.ladders[side.index()].best;
        (best != EMPTY).then(|| price_of(side, best))
    }

    /// The highest bid.
    #[inline]
    pub fn best_bid(&self) -> Option<Price> {
        self.best(Side::Buy)
    }

    /// The lowest ask.
    #[inline]
    pub fn best_ask(&self) -> Option<Price> {
        self.best(Side::Sell)
    }

    /// Best ask - best bid, in ticks; at least 1. `None` if a side is empty.
    #[inline]
    pub fn spread(&self) -> Option<u64> {
        Some(self.best_ask()?.0.abs_diff(self.best_bid()?.0))
    }

    /// (best bid + best ask) / 2, in ticks. `None` if a side is empty. Exact up to 2^53 half ticks.
    #[inline]
    pub fn mid(&self) -> Option<f64> {
        // Prices are limited to 2^62, so that the sum fits.
        Some((self.best_bid()?.0 + self.best_ask()?.0) as f64 / 2.0)
    }

    /// The touch weighted by the quantity on the other side, in ticks:
    /// (bid x ask quantity + ask x bid quantity) / (bid quantity + ask quantity), with visible lots at the best prices. `None` if a
    /// side is empty. Called "weighted mid" by some; Stoikov (2018) builds his micro-price on it.
    pub fn microprice(&self) -> Option<f64> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        let bid_lots = self.quantity_at(Side::Buy, bid).0 as f64;
        let ask_lots = self.quantity_at(Side::Sell, ask).0 as f64;
        // Unsigned: between the two limits there are 2^63 ticks.
        let spread = ask.0.abs_diff(bid.0) as f64;
        Some(bid.0 as f64 + spread * bid_lots / (bid_lots + ask_lots))
    }

    /// Visible lots at a price. O(1) inside the window.
    #[inline]
    pub fn quantity_at(&self, side: Side, price: Price) -> Quantity {
        Quantity(self.level_at(side, price).map_or(0, |level| level.visible))
    }

    /// Orders at a price. O(1) inside the window.
    #[inline]
    pub fn order_count_at(&self, side: Side, price: Price) -> usize {
        self.level_at(side, price).map_or(0, |level| level.count as usize)
    }

    /// Visible lots of `side` at its best price, one tick behind it, two, ..., empty ticks included, one for each place of `out`.
    /// All zero if the side is empty. Cost: the length of `out`, whatever the size of the book.
    pub fn depth_from_own_best(&self, side: Side, out: &mut [Quantity]) {
        match self.best(side) {
            Some(best) => self.ladders[side.index()].depth(rank(side, best), out),
            None => out.fill(Quantity::ZERO),
        }
    }

    /// Visible lots of `side` at 1, 2, ... ticks from the *opposite* best (bids at best ask - 1, - 2, ...; asks at best bid + 1, + 2, ...),
    /// empty ticks included, one for each place of `out`. All zero if the opposite side is empty. Cost: the length of `out`,
    /// whatever the size of the book.
    pub fn depth_from_opposite_best(&self, side: Side, out: &mut [Quantity]) {
        match self.best(side.opposite()) {
            Some(best) => self.ladders[side.index()].depth(rank(side, best) - 1, out),
            None => out.fill(Quantity::ZERO),
        }
    }

    /// Levels of a side from the best outwards: price, visible lots, orders. O(1) a level inside the window.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Quantity, usize)> + '_ {
        self.ladders[side.index()]
            .iter()
            .map(move |(rank, level)| (price_of(side, rank), Quantity(level.visible), level.count as usize))
    }

    /// Orders at a price in queue order.
    pub fn orders_at(&self, side: Side, price: Price) -> impl Iterator<Item = OrderView> + '_ {
        self.level_at(side, price)
            .into_iter()
            .flat_map(|level| level.slots(&self.arena.nodes))
            .map(|slot| self.order_view(slot))
    }

    /// Orders of a side: best price first, in queue order at each price.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = OrderView> + '_ {
        self.ladders[side.index()]
            .iter()
            .flat_map(|(_, level)| level.slots(&self.arena.nodes))
            .map(|slot| self.order_view(slot))
    }

    /// Resting orders of an owner in order of acceptance. Cost: the owner's orders.
    pub fn orders_of(&self, owner: Owner) -> impl Iterator<Item = OrderView> + '_ {
        self.owners
            .slots(&self.arena, owner)
            .filter(|&slot| self.arena.get(slot).state == State::Resting)
            .map(|slot| self.order_view(slot))
    }

    /// Pending stops of an owner in order of acceptance. Cost: the owner's orders.
    pub fn stops_of(&self, owner: Owner) -> impl Iterator<Item = StopView> + '_ {
        self.owners
            .slots(&self.arena, owner)
            .filter(|&slot| self.arena.get(slot).state == State::Pending)
            .map(|slot| self.stop_view(slot))
    }

    /// Pending stops of a side in the order in which they would fire.
    pub fn stops(&self, side: Side) -> impl Iterator<Item = StopView> + '_ {
        self.stops[side.index()]
            .iter()
            .flat_map(|(_, level)| level.slots(&self.arena.nodes))
            .map(|slot| self.stop_view(slot))
    }

    /// The resting order that a handle names.
    pub fn order(&self, handle: Handle) -> Option<OrderView> {
        let node = self.arena.find(handle)?;
        (node.state == State::Resting).then(|| self.order_view(handle.slot_number()))
    }

    /// The pending stop that a handle names.
    pub fn pending_stop(&self, handle: Handle) -> Option<StopView> {
        let node = self.arena.find(handle)?;
        (node.state == State::Pending).then(|| self.stop_view(handle.slot_number()))
    }

    /// True if a handle names a live order, resting or pending.
    #[inline]
    pub fn is_live(&self, handle: Handle) -> bool {
        self.arena.find(handle).is_some()
    }

    /// What stands before a resting order at its price. Cost: the orders ahead of it.
    pub fn queue_position(&self, handle: Handle) -> Option<QueuePosition> {
        let node: &Node = self.arena.find(handle).filter(|node| node.state == State::Resting)?;
        let mut position = QueuePosition { quantity_ahead: Quantity::ZERO, orders_ahead: 0 };
        let mut ahead = node.prev;
        while ahead != NONE {
            let node = self.arena.get(ahead);
            // A part of the side's open quantity, which fits in 64 bits.
            position.quantity_ahead.0 += node.visible;
            position.orders_ahead += 1;
            ahead = node.prev;
        }
        Some(position)
    }

    /// What a market order of `side` and `quantity` would do now: it reaches hidden lots too; self-trade prevention is not looked at.
    /// Cost: the levels it would touch.
    pub fn sweep(&self, side: Side, quantity: Quantity) -> Sweep {
        let opposite = side.opposite();
        let mut sweep = Sweep { filled: Quantity::ZERO, notional: 0, worst: None, levels: 0 };
        for (rank, level) in self.ladders[opposite.index()].iter() {
            let rest = quantity.0 - sweep.filled.0;
            if rest == 0 {
                break;
            }
            let taken = rest.min(level.visible + level.hidden);
            let price = price_of(opposite, rank);
            sweep.filled.0 += taken;
            sweep.notional += i128::from(price.0) * i128::from(taken);
            sweep.worst = Some(price);
            sweep.levels += 1;
        }
        sweep
    }

    /// Live orders, pending stops included.
    #[inline]
    pub fn order_count(&self) -> usize {
        self.arena.live()
    }

    /// Open lots of a side: visible, hidden, and waiting in its pending stops.
    #[inline]
    pub fn open_quantity(&self, side: Side) -> Quantity {
        Quantity(self.open[side.index()])
    }

    /// Price of the last trade.
    #[inline]
    pub fn last_trade(&self) -> Option<Price> {
        self.last_trade
    }

    /// The latest time given to [`expire`](Self::expire); 0 at first.
    #[inline]
    pub fn clock(&self) -> Nanos {
        self.clock
    }

    /// A 64-bit digest of everything that decides about the future of the book but the free handles: orders in priority order, stops in
    /// firing order, last trade, clock, self-trade prevention. Equal books have equal digests, on every machine. Cost O(book).
    pub fn digest(&self) -> u64 {
        let mut digest = StateDigest::new();
        for side in Side::BOTH {
            self.orders(side).for_each(|order| digest.order(&order));
            self.stops(side).for_each(|stop| digest.stop(&stop));
        }
        digest.market(self.last_trade, self.clock);
        for owner in self.owners.known() {
            if let Some(mode) = self.owners.own_mode(owner) {
                digest.self_trade_prevention(owner, mode);
            }
        }
        digest.finish()
    }

    #[inline]
    fn level_at(&self, side: Side, price: Price) -> Option<&super::level::Level> {
        // A price outside the limits may have no rank.
        let legal = (self.config.min_price..=self.config.max_price).contains(&price);
        if legal { self.ladders[side.index()].level(rank(side, price)) } else { None }
    }

    pub(super) fn order_view(&self, slot: u32) -> OrderView {
        let node = self.arena.get(slot);
        let (mut hidden, mut display, mut expiry) = (Quantity::ZERO, None, None);
        if node.extra != NONE {
            let extra = self.extras.get(node.extra);
            hidden = Quantity(extra.hidden);
            display = extra.display;
            if let TimeInForce::Gtd(at) = extra.time_in_force {
                expiry = Some(at);
            }
        }
        OrderView {
            handle: self.arena.handle(slot),
            owner: node.owner,
            side: node.side,
            price: Price(node.price),
            visible: Quantity(node.visible),
            hidden,
            display,
            expiry,
            post_only: node.post_only,
        }
    }

    pub(super) fn stop_view(&self, slot: u32) -> StopView {
        let node = self.arena.get(slot);
        let extra = self.extras.get(node.extra);
        StopView {
            handle: self.arena.handle(slot),
            owner: node.owner,
            side: node.side,
            stop: Price(node.price),
            price: extra.limit,
            quantity: Quantity(node.visible),
            display: extra.display,
            time_in_force: extra.time_in_force,
            post_only: node.post_only,
        }
    }
}

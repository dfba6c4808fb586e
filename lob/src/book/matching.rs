//! Price-time priority: orders come in, trade with the best of the other side, rest, or wait for their trigger.

use super::arena::{NONE, State, price_of, rank};
use super::ladder::EMPTY;
use super::{OrderBook, stop_rank};
use crate::error::Contradiction;
use crate::{
    CancelReason, Event, Handle, NewOrder, OrderKind, Owner, Price, Quantity, RejectReason,
    SelfTradePrevention, Side, TimeInForce,
};

/// The threshold of an order that trades at any price: above the rank of an empty side.
const ANY_PRICE: i64 = EMPTY + 1;

/// An order while it is matched.
#[derive(Clone, Copy)]
pub(super) struct Incoming {
    pub(super) slot: u32,
    pub(super) handle: Handle,
    pub(super) owner: Owner,
    pub(super) side: Side,
    /// The lowest rank of the opposite side to trade with.
    threshold: i64,
    /// Lots still to trade.
    pub(super) rest: u64,
}

impl Incoming {
    pub(super) fn limit(
        slot: u32,
        handle: Handle,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: u64,
    ) -> Self {
        let threshold = rank(side.opposite(), price);
        Self { slot, handle, owner, side, threshold, rest: quantity }
    }

    fn market(slot: u32, handle: Handle, owner: Owner, side: Side, quantity: u64) -> Self {
        Self { slot, handle, owner, side, threshold: ANY_PRICE, rest: quantity }
    }
}

/// What the terms of an order that is about to act say beyond owner, side and size.
#[derive(Clone, Copy)]
struct Terms {
    /// `None` for a market order.
    limit: Option<Price>,
    time_in_force: TimeInForce,
    display: Option<Quantity>,
}

impl OrderBook {
    /// Submits an order: it trades with what it crosses, and what is left rests, waits or is cancelled, as
    /// its kind and time in force say. The handle names it from now on, also if it has ended already.
    ///
    /// Events, in order: [`Accepted`](Event::Accepted), then one [`Trade`](Event::Trade) for each resting order it
    /// meets, best price and longest wait first, then what became of the rest, then the stops that its trades set off.
    ///
    /// # Errors
    /// A [`RejectReason`], also reported as [`Event::Rejected`]; the book is unchanged.
    #[inline]
    pub fn submit(&mut self, order: NewOrder, events: &mut Vec<Event>) -> Result<Handle, RejectReason> {
        let result = match order {
            NewOrder {
                owner,
                side,
                quantity,
                kind: OrderKind::Limit { price },
                time_in_force: TimeInForce::Gtc,
                post_only: false,
                display: None,
            } => self.submit_limit(owner, side, price, quantity, events),
            NewOrder {
                owner,
                side,
                quantity,
                kind: OrderKind::Market,
                time_in_force: TimeInForce::Gtc | TimeInForce::Ioc,
                post_only: false,
                display: None,
            } => self.submit_market(owner, side, quantity, events),
            _ => self.submit_general(order, events),
        };
        self.debug_check();
        result
    }

    /// [`submit`](Self::submit) of a plain limit order, good till cancelled.
    #[inline]
    pub(crate) fn submit_plain_limit(
        &mut self,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<Handle, RejectReason> {
        let result = self.submit_limit(owner, side, price, quantity, events);
        self.debug_check();
        result
    }

    /// A plain limit order, good till cancelled: the common case without the questions that others ask.
    #[inline]
    fn submit_limit(
        &mut self,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<Handle, RejectReason> {
        let legal = self.owners.admit(owner)
            && quantity.0 > 0
            && (self.config.min_price..=self.config.max_price).contains(&price)
            && self.open[side.index()].checked_add(quantity.0).is_some()
            && !self.arena.is_full();
        if !legal {
            // The checks again, in their documented order, to say which one failed.
            return self.submit_general(NewOrder::limit(owner, side, price, quantity), events);
        }
        let slot = self.arena.take();
        let node = self.arena.get_mut(slot);
        node.owner = owner;
        node.side = side;
        node.price = price.0;
        node.post_only = false;
        node.extra = NONE;
        let handle = Handle::new(slot, node.generation);
        events.push(Event::Accepted { handle, owner, side, price: Some(price), quantity });

        let threshold = rank(side.opposite(), price);
        let mut rest = quantity.0;
        let crosses = self.ladders[side.opposite().index()].best >= threshold;
        if crosses {
            let mut incoming = Incoming { slot, handle, owner, side, threshold, rest };
            self.trade(&mut incoming, events);
            rest = incoming.rest;
        }
        if rest > 0 {
            self.rest_plain(slot, side, price, rest);
        } else {
            self.arena.free(slot);
        }
        if crosses {
            self.fire_stops(events);
        }
        Ok(handle)
    }

    /// A plain market order.
    fn submit_market(
        &mut self,
        owner: Owner,
        side: Side,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<Handle, RejectReason> {
        if !self.owners.admit(owner) || quantity.0 == 0 || self.arena.is_full() {
            return self.submit_general(NewOrder::market(owner, side, quantity), events);
        }
        let slot = self.arena.take();
        let node = self.arena.get_mut(slot);
        node.extra = NONE;
        let handle = Handle::new(slot, node.generation);
        events.push(Event::Accepted { handle, owner, side, price: None, quantity });
        let mut incoming = Incoming::market(slot, handle, owner, side, quantity.0);
        self.trade(&mut incoming, events);
        self.cancel_rest(&incoming, CancelReason::NoLiquidity, events);
        self.arena.free(slot);
        self.fire_stops(events);
        Ok(handle)
    }

    /// Any order, all questions asked.
    fn submit_general(&mut self, order: NewOrder, events: &mut Vec<Event>) -> Result<Handle, RejectReason> {
        if let Err(reason) = self.check_order(&order) {
            events.push(Event::Rejected { owner: Some(order.owner), reason });
            return Err(reason);
        }
        let NewOrder { owner, side, quantity, kind, time_in_force, post_only, display } = order;
        let slot = self.arena.take();
        let node = self.arena.get_mut(slot);
        node.owner = owner;
        node.side = side;
        node.post_only = post_only;
        node.extra = NONE;
        let handle = Handle::new(slot, node.generation);
        let (stop, limit) = match kind {
            OrderKind::Limit { price } => (None, Some(price)),
            OrderKind::Market => (None, None),
            OrderKind::Stop { stop } => (Some(stop), None),
            OrderKind::StopLimit { stop, price } => (Some(stop), Some(price)),
        };
        events.push(Event::Accepted { handle, owner, side, price: limit, quantity });

        let extra = if stop.is_some() || display.is_some() || matches!(time_in_force, TimeInForce::Gtd(_)) {
            self.extras.insert(0, display, time_in_force, limit)
        } else {
            NONE
        };
        self.arena.get_mut(slot).extra = extra;
        if let Some(stop) = stop {
            let node = self.arena.get_mut(slot);
            node.price = stop.0;
            node.visible = quantity.0;
            self.open[side.index()] += quantity.0;
            self.owners.link(&mut self.arena.nodes, slot);
            self.enqueue_stop(slot);
            self.schedule(slot);
        } else {
            let incoming = match limit {
                Some(price) => Incoming::limit(slot, handle, owner, side, price, quantity.0),
                None => Incoming::market(slot, handle, owner, side, quantity.0),
            };
            let terms = Terms { limit, time_in_force, display };
            if self.act(incoming, terms, events) {
                self.owners.link(&mut self.arena.nodes, slot);
                self.schedule(slot);
            } else {
                self.discard(slot);
            }
        }
        self.fire_stops(events);
        Ok(handle)
    }

    /// The checks of `docs/matching.md`, in its order.
    fn check_order(&mut self, order: &NewOrder) -> Result<(), RejectReason> {
        let NewOrder { owner, side, quantity, kind, time_in_force, post_only, display } = *order;
        let (limit, stop) = match kind {
            OrderKind::Limit { price } => (Some(price), None),
            OrderKind::Market => (None, None),
            OrderKind::Stop { stop } => (None, Some(stop)),
            OrderKind::StopLimit { stop, price } => (Some(price), Some(stop)),
        };
        let immediate = matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        if !self.owners.in_range(owner) {
            return Err(RejectReason::OwnerOutOfRange(owner));
        }
        if quantity.is_zero() {
            return Err(RejectReason::ZeroQuantity);
        }
        let contradiction = if post_only && limit.is_none() {
            Some(Contradiction::PostOnlyWithoutLimit)
        } else if post_only && immediate {
            Some(Contradiction::PostOnlyImmediate)
        } else if display.is_some() && (limit.is_none() || immediate) {
            Some(Contradiction::DisplayWithoutRest)
        } else if matches!((kind, time_in_force), (OrderKind::Market, TimeInForce::Gtd(_))) {
            Some(Contradiction::MarketGoodTill)
        } else {
            None
        };
        if let Some(contradiction) = contradiction {
            return Err(RejectReason::Contradiction(contradiction));
        }
        if display.is_some_and(Quantity::is_zero) {
            return Err(RejectReason::ZeroDisplay);
        }
        self.check_price(limit)?;
        self.check_price(stop)?;
        if let TimeInForce::Gtd(expiry) = time_in_force
            && expiry <= self.clock
        {
            return Err(RejectReason::AlreadyExpired(expiry));
        }
        let may_rest = stop.is_some() || (limit.is_some() && !immediate);
        if may_rest && self.open[side.index()].checked_add(quantity.0).is_none() {
            return Err(RejectReason::QuantityOverflow);
        }
        if self.arena.is_full() {
            return Err(RejectReason::BookFull);
        }
        self.owners.admit(owner);
        if stop.is_none() {
            if post_only && limit.is_some_and(|price| self.crosses(side, price)) {
                return Err(RejectReason::WouldCross);
            }
            if time_in_force == TimeInForce::Fok && !self.can_fill(owner, side, limit, quantity.0) {
                return Err(RejectReason::CannotFill);
            }
        }
        Ok(())
    }

    pub(super) fn check_price(&self, price: Option<Price>) -> Result<(), RejectReason> {
        match price {
            Some(price) if price < self.config.min_price || price > self.config.max_price => {
                Err(RejectReason::PriceOutOfLimits(price))
            }
            _ => Ok(()),
        }
    }

    /// True if an order of `side` at `price` reaches the opposite best.
    #[inline]
    pub(super) fn crosses(&self, side: Side, price: Price) -> bool {
        let opposite = side.opposite();
        self.ladders[opposite.index()].best >= rank(opposite, price)
    }

    /// True if a fill-or-kill order would fill: see `docs/matching.md`. Cost: the levels it would reach, and their orders
    /// where self-trade prevention is on.
    fn can_fill(&self, owner: Owner, side: Side, limit: Option<Price>, quantity: u64) -> bool {
        let opposite = side.opposite();
        let threshold = limit.map_or(ANY_PRICE, |price| rank(opposite, price));
        let mode = self.owners.mode(owner);
        let mut missing = quantity;
        for (rank, level) in self.ladders[opposite.index()].iter() {
            if rank < threshold {
                break;
            }
            let mut reachable = level.visible + level.hidden;
            if mode != SelfTradePrevention::Allow {
                let mut visible_ahead = 0;
                for slot in level.slots(&self.arena.nodes) {
                    let node = self.arena.get(slot);
                    if node.owner != owner {
                        visible_ahead += node.visible;
                    } else if mode == SelfTradePrevention::CancelOldest {
                        reachable -= node.visible + self.hidden(node.extra);
                    } else {
                        // Slices that replenish queue up behind the own order, where the order would end.
                        return visible_ahead >= missing;
                    }
                }
            }
            if reachable >= missing {
                return true;
            }
            missing -= reachable;
        }
        false
    }

    /// Lets an order trade and rest as its terms say. True if it rests. Its node must hold owner, side, extra and flags; it is
    /// linked in no list, and its quantity is not counted as open.
    fn act(&mut self, mut incoming: Incoming, terms: Terms, events: &mut Vec<Event>) -> bool {
        self.trade(&mut incoming, events);
        if incoming.rest == 0 {
            return false;
        }
        let Some(price) = terms.limit else {
            self.cancel_rest(&incoming, CancelReason::NoLiquidity, events);
            return false;
        };
        if matches!(terms.time_in_force, TimeInForce::Ioc | TimeInForce::Fok) {
            self.cancel_rest(&incoming, CancelReason::ImmediateOrCancel, events);
            return false;
        }
        self.rest(incoming.slot, price, incoming.rest, terms.display);
        true
    }

    /// Reports the end of what an order could not trade.
    fn cancel_rest(&self, incoming: &Incoming, reason: CancelReason, events: &mut Vec<Event>) {
        if incoming.rest > 0 {
            events.push(Event::Cancelled {
                handle: incoming.handle,
                owner: incoming.owner,
                quantity: Quantity(incoming.rest),
                left: Quantity::ZERO,
                reason,
            });
        }
    }

    /// Puts a plain order, its node filled but for the quantity, at the back of its queue and into its owner's list.
    #[inline(always)]
    fn rest_plain(&mut self, slot: u32, side: Side, price: Price, quantity: u64) {
        self.open[side.index()] += quantity;
        let level = self.ladders[side.index()].occupy(rank(side, price));
        let node = &mut self.arena.nodes[slot as usize];
        node.visible = quantity;
        node.state = State::Resting;
        level.visible += quantity;
        level.push_back(&mut self.arena.nodes, slot);
        self.owners.link(&mut self.arena.nodes, slot);
    }

    /// Puts an order at the back of its queue, its iceberg's rest hidden. The caller links it with its owner.
    pub(super) fn rest(&mut self, slot: u32, price: Price, quantity: u64, display: Option<Quantity>) {
        let visible = display.map_or(quantity, |display| display.0.min(quantity));
        self.arena.get_mut(slot).price = price.0;
        self.rest_exactly(slot, visible, quantity - visible);
    }

    /// Puts an order, its node filled but for the quantity, at the back of its queue.
    pub(super) fn rest_exactly(&mut self, slot: u32, visible: u64, hidden: u64) {
        let node = self.arena.get_mut(slot);
        node.visible = visible;
        node.state = State::Resting;
        let (side, price, extra) = (node.side, Price(node.price), node.extra);
        if extra != NONE {
            self.extras.get_mut(extra).hidden = hidden;
        }
        self.open[side.index()] += visible + hidden;
        let level = self.ladders[side.index()].occupy(rank(side, price));
        level.visible += visible;
        level.hidden += hidden;
        level.push_back(&mut self.arena.nodes, slot);
    }

    /// Puts a live order with an expiry into the queue of expiries.
    fn schedule(&mut self, slot: u32) {
        let extra = self.arena.get(slot).extra;
        if extra != NONE
            && let TimeInForce::Gtd(expiry) = self.extras.get(extra).time_in_force
        {
            self.extras.schedule(slot, extra, expiry);
        }
    }

    /// A market order of `owner` trades with one resting order, whatever its place in the queue: what a replayed market says has
    /// happened. The same events as [`submit`](Self::submit) of a market order. Returns the lots traded: `quantity`, or what the order shows.
    ///
    /// # Errors
    /// [`RejectReason::UnknownHandle`] if no such order rests; [`RejectReason::OwnerOutOfRange`], [`RejectReason::ZeroQuantity`],
    /// [`RejectReason::BookFull`]. Nothing is reported then, and the book is unchanged.
    pub(crate) fn execute(
        &mut self,
        owner: Owner,
        handle: Handle,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<Quantity, RejectReason> {
        if !self.owners.admit(owner) {
            return Err(RejectReason::OwnerOutOfRange(owner));
        } else if quantity.is_zero() {
            return Err(RejectReason::ZeroQuantity);
        } else if self.arena.is_full() {
            return Err(RejectReason::BookFull);
        }
        let node = self.arena.find(handle).filter(|node| node.state == State::Resting);
        let node = node.ok_or(RejectReason::UnknownHandle(handle))?;
        let (side, price) = (node.side, Price(node.price));
        let taker_slot = self.arena.take();
        let taker = self.arena.handle(taker_slot);
        self.arena.get_mut(taker_slot).extra = NONE;
        let aggressor = side.opposite();
        events.push(Event::Accepted { handle: taker, owner, side: aggressor, price: None, quantity });
        let slot = handle.slot_number();
        let maker = self.arena.get_mut(slot);
        let traded = quantity.0.min(maker.visible);
        maker.visible -= traded;
        let (maker_owner, visible, extra) = (maker.owner, maker.visible, maker.extra);
        let hidden = if extra == NONE { 0 } else { self.extras.get(extra).hidden };
        let level = self.ladders[side.index()].level_mut(rank(side, price));
        level.visible -= traded;
        self.open[side.index()] -= traded;
        self.last_trade = Some(price);
        events.push(Event::Trade {
            maker: handle,
            taker,
            maker_owner,
            taker_owner: owner,
            price,
            quantity: Quantity(traded),
            maker_left: Quantity(visible + hidden),
            aggressor,
        });
        if visible == 0 {
            if hidden > 0 {
                self.replenish(slot, events);
            } else {
                level.unlink(&mut self.arena.nodes, slot);
                if level.count == 0 {
                    self.ladders[side.index()].vacate(rank(side, price));
                }
                self.release(slot);
            }
        }
        self.arena.free(taker_slot);
        self.fire_stops(events);
        self.debug_check();
        Ok(Quantity(traded))
    }

    /// Trades an incoming order with the best of the other side, as far as its threshold and quantity go.
    pub(super) fn trade(&mut self, incoming: &mut Incoming, events: &mut Vec<Event>) {
        let opposite = incoming.side.opposite();
        while incoming.rest > 0 {
            let ladder = &mut self.ladders[opposite.index()];
            let best = ladder.best;
            if best < incoming.threshold {
                break;
            }
            let level = ladder.best_level_mut();
            let maker_slot = level.head;
            let maker = &mut self.arena.nodes[maker_slot as usize];
            if maker.owner == incoming.owner && self.owners.mode(incoming.owner) != SelfTradePrevention::Allow
            {
                self.prevent_self_trade(incoming, maker_slot, events);
                continue;
            }
            let quantity = incoming.rest.min(maker.visible);
            incoming.rest -= quantity;
            maker.visible -= quantity;
            level.visible -= quantity;
            self.open[opposite.index()] -= quantity;
            let hidden = if maker.extra == NONE { 0 } else { self.extras.get(maker.extra).hidden };
            let price = price_of(opposite, best);
            self.last_trade = Some(price);
            events.push(Event::Trade {
                maker: Handle::new(maker_slot, maker.generation),
                taker: incoming.handle,
                maker_owner: maker.owner,
                taker_owner: incoming.owner,
                price,
                quantity: Quantity(quantity),
                maker_left: Quantity(maker.visible + hidden),
                aggressor: incoming.side,
            });
            if maker.visible == 0 {
                if hidden > 0 {
                    self.replenish(maker_slot, events);
                } else {
                    level.unlink(&mut self.arena.nodes, maker_slot);
                    if level.count == 0 {
                        ladder.vacate(best);
                    }
                    self.release(maker_slot);
                }
            }
        }
    }

    /// Shows an iceberg's next slice at the back of its queue.
    #[cold]
    fn replenish(&mut self, slot: u32, events: &mut Vec<Event>) {
        let node = self.arena.get_mut(slot);
        let (side, price, owner) = (node.side, Price(node.price), node.owner);
        let extra = self.extras.get_mut(node.extra);
        let display = extra.display.expect("what hides lots has a display quantity").0;
        let visible = display.min(extra.hidden);
        extra.hidden -= visible;
        node.visible = visible;
        let level = self.ladders[side.index()].level_mut(rank(side, price));
        level.unlink(&mut self.arena.nodes, slot);
        level.push_back(&mut self.arena.nodes, slot);
        level.visible += visible;
        level.hidden -= visible;
        let handle = self.arena.handle(slot);
        events.push(Event::Replenished { handle, owner, visible: Quantity(visible) });
    }

    /// Keeps an order from trading with one of its own owner: cancels one or both, or shrinks both.
    #[cold]
    fn prevent_self_trade(&mut self, incoming: &mut Incoming, maker_slot: u32, events: &mut Vec<Event>) {
        let mode = self.owners.mode(incoming.owner);
        if matches!(mode, SelfTradePrevention::CancelOldest | SelfTradePrevention::CancelBoth) {
            self.end(maker_slot, CancelReason::SelfTrade, events);
        }
        if matches!(mode, SelfTradePrevention::CancelNewest | SelfTradePrevention::CancelBoth) {
            self.cancel_rest(incoming, CancelReason::SelfTrade, events);
            incoming.rest = 0;
        }
        if mode == SelfTradePrevention::Decrement {
            let visible = self.arena.get(maker_slot).visible;
            let quantity = incoming.rest.min(visible);
            if quantity == visible && self.hidden(self.arena.get(maker_slot).extra) == 0 {
                self.end(maker_slot, CancelReason::SelfTrade, events);
            } else {
                self.shrink_visible(maker_slot, quantity, events);
            }
            incoming.rest -= quantity;
            events.push(Event::Cancelled {
                handle: incoming.handle,
                owner: incoming.owner,
                quantity: Quantity(quantity),
                left: Quantity(incoming.rest),
                reason: CancelReason::SelfTrade,
            });
        }
    }

    /// Takes lots out of a resting order's visible slice for self-trade prevention; the order goes on.
    fn shrink_visible(&mut self, slot: u32, quantity: u64, events: &mut Vec<Event>) {
        let node = self.arena.get_mut(slot);
        node.visible -= quantity;
        let (side, price, owner, visible, extra) =
            (node.side, Price(node.price), node.owner, node.visible, node.extra);
        self.ladders[side.index()].level_mut(rank(side, price)).visible -= quantity;
        self.open[side.index()] -= quantity;
        events.push(Event::Cancelled {
            handle: self.arena.handle(slot),
            owner,
            quantity: Quantity(quantity),
            left: Quantity(visible + self.hidden(extra)),
            reason: CancelReason::SelfTrade,
        });
        if visible == 0 {
            self.replenish(slot, events);
        }
    }

    /// Fires the stops that the last trade has set off, one after the other, each acting before the next is looked for.
    #[inline]
    pub(super) fn fire_stops(&mut self, events: &mut Vec<Event>) {
        if !(self.stops[0].is_empty() && self.stops[1].is_empty()) {
            while let Some(slot) = self.due_stop() {
                self.fire(slot, events);
            }
        }
    }

    /// The stop that fires next, buys first.
    fn due_stop(&self) -> Option<u32> {
        let last = self.last_trade?;
        Side::BOTH.into_iter().find_map(|side| {
            let stops = &self.stops[side.index()];
            let best = stops.best().filter(|&best| best >= stop_rank(side, last))?;
            stops.get(best).map(|level| level.head)
        })
    }

    fn fire(&mut self, slot: u32, events: &mut Vec<Event>) {
        self.dequeue(slot);
        let node = self.arena.get_mut(slot);
        node.state = State::InFlight;
        let (owner, side, quantity, post_only) = (node.owner, node.side, node.visible, node.post_only);
        let (handle, extra) = (self.arena.handle(slot), self.arena.get(slot).extra);
        let super::extra::Extra { limit, time_in_force, display, .. } = *self.extras.get(extra);
        self.open[side.index()] -= quantity;
        events.push(Event::Triggered { handle, owner });
        let incoming = match limit {
            Some(price) => Incoming::limit(slot, handle, owner, side, price, quantity),
            None => Incoming::market(slot, handle, owner, side, quantity),
        };
        let rests = if post_only && limit.is_some_and(|price| self.crosses(side, price)) {
            self.cancel_rest(&incoming, CancelReason::PostOnly, events);
            false
        } else if time_in_force == TimeInForce::Fok && !self.can_fill(owner, side, limit, quantity) {
            self.cancel_rest(&incoming, CancelReason::FillOrKill, events);
            false
        } else {
            self.act(incoming, Terms { limit, time_in_force, display }, events)
        };
        if rests {
            // Only an iceberg or an expiry still needs what the stop kept beside its node.
            if display.is_none() && !matches!(time_in_force, TimeInForce::Gtd(_)) {
                self.extras.remove(extra);
                self.arena.get_mut(slot).extra = NONE;
            }
        } else {
            self.release(slot);
        }
    }
}

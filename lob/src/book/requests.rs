//! Requests about orders that are there already: cancel, amend, expire; and any request as data.

use super::arena::{NONE, State, rank};
use super::matching::Incoming;
use super::{OrderBook, stop_rank};
use crate::{
    Amendment, CancelReason, Event, Handle, Nanos, Owner, Price, Quantity, RejectReason, Request,
    SelfTradePrevention, Side,
};

impl OrderBook {
    /// Carries out any request, as data. What the single methods return is in the events.
    ///
    /// # Errors
    /// See the method of the same name.
    pub fn apply(&mut self, request: Request, events: &mut Vec<Event>) -> Result<(), RejectReason> {
        match request {
            Request::Submit(order) => self.submit(order, events).map(drop),
            Request::Cancel { handle } => self.cancel(handle, events).map(drop),
            Request::CancelQuantity { owner, side, price, quantity } => {
                self.cancel_quantity(owner, side, price, quantity, events).map(drop)
            }
            Request::MassCancel { owner, side } => {
                self.mass_cancel(owner, side, events);
                Ok(())
            }
            Request::Amend { handle, amendment } => self.amend(handle, amendment, events),
            Request::Expire { until } => self.expire(until, events).map(drop),
            Request::SetSelfTradePrevention { owner, mode } => {
                self.set_self_trade_prevention(owner, mode, events)
            }
        }
    }

    /// Cancels one order, resting or pending. Returns the lots that were left in it. Cost O(1).
    ///
    /// # Errors
    /// [`RejectReason::UnknownHandle`] if no live order has this handle.
    pub fn cancel(&mut self, handle: Handle, events: &mut Vec<Event>) -> Result<Quantity, RejectReason> {
        let Some(node) = self.arena.find(handle) else {
            let reason = RejectReason::UnknownHandle(handle);
            events.push(Event::Rejected { owner: None, reason });
            return Err(reason);
        };
        let quantity = if node.state == State::Resting && node.extra == NONE {
            let (owner, quantity) = self.remove_plain(handle.slot_number());
            let (left, reason) = (Quantity::ZERO, CancelReason::Requested);
            events.push(Event::Cancelled { handle, owner, quantity, left, reason });
            quantity
        } else {
            self.end(handle.slot_number(), CancelReason::Requested, events)
        };
        self.debug_check();
        Ok(quantity)
    }

    /// Cancels up to `quantity` lots of `owner` at one price, newest order first; the last one touched shrinks in place and
    /// keeps its priority. Returns the lots cancelled, zero if the owner has nothing there. Cost: the orders of the level
    /// behind the last one touched.
    ///
    /// # Errors
    /// [`RejectReason::OwnerOutOfRange`], [`RejectReason::ZeroQuantity`].
    pub fn cancel_quantity(
        &mut self,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<Quantity, RejectReason> {
        let refused = if !self.owners.in_range(owner) {
            Some(RejectReason::OwnerOutOfRange(owner))
        } else if quantity.is_zero() {
            Some(RejectReason::ZeroQuantity)
        } else {
            None
        };
        if let Some(reason) = refused {
            events.push(Event::Rejected { owner: Some(owner), reason });
            return Err(reason);
        }
        let mut rest = quantity.0;
        let rank = rank(side, price);
        let mut slot = self.ladders[side.index()].level(rank).map_or(NONE, |level| level.tail);
        while rest > 0 && slot != NONE {
            let node = &mut self.arena.nodes[slot as usize];
            let previous = node.prev;
            if node.owner == owner {
                let handle = Handle::new(slot, node.generation);
                let reason = CancelReason::Requested;
                if node.extra != NONE {
                    rest -= self.cancel_from_special(slot, rest, events);
                } else if node.visible <= rest {
                    let visible = node.visible;
                    rest -= visible;
                    self.unlink_plain(slot, side, rank, visible);
                    let (quantity, left) = (Quantity(visible), Quantity::ZERO);
                    events.push(Event::Cancelled { handle, owner, quantity, left, reason });
                } else {
                    node.visible -= rest;
                    let (quantity, left) = (Quantity(rest), Quantity(node.visible));
                    self.ladders[side.index()].level_mut(rank).visible -= rest;
                    self.open[side.index()] -= rest;
                    events.push(Event::Cancelled { handle, owner, quantity, left, reason });
                    rest = 0;
                }
            }
            slot = previous;
        }
        self.debug_check();
        Ok(Quantity(quantity.0 - rest))
    }

    /// Takes up to `rest` lots out of a resting order with extras. Returns how many.
    #[cold]
    fn cancel_from_special(&mut self, slot: u32, rest: u64, events: &mut Vec<Event>) -> u64 {
        let node = self.arena.get(slot);
        let (owner, total) = (node.owner, node.visible + self.hidden(node.extra));
        if total <= rest {
            self.end(slot, CancelReason::Requested, events);
            return total;
        }
        let handle = self.arena.handle(slot);
        self.shrink(slot, rest);
        let (quantity, left, reason) = (Quantity(rest), Quantity(total - rest), CancelReason::Requested);
        events.push(Event::Cancelled { handle, owner, quantity, left, reason });
        rest
    }

    /// Cancels all orders of an owner (of one side, if given), pending stops included, in order of acceptance. Returns how many.
    /// Cost: the owner's orders.
    pub fn mass_cancel(&mut self, owner: Owner, side: Option<Side>, events: &mut Vec<Event>) -> usize {
        let mut cancelled = 0;
        let mut slot = self.owners.first(owner);
        while slot != NONE {
            let node = self.arena.get(slot);
            let next = node.owner_next;
            if side.is_none_or(|side| side == node.side) {
                self.end(slot, CancelReason::Requested, events);
                cancelled += 1;
            }
            slot = next;
        }
        self.debug_check();
        cancelled
    }

    /// Changes an order. A smaller quantity at the same price keeps its place in the queue; anything else makes it act like a new
    /// order under the same handle, which may trade at once and may set off stops.
    ///
    /// # Errors
    /// A [`RejectReason`]; the order is unchanged.
    pub fn amend(
        &mut self,
        handle: Handle,
        amendment: Amendment,
        events: &mut Vec<Event>,
    ) -> Result<(), RejectReason> {
        let result = self.try_amend(handle, amendment, events);
        if let Err(reason) = result {
            let owner = self.arena.find(handle).map(|node| node.owner);
            events.push(Event::Rejected { owner, reason });
        }
        self.debug_check();
        result
    }

    fn try_amend(
        &mut self,
        handle: Handle,
        amendment: Amendment,
        events: &mut Vec<Event>,
    ) -> Result<(), RejectReason> {
        let node = self.arena.find(handle).ok_or(RejectReason::UnknownHandle(handle))?;
        let slot = handle.slot_number();
        let (owner, side, post_only, extra) = (node.owner, node.side, node.post_only, node.extra);
        let old_quantity = node.visible + self.hidden(extra);
        let pending = node.state == State::Pending;
        let (old_stop, old_limit) = if pending {
            (Some(Price(node.price)), self.extras.get(extra).limit)
        } else {
            (None, Some(Price(node.price)))
        };
        let unfit = amendment.stop.is_some() && old_stop.is_none()
            || amendment.price.is_some() && old_limit.is_none();
        if unfit {
            return Err(RejectReason::NotAmendable);
        }
        if amendment.quantity.is_some_and(Quantity::is_zero) {
            return Err(RejectReason::ZeroQuantity);
        }
        self.check_price(amendment.price)?;
        self.check_price(amendment.stop)?;
        let quantity = amendment.quantity.map_or(old_quantity, |quantity| quantity.0);
        let limit = amendment.price.or(old_limit);
        let stop = amendment.stop.or(old_stop);
        let same_prices = limit == old_limit && stop == old_stop;
        if same_prices && quantity == old_quantity {
            return Err(RejectReason::NothingToAmend);
        }
        if post_only && !pending && !same_prices && limit.is_some_and(|price| self.crosses(side, price)) {
            return Err(RejectReason::WouldCross);
        }
        if (self.open[side.index()] - old_quantity).checked_add(quantity).is_none() {
            return Err(RejectReason::QuantityOverflow);
        }

        let kept_priority = same_prices && quantity < old_quantity;
        let (price, new_quantity) = (limit, Quantity(quantity));
        events.push(Event::Amended { handle, owner, price, quantity: new_quantity, kept_priority });
        if kept_priority {
            self.shrink(slot, old_quantity - quantity);
            return Ok(());
        }
        self.dequeue(slot);
        if let Some(stop) = stop {
            self.open[side.index()] = self.open[side.index()] - old_quantity + quantity;
            let node = self.arena.get_mut(slot);
            node.price = stop.0;
            node.visible = quantity;
            self.extras.get_mut(extra).limit = limit;
            self.enqueue_stop(slot);
        } else {
            let price = limit.expect("a resting order has a limit");
            let display = if extra == NONE { None } else { self.extras.get(extra).display };
            self.open[side.index()] -= old_quantity;
            self.arena.get_mut(slot).state = State::InFlight;
            let mut incoming = Incoming::limit(slot, handle, owner, side, price, quantity);
            self.trade(&mut incoming, events);
            if incoming.rest > 0 {
                self.rest(slot, price, incoming.rest, display);
            } else {
                self.release(slot);
            }
        }
        self.fire_stops(events);
        Ok(())
    }

    /// Moves the clock to `until` and removes every order whose time is then up, by expiry and then acceptance. Returns how
    /// many went. Cost O(log n) an order removed.
    ///
    /// # Errors
    /// [`RejectReason::ClockBackwards`] if `until` is before the clock.
    pub fn expire(&mut self, until: Nanos, events: &mut Vec<Event>) -> Result<usize, RejectReason> {
        if until < self.clock {
            let reason = RejectReason::ClockBackwards(until);
            events.push(Event::Rejected { owner: None, reason });
            return Err(reason);
        }
        self.clock = until;
        let mut expired = 0;
        while let Some(slot) = self.extras.due(until) {
            let (handle, owner) = (self.arena.handle(slot), self.arena.get(slot).owner);
            let quantity = self.remove(slot);
            events.push(Event::Expired { handle, owner, quantity });
            expired += 1;
        }
        self.debug_check();
        Ok(expired)
    }

    /// Sets an owner's mode of self-trade prevention, from the next request on.
    ///
    /// # Errors
    /// [`RejectReason::OwnerOutOfRange`].
    pub fn set_self_trade_prevention(
        &mut self,
        owner: Owner,
        mode: SelfTradePrevention,
        events: &mut Vec<Event>,
    ) -> Result<(), RejectReason> {
        if !self.owners.admit(owner) {
            let reason = RejectReason::OwnerOutOfRange(owner);
            events.push(Event::Rejected { owner: Some(owner), reason });
            return Err(reason);
        }
        self.owners.set_mode(owner, mode);
        Ok(())
    }

    /// An owner's mode of self-trade prevention.
    pub fn self_trade_prevention(&self, owner: Owner) -> SelfTradePrevention {
        self.owners.mode(owner)
    }

    /// Ends a live order and reports it as cancelled. Returns the lots that were left in it.
    pub(super) fn end(&mut self, slot: u32, reason: CancelReason, events: &mut Vec<Event>) -> Quantity {
        let (handle, owner) = (self.arena.handle(slot), self.arena.get(slot).owner);
        let quantity = self.remove(slot);
        events.push(Event::Cancelled { handle, owner, quantity, left: Quantity::ZERO, reason });
        quantity
    }

    /// Takes a live order out of the book. Returns the lots that were left in it.
    #[inline]
    fn remove(&mut self, slot: u32) -> Quantity {
        let node = self.arena.get(slot);
        let (side, total) = (node.side, node.visible + self.hidden(node.extra));
        self.open[side.index()] -= total;
        self.dequeue(slot);
        self.release(slot);
        Quantity(total)
    }

    /// Takes a resting order without extras out of the book: what [`remove`](Self::remove) does, with each thing read once.
    #[inline(always)]
    fn remove_plain(&mut self, slot: u32) -> (Owner, Quantity) {
        let node = self.arena.get(slot);
        let (side, price, visible, owner) = (node.side, Price(node.price), node.visible, node.owner);
        self.unlink_plain(slot, side, rank(side, price), visible);
        (owner, Quantity(visible))
    }

    /// Takes a resting order without extras, known to have `visible` lots at `rank`, out of the book.
    #[inline(always)]
    fn unlink_plain(&mut self, slot: u32, side: Side, rank: i64, visible: u64) {
        self.open[side.index()] -= visible;
        let ladder = &mut self.ladders[side.index()];
        let level = ladder.level_mut(rank);
        level.visible -= visible;
        level.unlink(&mut self.arena.nodes, slot);
        if level.count == 0 {
            ladder.vacate(rank);
        }
        self.owners.unlink(&mut self.arena.nodes, slot);
        self.arena.free(slot);
    }

    /// Takes lots out of an order that keeps some, hidden ones first; it keeps its place.
    fn shrink(&mut self, slot: u32, quantity: u64) {
        let node = &mut self.arena.nodes[slot as usize];
        let from_hidden = if node.extra == super::NONE {
            0
        } else {
            let extra = self.extras.get_mut(node.extra);
            let from_hidden = extra.hidden.min(quantity);
            extra.hidden -= from_hidden;
            from_hidden
        };
        let from_visible = quantity - from_hidden;
        node.visible -= from_visible;
        let (side, price) = (node.side, Price(node.price));
        self.open[side.index()] -= quantity;
        if node.state == State::Pending {
            let level = self.stops[side.index()].get_mut(stop_rank(side, price));
            level.expect("a pending stop has a level").visible -= from_visible;
        } else {
            let level = self.ladders[side.index()].level_mut(rank(side, price));
            level.visible -= from_visible;
            level.hidden -= from_hidden;
        }
    }
}

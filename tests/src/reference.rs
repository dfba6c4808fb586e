//! A second implementation of `docs/matching.md`: lists, linear search and sorting, nothing clever.
//!
//! It is written from that page alone and shares nothing with the engine but the vocabulary (requests, events, views).
//! Each operation costs O(orders) or worse; each reads like the paragraph it implements.

mod digest;
mod matching;
mod views;

use lob::{
    Amendment, BookConfig, Contradiction, Event, Handle, Nanos, NewOrder, OrderKind, Owner, Price, Quantity,
    RejectReason, Request, SelfTradePrevention, Side, TimeInForce,
};

/// One accepted order that has not ended: resting, pending as a stop, or on its way through matching.
#[derive(Clone, Debug)]
struct Order {
    handle: Handle,
    owner: Owner,
    side: Side,
    /// Number in the order of acceptance; nothing changes it.
    accepted: u64,
    /// `None` for market and stop-market orders.
    price: Option<Price>,
    /// The trigger, until it fires.
    stop: Option<Price>,
    /// Lots shown; for an order that does not rest, all its lots.
    visible: u64,
    hidden: u64,
    display: Option<Quantity>,
    time_in_force: TimeInForce,
    post_only: bool,
}

impl Order {
    fn open(&self) -> u64 {
        self.visible + self.hidden
    }

    fn expiry(&self) -> Option<Nanos> {
        match self.time_in_force {
            TimeInForce::Gtd(expiry) => Some(expiry),
            _ => None,
        }
    }

    /// Takes lots out in place: hidden ones first, then visible ones.
    fn shrink(&mut self, quantity: u64) {
        let from_hidden = quantity.min(self.hidden);
        self.hidden -= from_hidden;
        self.visible -= quantity - from_hidden;
    }
}

/// The naive book.
#[derive(Clone, Debug)]
pub struct Reference {
    config: BookConfig,
    clock: Nanos,
    last_trade: Option<Price>,
    modes: Vec<(Owner, SelfTradePrevention)>,
    /// Resting orders of both sides and all prices; of two at one price, the one further forward has priority.
    resting: Vec<Order>,
    /// Pending stops of both sides; of two with one trigger, the one further forward fires first.
    stops: Vec<Order>,
    /// The generation of every slot ever taken.
    generations: Vec<u32>,
    /// Freed slots; the last one is taken first.
    free: Vec<u32>,
    accepted: u64,
}

impl Reference {
    /// An empty book.
    pub fn new(config: BookConfig) -> Self {
        Self {
            config,
            clock: Nanos(0),
            last_trade: None,
            modes: Vec::new(),
            resting: Vec::new(),
            stops: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
            accepted: 0,
        }
    }

    /// Any request. The number is the new handle's bits (submit), lots (cancel, cancel a quantity) or orders (mass
    /// cancel, expire); zero for the others.
    pub fn apply(&mut self, request: Request, events: &mut Vec<Event>) -> Result<u64, RejectReason> {
        let (owner, outcome) = match request {
            Request::Submit(order) => (Some(order.owner), self.submit(order, events)),
            Request::Cancel { handle } => (self.owner_of(handle), self.cancel(handle, events)),
            Request::CancelQuantity { owner, side, price, quantity } => {
                (Some(owner), self.cancel_quantity(owner, side, price, quantity, events))
            }
            Request::MassCancel { owner, side } => (Some(owner), Ok(self.mass_cancel(owner, side, events))),
            Request::Amend { handle, amendment } => {
                (self.owner_of(handle), self.amend(handle, amendment, events))
            }
            Request::Expire { until } => (None, self.expire(until, events)),
            Request::SetSelfTradePrevention { owner, mode } => (Some(owner), self.set_mode(owner, mode)),
        };
        if let Err(reason) = outcome {
            events.push(Event::Rejected { owner, reason });
        }
        outcome
    }

    fn submit(&mut self, new: NewOrder, events: &mut Vec<Event>) -> Result<u64, RejectReason> {
        self.check_attributes(&new)?;
        let (price, stop) = match new.kind {
            OrderKind::Limit { price } => (Some(price), None),
            OrderKind::Market => (None, None),
            OrderKind::Stop { stop } => (None, Some(stop)),
            OrderKind::StopLimit { stop, price } => (Some(price), Some(stop)),
        };
        self.check_prices(price, stop)?;
        if let TimeInForce::Gtd(expiry) = new.time_in_force
            && expiry <= self.clock
        {
            return Err(RejectReason::AlreadyExpired(expiry));
        }
        let immediate = matches!(new.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let may_rest_or_wait = stop.is_some() || (price.is_some() && !immediate);
        if may_rest_or_wait && self.open(new.side) + u128::from(new.quantity.0) > u128::from(u64::MAX) {
            return Err(RejectReason::QuantityOverflow);
        }
        if self.free.is_empty() && self.generations.len() == u32::MAX as usize {
            return Err(RejectReason::BookFull);
        }
        let mut order = Order {
            handle: Handle::from_bits(0),
            owner: new.owner,
            side: new.side,
            accepted: self.accepted,
            price,
            stop,
            visible: new.quantity.0,
            hidden: 0,
            display: new.display,
            time_in_force: new.time_in_force,
            post_only: new.post_only,
        };
        if stop.is_none() {
            if new.post_only && self.would_trade(new.side, price) {
                return Err(RejectReason::WouldCross);
            }
            if new.time_in_force == TimeInForce::Fok && !self.can_fill(&order) {
                return Err(RejectReason::CannotFill);
            }
        }

        let handle = self.take_slot();
        order.handle = handle;
        self.accepted += 1;
        let (owner, side, quantity) = (new.owner, new.side, new.quantity);
        events.push(Event::Accepted { handle, owner, side, price, quantity });
        if stop.is_some() {
            self.stops.push(order);
        } else {
            self.execute(order, events);
        }
        self.fire_due_stops(events);
        Ok(handle.to_bits())
    }

    fn check_attributes(&self, new: &NewOrder) -> Result<(), RejectReason> {
        if new.owner.0 >= self.config.max_owners {
            return Err(RejectReason::OwnerOutOfRange(new.owner));
        }
        if new.quantity.is_zero() {
            return Err(RejectReason::ZeroQuantity);
        }
        let immediate = matches!(new.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let no_limit = matches!(new.kind, OrderKind::Market | OrderKind::Stop { .. });
        let good_till = matches!(new.time_in_force, TimeInForce::Gtd(_));
        let contradiction = if new.post_only && no_limit {
            Some(Contradiction::PostOnlyWithoutLimit)
        } else if new.post_only && immediate {
            Some(Contradiction::PostOnlyImmediate)
        } else if new.display.is_some() && (no_limit || immediate) {
            Some(Contradiction::DisplayWithoutRest)
        } else if new.kind == OrderKind::Market && good_till {
            Some(Contradiction::MarketGoodTill)
        } else {
            None
        };
        if let Some(contradiction) = contradiction {
            return Err(RejectReason::Contradiction(contradiction));
        }
        if new.display == Some(Quantity::ZERO) {
            return Err(RejectReason::ZeroDisplay);
        }
        Ok(())
    }

    /// The limit first, then the stop.
    fn check_prices(&self, price: Option<Price>, stop: Option<Price>) -> Result<(), RejectReason> {
        for price in [price, stop].into_iter().flatten() {
            if price < self.config.min_price || price > self.config.max_price {
                return Err(RejectReason::PriceOutOfLimits(price));
            }
        }
        Ok(())
    }

    fn cancel(&mut self, handle: Handle, events: &mut Vec<Event>) -> Result<u64, RejectReason> {
        let order = self.remove(handle).ok_or(RejectReason::UnknownHandle(handle))?;
        self.report_cancelled(&order, lob::CancelReason::Requested, events);
        Ok(order.open())
    }

    fn cancel_quantity(
        &mut self,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: Quantity,
        events: &mut Vec<Event>,
    ) -> Result<u64, RejectReason> {
        if owner.0 >= self.config.max_owners {
            return Err(RejectReason::OwnerOutOfRange(owner));
        }
        if quantity.is_zero() {
            return Err(RejectReason::ZeroQuantity);
        }
        let mut wanted = quantity.0;
        let newest_first: Vec<Handle> = self
            .resting
            .iter()
            .rev()
            .filter(|order| order.owner == owner && order.side == side && order.price == Some(price))
            .map(|order| order.handle)
            .collect();
        for handle in newest_first {
            if wanted == 0 {
                break;
            }
            let index = self.resting.iter().position(|order| order.handle == handle).expect("listed above");
            let order = &mut self.resting[index];
            let taken = wanted.min(order.open());
            order.shrink(taken);
            wanted -= taken;
            events.push(Event::Cancelled {
                handle,
                owner,
                quantity: Quantity(taken),
                left: Quantity(order.open()),
                reason: lob::CancelReason::Requested,
            });
            if order.open() == 0 {
                self.resting.remove(index);
                self.free_slot(handle);
            }
        }
        Ok(quantity.0 - wanted)
    }

    fn mass_cancel(&mut self, owner: Owner, side: Option<Side>, events: &mut Vec<Event>) -> u64 {
        let mut orders: Vec<Order> = self
            .live()
            .filter(|order| order.owner == owner && side.is_none_or(|side| order.side == side))
            .cloned()
            .collect();
        orders.sort_by_key(|order| order.accepted);
        for order in &orders {
            self.remove(order.handle);
            self.report_cancelled(order, lob::CancelReason::Requested, events);
        }
        orders.len() as u64
    }

    fn amend(
        &mut self,
        handle: Handle,
        amendment: Amendment,
        events: &mut Vec<Event>,
    ) -> Result<u64, RejectReason> {
        let order = self.find(handle).ok_or(RejectReason::UnknownHandle(handle))?.clone();
        let pending = order.stop.is_some();
        if amendment.stop.is_some() && !pending || amendment.price.is_some() && order.price.is_none() {
            return Err(RejectReason::NotAmendable);
        }
        if amendment.quantity == Some(Quantity::ZERO) {
            return Err(RejectReason::ZeroQuantity);
        }
        self.check_prices(amendment.price, amendment.stop)?;

        let quantity = amendment.quantity.map_or(order.open(), |quantity| quantity.0);
        let price = amendment.price.or(order.price);
        let stop = amendment.stop.or(order.stop);
        let same_prices = price == order.price && stop == order.stop;
        if same_prices && quantity == order.open() {
            return Err(RejectReason::NothingToAmend);
        }
        if !pending && order.post_only && price != order.price && self.would_trade(order.side, price) {
            return Err(RejectReason::WouldCross);
        }
        if self.open(order.side) - u128::from(order.open()) + u128::from(quantity) > u128::from(u64::MAX) {
            return Err(RejectReason::QuantityOverflow);
        }

        let kept_priority = same_prices && quantity < order.open();
        let owner = order.owner;
        events.push(Event::Amended { handle, owner, price, quantity: Quantity(quantity), kept_priority });
        if kept_priority {
            let in_place = self.find_mut(handle).expect("found above");
            in_place.shrink(in_place.open() - quantity);
        } else {
            let list = if pending { &mut self.stops } else { &mut self.resting };
            list.retain(|other| other.handle != handle);
            let changed = Order { price, stop, visible: quantity, hidden: 0, ..order };
            if pending {
                self.stops.push(changed);
            } else {
                self.execute(changed, events);
            }
        }
        self.fire_due_stops(events);
        Ok(0)
    }

    fn expire(&mut self, until: Nanos, events: &mut Vec<Event>) -> Result<u64, RejectReason> {
        if until < self.clock {
            return Err(RejectReason::ClockBackwards(until));
        }
        self.clock = until;
        let mut gone: Vec<Order> = self
            .live()
            .filter(|order| order.expiry().is_some_and(|expiry| expiry <= until))
            .cloned()
            .collect();
        gone.sort_by_key(|order| (order.expiry(), order.accepted));
        for order in &gone {
            self.remove(order.handle);
            let (handle, owner, quantity) = (order.handle, order.owner, Quantity(order.open()));
            events.push(Event::Expired { handle, owner, quantity });
            self.free_slot(handle);
        }
        Ok(gone.len() as u64)
    }

    fn set_mode(&mut self, owner: Owner, mode: SelfTradePrevention) -> Result<u64, RejectReason> {
        if owner.0 >= self.config.max_owners {
            return Err(RejectReason::OwnerOutOfRange(owner));
        }
        self.modes.retain(|(other, _)| *other != owner);
        self.modes.push((owner, mode));
        Ok(0)
    }

    /// Lots resting, hidden and pending on a side.
    fn open(&self, side: Side) -> u128 {
        self.live().filter(|order| order.side == side).map(|order| u128::from(order.open())).sum()
    }

    fn live(&self) -> impl Iterator<Item = &Order> {
        self.resting.iter().chain(&self.stops)
    }

    fn find(&self, handle: Handle) -> Option<&Order> {
        self.live().find(|order| order.handle == handle)
    }

    fn find_mut(&mut self, handle: Handle) -> Option<&mut Order> {
        self.resting.iter_mut().chain(&mut self.stops).find(|order| order.handle == handle)
    }

    fn owner_of(&self, handle: Handle) -> Option<Owner> {
        self.find(handle).map(|order| order.owner)
    }

    /// Takes an order off its list; its slot is still taken.
    fn remove(&mut self, handle: Handle) -> Option<Order> {
        let order = self.find(handle)?.clone();
        self.resting.retain(|other| other.handle != handle);
        self.stops.retain(|other| other.handle != handle);
        Some(order)
    }

    /// The event of an order that is cancelled whole, and the end of it.
    fn report_cancelled(&mut self, order: &Order, reason: lob::CancelReason, events: &mut Vec<Event>) {
        let (handle, owner, quantity) = (order.handle, order.owner, Quantity(order.open()));
        events.push(Event::Cancelled { handle, owner, quantity, left: Quantity::ZERO, reason });
        self.free_slot(handle);
    }

    fn take_slot(&mut self) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            self.generations.len() as u32 - 1
        });
        self.generations[slot as usize] += 1;
        Handle::from_bits(u64::from(self.generations[slot as usize]) << 32 | u64::from(slot))
    }

    fn free_slot(&mut self, handle: Handle) {
        if self.generations[handle.slot()] < u32::MAX {
            self.free.push(handle.slot() as u32);
        }
    }
}

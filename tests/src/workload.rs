//! An endless stream of mixed requests around a drifting price, for tests too long for the reference.

use lob::{
    Amendment, Event, Handle, Nanos, NewOrder, OrderBook, Owner, Price, Quantity, Request,
    SelfTradePrevention, Side,
};

use crate::drive::MODES;
use crate::random::SplitMix;

/// What kind of market.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Live orders at most; at this number the workload only cancels, below half of it hardly ever.
    pub live: usize,
    /// Owners, numbered from 0.
    pub owners: u32,
    /// Thousandths of a tick by which the centre of prices moves, up to this many either way, at every request.
    pub wobble_milliticks: u64,
    /// Thousandths of a tick by which it moves on top of that.
    pub trend_milliticks: i64,
}

/// A generator of requests. It allocates nothing once it has seen as many live orders as there will be.
#[derive(Clone, Debug)]
pub struct Workload {
    random: SplitMix,
    shape: Shape,
    centre_milliticks: i64,
    clock: u64,
    /// Live handles in no order.
    live: Vec<Handle>,
    /// Index into `live` by slot.
    place: Vec<Option<u32>>,
}

impl Workload {
    /// A stream for this seed.
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self {
            random: SplitMix::new(seed),
            shape,
            centre_milliticks: 0,
            clock: 0,
            live: Vec::with_capacity(2 * shape.live),
            place: vec![None; 2 * shape.live],
        }
    }

    /// The centre of prices now.
    pub fn centre(&self) -> Price {
        Price(self.centre_milliticks / 1000)
    }

    /// Allows another number of live orders from now on.
    pub fn limit_live(&mut self, live: usize) {
        self.shape.live = live;
    }

    /// The live orders.
    pub fn live(&self) -> &[Handle] {
        &self.live
    }

    /// The next request.
    pub fn request(&mut self) -> Request {
        let wobble = self.shape.wobble_milliticks;
        self.centre_milliticks += self.random.below(2 * wobble + 1) as i64 - wobble as i64;
        self.centre_milliticks += self.shape.trend_milliticks;
        if self.live.len() >= self.shape.live {
            return self.cancel();
        }
        match self.random.below(1000) {
            0..600 => Request::Submit(self.limit()),
            600..640 => Request::Submit(self.market()),
            640..690 => Request::Submit(self.stop()),
            690..900 if self.live.len() < self.shape.live / 2 => Request::Submit(self.limit()),
            690..900 => self.cancel(),
            900..960 => self.amend(),
            960..980 => {
                let (owner, side) = (self.owner(), self.side());
                let price = self.passive(side);
                Request::CancelQuantity { owner, side, price, quantity: self.lots(100) }
            }
            980 => Request::MassCancel {
                owner: self.owner(),
                side: (self.random.below(2) == 0).then_some(Side::Buy),
            },
            981..998 => {
                self.clock += self.random.below(20);
                Request::Expire { until: Nanos(self.clock) }
            }
            _ => Request::SetSelfTradePrevention { owner: self.owner(), mode: self.mode() },
        }
    }

    /// Learns from a request's events which orders are live.
    pub fn observe(&mut self, book: &OrderBook, events: &[Event]) {
        for event in events {
            match *event {
                Event::Accepted { handle, .. }
                | Event::Cancelled { handle, .. }
                | Event::Expired { handle, .. }
                | Event::Amended { handle, .. }
                | Event::Triggered { handle, .. } => self.sync(book, handle),
                Event::Trade { maker, taker, .. } => {
                    self.sync(book, maker);
                    self.sync(book, taker);
                }
                Event::Rejected { .. } | Event::Replenished { .. } => {}
            }
        }
    }

    fn sync(&mut self, book: &OrderBook, handle: Handle) {
        let slot = handle.slot();
        if slot >= self.place.len() {
            self.place.resize(2 * slot, None);
        }
        match (book.is_live(handle), self.place[slot]) {
            (true, None) => {
                self.place[slot] = Some(self.live.len() as u32);
                self.live.push(handle);
            }
            // An earlier order of this slot ended within the same request.
            (true, Some(place)) => self.live[place as usize] = handle,
            (false, Some(place)) if self.live[place as usize] == handle => {
                self.place[slot] = None;
                self.live.swap_remove(place as usize);
                if let Some(moved) = self.live.get(place as usize) {
                    self.place[moved.slot()] = Some(place);
                }
            }
            (false, _) => {}
        }
    }

    fn limit(&mut self) -> NewOrder {
        let (owner, side, quantity) = (self.owner(), self.side(), self.lots(20));
        let price = match self.random.below(100) {
            0..12 => self.beyond(side, -4),
            12..14 => {
                let far = self.random.below(1_000_000) as i64;
                self.beyond(side, 2_000 + far)
            }
            14..24 => {
                let gap = self.random.below(1_000) as i64;
                self.beyond(side, 30 + gap)
            }
            _ => self.passive(side),
        };
        let order = NewOrder::limit(owner, side, price, quantity);
        match self.random.below(32) {
            0 | 1 => order.ioc(),
            2 | 3 => order.fok(),
            4..8 => order.good_till(self.soon()),
            8..11 => order.post_only(),
            11..15 => order.display(self.lots(6)),
            15 => order.display(self.lots(6)).good_till(self.soon()),
            _ => order,
        }
    }

    fn market(&mut self) -> NewOrder {
        let order = NewOrder::market(self.owner(), self.side(), self.lots(40));
        if self.random.below(8) == 0 { order.fok() } else { order }
    }

    fn stop(&mut self) -> NewOrder {
        let (owner, side, quantity) = (self.owner(), self.side(), self.lots(20));
        // A buy waits above the market, a sell below it.
        let distance = self.random.below(40) as i64;
        let stop = self.beyond(side.opposite(), distance);
        let order = match self.random.below(3) {
            0 => NewOrder::stop(owner, side, stop, quantity),
            1 => NewOrder::stop_limit(owner, side, stop, self.passive(side), quantity).display(self.lots(6)),
            _ => NewOrder::stop_limit(owner, side, stop, stop, quantity),
        };
        match self.random.below(12) {
            0 => order.good_till(self.soon()),
            1 if order.display.is_none() => order.ioc(),
            2 if order.display.is_none() => order.fok(),
            _ => order,
        }
    }

    fn amend(&mut self) -> Request {
        let Some(handle) = self.pick() else { return Request::Submit(self.limit()) };
        let side = self.side();
        let amendment = match self.random.below(8) {
            0 | 1 => Amendment::price(self.passive(side)),
            2 => Amendment { stop: Some(self.passive(side)), ..Amendment::default() },
            _ => Amendment::quantity(self.lots(20)),
        };
        Request::Amend { handle, amendment }
    }

    fn cancel(&mut self) -> Request {
        match self.pick() {
            Some(handle) => Request::Cancel { handle },
            None => Request::Submit(self.limit()),
        }
    }

    fn pick(&mut self) -> Option<Handle> {
        if self.live.is_empty() {
            return None;
        }
        Some(self.live[self.random.below(self.live.len() as u64) as usize])
    }

    fn owner(&mut self) -> Owner {
        Owner(self.random.below(self.shape.owners.into()) as u32)
    }

    fn side(&mut self) -> Side {
        if self.random.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    fn mode(&mut self) -> SelfTradePrevention {
        MODES[self.random.below(MODES.len() as u64) as usize]
    }

    fn lots(&mut self, most: u64) -> Quantity {
        Quantity(1 + self.random.below(most))
    }

    fn soon(&mut self) -> Nanos {
        Nanos(self.clock + 1 + self.random.below(100))
    }

    /// Behind the centre by one tick and more, fewer orders the further away.
    fn passive(&mut self, side: Side) -> Price {
        let distance = (self.random.number() | 1 << 30).trailing_zeros() + self.random.below(8) as u32;
        self.beyond(side, i64::from(distance) + 1)
    }

    /// So many ticks from the centre on the passive side of `side`.
    fn beyond(&self, side: Side, ticks: i64) -> Price {
        let centre = self.centre_milliticks / 1000;
        Price(if side == Side::Buy { centre - ticks } else { centre + ticks })
    }
}

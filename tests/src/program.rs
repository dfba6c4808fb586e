//! Requests in symbolic form. A step names prices by their distance from a moving centre, and orders by their place
//! among the live ones, so that any sequence of steps makes sense and still does after some are dropped: fuzzers
//! mutate it and proptest shrinks it.

use lob::{
    Amendment, BookConfig, Handle, Nanos, NewOrder, OrderKind, Owner, Price, Quantity, Request,
    SelfTradePrevention, Side, TimeInForce,
};

use crate::{Pair, Reference, Tally};

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// A new order.
    Submit(Order),
    /// Cancel an order.
    Cancel(Pick),
    /// Cancel lots at the price of an order, of its owner or another.
    CancelQuantity {
        /// The order whose side and price to use.
        of: Pick,
        /// `None`: that order's owner.
        owner: Option<u8>,
        /// Lots at most.
        quantity: Size,
    },
    /// Cancel all orders of an owner.
    MassCancel {
        /// Whose.
        owner: u8,
        /// On which side; `None` for both.
        side: Option<Side>,
    },
    /// Change an order.
    Amend {
        /// Which.
        order: Pick,
        /// New size.
        quantity: Option<Size>,
        /// New limit.
        price: Option<Level>,
        /// New trigger.
        stop: Option<Level>,
    },
    /// Move the clock by so many nanoseconds.
    Expire(i8),
    /// Set an owner's mode.
    SetMode {
        /// Whose.
        owner: u8,
        /// To what.
        mode: SelfTradePrevention,
    },
    /// Move the centre of prices.
    Drift(i16),
    /// Go on with a clone of the engine.
    Fork,
    /// Go on with an engine restored from a snapshot's bytes.
    Restore,
}

/// A new order in symbolic form.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose; at or above the configured maximum it is refused.
    pub owner: u8,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market, stop or stop-limit.
    pub kind: Kind,
    /// Lots.
    pub quantity: Size,
    /// How long it lives.
    pub life: Life,
    /// Never takes liquidity.
    pub post_only: bool,
    /// Lots shown.
    pub display: Option<Size>,
}

/// The kind of a new order.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Limit.
    Limit(Level),
    /// Market.
    Market,
    /// Stop.
    Stop(Level),
    /// Stop, then limit.
    StopLimit(Level, Level),
}

/// A price.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// So many ticks from the centre.
    Near(i8),
    /// So many ticks from the centre: outside a window of 64 levels, or of 1024.
    Far(i32),
    /// At, beside or beyond a limit of the book or of the number.
    Extreme(u8),
}

/// A number of lots.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// This many; zero is refused.
    Lots(u8),
    /// `u64::MAX` shifted right by this: sums of a few overflow.
    Huge(u8),
}

/// A time in force.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    /// Good till cancelled.
    Gtc,
    /// Immediate or cancel.
    Ioc,
    /// Fill or kill.
    Fok,
    /// Good till so many nanoseconds after the clock; 0 is refused.
    Gtd(u8),
}

/// An order, by place.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    /// A live one.
    Live(u8),
    /// One of those accepted lately, live or not.
    Past(u8),
    /// Any number as a handle.
    Bogus(u32, u32),
}

/// Runs steps on a [`Pair`].
#[derive(Debug)]
pub struct Runner {
    pair: Pair,
    centre: i64,
    /// The latest accepted handles, overwritten in a circle.
    past: [Handle; 32],
    past_count: usize,
    steps: usize,
    /// Views are compared at every so many steps.
    stride: usize,
}

impl Runner {
    /// Two empty books, prices around `centre`, all views compared at every `stride` steps.
    pub fn new(config: BookConfig, centre: i64, stride: usize) -> Self {
        let nobody = Handle::from_bits(u64::MAX);
        Self { pair: Pair::new(config), centre, past: [nobody; 32], past_count: 0, steps: 0, stride }
    }

    /// Does one step on both books and compares.
    pub fn step(&mut self, step: &Step) {
        match self.request(step) {
            Some(request) => {
                let outcome = self.pair.apply(request);
                if let (Ok(bits), Request::Submit(_)) = (outcome, request) {
                    self.past[self.past_count % self.past.len()] = Handle::from_bits(bits);
                    self.past_count += 1;
                }
            }
            None => match step {
                Step::Drift(ticks) => {
                    let config = self.pair.reference().config();
                    let (low, high) = (config.min_price.0, config.max_price.0);
                    self.centre = (self.centre + i64::from(*ticks)).clamp(low, high);
                }
                Step::Fork => self.pair.fork(),
                _ => self.pair.restore(),
            },
        }
        self.steps += 1;
        if self.steps.is_multiple_of(self.stride) {
            self.pair.compare(Price(self.centre));
        }
    }

    /// A last comparison, and the counts.
    pub fn finish(self) -> Tally {
        self.pair.finish(Price(self.centre))
    }

    /// The request that a step amounts to now; `None` for steps that are none.
    fn request(&self, step: &Step) -> Option<Request> {
        Some(match step {
            Step::Submit(order) => Request::Submit(self.order(order)),
            Step::Cancel(pick) => Request::Cancel { handle: self.handle(*pick) },
            Step::CancelQuantity { of, owner, quantity } => {
                let named = self.reference().order(self.handle(*of));
                let (side, price) =
                    named.map_or((Side::Buy, Price(self.centre)), |order| (order.side, order.price));
                let owner = owner.map(|owner| Owner(owner.into())).or(named.map(|order| order.owner));
                let owner = owner.unwrap_or_default();
                Request::CancelQuantity { owner, side, price, quantity: lots(*quantity) }
            }
            Step::MassCancel { owner, side } => {
                Request::MassCancel { owner: Owner((*owner).into()), side: *side }
            }
            Step::Amend { order, quantity, price, stop } => {
                let handle = self.handle(*order);
                let quantity = quantity.map(|size| self.amended_size(handle, size));
                let price = price.map(|level| self.price(level));
                let stop = stop.map(|level| self.price(level));
                Request::Amend { handle, amendment: Amendment { quantity, price, stop } }
            }
            Step::Expire(delta) => Request::Expire {
                until: Nanos(self.reference().clock().0.saturating_add_signed((*delta).into())),
            },
            Step::SetMode { owner, mode } => {
                Request::SetSelfTradePrevention { owner: Owner((*owner).into()), mode: *mode }
            }
            Step::Drift(_) | Step::Fork | Step::Restore => return None,
        })
    }

    fn order(&self, order: &Order) -> NewOrder {
        let quantity = lots(order.quantity);
        // A huge order that shows a few lots at a time would trade for ever.
        let slice = quantity.0 / 256;
        NewOrder {
            owner: Owner(order.owner.into()),
            side: order.side,
            quantity,
            kind: match order.kind {
                Kind::Limit(price) => OrderKind::Limit { price: self.price(price) },
                Kind::Market => OrderKind::Market,
                Kind::Stop(stop) => OrderKind::Stop { stop: self.price(stop) },
                Kind::StopLimit(stop, price) => {
                    OrderKind::StopLimit { stop: self.price(stop), price: self.price(price) }
                }
            },
            time_in_force: match order.life {
                Life::Gtc => TimeInForce::Gtc,
                Life::Ioc => TimeInForce::Ioc,
                Life::Fok => TimeInForce::Fok,
                Life::Gtd(after) => TimeInForce::Gtd(Nanos(self.reference().clock().0 + u64::from(after))),
            },
            post_only: order.post_only,
            display: order.display.map(|display| Quantity(lots(display).0.max(slice))),
        }
    }

    /// Huge sizes are for orders that show everything, as in [`Self::order`].
    fn amended_size(&self, handle: Handle, size: Size) -> Quantity {
        let reference = self.reference();
        let resting = reference.order(handle).and_then(|order| order.display);
        let display = resting.or(reference.pending_stop(handle).and_then(|stop| stop.display));
        match (size, display) {
            (Size::Huge(shift), Some(_)) => Quantity(u64::from(shift) + 1),
            _ => lots(size),
        }
    }

    fn price(&self, level: Level) -> Price {
        let config = self.reference().config();
        let (low, high) = (config.min_price.0, config.max_price.0);
        Price(match level {
            Level::Near(ticks) => self.centre + i64::from(ticks),
            Level::Far(ticks) => self.centre + i64::from(ticks),
            Level::Extreme(which) => {
                [low, high, low + 1, high - 1, low - 1, high + 1, i64::MIN, i64::MAX][usize::from(which % 8)]
            }
        })
    }

    fn handle(&self, pick: Pick) -> Handle {
        match pick {
            Pick::Live(index) => {
                let count = self.reference().order_count().max(1);
                let live = self.reference().handles().nth(usize::from(index) % count);
                live.unwrap_or(Handle::from_bits(0))
            }
            Pick::Past(index) => self.past[usize::from(index) % self.past.len()],
            Pick::Bogus(generation, slot) => Handle::from_bits(u64::from(generation) << 32 | u64::from(slot)),
        }
    }

    fn reference(&self) -> &Reference {
        self.pair.reference()
    }
}

fn lots(size: Size) -> Quantity {
    match size {
        Size::Lots(lots) => Quantity(lots.into()),
        Size::Huge(shift) => Quantity(u64::MAX >> (shift % 64)),
    }
}

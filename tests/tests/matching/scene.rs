//! Shorthand for literal requests and events.

use lob::{
    Amendment, BookConfig, CancelReason, Event, Handle, Nanos, NewOrder, Owner, Price, Quantity,
    RejectReason, Request, SelfTradePrevention, Side,
};
use lobgym_tests::Pair;

pub(crate) const ANN: Owner = Owner(1);
pub(crate) const BOB: Owner = Owner(2);
pub(crate) const CAT: Owner = Owner(3);

/// Both books, owners 0 to 15, prices -1000 to 1000.
pub(crate) struct Scene(Pair);

impl Scene {
    pub(crate) fn new() -> Self {
        let (min_price, max_price) = (Price(-1000), Price(1000));
        Self(Pair::new(BookConfig {
            min_price,
            max_price,
            max_owners: 16,
            window_levels: 64,
            ..BookConfig::default()
        }))
    }

    pub(crate) fn apply(&mut self, request: Request) -> Result<u64, RejectReason> {
        let outcome = self.0.apply(request);
        self.0.compare(Price(100));
        outcome
    }

    /// Submits an order that is accepted.
    pub(crate) fn submit(&mut self, order: NewOrder) -> Handle {
        Handle::from_bits(self.try_submit(order).expect("the order is accepted"))
    }

    pub(crate) fn try_submit(&mut self, order: NewOrder) -> Result<u64, RejectReason> {
        let count = self.0.reference().order_count();
        self.apply(Request::Submit(order)).inspect_err(|_| {
            assert_eq!(self.0.reference().order_count(), count, "a refused order changes nothing");
        })
    }

    pub(crate) fn cancel(&mut self, handle: Handle) -> Result<u64, RejectReason> {
        self.apply(Request::Cancel { handle })
    }

    pub(crate) fn amend(&mut self, handle: Handle, amendment: Amendment) -> Result<u64, RejectReason> {
        self.apply(Request::Amend { handle, amendment })
    }

    pub(crate) fn expire(&mut self, until: u64) -> Result<u64, RejectReason> {
        self.apply(Request::Expire { until: Nanos(until) })
    }

    pub(crate) fn mode(&mut self, owner: Owner, mode: SelfTradePrevention) {
        self.apply(Request::SetSelfTradePrevention { owner, mode }).expect("the owner is in range");
    }

    /// Makes `price` the last trade price and leaves the book as it was.
    pub(crate) fn trade_at(&mut self, price: i64) {
        self.submit(sell(Owner(14), price, 1));
        self.submit(buy(Owner(15), price, 1).ioc());
    }

    /// The events of the latest request.
    pub(crate) fn events(&self) -> &[Event] {
        self.0.events()
    }

    pub(crate) fn book(&self) -> &lob::OrderBook {
        self.0.engine()
    }

    /// Handles of a level in queue order.
    pub(crate) fn queue(&self, side: Side, price: i64) -> Vec<Handle> {
        self.book().orders_at(side, Price(price)).map(|order| order.handle).collect()
    }
}

pub(crate) fn buy(owner: Owner, price: i64, quantity: u64) -> NewOrder {
    NewOrder::limit(owner, Side::Buy, Price(price), Quantity(quantity))
}

pub(crate) fn sell(owner: Owner, price: i64, quantity: u64) -> NewOrder {
    NewOrder::limit(owner, Side::Sell, Price(price), Quantity(quantity))
}

pub(crate) fn market_buy(owner: Owner, quantity: u64) -> NewOrder {
    NewOrder::market(owner, Side::Buy, Quantity(quantity))
}

pub(crate) fn market_sell(owner: Owner, quantity: u64) -> NewOrder {
    NewOrder::market(owner, Side::Sell, Quantity(quantity))
}

pub(crate) fn stop_buy(owner: Owner, stop: i64, quantity: u64) -> NewOrder {
    NewOrder::stop(owner, Side::Buy, Price(stop), Quantity(quantity))
}

pub(crate) fn stop_sell(owner: Owner, stop: i64, quantity: u64) -> NewOrder {
    NewOrder::stop(owner, Side::Sell, Price(stop), Quantity(quantity))
}

pub(crate) fn handle(slot: u32, generation: u32) -> Handle {
    Handle::from_bits(u64::from(generation) << 32 | u64::from(slot))
}

pub(crate) fn accepted(handle: Handle, owner: Owner, side: Side, price: Option<i64>, quantity: u64) -> Event {
    Event::Accepted { handle, owner, side, price: price.map(Price), quantity: Quantity(quantity) }
}

pub(crate) fn rejected(owner: Option<Owner>, reason: RejectReason) -> Event {
    Event::Rejected { owner, reason }
}

/// A trade of `quantity` at `price` that leaves `left` of the maker, the first of the two.
pub(crate) fn trade(
    (maker, maker_owner): (Handle, Owner),
    (taker, taker_owner): (Handle, Owner),
    (price, quantity, left): (i64, u64, u64),
    aggressor: Side,
) -> Event {
    Event::Trade {
        maker,
        taker,
        maker_owner,
        taker_owner,
        price: Price(price),
        quantity: Quantity(quantity),
        maker_left: Quantity(left),
        aggressor,
    }
}

pub(crate) fn cancelled(
    handle: Handle,
    owner: Owner,
    quantity: u64,
    left: u64,
    reason: CancelReason,
) -> Event {
    Event::Cancelled { handle, owner, quantity: Quantity(quantity), left: Quantity(left), reason }
}

pub(crate) fn amended(
    handle: Handle,
    owner: Owner,
    price: Option<i64>,
    quantity: u64,
    kept_priority: bool,
) -> Event {
    Event::Amended { handle, owner, price: price.map(Price), quantity: Quantity(quantity), kept_priority }
}

pub(crate) fn triggered(handle: Handle, owner: Owner) -> Event {
    Event::Triggered { handle, owner }
}

pub(crate) fn expired(handle: Handle, owner: Owner, quantity: u64) -> Event {
    Event::Expired { handle, owner, quantity: Quantity(quantity) }
}

pub(crate) fn replenished(handle: Handle, owner: Owner, visible: u64) -> Event {
    Event::Replenished { handle, owner, visible: Quantity(visible) }
}

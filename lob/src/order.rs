//! What can be asked of a book: orders, amendments and the other requests.

use serde::{Deserialize, Serialize};

use crate::{Handle, Nanos, Owner, Price, Quantity, Side};

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Good till cancelled.
    #[default]
    Gtc,
    /// Immediate or cancel: what does not trade at once is cancelled.
    Ioc,
    /// Fill or kill: trades in full at once, or is rejected.
    Fok,
    /// Good till a time: [`Request::Expire`] with `until >= expiry` removes it.
    Gtd(Nanos),
}

/// What starts an order and what bounds its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Trades at `price` or better; the rest joins the book.
    Limit {
        /// The worst price to trade at, in ticks.
        price: Price,
    },
    /// Walks the book at any price; what is left when the side is empty is dropped.
    Market,
    /// Becomes a market order once a trade happens at `stop` or beyond.
    Stop {
        /// The trigger, in ticks: a buy fires at trades of `stop` or above, a sell at `stop` or below.
        stop: Price,
    },
    /// Becomes a limit order at `price` once a trade happens at `stop` or beyond.
    StopLimit {
        /// The trigger, in ticks: a buy fires at trades of `stop` or above, a sell at `stop` or below.
        stop: Price,
        /// The limit of the order that the trigger starts, in ticks.
        price: Price,
    },
}

/// An order to submit. Build one with [`limit`](Self::limit), [`market`](Self::market), [`stop`](Self::stop) or
/// [`stop_limit`](Self::stop_limit) and refine it:
///
/// ```
/// use lob::{NewOrder, Nanos, Owner, Price, Quantity, Side};
/// let iceberg = NewOrder::limit(Owner(1), Side::Buy, Price(100), Quantity(50)).display(Quantity(10));
/// let day = NewOrder::limit(Owner(1), Side::Buy, Price(100), Quantity(50)).good_till(Nanos(1_000));
/// let quote = NewOrder::limit(Owner(1), Side::Sell, Price(101), Quantity(5)).post_only();
/// # let _ = (iceberg, day, quote);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewOrder {
    /// Who it belongs to.
    pub owner: Owner,
    /// Buy or sell.
    pub side: Side,
    /// Total size in lots, hidden part included.
    pub quantity: Quantity,
    /// Limit, market, stop or stop-limit.
    pub kind: OrderKind,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// If true the order never takes liquidity: one that would cross is rejected.
    pub post_only: bool,
    /// The size shown at a time, for an iceberg; `None` shows everything.
    pub display: Option<Quantity>,
}

impl NewOrder {
    #[inline]
    const fn new(owner: Owner, side: Side, quantity: Quantity, kind: OrderKind) -> Self {
        Self { owner, side, quantity, kind, time_in_force: TimeInForce::Gtc, post_only: false, display: None }
    }

    /// A limit order, good till cancelled.
    #[inline]
    pub const fn limit(owner: Owner, side: Side, price: Price, quantity: Quantity) -> Self {
        Self::new(owner, side, quantity, OrderKind::Limit { price })
    }

    /// A market order.
    #[inline]
    pub const fn market(owner: Owner, side: Side, quantity: Quantity) -> Self {
        Self::new(owner, side, quantity, OrderKind::Market)
    }

    /// A market order that waits for a trade at `stop` or beyond.
    #[inline]
    pub const fn stop(owner: Owner, side: Side, stop: Price, quantity: Quantity) -> Self {
        Self::new(owner, side, quantity, OrderKind::Stop { stop })
    }

    /// A limit order that waits for a trade at `stop` or beyond.
    #[inline]
    pub const fn stop_limit(owner: Owner, side: Side, stop: Price, price: Price, quantity: Quantity) -> Self {
        Self::new(owner, side, quantity, OrderKind::StopLimit { stop, price })
    }

    /// The same order, immediate or cancel.
    #[inline]
    pub const fn ioc(mut self) -> Self {
        self.time_in_force = TimeInForce::Ioc;
        self
    }

    /// The same order, fill or kill.
    #[inline]
    pub const fn fok(mut self) -> Self {
        self.time_in_force = TimeInForce::Fok;
        self
    }

    /// The same order, good till `expiry`.
    #[inline]
    pub const fn good_till(mut self, expiry: Nanos) -> Self {
        self.time_in_force = TimeInForce::Gtd(expiry);
        self
    }

    /// The same order, rejected rather than taking liquidity.
    #[inline]
    pub const fn post_only(mut self) -> Self {
        self.post_only = true;
        self
    }

    /// The same order as an iceberg that shows `display` lots at a time.
    #[inline]
    pub const fn display(mut self, display: Quantity) -> Self {
        self.display = Some(display);
        self
    }
}

/// What happens when an owner's order would trade with another of the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTradePrevention {
    /// They trade.
    #[default]
    Allow,
    /// The incoming order's rest is cancelled.
    CancelNewest,
    /// The resting order is cancelled, hidden part included, and the incoming order goes on.
    CancelOldest,
    /// Both are cancelled.
    CancelBoth,
    /// Both shrink by the smaller of the incoming rest and the resting order's visible size.
    Decrement,
}

/// A change to a live order; `None` keeps what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Amendment {
    /// New open size in lots (hidden part included, filled part not).
    pub quantity: Option<Quantity>,
    /// New limit price, in ticks.
    pub price: Option<Price>,
    /// New trigger of a stop that has not fired yet, in ticks.
    pub stop: Option<Price>,
}

impl Amendment {
    /// Changes the open size alone.
    #[inline]
    pub const fn quantity(quantity: Quantity) -> Self {
        Self { quantity: Some(quantity), price: None, stop: None }
    }

    /// Changes the limit price alone.
    #[inline]
    pub const fn price(price: Price) -> Self {
        Self { quantity: None, price: Some(price), stop: None }
    }
}

/// Everything that can be asked of a book, as data: what journals hold and what
/// [`OrderBook::apply`](crate::OrderBook::apply) takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// See [`OrderBook::submit`](crate::OrderBook::submit).
    Submit(NewOrder),
    /// See [`OrderBook::cancel`](crate::OrderBook::cancel).
    Cancel {
        /// The order to cancel.
        handle: Handle,
    },
    /// See [`OrderBook::cancel_quantity`](crate::OrderBook::cancel_quantity).
    CancelQuantity {
        /// Whose orders.
        owner: Owner,
        /// On which side.
        side: Side,
        /// At which price, in ticks.
        price: Price,
        /// How many lots at most.
        quantity: Quantity,
    },
    /// See [`OrderBook::mass_cancel`](crate::OrderBook::mass_cancel).
    MassCancel {
        /// Whose orders.
        owner: Owner,
        /// On which side; `None` for both.
        side: Option<Side>,
    },
    /// See [`OrderBook::amend`](crate::OrderBook::amend).
    Amend {
        /// The order to change.
        handle: Handle,
        /// What changes.
        amendment: Amendment,
    },
    /// See [`OrderBook::expire`](crate::OrderBook::expire).
    Expire {
        /// Orders that expire at this time or earlier go.
        until: Nanos,
    },
    /// See [`OrderBook::set_self_trade_prevention`](crate::OrderBook::set_self_trade_prevention).
    SetSelfTradePrevention {
        /// For whom.
        owner: Owner,
        /// The new mode.
        mode: SelfTradePrevention,
    },
}

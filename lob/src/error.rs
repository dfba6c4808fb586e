//! Why a request is refused and why a configuration is not accepted.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Handle, Nanos, Owner, Price};

/// Why a request was refused. A refused request changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// An order, an amendment or a cancellation of zero lots.
    #[error("quantity is zero; it must be at least 1 lot")]
    ZeroQuantity,
    /// An iceberg that shows nothing.
    #[error("display quantity is zero; it must be at least 1 lot")]
    ZeroDisplay,
    /// A limit or stop price outside the book's limits.
    #[error("price {0} is outside the book's limits")]
    PriceOutOfLimits(Price),
    /// An owner number at or above the configured maximum.
    #[error("owner {0} is not below the book's max_owners")]
    OwnerOutOfRange(Owner),
    /// No live order has this handle: it never existed, or its order has gone.
    #[error("no live order has handle {0}")]
    UnknownHandle(Handle),
    /// A post-only order, or an amendment of one, that would trade at once.
    #[error("post-only order would cross the opposite best")]
    WouldCross,
    /// A fill-or-kill order that cannot fill in full now.
    #[error("fill-or-kill order cannot be filled in full")]
    CannotFill,
    /// A good-till-date order whose time is not after the book's clock.
    #[error("expiry {0} is not after the book's clock")]
    AlreadyExpired(Nanos),
    /// An amendment that would change nothing.
    #[error("amendment changes nothing")]
    NothingToAmend,
    /// An amendment of something this order does not have: a limit price on a stop-market order, or a trigger on an
    /// order that has none or has fired.
    #[error("the order has no such field to amend")]
    NotAmendable,
    /// A combination that means nothing, such as a post-only market order.
    #[error("order attributes contradict each other: {0}")]
    Contradiction(Contradiction),
    /// The open quantity of the side would exceed `u64::MAX` lots.
    #[error("the side's open quantity would overflow 64 bits")]
    QuantityOverflow,
    /// The book holds as many orders as it can number (2^32 - 1).
    #[error("the book is full: no free order slot")]
    BookFull,
    /// `Expire` with a time before the book's clock.
    #[error("time {0} is before the book's clock")]
    ClockBackwards(Nanos),
}

/// Attributes of an order that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// Post-only needs a limit price.
    #[error("post-only needs a limit order")]
    PostOnlyWithoutLimit,
    /// Post-only orders cannot be immediate.
    #[error("post-only cannot be combined with IOC or FOK")]
    PostOnlyImmediate,
    /// Only an order that can rest has something to hide.
    #[error("a display quantity needs a limit order that can rest (GTC or GTD)")]
    DisplayWithoutRest,
    /// A market order never rests, so it cannot expire.
    #[error("a market order cannot be good till a date")]
    MarketGoodTill,
}

/// A book configuration that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// `window_levels` is no power of two from 64 to 4096.
    #[error("window_levels is {0}; legal: a power of two from 64 to 4096")]
    WindowLevels(usize),
    /// The price limits are reversed or too wide.
    #[error("price limits are {min} to {max}; legal: min <= max, both within -2^62 to 2^62")]
    PriceLimits {
        /// The configured lower limit.
        min: Price,
        /// The configured upper limit.
        max: Price,
    },
    /// `max_owners` is zero or too large for a table with an entry an owner.
    #[error("max_owners is {0}; legal: 1 to 16777216")]
    MaxOwners(u32),
}

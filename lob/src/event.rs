//! What a book reports: one event for each thing that happened, in the order in which it happened.

use serde::{Deserialize, Serialize};

use crate::{Handle, Owner, Price, Quantity, RejectReason, Side};

/// Why lots left the book, or never entered it, without trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its owner asked for it by handle, by price or by mass cancel.
    Requested,
    /// The rest of an immediate-or-cancel order.
    ImmediateOrCancel,
    /// The rest of a market order that met an empty side.
    NoLiquidity,
    /// A triggered fill-or-kill order that could not fill.
    FillOrKill,
    /// A triggered post-only order that would have crossed.
    PostOnly,
    /// Self-trade prevention.
    SelfTrade,
}

/// One thing that happened in the book. 56 bytes.
///
/// Lots are conserved: for every order, accepted quantity (plus amended increases) = traded + cancelled + expired +
/// amended decreases + resting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An order entered the engine. Comes before anything else the order causes.
    Accepted {
        /// Its name from now on.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
        /// Buy or sell.
        side: Side,
        /// Its limit; `None` for market and stop orders.
        price: Option<Price>,
        /// Its size in lots, hidden part included.
        quantity: Quantity,
    },
    /// A request was refused and changed nothing.
    Rejected {
        /// Whose request, where the request or the order it named says so.
        owner: Option<Owner>,
        /// Why.
        reason: RejectReason,
    },
    /// Two orders traded.
    Trade {
        /// The resting order.
        maker: Handle,
        /// The incoming order.
        taker: Handle,
        /// Owner of the resting order.
        maker_owner: Owner,
        /// Owner of the incoming order.
        taker_owner: Owner,
        /// The resting order's price, in ticks.
        price: Price,
        /// Lots that changed hands.
        quantity: Quantity,
        /// What is left of the resting order, hidden part included; zero means it is gone.
        maker_left: Quantity,
        /// The incoming order's side.
        aggressor: Side,
    },
    /// Lots were taken out of an order without trading.
    Cancelled {
        /// The order.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
        /// Lots taken out.
        quantity: Quantity,
        /// Lots left in it, hidden part included; zero means it is gone.
        left: Quantity,
        /// Why.
        reason: CancelReason,
    },
    /// An order was changed at its owner's request.
    Amended {
        /// The order.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
        /// Its limit price now; `None` for a pending stop that becomes a market order.
        price: Option<Price>,
        /// Its open size now, hidden part included, before any trade the amendment causes.
        quantity: Quantity,
        /// True if it kept its place in the queue.
        kept_priority: bool,
    },
    /// A stop fired. Its order now trades under the same handle.
    Triggered {
        /// The order.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
    },
    /// A good-till-date order reached its time.
    Expired {
        /// The order.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
        /// Lots that were left in it.
        quantity: Quantity,
    },
    /// An iceberg showed its next slice, at the back of the queue.
    Replenished {
        /// The order.
        handle: Handle,
        /// Whose it is.
        owner: Owner,
        /// Lots now visible.
        visible: Quantity,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stay_compact() {
        assert!(size_of::<Event>() <= 56, "{}", size_of::<Event>());
    }
}

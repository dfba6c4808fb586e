//! Cancellations of a crowd that names a price and a size, not an order.

use super::CancellationRule;
use crate::random::uniform;
use crate::sim::{CROWD, Market, SimRng};
use crate::{Amendment, Handle, Price, Quantity, Side};

/// Takes up to `quantity` lots out of the crowd's own orders at a price, in the order of the rule. Returns the lots that went.
/// `queue` is memory that the caller lends.
#[inline]
pub(super) fn cancel_own(
    market: &mut Market,
    rule: CancellationRule,
    (side, price): (Side, Price),
    quantity: Quantity,
    queue: &mut Vec<(Handle, u64)>,
    rng: &mut SimRng,
) -> Quantity {
    match rule {
        CancellationRule::NewestFirst => {
            market.cancel_quantity(CROWD, side, price, quantity).unwrap_or(Quantity::ZERO)
        }
        _ => one_by_one(market, rule, (side, price), quantity, queue, rng),
    }
}

/// Cancels in another order than newest first, order by order.
#[cold]
fn one_by_one(
    market: &mut Market,
    rule: CancellationRule,
    (side, price): (Side, Price),
    quantity: Quantity,
    queue: &mut Vec<(Handle, u64)>,
    rng: &mut SimRng,
) -> Quantity {
    queue.clear();
    let own = market.book().orders_at(side, price).filter(|order| order.owner == CROWD);
    queue.extend(own.map(|order| (order.handle, order.visible.0 + order.hidden.0)));
    let mut rest = quantity.0;
    while rest > 0 && !queue.is_empty() {
        let chosen = match rule {
            CancellationRule::OldestFirst => 0,
            CancellationRule::NewestFirst => queue.len() - 1,
            CancellationRule::RandomOrder => {
                let total: u64 = queue.iter().map(|&(_, lots)| lots).sum();
                let mut point = uniform(rng) * total as f64;
                let hit = queue.iter().position(|&(_, lots)| {
                    point -= lots as f64;
                    point < 0.0
                });
                hit.unwrap_or(queue.len() - 1)
            }
        };
        let (handle, lots) = queue.remove(chosen);
        if lots <= rest {
            // The handle was read from the book a moment ago.
            let gone = market.cancel(CROWD, handle);
            debug_assert!(gone.is_ok());
            rest -= lots;
        } else {
            let amended = market.amend(CROWD, handle, Amendment::quantity(Quantity(lots - rest)));
            debug_assert!(amended.is_ok());
            rest = 0;
        }
    }
    Quantity(quantity.0 - rest)
}

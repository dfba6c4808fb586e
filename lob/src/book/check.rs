//! What must hold of every book at all times.

use super::arena::{NONE, State, price_of};
use super::level::Level;
use super::{OrderBook, stop_rank};
use crate::{Price, Side};

impl OrderBook {
    /// Checks that the book is not crossed, that levels and sides add up to their orders, that every live order is in exactly one queue and
    /// in its owner's list, and that windows, bitmaps and queues of expiries are sound. Cost O(book + slots), no allocation unless
    /// something is broken. Debug builds call it after requests.
    ///
    /// # Errors
    /// What is broken, and where. That is a defect of this crate: please report it.
    pub fn check_invariants(&self) -> Result<(), String> {
        if let (Some(bid), Some(ask)) = (self.best_bid(), self.best_ask())
            && bid >= ask
        {
            return Err(format!("crossed: best bid {bid}, best ask {ask}"));
        }
        let mut queued = 0;
        for side in Side::BOTH {
            self.ladders[side.index()].check().map_err(|broken| format!("{side} side: {broken}"))?;
            let mut open = 0_u64;
            for (at, level) in self.ladders[side.index()].iter() {
                open += self.check_queue(level, side, State::Resting, price_of(side, at))?;
                queued += level.count as usize;
            }
            for (at, level) in self.stops[side.index()].iter() {
                open += self.check_queue(level, side, State::Pending, price_of(side.opposite(), at))?;
                queued += level.count as usize;
            }
            if open != self.open[side.index()] {
                return Err(format!("{side} side: open {} but orders hold {open}", self.open[side.index()]));
            }
            // No stop may be due between requests.
            if let (Some(last), Some(best)) = (self.last_trade, self.stops[side.index()].best())
                && best >= stop_rank(side, last)
            {
                return Err(format!("{side} side: a stop is due at last trade {last} and has not fired"));
            }
        }
        // Each node stands in the queue that its own price and side name, so that equal counts mean exactly one queue each.
        if queued != self.arena.live() {
            return Err(format!("{queued} orders in queues, {} slots in use", self.arena.live()));
        }
        let mut owned = 0;
        for owner in self.owners.known() {
            let mut previous = NONE;
            for slot in self.owners.slots(&self.arena, owner) {
                let node = self.arena.get(slot);
                if node.owner != owner || node.owner_prev != previous {
                    return Err(format!("slot {slot} is misplaced in the list of owner {owner}"));
                }
                previous = slot;
                owned += 1;
            }
        }
        if owned != queued {
            return Err(format!("{owned} orders in owners' lists, {queued} in queues"));
        }
        let free = self.arena.free_slots().count();
        let retired = self.arena.nodes.iter().filter(|node| node.is_retired()).count();
        if free + retired + queued != self.arena.nodes.len() {
            return Err(format!(
                "{free} free + {retired} retired + {queued} live slots are not {}",
                self.arena.nodes.len()
            ));
        }
        if !self.extras.heap_is_sound() {
            return Err("the queue of expiries is out of order".into());
        }
        let with_extra =
            self.arena.nodes.iter().filter(|node| node.state != State::Free && node.extra != NONE).count();
        if with_extra != self.extras.len() || self.extras.scheduled() > with_extra {
            return Err(format!("{} extras for {with_extra} orders", self.extras.len()));
        }
        Ok(())
    }

    /// Checks one queue; returns its open lots.
    fn check_queue(&self, level: &Level, side: Side, state: State, price: Price) -> Result<u64, String> {
        let (mut visible, mut hidden, mut count, mut previous) = (0_u64, 0_u64, 0_u32, NONE);
        for slot in level.slots(&self.arena.nodes) {
            let node = self.arena.get(slot);
            if (node.side, node.state, node.price, node.prev) != (side, state, price.0, previous) {
                return Err(format!("slot {slot} does not belong into the {side} queue at {price}"));
            }
            if node.visible == 0 {
                return Err(format!("slot {slot} at {price} shows nothing"));
            }
            visible += node.visible;
            hidden += self.hidden(node.extra);
            count += 1;
            previous = slot;
        }
        let sums = (visible, hidden, count, previous);
        if sums != (level.visible, level.hidden, level.count, level.tail) {
            return Err(format!("{side} level at {price}: sums {sums:?} do not match {level:?}"));
        }
        Ok(visible + hidden)
    }
}

//! A book as data: snapshots that survive a process, and the checks that keep a damaged one out.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::arena::{Arena, NONE};
use super::{BookConfig, OrderBook, OrderView, StopView};
use crate::frame::{self, FrameError};
use crate::{Nanos, Owner, Price, SelfTradePrevention, Side, TimeInForce};

/// The format this crate writes; it reads this one alone.
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"LOBSNAP\0";

/// Everything a book is: orders in priority order, stops in firing order, free handles in the order in which they will be given out. A
/// restored book goes on exactly as the original would have.
///
/// [`to_bytes`](Self::to_bytes) writes it as: magic `LOBSNAP\0`, version (u32), payload length (u64), XXH3-64 of the payload
/// (u64), all little-endian; then the payload in postcard encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    config: BookConfig,
    clock: Nanos,
    last_trade: Option<Price>,
    /// Generation of each slot.
    generations: Vec<u32>,
    /// Free slots, the next one to be taken first.
    free: Vec<u32>,
    /// Bids, then asks.
    orders: Vec<OrderView>,
    /// Buy stops, then sell stops.
    stops: Vec<StopView>,
    /// Slots of live orders, owner by owner, in order of acceptance.
    acceptance: Vec<u32>,
    /// Slots of orders that expire, first to last.
    expiries: Vec<u32>,
    self_trade_prevention: Vec<(Owner, SelfTradePrevention)>,
    digest: u64,
}

/// Why bytes are no snapshot of a book.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The envelope is damaged: too short, not a snapshot, another version, wrong length or checksum.
    #[error("snapshot: {0}")]
    Frame(#[from] FrameError),
    /// The payload passes its checksum but is no snapshot.
    #[error("snapshot: payload cannot be decoded, {unread} bytes before its end: {reason}")]
    Decode {
        /// Bytes of the payload that were not read.
        unread: usize,
        /// What the decoder says.
        reason: String,
    },
    /// The content contradicts itself.
    #[error("snapshot: {place} is inconsistent: {reason}")]
    Inconsistent {
        /// Which part, such as `orders[3]`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn inconsistent(place: impl Into<String>, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::Inconsistent { place: place.into(), reason: reason.into() }
}

impl Snapshot {
    /// The snapshot as bytes, checksum included.
    pub fn to_bytes(&self) -> Vec<u8> {
        let payload =
            postcard::to_stdvec(self).expect("a snapshot holds nothing that postcard cannot encode");
        frame::wrap(MAGIC, VERSION, &payload)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`SnapshotError`] says what is damaged and where. Hostile bytes cost memory in proportion to their length alone.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let payload = frame::unwrap(MAGIC, VERSION, bytes)?;
        match postcard::take_from_bytes::<Self>(payload) {
            Ok((snapshot, [])) => Ok(snapshot),
            Ok((_, rest)) => Err(SnapshotError::Decode {
                unread: rest.len(),
                reason: "bytes are left after the last field".into(),
            }),
            Err(error) => Err(SnapshotError::Decode { unread: payload.len(), reason: error.to_string() }),
        }
    }
}

impl OrderBook {
    /// The book as data. Cost O(book).
    pub fn snapshot(&self) -> Snapshot {
        let nodes = &self.arena.nodes;
        let known = || self.owners.known();
        Snapshot {
            config: self.config,
            clock: self.clock,
            last_trade: self.last_trade,
            generations: nodes.iter().map(|node| node.generation).collect(),
            free: self.arena.free_slots().collect(),
            orders: Side::BOTH.into_iter().flat_map(|side| self.orders(side)).collect(),
            stops: Side::BOTH.into_iter().flat_map(|side| self.stops(side)).collect(),
            acceptance: known().flat_map(|owner| self.owners.slots(&self.arena, owner)).collect(),
            expiries: self.extras.schedule_order(),
            self_trade_prevention: known()
                .filter_map(|owner| Some((owner, self.owners.own_mode(owner)?)))
                .collect(),
            digest: self.digest(),
        }
    }

    /// The book that a snapshot was taken of. Cost O(book).
    ///
    /// # Errors
    /// [`SnapshotError::Inconsistent`] names the part that contradicts the rest.
    pub fn restore(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        let config = snapshot.config;
        let slots = snapshot.generations.len();
        // The snapshot's own capacity is not believed before its content has been checked.
        let mut book = Self::new(BookConfig { order_capacity: 0, ..config })
            .map_err(|error| inconsistent("config", error.to_string()))?;
        book.config = config;
        book.clock = snapshot.clock;
        book.last_trade = snapshot.last_trade;
        if slots > NONE as usize {
            return Err(inconsistent("generations", format!("{slots} slots are too many")));
        }
        if let Some(slot) = snapshot.generations.iter().position(|&generation| generation == 0) {
            return Err(inconsistent(format!("generations[{slot}]"), "generations start at 1"));
        }
        let mut used = vec![false; slots];
        let mut claim = |place: &dyn Fn() -> String, slot: usize| match used.get_mut(slot) {
            None => Err(inconsistent(place(), format!("slot {slot} of {slots} does not exist"))),
            Some(true) => Err(inconsistent(place(), format!("slot {slot} is used twice"))),
            Some(free) => {
                *free = true;
                Ok(())
            }
        };
        for (index, &slot) in snapshot.free.iter().enumerate() {
            claim(&|| format!("free[{index}]"), slot as usize)?;
        }
        for (index, order) in snapshot.orders.iter().enumerate() {
            claim(&|| format!("orders[{index}]"), order.handle.slot())?;
        }
        for (index, stop) in snapshot.stops.iter().enumerate() {
            claim(&|| format!("stops[{index}]"), stop.handle.slot())?;
        }
        book.arena = Arena::from_parts(&snapshot.generations, &snapshot.free, slots);
        for (index, &(owner, mode)) in snapshot.self_trade_prevention.iter().enumerate() {
            if !book.owners.admit(owner) {
                return Err(inconsistent(
                    format!("self_trade_prevention[{index}]"),
                    format!("owner {owner}"),
                ));
            }
            book.owners.set_mode(owner, mode);
        }
        for (index, order) in snapshot.orders.iter().enumerate() {
            book.restore_order(order).map_err(|reason| inconsistent(format!("orders[{index}]"), reason))?;
        }
        for (index, stop) in snapshot.stops.iter().enumerate() {
            book.restore_stop(stop).map_err(|reason| inconsistent(format!("stops[{index}]"), reason))?;
        }
        book.restore_lists(snapshot)?;
        book.check_invariants().map_err(|broken| inconsistent("book", broken))?;
        let digest = book.digest();
        if digest != snapshot.digest {
            let reason = format!("the content has digest {digest:016x}, not {:016x}", snapshot.digest);
            return Err(inconsistent("digest", reason));
        }
        Ok(book)
    }

    fn restore_node(
        &mut self,
        handle: crate::Handle,
        owner: Owner,
        side: Side,
        price: Price,
        post_only: bool,
    ) -> Result<(), String> {
        if !self.owners.admit(owner) {
            return Err(format!("owner {owner} is out of range"));
        }
        self.check_price(Some(price)).map_err(|reason| reason.to_string())?;
        if self.arena.get(handle.slot_number()).generation != handle.generation() {
            return Err(format!("handle {handle} is not of its slot's generation"));
        }
        self.arena.revive(handle.slot_number());
        let node = self.arena.get_mut(handle.slot_number());
        node.owner = owner;
        node.side = side;
        node.price = price.0;
        node.post_only = post_only;
        node.extra = NONE;
        Ok(())
    }

    fn restore_order(&mut self, order: &OrderView) -> Result<(), String> {
        let OrderView { handle, owner, side, price, visible, hidden, display, expiry, post_only } = *order;
        self.restore_node(handle, owner, side, price, post_only)?;
        let total = visible.0.checked_add(hidden.0).ok_or("its lots overflow")?;
        self.open[side.index()].checked_add(total).ok_or("the side's lots overflow")?;
        let sound = visible.0 > 0 && (hidden.0 == 0 || display.is_some()) && display.is_none_or(|d| d.0 > 0);
        if !sound {
            return Err(format!("visible {visible}, hidden {hidden}, display {display:?}"));
        }
        if self.crosses(side, price) {
            return Err("it crosses the other side".into());
        }
        if display.is_some() || expiry.is_some() {
            let time_in_force = expiry.map_or(TimeInForce::Gtc, TimeInForce::Gtd);
            // A stop-limit order that has fired keeps its limit beside it; nothing reads it any more.
            self.arena.get_mut(handle.slot_number()).extra =
                self.extras.insert(0, display, time_in_force, None);
        }
        self.rest_exactly(handle.slot_number(), visible.0, hidden.0);
        Ok(())
    }

    fn restore_stop(&mut self, stop: &StopView) -> Result<(), String> {
        let StopView { handle, owner, side, stop, price, quantity, display, time_in_force, post_only } =
            *stop;
        self.restore_node(handle, owner, side, stop, post_only)?;
        self.check_price(price).map_err(|reason| reason.to_string())?;
        if quantity.is_zero() || display.is_some_and(crate::Quantity::is_zero) {
            return Err(format!("quantity {quantity}, display {display:?}"));
        }
        let open = &mut self.open[side.index()];
        *open = open.checked_add(quantity.0).ok_or("the side's lots overflow")?;
        let extra = self.extras.insert(0, display, time_in_force, price);
        let node = self.arena.get_mut(handle.slot_number());
        node.visible = quantity.0;
        node.extra = extra;
        self.enqueue_stop(handle.slot_number());
        Ok(())
    }

    /// Rebuilds the owners' lists and the queue of expiries.
    fn restore_lists(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let live = snapshot.orders.len() + snapshot.stops.len();
        if snapshot.acceptance.len() != live {
            let reason = format!("{} entries for {live} live orders", snapshot.acceptance.len());
            return Err(inconsistent("acceptance", reason));
        }
        let mut seen = vec![false; snapshot.generations.len()];
        let mut once = |list: &str, index: usize, slot: u32, arena: &Arena| {
            let live = arena.nodes.get(slot as usize).is_some_and(|node| node.state != super::State::Free);
            if !live || std::mem::replace(&mut seen[slot as usize], true) {
                return Err(inconsistent(format!("{list}[{index}]"), format!("slot {slot}")));
            }
            Ok(())
        };
        for (index, &slot) in snapshot.acceptance.iter().enumerate() {
            once("acceptance", index, slot, &self.arena)?;
            self.owners.link(&mut self.arena.nodes, slot);
        }
        seen = vec![false; snapshot.generations.len()];
        for (index, &slot) in snapshot.expiries.iter().enumerate() {
            let place = || format!("expiries[{index}]");
            let node = self.arena.nodes.get(slot as usize);
            let extra = node.filter(|node| node.state != super::State::Free).map_or(NONE, |node| node.extra);
            let expiry = (extra != NONE).then(|| self.extras.get(extra).time_in_force);
            match expiry {
                Some(TimeInForce::Gtd(at)) if !std::mem::replace(&mut seen[slot as usize], true) => {
                    self.extras.schedule(slot, extra, at);
                }
                _ => return Err(inconsistent(place(), format!("slot {slot} does not expire"))),
            }
        }
        let expiring = snapshot.orders.iter().filter(|order| order.expiry.is_some()).count()
            + snapshot.stops.iter().filter(|stop| matches!(stop.time_in_force, TimeInForce::Gtd(_))).count();
        if expiring != snapshot.expiries.len() {
            let reason = format!("{} entries for {expiring} orders that expire", snapshot.expiries.len());
            return Err(inconsistent("expiries", reason));
        }
        Ok(())
    }
}

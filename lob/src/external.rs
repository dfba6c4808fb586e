//! A book for callers with order ids of their own: feeds, replays, exchanges.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use thiserror::Error;

use crate::frame;
use crate::{
    Amendment, BookConfig, ConfigError, Event, Handle, NewOrder, OrderBook, Quantity, RejectReason, Snapshot,
    SnapshotError,
};

/// The format of [`ExternalBook::to_bytes`] that this crate writes; it reads this one alone.
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"LOBXBOK\0";

/// Why a request by external id was refused. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum ExternalError {
    /// A live order has this id already.
    #[error("external order id {0} is in use by a live order")]
    DuplicateId(u64),
    /// No live order has this id.
    #[error("no live order has external id {0}")]
    UnknownId(u64),
    /// The engine refused the request; the events say so too.
    #[error(transparent)]
    Rejected(#[from] RejectReason),
}

/// An [`OrderBook`] with a map from the caller's order ids to its handles, for live orders only: an id is free again once its order has
/// ended. Costs one hash map operation (hashbrown with foldhash) for each order that rests and one for each that ends; the book
/// inside does not pay for it.
///
/// Expiries and mass cancels go through [`with_book`](Self::with_book), which keeps the map in step.
#[derive(Clone, Debug)]
pub struct ExternalBook {
    book: OrderBook,
    handles: HashMap<u64, Handle>,
    /// External id by slot, for the way back; valid where the slot's order is live.
    ids: Vec<u64>,
}

impl ExternalBook {
    /// An empty book.
    ///
    /// # Errors
    /// See [`OrderBook::new`].
    pub fn new(config: BookConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            book: OrderBook::new(config)?,
            handles: HashMap::with_capacity(config.order_capacity),
            ids: Vec::with_capacity(config.order_capacity),
        })
    }

    /// Empties the book and frees all ids; see [`OrderBook::clear`].
    pub fn clear(&mut self) {
        self.book.clear();
        self.handles.clear();
        self.ids.clear();
    }

    /// The book with its ids, as bytes: magic `LOBXBOK\0`, version (u32), payload length (u64), XXH3-64 of the payload (u64), all
    /// little-endian; then, in postcard encoding, the book's [`Snapshot`] and the pairs of id and handle of its live orders, by id.
    /// Cost O(book).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut pairs: Vec<(u64, Handle)> = self.handles.iter().map(|(&id, &handle)| (id, handle)).collect();
        pairs.sort_unstable();
        let payload = postcard::to_stdvec(&(self.book.snapshot(), pairs))
            .expect("a snapshot holds nothing that postcard cannot encode");
        frame::wrap(MAGIC, VERSION, &payload)
    }

    /// The book that [`to_bytes`](Self::to_bytes) wrote. Cost O(book).
    ///
    /// # Errors
    /// [`SnapshotError`] says what is damaged and where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let payload = frame::unwrap(MAGIC, VERSION, bytes)?;
        let decode = |unread, reason| SnapshotError::Decode { unread, reason };
        let ((snapshot, pairs), rest) = postcard::take_from_bytes::<(Snapshot, Vec<(u64, Handle)>)>(payload)
            .map_err(|error| decode(payload.len(), error.to_string()))?;
        if !rest.is_empty() {
            return Err(decode(rest.len(), "bytes are left after the last field".into()));
        }
        let book = OrderBook::restore(&snapshot)?;
        let inconsistent = |place: String, reason: &str| {
            Err(SnapshotError::Inconsistent { place, reason: reason.to_owned() })
        };
        let mut restored = Self { book, handles: HashMap::with_capacity(pairs.len()), ids: Vec::new() };
        let mut named = HashMap::with_capacity(pairs.len());
        for (index, &(id, handle)) in pairs.iter().enumerate() {
            if !restored.book.is_live(handle) {
                return inconsistent(format!("ids[{index}]"), "its handle names no live order");
            }
            if restored.handles.insert(id, handle).is_some() || named.insert(handle, id).is_some() {
                return inconsistent(format!("ids[{index}]"), "its id or its handle is there twice");
            }
            let slot = handle.slot();
            if slot >= restored.ids.len() {
                restored.ids.resize(slot + 1, 0);
            }
            restored.ids[slot] = id;
        }
        if pairs.len() != restored.book.order_count() {
            return inconsistent("ids".into(), "live orders without an id");
        }
        Ok(restored)
    }

    /// The book inside, for its views.
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// The handle of a live order.
    #[inline]
    pub fn handle(&self, id: u64) -> Option<Handle> {
        self.handles.get(&id).copied()
    }

    /// The caller's id of an order that an event names: live, or ended by the latest request.
    #[inline]
    pub fn external_id(&self, handle: Handle) -> Option<u64> {
        self.ids.get(handle.slot()).copied()
    }

    /// Submits an order under the caller's id; see [`OrderBook::submit`].
    ///
    /// # Errors
    /// [`ExternalError::DuplicateId`], [`ExternalError::Rejected`].
    #[inline]
    pub fn submit(
        &mut self,
        id: u64,
        order: NewOrder,
        events: &mut Vec<Event>,
    ) -> Result<Handle, ExternalError> {
        let before = events.len();
        let Entry::Vacant(entry) = self.handles.entry(id) else {
            return Err(ExternalError::DuplicateId(id));
        };
        let handle = self.book.submit(order, events)?;
        let slot = handle.slot();
        if slot >= self.ids.len() {
            self.ids.resize(slot + 1, 0);
        }
        self.ids[slot] = id;
        if self.book.is_live(handle) {
            entry.insert(handle);
        }
        self.forget_ended(events, before + 1);
        Ok(handle)
    }

    /// Cancels an order by the caller's id; see [`OrderBook::cancel`].
    ///
    /// # Errors
    /// [`ExternalError::UnknownId`].
    #[inline]
    pub fn cancel(&mut self, id: u64, events: &mut Vec<Event>) -> Result<Quantity, ExternalError> {
        let handle = self.handles.remove(&id).ok_or(ExternalError::UnknownId(id))?;
        Ok(self.book.cancel(handle, events)?)
    }

    /// Changes an order by the caller's id; see [`OrderBook::amend`].
    ///
    /// # Errors
    /// [`ExternalError::UnknownId`], [`ExternalError::Rejected`].
    pub fn amend(
        &mut self,
        id: u64,
        amendment: Amendment,
        events: &mut Vec<Event>,
    ) -> Result<(), ExternalError> {
        let handle = self.handle(id).ok_or(ExternalError::UnknownId(id))?;
        let before = events.len();
        let result = self.book.amend(handle, amendment, events);
        self.forget_ended(events, before);
        if !self.book.is_live(handle) {
            // It traded in full as the incoming order.
            self.handles.remove(&id);
        }
        Ok(result?)
    }

    /// Any other request that ends orders but submits none (expire, mass cancel, cancel a quantity), on the book itself.
    pub fn with_book<R>(
        &mut self,
        events: &mut Vec<Event>,
        request: impl FnOnce(&mut OrderBook, &mut Vec<Event>) -> R,
    ) -> R {
        let before = events.len();
        let result = request(&mut self.book, events);
        self.forget_ended(events, before);
        result
    }

    /// Drops the ids of orders that ended by the events from `from` on.
    #[inline]
    fn forget_ended(&mut self, events: &[Event], from: usize) {
        for event in &events[from..] {
            let ended = match *event {
                Event::Trade { maker, maker_left: Quantity::ZERO, .. } => Some(maker),
                Event::Cancelled { handle, left: Quantity::ZERO, .. } | Event::Expired { handle, .. } => {
                    Some(handle)
                }
                // A stop that trades in full ends as a taker.
                Event::Triggered { handle, .. } if !self.book.is_live(handle) => Some(handle),
                _ => None,
            };
            if let Some(handle) = ended
                && let Some(&id) = self.ids.get(handle.slot())
                && self.handles.get(&id) == Some(&handle)
            {
                self.handles.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Nanos, Owner, Price, Side};

    fn book() -> ExternalBook {
        let mut book = ExternalBook::new(BookConfig::default()).unwrap();
        let mut events = Vec::new();
        for id in 0..20_u64 {
            let order = NewOrder::limit(Owner(1), Side::Buy, Price(100 - id as i64 % 3), Quantity(1 + id));
            book.submit(1000 + id, order, &mut events).unwrap();
        }
        let stop = NewOrder::stop(Owner(2), Side::Sell, Price(90), Quantity(4)).good_till(Nanos(5));
        book.submit(7, stop, &mut events).unwrap();
        book.cancel(1003, &mut events).unwrap();
        book
    }

    #[test]
    fn bytes_bring_back_the_book_and_its_ids() {
        let mut original = book();
        let mut restored = ExternalBook::from_bytes(&original.to_bytes()).unwrap();
        assert_eq!(restored.to_bytes(), original.to_bytes());
        let (mut events, mut same) = (Vec::new(), Vec::new());
        let sell = NewOrder::limit(Owner(3), Side::Sell, Price(98), Quantity(60));
        assert_eq!(original.submit(5, sell, &mut events), restored.submit(5, sell, &mut same));
        assert_eq!(events, same);
        assert_eq!(original.cancel(1019, &mut events), restored.cancel(1019, &mut same));
        assert_eq!(restored.submit(7, sell, &mut same), Err(ExternalError::DuplicateId(7)));
        assert_eq!(original.book().digest(), restored.book().digest());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = book().to_bytes();
        for cut in [0, 10, bytes.len() - 1] {
            assert!(ExternalBook::from_bytes(&bytes[..cut]).is_err());
        }
        let mut flipped = bytes.clone();
        flipped[40] ^= 1;
        assert!(ExternalBook::from_bytes(&flipped).is_err());
        // Sound in itself, but an order has no name.
        let book = book();
        let payload = postcard::to_stdvec(&(book.book.snapshot(), Vec::<(u64, Handle)>::new())).unwrap();
        let error = ExternalBook::from_bytes(&frame::wrap(MAGIC, VERSION, &payload)).unwrap_err();
        assert!(error.to_string().contains("without an id"), "{error}");
    }

    #[test]
    fn cleared_book_has_its_ids_free_again() {
        let mut book = book();
        book.clear();
        let mut events = Vec::new();
        let order = NewOrder::limit(Owner(1), Side::Buy, Price(1), Quantity(1));
        assert!(book.submit(1000, order, &mut events).is_ok());
        assert_eq!(book.book().order_count(), 1);
    }
}

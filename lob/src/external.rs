//! A book for callers with order ids of their own: feeds, replays, exchanges.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use thiserror::Error;

use crate::{Amendment, BookConfig, ConfigError, Event, Handle, NewOrder, OrderBook, Quantity, RejectReason};

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

//! `lob::OrderBook` as a simulator uses it: the caller keeps the handles that the engine gives out.

use lob::{BookConfig, Event, Handle, NewOrder, OrderBook};

use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The book, and the handle of each order by its number in the stream.
pub struct LobHandles {
    book: OrderBook,
    handles: Vec<Handle>,
    events: Vec<Event>,
    /// Message id of the order in each slot of the engine's arena. Filled by recording runs only.
    ids: Vec<u64>,
}

impl LobHandles {
    /// Returns the handle of an accepted order; a refused one has no trades and is not found again.
    #[inline]
    fn submit(&mut self, id: u64, order: NewOrder) -> Option<Handle> {
        let handle = self.book.submit(order, &mut self.events).ok()?;
        self.handles[id as usize] = handle;
        Some(handle)
    }
}

/// Lots traded, as the events tell.
#[inline]
pub(super) fn volume(events: &[Event]) -> u64 {
    events
        .iter()
        .map(|event| match event {
            Event::Trade { quantity, .. } => quantity.0,
            _ => 0,
        })
        .sum()
}

impl Engine for LobHandles {
    fn new(stream: &Summary) -> Result<Self, Unsuited> {
        let book = OrderBook::new(BookConfig::default()).map_err(|error| Unsuited {
            engine: EngineId::LobHandles,
            field: "configuration",
            found: error.to_string(),
            legal: "the default".to_owned(),
        })?;
        // Generation 0 is never given out: until its order is accepted, an entry names none.
        let handles = vec![Handle::from_bits(u64::from(u32::MAX)); stream.orders as usize];
        Ok(Self { book, handles, events: Vec::with_capacity(1024), ids: Vec::new() })
    }

    #[inline]
    fn apply(&mut self, message: &Message) -> u64 {
        self.events.clear();
        let (id, order) = match *message {
            Message::Limit { id, owner, side, price, quantity } => {
                (id, NewOrder::limit(owner, side, price, quantity))
            }
            Message::Market { id, owner, side, quantity } => (id, NewOrder::market(owner, side, quantity)),
            Message::Cancel { id } => {
                // A refusal means that the order has gone, which a stream may not know.
                let _ = self.book.cancel(self.handles[id as usize], &mut self.events);
                return 0;
            }
        };
        self.submit(id, order);
        volume(&self.events)
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        self.apply(message);
        let (Message::Limit { id, .. } | Message::Market { id, .. }) = *message else { return };
        let slot = self.handles[id as usize].slot();
        if slot >= self.ids.len() && slot < u32::MAX as usize {
            self.ids.resize(slot + 1, 0);
        }
        if let Some(entry) = self.ids.get_mut(slot) {
            *entry = id;
        }
        for event in &self.events {
            if let Event::Trade { maker, price, quantity, .. } = *event {
                trades.push(Trade { maker: self.ids[maker.slot()], taker: id, price, quantity });
            }
        }
    }
}

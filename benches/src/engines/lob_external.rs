//! `lob::ExternalBook` as a replayer of somebody else's feed uses it: orders are named by the caller's 64-bit
//! ids.

use lob::{BookConfig, Event, ExternalBook, NewOrder};

use super::lob_handles::volume;
use super::{Engine, EngineId, Unsuited};
use crate::message::{Message, Summary, Trade};

/// The book with its map of ids.
pub struct LobExternal {
    book: ExternalBook,
    events: Vec<Event>,
}

impl Engine for LobExternal {
    fn new(_stream: &Summary) -> Result<Self, Unsuited> {
        let book = ExternalBook::new(BookConfig::default()).map_err(|error| Unsuited {
            engine: EngineId::LobExternal,
            field: "configuration",
            found: error.to_string(),
            legal: "the default".to_owned(),
        })?;
        Ok(Self { book, events: Vec::with_capacity(1024) })
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
                let _ = self.book.cancel(id, &mut self.events);
                return 0;
            }
        };
        // A refused order has no trades.
        let _ = self.book.submit(id, order, &mut self.events);
        volume(&self.events)
    }

    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>) {
        self.apply(message);
        for event in &self.events {
            if let Event::Trade { maker, taker, price, quantity, .. } = *event {
                // An order without an id would be a defect of the engine: it shows as a trade of order 2^64 -
                // 1.
                let id = |handle| self.book.external_id(handle).unwrap_or(u64::MAX);
                trades.push(Trade { maker: id(maker), taker: id(taker), price, quantity });
            }
        }
    }
}

//! An exact price-time-priority limit order book and matching engine, made to be embedded.
//!
//! The whole engine is one struct, [`OrderBook`]: requests go in, [`Event`]s come out into a buffer that the
//! caller owns, and views answer questions about the book without copying it.
//!
//! ```
//! use lob::{BookConfig, Event, NewOrder, OrderBook, Owner, Price, Quantity, Side};
//!
//! let mut book = OrderBook::new(BookConfig::default()).expect("the default configuration is valid");
//! let mut events = Vec::new();
//! let (maker, taker) = (Owner(1), Owner(2));
//!
//! book.submit(NewOrder::limit(maker, Side::Sell, Price(1001), Quantity(5)), &mut events).unwrap();
//! events.clear();
//! book.submit(NewOrder::market(taker, Side::Buy, Quantity(3)), &mut events).unwrap();
//!
//! assert!(matches!(events[1], Event::Trade { price: Price(1001), quantity: Quantity(3), .. }));
//! assert_eq!(book.quantity_at(Side::Sell, Price(1001)), Quantity(2));
//! ```
//!
//! The rules of matching (what happens first, who keeps priority, what is refused) are written down in
//! `docs/matching.md` of the repository.

pub mod account;
pub mod book;
pub mod calibration;
pub mod data;
mod digest;
mod error;
mod event;
mod external;
pub mod flow;
mod frame;
mod journal;
pub mod models;
mod order;
pub mod parameter;
pub mod random;
pub mod sim;
mod types;

pub use account::Account;
pub use book::{
    BookConfig, FeedBook, FeedOrder, FeedProblem, MAX_FEED_PRICE, OrderBook, OrderView, QueuePosition,
    Snapshot, SnapshotError, StopView, Sweep,
};
pub use digest::{EventDigest, StateDigest, TradeDigest};
pub use error::{ConfigError, Contradiction, RejectReason};
pub use event::{CancelReason, Event};
pub use external::{ExternalBook, ExternalError};
pub use frame::FrameError;
pub use journal::{JournalError, JournalReader, JournalWriter};
pub use order::{Amendment, NewOrder, OrderKind, Request, SelfTradePrevention, TimeInForce};
pub use parameter::ParameterError;
pub use types::{Handle, Nanos, Owner, Price, Quantity, Side};

//! What exchanges publish, as one stream of [`MarketEvent`]s.
//!
//! [`open`] tells a file's format by its content, whatever it is called and however it is compressed, and returns a [`MarketReader`].
//! [`Inspector`] replays the events into books and counts what does not fit. `docs/market_data.md` describes formats, policies and counts.
//!
//! ```no_run
//! use lob::data::market::{Inspector, ReadOptions, open};
//!
//! let mut reader = open("btcusdt.gz", &ReadOptions::default())?;
//! let (mut inspector, mut events) = (Inspector::new(), Vec::new());
//! loop {
//!     events.clear();
//!     let more = reader.read(&mut events)?;
//!     events.iter().for_each(|event| inspector.see(event));
//!     if !more {
//!         break;
//!     }
//! }
//! println!("{:?}", inspector.finish());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "binance")]
mod binance;
mod bitstamp;
#[cfg(feature = "dbn")]
mod dbn;
mod detect;
mod event;
mod hftbacktest;
mod input;
mod inspect;
#[cfg(feature = "itch")]
mod itch;
mod lines;
mod lobster;
mod quotes;
mod reader;
mod step;
mod unpack;

#[cfg(feature = "binance")]
pub use binance::BinanceReader;
pub use bitstamp::BitstampReader;
#[cfg(feature = "dbn")]
pub use dbn::DbnReader;
pub use detect::{Format, open, open_input};
pub use event::{Kind, MarketEvent};
pub use hftbacktest::{EventsWriter, HftReader, WrittenEvents, write_events};
pub use input::{Compression, Input};
pub use inspect::{BookProblems, Inspector, Spells, Summary, apply, apply_all};
#[cfg(feature = "itch")]
pub use itch::ItchReader;
pub use lobster::{BookAgreement, LobsterReader, orderbook_beside};
pub use quotes::QuoteAgreement;
pub use reader::{
    Cause, Damage, Instrument, KEPT_DAMAGES, MarketReader, Origin, Position, ReadError, ReadOptions, Tally,
};
pub use step::{NumberError, Step, StepGuess};

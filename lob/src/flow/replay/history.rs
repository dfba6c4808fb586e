//! What is replayed: the events of one instrument in the exchange's order, and the book at any time.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::config::in_range;
use crate::data::market::{Instrument, Kind, MarketEvent, ReadError, ReadOptions, apply, open};
use crate::parameter::ParameterError;
use crate::{FeedBook, Nanos};

/// Why there is nothing to replay.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file cannot be read to its end.
    #[error("{}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: ReadError,
    },
    /// It cannot be replayed.
    #[error("{0}")]
    File(String),
    /// A field that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// What the events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedLevel {
    /// Levels: places in queues have to be estimated.
    Levels,
    /// Orders: places in queues are exact.
    Orders,
}

/// Parts that the events are cut into; at the beginning of each the book is kept, so that any time is reached quickly.
const CHECKPOINTS: usize = 64;

/// Prices around the best ones that a book reaches fastest. Real books are deep, and most of what is reported lies far from the best prices.
pub(crate) const WINDOW: usize = 4096;

/// The book before the event of an index.
#[derive(Clone, Debug)]
struct Checkpoint {
    index: usize,
    book: FeedBook,
    /// Messages are missing: see [`becomes_stale`].
    stale: bool,
}

/// What a book is at some time.
#[derive(Clone, Debug)]
pub struct BookBefore {
    /// Index of the first event that happens then or later.
    pub next: usize,
    /// The book, as far as it is known.
    pub book: FeedBook,
    /// True where messages are missing: from a gap, or the beginning of a snapshot, to the end of the next snapshot.
    pub stale: bool,
}

/// Whether a book is stale after an event; `None` if the event says nothing of that.
pub(super) const fn becomes_stale(kind: Kind) -> Option<bool> {
    match kind {
        Kind::Gap | Kind::SnapshotBegin => Some(true),
        Kind::SnapshotEnd => Some(false),
        _ => None,
    }
}

/// The events of one instrument, in the order in which they happened at the exchange.
///
/// Book events keep their order in the file, and their stamps never run backwards: one with an earlier stamp than the latest happens with it. Trades
/// that name no order are sorted in by their stamps.
///
/// Memory: 56 bytes an event.
#[derive(Clone, Debug)]
pub struct History {
    instrument: Instrument,
    level: FeedLevel,
    events: Vec<MarketEvent>,
    /// Stamps of the first and the last event, those included that make no book.
    span: (u64, u64),
    /// Ascending by index.
    checkpoints: Vec<Checkpoint>,
    damaged: u64,
}

impl History {
    /// Reads a file. Damaged records are counted and passed over.
    ///
    /// # Errors
    /// If it cannot be read to its end, has several instruments of which none is asked for, or nothing that makes a book.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, HistoryError> {
        let failed = |problem| HistoryError::Read { path: path.to_owned(), problem };
        let named = |text: String| HistoryError::File(format!("{}: {text}", path.display()));
        let mut reader = open(path, options).map_err(failed)?;
        let (mut events, mut batch) = (Vec::new(), Vec::new());
        let mut instrument = None;
        loop {
            batch.clear();
            let more = reader.read(&mut batch).map_err(failed)?;
            for event in &batch {
                if *instrument.get_or_insert(event.instrument) != event.instrument {
                    let names: Vec<&str> =
                        reader.instruments().iter().map(|one| one.symbol.as_str()).collect();
                    let text = format!("symbol is missing; legal: one of {}", names.join(", "));
                    return Err(named(text));
                }
            }
            events.append(&mut batch);
            if !more {
                break;
            }
        }
        let instrument = instrument.and_then(|index| reader.instruments().get(usize::from(index)).cloned());
        let Some(instrument) = instrument else { return Err(named("no event to replay".to_owned())) };
        let damaged = reader.tally().damaged;
        let history = Self::new(instrument, events).map_err(|error| named(error.to_string()))?;
        Ok(Self { damaged, ..history })
    }

    /// A history of these events, all of one instrument.
    ///
    /// # Errors
    /// If they make no book.
    pub fn new(instrument: Instrument, mut events: Vec<MarketEvent>) -> Result<Self, HistoryError> {
        let stamps = || events.iter().map(|event| event.exchange_time.0);
        let span = (stamps().min().unwrap_or(0), stamps().max().unwrap_or(0));
        events.retain(|event| {
            let says_nothing = match event.kind {
                Kind::Best | Kind::Unchanged => true,
                // A placeholder of the feed: nobody traded at its price.
                Kind::Trade => event.quantity.is_zero(),
                _ => false,
            };
            !says_nothing && in_range(event.price)
        });
        let has = |kind: Kind| events.iter().any(|event| event.kind == kind);
        let level = match (has(Kind::Add), has(Kind::Level)) {
            (true, false) => FeedLevel::Orders,
            (false, true) => FeedLevel::Levels,
            (true, true) => return Err(HistoryError::File("both orders and whole levels".to_owned())),
            (false, false) => {
                return Err(HistoryError::File("neither orders nor levels: nothing makes a book".to_owned()));
            }
        };
        order(&mut events);
        let mut history = Self { instrument, level, events, span, checkpoints: Vec::new(), damaged: 0 };
        let (mut book, mut stale) = (FeedBook::new(WINDOW), false);
        let stride = history.events.len().div_ceil(CHECKPOINTS).max(1);
        for (index, event) in history.events.iter().enumerate() {
            if index % stride == 0 {
                history.checkpoints.push(Checkpoint { index, book: book.clone(), stale });
            }
            stale = becomes_stale(event.kind).unwrap_or(stale);
            // What does not fit is passed over, as `lobgym data check` counts it.
            let _ = apply(&mut book, event);
        }
        Ok(history)
    }

    /// What is traded.
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    /// What the events are about.
    pub fn level(&self) -> FeedLevel {
        self.level
    }

    /// The events.
    pub fn events(&self) -> &[MarketEvent] {
        &self.events
    }

    /// Records of the file that could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Stamps of the first and the last event, in nanoseconds.
    pub fn span(&self) -> (u64, u64) {
        self.span
    }

    /// The book just before what happens at `stamp` (ns).
    pub fn book_before(&self, stamp: u64) -> BookBefore {
        let next = self.events.partition_point(|event| event.exchange_time.0 < stamp);
        let part = self.checkpoints.partition_point(|checkpoint| checkpoint.index <= next).max(1) - 1;
        let Some(checkpoint) = self.checkpoints.get(part) else {
            return BookBefore { next: 0, book: FeedBook::new(WINDOW), stale: false };
        };
        let Checkpoint { index, mut book, mut stale } = checkpoint.clone();
        for event in &self.events[index..next] {
            stale = becomes_stale(event.kind).unwrap_or(stale);
            let _ = apply(&mut book, event);
        }
        BookBefore { next, book, stale }
    }

    /// The book at one time after the other.
    pub(super) fn tour(&self) -> Tour<'_> {
        Tour { history: self, next: 0, book: FeedBook::new(WINDOW) }
    }
}

/// See [`History::tour`].
pub(super) struct Tour<'a> {
    history: &'a History,
    next: usize,
    book: FeedBook,
}

impl Tour<'_> {
    /// The book after all that happened up to `stamp` (ns), which does not run backwards.
    pub(super) fn book_at(&mut self, stamp: u64) -> &FeedBook {
        while let Some(event) = self.history.events.get(self.next)
            && event.exchange_time.0 <= stamp
        {
            let _ = apply(&mut self.book, event);
            self.next += 1;
        }
        &self.book
    }
}

/// Brings events into the exchange's order.
fn order(events: &mut [MarketEvent]) {
    let [mut book, mut trades] = [Nanos(0); 2];
    for event in events.iter_mut() {
        let latest = if event.kind == Kind::Trade { &mut trades } else { &mut book };
        *latest = event.exchange_time.max(*latest);
        event.exchange_time = *latest;
    }
    events.sort_by_key(|event| event.exchange_time);
}

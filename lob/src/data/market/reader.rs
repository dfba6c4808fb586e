//! What a reader of market data is, what it counts, and how it fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{BookAgreement, Compression, Format, Input, MarketEvent, Step};

/// A place in a file: unpacked bytes from its beginning, and the line or record there, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes from the beginning, after decompression.
    pub byte: u64,
    /// The line (text) or record (binary).
    pub record: u64,
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub position: Position,
    /// What is wrong with it.
    pub reason: String,
}

/// Why reading ended before the end.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The system, or the decompression: the rest of the file is out of reach.
    #[error("byte {byte}{}: {source}", unpacked(*compression))]
    Io {
        /// Unpacked bytes read before.
        byte: u64,
        /// How the file is compressed.
        compression: Compression,
        /// What it says.
        source: io::Error,
    },
    /// A damaged record, where none is tolerated or nothing can be read behind it.
    #[error("{unit} {}, byte {}: {}", damage.position.record, damage.position.byte, damage.reason)]
    Damaged {
        /// Where and what.
        damage: Damage,
        /// `line` or `record`, or of which file one.
        unit: &'static str,
    },
    /// The file as a whole.
    #[error("{0}")]
    File(String),
}

fn unpacked(compression: Compression) -> &'static str {
    if compression == Compression::None { "" } else { " (unpacked)" }
}

impl ReadError {
    pub(super) fn io(input: &Input, source: io::Error) -> Self {
        let byte = input.offset() + input.available().len() as u64;
        Self::Io { byte, compression: input.compression(), source }
    }
}

/// Where a tick or lot size comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The caller gave it.
    Given,
    /// The largest plausible step that divides the numbers at the beginning of the file.
    Inferred {
        /// How many numbers were looked at.
        numbers: u64,
    },
    /// The format or the file's header fixes it.
    Format,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("given"),
            Self::Inferred { numbers } => write!(f, "inferred from {numbers} numbers"),
            Self::Format => f.write_str("fixed by the format"),
        }
    }
}

/// One thing that is traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// As the feed calls it.
    pub symbol: String,
    /// Price of one tick.
    pub tick: Step,
    /// Where the tick size comes from.
    pub tick_origin: Origin,
    /// Size of one lot.
    pub lot: Step,
    /// Where the lot size comes from.
    pub lot_origin: Origin,
}

/// A named count of records that do not fit what came before; a reader's counts are exclusive: each record is in one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Name in reports.
    pub name: &'static str,
    /// What it means, and what the reader does.
    pub meaning: &'static str,
    /// Records.
    pub count: u64,
}

/// Names and meanings of a reader's causes with their counts.
pub(super) fn counted(causes: &[(&'static str, &'static str)], counts: &[u64]) -> Vec<Cause> {
    let pairs = causes.iter().zip(counts);
    pairs.map(|(&(name, meaning), &count)| Cause { name, meaning, count }).collect()
}

/// Damaged records that are kept with their place; the others are only counted.
pub const KEPT_DAMAGES: usize = 20;

/// What a reader has seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lines or records read, damaged ones included.
    pub records: u64,
    /// Records that mean nothing to a book and were passed over.
    pub ignored: u64,
    /// Records that could not be read and were passed over.
    pub damaged: u64,
    /// The first [`KEPT_DAMAGES`] of them.
    pub damages: Vec<Damage>,
}

impl Tally {
    pub(super) fn damage(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < KEPT_DAMAGES {
            self.damages.push(damage);
        }
    }
}

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The first damaged record ends the reading; otherwise it is counted and passed over.
    pub strict: bool,
    /// Tick size; inferred where the format does not fix it.
    pub tick: Option<Step>,
    /// Lot size; as the tick size.
    pub lot: Option<Step>,
    /// Only these instruments, where a file holds several; empty: all.
    pub symbols: Vec<String>,
    /// The order-book file that belongs to a message file of LOBSTER; other formats have none, and refuse it.
    pub orderbook: Option<PathBuf>,
}

/// A stream of market events.
///
/// A reader allocates while it sets up and while its tables grow, but not for each event. Memory is bounded by the largest record
/// that the format allows and by the orders that rest at the same time, not by the file.
pub trait MarketReader: Send {
    /// What it reads.
    fn format(&self) -> Format;

    /// The instruments seen so far; a file may name more of them later.
    fn instruments(&self) -> &[Instrument];

    /// Appends the events of the next records, in the order of the file, at least a few hundred unless the end is near. False once
    /// the end was reached. What was appended before an error is valid.
    ///
    /// # Errors
    /// [`ReadError`] with the place. Nothing can be read after an error.
    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError>;

    /// Counts so far.
    fn tally(&self) -> &Tally;

    /// Records that do not fit what came before, by cause.
    fn causes(&self) -> Vec<Cause> {
        Vec::new()
    }

    /// How the book agrees with the order-book file beside the messages, and the first damaged lines of that file; `None` without one.
    fn orderbook(&self) -> Option<(BookAgreement, &[Damage])> {
        None
    }

    /// Bytes read so far as they are packed, and all of them if known: for progress.
    fn progress(&self) -> (u64, Option<u64>);

    /// How the file is compressed.
    fn compression(&self) -> Compression;
}

/// Events that one call of [`MarketReader::read`] aims at.
pub(super) const BATCH: usize = 1024;

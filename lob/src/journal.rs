//! A journal: the requests a book was given, written as they come, to be replayed to the same state.
//!
//! A journal is an envelope (magic `LOBJRNL\0`, version, length, XXH3-64) with the book's configuration, followed by one record a
//! request: payload length (u16), the lower 32 bits of the payload's XXH3-64 (u32), both little-endian, and the request in postcard encoding.
//! Records are only ever appended, so that a crash can damage the last one alone.

use std::io::{self, ErrorKind, Read, Write};

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::{self, FrameError, HEADER};
use crate::{BookConfig, ConfigError, Event, OrderBook, Request};

const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"LOBJRNL\0";
/// No request encodes to more.
const MAX_RECORD: usize = 128;
/// No configuration encodes to more.
const MAX_CONFIG: u64 = 1024;

/// Why a journal cannot be read on.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The envelope with the configuration is damaged.
    #[error("journal header: {0}")]
    Header(#[from] FrameError),
    /// The header holds no configuration.
    #[error("journal header: the configuration at byte {HEADER} cannot be decoded: {0}")]
    Config(String),
    /// The configuration is not legal.
    #[error("journal header: {0}")]
    IllegalConfig(#[from] ConfigError),
    /// The journal ends inside a record: the writer was stopped while it wrote. The records before it are sound.
    #[error("journal record {record} at byte {offset} is cut off by the end of the journal")]
    Torn {
        /// Number of the record, from 0: also the number of sound records before it.
        record: u64,
        /// Where it starts.
        offset: u64,
    },
    /// A record is not what was written.
    #[error("journal record {record} at byte {offset} is damaged: {reason}")]
    Damaged {
        /// Number of the record, from 0.
        record: u64,
        /// Where it starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The source cannot be read.
    #[error("journal cannot be read at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

/// Writes requests to a journal.
#[derive(Debug)]
pub struct JournalWriter<W> {
    sink: W,
}

impl<W: Write> JournalWriter<W> {
    /// Starts a journal of a new book with this configuration. Give it a buffered sink.
    ///
    /// # Errors
    /// What the sink says.
    pub fn new(mut sink: W, config: &BookConfig) -> io::Result<Self> {
        let payload = postcard::to_stdvec(config).map_err(io::Error::other)?;
        sink.write_all(&frame::wrap(MAGIC, VERSION, &payload))?;
        Ok(Self { sink })
    }

    /// Goes on with a journal whose sink stands at its end.
    pub fn resume(sink: W) -> Self {
        Self { sink }
    }

    /// Appends a request. No allocation.
    ///
    /// # Errors
    /// What the sink says.
    pub fn record(&mut self, request: &Request) -> io::Result<()> {
        let mut buffer = [0; 6 + MAX_RECORD];
        let length = postcard::to_slice(request, &mut buffer[6..]).map_err(io::Error::other)?.len();
        let checksum = xxh3_64(&buffer[6..6 + length]) as u32;
        buffer[..2].copy_from_slice(&(length as u16).to_le_bytes());
        buffer[2..6].copy_from_slice(&checksum.to_le_bytes());
        self.sink.write_all(&buffer[..6 + length])
    }

    /// Flushes the sink.
    ///
    /// # Errors
    /// What the sink says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// The sink.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// Reads the requests of a journal: an iterator that ends at the journal's end or after the first error.
#[derive(Debug)]
pub struct JournalReader<R> {
    source: R,
    config: BookConfig,
    offset: u64,
    record: u64,
    failed: bool,
}

impl<R: Read> JournalReader<R> {
    /// Opens a journal. Give it a buffered source.
    ///
    /// # Errors
    /// [`JournalError`] if the header is damaged.
    pub fn new(mut source: R) -> Result<Self, JournalError> {
        let mut head = [0; HEADER];
        let found =
            read_up_to(&mut source, &mut head).map_err(|source| JournalError::Io { offset: 0, source })?;
        let (length, checksum) = frame::header(MAGIC, VERSION, &head[..found])?;
        if length > MAX_CONFIG {
            return Err(JournalError::Config(format!(
                "it is said to have {length} bytes, at most {MAX_CONFIG} are legal"
            )));
        }
        let mut payload = vec![0; length as usize];
        let found = read_up_to(&mut source, &mut payload)
            .map_err(|source| JournalError::Io { offset: HEADER as u64, source })?;
        if found as u64 != length {
            return Err(FrameError::Length { expected: length, found }.into());
        }
        frame::check(&payload, checksum)?;
        let (config, rest) = postcard::take_from_bytes::<BookConfig>(&payload)
            .map_err(|error| JournalError::Config(error.to_string()))?;
        if !rest.is_empty() {
            return Err(JournalError::Config(format!("{} bytes too many", rest.len())));
        }
        Ok(Self { source, config, offset: HEADER as u64 + length, record: 0, failed: false })
    }

    /// The configuration of the book that the requests were given to.
    pub fn config(&self) -> &BookConfig {
        &self.config
    }

    /// Where the next record starts, in bytes from the beginning: after an error, the end of what is sound.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Replays all requests on a new book. Refused requests were part of the history and are refused again.
    ///
    /// # Errors
    /// [`JournalError`] at the first record that is not sound.
    pub fn replay(mut self) -> Result<OrderBook, JournalError> {
        let mut book = OrderBook::new(self.config)?;
        let mut events: Vec<Event> = Vec::new();
        for request in &mut self {
            events.clear();
            // The outcome is in the state; a refusal is as much history as an acceptance.
            let _refused = book.apply(request?, &mut events);
        }
        Ok(book)
    }

    fn read_record(&mut self) -> Result<Option<Request>, JournalError> {
        let (record, offset) = (self.record, self.offset);
        let io_error = |source| JournalError::Io { offset, source };
        let damaged = |reason: String| JournalError::Damaged { record, offset, reason };
        let mut head = [0; 6];
        match read_up_to(&mut self.source, &mut head).map_err(io_error)? {
            0 => return Ok(None),
            6 => {}
            _ => return Err(JournalError::Torn { record, offset }),
        }
        let length = usize::from(u16::from_le_bytes([head[0], head[1]]));
        if length == 0 || length > MAX_RECORD {
            return Err(damaged(format!("it is said to have {length} bytes; legal: 1 to {MAX_RECORD}")));
        }
        let mut buffer = [0; MAX_RECORD];
        let payload = &mut buffer[..length];
        if read_up_to(&mut self.source, payload).map_err(io_error)? < length {
            return Err(JournalError::Torn { record, offset });
        }
        let expected = u32::from_le_bytes([head[2], head[3], head[4], head[5]]);
        let found = xxh3_64(payload) as u32;
        if found != expected {
            return Err(damaged(format!("checksum {found:08x}, not {expected:08x}")));
        }
        match postcard::take_from_bytes::<Request>(payload) {
            Ok((request, [])) => {
                self.offset += 6 + length as u64;
                self.record += 1;
                Ok(Some(request))
            }
            Ok((_, rest)) => Err(damaged(format!("{} bytes too many", rest.len()))),
            Err(error) => Err(damaged(error.to_string())),
        }
    }
}

impl<R: Read> Iterator for JournalReader<R> {
    type Item = Result<Request, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let result = self.read_record();
        self.failed = result.is_err();
        result.transpose()
    }
}

/// Fills the buffer as far as the source goes; returns how far that was.
fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

//! Message files: the format of `docs/data_format.md`, section "Benchmark messages".
//!
//! 64 bytes of header, then records of 32 bytes, all little-endian. The reader is strict: whatever it
//! accepts, every engine can replay, and whatever it refuses, it refuses with the file, the record, the byte
//! and what would be legal.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use lob::{Owner, Price, Quantity, Side};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::atomic::write_atomically;
use crate::message::{Message, Stream, Summary};

/// The first eight bytes. The line ending in them makes a transfer in text mode visible.
pub const MAGIC: [u8; 8] = *b"LOBMSG\r\n";
/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 1;
/// Bytes before the first record.
pub const HEADER_BYTES: usize = 64;
/// Bytes a record.
pub const RECORD_BYTES: usize = 32;
/// Orders in a file: ids are kept in 32 bits by some engines.
pub const MAX_ORDERS: u64 = u32::MAX as u64 - 1;

const LIMIT: u8 = 0;
const MARKET: u8 = 1;
const CANCEL: u8 = 2;
/// Records read or written at a time.
const CHUNK: usize = 4096;

/// Why a message file could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A header field is not legal.
    #[error("{file}: header, byte {offset}: {field} is {found}; legal: {legal}")]
    Header {
        /// The file.
        file: String,
        /// Where the field starts.
        offset: u64,
        /// Its name.
        field: &'static str,
        /// What is there.
        found: String,
        /// What could be there.
        legal: String,
    },
    /// A field of a record is not legal.
    #[error("{file}: record {record}, byte {offset}: {field} is {found}; legal: {legal}")]
    Record {
        /// The file.
        file: String,
        /// The record, counted from 0.
        record: u64,
        /// Where the field starts, counted from the start of the file.
        offset: u64,
        /// Its name.
        field: &'static str,
        /// What is there.
        found: String,
        /// What could be there.
        legal: String,
    },
    /// The file ends too early.
    #[error("{file}: ends at byte {length}, inside {inside}; legal: {expected} bytes")]
    Truncated {
        /// The file.
        file: String,
        /// Its length in bytes.
        length: u64,
        /// What was being read.
        inside: String,
        /// The length in bytes that the header announces.
        expected: u64,
    },
    /// Something follows the last record.
    #[error(
        "{file}: goes on after byte {expected}, where the {count} records of the header end; legal: nothing"
    )]
    TooLong {
        /// The file.
        file: String,
        /// Where it should end, in bytes.
        expected: u64,
        /// Records that the header announces.
        count: u64,
    },
}

impl FileError {
    fn io(file: &str, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }
}

/// Reads messages one by one from any source of bytes.
pub struct Reader<R> {
    source: R,
    file: String,
    header: Header,
    /// What has been read so far; checked against the header at the end.
    seen: Summary,
    checksum: Xxh3,
    buffer: Vec<u8>,
    position: usize,
    failed: bool,
}

#[derive(Clone, Copy)]
struct Header {
    summary: Summary,
    checksum: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the header. `file` is how errors name the source.
    ///
    /// # Errors
    /// [`FileError::Io`], [`FileError::Truncated`] and [`FileError::Header`].
    pub fn new(mut source: R, file: impl Into<String>) -> Result<Self, FileError> {
        let file = file.into();
        let mut bytes = [0; HEADER_BYTES];
        let length = read_fully(&mut source, &mut bytes).map_err(|error| FileError::io(&file, error))?;
        if length < HEADER_BYTES {
            return Err(FileError::Truncated {
                file,
                length: length as u64,
                inside: "the header".to_owned(),
                expected: HEADER_BYTES as u64,
            });
        }
        let header = Header::parse(&bytes, &file)?;
        Ok(Self {
            source,
            file,
            header,
            seen: Summary { messages: 0, orders: 0, prices: None },
            checksum: Xxh3::new(),
            buffer: Vec::new(),
            position: 0,
            failed: false,
        })
    }

    /// What the header announces. The reader holds the records to it.
    pub fn summary(&self) -> &Summary {
        &self.header.summary
    }

    fn offset(&self, record: u64) -> u64 {
        HEADER_BYTES as u64 + record * RECORD_BYTES as u64
    }

    fn fill(&mut self) -> Result<(), FileError> {
        let left = self.header.summary.messages - self.seen.messages;
        let bytes = (left.min(CHUNK as u64) as usize) * RECORD_BYTES;
        self.buffer.resize(bytes, 0);
        self.position = 0;
        let length = read_fully(&mut self.source, &mut self.buffer)
            .map_err(|error| FileError::io(&self.file, error))?;
        self.checksum.update(&self.buffer[..length]);
        if length < bytes {
            return Err(FileError::Truncated {
                file: self.file.clone(),
                length: self.offset(self.seen.messages) + length as u64,
                inside: format!("record {}", self.seen.messages + (length / RECORD_BYTES) as u64),
                expected: self.offset(self.header.summary.messages),
            });
        }
        Ok(())
    }

    fn next_message(&mut self) -> Result<Option<Message>, FileError> {
        if self.seen.messages == self.header.summary.messages {
            self.finish()?;
            return Ok(None);
        }
        if self.position == self.buffer.len() {
            self.fill()?;
        }
        let mut record = [0; RECORD_BYTES];
        record.copy_from_slice(&self.buffer[self.position..self.position + RECORD_BYTES]);
        let message = decode(&record, self.seen.orders).map_err(|fault| FileError::Record {
            file: self.file.clone(),
            record: self.seen.messages,
            offset: self.offset(self.seen.messages) + fault.offset,
            field: fault.field,
            found: fault.found,
            legal: fault.legal,
        })?;
        self.position += RECORD_BYTES;
        self.seen.add(&message);
        Ok(Some(message))
    }

    /// After the last record: nothing follows, and the header told the truth.
    fn finish(&mut self) -> Result<(), FileError> {
        let expected = self.offset(self.header.summary.messages);
        let mut byte = [0];
        if read_fully(&mut self.source, &mut byte).map_err(|error| FileError::io(&self.file, error))? > 0 {
            let count = self.header.summary.messages;
            return Err(FileError::TooLong { file: self.file.clone(), expected, count });
        }
        let (announced, seen) = (&self.header.summary, &self.seen);
        let fault = |offset, field, found: &dyn fmt::Display, legal: &dyn fmt::Display| FileError::Header {
            file: self.file.clone(),
            offset,
            field,
            found: found.to_string(),
            legal: format!("{legal}, as the records say"),
        };
        if announced.orders != seen.orders {
            return Err(fault(24, "orders", &announced.orders, &seen.orders));
        }
        let (low, high) = price_fields(announced);
        let (seen_low, seen_high) = price_fields(seen);
        if low != seen_low {
            return Err(fault(32, "min_price", &low, &seen_low));
        }
        if high != seen_high {
            return Err(fault(40, "max_price", &high, &seen_high));
        }
        let checksum = self.checksum.digest();
        if self.header.checksum != checksum {
            return Err(fault(
                48,
                "checksum",
                &format_args!("{:#018x}", self.header.checksum),
                &format_args!("{checksum:#018x}"),
            ));
        }
        Ok(())
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Message, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_message().transpose();
        // After an error the position in the source means nothing; after the end there is nothing to read.
        self.failed = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES], file: &str) -> Result<Self, FileError> {
        let fault = |offset: usize, field, found: String, legal: String| FileError::Header {
            file: file.to_owned(),
            offset: offset as u64,
            field,
            found,
            legal,
        };
        if bytes[..8] != MAGIC {
            let found = bytes[..8].escape_ascii().to_string();
            return Err(fault(0, "magic", found, format!("{}, a message file", MAGIC.escape_ascii())));
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(fault(8, "version", version.to_string(), VERSION.to_string()));
        }
        let size = u32_at(bytes, 12);
        if size as usize != RECORD_BYTES {
            return Err(fault(12, "record_size", size.to_string(), format!("{RECORD_BYTES}")));
        }
        let messages = u64_at(bytes, 16);
        if messages > u64::MAX / 64 {
            return Err(fault(16, "count", messages.to_string(), format!("at most {}", u64::MAX / 64)));
        }
        let orders = u64_at(bytes, 24);
        if orders > messages.min(MAX_ORDERS) {
            let legal = format!("at most {}", messages.min(MAX_ORDERS));
            return Err(fault(24, "orders", orders.to_string(), legal));
        }
        let (low, high) = (u64_at(bytes, 32) as i64, u64_at(bytes, 40) as i64);
        if high < low {
            return Err(fault(40, "max_price", high.to_string(), format!("at least min_price, {low}")));
        }
        if u64_at(bytes, 56) != 0 {
            return Err(fault(56, "reserved", u64_at(bytes, 56).to_string(), "0".to_owned()));
        }
        let prices = Some((Price(low), Price(high)));
        Ok(Self { summary: Summary { messages, orders, prices }, checksum: u64_at(bytes, 48) })
    }
}

struct Fault {
    offset: u64,
    field: &'static str,
    found: String,
    legal: String,
}

/// Parses one record; `orders` is how many orders came before it.
fn decode(record: &[u8; RECORD_BYTES], orders: u64) -> Result<Message, Fault> {
    let fault = |offset, field, found: &dyn fmt::Display, legal: &str| Fault {
        offset,
        field,
        found: found.to_string(),
        legal: legal.to_owned(),
    };
    let kind = record[0];
    if kind > CANCEL {
        return Err(fault(0, "kind", &kind, "0 (limit), 1 (market) or 2 (cancel)"));
    }
    let side = Side::try_from(record[1]).map_err(|code| fault(1, "side", &code, "0 (buy) or 1 (sell)"))?;
    if record[2..4] != [0, 0] {
        let found = u16::from_le_bytes([record[2], record[3]]);
        return Err(fault(2, "reserved", &found, "0"));
    }
    let owner = u32_at(record, 4);
    let id = u64_at(record, 8);
    let price = u64_at(record, 16) as i64;
    let quantity = u64_at(record, 24);
    if kind == CANCEL {
        if side != Side::Buy {
            return Err(fault(1, "side", &record[1], "0 in a cancel"));
        }
        if owner != 0 {
            return Err(fault(4, "owner", &owner, "0 in a cancel"));
        }
        if id >= orders {
            return Err(fault(8, "id", &id, &format!("an order before it: below {orders}")));
        }
        if price != 0 {
            return Err(fault(16, "price", &price, "0 in a cancel"));
        }
        if quantity != 0 {
            return Err(fault(24, "quantity", &quantity, "0 in a cancel"));
        }
        return Ok(Message::Cancel { id });
    }
    if id != orders {
        return Err(fault(8, "id", &id, &format!("{orders}: orders are numbered as they appear")));
    }
    if id >= MAX_ORDERS {
        return Err(fault(8, "id", &id, &format!("below {MAX_ORDERS}")));
    }
    if quantity == 0 {
        return Err(fault(24, "quantity", &quantity, "at least 1 in an order"));
    }
    let (owner, quantity) = (Owner(owner), Quantity(quantity));
    if kind == MARKET {
        if price != 0 {
            return Err(fault(16, "price", &price, "0 in a market order"));
        }
        return Ok(Message::Market { id, owner, side, quantity });
    }
    Ok(Message::Limit { id, owner, side, price: Price(price), quantity })
}

fn encode(message: &Message) -> [u8; RECORD_BYTES] {
    let (kind, side, owner, id, price, quantity) = match *message {
        Message::Limit { id, owner, side, price, quantity } => {
            (LIMIT, side, owner.0, id, price.0, quantity.0)
        }
        Message::Market { id, owner, side, quantity } => (MARKET, side, owner.0, id, 0, quantity.0),
        Message::Cancel { id } => (CANCEL, Side::Buy, 0, id, 0, 0),
    };
    let mut record = [0; RECORD_BYTES];
    record[0] = kind;
    record[1] = side as u8;
    record[4..8].copy_from_slice(&owner.to_le_bytes());
    record[8..16].copy_from_slice(&id.to_le_bytes());
    record[16..24].copy_from_slice(&price.to_le_bytes());
    record[24..].copy_from_slice(&quantity.to_le_bytes());
    record
}

/// Reads a whole file into memory.
///
/// # Errors
/// Everything in [`FileError`].
pub fn read(path: &Path) -> Result<Stream, FileError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| FileError::io(&name, error))?;
    let length = file.metadata().map_err(|error| FileError::io(&name, error))?.len();
    let reader = Reader::new(BufReader::new(file), name)?;
    // The header's count is only believed as far as the file is long enough to hold it.
    let possible = length / RECORD_BYTES as u64;
    let mut messages = Vec::with_capacity(reader.summary().messages.min(possible) as usize);
    for message in reader {
        messages.push(message?);
    }
    Ok(Stream::new(messages))
}

/// Writes a file atomically.
///
/// # Errors
/// [`FileError::Io`].
pub fn write(path: &Path, stream: &Stream) -> Result<(), FileError> {
    write_atomically(path, |writer| write_to(writer, stream))
        .map_err(|error| FileError::io(&path.display().to_string(), error))
}

/// Writes the format into any sink of bytes.
///
/// # Errors
/// Whatever the sink returns.
pub fn write_to(sink: &mut impl Write, stream: &Stream) -> io::Result<()> {
    let mut checksum = Xxh3::new();
    for message in stream.messages() {
        checksum.update(&encode(message));
    }
    let summary = stream.summary();
    let (low, high) = price_fields(summary);
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(RECORD_BYTES as u32).to_le_bytes());
    header[16..24].copy_from_slice(&summary.messages.to_le_bytes());
    header[24..32].copy_from_slice(&summary.orders.to_le_bytes());
    header[32..40].copy_from_slice(&low.to_le_bytes());
    header[40..48].copy_from_slice(&high.to_le_bytes());
    header[48..56].copy_from_slice(&checksum.digest().to_le_bytes());
    sink.write_all(&header)?;
    let mut buffer = Vec::with_capacity(CHUNK * RECORD_BYTES);
    for chunk in stream.messages().chunks(CHUNK) {
        buffer.clear();
        for message in chunk {
            buffer.extend_from_slice(&encode(message));
        }
        sink.write_all(&buffer)?;
    }
    sink.flush()
}

/// Both price fields are 0 where there is no limit order.
fn price_fields(summary: &Summary) -> (i64, i64) {
    summary.prices.map_or((0, 0), |(low, high)| (low.0, high.0))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(field)
}

/// Reads until `buffer` is full or the source ends; returns the bytes read.
fn read_fully(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

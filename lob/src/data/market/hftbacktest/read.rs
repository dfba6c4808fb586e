//! Reading.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use hashbrown::HashMap;
use npyz::NpyHeader;
use zip::{CompressionMethod, ZipArchive};

use super::{FIELDS, FOR_PACKAGE, OURS, RECORD, code};
use crate::data::header;
use crate::data::market::reader::{
    BATCH, Damage, Instrument, MarketReader, Origin, Position, ReadError, ReadOptions, Tally,
};
use crate::data::market::step::{Step, StepGuess};
use crate::data::market::{Compression, Format, Input, Kind, MarketEvent};
use crate::data::{NpzFile, NpzProblem};
use crate::{Nanos, Price, Quantity, Side};

/// Orders whose fills are remembered at a time.
const MOST_FILLS: usize = 1 << 16;

/// Records looked at to infer tick and lot size.
const SAMPLE: usize = 20_000;

/// Reads events in the layout of hftbacktest: files of the package, and those that [`write_events`](super::write_events) wrote, which come
/// back event by event.
#[derive(Debug)]
pub struct HftReader {
    input: Input,
    instruments: Vec<Instrument>,
    strict: bool,
    records: u64,
    read: u64,
    tally: Tally,
    compressed: bool,
    /// The event before, whose end of message the next record decides; of records of others only.
    waiting: Option<MarketEvent>,
    /// Lots of orders that fills have announced, and whose removal from the book is still to come; of records of others only.
    fills: HashMap<u64, u64>,
}

/// Reads an entry of an archive and checks its length and checksum at its end.
struct Checked<R> {
    inner: R,
    left: u64,
    sum: flate2::Crc,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| bad("longer than the archive says"))?;
        self.sum.update(&buffer[..read]);
        if read == 0 && self.left > 0 {
            return Err(bad("shorter than the archive says"));
        }
        if read == 0 && self.sum.sum() != self.expected {
            return Err(bad("the array's checksum is wrong"));
        }
        Ok(read)
    }
}

fn file_error(error: impl std::fmt::Display) -> ReadError {
    ReadError::File(error.to_string())
}

impl HftReader {
    /// Opens an archive.
    ///
    /// # Errors
    /// If it cannot be read, or its array `data` is missing or has another layout.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let (start, packed, size, expected, deflated) = {
            let file = File::open(path).map_err(file_error)?;
            let mut archive = ZipArchive::new(BufReader::new(file)).map_err(file_error)?;
            let entry = archive.by_name("data.npy").map_err(|error| {
                file_error(format!("key `data`: {error}; expected the events of hftbacktest's layout"))
            })?;
            let deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => return Err(file_error(format!("key `data`: compressed by {other}"))),
            };
            let start = entry.data_start().ok_or_else(|| file_error("key `data`: no data"))?;
            (start, entry.compressed_size(), entry.size(), entry.crc32(), deflated)
        };
        let mut file = File::open(path).map_err(file_error)?;
        file.seek(SeekFrom::Start(start)).map_err(file_error)?;
        let packed_bytes = BufReader::with_capacity(64 << 10, file).take(packed);
        let inner: Box<dyn Read + Send> = if deflated {
            Box::new(flate2::read::DeflateDecoder::new(packed_bytes))
        } else {
            Box::new(packed_bytes)
        };
        let checked = Checked { inner, left: size, sum: flate2::Crc::new(), expected };
        let mut input = Input::unpacked(checked, Some(size));
        let records = Self::header(&mut input)?;

        let mut texts = [None, None, None];
        if let Ok(mut file) = NpzFile::open(path) {
            for (text, key) in texts.iter_mut().zip(["symbol", "tick_size", "lot_size"]) {
                *text = if file.contains(key) { file.string(key).ok() } else { None };
            }
        }
        let [symbol, tick, lot] = texts;
        let stored = |text: Option<String>| text.and_then(|text| text.parse::<Step>().ok());
        let sample = input.peek(SAMPLE * RECORD).map_or(0, <[u8]>::len);
        let guesses = guesses(&input.available()[..sample / RECORD * RECORD]);
        let choose = |given: Option<Step>, stored: Option<Step>, guess: Option<Step>, numbers: u64| match (
            given, stored, guess,
        ) {
            (Some(step), ..) => (step, Origin::Given),
            (None, Some(step), _) => (step, Origin::Format),
            (None, None, Some(step)) => (step, Origin::Inferred { numbers }),
            (None, None, None) => (Step::ONE, Origin::Inferred { numbers: 0 }),
        };
        let (tick, tick_origin) = choose(options.tick, stored(tick), guesses[0].tick(), guesses[0].count());
        let (lot, lot_origin) = choose(options.lot, stored(lot), guesses[1].lot(), guesses[1].count());
        let symbol = symbol.unwrap_or_else(|| "DATA".to_owned());
        Ok(Self {
            input,
            instruments: vec![Instrument { symbol, tick, tick_origin, lot, lot_origin }],
            strict: options.strict,
            records,
            read: 0,
            tally: Tally::default(),
            compressed: deflated,
            waiting: None,
            fills: HashMap::new(),
        })
    }

    /// Checks the header and returns the number of records.
    fn header(input: &mut Input) -> Result<u64, ReadError> {
        let key = |problem: NpzProblem| file_error(format!("key `data`: {problem}"));
        let head = input.peek(1 << 14).map_err(|error| key(error.into()))?;
        let (text, start) = header::locate(head).map_err(key)?;
        header::screen(text).map_err(key)?;
        let parsed = NpyHeader::from_reader(&head[..start])
            .map_err(|error| key(NpzProblem::Header(error.to_string())))?;
        let expected = FIELDS.iter().map(|(name, dtype)| format!("('{name}', '{dtype}')"));
        let expected = format!("[{}]", expected.collect::<Vec<_>>().join(", "));
        let found = parsed.dtype().descr();
        if found.replace([' ', ','], "") != expected.replace([' ', ','], "") {
            return Err(key(NpzProblem::Dtype { found, expected }));
        }
        let &[records] = parsed.shape() else {
            let expected = "one dimension".to_owned();
            return Err(key(NpzProblem::Shape { found: parsed.shape().to_vec(), expected }));
        };
        input.consume(start);
        Ok(records)
    }

    /// A cancellation takes lots out: as an execution, if a fill has announced it. The whole of an order only where it says no number.
    fn taken_out(&mut self, id: u64, lots: u64) -> Kind {
        let Some(announced) = self.fills.get_mut(&id) else { return Kind::Reduce };
        *announced = announced.saturating_sub(lots);
        if *announced == 0 {
            self.fills.remove(&id);
        }
        Kind::Execute
    }

    fn damaged(&mut self, reason: String) -> Result<(), ReadError> {
        let position = Position { byte: self.input.offset(), record: self.read };
        let damage = Damage { position, reason };
        if self.strict {
            return Err(ReadError::Damaged { damage, unit: "record" });
        }
        self.tally.damage(damage);
        Ok(())
    }

    fn take(&mut self, record: [u64; 8], events: &mut Vec<MarketEvent>) -> Result<(), String> {
        let [ev, exchange, local, price, quantity, id, ival, reference] = record;
        let ours = ival.cast_signed() & OURS != 0;
        if ev & code::LOCAL == 0 && ev & code::EXCH != 0 || ours && ival.cast_signed() & FOR_PACKAGE != 0 {
            // The half of a split record that comes in the exchange's order; the receiver's order is ours.
            self.tally.ignored += 1;
            return Ok(());
        }
        let stamp = |name: &str, bits: u64| {
            let nanos = u64::try_from(bits.cast_signed())
                .map_err(|_| format!("{name} is {}; legal: >= 0", bits.cast_signed()))?;
            Ok::<_, String>(Nanos(nanos))
        };
        let (exchange, local) = (stamp("exch_ts", exchange)?, stamp("local_ts", local)?);
        let instrument = &self.instruments[0];
        let side = match (ev & code::BUY != 0, ev & code::SELL != 0) {
            (true, false) => Some(Side::Buy),
            (false, true) => Some(Side::Sell),
            (false, false) => None,
            (true, true) => return Err("both a buy and a sell".to_owned()),
        };
        let mut event = MarketEvent { id, side, ..MarketEvent::new(Kind::Level, exchange, local) };
        let number = |name: &str, bits: u64, step: Step| {
            let value = f64::from_bits(bits);
            step.count(value).ok_or_else(|| format!("{name} is {value}; legal: a multiple of {step}"))
        };
        let kind = if ours {
            let bits = ival.cast_signed() >> 1 & 0xff;
            event.flags = (ival.cast_signed() >> 9 & 0xff) as u8;
            *Kind::ALL.get(bits as usize).ok_or_else(|| format!("ival names kind {bits}; legal: 0 to 13"))?
        } else {
            match ev & 0xff {
                code::DEPTH => Kind::Level,
                code::TRADE => Kind::Trade,
                // Announces what a cancellation behind it takes out.
                code::FILL => Kind::Unchanged,
                code::DEPTH_CLEAR => Kind::Clear,
                code::DEPTH_SNAPSHOT => {
                    event.flags = MarketEvent::SNAPSHOT;
                    Kind::Level
                }
                code::DEPTH_BBO => Kind::Best,
                code::ADD_ORDER => Kind::Add,
                code::CANCEL_ORDER => Kind::Delete,
                code::MODIFY_ORDER => Kind::Modify,
                _ => {
                    self.tally.ignored += 1;
                    return Ok(());
                }
            }
        };
        event.kind = kind;
        // A clearing of everything has no price, and an order's end and its announcement need not have one.
        let unbounded = matches!(kind, Kind::Clear) && side.is_none();
        let of_order = !ours && matches!(kind, Kind::Delete | Kind::Unchanged);
        if of_order {
            event.price = number("px", price, instrument.tick).map_or(Price(0), Price);
            let lots = number("qty", quantity, instrument.lot).ok().and_then(|lots| u64::try_from(lots).ok());
            event.quantity = Quantity(lots.unwrap_or(0));
        } else if !unbounded {
            event.price = Price(number("px", price, instrument.tick)?);
            let lots = number("qty", quantity, instrument.lot)?;
            event.quantity = Quantity(
                u64::try_from(lots)
                    .map_err(|_| format!("qty is {}; legal: >= 0", f64::from_bits(quantity)))?,
            );
        }
        if ours {
            event.reference = reference;
            if matches!(kind, Kind::SnapshotBegin | Kind::SnapshotEnd | Kind::Gap | Kind::Replace)
                || event.has(MarketEvent::UNPRICED)
            {
                // What the events themselves do not have, and the package does.
                event.side = None;
            }
            if event.has(MarketEvent::UNPRICED) {
                event.price = Price(0);
            }
            events.push(event);
            return Ok(());
        }
        if kind == Kind::Clear && side.is_some() {
            event.flags |= MarketEvent::BOUNDED;
        }
        if kind == Kind::Trade && event.quantity.is_zero() {
            // A placeholder of the feed.
            self.tally.ignored += 1;
            return Ok(());
        }
        match ev & 0xff {
            code::FILL if self.fills.len() < MOST_FILLS => {
                let announced = self.fills.entry(id).or_default();
                *announced = announced.saturating_add(event.quantity.0);
            }
            code::CANCEL_ORDER if !event.quantity.is_zero() => {
                event.kind = self.taken_out(id, event.quantity.0)
            }
            _ => {}
        }
        // Records with the same stamps are one message.
        if let Some(mut before) = self.waiting.replace(event) {
            let same = before.exchange_time == exchange && before.local_time == local;
            if !same || before.kind == Kind::Trade || kind == Kind::Trade {
                before.flags |= MarketEvent::LAST;
            }
            events.push(before);
        }
        Ok(())
    }
}

fn guesses(sample: &[u8]) -> [StepGuess; 2] {
    let mut guesses = [StepGuess::default(); 2];
    for record in sample.chunks_exact(RECORD) {
        for (guess, at) in guesses.iter_mut().zip([24, 32]) {
            let value = f64::from_bits(word(record, at));
            // The shortest text of a float is the decimal number that it was made from.
            if value.is_finite() && value > 0.0 && value < 1e15 {
                guess.see(format!("{value}").as_bytes());
            }
        }
    }
    guesses
}

fn word(record: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&record[at..at + 8]);
    u64::from_le_bytes(bytes)
}

impl MarketReader for HftReader {
    fn format(&self) -> Format {
        Format::HftBacktest
    }

    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError> {
        for _ in 0..BATCH {
            if self.read == self.records {
                if let Some(mut last) = self.waiting.take() {
                    last.flags |= MarketEvent::LAST;
                    events.push(last);
                }
                // To the end, where the checksum is.
                let rest = self.input.peek(1).map(<[u8]>::len);
                let rest = rest.map_err(|error| ReadError::io(&self.input, error))?;
                if rest > 0 {
                    self.damaged("bytes behind the last record".to_owned())?;
                }
                return Ok(false);
            }
            if self.input.available().len() < RECORD {
                let length = self.input.peek(RECORD).map(<[u8]>::len);
                if length.map_err(|error| ReadError::io(&self.input, error))? < RECORD {
                    let text = format!("ends inside record {} of {}", self.read + 1, self.records);
                    let damage = Damage {
                        position: Position { byte: self.input.offset(), record: self.read + 1 },
                        reason: text,
                    };
                    return Err(ReadError::Damaged { damage, unit: "record" });
                }
            }
            let bytes = &self.input.available()[..RECORD];
            let record = std::array::from_fn(|field| word(bytes, 8 * field));
            self.read += 1;
            self.tally.records += 1;
            if let Err(reason) = self.take(record, events) {
                self.damaged(reason)?;
            }
            self.input.consume(RECORD);
        }
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.input.offset(), self.input.packed_length())
    }

    fn compression(&self) -> Compression {
        if self.compressed { Compression::Deflate } else { Compression::None }
    }
}

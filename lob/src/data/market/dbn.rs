//! Databento's binary encoding (DBN), decoded by Databento's own crate: market by order (MBO), the ten best levels (MBP-10), and trades.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dbn::decode::DbnMetadata;
use dbn::decode::dbn::Decoder;
use dbn::enums::{VersionUpgradePolicy, rtype};
use dbn::{BidAskPair, MboMsg, Mbp10Msg, SType, TradeMsg, UNDEF_PRICE, flags};
use hashbrown::HashMap;

use super::reader::{
    BATCH, Cause, Damage, Instrument, MarketReader, Origin, Position, ReadError, ReadOptions, Tally,
};
use super::step::{Step, StepGuess};
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};

/// Bytes looked at to infer the tick size.
const SAMPLE: usize = 1 << 20;

/// The longest header that is read, in bytes: one with the mappings of all options of a year has some 10 MiB.
const MAX_METADATA: u32 = 64 << 20;

/// Prices count 1e-9.
const UNIT: Step = Step::power_of_ten(-9);

#[derive(Clone, Copy)]
enum Mismatch {
    MaybeBadBook,
    NoPrice,
}

const CAUSES: [(&str, &str); 2] = [
    (
        "maybe_bad_book",
        "record that the feed itself flags as following a gap it could not fill: taken as it is",
    ),
    ("no_price", "order or trade without a price: passed over"),
];

/// Hands an input to the decoder, and counts.
struct Source {
    input: Input,
    delivered: Arc<AtomicU64>,
    packed: Arc<AtomicU64>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.input.peek(1)?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.input.consume(count);
        self.delivered.fetch_add(count as u64, Ordering::Relaxed);
        self.packed.store(self.input.packed_position(), Ordering::Relaxed);
        Ok(count)
    }
}

/// Reads DBN.
pub struct DbnReader {
    decoder: Decoder<Source>,
    books: Books,
    delivered: Arc<AtomicU64>,
    packed: Arc<AtomicU64>,
    packed_length: Option<u64>,
    compression: Compression,
    /// Bytes of the header and the records so far.
    consumed: u64,
    strict: bool,
    tally: Tally,
}

impl std::fmt::Debug for DbnReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbnReader").field("consumed", &self.consumed).field("tally", &self.tally).finish()
    }
}

/// What becomes of records: everything but the decoder.
struct Books {
    instruments: Vec<Instrument>,
    /// Instrument by publisher and number; `None`: not wanted.
    numbers: HashMap<(u16, u32), Option<u16>>,
    latest: ((u16, u32), Option<u16>),
    symbols: HashMap<u32, String>,
    wanted: Vec<String>,
    tick: Step,
    tick_origin: Origin,
    lot: Step,
    lot_origin: Origin,
    /// 1e-9 in a tick; shares or contracts in a lot.
    units: i64,
    lot_units: u32,
    levels: HashMap<u16, [BidAskPair; 10]>,
    /// Fills of resting orders whose removal from the book is still to come: instrument, order, lots.
    fills: VecDeque<(u16, u64, u32)>,
    causes: [u64; CAUSES.len()],
}

impl DbnReader {
    /// Begins to read.
    ///
    /// # Errors
    /// If the header cannot be read, is longer than 64 MiB or of a version that the decoder does not know, or a tick or lot size given does not fit.
    pub fn new(mut input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let head = input.peek(8).map(<[u8]>::to_vec);
        let head = head.map_err(|error| ReadError::io(&input, error))?;
        let &[b'D', b'B', b'N', version, a, b, c, d] = &head[..head.len().min(8)] else {
            return Err(ReadError::File("ends inside the header of DBN".to_owned()));
        };
        let metadata = u32::from_le_bytes([a, b, c, d]);
        if metadata > MAX_METADATA {
            return Err(ReadError::File(format!(
                "a header of {metadata} bytes; at most {MAX_METADATA} are read"
            )));
        }
        if !(1..=3).contains(&version) {
            return Err(ReadError::File(format!("version {version} of DBN; legal: 1 to 3")));
        }
        let (tick, tick_origin) = match options.tick {
            Some(tick) => (tick, Origin::Given),
            None => infer(&mut input, metadata),
        };
        let units = UNIT.parse(tick.to_string().as_bytes()).ok().filter(|&units| units > 0);
        let units =
            units.ok_or_else(|| ReadError::File(format!("tick is {tick}; legal: a multiple of 1e-9")))?;
        let lot = options.lot.unwrap_or(Step::ONE);
        let lot_units =
            Step::ONE.parse(lot.to_string().as_bytes()).ok().and_then(|units| u32::try_from(units).ok());
        let lot_units = lot_units.filter(|&units| units > 0);
        let lot_units =
            lot_units.ok_or_else(|| ReadError::File(format!("lot is {lot}; legal: a whole number")))?;
        let (delivered, packed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (packed_length, compression) = (input.packed_length(), input.compression());
        let source = Source { input, delivered: delivered.clone(), packed: packed.clone() };
        let decoder = Decoder::with_upgrade_policy(source, VersionUpgradePolicy::AsIs);
        let decoder = decoder.map_err(|error| ReadError::File(format!("header of DBN: {error}")))?;
        let mut symbols = HashMap::new();
        if decoder.metadata().stype_out == SType::InstrumentId {
            for mapping in &decoder.metadata().mappings {
                for interval in &mapping.intervals {
                    if let Ok(number) = interval.symbol.parse() {
                        symbols.insert(number, mapping.raw_symbol.clone());
                    }
                }
            }
        }
        let books = Books {
            instruments: Vec::new(),
            numbers: HashMap::new(),
            latest: ((0, 0), None),
            symbols,
            wanted: options.symbols.clone(),
            tick,
            tick_origin,
            lot,
            lot_origin: if options.lot.is_some() { Origin::Given } else { Origin::Format },
            units,
            lot_units,
            levels: HashMap::new(),
            fills: VecDeque::new(),
            causes: [0; CAUSES.len()],
        };
        Ok(Self {
            decoder,
            books,
            delivered,
            packed,
            packed_length,
            compression,
            consumed: 8 + u64::from(metadata),
            strict: options.strict,
            tally: Tally::default(),
        })
    }
}

/// The tick size of the first records.
fn infer(input: &mut Input, metadata: u32) -> (Step, Origin) {
    let mut guess = StepGuess::default();
    let mut see = |price: i64| {
        if price != UNDEF_PRICE && price > 0 {
            guess.see(format!("{}.{:09}", price / 1_000_000_000, price % 1_000_000_000).as_bytes());
        }
    };
    // An error is met again, with its place, when the records are read.
    let _ = input.peek(SAMPLE.saturating_add(metadata as usize + 8));
    if let Ok(mut decoder) = Decoder::with_upgrade_policy(input.available(), VersionUpgradePolicy::AsIs) {
        while let Ok(Some(record)) = decoder.decode_ref() {
            match record.header().rtype {
                rtype::MBO => record.try_get::<MboMsg>().into_iter().for_each(|record| see(record.price)),
                rtype::MBP_0 => record.try_get::<TradeMsg>().into_iter().for_each(|record| see(record.price)),
                rtype::MBP_10 => record.try_get::<Mbp10Msg>().into_iter().for_each(|record| {
                    record.levels.iter().flat_map(|level| [level.bid_px, level.ask_px]).for_each(&mut see);
                }),
                _ => {}
            }
        }
    }
    let numbers = guess.count();
    guess.tick().map_or((UNIT, Origin::Format), |tick| (tick, Origin::Inferred { numbers }))
}

const fn side_of(side: std::os::raw::c_char) -> Option<Side> {
    match side as u8 {
        b'B' => Some(Side::Buy),
        b'A' => Some(Side::Sell),
        _ => None,
    }
}

const fn time(nanos: u64) -> Option<Nanos> {
    if nanos <= i64::MAX as u64 { Some(Nanos(nanos)) } else { None }
}

impl Books {
    #[inline]
    fn instrument(&mut self, publisher: u16, number: u32) -> Option<u16> {
        if self.latest.0 == (publisher, number) {
            return self.latest.1;
        }
        let known = self.numbers.get(&(publisher, number)).copied();
        let index = known.unwrap_or_else(|| self.register(publisher, number));
        self.latest = ((publisher, number), index);
        index
    }

    #[cold]
    fn register(&mut self, publisher: u16, number: u32) -> Option<u16> {
        let name = self.symbols.get(&number).cloned().unwrap_or_else(|| format!("#{number}"));
        let wanted = self.wanted.is_empty() || self.wanted.contains(&name);
        let index = u16::try_from(self.instruments.len()).ok().filter(|&index| wanted && index < u16::MAX);
        if index.is_some() {
            // One instrument has a book on each venue.
            let again = self.instruments.iter().any(|instrument| instrument.symbol == name);
            self.instruments.push(Instrument {
                symbol: if again { format!("{name}@{publisher}") } else { name },
                tick: self.tick,
                tick_origin: self.tick_origin,
                lot: self.lot,
                lot_origin: self.lot_origin,
            });
        }
        self.numbers.insert((publisher, number), index);
        index
    }

    #[inline]
    fn price(&self, units: i64) -> Result<Price, &'static str> {
        let ticks = units / self.units;
        if ticks * self.units == units {
            Ok(Price(ticks))
        } else {
            Err("a price that is no multiple of the tick")
        }
    }

    #[inline]
    fn lots(&self, size: u32) -> Result<Quantity, &'static str> {
        if self.lot_units == 1 {
            return Ok(Quantity(u64::from(size)));
        }
        let lots = size / self.lot_units;
        if lots * self.lot_units == size {
            Ok(Quantity(u64::from(lots)))
        } else {
            Err("a size that is no multiple of the lot")
        }
    }

    #[inline]
    fn flags(&mut self, raw: u8) -> u8 {
        if raw & flags::MAYBE_BAD_BOOK != 0 {
            self.causes[Mismatch::MaybeBadBook as usize] += 1;
        }
        u8::from(raw & flags::LAST != 0) * MarketEvent::LAST
            | u8::from(raw & flags::SNAPSHOT != 0) * MarketEvent::SNAPSHOT
    }

    /// Returns false if the record means nothing to a book.
    #[inline]
    fn mbo(&mut self, record: &MboMsg, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.hd.publisher_id, record.hd.instrument_id) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.hd.ts_event), time(record.ts_recv)) else {
            return Err("a stamp that is undefined");
        };
        let flags = self.flags(record.flags.raw());
        let mut event = MarketEvent {
            instrument,
            id: record.order_id,
            side: side_of(record.side),
            flags,
            ..MarketEvent::new(Kind::Unchanged, exchange, local)
        };
        let action = record.action as u8;
        if matches!(action, b'A' | b'M' | b'T') && record.price == UNDEF_PRICE {
            self.causes[Mismatch::NoPrice as usize] += 1;
            return Ok(false);
        }
        if record.price != UNDEF_PRICE {
            event.price = self.price(record.price)?;
        }
        event.quantity = self.lots(record.size)?;
        match action {
            b'A' if event.side.is_none() => return Err("an order without a side"),
            b'A' => event.kind = Kind::Add,
            b'M' => event.kind = Kind::Modify,
            b'T' => {
                event.kind = Kind::Trade;
                event.id = 0;
            }
            b'R' => {
                event = MarketEvent { id: 0, side: None, price: Price(0), quantity: Quantity(0), ..event };
                event.kind = Kind::Clear;
            }
            b'F' => {
                // The book changes when the cancellation that follows takes the lots out.
                if self.fills.len() == 1 << 16 {
                    self.fills.pop_front();
                }
                self.fills.push_back((instrument, record.order_id, record.size));
                event.kind = Kind::Unchanged;
            }
            b'C' => {
                let fill = if self.fills.is_empty() {
                    None
                } else {
                    self.fills.iter().position(|fill| (fill.0, fill.1) == (instrument, record.order_id))
                };
                event.kind =
                    if let Some(fill) = fill { self.filled(fill, record.size) } else { Kind::Reduce };
            }
            b'N' => {}
            _ => return Err("an action that is none of A, C, M, R, T, F, N"),
        }
        events.push(event);
        Ok(true)
    }

    /// A cancellation takes out what a fill has announced.
    fn filled(&mut self, fill: usize, size: u32) -> Kind {
        let left = self.fills[fill].2.saturating_sub(size);
        if left == 0 {
            self.fills.remove(fill);
        } else {
            self.fills[fill].2 = left;
        }
        Kind::Execute
    }

    fn mbp10(&mut self, record: &Mbp10Msg, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.hd.publisher_id, record.hd.instrument_id) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.hd.ts_event), time(record.ts_recv)) else {
            return Err("a stamp that is undefined");
        };
        let flags = self.flags(record.flags.raw());
        let base = MarketEvent {
            instrument,
            id: u64::from(record.sequence),
            ..MarketEvent::new(Kind::Level, exchange, local)
        };
        let begin = events.len();
        if record.action as u8 == b'T' && record.price != UNDEF_PRICE {
            let (price, quantity) = (self.price(record.price)?, self.lots(record.size)?);
            let side = side_of(record.side);
            events.push(MarketEvent { kind: Kind::Trade, price, quantity, side, ..base });
        }
        let before = self.levels.get(&instrument).cloned().unwrap_or_else(|| std::array::from_fn(|_| EMPTY));
        let now = &record.levels;
        let mut changes = || -> Result<(), &'static str> {
            for side in Side::BOTH {
                let of = |level: &BidAskPair| match side {
                    Side::Buy => (level.bid_px, level.bid_sz),
                    Side::Sell => (level.ask_px, level.ask_sz),
                };
                let stands = |(price, size): &(i64, u32)| *price != UNDEF_PRICE && *size > 0;
                for (price, _) in before.iter().map(of).filter(stands) {
                    if !now.iter().map(of).filter(stands).any(|(other, _)| other == price) {
                        let price = self.price(price)?;
                        events.push(MarketEvent { price, side: Some(side), ..base });
                    }
                }
                for level in now.iter().map(of).filter(stands) {
                    if !before.iter().map(of).any(|other| other == level) {
                        let (price, quantity) = (self.price(level.0)?, self.lots(level.1)?);
                        events.push(MarketEvent { price, quantity, side: Some(side), ..base });
                    }
                }
            }
            Ok(())
        };
        if let Err(reason) = changes() {
            events.truncate(begin);
            return Err(reason);
        }
        self.levels.insert(instrument, now.clone());
        if events.len() == begin {
            events.push(MarketEvent { kind: Kind::Unchanged, ..base });
        }
        if let Some(last) = events.last_mut() {
            last.flags = flags;
        }
        Ok(true)
    }

    fn trade(&mut self, record: &TradeMsg, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.hd.publisher_id, record.hd.instrument_id) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.hd.ts_event), time(record.ts_recv)) else {
            return Err("a stamp that is undefined");
        };
        if record.price == UNDEF_PRICE {
            self.causes[Mismatch::NoPrice as usize] += 1;
            return Ok(false);
        }
        events.push(MarketEvent {
            instrument,
            price: self.price(record.price)?,
            quantity: self.lots(record.size)?,
            side: side_of(record.side),
            flags: self.flags(record.flags.raw()) | MarketEvent::LAST,
            ..MarketEvent::new(Kind::Trade, exchange, local)
        });
        Ok(true)
    }
}

const EMPTY: BidAskPair =
    BidAskPair { bid_px: UNDEF_PRICE, ask_px: UNDEF_PRICE, bid_sz: 0, ask_sz: 0, bid_ct: 0, ask_ct: 0 };

impl MarketReader for DbnReader {
    fn format(&self) -> Format {
        Format::Dbn
    }

    fn instruments(&self) -> &[Instrument] {
        &self.books.instruments
    }

    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError> {
        let enough = events.len() + BATCH;
        let mut seen = 0;
        while events.len() < enough && seen < 64 * BATCH {
            seen += 1;
            let position = Position { byte: self.consumed, record: self.tally.records + 1 };
            let lost =
                |reason: String| ReadError::Damaged { damage: Damage { position, reason }, unit: "record" };
            let record = match self.decoder.decode_ref() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    let left = self.delivered.load(Ordering::Relaxed).saturating_sub(self.consumed);
                    return if left == 0 {
                        Ok(false)
                    } else {
                        Err(lost(format!("ends inside a record, after {left} bytes")))
                    };
                }
                Err(error) => return Err(lost(error.to_string())),
            };
            self.tally.records += 1;
            let header = record.header();
            let length = header.record_size();
            let short = |_| "fewer bytes than its type has";
            let done = match header.rtype {
                rtype::MBO => record
                    .try_get::<MboMsg>()
                    .map_err(short)
                    .and_then(|record| self.books.mbo(record, events)),
                rtype::MBP_10 => record
                    .try_get::<Mbp10Msg>()
                    .map_err(short)
                    .and_then(|record| self.books.mbp10(record, events)),
                rtype::MBP_0 => record
                    .try_get::<TradeMsg>()
                    .map_err(short)
                    .and_then(|record| self.books.trade(record, events)),
                _ => Ok(false),
            };
            self.consumed += length as u64;
            match done {
                Ok(true) => {}
                Ok(false) => self.tally.ignored += 1,
                Err(reason) => {
                    let damage = Damage { position, reason: format!("a record with {reason}") };
                    if self.strict {
                        return Err(ReadError::Damaged { damage, unit: "record" });
                    }
                    self.tally.damage(damage);
                }
            }
        }
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn causes(&self) -> Vec<Cause> {
        let counts = self.books.causes;
        CAUSES.iter().zip(counts).map(|(&(name, meaning), count)| Cause { name, meaning, count }).collect()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.packed.load(Ordering::Relaxed), self.packed_length)
    }

    fn compression(&self) -> Compression {
        self.compression
    }
}

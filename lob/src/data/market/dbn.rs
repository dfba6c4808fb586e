//! Databento's binary encoding (DBN): market by order (MBO), the best levels (MBP-10, MBP-1, TBBO), and trades. The header is decoded by Databento's
//! own crate, which also says what records are and how long; their fields are read in place, since the crate's decoder panics on records
//! that are not aligned.

use std::collections::VecDeque;

use dbn::decode::dbn::MetadataDecoder;
use dbn::enums::{VersionUpgradePolicy, rtype};
use dbn::{SType, UNDEF_PRICE, flags};
use hashbrown::HashMap;

use super::reader::{
    BATCH, Cause, Damage, Instrument, MarketReader, Origin, Position, ReadError, ReadOptions, Tally, counted,
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
    OffTickTrade,
}

const CAUSES: [(&str, &str); 3] = [
    (
        "maybe_bad_book",
        "record that the feed itself flags as following a gap it could not fill: the book is stale from the first on",
    ),
    ("no_price", "order or trade without a price: passed over"),
    ("off_tick_trade", "trade between two ticks, of a hidden order, say: passed over"),
];

/// Bytes of a record's header, and the least that the fields of a kind need.
const HEADER: usize = 16;
const MBO: usize = size_of::<dbn::MboMsg>();
const MBP_1: usize = size_of::<dbn::Mbp1Msg>();
const MBP_10: usize = size_of::<dbn::Mbp10Msg>();
const TRADE: usize = size_of::<dbn::TradeMsg>();

/// The longest record: its length is a byte, in words of four.
const LONGEST: usize = 255 * 4;

/// Reads DBN.
pub struct DbnReader {
    input: Input,
    books: Books,
    strict: bool,
    tally: Tally,
}

impl std::fmt::Debug for DbnReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbnReader").field("input", &self.input).field("tally", &self.tally).finish()
    }
}

/// The fields of a record, little-endian. The crate's own structs are references into aligned memory, which it asserts; a file may be anything.
#[derive(Clone, Copy)]
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    #[inline(always)]
    fn u32_at(self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    #[inline(always)]
    fn u64_at(self, at: usize) -> u64 {
        u64::from(self.u32_at(at)) | u64::from(self.u32_at(at + 4)) << 32
    }

    #[inline(always)]
    fn i64_at(self, at: usize) -> i64 {
        self.u64_at(at).cast_signed()
    }

    #[inline(always)]
    fn kind(self) -> u8 {
        self.0[1]
    }

    #[inline(always)]
    fn publisher(self) -> u16 {
        u16::from_le_bytes([self.0[2], self.0[3]])
    }

    #[inline(always)]
    fn instrument(self) -> u32 {
        self.u32_at(4)
    }

    #[inline(always)]
    fn ts_event(self) -> u64 {
        self.u64_at(8)
    }

    /// The levels, ten or one: bid and ask, price and size each.
    fn levels(self) -> [Both; 10] {
        let depth = if self.kind() == rtype::MBP_10 { 10 } else { 1 };
        std::array::from_fn(|level| {
            if level >= depth {
                return EMPTY;
            }
            let at = 48 + 32 * level;
            [(self.i64_at(at), self.u32_at(at + 16)), (self.i64_at(at + 8), self.u32_at(at + 20))]
        })
    }
}

/// Price and size of a bid and an ask level.
type Both = [(i64, u32); 2];

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
    levels: HashMap<u16, [Both; 10]>,
    /// Fills of resting orders whose removal from the book is still to come: instrument, order, lots.
    fills: VecDeque<(u16, u64, u32)>,
    /// Of instruments whose book is stale or being made anew; the others have none.
    marks: HashMap<u16, Mark>,
    causes: [u64; CAUSES.len()],
}

/// What the flags of records before say of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    /// It follows a gap.
    stale: bool,
    /// The record before emptied it.
    cleared: bool,
    /// A snapshot of it is under way.
    snapshot: bool,
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
            // Version 4 has other headers of records, and is still changing.
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
        let whole = 8 + metadata as usize;
        let length = input.peek(whole).map(<[u8]>::len).map_err(|error| ReadError::io(&input, error))?;
        if length < whole {
            return Err(ReadError::File(format!("ends inside the header of DBN, {whole} bytes long")));
        }
        let header =
            MetadataDecoder::with_upgrade_policy(&input.available()[..whole], VersionUpgradePolicy::AsIs)
                .decode();
        let header = header.map_err(|error| ReadError::File(format!("header of DBN: {error}")))?;
        input.consume(whole);
        let mut symbols = HashMap::new();
        if header.stype_out == SType::InstrumentId {
            for mapping in &header.mappings {
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
            marks: HashMap::new(),
            causes: [0; CAUSES.len()],
        };
        Ok(Self { input, books, strict: options.strict, tally: Tally::default() })
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
    let mut rest = input.available().get(8 + metadata as usize..).unwrap_or_default();
    while let Some(length) =
        rest.first().map(|&words| usize::from(words) * 4).filter(|&length| length >= HEADER)
    {
        let Some((record, behind)) = rest.split_at_checked(length) else { break };
        rest = behind;
        let record = Record(record);
        match record.kind() {
            // Trades may lie between ticks: only what is in the book tells the tick.
            rtype::MBO if length >= MBO && matches!(record.0[38], b'A' | b'M' | b'C') => {
                see(record.i64_at(24))
            }
            rtype::MBP_0 if length >= TRADE => see(record.i64_at(16)),
            rtype::MBP_1 if length >= MBP_1 => {
                record.levels().iter().flatten().for_each(|&(price, _)| see(price))
            }
            rtype::MBP_10 if length >= MBP_10 => {
                record.levels().iter().flatten().for_each(|&(price, _)| see(price))
            }
            _ => {}
        }
    }
    let numbers = guess.count();
    guess.tick().map_or((UNIT, Origin::Format), |tick| (tick, Origin::Inferred { numbers }))
}

const fn side_of(side: u8) -> Option<Side> {
    match side {
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
        let last = u8::from(raw & flags::LAST != 0) * MarketEvent::LAST;
        let snapshot = u8::from(raw & flags::SNAPSHOT != 0) * MarketEvent::SNAPSHOT;
        last | snapshot
    }

    /// Returns false if the record means nothing to a book.
    #[inline]
    fn mbo(&mut self, record: Record<'_>, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.publisher(), record.instrument()) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.ts_event()), time(record.u64_at(40))) else {
            return Err("a stamp that is undefined");
        };
        let (order, price, size) = (record.u64_at(16), record.i64_at(24), record.u32_at(32));
        let flags = self.flags(record.0[36]);
        let mut event = MarketEvent {
            instrument,
            id: order,
            side: side_of(record.0[39]),
            flags,
            ..MarketEvent::new(Kind::Unchanged, exchange, local)
        };
        let action = record.0[38];
        let top = action == b'A' && record.0[36] & flags::TOB != 0 && event.side.is_some();
        if matches!(action, b'A' | b'M' | b'T') && price == UNDEF_PRICE && !top {
            self.causes[Mismatch::NoPrice as usize] += 1;
            return Ok(false);
        }
        if price != UNDEF_PRICE {
            event.price = match self.price(price) {
                Ok(price) => price,
                Err(_) if action == b'T' => {
                    self.causes[Mismatch::OffTickTrade as usize] += 1;
                    return Ok(true);
                }
                // The order that was filled is known by its number.
                Err(_) if action == b'F' => Price(0),
                Err(reason) => return Err(reason),
            };
        }
        event.quantity = self.lots(size)?;
        if top {
            // Feeds of the best prices only (IEX, NYSE National): all of the side, which without a price is nothing.
            let empty = price == UNDEF_PRICE || size == 0;
            let clear = MarketEvent { price: Price(0), quantity: Quantity(0), id: 0, ..event };
            events.push(MarketEvent {
                kind: Kind::Clear,
                flags: if empty { event.flags } else { event.flags & !MarketEvent::LAST },
                ..clear
            });
            if empty {
                return Ok(true);
            }
        }
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
                self.fills.push_back((instrument, order, size));
                event.kind = Kind::Unchanged;
            }
            b'C' => {
                let fill = if self.fills.is_empty() {
                    None
                } else {
                    self.fills.iter().position(|fill| (fill.0, fill.1) == (instrument, order))
                };
                event.kind = if let Some(fill) = fill { self.filled(fill, size) } else { Kind::Reduce };
            }
            b'N' => {}
            _ => return Err("an action that is none of A, C, M, R, T, F, N"),
        }
        if event.kind == Kind::Clear || self.is_marked(record.0[36]) {
            self.marked(event, record.0[36], events);
        } else {
            events.push(event);
        }
        Ok(true)
    }

    /// True if flags say something of the book, or have said so before.
    #[inline]
    fn is_marked(&self, raw: u8) -> bool {
        raw & (flags::MAYBE_BAD_BOOK | flags::SNAPSHOT) != 0 || !self.marks.is_empty()
    }

    /// Takes an event about an order whose flags, or those of records before, say something of the book. A snapshot is a clearing (`R`)
    /// and new orders flagged as a snapshot, the last one flagged as the last.
    #[cold]
    fn marked(&mut self, mut event: MarketEvent, raw: u8, events: &mut Vec<MarketEvent>) {
        let (bad, snapshot) = (raw & flags::MAYBE_BAD_BOOK != 0, raw & flags::SNAPSHOT != 0);
        let mark = self.marks.entry(event.instrument).or_default();
        let note = |kind, flags| MarketEvent {
            flags,
            instrument: event.instrument,
            ..MarketEvent::new(kind, event.exchange_time, event.local_time)
        };
        let begin = note(Kind::SnapshotBegin, MarketEvent::SNAPSHOT);
        let end = note(Kind::SnapshotEnd, MarketEvent::SNAPSHOT | MarketEvent::LAST);
        if mark.snapshot && !snapshot {
            // It ended without saying so.
            *mark = Mark::default();
            events.push(end);
        }
        if bad && !snapshot && !mark.stale {
            mark.stale = true;
            events.push(note(Kind::Gap, MarketEvent::LAST));
        }
        let clears = event.kind == Kind::Clear;
        if snapshot && !mark.snapshot && (clears || mark.cleared) {
            mark.snapshot = true;
            events.push(begin);
        } else if clears && mark.stale && !bad {
            // Nothing rests: that is all of the book.
            mark.stale = false;
            events.extend([begin, end]);
        }
        mark.cleared = clears && !snapshot;
        if mark.snapshot && event.has(MarketEvent::LAST) {
            event.flags &= !MarketEvent::LAST;
            *mark = Mark::default();
            if !clears {
                events.push(event);
            }
            events.push(end);
        } else if !(clears && mark.snapshot) {
            events.push(event);
        }
        if *mark == Mark::default() {
            self.marks.remove(&event.instrument);
        }
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

    /// MBP-10, MBP-1 and TBBO: the levels after the event, of which the changes are taken.
    fn mbp(&mut self, record: Record<'_>, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.publisher(), record.instrument()) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.ts_event()), time(record.u64_at(32))) else {
            return Err("a stamp that is undefined");
        };
        let flags = self.flags(record.0[30]);
        let base = MarketEvent {
            instrument,
            id: u64::from(record.u32_at(44)),
            ..MarketEvent::new(Kind::Level, exchange, local)
        };
        let begin = events.len();
        if record.0[28] == b'T' && record.i64_at(16) != UNDEF_PRICE {
            match self.price(record.i64_at(16)) {
                Ok(price) => {
                    let (quantity, side) = (self.lots(record.u32_at(24))?, side_of(record.0[29]));
                    events.push(MarketEvent { kind: Kind::Trade, price, quantity, side, ..base });
                }
                Err(_) => self.causes[Mismatch::OffTickTrade as usize] += 1,
            }
        }
        let mut before = self.levels.get(&instrument).copied().unwrap_or([EMPTY; 10]);
        let now = record.levels();
        let bad = record.0[30] & flags::MAYBE_BAD_BOOK != 0;
        let stale = self.marks.get(&instrument).is_some_and(|mark| mark.stale);
        if bad && !stale {
            events.push(MarketEvent { kind: Kind::Gap, id: 0, flags: MarketEvent::LAST, ..base });
        }
        let again = stale && !bad;
        if again {
            // A record shows all levels there are to see: the book is in step again.
            before = [EMPTY; 10];
            events.push(MarketEvent { kind: Kind::SnapshotBegin, flags: MarketEvent::SNAPSHOT, ..base });
        }
        let mut changes = || -> Result<(), &'static str> {
            for side in Side::BOTH {
                let of = |level: &Both| level[side.index()];
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
        self.levels.insert(instrument, now);
        if bad {
            self.marks.insert(instrument, Mark { stale: true, ..Mark::default() });
        } else if again {
            self.marks.remove(&instrument);
            for event in &mut events[begin..] {
                event.flags |= u8::from(event.kind == Kind::Level) * MarketEvent::SNAPSHOT;
            }
            events.push(MarketEvent { kind: Kind::SnapshotEnd, ..base });
        }
        let flags = if again { flags | MarketEvent::SNAPSHOT | MarketEvent::LAST } else { flags };
        if events.last().is_none_or(|event| event.kind == Kind::Gap) || events.len() == begin {
            events.push(MarketEvent { kind: Kind::Unchanged, ..base });
        }
        if let Some(last) = events.last_mut() {
            last.flags = flags;
        }
        Ok(true)
    }

    fn trade(&mut self, record: Record<'_>, events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let Some(instrument) = self.instrument(record.publisher(), record.instrument()) else {
            return Ok(false);
        };
        let (Some(exchange), Some(local)) = (time(record.ts_event()), time(record.u64_at(32))) else {
            return Err("a stamp that is undefined");
        };
        if record.i64_at(16) == UNDEF_PRICE {
            self.causes[Mismatch::NoPrice as usize] += 1;
            return Ok(false);
        }
        let Ok(price) = self.price(record.i64_at(16)) else {
            self.causes[Mismatch::OffTickTrade as usize] += 1;
            return Ok(true);
        };
        events.push(MarketEvent {
            instrument,
            price,
            quantity: self.lots(record.u32_at(24))?,
            side: side_of(record.0[29]),
            flags: self.flags(record.0[30]) | MarketEvent::LAST,
            ..MarketEvent::new(Kind::Trade, exchange, local)
        });
        Ok(true)
    }
}

const EMPTY: Both = [(UNDEF_PRICE, 0); 2];

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
            let position = Position { byte: self.input.offset(), record: self.tally.records + 1 };
            let lost =
                |reason: String| ReadError::Damaged { damage: Damage { position, reason }, unit: "record" };
            if self.input.available().len() < LONGEST {
                let length = self.input.peek(LONGEST).map(<[u8]>::len);
                if length.map_err(|error| ReadError::io(&self.input, error))? == 0 {
                    return Ok(false);
                }
            }
            let available = self.input.available();
            let length = usize::from(available[0]) * 4;
            if length < HEADER {
                return Err(lost(format!("a record of {length} bytes; legal: at least {HEADER}")));
            }
            let Some(bytes) = available.get(..length) else {
                return Err(lost(format!("ends inside a record of {length} bytes")));
            };
            self.tally.records += 1;
            let record = Record(bytes);
            let needed = match record.kind() {
                rtype::MBO => MBO,
                rtype::MBP_1 => MBP_1,
                rtype::MBP_10 => MBP_10,
                rtype::MBP_0 => TRADE,
                _ => 0,
            };
            let done = if length < needed {
                Err("fewer bytes than its kind has")
            } else {
                match record.kind() {
                    rtype::MBO => self.books.mbo(record, events),
                    rtype::MBP_1 | rtype::MBP_10 => self.books.mbp(record, events),
                    rtype::MBP_0 => self.books.trade(record, events),
                    _ => Ok(false),
                }
            };
            self.input.consume(length);
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
        counted(&CAUSES, &self.books.causes)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.input.packed_position(), self.input.packed_length())
    }

    fn compression(&self) -> Compression {
        self.input.compression()
    }
}

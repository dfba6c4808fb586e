//! The raw feed of Binance, spot and USD-M futures, as collectors write it: lines of a local stamp (ns), a space, and the message as the
//! exchange sent it: depth updates, best bid and ask (`bookTicker`), trades, and snapshots of the depth (REST).

mod chain;
mod fields;
mod scan;

use super::lines::Lines;
use super::reader::{BATCH, Cause, Instrument, MarketReader, Origin, ReadError, ReadOptions, Tally, counted};
use super::step::{Step, StepGuess};
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};
use chain::{Chain, Held, Numbers, Verdict};
use fields::{Field, Fields};
use scan::{Message, Pair, ScanError, Steps};

/// Bytes looked at for symbols, tick and lot sizes, and the kind of market.
const SAMPLE: usize = 2 << 20;

/// A stamp of this many milliseconds is beyond what nanoseconds in 63 bits hold.
const MAX_MILLISECONDS: u64 = i64::MAX as u64 / 1_000_000;

const CAUSES: [(&str, &str); 8] = [
    ("gap", "depth update that does not continue the one before: the book is stale until a snapshot"),
    ("before_snapshot", "depth update that the snapshot contains already: passed over"),
    ("old_update", "depth update with nothing new in it: passed over"),
    ("overlapping_update", "depth update that repeats a part of the one before: applied"),
    ("old_snapshot", "snapshot older than the book: passed over"),
    ("given_up", "depth update that waited for a snapshot with too many others: dropped"),
    (
        "no_trade",
        "trade of no lots, or of another kind than MARKET (`X`): a placeholder, the insurance fund, auto-deleveraging: passed over",
    ),
    ("no_snapshot", "depth update that waited for a snapshot until the end of the file"),
];

#[derive(Clone, Copy)]
enum Mismatch {
    Gap,
    BeforeSnapshot,
    OldUpdate,
    Overlapping,
    OldSnapshot,
    GivenUp,
    NoTrade,
}

struct Books {
    instruments: Vec<Instrument>,
    chains: Vec<Chain>,
}

impl Books {
    #[inline]
    fn find(&self, symbol: &[u8]) -> Option<usize> {
        self.instruments.iter().position(|instrument| instrument.symbol.as_bytes() == symbol)
    }
}

impl Steps for Books {
    #[inline]
    fn steps(&self, symbol: Option<&[u8]>) -> Option<(Step, Step)> {
        let index = match symbol {
            Some(symbol) => self.find(symbol)?,
            // Snapshots name no symbol: they can be told only where there is one.
            None if self.instruments.len() == 1 => 0,
            None => return None,
        };
        let instrument = &self.instruments[index];
        Some((instrument.tick, instrument.lot))
    }
}

/// Reads Binance's raw feed.
pub struct BinanceReader {
    lines: Lines,
    format: Format,
    books: Books,
    levels: Vec<Pair>,
    reshaped: Vec<u8>,
    /// The latest exchange stamp, for messages that carry none.
    exchange_time: Nanos,
    causes: [u64; CAUSES.len()],
    /// Symbols that the caller asked for; empty: all.
    wanted: Vec<String>,
}

impl std::fmt::Debug for BinanceReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BinanceReader").field("format", &self.format).field("lines", &self.lines).finish()
    }
}

/// True if a file that begins like this is a raw feed.
pub(super) fn recognises(head: &[u8]) -> bool {
    let mut at = scan::Cursor::new(head);
    at.integer().is_ok() && at.maybe(b" {") && {
        let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        [&b"\"stream\""[..], b"\"lastUpdateId\"", b"\"e\":", b"\"s\":"]
            .iter()
            .any(|key| memchr::memmem::find(line, key).is_some())
    }
}

impl BinanceReader {
    /// Begins to read.
    ///
    /// # Errors
    /// If the input cannot be read, or none of its first lines tells a symbol with a price and a size.
    pub fn new(mut input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        if let Err(error) = input.peek(SAMPLE)
            && input.available().is_empty()
        {
            return Err(ReadError::io(&input, error));
        }
        let (samples, futures) = samples(input.available());
        let instruments: Vec<Instrument> = samples
            .into_iter()
            .filter(|sample| options.symbols.is_empty() || options.symbols.contains(&sample.symbol))
            .filter_map(|sample| sample.instrument(options))
            .collect();
        if instruments.is_empty() {
            let text = "no symbol with prices and sizes in the first lines (or none of those asked for)";
            return Err(ReadError::File(text.to_owned()));
        }
        let chains = instruments.iter().map(|_| Chain::new()).collect();
        Ok(Self {
            lines: Lines::new(input, options),
            format: if futures { Format::BinanceUsdm } else { Format::BinanceSpot },
            books: Books { instruments, chains },
            levels: Vec::new(),
            reshaped: Vec::new(),
            exchange_time: Nanos(0),
            causes: [0; CAUSES.len()],
            wanted: options.symbols.clone(),
        })
    }

    fn line(&mut self, events: &mut Vec<MarketEvent>) -> Result<(), ReadError> {
        let line = self.lines.line();
        if line.is_empty() {
            self.lines.tally.ignored += 1;
            return Ok(());
        }
        let mut at = scan::Cursor::new(line);
        let stamp = at.integer().ok().filter(|&stamp| at.maybe(b" ") && stamp <= i64::MAX as u64);
        let Some(local) = stamp else {
            let shown = super::bitstamp::shown(line);
            return self.lines.damaged(format!("begins with no stamp in nanoseconds and a space: {shown}"));
        };
        let json = at.rest();
        let mut levels = std::mem::take(&mut self.levels);
        let mut result = scan::message(json, &self.books, &mut levels);
        if result == Err(ScanError::Shape) {
            match scan::reshape(json, &mut self.reshaped) {
                Ok(true) => result = scan::message(&self.reshaped, &self.books, &mut levels),
                Ok(false) => {
                    self.lines.tally.ignored += 1;
                    self.levels = levels;
                    return Ok(());
                }
                Err(reason) => {
                    self.levels = levels;
                    return self.lines.damaged(reason);
                }
            }
        }
        let problem = match result {
            Ok(message) => {
                let message = Owned::of(message, &self.books);
                self.take(message, Nanos(local), &levels, events)
            }
            Err(ScanError::Symbol) if !self.wanted.is_empty() => {
                self.lines.tally.ignored += 1;
                None
            }
            Err(error) => Some(describe(error)),
        };
        self.levels = levels;
        match problem {
            None => Ok(()),
            Some(reason) => self.lines.damaged(reason),
        }
    }

    /// Carries a message out. Returns what is wrong with it.
    fn take(
        &mut self,
        message: Owned,
        local: Nanos,
        levels: &[Pair],
        events: &mut Vec<MarketEvent>,
    ) -> Option<String> {
        let time = match message.time {
            Some(time) if time > MAX_MILLISECONDS => return Some(format!("stamp {time} ms is out of range")),
            Some(time) => Nanos(time * 1_000_000),
            None => self.exchange_time,
        };
        if message.time.is_some() {
            self.exchange_time = self.exchange_time.max(time);
        }
        let base = MarketEvent {
            instrument: message.instrument as u16,
            ..MarketEvent::new(Kind::Best, time, local)
        };
        match message.kind {
            OwnedKind::Best { id } => {
                for (side, flags) in [(Side::Buy, 0), (Side::Sell, MarketEvent::LAST)] {
                    let (price, size) = levels[side.index()];
                    events.push(MarketEvent {
                        price: Price(price),
                        quantity: Quantity(size),
                        id,
                        side: Some(side),
                        flags,
                        ..base
                    });
                }
            }
            // The price of such a record is often 0: a sale that every bid would meet.
            OwnedKind::Trade { of_market, .. } if !of_market || levels[0].1 == 0 => {
                self.count(Mismatch::NoTrade)
            }
            OwnedKind::Trade { id, buyer_is_maker, .. } => {
                let (price, size) = levels[0];
                let side = if buyer_is_maker { Side::Sell } else { Side::Buy };
                events.push(MarketEvent {
                    kind: Kind::Trade,
                    price: Price(price),
                    quantity: Quantity(size),
                    id,
                    side: Some(side),
                    flags: MarketEvent::LAST,
                    ..base
                });
            }
            OwnedKind::Depth { numbers, bids } => {
                if numbers.first > numbers.last {
                    return Some(format!("U is {} and u is {}; legal: U <= u", numbers.first, numbers.last));
                }
                let verdict = self.books.chains[message.instrument].update(numbers);
                self.depth(verdict, numbers, base, bids, levels, events);
            }
            OwnedKind::Snapshot { id, bids } => self.snapshot(id, base, bids, levels, events),
        }
        None
    }

    fn count(&mut self, mismatch: Mismatch) {
        self.causes[mismatch as usize] += 1;
    }

    fn depth(
        &mut self,
        verdict: Verdict,
        numbers: Numbers,
        base: MarketEvent,
        bids: usize,
        levels: &[Pair],
        events: &mut Vec<MarketEvent>,
    ) {
        match verdict {
            Verdict::Apply => push_levels(events, base, numbers.last, bids, levels, 0),
            Verdict::Overlaps => {
                self.count(Mismatch::Overlapping);
                push_levels(events, base, numbers.last, bids, levels, 0);
            }
            Verdict::Old => self.count(Mismatch::OldUpdate),
            Verdict::Gap | Verdict::Hold => {
                if verdict == Verdict::Gap {
                    self.count(Mismatch::Gap);
                    events.push(MarketEvent { kind: Kind::Gap, flags: MarketEvent::LAST, ..base });
                }
                let time = base.exchange_time.0;
                let held = Held { numbers, time, bids, levels: levels.to_vec() };
                let given_up = self.books.chains[usize::from(base.instrument)].hold(held);
                self.causes[Mismatch::GivenUp as usize] += given_up;
            }
        }
    }

    fn snapshot(
        &mut self,
        id: u64,
        base: MarketEvent,
        bids: usize,
        levels: &[Pair],
        events: &mut Vec<MarketEvent>,
    ) {
        let index = usize::from(base.instrument);
        if self.books.chains[index].reached().is_some_and(|reached| reached > id) {
            self.count(Mismatch::OldSnapshot);
            return;
        }
        let flags = MarketEvent::SNAPSHOT;
        events.push(MarketEvent { kind: Kind::SnapshotBegin, id, flags, ..base });
        push_levels(events, base, id, bids, levels, flags);
        if let Some(last) = events.last_mut() {
            last.flags &= !MarketEvent::LAST;
        }
        let flags = flags | MarketEvent::LAST;
        events.push(MarketEvent { kind: Kind::SnapshotEnd, id, flags, ..base });
        self.books.chains[index].snapshot(id);
        // What waited is received, for a book, when the snapshot is.
        for _ in 0..self.books.chains[index].held.len() {
            let Some(held) = self.books.chains[index].next_held() else { break };
            let base = MarketEvent { exchange_time: Nanos(held.time), ..base };
            match self.books.chains[index].update(held.numbers) {
                Verdict::Old => self.count(Mismatch::BeforeSnapshot),
                verdict => self.depth(verdict, held.numbers, base, held.bids, &held.levels, events),
            }
        }
    }
}

fn push_levels(
    events: &mut Vec<MarketEvent>,
    base: MarketEvent,
    id: u64,
    bids: usize,
    levels: &[Pair],
    flags: u8,
) {
    let sides = [(Side::Buy, &levels[..bids]), (Side::Sell, &levels[bids..])];
    for (side, levels) in sides {
        events.extend(levels.iter().map(|&(price, size)| MarketEvent {
            kind: Kind::Level,
            price: Price(price),
            quantity: Quantity(size),
            id,
            side: Some(side),
            flags,
            ..base
        }));
    }
    match events.last_mut() {
        Some(last) if !levels.is_empty() => last.flags |= MarketEvent::LAST,
        _ => events.push(MarketEvent { kind: Kind::Unchanged, id, flags: flags | MarketEvent::LAST, ..base }),
    }
}

/// A message without its texts.
struct Owned {
    instrument: usize,
    time: Option<u64>,
    kind: OwnedKind,
}

enum OwnedKind {
    Best { id: u64 },
    Trade { id: u64, buyer_is_maker: bool, of_market: bool },
    Depth { numbers: Numbers, bids: usize },
    Snapshot { id: u64, bids: usize },
}

impl Owned {
    #[inline(always)]
    fn of(message: Message<'_>, books: &Books) -> Self {
        // The scanner has found the symbol once already.
        let index = |symbol: &[u8]| books.find(symbol).unwrap_or_default();
        match message {
            Message::Depth { symbol, time, first, last, previous, bids } => Self {
                instrument: index(symbol),
                time: Some(time),
                kind: OwnedKind::Depth { numbers: Numbers { first, last, previous }, bids },
            },
            Message::Best { symbol, time, id } => {
                Self { instrument: index(symbol), time, kind: OwnedKind::Best { id } }
            }
            Message::Trade { symbol, time, id, buyer_is_maker, of_market } => Self {
                instrument: index(symbol),
                time: Some(time),
                kind: OwnedKind::Trade { id, buyer_is_maker, of_market },
            },
            Message::Snapshot { time, id, bids } => {
                Self { instrument: 0, time, kind: OwnedKind::Snapshot { id, bids } }
            }
        }
    }
}

fn describe(error: ScanError) -> String {
    match error {
        ScanError::Shape => "of no shape that Binance sends".to_owned(),
        ScanError::Symbol => "names no symbol of the first lines of the file".to_owned(),
        ScanError::Number(what, error) => format!("a {what} {error}"),
    }
}

/// What the first lines say about a symbol.
struct Sample {
    symbol: String,
    prices: StepGuess,
    sizes: StepGuess,
}

impl Sample {
    fn instrument(self, options: &ReadOptions) -> Option<Instrument> {
        let numbers = self.prices.count();
        let (tick, tick_origin) = match options.tick {
            Some(tick) => (tick, Origin::Given),
            None => (self.prices.tick()?, Origin::Inferred { numbers }),
        };
        let numbers = self.sizes.count();
        let (lot, lot_origin) = match options.lot {
            Some(lot) => (lot, Origin::Given),
            None => (self.sizes.lot()?, Origin::Inferred { numbers }),
        };
        Some(Instrument { symbol: self.symbol, tick, tick_origin, lot, lot_origin })
    }
}

/// The symbols of the first lines, and whether they are of futures.
fn samples(head: &[u8]) -> (Vec<Sample>, bool) {
    let mut samples: Vec<Sample> = Vec::new();
    let mut futures = false;
    // The last line may be cut.
    let whole = head.iter().rposition(|&byte| byte == b'\n').map_or(head, |end| &head[..end]);
    for line in whole.split(|&byte| byte == b'\n') {
        let Some(space) = line.iter().position(|&byte| byte == b' ') else { continue };
        let Ok(data) = Fields::parse(&line[space + 1..]) else { continue };
        let at = match data.symbol.text() {
            Some(symbol) => match samples.iter().position(|sample| sample.symbol == symbol) {
                Some(at) => at,
                None if samples.len() < usize::from(u16::MAX) => {
                    let (prices, sizes) = Default::default();
                    samples.push(Sample { symbol: symbol.to_owned(), prices, sizes });
                    samples.len() - 1
                }
                None => continue,
            },
            None if samples.len() == 1 => 0,
            None => continue,
        };
        let sample = &mut samples[at];
        let see = |guess: &mut StepGuess, field: &Field| {
            field.text().into_iter().for_each(|text| guess.see(text.as_bytes()));
        };
        futures |= data.previous.is_there() || data.of.is_there();
        for (price, size) in
            [(&data.price, &data.size), (&data.bid, &data.bid_size), (&data.ask, &data.ask_size)]
        {
            see(&mut sample.prices, price);
            see(&mut sample.sizes, size);
        }
        for (price, size) in [&data.bid, &data.ask, &data.bids, &data.asks].into_iter().flat_map(Field::pairs)
        {
            sample.prices.see(price.as_bytes());
            sample.sizes.see(size.as_bytes());
        }
    }
    (samples, futures)
}

impl MarketReader for BinanceReader {
    fn format(&self) -> Format {
        self.format
    }

    fn instruments(&self) -> &[Instrument] {
        &self.books.instruments
    }

    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError> {
        let enough = events.len() + BATCH;
        while events.len() < enough {
            if !self.lines.advance()? {
                return Ok(false);
            }
            self.line(events)?;
        }
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.lines.tally
    }

    fn causes(&self) -> Vec<Cause> {
        let mut counts = self.causes;
        counts[CAUSES.len() - 1] = self.books.chains.iter().map(|chain| chain.held.len() as u64).sum();
        counted(&CAUSES, &counts)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.lines.input.packed_position(), self.lines.input.packed_length())
    }

    fn compression(&self) -> Compression {
        self.lines.input.compression()
    }
}

//! Writing.

use std::io;
use std::path::{Path, PathBuf};

use super::sort::{Row, Sorted, Sorter, by_exchange, by_local};
use super::{FIELDS, FOR_PACKAGE, OURS, RECORD, code};
use crate::data::market::{Instrument, Kind, MarketEvent};
use crate::data::{NpzError, NpzWriter};
use crate::{FeedBook, Side};

/// What [`EventsWriter`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenEvents {
    /// Records in the file.
    pub records: u64,
    /// Records that were split into one for the exchange's order and one for the receiver's.
    pub split: u64,
    /// Nanoseconds that were added to every local stamp, so that nothing is received before it is sent.
    pub local_shift: u64,
}

/// Rows that are held back while they are sorted; twice as many, of 72 bytes, are the memory that writing takes.
const WINDOW: usize = 1 << 16;

/// Writes the events of one instrument as they come, so that the hftbacktest package can play them: local stamps are shifted if anything
/// would be received before it is sent, and records whose exchange order differs from their local order are split, as the package's
/// own converters do.
///
/// Memory: 20 MiB or so, however many events there are, and the orders that rest. What does not fit goes to temporary files beside
/// the output, of 72 bytes a record, twice as much where the two orders differ; they are gone when the writer is.
#[derive(Debug)]
pub struct EventsWriter {
    path: PathBuf,
    file: NpzWriter,
    window: usize,
    local: Sorter,
    /// What is left of an order after an execution, which the package wants to be told.
    book: FeedBook,
    rows: u64,
    shift: u64,
}

impl EventsWriter {
    /// Begins a file that will be `path`.
    ///
    /// # Errors
    /// If the temporary file beside it cannot be created.
    pub fn create(path: &Path) -> Result<Self, NpzError> {
        Self::with_window(path, WINDOW)
    }

    fn with_window(path: &Path, window: usize) -> Result<Self, NpzError> {
        Ok(Self {
            path: path.to_owned(),
            file: NpzWriter::create(path)?,
            window,
            local: Sorter::new(path, window, by_local),
            book: FeedBook::new(64),
            rows: 0,
            shift: 0,
        })
    }

    /// Takes the next events.
    ///
    /// # Errors
    /// If a temporary file cannot be written.
    pub fn push(&mut self, events: &[MarketEvent]) -> Result<(), NpzError> {
        for event in events {
            self.event(event).map_err(|error| NpzError::file(&self.path, error.into()))?;
        }
        Ok(())
    }

    fn event(&mut self, event: &MarketEvent) -> io::Result<()> {
        let (exchange, local) = (event.exchange_time.0, event.local_time.0);
        self.shift = self.shift.max(exchange.saturating_sub(local));
        let side = match event.side {
            Some(Side::Buy) => code::BUY,
            Some(Side::Sell) => code::SELL,
            None => 0,
        };
        let mut row = Row {
            ev: side,
            exchange: exchange.cast_signed(),
            local: local.min(i64::MAX as u64).cast_signed(),
            price: event.price.0,
            quantity: event.quantity.0,
            id: event.id,
            reference: event.reference,
            ival: OURS | (event.kind as i64) << 1 | i64::from(event.flags) << 9,
            sequence: 0,
        };
        let subject = if event.kind == Kind::Replace { event.reference } else { event.id };
        let known = self.book.order(subject);
        // Whole levels say nothing of orders, and would be in their way.
        if event.kind != Kind::Level {
            // An event that does not fit is written as it is.
            let _ = crate::data::market::apply(&mut self.book, event);
        }
        let kind = match event.kind {
            Kind::Level if event.has(MarketEvent::SNAPSHOT) => code::DEPTH_SNAPSHOT,
            Kind::Level => code::DEPTH,
            Kind::Trade => code::TRADE,
            Kind::SnapshotBegin | Kind::Clear => code::DEPTH_CLEAR,
            Kind::Best => code::DEPTH_BBO,
            Kind::Add | Kind::Replace => code::ADD_ORDER,
            Kind::Delete => code::CANCEL_ORDER,
            Kind::Modify => code::MODIFY_ORDER,
            Kind::Execute => code::FILL,
            // The package knows no such thing, and passes it over.
            Kind::Reduce | Kind::SnapshotEnd | Kind::Gap | Kind::Unchanged => 0,
        };
        row.ev = match (event.side, known) {
            (None, Some(order)) if order.side == Side::Buy => code::BUY,
            (None, Some(_)) => code::SELL,
            _ => side,
        };
        if event.has(MarketEvent::UNPRICED)
            && let Some(order) = known
        {
            row.price = order.price.0;
        }
        if event.kind == Kind::Replace {
            let (ev, ival) = (row.ev | code::CANCEL_ORDER, FOR_PACKAGE | OURS);
            self.row(Row { ev, ival, id: event.reference, ..row })?;
        }
        self.row(Row { ev: row.ev | kind, ..row })?;
        if matches!(event.kind, Kind::Execute | Kind::Reduce)
            && let Some(was) = known
        {
            let left = self.book.order(event.id).map_or(0, |order| order.quantity.0);
            let kind = if left == 0 { code::CANCEL_ORDER } else { code::MODIFY_ORDER };
            self.row(Row {
                ev: row.ev | kind,
                price: was.price.0,
                quantity: left,
                ival: FOR_PACKAGE | OURS,
                ..row
            })?;
        }
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        let sequence = self.rows;
        self.rows += 1;
        self.local.push(Row { sequence, ..row })
    }

    /// Writes the file, which appears whole or not at all. `go_on` is asked every few thousand records; once it says no, nothing is
    /// written, and the result is `None`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish(
        self,
        instrument: &Instrument,
        provenance: &[(&str, &str)],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<WrittenEvents>, NpzError> {
        let Self { path, mut file, window, local, shift, .. } = self;
        let fail = |error: io::Error| NpzError::file(&path, error.into());
        let Some(mut merge) = Merge::new(local, &path, window, go_on).map_err(fail)? else { return Ok(None) };
        let (mut failed, mut stopped) = (None, false);
        let records = merge.records;
        let done = file.records("data", &FIELDS, records, &mut |buffer| {
            for _ in 0..BLOCK {
                match merge.next() {
                    Ok(Some((row, flags))) => push(buffer, &row, flags, shift, instrument),
                    Ok(None) => return false,
                    Err(error) => {
                        failed = Some(error);
                        return false;
                    }
                }
            }
            stopped = !go_on();
            !stopped
        });
        if let Some(error) = failed {
            return Err(fail(error));
        }
        if stopped {
            return Ok(None);
        }
        done?;
        file.string("symbol", &instrument.symbol)?;
        file.string("tick_size", &instrument.tick.to_string())?;
        file.string("lot_size", &instrument.lot.to_string())?;
        file.scalar_i64("local_shift_ns", shift.cast_signed())?;
        for (key, value) in provenance {
            file.string(&format!("provenance.{key}"), value)?;
        }
        file.finish()?;
        Ok(Some(WrittenEvents { records, split: merge.split, local_shift: shift }))
    }
}

/// Writes the events of one instrument: [`EventsWriter`] in one call.
///
/// # Errors
/// If the file cannot be written. It appears whole or not at all.
pub fn write_events(
    path: &Path,
    instrument: &Instrument,
    events: &[MarketEvent],
    provenance: &[(&str, &str)],
) -> Result<WrittenEvents, NpzError> {
    let mut writer = EventsWriter::create(path)?;
    writer.push(events)?;
    let written = writer.finish(instrument, provenance, &mut || true)?;
    // It was never told to stop.
    Ok(written.unwrap_or(WrittenEvents { records: 0, split: 0, local_shift: 0 }))
}

/// Rows between two questions whether to go on.
const BLOCK: usize = 4096;

/// Rows in the order of the file, with their flags: those whose two orders agree once, the others twice.
struct Merge {
    local: Sorted,
    /// `None` if the order of the exchange is that of the receiver.
    exchange: Option<Sorted>,
    next_local: Option<Row>,
    next_exchange: Option<Row>,
    split: u64,
    /// All of them.
    records: u64,
}

impl Merge {
    fn new(
        local: Sorter,
        beside: &Path,
        window: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> io::Result<Option<Self>> {
        let local = local.finish()?;
        let records = local.count;
        let mut merge =
            Self { local, exchange: None, next_local: None, next_exchange: None, split: 0, records };
        let mut latest = i64::MIN;
        let Some(in_order) =
            merge.scan(go_on, |row| Ok(row.exchange >= std::mem::replace(&mut latest, row.exchange)))?
        else {
            return Ok(None);
        };
        if !in_order {
            let mut sorter = Sorter::new(beside, window, by_exchange);
            let scanned = merge.scan(go_on, |row| sorter.push(row).map(|()| true))?;
            if scanned.is_none() {
                return Ok(None);
            }
            merge.exchange = Some(sorter.finish()?);
            // The header says how many records there are, so they are counted first.
            merge.rewind()?;
            let mut count = 0;
            while merge.next()?.is_some() {
                count += 1;
                if count % BLOCK as u64 == 0 && !go_on() {
                    return Ok(None);
                }
            }
            merge.records = count;
        }
        merge.rewind()?;
        Ok(Some(merge))
    }

    /// Shows `see` the rows in the receiver's order, as long as it wants; `None` if `go_on` says no.
    fn scan(
        &mut self,
        go_on: &mut dyn FnMut() -> bool,
        mut see: impl FnMut(Row) -> io::Result<bool>,
    ) -> io::Result<Option<bool>> {
        self.local.rewind()?;
        let mut count = 0;
        while let Some(row) = self.local.next()? {
            if !see(row)? {
                return Ok(Some(false));
            }
            count += 1;
            if count % BLOCK == 0 && !go_on() {
                return Ok(None);
            }
        }
        Ok(Some(true))
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.local.rewind()?;
        self.next_local = self.local.next()?;
        if let Some(exchange) = &mut self.exchange {
            exchange.rewind()?;
            self.next_exchange = exchange.next()?;
        }
        self.split = 0;
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<(Row, u64)>> {
        let local = self.next_local;
        let Some(exchange) = &mut self.exchange else {
            self.next_local = self.local.next()?;
            return Ok(local.map(|row| (row, code::EXCH | code::LOCAL)));
        };
        let happened = self.next_exchange;
        let next = match (happened, local) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) if a.sequence == b.sequence => (a, code::EXCH | code::LOCAL),
            (Some(a), b) if b.is_none_or(|b| a.exchange <= b.exchange) => {
                self.split += 1;
                (a, code::EXCH)
            }
            (_, Some(b)) => (b, code::LOCAL),
            (Some(a), None) => (a, code::EXCH),
        };
        if next.1 & code::EXCH != 0 {
            self.next_exchange = exchange.next()?;
        }
        if next.1 & code::LOCAL != 0 {
            self.next_local = self.local.next()?;
        }
        Ok(Some(next))
    }
}

fn push(buffer: &mut Vec<u8>, row: &Row, flags: u64, shift: u64, instrument: &Instrument) {
    let mut record = [0_u8; RECORD];
    let price = instrument.tick.value(row.price);
    let quantity = instrument.lot.value(row.quantity.min(i64::MAX as u64).cast_signed());
    let fields = [
        (row.ev | flags).to_le_bytes(),
        row.exchange.to_le_bytes(),
        row.local.saturating_add_unsigned(shift).to_le_bytes(),
        price.to_le_bytes(),
        quantity.to_le_bytes(),
        row.id.to_le_bytes(),
        row.ival.to_le_bytes(),
        // The package carries this field along and never looks at it.
        row.reference.to_le_bytes(),
    ];
    for (field, bytes) in record.chunks_exact_mut(8).zip(fields) {
        field.copy_from_slice(&bytes);
    }
    buffer.extend_from_slice(&record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::market::{HftReader, MarketReader, Origin, ReadOptions, Step};
    use crate::{Nanos, Price, Quantity};

    /// Orders that come and go, with stamps that are late and early by turns.
    fn events(count: u64) -> Vec<MarketEvent> {
        let event = |i: u64| {
            let exchange = 1_000_000 + i * 10 - i * 7919 % 97;
            let local = exchange + 40 + i * 104_729 % 300;
            let kind = [Kind::Add, Kind::Add, Kind::Execute, Kind::Delete][(i % 4) as usize];
            MarketEvent {
                price: Price(100 + (i % 4 / 2 * 2) as i64),
                quantity: Quantity(1 + i % 2),
                id: [i / 4 * 2, i / 4 * 2 + 1, i / 4 * 2, i / 4 * 2 + 1][(i % 4) as usize],
                side: Some(Side::Buy),
                flags: MarketEvent::LAST,
                ..MarketEvent::new(kind, Nanos(exchange), Nanos(local))
            }
        };
        let mut events: Vec<MarketEvent> = (0..count).map(event).collect();
        events.sort_by_key(|event| event.local_time);
        events
    }

    fn instrument() -> Instrument {
        let (tick, lot) = (Step::ONE, Step::ONE);
        Instrument { symbol: "X".into(), tick, tick_origin: Origin::Given, lot, lot_origin: Origin::Given }
    }

    #[test]
    fn a_small_window_gives_the_same_bytes_as_one_that_holds_everything() {
        let events = events(5_000);
        let write = |window: usize| {
            let path = std::env::temp_dir().join(format!("lob-window-{window}-{}.npz", std::process::id()));
            let mut writer = EventsWriter::with_window(&path, window).expect("the folder can be written");
            events.chunks(300).for_each(|part| writer.push(part).expect("the folder can be written"));
            let written = writer.finish(&instrument(), &[], &mut || true).expect("the folder can be written");
            let bytes = std::fs::read(&path).expect("the file was written");
            let mut reader = HftReader::open(&path, &ReadOptions::default()).expect("the file is sound");
            let mut back = Vec::new();
            while reader.read(&mut back).expect("the file is sound") {}
            std::fs::remove_file(&path).expect("the file was written");
            (bytes, written, back)
        };
        let (whole, written, back) = write(1 << 20);
        assert!(written.is_some_and(|written| written.split > 500), "{written:?}");
        assert_eq!(back, events);
        for window in [16, 100] {
            let (bytes, same, _) = write(window);
            assert!(bytes == whole, "window {window}");
            assert_eq!(same, written);
        }
    }

    #[test]
    fn told_to_stop_it_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("lob-stopped-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let path = folder.join("x.npz");
        // It asks when it looks at the order, sorts, counts and writes: stopped at each.
        let mut asked = 0;
        loop {
            let mut writer = EventsWriter::with_window(&path, 64).expect("the folder can be written");
            writer.push(&events(6_000)).expect("the folder can be written");
            let mut left = asked;
            let written = writer.finish(&instrument(), &[], &mut || {
                left -= 1;
                left >= 0
            });
            let stopped = written.expect("the folder can be written").is_none();
            assert_eq!(std::fs::read_dir(&folder).expect("it exists").count(), usize::from(!stopped));
            if !stopped {
                break;
            }
            asked += 1;
        }
        assert!(asked >= 4, "{asked}");
        std::fs::remove_dir_all(&folder).expect("it exists");
    }
}

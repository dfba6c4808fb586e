//! Writing.

use std::path::Path;

use super::{FIELDS, FOR_PACKAGE, OURS, RECORD, code};
use crate::data::market::{Instrument, Kind, MarketEvent};
use crate::data::{NpzError, NpzWriter};
use crate::{FeedBook, ParameterError, Side};

/// What [`write_events`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenEvents {
    /// Records in the file.
    pub records: u64,
    /// Records that were split into one for the exchange's order and one for the receiver's.
    pub split: u64,
    /// Nanoseconds that were added to every local stamp, so that nothing is received before it is sent.
    pub local_shift: u64,
}

#[derive(Clone, Copy)]
struct Row {
    ev: u64,
    exchange: i64,
    local: i64,
    price: i64,
    quantity: u64,
    id: u64,
    reference: u64,
    ival: i64,
}

/// Writes the events of one instrument so that the hftbacktest package can play them: local stamps are shifted if anything would be received
/// before it is sent, and records whose exchange order differs from their local order are split, as the package's own converters do.
///
/// Memory: 120 bytes an event.
///
/// # Errors
/// If the file cannot be written. It appears whole or not at all.
pub fn write_events(
    path: &Path,
    instrument: &Instrument,
    events: &[MarketEvent],
    provenance: &[(&str, &str)],
) -> Result<WrittenEvents, NpzError> {
    if u32::try_from(events.len().saturating_mul(2)).is_err() {
        let legal = "at most 2,147,483,647 events in one file";
        let error = ParameterError::new("events", events.len(), legal);
        return Err(NpzError::file(path, error.into()));
    }
    let early = events.iter().map(|event| event.exchange_time.0.saturating_sub(event.local_time.0)).max();
    let shift = early.unwrap_or(0);
    let rows = rows(events, shift);
    let (order, split) = order(&rows);
    let mut file = NpzWriter::create(path)?;
    let mut at = 0;
    file.records("data", &FIELDS, order.len() as u64, &mut |buffer| {
        let end = (at + 4096).min(order.len());
        for &(row, flags) in &order[at..end] {
            push(buffer, &rows[row as usize], flags, instrument);
        }
        at = end;
        at < order.len()
    })?;
    file.string("symbol", &instrument.symbol)?;
    file.string("tick_size", &instrument.tick.to_string())?;
    file.string("lot_size", &instrument.lot.to_string())?;
    file.scalar_i64("local_shift_ns", shift.cast_signed())?;
    for (key, value) in provenance {
        file.string(&format!("provenance.{key}"), value)?;
    }
    file.finish()?;
    Ok(WrittenEvents { records: order.len() as u64, split, local_shift: shift })
}

/// Events as records, in the order in which they were received.
fn rows(events: &[MarketEvent], shift: u64) -> Vec<Row> {
    let mut rows = Vec::with_capacity(events.len());
    // What is left of an order after an execution, which the package wants to be told.
    let mut book = FeedBook::new(64);
    let orders = events.iter().any(|event| event.kind == Kind::Add);
    for event in events {
        let ours = OURS | (event.kind as i64) << 1 | i64::from(event.flags) << 9;
        let side = match event.side {
            Some(Side::Buy) => code::BUY,
            Some(Side::Sell) => code::SELL,
            None => 0,
        };
        let row = Row {
            ev: side,
            exchange: event.exchange_time.0.cast_signed(),
            local: event.local_time.0.saturating_add(shift).min(i64::MAX as u64).cast_signed(),
            price: event.price.0,
            quantity: event.quantity.0,
            id: event.id,
            reference: event.reference,
            ival: ours,
        };
        let subject = if event.kind == Kind::Replace { event.reference } else { event.id };
        let known = if orders { book.order(subject) } else { None };
        if orders {
            // An event that does not fit is written as it is.
            let _ = crate::data::market::apply(&mut book, event);
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
        let side = match (event.side, known) {
            (None, Some(order)) if order.side == Side::Buy => code::BUY,
            (None, Some(_)) => code::SELL,
            _ => side,
        };
        let mut row = Row { ev: side, ..row };
        if event.has(MarketEvent::UNPRICED)
            && let Some(order) = known
        {
            row.price = order.price.0;
        }
        if event.kind == Kind::Replace {
            let (ev, ival) = (side | code::CANCEL_ORDER, FOR_PACKAGE | OURS);
            rows.push(Row { ev, ival, id: event.reference, ..row });
        }
        rows.push(Row { ev: row.ev | kind, ..row });
        if matches!(event.kind, Kind::Execute | Kind::Reduce)
            && let Some(was) = known
        {
            let left = book.order(event.id).map_or(0, |order| order.quantity.0);
            let kind = if left == 0 { code::CANCEL_ORDER } else { code::MODIFY_ORDER };
            rows.push(Row {
                ev: row.ev | kind,
                price: was.price.0,
                quantity: left,
                ival: FOR_PACKAGE | OURS,
                ..row
            });
        }
    }
    // Nearly always so already; a stable sort then costs one pass.
    rows.sort_by_key(|row| row.local);
    rows
}

/// Rows in the order of the file, with their flags, and how many are there twice.
fn order(rows: &[Row]) -> (Vec<(u32, u64)>, u64) {
    let mut by_exchange: Vec<u32> = (0..rows.len() as u32).collect();
    by_exchange.sort_by_key(|&row| rows[row as usize].exchange);
    let mut order = Vec::with_capacity(rows.len());
    let (mut exchange, mut local, mut split) = (0, 0, 0);
    loop {
        let (at_exchange, at_local) =
            (by_exchange.get(exchange).copied(), (local < rows.len()).then_some(local as u32));
        match (at_exchange, at_local) {
            (None, None) => return (order, split),
            (Some(a), Some(b)) if a == b => {
                order.push((a, code::EXCH | code::LOCAL));
                exchange += 1;
                local += 1;
            }
            (Some(a), b) if b.is_none_or(|b| rows[a as usize].exchange <= rows[b as usize].exchange) => {
                order.push((a, code::EXCH));
                exchange += 1;
                split += 1;
            }
            _ => {
                order.push((local as u32, code::LOCAL));
                local += 1;
            }
        }
    }
}

fn push(buffer: &mut Vec<u8>, row: &Row, flags: u64, instrument: &Instrument) {
    let mut record = [0_u8; RECORD];
    let price = instrument.tick.value(row.price);
    let quantity = instrument.lot.value(row.quantity.min(i64::MAX as u64).cast_signed());
    let fields = [
        (row.ev | flags).to_le_bytes(),
        row.exchange.to_le_bytes(),
        row.local.to_le_bytes(),
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

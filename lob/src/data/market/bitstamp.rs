//! Order events of Bitstamp (level 3) as CSV: `id,timestamp,exchange.timestamp,price,volume,action,direction`.
//!
//! The exchange says that an order was `created`, `changed` or `deleted`, with its remaining volume. A volume that shrinks is an
//! execution; `deleted` with volume 0 says that the rest was executed, with the remaining volume that it was withdrawn. The
//! second stamp is when the order was *created*, in whole seconds, in every event of the order; so events carry the first stamp
//! in both their times.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use super::lines::Lines;
use super::reader::{BATCH, Cause, Instrument, MarketReader, Origin, ReadError, ReadOptions, Tally, counted};
use super::step::{Step, StepGuess};
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};

/// The header line.
pub(super) const HEADER: &str = "id,timestamp,exchange.timestamp,price,volume,action,direction";

/// Bytes looked at to infer the tick size.
const SAMPLE: usize = 1 << 20;

/// Ended orders that are remembered, to tell a second ending from that of an order that never was.
const REMEMBERED: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Live {
    price: i64,
    volume: u64,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Created,
    Changed,
    Deleted,
}

struct Row {
    id: u64,
    time: Nanos,
    /// When the order was created, in whole seconds.
    created: Nanos,
    price: i64,
    volume: u64,
    action: Action,
    side: Side,
}

/// Causes by index into the counts.
#[derive(Clone, Copy)]
enum Mismatch {
    ChangedBeforeFile,
    DeletedBeforeFile,
    ChangedNeverCreated,
    DeletedNeverCreated,
    ChangedAfterDelete,
    DeletedTwice,
    CreatedTwice,
    CreatedAfterDelete,
    Repriced,
    Grown,
    SideChanged,
    LeftDiffers,
}

const CAUSES: [(&str, &str); 12] = [
    ("changed_before_file", "change of an order that rested before the file began: it is added as it is now"),
    ("deleted_before_file", "end of an order that rested before the file began: nothing to take out"),
    (
        "changed_never_created",
        "change of an order created since the file began, but not in it: added as it is now",
    ),
    (
        "deleted_never_created",
        "end of an order created since the file began, but not before its end: nothing to take out",
    ),
    ("changed_after_delete", "change of an order that has ended: passed over"),
    ("deleted_twice", "end of an order that has ended: passed over"),
    ("created_twice", "creation of an order that rests: it is replaced"),
    ("created_after_delete", "creation that arrives after the order's end: passed over"),
    ("repriced", "change that names another price: the order moves to the back of the queue there"),
    ("grown", "change to a larger volume: the order moves to the back of its queue"),
    ("side_changed", "event that names the other side: the order is moved there, or taken out"),
    ("left_differs", "end with a volume that is neither 0 nor what was left: taken out as withdrawn"),
];

/// Reads Bitstamp's order events.
#[derive(Debug)]
pub struct BitstampReader {
    lines: Lines,
    instruments: Vec<Instrument>,
    live: HashMap<u64, Live>,
    /// Ended orders, and the order in which to forget them.
    ended: HashSet<u64>,
    ended_order: VecDeque<u64>,
    first_time: Option<Nanos>,
    causes: [u64; CAUSES.len()],
}

impl BitstampReader {
    /// Begins to read.
    ///
    /// # Errors
    /// If the input cannot be read or its first line is not the header.
    pub fn new(mut input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut guess = StepGuess::default();
        if options.tick.is_none() {
            let error = |input: &Input, error| ReadError::io(input, error);
            if let Err(failure) = input.peek(SAMPLE) {
                // What can be read of a damaged file is read; the error comes when its place is reached.
                if input.available().is_empty() {
                    return Err(error(&input, failure));
                }
            }
            let prices = input.available().split(|&byte| byte == b'\n').skip(1);
            prices
                .filter_map(|line| line.split(|&byte| byte == b',').nth(3))
                .for_each(|price| guess.see(price));
        }
        let mut lines = Lines::new(input, options);
        if !lines.advance()? || lines.line() != HEADER.as_bytes() {
            return Err(ReadError::File(format!("the first line is not `{HEADER}`")));
        }
        lines.is_header();
        let cents = Step::power_of_ten(-2);
        let (tick, tick_origin) = match (options.tick, guess.tick()) {
            (Some(tick), _) => (tick, Origin::Given),
            (None, Some(tick)) => (tick, Origin::Inferred { numbers: guess.count() }),
            (None, None) => (cents, Origin::Format),
        };
        // The file counts in 1e-8 of the base currency.
        let (lot, lot_origin) = match options.lot {
            Some(lot) => (lot, Origin::Given),
            None => (Step::power_of_ten(-8), Origin::Format),
        };
        let instrument = Instrument { symbol: "BITSTAMP".to_owned(), tick, tick_origin, lot, lot_origin };
        Ok(Self {
            lines,
            instruments: vec![instrument],
            live: HashMap::new(),
            ended: HashSet::new(),
            ended_order: VecDeque::new(),
            first_time: None,
            causes: [0; CAUSES.len()],
        })
    }

    fn parse(&self) -> Result<Row, String> {
        let mut fields = self.lines.line().split(|&byte| byte == b',');
        let mut next = |name: &str| fields.next().ok_or_else(|| format!("no field `{name}`"));
        let integer = |name: &str, field: &[u8]| {
            let value = std::str::from_utf8(field).ok().and_then(|text| text.parse::<u64>().ok());
            value.ok_or_else(|| format!("{name} is {}; legal: an integer", shown(field)))
        };
        let id = integer("id", next("id")?)?;
        let mut stamp = |name: &str| {
            let field = next(name)?;
            let nanos =
                integer(name, field)?.checked_mul(1_000_000).filter(|&nanos| nanos <= i64::MAX as u64);
            nanos
                .map(Nanos)
                .ok_or_else(|| format!("{name} is {}; legal: milliseconds before 2262", shown(field)))
        };
        let time = stamp("timestamp")?;
        let created = stamp("exchange.timestamp")?;
        let instrument = &self.instruments[0];
        let field = next("price")?;
        let price = instrument.tick.parse_size(field);
        let price =
            price.map_err(|error| format!("price {} {error} of {}", shown(field), instrument.tick))?;
        let field = next("volume")?;
        let volume =
            scaled(field, instrument.lot).map_err(|error| format!("volume {} {error}", shown(field)))?;
        let action = match next("action")? {
            b"created" => Action::Created,
            b"changed" => Action::Changed,
            b"deleted" => Action::Deleted,
            other => return Err(format!("action is {}; legal: created, changed, deleted", shown(other))),
        };
        let side = match next("direction")? {
            b"bid" => Side::Buy,
            b"ask" => Side::Sell,
            other => return Err(format!("direction is {}; legal: bid, ask", shown(other))),
        };
        if fields.next().is_some() {
            return Err("more than 7 fields".to_owned());
        }
        if action == Action::Created && volume == 0 {
            return Err("created with volume 0".to_owned());
        }
        Ok(Row { id, time, created, price: price as i64, volume, action, side })
    }

    fn count(&mut self, mismatch: Mismatch) {
        self.causes[mismatch as usize] += 1;
    }

    fn end(&mut self, id: u64) {
        self.live.remove(&id);
        if self.ended.insert(id) {
            self.ended_order.push_back(id);
            if self.ended_order.len() > REMEMBERED
                && let Some(oldest) = self.ended_order.pop_front()
            {
                self.ended.remove(&oldest);
            }
        }
    }

    fn take(&mut self, row: &Row, events: &mut Vec<MarketEvent>) {
        let first_time = *self.first_time.get_or_insert(row.time);
        let known = self.live.get(&row.id).copied();
        let ended = self.ended.contains(&row.id);
        let event = |kind, side, price, volume| MarketEvent {
            price: Price(price),
            quantity: Quantity(volume),
            id: row.id,
            side: Some(side),
            flags: MarketEvent::LAST,
            ..MarketEvent::new(kind, row.time, row.time)
        };
        let add = event(Kind::Add, row.side, row.price, row.volume);
        let now = Live { price: row.price, volume: row.volume, side: row.side };
        // Stamps of creation are whole seconds, rounded down.
        let before_file = row.created.0 / 1_000_000_000 < first_time.0 / 1_000_000_000;
        match (row.action, known) {
            (Action::Created, None) if ended => self.count(Mismatch::CreatedAfterDelete),
            (Action::Created, None) => {
                self.live.insert(row.id, now);
                events.push(add);
            }
            (Action::Created, Some(was)) => {
                self.count(Mismatch::CreatedTwice);
                self.live.insert(row.id, now);
                events.push(MarketEvent { flags: 0, ..event(Kind::Delete, was.side, was.price, was.volume) });
                events.push(add);
            }
            (Action::Changed, None) if ended => self.count(Mismatch::ChangedAfterDelete),
            (Action::Changed, None) => {
                self.count(if before_file {
                    Mismatch::ChangedBeforeFile
                } else {
                    Mismatch::ChangedNeverCreated
                });
                self.live.insert(row.id, now);
                events.push(add);
            }
            (Action::Changed, Some(was)) => self.change(row, was, now, add, events, event),
            (Action::Deleted, None) => {
                self.count(match (ended, before_file) {
                    (true, _) => Mismatch::DeletedTwice,
                    (false, true) => Mismatch::DeletedBeforeFile,
                    (false, false) => Mismatch::DeletedNeverCreated,
                });
                self.end(row.id);
            }
            (Action::Deleted, Some(was)) => {
                let executed = row.volume == 0 && was.volume > 0;
                if was.side != row.side {
                    self.count(Mismatch::SideChanged);
                } else if was.price != row.price {
                    self.count(Mismatch::Repriced);
                } else if !executed && row.volume != was.volume {
                    self.count(Mismatch::LeftDiffers);
                }
                self.end(row.id);
                if was.volume == 0 {
                    // A change to nothing has taken it out of the book already.
                    events.push(event(Kind::Unchanged, was.side, was.price, 0));
                    return;
                }
                let kind = if executed { Kind::Execute } else { Kind::Delete };
                events.push(event(kind, was.side, was.price, was.volume));
            }
        }
    }

    fn change(
        &mut self,
        row: &Row,
        was: Live,
        now: Live,
        add: MarketEvent,
        events: &mut Vec<MarketEvent>,
        event: impl Fn(Kind, Side, i64, u64) -> MarketEvent,
    ) {
        self.live.insert(row.id, now);
        if was.volume == 0 && now.volume > 0 {
            self.count(Mismatch::Grown);
            events.push(add);
        } else if was.side != now.side {
            self.count(Mismatch::SideChanged);
            events.push(MarketEvent { flags: 0, ..event(Kind::Delete, was.side, was.price, was.volume) });
            events.push(add);
        } else if was.price != now.price {
            self.count(Mismatch::Repriced);
            events.push(event(Kind::Modify, now.side, now.price, now.volume));
        } else if now.volume > was.volume {
            self.count(Mismatch::Grown);
            events.push(event(Kind::Modify, now.side, now.price, now.volume));
        } else if now.volume < was.volume {
            events.push(event(Kind::Execute, now.side, now.price, was.volume - now.volume));
        } else {
            events.push(event(Kind::Unchanged, now.side, now.price, now.volume));
        }
    }
}

/// A count of 1e-8 units in lots.
fn scaled(field: &[u8], lot: Step) -> Result<u64, super::NumberError> {
    let unit = Step::power_of_ten(-8);
    if lot == unit {
        return Step::ONE.parse_size(field);
    }
    let units = Step::ONE.parse_size(field)?;
    let whole = format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    lot.parse_size(whole.as_bytes())
}

/// A field in a message: short, and printable.
pub(super) fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(&field[..field.len().min(40)]);
    format!("{text:?}{}", if field.len() > 40 { "..." } else { "" })
}

impl MarketReader for BitstampReader {
    fn format(&self) -> Format {
        Format::Bitstamp
    }

    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError> {
        let enough = events.len() + BATCH;
        while events.len() < enough {
            if !self.lines.advance()? {
                return Ok(false);
            }
            match self.parse() {
                Ok(row) => self.take(&row, events),
                Err(reason) => self.lines.damaged(reason)?,
            }
        }
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.lines.tally
    }

    fn causes(&self) -> Vec<Cause> {
        counted(&CAUSES, &self.causes)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.lines.input.packed_position(), self.lines.input.packed_length())
    }

    fn compression(&self) -> Compression {
        self.lines.input.compression()
    }
}

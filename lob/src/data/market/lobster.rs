//! LOBSTER's message files: `time,type,order id,size,price,direction` without a header; times in seconds after midnight, prices in
//! units of 0.0001.

use hashbrown::HashMap;

use super::bitstamp::shown;
use super::lines::Lines;
use super::reader::{BATCH, Cause, Instrument, MarketReader, Origin, ReadError, ReadOptions, Tally, counted};
use super::step::{Step, StepGuess};
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};

/// Bytes looked at to infer the tick size.
const SAMPLE: usize = 1 << 20;

const UNIT: Step = Step::power_of_ten(-4);
const NANOSECOND: Step = Step::power_of_ten(-9);

#[derive(Clone, Copy)]
enum Mismatch {
    NeverAdded,
    AddedTwice,
    LeftDiffers,
    TooMany,
}

const CAUSES: [(&str, &str); 4] = [
    (
        "never_added",
        "event of an order that rested before the file began: an execution is a trade, the rest is passed over",
    ),
    ("added_twice", "new order under the number of one that rests: it is replaced"),
    ("left_differs", "deletion of another size than what was left: all of it is taken out"),
    ("too_many", "more taken out of an order than it had: all of it is taken out"),
];

/// Reads LOBSTER's message files.
#[derive(Debug)]
pub struct LobsterReader {
    lines: Lines,
    instruments: Vec<Instrument>,
    /// Units of the format in a tick.
    units: i64,
    live: HashMap<u64, (Side, i64, u64)>,
    causes: [u64; CAUSES.len()],
}

struct Row {
    time: Nanos,
    kind: u8,
    id: u64,
    size: u64,
    price: i64,
    side: Side,
}

/// True if a file that begins like this has LOBSTER's six columns.
pub(super) fn recognises(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b',').collect();
    let integer = |field: &[u8]| Step::ONE.parse(field).is_ok();
    fields.len() == 6
        && NANOSECOND.parse_size(fields[0]).is_ok()
        && matches!(fields[1], [b'1'..=b'7'])
        && fields[2..5].iter().all(|field| integer(field))
        && matches!(fields[5], b"1" | b"-1")
}

impl LobsterReader {
    /// Begins to read.
    ///
    /// # Errors
    /// If the input cannot be read, or the tick given is no multiple of 0.0001.
    pub fn new(mut input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut guess = StepGuess::default();
        if options.tick.is_none() {
            if let Err(error) = input.peek(SAMPLE)
                && input.available().is_empty()
            {
                return Err(ReadError::io(&input, error));
            }
            for line in input.available().split(|&byte| byte == b'\n') {
                let price = line
                    .split(|&byte| byte == b',')
                    .nth(4)
                    .and_then(|field| Step::ONE.parse_size(field).ok());
                if let Some(price) = price {
                    guess.see(format!("{}.{:04}", price / 10_000, price % 10_000).as_bytes());
                }
            }
        }
        let (tick, tick_origin) = match (options.tick, guess.tick()) {
            (Some(tick), _) => (tick, Origin::Given),
            (None, Some(tick)) => (tick, Origin::Inferred { numbers: guess.count() }),
            (None, None) => (UNIT, Origin::Format),
        };
        let units = UNIT.parse(tick.to_string().as_bytes()).ok().filter(|&units| units > 0);
        let units =
            units.ok_or_else(|| ReadError::File(format!("tick is {tick}; legal: a multiple of 0.0001")))?;
        if let Some(lot) = options.lot.filter(|&lot| lot != Step::ONE) {
            return Err(ReadError::File(format!("lot is {lot}; legal: 1, as sizes are in shares")));
        }
        let instrument = Instrument {
            symbol: "LOBSTER".to_owned(),
            tick,
            tick_origin,
            lot: Step::ONE,
            lot_origin: Origin::Format,
        };
        let lines = Lines::new(input, options);
        Ok(Self {
            lines,
            instruments: vec![instrument],
            units,
            live: HashMap::new(),
            causes: [0; CAUSES.len()],
        })
    }

    fn parse(&self) -> Result<Row, String> {
        let mut fields = self.lines.line().split(|&byte| byte == b',');
        let mut next = |name: &str| fields.next().ok_or_else(|| format!("no field `{name}`"));
        let field = next("time")?;
        let time = NANOSECOND
            .parse_size(field)
            .map_err(|error| format!("time {} {error} of 1e-9 s", shown(field)))?;
        let kind = match next("type")? {
            [kind @ b'1'..=b'7'] => kind - b'0',
            other => return Err(format!("type is {}; legal: 1 to 7", shown(other))),
        };
        let mut integer = |name: &str| {
            let field = next(name)?;
            Step::ONE.parse(field).map_err(|error| format!("{name} {} {error}", shown(field)))
        };
        let (id, size, units) = (integer("order id")?, integer("size")?, integer("price")?);
        let side = match integer("direction")? {
            1 => Side::Buy,
            -1 => Side::Sell,
            other => return Err(format!("direction is {other}; legal: 1, -1")),
        };
        // Halts have a price that says which kind of halt it is.
        let halt = kind == 7;
        let size = u64::try_from(size).ok().filter(|&size| size > 0 || halt);
        let size = size.ok_or_else(|| "size is not above 0".to_owned())?;
        let id = u64::try_from(id).map_err(|_| "order id is negative".to_owned())?;
        if !halt && (units < 0 || units % self.units != 0) {
            return Err(format!("price {units} is no multiple of {} units", self.units));
        }
        Ok(Row { time: Nanos(time), kind, id, size, price: units / self.units, side })
    }

    fn count(&mut self, mismatch: Mismatch) {
        self.causes[mismatch as usize] += 1;
    }

    fn take(&mut self, row: &Row, events: &mut Vec<MarketEvent>) {
        let event = |kind, side, price, size| MarketEvent {
            price: Price(price),
            quantity: Quantity(size),
            id: row.id,
            side: Some(side),
            flags: MarketEvent::LAST,
            ..MarketEvent::new(kind, row.time, row.time)
        };
        match row.kind {
            1 => {
                if let Some((side, price, left)) = self.live.insert(row.id, (row.side, row.price, row.size)) {
                    self.count(Mismatch::AddedTwice);
                    events.push(MarketEvent { flags: 0, ..event(Kind::Delete, side, price, left) });
                }
                events.push(event(Kind::Add, row.side, row.price, row.size));
            }
            2..=4 => {
                let Some(&(side, price, left)) = self.live.get(&row.id) else {
                    self.count(Mismatch::NeverAdded);
                    if row.kind == 4 {
                        let trade = event(Kind::Trade, row.side.opposite(), row.price, row.size);
                        events.push(MarketEvent { id: 0, ..trade });
                    }
                    return;
                };
                if row.kind == 3 && row.size != left {
                    self.count(Mismatch::LeftDiffers);
                } else if row.size > left {
                    self.count(Mismatch::TooMany);
                }
                let gone = row.kind == 3 || row.size >= left;
                if gone {
                    self.live.remove(&row.id);
                } else {
                    self.live.insert(row.id, (side, price, left - row.size));
                }
                let lots = row.size.min(left);
                events.push(match row.kind {
                    4 => event(Kind::Execute, side, row.price, lots),
                    _ if gone => event(Kind::Delete, side, price, left),
                    _ => event(Kind::Reduce, side, price, lots),
                });
            }
            // Hidden orders and crosses trade, but were never in the book.
            5 | 6 => {
                let trade = event(Kind::Trade, row.side.opposite(), row.price, row.size);
                events.push(MarketEvent { id: 0, ..trade });
            }
            _ => self.lines.tally.ignored += 1,
        }
    }
}

impl MarketReader for LobsterReader {
    fn format(&self) -> Format {
        Format::Lobster
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

//! LOBSTER's message files: `time,type,order id,size,price,direction` without a header; times in seconds after midnight, prices in
//! units of 0.0001. An [order-book file](orderbook) beside it is compared with the book line by line, and begins it.

mod orderbook;

use hashbrown::HashMap;

use super::bitstamp::shown;
use super::lines::Lines;
use super::reader::{
    BATCH, Cause, Damage, Instrument, MarketReader, Origin, ReadError, ReadOptions, Tally, counted,
};
use super::step::{Step, StepGuess};
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};

use orderbook::Orderbook;
pub use orderbook::{BookAgreement, orderbook_beside};

/// Bytes looked at to infer the tick size.
const SAMPLE: usize = 1 << 20;

const UNIT: Step = Step::power_of_ten(-4);
/// The price, in units of the format, of a level that is not there.
const NOT_THERE: i64 = 9_999_999_999;

const NANOSECOND: Step = Step::power_of_ten(-9);

#[derive(Clone, Copy)]
enum Mismatch {
    NeverAdded,
    AddedTwice,
    LeftDiffers,
    TooMany,
    FromBefore,
    OffTickTrade,
}

const CAUSES: [(&str, &str); 6] = [
    (
        "never_added",
        "event of an order that rested before the file began: an execution is a trade, the rest is passed over",
    ),
    ("added_twice", "new order under the number of one that rests: it is replaced"),
    ("left_differs", "deletion of another size than what was left: all of it is taken out"),
    ("too_many", "more taken out of an order than it had: all of it is taken out"),
    (
        "from_before",
        "event of an order that rested before the file began: taken out of the lots that the order-book file shows there",
    ),
    ("off_tick_trade", "trade of a hidden order, or cross, between two ticks: passed over"),
];

/// Reads LOBSTER's message files.
#[derive(Debug)]
pub struct LobsterReader {
    lines: Lines,
    instruments: Vec<Instrument>,
    /// Units of the format in a tick.
    units: i64,
    live: HashMap<u64, (Side, Order)>,
    orderbook: Option<Box<Orderbook>>,
    /// Of the latest message.
    time: Nanos,
    causes: [u64; CAUSES.len()],
}

/// A resting order: its price in ticks.
#[derive(Clone, Copy, Debug)]
struct Order {
    price: i64,
    lots: u64,
}

#[derive(Clone, Copy)]
struct Row {
    time: Nanos,
    kind: u8,
    id: u64,
    size: u64,
    price: i64,
    /// The price lies between that tick and the next: legal for what trades outside of the book.
    between: bool,
    side: Side,
}

impl Row {
    /// What traded and is in nobody's book.
    fn trade(&self, side: Option<Side>, flags: u8) -> MarketEvent {
        MarketEvent {
            price: Price(self.price),
            quantity: Quantity(self.size),
            side,
            flags: MarketEvent::LAST | flags,
            ..MarketEvent::new(Kind::Trade, self.time, self.time)
        }
    }
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

/// Shows a price in units of 0.0001 to a guess.
fn see(guess: &mut StepGuess, price: u64) {
    guess.see(format!("{}.{:04}", price / 10_000, price % 10_000).as_bytes());
}

impl LobsterReader {
    /// Begins to read, together with the order-book file if the options name one.
    ///
    /// # Errors
    /// If an input cannot be read, or the tick given is no multiple of 0.0001.
    pub fn new(mut input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut orderbook = None;
        if let Some(path) = &options.orderbook {
            orderbook = Some(Box::new(Orderbook::open(path, options)?));
        }
        let mut guess = StepGuess::default();
        if options.tick.is_none() {
            if let Err(error) = input.peek(SAMPLE)
                && input.available().is_empty()
            {
                return Err(ReadError::io(&input, error));
            }
            for line in input.available().split(|&byte| byte == b'\n') {
                let mut fields = line.split(|&byte| byte == b',').skip(1);
                // Hidden orders trade between ticks too; only what is in the book tells the tick.
                let in_book = matches!(fields.next(), Some([b'1'..=b'4']));
                let price = fields.nth(2).and_then(|field| Step::ONE.parse_size(field).ok());
                if let Some(price) = price.filter(|_| in_book) {
                    see(&mut guess, price);
                }
            }
            if let Some(orderbook) = &mut orderbook {
                orderbook.sample(SAMPLE, &mut guess);
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
            orderbook,
            time: Nanos(0),
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
        // Halts have a price that says which kind of halt it is; they and trades outside of the book have no order.
        let halt = kind == 7;
        let outside = matches!(kind, 5 | 6);
        let size = u64::try_from(size).ok().filter(|&size| size > 0 || halt);
        let size = size.ok_or_else(|| "size is not above 0".to_owned())?;
        let id = match u64::try_from(id) {
            Ok(id) => id,
            // Crosses are numbered from -1 downwards.
            Err(_) if outside || halt => 0,
            Err(_) => return Err("order id is negative".to_owned()),
        };
        let between = units % self.units != 0;
        if !halt && (units < 0 || between && !outside) {
            return Err(format!("price {units} is no multiple of {} units", self.units));
        }
        Ok(Row { time: Nanos(time), kind, id, size, price: units / self.units, between, side })
    }

    fn count(&mut self, mismatch: Mismatch) {
        self.causes[mismatch as usize] += 1;
    }

    /// The order that an event is about: that of its number, or the one that stands for those from before the file began.
    fn subject(&mut self, row: &Row) -> Option<(u64, Side, Order)> {
        if let Some(&(side, order)) = self.live.get(&row.id) {
            return Some((row.id, side, order));
        }
        let id = orderbook::anonymous(row.side, row.price);
        let stands = self.live.get(&id).copied().filter(|(_, order)| order.lots >= row.size);
        self.count(if stands.is_some() { Mismatch::FromBefore } else { Mismatch::NeverAdded });
        stands.map(|(side, order)| (id, side, order))
    }

    fn take(&mut self, row: &Row, events: &mut Vec<MarketEvent>) {
        let event = |id, kind, side, price, size| MarketEvent {
            price: Price(price),
            quantity: Quantity(size),
            id,
            side: Some(side),
            flags: MarketEvent::LAST,
            ..MarketEvent::new(kind, row.time, row.time)
        };
        match row.kind {
            1 => {
                let order = Order { price: row.price, lots: row.size };
                if let Some((side, was)) = self.live.insert(row.id, (row.side, order)) {
                    self.count(Mismatch::AddedTwice);
                    let delete = event(row.id, Kind::Delete, side, was.price, was.lots);
                    events.push(MarketEvent { flags: 0, ..delete });
                }
                events.push(event(row.id, Kind::Add, row.side, row.price, row.size));
            }
            2..=4 => {
                let Some((id, side, order)) = self.subject(row) else {
                    if row.kind == 4 {
                        events.push(row.trade(Some(row.side.opposite()), 0));
                    }
                    return;
                };
                let whole = row.kind == 3 && id == row.id;
                if whole && row.size != order.lots {
                    self.count(Mismatch::LeftDiffers);
                } else if row.size > order.lots {
                    self.count(Mismatch::TooMany);
                }
                let gone = whole || row.size >= order.lots;
                if gone {
                    self.live.remove(&id);
                } else {
                    self.live.insert(id, (side, Order { lots: order.lots - row.size, ..order }));
                }
                let lots = row.size.min(order.lots);
                events.push(match row.kind {
                    4 => event(id, Kind::Execute, side, row.price, lots),
                    _ if gone => event(id, Kind::Delete, side, order.price, order.lots),
                    _ => event(id, Kind::Reduce, side, order.price, lots),
                });
            }
            5 | 6 if row.between => self.count(Mismatch::OffTickTrade),
            // The direction is that of NASDAQ's own message, which has said "buy" since 14 July 2014 whatever the hidden order was.
            5 => events.push(row.trade(None, MarketEvent::HIDDEN)),
            // A cross has no aggressor; who trades in it is in other messages.
            6 => events.push(row.trade(None, 0)),
            _ => self.lines.tally.ignored += 1,
        }
    }

    /// Takes a message, with the line of the order-book file that belongs to it.
    fn take_beside(
        &mut self,
        orderbook: &mut Orderbook,
        row: Option<&Row>,
        events: &mut Vec<MarketEvent>,
    ) -> Result<(), ReadError> {
        let shown = orderbook.advance(self.lines.record(), self.units)?;
        if let Some(row) = row {
            self.time = row.time;
            let seeded_now = shown && !orderbook.is_seeded();
            if seeded_now {
                let own = Order { price: row.price, lots: row.size };
                let begin = events.len();
                orderbook.seed(row.time, (row.kind == 1).then_some((row.side, own)), events);
                self.live.clear();
                self.adopt(&events[begin..]);
            }
            let begin = events.len();
            match row.kind {
                // The line that begins the book is what the book is after the message.
                2..=4 if seeded_now => {
                    self.count(Mismatch::FromBefore);
                    if row.kind == 4 {
                        events.push(row.trade(Some(row.side.opposite()), 0));
                    }
                }
                _ => self.take(row, events),
            }
            orderbook.follow(&events[begin..]);
        }
        if shown && orderbook.is_seeded() {
            let begin = events.len();
            orderbook.compare(self.time, events);
            self.adopt(&events[begin..]);
        }
        Ok(())
    }

    /// Takes over what the order-book file says of orders that nobody has told of.
    fn adopt(&mut self, events: &[MarketEvent]) {
        for event in events {
            match (event.kind, event.side) {
                (Kind::Delete, _) => drop(self.live.remove(&event.id)),
                (Kind::Add, Some(side)) => {
                    let order = Order { price: event.price.0, lots: event.quantity.0 };
                    self.live.insert(event.id, (side, order));
                }
                _ => {}
            }
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
        // Taken out, so that it and the rest can be borrowed at once; an error ends the reading.
        let mut orderbook = self.orderbook.take();
        while events.len() < enough {
            if !self.lines.advance()? {
                if let Some(orderbook) = &mut orderbook {
                    orderbook.finish(self.lines.record(), self.units)?;
                }
                self.orderbook = orderbook;
                return Ok(false);
            }
            let row = self.parse();
            match (&row, &mut orderbook) {
                (row, Some(orderbook)) => self.take_beside(orderbook, row.as_ref().ok(), events)?,
                (Ok(row), None) => self.take(row, events),
                (Err(_), None) => {}
            }
            if let Err(reason) = row {
                self.lines.damaged(reason)?;
            }
        }
        self.orderbook = orderbook;
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.lines.tally
    }

    fn orderbook(&self) -> Option<(BookAgreement, &[Damage])> {
        self.orderbook.as_ref().map(|orderbook| (orderbook.agreement, orderbook.damages()))
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

//! LOBSTER's order-book files: a line for each message, with the best levels after it: `ask price,ask size,bid price,bid size`, best level first; a
//! level that is not there has the price 9999999999 (ask) or -9999999999 (bid).

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{NOT_THERE, Order};
use crate::data::market::bitstamp::shown;
use crate::data::market::lines::Lines;
use crate::data::market::reader::{Damage, ReadError, ReadOptions};
use crate::data::market::step::{Step, StepGuess};
use crate::data::market::{Input, Kind, MarketEvent, apply};
use crate::{FeedBook, Nanos, Price, Quantity, Side};

/// How the book that the messages build compares with the lines of an order-book file. Each level that differs, in each line, is in one of
/// the causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BookAgreement {
    /// Levels that a line shows, a side.
    pub levels: u64,
    /// Lines that were compared.
    pub rows: u64,
    /// Of them: those that contradict the book nowhere (`missing`, `surplus`, `size_differs` and `persists` are contradictions).
    pub agreeing_rows: u64,
    /// Levels of the first line: they are the book that the messages begin with, and their orders are unknown.
    pub seeded: u64,
    /// Levels that come into view and that the book does not have: orders from before the file began. They are taken over.
    pub revealed: u64,
    /// Levels that come back into view, and are not what they were: messages about levels out of view are not in the file. They are
    /// taken over.
    pub changed_out_of_view: u64,
    /// Levels of a line that were in view before and that the book does not have.
    pub missing: u64,
    /// Levels of the book that were in view before and that the line does not have.
    pub surplus: u64,
    /// Levels that were in view before and whose sizes differ.
    pub size_differs: u64,
    /// Levels that differ as they did in the line before: counted above where they began to.
    pub persists: u64,
    /// Lines that cannot be read.
    pub damaged_rows: u64,
    /// Messages behind the last line.
    pub messages_without_row: u64,
    /// Lines behind the last message.
    pub rows_without_message: u64,
}

impl BookAgreement {
    /// Levels that contradict the book, each counted where it begins to.
    pub fn contradictions(&self) -> u64 {
        self.missing + self.surplus + self.size_differs
    }
}

/// The order-book file that LOBSTER's name for it says belongs to a message file: `..._message_10.csv` and `..._orderbook_10.csv`, in
/// the same folder. `None` if the name is another or there is no such file.
pub fn orderbook_beside(messages: &Path) -> Option<PathBuf> {
    let name = messages.file_name()?.to_str()?;
    let (begin, end) = name.rsplit_once("_message_")?;
    end.starts_with(|digit: char| digit.is_ascii_digit()).then_some(())?;
    let path = messages.with_file_name(format!("{begin}_orderbook_{end}"));
    path.is_file().then_some(path)
}

/// What of a side the line before showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// There was no such line.
    Nothing,
    /// The levels down to this price.
    To(Price),
    /// All levels.
    All,
}

/// A level that contradicts the book: side, price, size in the line, size in the book.
type Contradiction = (Side, Price, u64, u64);

#[derive(Debug)]
pub(super) struct Orderbook {
    lines: Lines,
    path: PathBuf,
    book: FeedBook,
    view: [View; 2],
    /// The levels of the current line, best first.
    row: [Vec<(Price, u64)>; 2],
    /// Which line that is, and whether it could be read.
    at: u64,
    sound: bool,
    ended: bool,
    before: Vec<Contradiction>,
    now: Vec<Contradiction>,
    pub(super) agreement: BookAgreement,
}

/// The number of the order that stands for all those at a level that nobody has told of: no number of LOBSTER's, which have 63 bits.
pub(super) const fn anonymous(side: Side, price: i64) -> u64 {
    1 << 63 | (side as u64) << 62 | (price.cast_unsigned() & ((1 << 62) - 1))
}

/// `price` is as good as `other` or better.
fn reaches(side: Side, price: Price, other: Price) -> bool {
    if side == Side::Buy { price >= other } else { price <= other }
}

impl Orderbook {
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        let input = Input::open(path)
            .map_err(|error| ReadError::File(format!("order-book file {}: {error}", path.display())))?;
        Ok(Self {
            lines: Lines::new(input, options).called("line of the order-book file"),
            path: path.to_owned(),
            book: FeedBook::new(4096),
            view: [View::Nothing; 2],
            row: [Vec::new(), Vec::new()],
            at: 0,
            sound: false,
            ended: false,
            before: Vec::new(),
            now: Vec::new(),
            agreement: BookAgreement::default(),
        })
    }

    /// Shows `guess` the prices at the beginning.
    pub(super) fn sample(&mut self, size: usize, guess: &mut StepGuess) {
        // An error is met again, with its place, when the lines are read.
        let _ = self.lines.input.peek(size);
        for line in self.lines.input.available().split(|&byte| byte == b'\n') {
            let prices = line.split(|&byte| byte == b',').step_by(2);
            for price in prices.filter_map(|field| Step::ONE.parse_size(field).ok()) {
                if price.cast_signed() < NOT_THERE {
                    super::see(guess, price);
                }
            }
        }
    }

    pub(super) fn damages(&self) -> &[Damage] {
        &self.lines.tally.damages
    }

    /// Goes on to the line of a message. True if there is one, and it can be read.
    pub(super) fn advance(&mut self, record: u64, units: i64) -> Result<bool, ReadError> {
        while self.at < record && !self.ended {
            self.next(units)?;
        }
        self.agreement.messages_without_row += u64::from(self.at < record);
        Ok(self.at == record && self.sound)
    }

    fn next(&mut self, units: i64) -> Result<(), ReadError> {
        let more = self.lines.advance();
        let named = |error: ReadError| match error {
            ReadError::Damaged { .. } => error,
            _ => ReadError::File(format!("order-book file {}: {error}", self.path.display())),
        };
        self.ended = !more.map_err(named)?;
        if self.ended {
            return Ok(());
        }
        self.at = self.lines.record();
        self.sound = true;
        let known = self.agreement.levels;
        let reason = match parse(self.lines.line(), units, &mut self.row) {
            Ok(levels) if known == 0 || levels == known => {
                self.agreement.levels = levels;
                None
            }
            Ok(levels) => Some(format!("{levels} levels a side, where the lines before have {known}")),
            Err(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            self.sound = false;
            self.lines.damaged(reason)?;
        }
        // Lines that are too long are counted on the way.
        self.agreement.damaged_rows = self.lines.tally.damaged;
        Ok(())
    }

    /// Counts the lines behind the last message.
    pub(super) fn finish(&mut self, record: u64, units: i64) -> Result<(), ReadError> {
        while !self.ended {
            self.next(units)?;
            self.agreement.rows_without_message += u64::from(!self.ended && self.at > record);
        }
        Ok(())
    }

    pub(super) fn is_seeded(&self) -> bool {
        self.view[0] != View::Nothing
    }

    /// Begins the book with the levels of the current line, less what the message before the line adds to them, `own`.
    pub(super) fn seed(&mut self, time: Nanos, own: Option<(Side, Order)>, events: &mut Vec<MarketEvent>) {
        let base =
            MarketEvent { flags: MarketEvent::SNAPSHOT, ..MarketEvent::new(Kind::SnapshotBegin, time, time) };
        let begin = events.len();
        events.push(base);
        for side in Side::BOTH {
            self.agreement.seeded += self.row[side.index()].len() as u64;
            for &(price, lots) in &self.row[side.index()] {
                let added = own.filter(|(of, order)| (*of, order.price) == (side, price.0));
                let lots = lots.saturating_sub(added.map_or(0, |(_, order)| order.lots));
                if lots > 0 {
                    let id = anonymous(side, price.0);
                    let quantity = Quantity(lots);
                    events.push(MarketEvent {
                        kind: Kind::Add,
                        id,
                        price,
                        quantity,
                        side: Some(side),
                        ..base
                    });
                }
            }
        }
        let flags = base.flags | MarketEvent::LAST;
        events.push(MarketEvent { kind: Kind::SnapshotEnd, flags, ..base });
        self.follow(&events[begin..]);
        self.look();
    }

    /// Carries events out on the book that is compared.
    pub(super) fn follow(&mut self, events: &[MarketEvent]) {
        for event in events {
            // The reader makes events that fit.
            let _ = apply(&mut self.book, event);
        }
    }

    /// What the current line shows.
    fn look(&mut self) {
        let levels = self.agreement.levels as usize;
        for side in Side::BOTH {
            let row = &self.row[side.index()];
            let full = row.len() == levels;
            self.view[side.index()] =
                row.last().filter(|_| full).map_or(View::All, |&(price, _)| View::To(price));
        }
    }

    /// Compares the book with the current line, and appends what makes it equal where only the line can know.
    pub(super) fn compare(&mut self, time: Nanos, events: &mut Vec<MarketEvent>) {
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        let begin = events.len();
        let base = MarketEvent {
            flags: MarketEvent::SNAPSHOT | MarketEvent::LAST,
            ..MarketEvent::new(Kind::Add, time, time)
        };
        for side in Side::BOTH {
            let row = &self.row[side.index()];
            let bound =
                row.last().filter(|_| row.len() as u64 == self.agreement.levels).map(|&(price, _)| price);
            let mut levels = self
                .book
                .levels(side)
                .take_while(|&(price, _)| bound.is_none_or(|bound| reaches(side, price, bound)))
                .peekable();
            let mut shown = row.iter().copied().peekable();
            loop {
                let (price, lots, had) = match (shown.peek().copied(), levels.peek().copied()) {
                    (None, None) => break,
                    (Some((price, lots)), Some((other, had))) if price == other => (price, lots, had.0),
                    (Some((price, lots)), Some((other, _))) if reaches(side, price, other) => {
                        (price, lots, 0)
                    }
                    (Some((price, lots)), None) => (price, lots, 0),
                    (_, Some((other, had))) => (other, 0, had.0),
                };
                shown.next_if(|_| lots > 0);
                levels.next_if(|_| had > 0);
                if lots == had {
                    continue;
                }
                let in_view = match self.view[side.index()] {
                    View::Nothing => false,
                    View::To(worst) => reaches(side, price, worst),
                    View::All => true,
                };
                if in_view {
                    self.now.push((side, price, lots, had));
                    let delta = i128::from(lots) - i128::from(had);
                    let same = |&(of, at, lots, had): &Contradiction| {
                        (of, at) == (side, price) && i128::from(lots) - i128::from(had) == delta
                    };
                    *(if self.before.iter().any(same) {
                        &mut self.agreement.persists
                    } else if had == 0 {
                        &mut self.agreement.missing
                    } else if lots == 0 {
                        &mut self.agreement.surplus
                    } else {
                        &mut self.agreement.size_differs
                    }) += 1;
                    continue;
                }
                *(if had == 0 {
                    &mut self.agreement.revealed
                } else {
                    &mut self.agreement.changed_out_of_view
                }) += 1;
                let base = MarketEvent { price, side: Some(side), ..base };
                for (id, quantity) in self.book.queue(side, price) {
                    events.push(MarketEvent { kind: Kind::Delete, id, quantity, ..base });
                }
                if lots > 0 {
                    events.push(MarketEvent {
                        id: anonymous(side, price.0),
                        quantity: Quantity(lots),
                        ..base
                    });
                }
            }
        }
        self.agreement.rows += 1;
        self.agreement.agreeing_rows += u64::from(self.now.is_empty());
        let changes = events.split_at(begin).1;
        for event in changes {
            let _ = apply(&mut self.book, event);
        }
        self.look();
    }
}

/// Reads a line into levels, in ticks of `units`; returns how many it has room for, a side.
fn parse(line: &[u8], units: i64, row: &mut [Vec<(Price, u64)>; 2]) -> Result<u64, String> {
    row.iter_mut().for_each(Vec::clear);
    let mut fields = line.split(|&byte| byte == b',');
    let mut level = 0_u64;
    while let Some(first) = fields.next() {
        level += 1;
        let mut field = Some(first);
        for (side, name) in [(Side::Sell, "ask"), (Side::Buy, "bid")] {
            let mut number = |what: &str| {
                let text = field.take().or_else(|| fields.next());
                let text = text.ok_or_else(|| format!("{level} levels without all their four numbers"))?;
                let value = Step::ONE.parse(text);
                value.map_err(|error| format!("{name} {what} {} {error}", shown(text)))
            };
            let (price, size) = (number("price")?, number("size")?);
            if price.abs() >= NOT_THERE {
                continue;
            }
            if price < 0 || price % units != 0 {
                return Err(format!("{name} price {price} is no multiple of {units} units"));
            }
            let size = u64::try_from(size).ok().filter(|&size| size > 0);
            let size = size.ok_or_else(|| format!("{name} size is not above 0"))?;
            let price = Price(price / units);
            let levels = &mut row[side.index()];
            if levels.last().is_some_and(|&(better, _)| reaches(side, price, better)) {
                return Err(format!("{name} levels are not in order"));
            }
            levels.push((price, size));
        }
    }
    Ok(level)
}

//! Where a market is shown to its observers, and what is counted on the way.

use serde::Serialize;

use super::grid::{Grid, GridBook, Totals};
use super::{FlowEvent, FlowEventKind, Observer};
use crate::parameter::{ParameterError, non_negative};
use crate::{Price, Side};

/// What was made of a market's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Events shown, by kind (market, limit, cancel) and side (buy, sell), the invalid ones included.
    pub shown: [[u64; 2]; 3],
    /// Events shown as invalid: the book was stale or crossed for long.
    pub invalid: u64,
    /// Limit orders and cancellations among them beyond the window.
    pub beyond: [u64; 2],
    /// Limit orders and cancellations while the other side was empty: they have no distance and are not shown.
    pub one_sided: u64,
    /// Level 3: executions that were part of a market order already shown.
    pub merged: u64,
    /// Level 3: orders that arrived at a price where they trade. What they trade is market orders, what is left of them limit orders.
    pub marketable: u64,
    /// Level 3: orders among them that ended without having rested.
    pub never_rested: u64,
    /// Events about orders that are not known.
    pub unknown: u64,
    /// Level 3: trades that touch no order of the book (hidden ones, auctions).
    pub off_book: u64,
    /// Level 2: limit orders that came and were traded between two updates.
    pub came_and_went: u64,
    /// Trades of no lots; level 2: also those of no known side, or while there was no book.
    pub unusable_trades: u64,
    /// Level 2: messages after which best bid and ask crossed.
    pub crossed: u64,
    /// Seconds from the beginning of what is watched to its end.
    pub seconds: f64,
    /// Seconds of them in which the book was valid and had two sides.
    pub valid_seconds: f64,
}

/// From when to when a market is watched, in seconds since its first event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// What happens before only builds the book.
    pub from: f64,
    /// What happens later is ignored; infinity for everything.
    pub until: f64,
}

impl Span {
    /// From the first event to the last.
    pub const ALL: Self = Self { from: 0.0, until: f64::INFINITY };

    /// Checks both ends.
    ///
    /// # Errors
    /// The end that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        non_negative("from", self.from)?;
        if self.until > self.from {
            return Ok(());
        }
        Err(ParameterError::new(
            "until",
            self.until,
            format!("a number of seconds above from = {}", self.from),
        ))
    }
}

/// A book on the model's grid, and the clock, in front of observers.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) grid: Grid,
    pub(super) tally: Tally,
    pub(super) book: GridBook,
    totals: Totals,
    span: Span,
    since: f64,
    now: f64,
    stale: bool,
    crossed: bool,
}

impl Stage {
    pub(super) fn new(grid: Grid, span: Span) -> Self {
        Self {
            book: GridBook::new(grid.levels),
            totals: Totals::default(),
            tally: Tally::default(),
            since: span.from,
            now: span.from,
            stale: true,
            crossed: false,
            grid,
            span,
        }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    fn is_valid(&self) -> bool {
        !self.stale && !self.crossed
    }

    /// From `time` on messages are missing, or no longer.
    pub(super) fn set_stale(&mut self, time: f64, stale: bool) {
        let was = self.is_valid();
        self.stale = stale;
        self.resume(time, was);
    }

    /// From `time` on the book is crossed, or no longer.
    pub(super) fn set_crossed(&mut self, time: f64, crossed: bool) {
        let was = self.is_valid();
        self.crossed = crossed;
        self.resume(time, was);
    }

    fn resume(&mut self, time: f64, was_valid: bool) {
        if self.is_valid() && !was_valid {
            // The time before is not to count.
            self.now = time.max(self.now);
            self.since = self.now;
        }
    }

    /// Forgets the book.
    pub(super) fn clear(&mut self) {
        self.book.clear();
        self.totals.clear();
    }

    /// Shows an event at an instrument's price, or at none for a market order. Says whether it was shown; changes no book.
    pub(super) fn show(
        &mut self,
        observers: &mut [&mut dyn Observer],
        time: f64,
        (kind, side): (FlowEventKind, Side),
        price: Price,
        quantity: u64,
    ) -> bool {
        if time < self.span.from || time > self.span.until {
            return false;
        }
        let distance = match kind {
            FlowEventKind::Market => 0,
            FlowEventKind::Limit | FlowEventKind::Cancel => {
                let Some(distance) = self.book.distance(side, self.grid.price(side, price)) else {
                    self.tally.one_sided += 1;
                    return false;
                };
                if distance as usize > self.grid.levels {
                    self.tally.beyond[usize::from(kind == FlowEventKind::Cancel)] += 1;
                }
                distance
            }
        };
        let time = time.max(self.now);
        let event = FlowEvent { time, kind, side, distance, lots: self.grid.lots(quantity) };
        self.tally.shown[kind as usize][side.index()] += 1;
        self.tally.invalid += u64::from(!self.is_valid());
        self.pass(time);
        let before = self.book.state(self.since, self.is_valid());
        for observer in observers.iter_mut() {
            observer.event(before, &event);
        }
        self.since = time;
        true
    }

    /// The book changes at `time` by what is not shown: what was before is not to be taken for what is now.
    pub(super) fn skip(&mut self, time: f64) {
        self.since = time.max(self.since);
    }

    /// Moves the clock.
    fn pass(&mut self, time: f64) {
        if self.is_valid() && self.book.is_two_sided() {
            self.tally.valid_seconds += time - self.now;
        }
        self.now = time;
    }

    /// Changes the quantity at an instrument's price.
    pub(super) fn change(&mut self, side: Side, price: Price, more: u64, less: u64) {
        let price = self.grid.price(side, price);
        let now = self.totals.change(side, price, more, less);
        self.book.set(side, price, self.grid.level_lots(now.0));
    }

    /// Shows the book as it stands at the end.
    pub(super) fn end(&mut self, observers: &mut [&mut dyn Observer], time: f64) {
        let time = time.min(self.span.until).max(self.now);
        self.pass(time);
        self.tally.seconds = time - self.span.from;
        for observer in observers {
            observer.end(self.book.state(self.since, self.is_valid()), time);
        }
    }
}

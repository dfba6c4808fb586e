//! The flow: history's clock, and the two ways of following it.

use super::agents::AgentOrders;
use super::history::BookBefore;
use super::levels::Levels;
use super::orders::Orders;
use super::recording::Recording;
use super::{FeedLevel, History, QueueEstimate, ReplayParams, TakenLiquidity};
use crate::data::market::MarketEvent;
use crate::flow::OrderFlow;
use crate::parameter::ParameterError;
use crate::sim::{Market, SimRng, derive_seed};
use crate::{FeedBook, Price, Side};

/// How history is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Lots of the file in one of the market.
    pub(super) multiple: f64,
    /// Size of a lot of the file, in units of the instrument.
    pub(super) unit: f64,
    pub(super) taken: TakenLiquidity,
    pub(super) queue: QueueEstimate,
}

impl Rules {
    /// Lots of the market for what rests in the file: rounded, one at least.
    pub(super) fn scaled(&self, lots: u64) -> u64 {
        if lots == 0 || self.multiple == 1.0 {
            return lots;
        }
        ((lots as f64 / self.multiple).round() as u64).max(1)
    }

    /// Lots of the market for what trades in the file: rounded.
    pub(super) fn traded(&self, lots: f64) -> u64 {
        (lots / self.multiple).round() as u64
    }

    pub(super) fn restores(&self) -> bool {
        self.taken == TakenLiquidity::Restored
    }
}

/// What both ways of following history work on.
pub(super) struct Stage<'a> {
    /// History's book.
    pub(super) history: &'a mut FeedBook,
    pub(super) agents: &'a mut AgentOrders,
    pub(super) market: &'a mut Market,
    pub(super) rules: &'a Rules,
}

impl Stage<'_> {
    /// True if the crowd's lots of `side` would meet something at `price`.
    pub(super) fn would_cross(&self, side: Side, price: Price) -> bool {
        let opposite = self.market.book().best(side.opposite());
        opposite.is_some_and(|opposite| reaches(side, price, opposite))
    }
}

/// True if an order of `side` at `price` trades with one at `opposite`.
pub(super) fn reaches(side: Side, price: Price, opposite: Price) -> bool {
    match side {
        Side::Buy => price >= opposite,
        Side::Sell => price <= opposite,
    }
}

#[derive(Clone, Debug)]
enum Body {
    Levels(Levels),
    Orders(Orders),
}

/// A flow that replays recorded events; see [`ReplayParams`] and `docs/replay.md`.
///
/// At the end of history nothing happens any more: the book stands still.
#[derive(Clone, Debug)]
pub struct ReplayFlow {
    recording: Recording,
    rules: Rules,
    lead_in_nanos: u64,
    /// Index of the next event.
    next: usize,
    /// Stamp of t = 0, in nanoseconds.
    origin: u64,
    book: FeedBook,
    agents: AgentOrders,
    body: Body,
}

impl ReplayFlow {
    /// The flow of parameters whose file has been read.
    ///
    /// # Errors
    /// As [`ReplayParams::validate`], and if the file has not been read.
    pub fn new(params: &ReplayParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let recording = params.recording()?.clone();
        let rules = Rules {
            multiple: params.lot_multiple as f64,
            unit: recording.history.instrument().lot.to_f64(),
            taken: params.taken_liquidity,
            queue: params.queue.unwrap_or_default(),
        };
        let body = match recording.history.level() {
            FeedLevel::Levels => Body::Levels(Levels::default()),
            FeedLevel::Orders => Body::Orders(Orders::default()),
        };
        Ok(Self {
            recording,
            rules,
            lead_in_nanos: (params.lead_in_seconds * 1e9) as u64,
            next: 0,
            origin: 0,
            book: FeedBook::new(64),
            agents: AgentOrders::default(),
            body,
        })
    }

    /// What is replayed.
    pub fn history(&self) -> &History {
        &self.recording.history
    }

    /// Stamp of t = 0 of the session, in nanoseconds.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// History's book, without agents.
    pub fn history_book(&self) -> &FeedBook {
        &self.book
    }

    /// True once all of history has been played.
    pub fn has_ended(&self) -> bool {
        self.next >= self.recording.history.events().len()
    }

    /// Begins a session: draws its episode, and fills the empty market with the book of its beginning. Cost: the book, and a 64th of
    /// the events at most; allocates.
    pub(crate) fn begin(&mut self, seed: u64, market: &mut Market) {
        let starts = &self.recording.starts;
        // The number of a stream that no other part of a session uses.
        self.origin = starts[(derive_seed(seed, u64::MAX) % starts.len() as u64) as usize];
        let from = self.origin.saturating_sub(self.lead_in_nanos);
        let BookBefore { next, book, stale } = self.recording.history.book_before(from);
        (self.next, self.book) = (next, book);
        self.agents.clear();
        market.note_taken();
        let Self { book, agents, rules, body, .. } = self;
        let mut stage = Stage { history: book, agents, market, rules };
        match body {
            Body::Levels(levels) => levels.begin(stale, &mut stage),
            Body::Orders(orders) => orders.begin(stale, &mut stage),
        }
    }

    /// When an event happens, in seconds of the session.
    fn time(&self, event: &MarketEvent) -> f64 {
        event.exchange_time.0.wrapping_sub(self.origin).cast_signed() as f64 * 1e-9
    }
}

impl OrderFlow for ReplayFlow {
    fn reset(&mut self) {}

    fn act(&mut self, market: &mut Market, _: &mut SimRng) -> f64 {
        // Stamps are whole nanoseconds: what rounding leaves between two times is less.
        let due = market.now() + 0.4e-9;
        let from = self.next;
        let events = self.recording.history.events();
        while events.get(self.next).is_some_and(|event| self.time(event) <= due) {
            self.next += 1;
        }
        let wait = events.get(self.next).map_or(f64::INFINITY, |event| self.time(event) - market.now());
        let Self { book, agents, rules, body, recording, next, .. } = self;
        let events = &recording.history.events()[from..*next];
        let mut stage = Stage { history: book, agents, market, rules };
        match body {
            Body::Levels(levels) => levels.play(events, &mut stage),
            Body::Orders(orders) => orders.play(events, &mut stage),
        }
        wait.max(0.0)
    }
}

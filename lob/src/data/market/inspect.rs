//! Replays events into books, and counts what they are and what does not fit.

use serde::Serialize;

use super::quotes::{QuoteAgreement, QuoteCheck};
use super::{Kind, MarketEvent};
use crate::{FeedBook, FeedProblem, Side};

/// Times during which something was the case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spells {
    /// How often it began.
    pub spells: u64,
    /// Messages after which it was the case.
    pub messages: u64,
    /// Nanoseconds of local time in all; a spell that has not ended counts up to the last message.
    pub nanoseconds: u64,
    /// Nanoseconds of the longest.
    pub longest_nanoseconds: u64,
    #[serde(skip)]
    since: Option<u64>,
}

impl Spells {
    fn see(&mut self, now: bool, time: u64) {
        self.messages += u64::from(now);
        if now && self.since.is_none() {
            self.spells += 1;
            self.since = Some(time);
        } else if !now {
            self.end(time);
        }
    }

    fn end(&mut self, time: u64) {
        if let Some(since) = self.since.take() {
            let length = time.saturating_sub(since);
            self.nanoseconds += length;
            self.longest_nanoseconds = self.longest_nanoseconds.max(length);
        }
    }
}

/// Events that did not fit the book, by [`FeedProblem`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BookProblems {
    /// Events about orders that do not rest.
    pub unknown_order: u64,
    /// New orders under a number in use.
    pub duplicate_order: u64,
    /// More taken out of an order than it had.
    pub too_many_lots: u64,
    /// Orders of zero lots.
    pub zero_quantity: u64,
    /// Prices out of range.
    pub price_out_of_range: u64,
    /// More lots or orders than a book can count.
    pub full: u64,
    /// Orders and whole levels at one price.
    pub mixed: u64,
    /// Events without the side that they need.
    pub no_side: u64,
}

impl BookProblems {
    fn count(&mut self, problem: FeedProblem) {
        *match problem {
            FeedProblem::UnknownOrder(_) => &mut self.unknown_order,
            FeedProblem::DuplicateOrder(_) => &mut self.duplicate_order,
            FeedProblem::TooMany(_) => &mut self.too_many_lots,
            FeedProblem::ZeroQuantity => &mut self.zero_quantity,
            FeedProblem::Price(_) => &mut self.price_out_of_range,
            FeedProblem::Full => &mut self.full,
            FeedProblem::Mixed => &mut self.mixed,
        } += 1;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.unknown_order
            + self.duplicate_order
            + self.too_many_lots
            + self.zero_quantity
            + self.price_out_of_range
            + self.full
            + self.mixed
            + self.no_side
    }
}

/// What the events of one instrument are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Events by kind, in the order of [`Kind::ALL`].
    pub kinds: [u64; Kind::ALL.len()],
    /// First and last exchange stamp, in nanoseconds.
    pub exchange_time: Option<(u64, u64)>,
    /// First and last local stamp, in nanoseconds.
    pub local_time: Option<(u64, u64)>,
    /// Events with an exchange stamp before the latest one so far.
    pub exchange_time_backwards: u64,
    /// Events with a local stamp before the latest one so far.
    pub local_time_backwards: u64,
    /// Events received before they happened, by their stamps.
    pub received_before_sent: u64,
    /// Times during which the book was stale.
    pub stale: Spells,
    /// True if it still was at the end.
    pub stale_at_end: bool,
    /// Best bid above best ask.
    pub crossed: Spells,
    /// Best bid equal to best ask.
    pub locked: Spells,
    /// Events that did not fit the book.
    pub problems: BookProblems,
    /// Orders that rest at the end.
    pub resting_orders: u64,
    /// The most orders that rested at one time.
    pub most_orders: u64,
    /// Best bid and lots, best ask and lots at the end, in ticks and lots.
    pub best: [Option<(i64, u64)>; 2],
    /// Announced best prices against the book; `None` if none were announced.
    pub quotes: Option<QuoteAgreement>,
}

impl Summary {
    /// Events of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize]
    }
}

struct Track {
    book: FeedBook,
    summary: Summary,
    quotes: QuoteCheck,
    quoted: bool,
    stale: bool,
    latest_exchange: u64,
    latest_local: u64,
}

/// Follows a stream of events, one book an instrument.
#[derive(Default)]
pub struct Inspector {
    tracks: Vec<Option<Box<Track>>>,
    /// How many there are.
    books: usize,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").field("instruments", &self.books).finish()
    }
}

impl Inspector {
    /// An inspector that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The book of an instrument, if it has had an event.
    pub fn book(&self, instrument: usize) -> Option<&FeedBook> {
        self.track(instrument).map(|track| &track.book)
    }

    /// True while messages are missing from the book of an instrument.
    pub fn is_stale(&self, instrument: usize) -> bool {
        self.track(instrument).is_some_and(|track| track.stale)
    }

    fn track(&self, instrument: usize) -> Option<&Track> {
        self.tracks.get(instrument)?.as_deref()
    }

    /// Takes an event into account.
    pub fn see(&mut self, event: &MarketEvent) {
        let instrument = usize::from(event.instrument);
        if self.tracks.len() <= instrument {
            self.tracks.resize_with(instrument + 1, || None);
        }
        let books = &mut self.books;
        let track = self.tracks[instrument].get_or_insert_with(|| {
            // The windows of many books would not fit into the caches, those of thousands take much memory.
            let levels = match *books {
                0 => 4096,
                1..256 => 256,
                _ => 64,
            };
            *books += 1;
            Box::new(Track {
                book: FeedBook::new(levels),
                summary: Summary::default(),
                quotes: QuoteCheck::default(),
                quoted: false,
                stale: false,
                latest_exchange: 0,
                latest_local: 0,
            })
        });
        track.see(event);
    }

    /// What was seen, by instrument.
    pub fn finish(self) -> Vec<Summary> {
        self.tracks
            .into_iter()
            .map(|track| track.map_or_else(Summary::default, |track| track.finish()))
            .collect()
    }
}

/// Carries an event out on a book. Quotes, trades and notices change nothing.
///
/// # Errors
/// Why the event does not fit; `None` if it lacks the side that it needs.
#[inline]
pub fn apply(book: &mut FeedBook, event: &MarketEvent) -> Result<(), Option<FeedProblem>> {
    let side = || event.side.ok_or(None);
    match event.kind {
        Kind::Add => book.add(event.id, side()?, event.price, event.quantity).map_err(Some),
        Kind::Reduce | Kind::Execute => book.reduce(event.id, event.quantity).map(drop).map_err(Some),
        Kind::Modify => match book.modify(event.id, event.price, event.quantity) {
            // It says all that a new order would.
            Err(FeedProblem::UnknownOrder(id)) if let Some(side) = event.side => {
                book.add(id, side, event.price, event.quantity).map_err(Some)
            }
            done => done.map_err(Some),
        },
        Kind::Delete => book.delete(event.id).map(drop).map_err(Some),
        Kind::Replace => book.replace(event.reference, event.id, event.price, event.quantity).map_err(Some),
        Kind::Level => book.set_level(side()?, event.price, event.quantity).map_err(Some),
        Kind::SnapshotBegin => {
            book.clear();
            Ok(())
        }
        Kind::Clear => {
            match event.side {
                None => book.clear(),
                Some(side) => book.clear_side(side, event.has(MarketEvent::BOUNDED).then_some(event.price)),
            }
            Ok(())
        }
        Kind::Trade | Kind::Best | Kind::SnapshotEnd | Kind::Gap | Kind::Unchanged => Ok(()),
    }
}

/// Events that [`apply_all`] looks ahead.
const AHEAD: usize = 16;

/// Carries events of one instrument out on a book, as [`apply`] would one by one, but faster where many orders rest. `problem` hears of what does
/// not fit.
pub fn apply_all(
    book: &mut FeedBook,
    events: &[MarketEvent],
    mut problem: impl FnMut(&MarketEvent, Option<FeedProblem>),
) {
    for chunk in events.chunks(AHEAD) {
        book.warm(chunk.iter().filter_map(|event| match event.kind {
            Kind::Reduce | Kind::Execute | Kind::Modify | Kind::Delete => Some(event.id),
            Kind::Replace => Some(event.reference),
            _ => None,
        }));
        for event in chunk {
            if let Err(reason) = apply(book, event) {
                problem(event, reason);
            }
        }
    }
}

impl Track {
    fn see(&mut self, event: &MarketEvent) {
        let summary = &mut self.summary;
        summary.kinds[event.kind as usize] += 1;
        let (exchange, local) = (event.exchange_time.0, event.local_time.0);
        summary.exchange_time_backwards += u64::from(exchange < self.latest_exchange);
        summary.local_time_backwards += u64::from(local < self.latest_local);
        summary.received_before_sent += u64::from(local < exchange);
        self.latest_exchange = self.latest_exchange.max(exchange);
        self.latest_local = self.latest_local.max(local);
        let range = |range: &mut Option<(u64, u64)>, time| {
            *range = Some(range.map_or((time, time), |(low, high)| (low.min(time), high.max(time))));
        };
        range(&mut summary.exchange_time, exchange);
        range(&mut summary.local_time, local);

        match event.kind {
            Kind::Level if !event.has(MarketEvent::SNAPSHOT) => {
                if let Some(side) = event.side {
                    self.quotes.touch(side, event.price, &self.book);
                }
            }
            Kind::Best => {
                self.quoted = true;
                self.quotes.best(event.side, event.id, event.price, event.quantity, &self.book);
                return;
            }
            Kind::Gap => {
                self.stale = true;
                self.quotes.stale();
            }
            _ => {}
        }
        match apply(&mut self.book, event) {
            Ok(()) => {}
            Err(Some(problem)) => summary.problems.count(problem),
            Err(None) => summary.problems.no_side += 1,
        }
        if event.kind == Kind::SnapshotEnd {
            self.stale = false;
            self.quotes.resynchronised(event.id, &self.book);
        } else if matches!(event.kind, Kind::Level | Kind::Unchanged) && event.has(MarketEvent::LAST) {
            self.quotes.update(event.id, &self.book);
        }
        if !event.has(MarketEvent::LAST) || event.kind == Kind::Trade {
            return;
        }
        summary.stale.see(self.stale, local);
        summary.most_orders = summary.most_orders.max(self.book.order_count() as u64);
        let (bid, ask) = (self.book.best_price(Side::Buy), self.book.best_price(Side::Sell));
        let (mut crossed, mut locked) = (false, false);
        if let (Some(bid), Some(ask), false) = (bid, ask, self.stale) {
            (crossed, locked) = (bid > ask, bid == ask);
        }
        summary.crossed.see(crossed, local);
        summary.locked.see(locked, local);
    }

    fn finish(mut self) -> Summary {
        for spells in [&mut self.summary.stale, &mut self.summary.crossed, &mut self.summary.locked] {
            spells.end(self.latest_local);
        }
        self.summary.stale_at_end = self.stale;
        self.summary.resting_orders = self.book.order_count() as u64;
        self.summary.best =
            Side::BOTH.map(|side| self.book.best(side).map(|(price, lots)| (price.0, lots.0)));
        self.summary.quotes = self.quoted.then(|| self.quotes.finish());
        self.summary
    }
}

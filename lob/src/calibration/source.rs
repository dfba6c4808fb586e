//! A market's data in front of observers: from the events of a feed to those of a flow. `docs/calibration.md` has the rules.

use super::levels::Levels;
use super::orders::Orders;
use super::stage::{Span, Stage, Tally};
use super::{Grid, Observer};
use crate::data::market::{Kind, MarketEvent};
use crate::parameter::ParameterError;

/// Shows one instrument's market data to observers, as a flow on the grid of a model.
///
/// Level 3 and level 2 are told apart by the events. Memory is bounded by the orders (level 3) or prices (level 2) of the book, not by the
/// length of the data.
///
/// ```no_run
/// use lob::calibration::{Grid, MarketSource, ReferenceEstimator, ReferenceSettings, Span};
/// use lob::data::market::{ReadOptions, open};
///
/// let mut reader = open("btcusd.csv.xz", &ReadOptions::default())?;
/// let mut source = MarketSource::new(Grid { ticks: 10, lot: 1_000_000, levels: 50 }, Span::ALL)?;
/// let mut estimator = ReferenceEstimator::new(ReferenceSettings::new(50))?;
/// let mut events = Vec::new();
/// loop {
///     events.clear();
///     let more = reader.read(&mut events)?;
///     events.iter().for_each(|event| source.see(event, &mut [&mut estimator]));
///     if !more {
///         break;
///     }
/// }
/// source.end(&mut [&mut estimator]);
/// println!("{:?}", estimator.fit()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MarketSource {
    stage: Stage,
    orders: Orders,
    levels: Levels,
    /// The first stamp, in nanoseconds.
    origin: Option<u64>,
    latest: u64,
    kinds: [u64; Kind::ALL.len()],
    until: f64,
    missing: Missing,
}

/// Whether a book lacks something that only a snapshot brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// No. Feeds of levels need not begin with a snapshot: the first message is the book.
    Nothing,
    /// Messages are missing: what comes says nothing before a snapshot.
    Messages,
    /// A snapshot is under way.
    Snapshot,
}

impl MarketSource {
    /// A source that has seen nothing.
    ///
    /// # Errors
    /// What is not legal in the grid or the span.
    pub fn new(grid: Grid, span: Span) -> Result<Self, ParameterError> {
        grid.validate()?;
        span.validate()?;
        Ok(Self {
            stage: Stage::new(grid, span),
            orders: Orders::default(),
            levels: Levels::default(),
            origin: None,
            latest: 0,
            kinds: [0; Kind::ALL.len()],
            until: span.until,
            missing: Missing::Nothing,
        })
    }

    /// Takes an event of the feed, in the order of the file, and shows what it is in the flow.
    pub fn see(&mut self, event: &MarketEvent, observers: &mut [&mut dyn Observer]) {
        let stamp = event.exchange_time.0;
        let origin = *self.origin.get_or_insert(stamp);
        // Stamps that run backwards by a little are usual; the flow's clock does not.
        self.latest = self.latest.max(stamp);
        let time = seconds(origin, self.latest);
        self.kinds[event.kind as usize] += 1;
        if time > self.until {
            return;
        }
        let stage = &mut self.stage;
        match event.kind {
            Kind::Add | Kind::Reduce | Kind::Modify | Kind::Delete | Kind::Execute | Kind::Replace => {
                self.orders.see(event, time, stage, observers);
            }
            Kind::Level => match self.missing {
                Missing::Nothing => self.levels.level(event),
                Missing::Messages => {}
                Missing::Snapshot => self.levels.place(event, stage),
            },
            // Placeholders of the feed.
            Kind::Trade if event.quantity.is_zero() => stage.tally.unusable_trades += 1,
            Kind::Trade if self.orders.is_used() => stage.tally.off_book += 1,
            // A trade has a time of its own, which orders it among the updates.
            Kind::Trade => self.levels.trade(event, seconds(origin, stamp), stage),
            Kind::SnapshotBegin | Kind::Clear | Kind::Gap => {
                self.orders.flush(stage, observers);
                self.levels.flush(stage, observers);
                self.clear(event, time);
            }
            Kind::SnapshotEnd => {
                self.missing = Missing::Nothing;
                self.stage.set_stale(time, false);
            }
            Kind::Best | Kind::Unchanged => {}
        }
        if !(event.has(MarketEvent::LAST) || self.levels.is_full()) || self.missing != Missing::Nothing {
            return;
        }
        if self.stage.is_stale() && self.levels.is_reading() {
            self.levels.snapshot(&mut self.stage);
            self.stage.set_stale(time, false);
        } else if !self.stage.is_stale() {
            self.levels.message(time, &mut self.stage, observers);
        }
    }

    /// What empties the book or makes it stale.
    fn clear(&mut self, event: &MarketEvent, time: f64) {
        let stage = &mut self.stage;
        match (event.kind, event.side) {
            // From here on messages are missing.
            (Kind::Gap, _) => {
                self.missing = Missing::Messages;
                stage.set_stale(time, true);
            }
            (Kind::Clear, Some(side)) => {
                let to = event.has(MarketEvent::BOUNDED).then_some(event.price);
                self.levels.clear_side(side, to, stage);
            }
            (kind, _) => {
                self.orders.clear();
                self.levels.clear();
                stage.clear();
                if kind == Kind::SnapshotBegin {
                    self.missing = Missing::Snapshot;
                    stage.set_stale(time, true);
                }
            }
        }
    }

    /// Shows what is still held back, and the book as it stands at the end.
    pub fn end(&mut self, observers: &mut [&mut dyn Observer]) {
        self.orders.flush(&mut self.stage, observers);
        self.levels.flush(&mut self.stage, observers);
        let time = self.origin.map_or(0.0, |origin| seconds(origin, self.latest));
        self.stage.end(observers, time);
    }

    /// What was made of the events so far.
    pub fn tally(&self) -> &Tally {
        &self.stage.tally
    }

    /// Events of the feed by kind, in the order of [`Kind::ALL`].
    pub fn kinds(&self) -> &[u64; Kind::ALL.len()] {
        &self.kinds
    }

    /// First and latest stamp of the exchange, in nanoseconds; `None` before the first event.
    pub fn stamps(&self) -> Option<(u64, u64)> {
        self.origin.map(|origin| (origin, self.latest))
    }

    /// Says what the data lacks for a calibration.
    ///
    /// # Errors
    /// No events; no orders and no updates of levels; no trades; a book that never had two sides.
    pub fn check(&self) -> Result<(), ParameterError> {
        let count = |kinds: &[Kind]| kinds.iter().map(|&kind| self.kinds[kind as usize]).sum::<u64>();
        let lacks = |value: &str, legal: &str| Err(ParameterError::new("events", value, legal));
        if self.origin.is_none() {
            return lacks("an empty list", "market data of one instrument");
        }
        if count(&[Kind::Add, Kind::Level]) == 0 {
            return lacks("without orders or levels", "level 3 (orders) or level 2 (levels and trades) data");
        }
        if self.stage.tally.valid_seconds <= 0.0 {
            return lacks("a book that never had two sides", "a book with bids and asks within the span");
        }
        let is_level_2 = count(&[Kind::Level]) > 0;
        if is_level_2 && count(&[Kind::Trade]) == 0 {
            return lacks(
                "levels without trades",
                "level 2 data with trades: they tell market orders from cancellations",
            );
        }
        if self.stage.tally.shown[0] == [0, 0] {
            return lacks("without trades", "data with trades within the span");
        }
        Ok(())
    }
}

fn seconds(origin: u64, stamp: u64) -> f64 {
    stamp.saturating_sub(origin) as f64 / 1e9
}

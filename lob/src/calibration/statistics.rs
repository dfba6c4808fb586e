//! What a market looks like, in numbers that can be set against another's.

use serde::Serialize;

use super::distribution::{Distribution, Histogram, Scale};
use super::event_times::event_type;
use super::moments::Moments;
use super::response::{RESPONSE_LAGS, Response, Signs};
use super::sampled::Sampled;
use super::stretch::{Continuity, Watch};
use super::{BookState, FlowEvent, FlowEventKind, Observer};
use crate::flow::{EVENT_TYPE_NAMES, EVENT_TYPES, MAX_LEVELS};

/// Batches of time that standard errors come from: between half as many and so many.
const BATCHES: usize = 64;
/// Over gaps that are no longer than this, in seconds, moves of the mid and the memory of signs go on.
const BRIDGED: f64 = 60.0;
/// The first length of a batch in seconds.
const FIRST_BATCH: f64 = 1.0;

/// How often a type of event comes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRate {
    /// One of [`EVENT_TYPE_NAMES`].
    pub name: &'static str,
    /// How many there were.
    pub events: u64,
    /// How many a second.
    pub per_second: f64,
    /// Standard error of that, by batches of time, so that clusters are allowed for.
    pub standard_error: Option<f64>,
}

/// How much the mid moves over some time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Volatility {
    /// The time, in seconds.
    pub seconds: f64,
    /// Root of the mean squared change of the mid over it, divided by its root: ticks per root second.
    pub ticks: Option<f64>,
    /// Its standard error, as if changes that do not overlap were independent.
    pub standard_error: Option<f64>,
    /// Changes behind it, overlapping.
    pub changes: u64,
}

/// Where the mid is some time after a market order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImpactPoint {
    /// The time, in seconds; 0 is the book that the order leaves.
    pub seconds: f64,
    /// Mean move of the mid since before the order, in ticks in its direction.
    pub ticks: Option<f64>,
    /// Its standard error, as if orders were independent.
    pub standard_error: Option<f64>,
    /// Orders behind it.
    pub orders: u64,
}

/// The statistics of a market. Prices in ticks and sizes in lots of the model's grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarketStatistics {
    /// Time that counts, in seconds: the book valid.
    pub seconds: f64,
    /// Stretches of it: one more than gaps.
    pub stretches: u64,
    /// Share of it in which a side was empty (as far as the book is seen).
    pub empty_side_share: f64,
    /// The spread by time.
    pub spread: Distribution,
    /// Standard error of its mean, by batches of time.
    pub spread_error: Option<f64>,
    /// Mean lots of the bids (first) and the asks at distance 1, 2, ... from the opposite best, by time.
    pub depth: [Vec<f64>; 2],
    /// Standard error of the mean lots at distance 1, both sides averaged.
    pub depth_error: Option<f64>,
    /// Events of each type.
    pub rates: Vec<EventRate>,
    /// Seconds between an event of any type and the next.
    pub inter_event_times: Distribution,
    /// The mid's moves at several scales.
    pub volatility: Vec<Volatility>,
    /// Market orders.
    pub market_orders: u64,
    /// Autocorrelation of their signs at lags 1, 2, ...
    pub sign_autocorrelation: Vec<Option<f64>>,
    /// The mid after market orders.
    pub impact: Vec<ImpactPoint>,
    /// Lots of market orders, limit orders and cancellations.
    pub sizes: [Distribution; 3],
}

/// Sums over a batch of time.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    events: [f64; EVENT_TYPES],
    seconds: f64,
    two_sided: f64,
    spread: f64,
    depth: f64,
}

impl Batch {
    fn add(&mut self, other: &Self) {
        self.events.iter_mut().zip(other.events).for_each(|(sum, events)| *sum += events);
        self.seconds += other.seconds;
        self.two_sided += other.two_sided;
        self.spread += other.spread;
        self.depth += other.depth;
    }
}

/// Measures a market, as far as the window reaches that it is shown. Memory does not grow with its length.
#[derive(Clone, Debug)]
pub struct StatisticsObserver {
    watch: Watch,
    stretches: u64,
    seconds: f64,
    two_sided: f64,
    spread: Histogram,
    depth: [Vec<f64>; 2],
    gaps: Histogram,
    last_event: Option<f64>,
    /// Until when the book was last seen valid, in seconds.
    seen_until: Option<f64>,
    sizes: [Histogram; 3],
    counts: [u64; EVENT_TYPES],
    signs: Signs,
    response: Response,
    sampled: Sampled,
    batches: Vec<Batch>,
    batch_seconds: f64,
}

impl Default for StatisticsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl StatisticsObserver {
    /// One that has seen nothing.
    pub fn new() -> Self {
        let sizes = || Histogram::new(Scale::Whole);
        Self {
            watch: Watch::default(),
            stretches: 0,
            seconds: 0.0,
            two_sided: 0.0,
            spread: Histogram::new(Scale::Whole),
            depth: [Vec::new(), Vec::new()],
            gaps: Histogram::new(Scale::Logarithmic),
            last_event: None,
            seen_until: None,
            sizes: [sizes(), sizes(), sizes()],
            counts: [0; EVENT_TYPES],
            signs: Signs::new(),
            response: Response::new(),
            sampled: Sampled::new(),
            batches: vec![Batch::default()],
            batch_seconds: FIRST_BATCH,
        }
    }

    /// Time goes on to `time` in the state before; says whether that counts.
    fn pass(&mut self, before: &BookState<'_>, time: f64) -> bool {
        match self.watch.see(before, time) {
            Continuity::Invalid => {
                self.last_event = None;
                return false;
            }
            Continuity::Begins => {
                self.stretches += 1;
                self.last_event = None;
                if self.seen_until.is_some_and(|until| before.since - until <= BRIDGED) {
                    // The book is the same market's: moves over the gap are moves.
                    self.sampled.hold(before.since, None);
                    self.response.hold(before.since, None);
                } else {
                    self.signs.forget();
                    self.response.forget();
                    self.sampled.begin(before.since);
                }
            }
            Continuity::Continues => {}
        }
        self.seen_until = Some(time);
        let mid = twice_mid(before);
        self.sampled.hold(time, mid);
        self.response.hold(time, mid);
        let seconds = time - before.since;
        let mut part = Batch { seconds, ..Batch::default() };
        if let [Some(bid), Some(ask)] = before.best
            && seconds > 0.0
        {
            let spread = (ask.0 - bid.0) as f64;
            self.spread.add(spread, seconds);
            (part.two_sided, part.spread) = (seconds, spread * seconds);
            for (sums, lots) in self.depth.iter_mut().zip(before.depth) {
                if sums.len() < lots.len().min(MAX_LEVELS) {
                    sums.resize(lots.len().min(MAX_LEVELS), 0.0);
                }
                for (sum, &lots) in sums.iter_mut().zip(lots) {
                    *sum += lots as f64 * seconds;
                }
                part.depth += 0.5 * lots.first().map_or(0.0, |&lots| lots as f64) * seconds;
            }
        }
        self.seconds += seconds;
        self.two_sided += part.two_sided;
        self.batch(&part);
        true
    }

    /// A stretch of one state longer than a batch stays in one: rare enough not to matter for an error.
    fn batch(&mut self, part: &Batch) {
        if self.batches.last().is_none_or(|last| last.seconds >= self.batch_seconds) {
            if self.batches.len() == BATCHES {
                let pairs = self.batches.chunks_exact(2).map(|pair| {
                    let mut sum = pair[0];
                    sum.add(&pair[1]);
                    sum
                });
                self.batches = pairs.collect();
                self.batch_seconds *= 2.0;
            }
            self.batches.push(Batch::default());
        }
        if let Some(last) = self.batches.last_mut() {
            last.add(part);
        }
    }

    /// Standard error of the mean of a quantity per second of `time`, from batches that are full.
    fn error(&self, of: impl Fn(&Batch) -> f64, time: impl Fn(&Batch) -> f64) -> Option<f64> {
        let full = self.batches.iter().filter(|batch| batch.seconds >= self.batch_seconds);
        let mut moments = Moments::default();
        full.filter(|batch| time(batch) > 0.0).for_each(|batch| moments.add(of(batch) / time(batch)));
        moments.error()
    }

    /// The statistics of what was seen so far.
    pub fn statistics(&self) -> MarketStatistics {
        let two_sided = self.two_sided.max(f64::MIN_POSITIVE);
        let mean = |side: usize| self.depth[side].iter().map(|sum| sum / two_sided).collect();
        let rate = |(kind, name): (usize, &&'static str)| EventRate {
            name,
            events: self.counts[kind],
            per_second: if self.seconds > 0.0 { self.counts[kind] as f64 / self.seconds } else { 0.0 },
            standard_error: self.error(|batch| batch.events[kind], |batch| batch.seconds),
        };
        let impact =
            RESPONSE_LAGS.iter().zip(&self.response.moments).map(|(&seconds, moments)| ImpactPoint {
                seconds,
                ticks: moments.mean(),
                standard_error: moments.error(),
                orders: moments.count(),
            });
        let volatility = self.sampled.volatility().into_iter().map(|scaled| Volatility {
            seconds: scaled.seconds,
            ticks: scaled.value,
            standard_error: scaled.error,
            changes: scaled.changes,
        });
        MarketStatistics {
            seconds: self.seconds,
            stretches: self.stretches,
            empty_side_share: if self.seconds > 0.0 { 1.0 - self.two_sided / self.seconds } else { 0.0 },
            spread: self.spread.distribution(),
            spread_error: self.error(|batch| batch.spread, |batch| batch.two_sided),
            depth: [mean(0), mean(1)],
            depth_error: self.error(|batch| batch.depth, |batch| batch.two_sided),
            rates: EVENT_TYPE_NAMES.iter().enumerate().map(rate).collect(),
            inter_event_times: self.gaps.distribution(),
            volatility: volatility.collect(),
            market_orders: self.signs.count(),
            sign_autocorrelation: self.signs.correlations(),
            impact: impact.collect(),
            sizes: std::array::from_fn(|kind| self.sizes[kind].distribution()),
        }
    }
}

impl Observer for StatisticsObserver {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        // Beyond the window no flow acts.
        let seen = event.distance as usize <= before.depth[event.side.index()].len();
        if !self.pass(&before, event.time) || !seen {
            return;
        }
        let kind = event_type(event);
        self.counts[kind] += 1;
        if let Some(batch) = self.batches.last_mut() {
            batch.events[kind] += 1.0;
        }
        self.sizes[kind / 2].add(event.lots as f64, 1.0);
        if let Some(last) = self.last_event.replace(event.time) {
            self.gaps.add(event.time - last, 1.0);
        }
        if event.kind == FlowEventKind::Market {
            self.signs.add(event.side);
            self.response.order(event.time, event.side, twice_mid(&before));
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.pass(&last, time);
    }
}

/// Twice the mid in ticks; `None` where a side is empty.
fn twice_mid(state: &BookState<'_>) -> Option<i64> {
    let [Some(bid), Some(ask)] = state.best else { return None };
    Some(bid.0 + ask.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Price, Side};

    fn state(since: f64, bid: i64, ask: i64, valid: bool) -> BookState<'static> {
        BookState { since, best: [Some(Price(bid)), Some(Price(ask))], depth: [&[3, 1], &[5, 1]], valid }
    }

    fn event(time: f64, kind: FlowEventKind, side: Side, lots: u64) -> FlowEvent {
        let distance = u32::from(kind != FlowEventKind::Market);
        FlowEvent { time, kind, side, distance, lots }
    }

    #[test]
    fn a_small_market_is_measured_by_hand() {
        let mut observer = StatisticsObserver::new();
        observer.event(state(0.0, 10, 11, true), &event(2.0, FlowEventKind::Market, Side::Buy, 4));
        observer.event(state(2.0, 10, 13, true), &event(3.0, FlowEventKind::Limit, Side::Sell, 2));
        observer.event(state(3.0, 10, 11, false), &event(50.0, FlowEventKind::Limit, Side::Sell, 9));
        observer.event(state(60.0, 10, 11, true), &event(61.0, FlowEventKind::Cancel, Side::Buy, 1));
        observer.end(state(61.0, 9, 11, true), 64.0);
        let found = observer.statistics();
        assert_eq!((found.seconds, found.stretches, found.empty_side_share), (7.0, 2, 0.0));
        // Spread 1 for 2 + 1 s, 3 for 1 s, 2 for 3 s.
        assert!((found.spread.mean.unwrap() - 12.0 / 7.0).abs() < 1e-12);
        assert_eq!(found.depth, [vec![3.0, 1.0], vec![5.0, 1.0]]);
        let counts: Vec<u64> = found.rates.iter().map(|rate| rate.events).collect();
        assert_eq!(counts, [1, 0, 0, 1, 1, 0]);
        assert!((found.rates[0].per_second - 1.0 / 7.0).abs() < 1e-12);
        assert_eq!((found.inter_event_times.weight, found.inter_event_times.mean), (1.0, Some(1.0)));
        // The market order moved the mid from 10.5 to 11.5; a second later the book is not valid, after the gap the mid is 10.5 and then 10.
        assert_eq!((found.impact[0].ticks, found.impact[4].orders), (Some(1.0), 0));
        assert_eq!((found.impact[9].ticks, found.impact[9].orders), (Some(-0.5), 1));
        assert_eq!((found.sizes[0].mean, found.market_orders), (Some(4.0), 1));
    }
}

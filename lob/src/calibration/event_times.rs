//! When which type of event happened: what a point process is fitted to.

use rand_xoshiro::rand_core::SeedableRng;

use super::stretch::{Continuity, Watch};
use super::{BookState, FlowEvent, FlowEventKind, Observer};
use crate::flow::{Activity, EVENT_TYPES};
use crate::random::open_unit;
use crate::sim::SimRng;

/// The place of an event in [`EVENT_TYPE_NAMES`](crate::flow::EVENT_TYPE_NAMES).
pub(super) fn event_type(event: &FlowEvent) -> usize {
    let kind = match event.kind {
        FlowEventKind::Market => 0,
        FlowEventKind::Limit => 1,
        FlowEventKind::Cancel => 2,
    };
    2 * kind + event.side.index()
}

/// A stretch of time without a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    start: f64,
    end: f64,
    /// Events of this stretch and of those before.
    last: usize,
}

/// Times and types of events, by stretches of time without a gap. 16 bytes an event.
///
/// Time in which the book is not valid, and what happens in it, does not count; after such a gap a new stretch begins whose past is unknown.
#[derive(Clone, Debug, Default)]
pub struct EventTimes {
    events: Vec<(f64, u8)>,
    stretches: Vec<Stretch>,
    watch: Watch,
}

impl EventTimes {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a stretch at `start` (s), not before the end of the last: for times that come from elsewhere than an observed market.
    pub fn begin(&mut self, start: f64) {
        self.stretches.push(Stretch { start, end: start, last: self.events.len() });
    }

    /// Adds an event of a type (0 to 5, in the order of [`EVENT_TYPE_NAMES`](crate::flow::EVENT_TYPE_NAMES)) at `time` (s), not before the
    /// last one. Without a stretch, or with another type, it is ignored.
    pub fn push(&mut self, time: f64, kind: usize) {
        if let Some(stretch) = self.stretches.last_mut().filter(|_| kind < EVENT_TYPES) {
            self.events.push((time, kind as u8));
            stretch.end = stretch.end.max(time);
            stretch.last = self.events.len();
        }
    }

    /// Extends the stretch to `end` (s): the time without events after its last one counts too.
    pub fn finish(&mut self, end: f64) {
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.end = stretch.end.max(end);
        }
    }

    /// Events of each type.
    pub fn counts(&self) -> [u64; EVENT_TYPES] {
        let mut counts = [0; EVENT_TYPES];
        for &(_, kind) in &self.events {
            counts[usize::from(kind)] += 1;
        }
        counts
    }

    /// All events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Time that counts, in seconds.
    pub fn seconds(&self) -> f64 {
        self.stretches.iter().map(|stretch| stretch.end - stretch.start).sum()
    }

    /// How many stretches there are: one more than gaps.
    pub fn stretches(&self) -> usize {
        self.stretches.len()
    }

    fn see(&mut self, before: &BookState<'_>, time: f64) -> bool {
        match self.watch.see(before, time) {
            Continuity::Invalid => return false,
            Continuity::Begins => self.begin(before.since),
            Continuity::Continues => {}
        }
        self.finish(time);
        true
    }

    /// The steps that a likelihood goes through: at most the first `most` events, simultaneous ones spread over at most `spread` seconds before
    /// their stamp.
    pub(super) fn path(&self, activity: &Activity, spread: f64, most: usize) -> Path {
        let mut path = Path::default();
        let mut rng = SimRng::seed_from_u64(TIES_SEED);
        let mut times: Vec<f64> = Vec::new();
        let mut first = 0;
        for stretch in &self.stretches {
            let events = &self.events[first..stretch.last];
            first = stretch.last;
            let room = most - path.counts.iter().sum::<u64>() as usize;
            if room == 0 {
                break;
            }
            let cut = events.len().min(room);
            // Cut where events are left over, and at the stretch's end where none are.
            let end = if cut < events.len() { events[cut - 1].0 } else { stretch.end };
            let events = &events[..cut];
            times.clear();
            untie(events, stretch.start, spread, &mut rng, &mut times);
            let mut last = stretch.start;
            for (&(_, kind), &time) in events.iter().zip(&times) {
                path.steps.push(Step { wait: time - last, activity: activity.at(time), kind });
                path.counts[usize::from(kind)] += 1;
                last = time;
            }
            path.steps.push(Step { wait: (end - last).max(0.0), activity: 0.0, kind: END });
            path.starts.push(stretch.start);
            path.activity += activity.integral(stretch.start, end);
            path.seconds += end - stretch.start;
        }
        path
    }
}

impl Observer for EventTimes {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        if self.see(&before, event.time) {
            self.push(event.time, event_type(event));
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

/// The spreading is part of an estimate: the same data gives the same numbers.
const TIES_SEED: u64 = 0x7469_6573;

/// Times in which events of one stamp are spread at random, in their order, over the `spread` seconds up to it, but not back beyond
/// the stamp before. A clock that is too coarse, or a feed that is sent in batches, would otherwise say that events excite others infinitely fast.
fn untie(events: &[(f64, u8)], start: f64, spread: f64, rng: &mut SimRng, times: &mut Vec<f64>) {
    let mut before = start;
    for group in events.chunk_by(|one, next| one.0 == next.0) {
        let stamp = group[0].0;
        if group.len() == 1 {
            times.push(stamp);
        } else {
            let width = spread.min(stamp - before).max(0.0);
            let first = times.len();
            times.extend(group.iter().map(|_| stamp - width * open_unit(rng)));
            times[first..].sort_by(f64::total_cmp);
        }
        before = stamp;
    }
}

/// The kind of a step that ends a stretch: what excited is forgotten.
pub(super) const END: u8 = EVENT_TYPES as u8;

/// A wait, and what came after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Seconds since the step before.
    pub(super) wait: f64,
    /// The profile's multiplier at the end of it.
    pub(super) activity: f64,
    /// A type of event, or [`END`].
    pub(super) kind: u8,
}

/// Events in the form a likelihood reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// When each stretch begins, in seconds.
    pub(super) starts: Vec<f64>,
    /// Integral of the profile over the time that counts, in seconds.
    pub(super) activity: f64,
    pub(super) counts: [u64; EVENT_TYPES],
    pub(super) seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Profile;
    use crate::{Price, Side};

    fn state(since: f64, valid: bool) -> BookState<'static> {
        BookState { since, best: [Some(Price(10)), Some(Price(11))], depth: [&[1], &[1]], valid }
    }

    fn market_buy(time: f64) -> FlowEvent {
        FlowEvent { time, kind: FlowEventKind::Market, side: Side::Buy, distance: 0, lots: 1 }
    }

    #[test]
    fn a_stale_book_makes_a_gap() {
        let mut times = EventTimes::new();
        times.event(state(0.0, true), &market_buy(1.0));
        times.event(state(1.0, true), &market_buy(3.0));
        times.event(state(3.0, false), &market_buy(5.0));
        times.event(state(7.0, true), &market_buy(8.0));
        times.end(state(8.0, true), 10.0);
        assert_eq!((times.len(), times.stretches(), times.seconds()), (3, 2, 6.0));
        assert_eq!(times.counts(), [3, 0, 0, 0, 0, 0]);
        let path = times.path(&Profile::Flat.compile().unwrap(), 0.0, usize::MAX);
        let steps: Vec<(f64, u8)> = path.steps.iter().map(|step| (step.wait, step.kind)).collect();
        assert_eq!(steps, [(1.0, 0), (2.0, 0), (0.0, END), (1.0, 0), (2.0, END)]);
        assert_eq!(path.seconds, 6.0);
    }

    #[test]
    fn simultaneous_events_are_spread_in_their_order_and_within_reach() {
        let mut times = EventTimes::new();
        times.begin(0.0);
        for (time, kind) in [(1.0, 0), (1.5, 1), (1.5, 2), (1.5, 3), (9.0, 4), (9.0, 5)] {
            times.push(time, kind);
        }
        times.finish(9.0);
        let path = times.path(&Profile::Flat.compile().unwrap(), 2.0, usize::MAX);
        let mut now = 0.0;
        let spread: Vec<(f64, u8)> = path
            .steps
            .iter()
            .map(|step| {
                now += step.wait;
                (now, step.kind)
            })
            .collect();
        assert_eq!(spread.iter().map(|step| step.1).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, END]);
        assert!(spread.is_sorted_by(|one, next| one.0 <= next.0));
        assert!(spread[1..4].iter().all(|step| step.0 > 1.0 && step.0 <= 1.5), "{spread:?}");
        assert!(spread[4..6].iter().all(|step| step.0 > 7.0 && step.0 <= 9.0), "{spread:?}");
        assert!(spread[1].0 < spread[2].0 && spread[4].0 < spread[5].0);
    }
}

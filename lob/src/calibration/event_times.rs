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

/// Times and types of events, and the stretches of time in which they count. 16 bytes an event.
///
/// Time in which the book is not valid does not count, and what is seen to happen in it is no observation; but it excites what comes after, and what came
/// before goes on doing so. What happened before the first stretch is not known, and counts as nothing.
#[derive(Clone, Debug, Default)]
pub struct EventTimes {
    /// Times and marks, in order.
    marks: Vec<(f64, u8)>,
    counts: [u64; EVENT_TYPES],
    stretches: usize,
    /// Seconds of the stretches that have ended.
    seconds: f64,
    /// Beginning and end so far of the stretch that goes on.
    open: Option<(f64, f64)>,
    watch: Watch,
}

impl EventTimes {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a stretch at `start` (s), not before the end of the last: for times that come from elsewhere than an observed market.
    pub fn begin(&mut self, start: f64) {
        self.leave();
        self.marks.push((start, BEGIN));
        self.stretches += 1;
        self.open = Some((start, start));
    }

    /// Ends the stretch that goes on: until the next begins, events only excite.
    pub fn leave(&mut self) {
        if let Some((start, end)) = self.open.take() {
            self.marks.push((end, END));
            self.seconds += end - start;
        }
    }

    /// Adds an event of a type (0 to 5, in the order of [`EVENT_TYPE_NAMES`](crate::flow::EVENT_TYPE_NAMES)) at `time` (s), not before the
    /// last one. Outside a stretch it only excites others; with another type it is ignored.
    pub fn push(&mut self, time: f64, kind: usize) {
        if kind >= EVENT_TYPES {
            return;
        }
        match &mut self.open {
            Some((_, end)) => {
                *end = end.max(time);
                self.marks.push((time, kind as u8));
                self.counts[kind] += 1;
            }
            None => self.marks.push((time, UNSEEN + kind as u8)),
        }
    }

    /// Extends the stretch to `end` (s): the time without events after its last one counts too.
    pub fn finish(&mut self, end: f64) {
        if let Some(open) = &mut self.open {
            open.1 = open.1.max(end);
        }
    }

    /// Events of each type, as far as they count.
    pub fn counts(&self) -> [u64; EVENT_TYPES] {
        self.counts
    }

    /// All events that count.
    pub fn len(&self) -> usize {
        self.counts.iter().sum::<u64>() as usize
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Time that counts, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds + self.open.map_or(0.0, |(start, end)| end - start)
    }

    /// How many stretches there are: one more than gaps.
    pub fn stretches(&self) -> usize {
        self.stretches
    }

    /// Time goes on to `time` (s) in the state before.
    pub(super) fn see(&mut self, before: &BookState<'_>, time: f64) {
        match self.watch.see(before, time) {
            Continuity::Invalid => self.leave(),
            Continuity::Begins => {
                self.begin(before.since);
                self.finish(time);
            }
            Continuity::Continues => self.finish(time),
        }
    }

    /// The steps that a likelihood goes through: at most the first `most` events, simultaneous ones spread over at most `spread` seconds before
    /// their stamp.
    pub(super) fn path(&self, activity: &Activity, spread: f64, most: usize) -> Path {
        let mut path = Path::default();
        let end = self.open.map(|(_, end)| (end, END));
        let times = untie(&self.marks, spread);
        let mut now = self.marks.first().map_or(0.0, |mark| mark.0);
        path.start = now;
        let (mut begun, mut left) = (None, most);
        let marks =
            self.marks.iter().map(|mark| mark.1).zip(times).chain(end.map(|(time, kind)| (kind, time)));
        for (mut kind, time) in marks {
            if usize::from(kind) < EVENT_TYPES {
                if left == 0 {
                    kind = END;
                } else {
                    left -= 1;
                    path.counts[usize::from(kind)] += 1;
                }
            }
            path.steps.push(Step { wait: (time - now).max(0.0), activity: activity.at(time), kind });
            now = now.max(time);
            match kind {
                BEGIN => begun = Some(now),
                END => {
                    let from = begun.take().unwrap_or(now);
                    path.activity += activity.integral(from, now);
                    path.seconds += now - from;
                    if left == 0 {
                        break;
                    }
                }
                _ => {}
            }
        }
        path
    }
}

impl Observer for EventTimes {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        self.see(&before, event.time);
        self.push(event.time, event_type(event));
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

/// The spreading is part of an estimate: the same data gives the same numbers.
const TIES_SEED: u64 = 0x7469_6573;

/// Times in which events of one stamp are spread at random, in their order, over the `spread` seconds up to it, but not back beyond
/// the stamp before. A clock that is too coarse, or a feed that is sent in batches, would otherwise say that events excite others infinitely fast.
fn untie(marks: &[(f64, u8)], spread: f64) -> Vec<f64> {
    let mut rng = SimRng::seed_from_u64(TIES_SEED);
    let mut times = Vec::with_capacity(marks.len());
    let mut before = f64::NEG_INFINITY;
    let is_event = |mark: &(f64, u8)| mark.1 != BEGIN && mark.1 != END;
    for group in marks.chunk_by(|one, next| one.0 == next.0 && is_event(one) && is_event(next)) {
        let stamp = group[0].0;
        if group.len() == 1 {
            times.push(stamp);
        } else {
            let width = spread.min(stamp - before).max(0.0);
            let first = times.len();
            times.extend(group.iter().map(|_| stamp - width * open_unit(&mut rng)));
            times[first..].sort_by(f64::total_cmp);
        }
        before = stamp;
    }
    times
}

/// A step at which time ceases to count.
pub(super) const END: u8 = EVENT_TYPES as u8;
/// A step from which on time counts.
pub(super) const BEGIN: u8 = END + 1;
/// Added to the type of an event that does not count.
pub(super) const UNSEEN: u8 = 8;

/// A wait, and what came after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Seconds since the step before.
    pub(super) wait: f64,
    /// The profile's multiplier at the end of it.
    pub(super) activity: f64,
    /// A type of event, [`END`], [`BEGIN`], or a type and [`UNSEEN`].
    pub(super) kind: u8,
}

/// Events in the form a likelihood reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// When the first step begins, in seconds.
    pub(super) start: f64,
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
        let expected =
            [(0.0, BEGIN), (1.0, 0), (2.0, 0), (0.0, END), (2.0, UNSEEN), (2.0, BEGIN), (1.0, 0), (2.0, END)];
        assert_eq!(steps, expected);
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
        assert_eq!(spread.iter().map(|step| step.1).collect::<Vec<_>>(), [BEGIN, 0, 1, 2, 3, 4, 5, END]);
        assert!(spread.is_sorted_by(|one, next| one.0 <= next.0));
        assert!(spread[2..5].iter().all(|step| step.0 > 1.0 && step.0 <= 1.5), "{spread:?}");
        assert!(spread[5..7].iter().all(|step| step.0 > 7.0 && step.0 <= 9.0), "{spread:?}");
        assert!(spread[2].0 < spread[3].0 && spread[5].0 < spread[6].0);
    }
}

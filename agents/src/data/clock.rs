//! What the stamps of a file say of it: stretches without any event, and events that are out of order.

use lob::Nanos;
use lob::data::market::MarketEvent;
use serde::Serialize;

/// Stretches and stamps that are listed; the others are only counted.
const LISTED: usize = 20;

/// Stretches of local time without an event of any instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Silences {
    /// From how many nanoseconds on one counts.
    pub threshold_ns: u64,
    /// How many there are.
    pub count: u64,
    /// Nanoseconds of all together.
    pub nanoseconds: u64,
    /// Nanoseconds of the longest.
    pub longest_nanoseconds: u64,
    /// The first of them.
    pub first: Vec<Silence>,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Local stamp of the event before it, ns.
    pub from: u64,
    /// Local stamp of the event behind it, ns.
    pub to: u64,
    /// The event behind it, counted from 1.
    pub event: u64,
}

/// An event whose stamp lies before that of an earlier event of the same instrument; the first of several with one stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfOrder {
    /// The event, counted from 1 over all instruments.
    pub event: u64,
    /// The line or record is one of these.
    pub records: (u64, u64),
    /// `exchange` or `local`.
    pub clock: &'static str,
    /// Its stamp, ns.
    pub stamp: u64,
    /// By how much it lies before the latest stamp, ns.
    pub behind_ns: u64,
}

/// Follows the stamps of a stream of events.
#[derive(Debug)]
pub(super) struct Clock {
    silences: Silences,
    out_of_order: Vec<OutOfOrder>,
    events: u64,
    latest_local: Option<u64>,
    /// Latest exchange and local stamp by instrument, and those of its event before.
    latest: Vec<[(u64, u64); 2]>,
}

impl Clock {
    pub(super) fn new(threshold: Nanos) -> Self {
        Self {
            silences: Silences { threshold_ns: threshold.0, ..Silences::default() },
            out_of_order: Vec::new(),
            events: 0,
            latest_local: None,
            latest: Vec::new(),
        }
    }

    /// Takes the events that one call of the reader gave, from these records, into account.
    pub(super) fn see(&mut self, events: &[MarketEvent], records: (u64, u64)) {
        for event in events {
            self.events += 1;
            let local = event.local_time.0;
            let latest = *self.latest_local.get_or_insert(local);
            let silence = local.saturating_sub(latest);
            if silence >= self.silences.threshold_ns && silence > 0 {
                self.silence(latest, local);
            }
            self.latest_local = Some(latest.max(local));
            let instrument = usize::from(event.instrument);
            if instrument >= self.latest.len() {
                self.latest.resize(instrument + 1, [(0, 0); 2]);
            }
            let clocks = [("exchange", event.exchange_time.0), ("local", local)];
            for ((clock, stamp), (latest, before)) in clocks.into_iter().zip(&mut self.latest[instrument]) {
                if stamp < *latest && stamp != *before && self.out_of_order.len() < LISTED {
                    let behind_ns = *latest - stamp;
                    let event = self.events;
                    self.out_of_order.push(OutOfOrder { event, records, clock, stamp, behind_ns });
                }
                *latest = stamp.max(*latest);
                *before = stamp;
            }
        }
    }

    fn silence(&mut self, from: u64, to: u64) {
        let silences = &mut self.silences;
        silences.count += 1;
        silences.nanoseconds += to - from;
        silences.longest_nanoseconds = silences.longest_nanoseconds.max(to - from);
        if silences.first.len() < LISTED {
            silences.first.push(Silence { from, to, event: self.events });
        }
    }

    pub(super) fn finish(self) -> (Silences, Vec<OutOfOrder>) {
        (self.silences, self.out_of_order)
    }
}

#[cfg(test)]
mod tests {
    use lob::data::market::Kind;

    use super::*;

    #[test]
    fn silences_are_counted_from_the_threshold_on_and_late_stamps_do_not_make_them() {
        let event = |exchange, local| MarketEvent::new(Kind::Trade, Nanos(exchange), Nanos(local));
        let mut clock = Clock::new(Nanos(10));
        clock.see(&[event(5, 100), event(5, 109), event(4, 119)], (1, 3));
        clock.see(&[event(6, 110), event(6, 110), event(7, 128), event(8, 150)], (4, 6));
        let (silences, out_of_order) = clock.finish();
        assert_eq!((silences.count, silences.nanoseconds, silences.longest_nanoseconds), (2, 10 + 22, 22));
        assert_eq!(silences.first[1], Silence { from: 128, to: 150, event: 7 });
        let places: Vec<_> = out_of_order
            .iter()
            .map(|place| (place.event, place.records, place.clock, place.stamp, place.behind_ns))
            .collect();
        assert_eq!(places, [(3, (1, 3), "exchange", 4, 1), (4, (4, 6), "local", 110, 9)]);
    }
}

//! The chain of update numbers: when an update may be applied, and when the book is stale.
//!
//! The rules are those of Binance's "How to manage a local order book correctly", for spot and for USD-M futures: updates that arrive before
//! a snapshot wait for it; the first one applied must reach across the snapshot's number; from then on each must continue the one
//! before (spot: `U` = previous `u` + 1; futures: `pu` = previous `u`).

use super::scan::Pair;

/// Bytes of updates that wait for a snapshot; beyond it the oldest are given up.
const HELD_BYTES: usize = 64 << 20;

/// The numbers of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Futures: the last number of the update before.
    pub(super) previous: Option<u64>,
}

/// An update that waits for a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) numbers: Numbers,
    pub(super) time: u64,
    pub(super) bids: usize,
    pub(super) levels: Vec<Pair>,
}

impl Held {
    /// Memory that it takes: an update without levels takes some too, twice its size where the queue of them has just grown.
    fn bytes(&self) -> usize {
        2 * size_of::<Self>() + self.levels.capacity() * size_of::<Pair>()
    }
}

/// What to do with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Apply it.
    Apply,
    /// Apply it; it repeats a part of what was applied.
    Overlaps,
    /// Nothing new in it.
    Old,
    /// Updates before it are missing.
    Gap,
    /// There is no book yet: hold it.
    Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No book, or a stale one.
    Unsynchronised,
    /// A snapshot of this number, and no update behind it yet.
    Snapshot(u64),
    /// Up to this number.
    Following(u64),
}

#[derive(Clone, Debug)]
pub(super) struct Chain {
    state: State,
    pub(super) held: std::collections::VecDeque<Held>,
    held_bytes: usize,
}

impl Chain {
    pub(super) fn new() -> Self {
        Self { state: State::Unsynchronised, held: std::collections::VecDeque::new(), held_bytes: 0 }
    }

    /// The number that the book has reached; `None` if there is none or it is stale.
    pub(super) fn reached(&self) -> Option<u64> {
        match self.state {
            State::Unsynchronised => None,
            State::Snapshot(id) | State::Following(id) => Some(id),
        }
    }

    /// A snapshot was taken over.
    pub(super) fn snapshot(&mut self, id: u64) {
        self.state = State::Snapshot(id);
    }

    /// Judges an update and moves on.
    pub(super) fn update(&mut self, numbers: Numbers) -> Verdict {
        let Numbers { first, last, previous } = numbers;
        let verdict = match (self.state, previous) {
            (State::Unsynchronised, _) => return Verdict::Hold,
            (State::Snapshot(id), None) if last <= id => Verdict::Old,
            (State::Snapshot(id), Some(_)) if last < id => Verdict::Old,
            (State::Snapshot(id), None) if first <= id + 1 => Verdict::Apply,
            // Where nothing happened between a snapshot and the next update, that one continues the snapshot itself.
            (State::Snapshot(id), Some(previous)) if first <= id || previous == id => Verdict::Apply,
            (State::Following(id), _) if last <= id => Verdict::Old,
            (State::Following(id), None) if first == id + 1 => Verdict::Apply,
            (State::Following(id), None) if first <= id => Verdict::Overlaps,
            (State::Following(id), Some(previous)) if previous == id => Verdict::Apply,
            _ => Verdict::Gap,
        };
        match verdict {
            Verdict::Apply | Verdict::Overlaps => self.state = State::Following(last),
            Verdict::Gap => self.state = State::Unsynchronised,
            Verdict::Old | Verdict::Hold => {}
        }
        verdict
    }

    /// Keeps an update for the next snapshot. Returns how many had to be given up for it.
    pub(super) fn hold(&mut self, held: Held) -> u64 {
        self.held_bytes += held.bytes();
        self.held.push_back(held);
        let mut given_up = 0;
        while self.held_bytes > HELD_BYTES {
            if self.next_held().is_none() {
                break;
            }
            given_up += 1;
        }
        given_up
    }

    /// The oldest update that waits.
    pub(super) fn next_held(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.held_bytes -= held.bytes();
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(first: u64, last: u64) -> Numbers {
        Numbers { first, last, previous: None }
    }

    fn futures(first: u64, last: u64, previous: u64) -> Numbers {
        Numbers { first, last, previous: Some(previous) }
    }

    #[test]
    fn updates_without_levels_count_too() {
        let mut chain = Chain::new();
        let empty = || Held { numbers: spot(1, 1), time: 0, bids: 0, levels: Vec::new() };
        let most = HELD_BYTES / (2 * size_of::<Held>());
        let given_up: u64 = (0..most + 100).map(|_| chain.hold(empty())).sum();
        assert_eq!((chain.held.len(), given_up), (most, 100));
    }

    #[test]
    fn spot_updates_follow_their_numbers() {
        let mut chain = Chain::new();
        assert_eq!(chain.update(spot(1, 5)), Verdict::Hold);
        chain.snapshot(10);
        assert_eq!(chain.update(spot(6, 10)), Verdict::Old);
        assert_eq!(chain.update(spot(9, 12)), Verdict::Apply);
        assert_eq!(chain.update(spot(13, 13)), Verdict::Apply);
        assert_eq!(chain.update(spot(13, 13)), Verdict::Old);
        assert_eq!(chain.update(spot(12, 15)), Verdict::Overlaps);
        assert_eq!(chain.update(spot(17, 18)), Verdict::Gap);
        assert_eq!(chain.update(spot(19, 20)), Verdict::Hold);
        assert_eq!(chain.reached(), None);
        chain.snapshot(30);
        assert_eq!(chain.update(spot(32, 33)), Verdict::Gap);
    }

    #[test]
    fn futures_updates_follow_the_number_of_the_one_before() {
        let mut chain = Chain::new();
        chain.snapshot(100);
        assert_eq!(chain.update(futures(80, 99, 70)), Verdict::Old);
        assert_eq!(chain.update(futures(95, 110, 90)), Verdict::Apply);
        assert_eq!(chain.update(futures(115, 120, 110)), Verdict::Apply);
        assert_eq!(chain.update(futures(125, 130, 121)), Verdict::Gap);
        chain.snapshot(200);
        assert_eq!(chain.update(futures(205, 210, 200)), Verdict::Apply);
        chain.snapshot(300);
        assert_eq!(chain.update(futures(305, 310, 301)), Verdict::Gap);
    }
}

//! The event queue: who acts next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use ordered_float::OrderedFloat;

/// Who acts. At equal times the order of this list decides (docs/market.md, "Order of simultaneous events").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Participant {
    /// A message of an agent reaches the book, or a report reaches the agent; the number names it.
    Mail(u32),
    /// The background order flow.
    Flow,
    /// The strategic trader.
    Strategic,
}

impl Participant {
    /// Rank at equal times: lower acts first.
    pub const fn priority(self) -> u8 {
        match self {
            Self::Mail(_) => 0,
            Self::Flow => 2,
            Self::Strategic => 3,
        }
    }
}

/// The rank at which agents act: after the letters that arrive at that time, before everybody else.
pub const AGENT_PRIORITY: u8 = 1;

/// When somebody acts: time in seconds, then priority, then the order of scheduling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: OrderedFloat<f64>,
    priority: u8,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: Key,
    participant: Participant,
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// A priority queue of (time, priority, participant).
#[derive(Clone, Debug, Default)]
pub struct EventQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl EventQueue {
    /// Forgets everything; keeps its memory.
    pub fn clear(&mut self) {
        self.heap.clear();
        self.sequence = 0;
    }

    /// Lets a participant act at `time` (s).
    pub fn schedule(&mut self, time: f64, participant: Participant) {
        let key = self.key(time, participant);
        self.heap.push(Reverse(Entry { key, participant }));
    }

    /// Who acts next, if that is before an agent that acts at `time`: earlier, or at the same time with a lower rank.
    #[inline]
    pub fn next_before(&self, time: f64) -> Option<(f64, Participant)> {
        let Reverse(entry) = self.heap.peek()?;
        let due = (entry.key.time, entry.key.priority) < (OrderedFloat(time), AGENT_PRIORITY);
        due.then_some((entry.key.time.0, entry.participant))
    }

    /// Time (s) at which somebody else than the first participant acts, or infinity. Until then the first one is alone and need not come
    /// back to the queue.
    #[inline]
    pub fn second_time(&self) -> f64 {
        // The second entry of a binary heap is a child of the first.
        let children = self.heap.as_slice().iter().skip(1).take(2);
        children.map(|Reverse(entry)| entry.key.time.0).fold(f64::INFINITY, f64::min)
    }

    /// Removes the first entry.
    pub fn pop(&mut self) {
        self.heap.pop();
    }

    /// Lets the participant of the first entry act again at `time` (s): cheaper than to remove and schedule it.
    #[inline]
    pub fn reschedule_first(&mut self, time: f64) {
        self.sequence += 1;
        if let Some(mut first) = self.heap.peek_mut() {
            first.0.key.time = OrderedFloat(time);
            first.0.key.sequence = self.sequence;
        }
    }

    fn key(&mut self, time: f64, participant: Participant) -> Key {
        self.sequence += 1;
        Key { time: OrderedFloat(time), priority: participant.priority(), sequence: self.sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simultaneous_events_follow_their_priority_then_their_scheduling() {
        let mut queue = EventQueue::default();
        for (time, participant) in [
            (1.0, Participant::Strategic),
            (1.0, Participant::Flow),
            (1.0, Participant::Mail(7)),
            (1.0, Participant::Mail(3)),
            (0.5, Participant::Strategic),
        ] {
            queue.schedule(time, participant);
        }
        let mut order = Vec::new();
        while let Some((_, participant)) = queue.next_before(2.0) {
            order.push(participant);
            queue.pop();
        }
        let expected = [
            Participant::Strategic,
            Participant::Mail(7),
            Participant::Mail(3),
            Participant::Flow,
            Participant::Strategic,
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn an_agent_acts_before_the_flow_of_its_time_and_after_its_mail() {
        let mut queue = EventQueue::default();
        queue.schedule(1.0, Participant::Flow);
        assert_eq!(queue.next_before(1.0), None);
        queue.schedule(1.0, Participant::Mail(0));
        assert_eq!(queue.next_before(1.0), Some((1.0, Participant::Mail(0))));
    }

    #[test]
    fn rescheduling_the_first_lets_the_second_go_first() {
        let mut queue = EventQueue::default();
        queue.schedule(1.0, Participant::Flow);
        queue.schedule(2.0, Participant::Strategic);
        queue.reschedule_first(3.0);
        assert_eq!(queue.next_before(9.0), Some((2.0, Participant::Strategic)));
    }
}

//! Stretches of time in which the book is valid without a gap.

use super::BookState;

/// What a state of the book adds to what was seen before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// Nothing: the book is not valid.
    Invalid,
    /// The first state after a gap, or of all.
    Begins,
    /// More of the same stretch.
    Continues,
}

/// Tells whether a market is seen without a gap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// Until when the stretch was seen that is going on, in seconds.
    until: Option<f64>,
}

impl Watch {
    /// Sees a state of the book that ends at `time` (s).
    pub(super) fn see(&mut self, before: &BookState<'_>, time: f64) -> Continuity {
        if !before.valid {
            self.until = None;
            return Continuity::Invalid;
        }
        let seamless = self.until.is_some_and(|until| before.since <= until);
        self.until = Some(time);
        if seamless { Continuity::Continues } else { Continuity::Begins }
    }
}

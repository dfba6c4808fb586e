//! What is seen of a market: the book before each event, and the event in the words of an order flow.

use crate::{Price, Side};

/// What kind of event an order flow would call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FlowEventKind {
    /// Lots that traded at once: one aggressive order, however many resting orders it met.
    Market,
    /// Lots that came to rest.
    Limit,
    /// Lots that were withdrawn.
    Cancel,
}

/// One event of the flow. Sides are those of [`PerSide`](crate::flow::PerSide): market buys, limit bids, cancellations of bids are buys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowEvent {
    /// Seconds since the beginning of what is watched; never runs backwards.
    pub time: f64,
    /// What kind.
    pub kind: FlowEventKind,
    /// Of buyers or of sellers.
    pub side: Side,
    /// Ticks of the model's grid from the opposite best price before the event, 1 or more; 0 for a market order. It may lie beyond the depth
    /// that is shown.
    pub distance: u32,
    /// Lots of the model, 1 or more.
    pub lots: u64,
}

/// The book as it is before an event, and has been since the one before, on the model's grid of prices and in the model's lots.
#[derive(Clone, Copy, Debug)]
pub struct BookState<'a> {
    /// Since when it is like this, in seconds since the beginning.
    pub since: f64,
    /// Best bid and best ask; `None` where a side is empty.
    pub best: [Option<Price>; 2],
    /// Lots of the bids (first) and asks at distance 1, 2, ... ticks from the *opposite* best; all 0 where that side is empty.
    pub depth: [&'a [u64]; 2],
    /// False while the book is stale or crossed: what happens then is no observation of the flow, and the time does not count.
    pub valid: bool,
}

/// Somebody who watches a market.
pub trait Observer {
    /// Sees the book as it was up to `event`, and the event.
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent);

    /// Sees the book as it stands at the end, at `time` (s): so that the last stretch of time counts as well.
    fn end(&mut self, last: BookState<'_>, time: f64);
}

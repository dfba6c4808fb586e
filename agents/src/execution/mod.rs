//! The execution task: trade a number of lots within a time, and what that cost.

mod episode;
mod shortfall;
mod trader;

pub use episode::{Arena, Episode, EpisodeError, ExampleStep, FillRecord};
pub use shortfall::{Outcome, Shadow};
pub use trader::Trader;

use lob::Side;
use serde::{Deserialize, Serialize};

/// What is to be done: `side` `lots` between t = 0 and `horizon_seconds`, with decisions every `step_seconds`; what is left at the end is
/// cancelled and sent as a market order. Default: the task of Cheridito & Weiss (arXiv 2507.06345), 20 lots.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// Sell or buy.
    pub side: Side,
    /// Size of the parent order, at least 1.
    pub lots: u64,
    /// Its time, in seconds.
    pub horizon_seconds: f64,
    /// Time between decisions of the reference strategies, and length of a schedule's bucket, in seconds.
    pub step_seconds: f64,
}

impl Default for Task {
    fn default() -> Self {
        Self { side: Side::Sell, lots: 20, horizon_seconds: 150.0, step_seconds: 15.0 }
    }
}

impl Task {
    /// Decision times before the horizon.
    pub fn steps(&self) -> usize {
        // 150 / 15 must not become 10 + an ulp.
        ((self.horizon_seconds / self.step_seconds) - 1e-9).ceil().max(1.0) as usize
    }

    /// +1 for a sale, -1 for a purchase: what turns prices into what is good for the agent.
    pub fn sign(&self) -> f64 {
        match self.side {
            Side::Sell => 1.0,
            Side::Buy => -1.0,
        }
    }

    /// Lots of slice `index` when the parent is cut into as many equal slices as there are steps, rounded so that they add up.
    pub fn slice(&self, index: usize) -> u64 {
        let steps = self.steps() as u128;
        let upto = |n: usize| (u128::from(self.lots) * (n as u128).min(steps) / steps) as u64;
        upto(index + 1) - upto(index)
    }
}

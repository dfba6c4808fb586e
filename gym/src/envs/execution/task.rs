//! The execution task itself: what is to be done, what a fill of it earns, and how it ends.

use lob::sim::{Command, DeskId, Simulator};
use lob::{NewOrder, Price, Quantity, Side};
use serde::{Deserialize, Serialize};

/// Levels in the dense window of a book that the task is played in: sessions look some 40 ticks deep, and a small window keeps them in
/// the cache.
pub const WINDOW_LEVELS: usize = 256;

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

    /// The price `ticks` away from `price` on the passive side: above it for a sale, below it for a purchase.
    pub fn passive(&self, price: Price, ticks: i64) -> Price {
        match self.side {
            Side::Sell => Price(price.0.saturating_add(ticks)),
            Side::Buy => Price(price.0.saturating_sub(ticks)),
        }
    }

    /// What a fill of `lots` at `price` (ticks) earns against a reference price, in ticks per lot of the parent order:
    /// `(cash - lots x reference) / V` for a sale, mirrored for a purchase.
    pub fn gain(&self, reference: f64, price: f64, lots: u64) -> f64 {
        let weight = lots as f64 / self.lots as f64;
        self.sign() * (price - reference) * weight
    }
}

/// Ends a task: cancels what rests, and sells or buys the rest at market. With latency, the market order is sent when the cancellation is
/// known to have arrived, so that nothing trades twice. `filled` are the lots of fills that were already drained from the market.
pub fn liquidate(sim: &mut Simulator, desk: DeskId, task: &Task, filled: u64) {
    let owner = sim.desk(desk).owner();
    let filled = |sim: &Simulator| -> u64 {
        let fills = sim.market().fills().iter().filter(|fill| fill.owner == owner);
        filled + fills.map(|fill| fill.fill.quantity.0).sum::<u64>()
    };
    if filled(sim) >= task.lots {
        return;
    }
    sim.send(desk, Command::CancelAll(None));
    sim.settle(desk);
    let rest = task.lots.saturating_sub(filled(sim));
    if rest > 0 {
        sim.submit(desk, NewOrder::market(owner, task.side, Quantity(rest)));
        sim.settle(desk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_add_up_and_steps_round_up() {
        let task = Task { lots: 23, ..Task::default() };
        assert_eq!((0..10).map(|index| task.slice(index)).sum::<u64>(), 23);
        assert_eq!(task.steps(), 10);
        assert_eq!(Task { horizon_seconds: 151.0, ..task }.steps(), 11);
        assert_eq!(Task { horizon_seconds: 0.3, step_seconds: 0.1, ..task }.steps(), 3);
    }

    #[test]
    fn a_purchase_mirrors_a_sale() {
        let sale = Task::default();
        let purchase = Task { side: Side::Buy, ..sale };
        assert_eq!(sale.gain(1000.0, 1002.0, 5), 0.5);
        assert_eq!(purchase.gain(1000.0, 998.0, 5), 0.5);
        assert_eq!((sale.passive(Price(10), 2), purchase.passive(Price(10), 2)), (Price(12), Price(8)));
    }
}

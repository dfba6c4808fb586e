//! What the agent sees.

use lob::sim::{DeskId, OrderTally, Simulator};
use lob::{Quantity, Side};

use super::Task;
use crate::space::{BoxSpace, Component};

/// A queue of this many lots counts as 1.
const QUEUE_LOTS: f64 = 40.0;
/// A price move of this many ticks counts as 1.
const TICKS: f64 = 10.0;

/// Orders and prices of the last step.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// What orders asked for within the window, both ends included.
    pub(super) orders: OrderTally,
    /// What they asked for at the very end of the window, before the agent acts: it belongs to the next one too.
    pub(super) edge: OrderTally,
    /// The mid after the first event in the window, ticks; `None` if there was none.
    pub(super) first_mid: Option<f64>,
    /// As `first_mid` for the next window, if its first event has happened already.
    pub(super) next_first_mid: Option<f64>,
}

/// Adds lots up.
pub(super) fn add(sum: &mut OrderTally, more: OrderTally) {
    for side in Side::BOTH.map(Side::index) {
        sum.market[side] = sum.market[side].saturating_add(more.market[side]);
        sum.limit[side] = sum.limit[side].saturating_add(more.limit[side]);
    }
}

/// Prices and times that an observation refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Time in s.
    pub(super) time: f64,
    /// Best price of the other side at t = 0, ticks.
    pub(super) reference: f64,
    /// The mid at t = 0, ticks.
    pub(super) arrival_mid: f64,
    /// Best price of the other side now, ticks; the last one there was if there is none.
    pub(super) far: f64,
    /// Best price of the own side, likewise.
    pub(super) near: f64,
}

/// What never changes.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    task: Task,
    levels: usize,
    /// Unrounded mean volume at distance 1, 2, ... from the opposite best, in lots.
    mean_shape: Vec<f64>,
}

impl Observer {
    /// `mean_shape` has `levels` entries. A distance where nothing is on average has 1 lot as its unit.
    pub(super) fn new(task: Task, mean_shape: &[f64]) -> Self {
        let unit = |&lots: &f64| if lots > 0.0 { lots } else { 1.0 };
        Self { task, levels: mean_shape.len(), mean_shape: mean_shape.iter().map(unit).collect() }
    }

    /// The space: `11 + 3 x levels + 2 x lots` numbers, 26 + 2V with 5 levels.
    pub(super) fn space(&self) -> BoxSpace {
        let levels = self.levels;
        let (far, near, better) = match self.task.side {
            Side::Sell => ("bid", "ask", "+"),
            Side::Buy => ("ask", "bid", "-"),
        };
        let (moved, flow) = match self.task.side {
            Side::Sell => ("now - then", "(buys - sells) / (buys + sells)"),
            Side::Buy => ("then - now", "(sells - buys) / (sells + buys)"),
        };
        let deepest = levels as f32 / (levels + 1) as f32;
        let ticks = || format!("ticks / 10, {moved}");
        let shares = "share of the remaining lots";
        let mut all = vec![
            Component::new("time", "t / horizon_seconds", 0.0, 1.0),
            Component::new("remaining", "lots / parent lots", 0.0, 1.0),
            Component::unbounded(format!("best {far} since t = 0"), ticks()),
            Component::unbounded("mid since t = 0", ticks()),
            Component::new("spread", "ticks / 10", 0.0, f32::INFINITY),
            Component::new(
                "volume imbalance",
                format!("({far} - {near}) / ({far} + {near}) lots at distances 1 to {levels}"),
                -1.0,
                1.0,
            ),
            Component::new("market orders in the last step", format!("{flow} lots"), -1.0, 1.0),
            Component::new("limit orders in the last step", format!("{flow} lots"), -1.0, 1.0),
            Component::unbounded("mid in the last step", ticks()),
        ];
        for level in 0..levels {
            all.push(Component::new(format!("own lots at best {near} {better} {level}"), shares, 0.0, 1.0));
        }
        all.push(Component::new("own lots elsewhere in the book", shares, 0.0, 1.0));
        all.push(Component::new("inactive lots", shares, 0.0, 1.0));
        for (side, other) in [(far, near), (near, far)] {
            for distance in 1..=levels {
                let name = format!("{side} volume at distance {distance} from the best {other}");
                all.push(Component::new(name, "lots / mean lots there", 0.0, f32::INFINITY));
            }
        }
        for lot in 0..self.task.lots {
            let unit = format!("level / {}", levels + 1);
            all.push(Component::new(format!("level of lot {lot}"), unit, -deepest, 1.0));
        }
        for lot in 0..self.task.lots {
            let name = format!("queue place of lot {lot}");
            all.push(Component::new(name, "lots ahead / 40", -1.0, f32::INFINITY));
        }
        BoxSpace::new(all)
    }

    /// Writes what is seen. `depth` is memory: `levels` entries for each side.
    pub(super) fn write(
        &self,
        (sim, desk): (&Simulator, DeskId),
        window: &Window,
        frame: &Frame,
        depth: &mut [Vec<Quantity>; 2],
        out: &mut [f32],
    ) {
        let (task, levels) = (&self.task, self.levels);
        let sign = task.sign();
        let (own, other) = (task.side.index(), task.side.opposite().index());
        let book = sim.market().book();
        for side in Side::BOTH {
            book.depth_from_opposite_best(side, &mut depth[side.index()]);
        }
        let total = |side: usize| depth[side].iter().map(|lots| lots.0).sum::<u64>() as f64;
        let lots = task.lots as f64;
        let desk = sim.desk(desk);
        let remaining = task.lots.saturating_sub(desk.filled());
        let mid = (frame.near + frame.far) / 2.0;
        let first_mid = window.first_mid.unwrap_or(mid);
        let head = [
            (frame.time / task.horizon_seconds).min(1.0),
            remaining as f64 / lots,
            sign * (frame.far - frame.reference) / TICKS,
            sign * (mid - frame.arrival_mid) / TICKS,
            (sign * (frame.near - frame.far)).max(0.0) / TICKS,
            balance(total(other), total(own)),
            balance(window.orders.market[other] as f64, window.orders.market[own] as f64),
            balance(window.orders.limit[other] as f64, window.orders.limit[own] as f64),
            sign * (mid - first_mid) / TICKS,
        ];
        let (front, rest) = out.split_at_mut(head.len());
        front.iter_mut().zip(head).for_each(|(out, value)| *out = value as f32);
        let (shares, rest) = rest.split_at_mut(levels + 2);
        let (volumes, rest) = rest.split_at_mut(2 * levels);
        for (volumes, side) in volumes.chunks_exact_mut(levels).zip([other, own]) {
            for ((out, lots), unit) in volumes.iter_mut().zip(&depth[side]).zip(&self.mean_shape) {
                *out = (lots.0 as f64 / unit) as f32;
            }
        }
        let (lot_levels, places) = rest.split_at_mut(task.lots as usize);

        // The lots at each level, by their places in the queue.
        let mut placed = 0;
        let per_level = 1.0 / (levels + 1) as f64;
        let owner = desk.owner();
        let share = |lots: u64| if remaining > 0 { (lots as f64 / remaining as f64) as f32 } else { 0.0 };
        let mut working = 0;
        shares.fill(0.0);
        for order in desk.orders() {
            working += order.open.0;
        }
        let best = book.best(task.side);
        for (level, level_share) in shares[..levels].iter_mut().enumerate() {
            let Some(price) = best.map(|best| task.passive(best, level as i64)) else { break };
            let known = desk.orders().iter().filter(|order| order.price == Some(price));
            let known: u64 = known.map(|order| order.open.0).sum();
            let mut found = 0;
            if known > 0 {
                let mut ahead = 0;
                for order in book.orders_at(task.side, price) {
                    if order.owner == owner {
                        for lot in 0..order.visible.0.min(remaining - placed) {
                            lot_levels[placed as usize] = ((level + 1) as f64 * per_level) as f32;
                            places[placed as usize] = ((ahead + lot) as f64 / QUEUE_LOTS) as f32;
                            placed += 1;
                            found += 1;
                        }
                        if found >= known {
                            break;
                        }
                    }
                    ahead += order.visible.0;
                }
            }
            *level_share = share(found);
        }
        shares[levels] = share(working.min(remaining).saturating_sub(placed));
        shares[levels + 1] = share(remaining.saturating_sub(working));
        let (placed, remaining) = (placed as usize, remaining as usize);
        lot_levels[placed..remaining].fill(1.0);
        places[placed..remaining].fill(1.0);
        lot_levels[remaining..].fill((-(levels as f64) * per_level) as f32);
        places[remaining..].fill(-1.0);
    }
}

/// `(a - b) / (a + b)`, 0 if both are 0.
fn balance(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if sum > 0.0 { (a - b) / sum } else { 0.0 }
}

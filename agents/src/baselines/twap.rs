//! The reference's TWAP.

use super::Strategy;
use crate::execution::{Task, Trader};

/// One equal slice at each decision time: at the best price of the own side at t = 0, later one tick away from the other side's best. Earlier
/// slices stay in the book; the task sends the rest to market at the horizon.
///
/// Source: Cheridito & Weiss, *Reinforcement Learning for Trade Execution with Market Impact* (arXiv 2507.06345), benchmark TWAP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Twap {
    step: usize,
}

impl Strategy for Twap {
    fn start(&mut self, _: &Task) {
        self.step = 0;
    }

    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64> {
        let price = if self.step == 0 { trader.near_touch() } else { trader.passive(1) };
        if let Some(price) = price {
            trader.place_limit(price, trader.task().slice(self.step));
        }
        self.step += 1;
        Some(self.step as f64 * trader.task().step_seconds)
    }
}

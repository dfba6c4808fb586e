//! Submit and leave.

use super::Strategy;
use crate::execution::{Task, Trader};

/// The whole parent as one limit order at the best price of its own side at t = 0; the task sends the rest to market at the horizon.
///
/// Source: Nevmyvaka, Feng & Kearns, *Reinforcement learning for optimized trade execution* (ICML 2006); as in Cheridito & Weiss
/// (arXiv 2507.06345).
#[derive(Clone, Copy, Debug)]
pub struct SubmitAndLeave;

impl Strategy for SubmitAndLeave {
    fn start(&mut self, _: &Task) {}

    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64> {
        if let Some(price) = trader.near_touch() {
            trader.place_limit(price, trader.remaining());
        }
        None
    }
}

//! Everything at once.

use super::Strategy;
use crate::execution::{Task, Trader};

/// The whole parent as one market order at t = 0: no risk, all impact. Reference of Cheridito & Weiss (arXiv 2507.06345).
#[derive(Clone, Copy, Debug)]
pub struct MarketAtOnce;

impl Strategy for MarketAtOnce {
    fn start(&mut self, _: &Task) {}

    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64> {
        trader.send_market(trader.remaining());
        None
    }
}

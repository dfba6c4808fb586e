//! Percentage of volume.

use super::Strategy;
use crate::execution::{Task, Trader};

/// Keeps its share of all lots traded since the start at a participation rate: every `check_seconds` it looks at what others have traded, waits for
/// half a check at the best price of its own side with what it is behind, and crosses what it has not got by then. It does not speed up towards the
/// horizon: a thin market leaves a rest, which the task sends to market.
///
/// Source: Kissell & Glantz, *Optimal Trading Strategies* (2003), chapter 5, and Almgren, *Optimal execution with nonlinear impact functions and
/// trading-enhanced risk*, Applied Mathematical Finance 10 (2003), on trading in volume time.
#[derive(Clone, Copy, Debug)]
pub struct Pov {
    rate: f64,
    check_seconds: f64,
    crossing: bool,
}

impl Pov {
    /// To be `rate` (0 to 1, exclusive) of all traded lots.
    pub fn new(rate: f64, check_seconds: f64) -> Self {
        Self { rate, check_seconds, crossing: false }
    }

    /// Lots behind the rate: own / (own + others) = rate, so own = rate / (1 - rate) x others.
    fn behind(&self, trader: &Trader<'_>) -> u64 {
        let wanted = self.rate / (1.0 - self.rate) * trader.volume_of_others() as f64;
        (wanted.floor() as u64).saturating_sub(trader.filled()).min(trader.remaining())
    }
}

impl Strategy for Pov {
    fn start(&mut self, _: &Task) {
        self.crossing = false;
    }

    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64> {
        trader.cancel_all();
        let behind = self.behind(trader);
        if self.crossing {
            trader.send_market(behind);
        } else if let Some(price) = trader.near_touch() {
            trader.place_limit(price, behind);
        }
        self.crossing = !self.crossing;
        Some(trader.time() + self.check_seconds / 2.0)
    }
}

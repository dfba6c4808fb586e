//! What the maker has, and where it came from.

use lob::Side;
use lob::models::{FeeConfig, FeeModel, Fill, Liquidity, OrderFees};

use crate::reward::Earned;

/// Cash, inventory and the parts of the profit, in ticks x lots.
///
/// At every moment `cash + inventory x mid = spread + inventory_gain + forced - fees`, each part summed from its own:
///
/// - `spread`: distance of each quote's fill from the mid just before it, times its lots;
/// - `forced`: the same of market orders (hedges and the liquidation), which pay the distance;
/// - `inventory_gain`: every move of the mid, times the lots held through it;
/// - `fees`: what the venue has charged.
///
/// All but the fees are sums of half ticks, exact while they stay below 2^52.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    /// After fees.
    pub(super) cash: f64,
    pub(super) inventory: i64,
    pub(super) spread: f64,
    pub(super) inventory_gain: f64,
    pub(super) forced: f64,
    pub(super) fees: f64,
    /// Lots.
    pub(super) bought: u64,
    pub(super) sold: u64,
    pub(super) maker_lots: u64,
    pub(super) taker_lots: u64,
    /// Number of trades.
    pub(super) fills: u64,
    /// The mid up to which `inventory_gain` counts.
    mid: f64,
    /// Orders with fills, where the venue has a minimum per order.
    charged: Vec<(u64, OrderFees)>,
}

/// What is compared before and after a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    profit: f64,
    spread: f64,
    inventory_gain: f64,
}

impl Accounts {
    /// Nothing held, nothing owed; keeps its memory.
    pub(super) fn reset(&mut self, mid: f64) {
        let mut charged = std::mem::take(&mut self.charged);
        charged.clear();
        *self = Self { mid, charged, ..Self::default() };
    }

    /// Books a fill of an order. `mid` is what it was just before, in ticks; without it, it is still the last one known. `is_open` says
    /// whether an order may trade again.
    pub(super) fn apply(
        &mut self,
        order: u64,
        fill: &Fill,
        mid: Option<f64>,
        fees: &FeeConfig,
        is_open: impl Fn(u64) -> bool,
    ) {
        if let Some(mid) = mid {
            self.move_to(mid);
        }
        let lots = fill.quantity.0;
        let signed = match fill.side {
            Side::Buy => {
                self.bought += lots;
                lots as i64
            }
            Side::Sell => {
                self.sold += lots;
                -(lots as i64)
            }
        };
        let price = fill.price.0 as f64;
        let edge = signed as f64 * (self.mid - price);
        match fill.liquidity {
            Liquidity::Maker => {
                self.spread += edge;
                self.maker_lots += lots;
            }
            Liquidity::Taker => {
                self.forced += edge;
                self.taker_lots += lots;
            }
        }
        self.fills += 1;
        let fee = self.fee(order, fill, fees, is_open);
        self.fees += fee;
        self.cash -= signed as f64 * price + fee;
        self.inventory += signed;
    }

    fn fee(&mut self, order: u64, fill: &Fill, fees: &FeeConfig, is_open: impl Fn(u64) -> bool) -> f64 {
        match fees {
            FeeConfig::None => 0.0,
            FeeConfig::MakerTaker { minimum_per_order: None, .. } => {
                fees.fee(fill, &mut OrderFees::default())
            }
            FeeConfig::MakerTaker { .. } | FeeConfig::Tiered { .. } => {
                let index = self.charged.iter().position(|charged| charged.0 == order);
                let index = index.unwrap_or_else(|| {
                    // Orders that have gone are charged no more; several fills of one request come in a row.
                    if self.charged.len() >= 64 {
                        self.charged.retain(|charged| is_open(charged.0));
                    }
                    self.charged.push((order, OrderFees::default()));
                    self.charged.len() - 1
                });
                fees.fee(fill, &mut self.charged[index].1)
            }
        }
    }

    /// The mid moves; what is held gains or loses.
    #[inline]
    pub(super) fn move_to(&mut self, mid: f64) {
        self.inventory_gain += self.inventory as f64 * (mid - self.mid);
        self.mid = mid;
    }

    /// Cash + inventory x mid.
    #[inline]
    pub(super) fn profit(&self) -> f64 {
        self.cash + self.inventory as f64 * self.mid
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark { profit: self.profit(), spread: self.spread, inventory_gain: self.inventory_gain }
    }

    /// What was earned since a mark, in money: `tick` is what a tick is worth on a lot, `lot` the units of inventory in a lot.
    #[inline]
    pub(super) fn earned_since(&self, before: &Mark, tick: f64, lot: f64) -> Earned {
        Earned {
            profit: (self.profit() - before.profit) * tick,
            inventory_gain: (self.inventory_gain - before.inventory_gain) * tick,
            edge: (self.spread - before.spread) * tick,
            inventory: self.inventory as f64 * lot,
        }
    }
}

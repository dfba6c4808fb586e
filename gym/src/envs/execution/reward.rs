//! What the fills of a parent order earn.

use lob::Handle;
use lob::models::{FeeConfig, FeeModel, Liquidity, OrderFees};
use lob::sim::AgentFill;

use super::{RewardTiming, Task};

/// The money side of an episode. Rewards are in ticks per lot of the parent order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Sum of [`Task::gain`] over the fills.
    gains: f64,
    /// Fees, ticks per lot of the parent order.
    fees: f64,
    /// Running penalty so far.
    penalties: f64,
    /// Received for sales less paid for purchases, ticks x lots, before fees.
    cash: f64,
    /// Earned since the reward was last asked for.
    step: f64,
    maker: u64,
    taker: u64,
    /// What orders with a fill have been charged.
    charged: Vec<(Handle, OrderFees)>,
}

impl Ledger {
    /// Nothing traded; the memory stays.
    pub(super) fn clear(&mut self) {
        let mut charged = std::mem::take(&mut self.charged);
        charged.clear();
        *self = Self { charged, ..Self::default() };
    }

    /// Books a fill against the reference price.
    pub(super) fn fill(&mut self, task: &Task, reference: f64, fees: &FeeConfig, fill: &AgentFill) {
        let (price, lots) = (fill.fill.price.0 as f64, fill.fill.quantity.0);
        let gain = task.gain(reference, price, lots);
        let fee = self.charge(fees, fill) / task.lots as f64;
        self.gains += gain;
        self.fees += fee;
        self.step += gain - fee;
        self.cash += task.sign() * price * lots as f64;
        match fill.fill.liquidity {
            Liquidity::Maker => self.maker += lots,
            Liquidity::Taker => self.taker += lots,
        }
    }

    fn charge(&mut self, fees: &FeeConfig, fill: &AgentFill) -> f64 {
        if *fees == FeeConfig::None {
            return 0.0;
        }
        // A parent order has few child orders, and the latest are the likeliest to trade.
        let index =
            self.charged.iter().rposition(|(handle, _)| *handle == fill.handle).unwrap_or_else(|| {
                self.charged.push((fill.handle, OrderFees::default()));
                self.charged.len() - 1
            });
        fees.fee(&fill.fill, &mut self.charged[index].1)
    }

    /// Lots that found no counterparty to the very end count at the mid.
    pub(super) fn write_off(&mut self, task: &Task, reference: f64, mid: f64) {
        let gain = task.gain(reference, mid, task.lots.saturating_sub(self.filled()));
        self.gains += gain;
        self.step += gain;
    }

    /// The running penalty for holding what has not been filled for `seconds`: `risk_aversion x (x / V)^2 x seconds / T`.
    ///
    /// Almgren & Chriss, *Optimal execution of portfolio transactions*, J. Risk 3 (2000), equation (5): the variance of the cost is
    /// `sigma^2 x sum of tau x_k^2`. With their objective E + lambda Var, `risk_aversion` is `lambda sigma^2 T V`.
    pub(super) fn penalise(&mut self, task: &Task, risk_aversion: f64, seconds: f64) {
        let share = task.lots.saturating_sub(self.filled()) as f64 / task.lots as f64;
        let penalty = risk_aversion * share * share * (seconds / task.horizon_seconds);
        self.penalties += penalty;
        self.step -= penalty;
    }

    /// The reward of a step.
    pub(super) fn reward(&mut self, timing: RewardTiming, is_last: bool) -> f64 {
        let step = std::mem::take(&mut self.step);
        match timing {
            RewardTiming::PerStep => step,
            RewardTiming::Terminal if is_last => self.total(),
            RewardTiming::Terminal => 0.0,
        }
    }

    /// The reward of the episode so far, whenever it is paid.
    pub(super) fn total(&self) -> f64 {
        self.gains - self.fees - self.penalties
    }

    /// Lots traded.
    pub(super) fn filled(&self) -> u64 {
        self.maker + self.taker
    }

    /// Lots traded by resting orders, and by incoming ones.
    pub(super) fn passive_and_aggressive(&self) -> (u64, u64) {
        (self.maker, self.taker)
    }

    /// Ticks x lots, before fees.
    pub(super) fn cash(&self) -> f64 {
        self.cash
    }

    /// Ticks per lot of the parent order.
    pub(super) fn fees(&self) -> f64 {
        self.fees
    }

    /// Ticks per lot of the parent order.
    pub(super) fn penalties(&self) -> f64 {
        self.penalties
    }

    /// Implementation shortfall of what has been traded so far against the arrival mid, fees included, ticks per lot of the parent order:
    /// positive = paid.
    pub(super) fn shortfall(&self, task: &Task, arrival_mid: f64) -> f64 {
        let value = arrival_mid * self.filled() as f64;
        (task.sign() * value - self.cash) / task.lots as f64 + self.fees
    }
}

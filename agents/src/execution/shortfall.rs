//! What an execution cost, and where the cost came from.

use std::collections::HashMap;

use lob::models::{FeeConfig, FeeModel, Liquidity, OrderFees};
use lob::sim::{AgentFill, Market};

use super::Task;
use super::episode::FillRecord;

/// The same session without the agent: what the mid price did on its own. Built from the same seed, so that the difference to the real
/// session is the agent's doing.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    /// Times in seconds, ascending, and the mid in ticks just before each.
    pub(super) mids: Vec<(f64, f64)>,
}

impl Shadow {
    /// The mid just before `time`, which must be one of those it was built for.
    pub(super) fn mid(&self, time: f64) -> f64 {
        let index = self.mids.partition_point(|&(at, _)| at < time).min(self.mids.len().saturating_sub(1));
        self.mids.get(index).map_or(0.0, |&(_, mid)| mid)
    }
}

/// One episode's result. Costs are in ticks per lot of the parent order, positive = paid.
///
/// The implementation shortfall (Perold 1988) is measured against the mid at arrival `m(0)`: for a sale, `m(0) - price` averaged over the
/// lots, plus fees. With `m(t)` the mid just before a fill, `m*(t)` the mid at that time in the same session without the agent
/// ([`Shadow`]), and `touch` the best price of the other side just before an aggressive fill (for a passive fill: the fill's own price), it splits exactly into
///
/// - timing: `m(0) - m*(t)`, what the market did anyway;
/// - impact: `m*(t) - m(t)`, how far the agent had moved it, plus `touch - price`, the depth it walked;
/// - spread: `m(t) - touch`, half a spread paid when aggressive, earned (negative) when passive;
/// - fees.
///
/// For a purchase all signs are mirrored. Lots that found no counterparty count at the final mid.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// (cash - lots x best price at arrival) / lots for a sale, mirrored for a purchase, fees included: the reward of the reference task.
    pub reward: f64,
    /// Implementation shortfall against the arrival mid, in ticks per lot.
    pub shortfall: f64,
    /// The same in basis points of the arrival mid.
    pub shortfall_bps: f64,
    /// Its parts, in ticks per lot.
    pub spread: f64,
    /// See [`Outcome`].
    pub impact: f64,
    /// See [`Outcome`].
    pub timing: f64,
    /// See [`Outcome`].
    pub fees: f64,
    /// Share of the parent that traded passively.
    pub passive: f64,
    /// Share of the parent that traded aggressively.
    pub aggressive: f64,
    /// Time of the last fill, in seconds.
    pub completion_seconds: f64,
    /// Lots of the parent over all lots traded from t = 0 to the end.
    pub participation: f64,
}

/// What an episode leaves behind for its assessment.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// The mid at t = 0 before anybody acts, and the best price to trade against.
    pub(super) arrival_mid: f64,
    pub(super) arrival_touch: f64,
    pub(super) final_mid: f64,
    pub(super) end_seconds: f64,
    pub(super) fills: Vec<FillRecord>,
    /// Lots traded by everybody since t = 0.
    pub(super) traded: u64,
}

impl Trace {
    /// A session before its first decision: the mid and the best price to trade against, ticks.
    pub(super) fn new(arrival_mid: f64, arrival_touch: f64) -> Self {
        Self { arrival_mid, arrival_touch, ..Self::default() }
    }

    /// Notes how the session ended. `traded_before` are the market's traded lots at t = 0.
    pub(super) fn close(&mut self, market: &Market, traded_before: u64) {
        self.end_seconds = market.now();
        self.final_mid = market.book().mid().unwrap_or(self.arrival_mid);
        self.traded = market.traded() - traded_before;
    }

    /// Notes all of the agent's fills, oldest first: what an order is charged may depend on its earlier ones.
    pub(super) fn record(&mut self, fills: impl Iterator<Item = AgentFill>, task: &Task, fees: &FeeConfig) {
        let arrival_mid = self.arrival_mid;
        let mid_or = |touch: [Option<lob::Price>; 2]| match touch {
            [Some(bid), Some(ask)] => (bid.0 + ask.0) as f64 / 2.0,
            [Some(one), None] | [None, Some(one)] => one.0 as f64,
            [None, None] => arrival_mid,
        };
        let far = task.side.opposite().index();
        let mut charged: HashMap<u64, OrderFees> = HashMap::new();
        for record in fills {
            let fill = record.fill;
            let order = charged.entry(record.handle.to_bits()).or_default();
            self.fills.push(FillRecord {
                time: record.time,
                price: fill.price.0 as f64,
                lots: fill.quantity.0,
                maker: fill.liquidity == Liquidity::Maker,
                mid: mid_or(record.touch),
                touch: record.touch[far].map_or(fill.price.0 as f64, |touch| touch.0 as f64),
                fee: fees.fee(&fill, order),
            });
        }
    }

    /// The times whose shadow mids the assessment needs.
    pub(super) fn times(&self) -> impl Iterator<Item = f64> + '_ {
        self.fills.iter().map(|fill| fill.time).chain([self.end_seconds])
    }

    pub(super) fn assess(&self, task: &Task, shadow: &Shadow) -> Outcome {
        let sign = task.sign();
        let lots = task.lots as f64;
        let mut outcome = Outcome::default();
        let mut proceeds = 0.0;
        let (mut passive, mut aggressive) = (0, 0);
        for fill in &self.fills {
            let weight = fill.lots as f64 / lots;
            let shadow_mid = shadow.mid(fill.time);
            let touch = if fill.maker { fill.price } else { fill.touch };
            outcome.timing += sign * (self.arrival_mid - shadow_mid) * weight;
            outcome.impact += sign * ((shadow_mid - fill.mid) + (touch - fill.price)) * weight;
            outcome.spread += sign * (fill.mid - touch) * weight;
            outcome.fees += fill.fee / lots;
            *(if fill.maker { &mut passive } else { &mut aggressive }) += fill.lots;
            outcome.completion_seconds = fill.time;
            proceeds += task.gain(self.arrival_touch, fill.price, fill.lots);
        }
        let filled = (passive + aggressive) as f64;
        (outcome.passive, outcome.aggressive) = (passive as f64 / lots, aggressive as f64 / lots);
        let unfilled = (lots - filled) / lots;
        let shadow_mid = shadow.mid(self.end_seconds);
        outcome.timing += sign * (self.arrival_mid - shadow_mid) * unfilled;
        outcome.impact += sign * (shadow_mid - self.final_mid) * unfilled;
        let rest = task.lots.saturating_sub(passive + aggressive);
        proceeds += task.gain(self.arrival_touch, self.final_mid, rest);
        if unfilled > 0.0 {
            outcome.completion_seconds = self.end_seconds;
        }
        outcome.reward = proceeds - outcome.fees;
        outcome.shortfall = outcome.spread + outcome.impact + outcome.timing + outcome.fees;
        outcome.shortfall_bps = outcome.shortfall / self.arrival_mid * 1e4;
        outcome.participation = if self.traded > 0 { filled / self.traded as f64 } else { 0.0 };
        outcome
    }
}

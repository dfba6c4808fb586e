//! From tapes to figures: sums that merge, and what they come to. The definitions for readers are in docs/market_making.md.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tape::Tape;
use crate::statistics::{Autocorrelation, Drawdown, half_life_steps, mean_and_deviation, worst_twentieth};

/// Times after a fill at which its price is compared with the mid, s.
pub const HORIZONS: [f64; 3] = [1.0, 5.0, 30.0];
/// The one of the spread capture.
const CAPTURE: usize = 1;

/// Seconds of trading in a year, for the annualised Sharpe ratio: 252 days of 6.5 hours.
pub const TRADING_SECONDS_PER_YEAR: f64 = 252.0 * 6.5 * 3600.0;

/// Lot-weighted sums over the fills for which the mid at a horizon is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Later {
    lots: f64,
    /// Lots x (distance of the price from the later mid, positive where better) / (half the spread at the fill).
    capture: f64,
    /// Lots x (move of the mid against the fill).
    adverse: f64,
}

/// Sums over episodes of one policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Sum of the rewards of each episode.
    pub rewards: Vec<f64>,
    /// Profit of each, money.
    pub profits: Vec<f64>,
    /// Greatest drawdown of each, money.
    pub drawdowns: Vec<f64>,
    decisions: u64,
    fills: u64,
    lots: f64,
    wanted_lots: u64,
    two_sided: u64,
    quoted_spread: f64,
    /// Fills whose spread is known: lots, lots x half-spread, lots x distance from the mid just before.
    priced_lots: f64,
    half_spread: f64,
    edge: f64,
    later: [Later; HORIZONS.len()],
    inventory: Autocorrelation,
    inventory_sum: f64,
    inventory_abs_sum: f64,
    held: BTreeMap<i64, u64>,
    spread_profit: f64,
    inventory_profit: f64,
    liquidation_profit: f64,
    fees: f64,
}

impl Sums {
    /// Adds an episode.
    pub fn add(&mut self, tape: &Tape) {
        let mut drawdown = Drawdown::default();
        tape.profit.iter().for_each(|&profit| drawdown.add(profit));
        self.rewards.push(tape.reward);
        self.profits.push(tape.profit.last().copied().unwrap_or(0.0));
        self.drawdowns.push(drawdown.greatest);
        self.decisions += tape.mids.len() as u64;
        self.wanted_lots += tape.wanted_lots;
        self.two_sided += tape.two_sided;
        self.quoted_spread += tape.quoted_spread;
        self.fills += tape.fills.len() as u64;
        for fill in &tape.fills {
            self.lots += fill.lots;
            let Some(([bid, ask], touch)) = fill.others.zip(fill.touch) else { continue };
            let (mid, half) = ((bid + ask) / 2.0, (touch[1] - touch[0]) / 2.0);
            self.priced_lots += fill.lots;
            self.half_spread += fill.lots * half;
            self.edge += fill.lots * fill.sign * (mid - fill.price);
            for (later, seconds) in self.later.iter_mut().zip(HORIZONS) {
                let Some(then) = tape.mid_after(fill.time, seconds) else { continue };
                later.lots += fill.lots;
                later.capture += fill.lots * fill.sign * (then - fill.price) / half;
                later.adverse += fill.lots * fill.sign * (mid - then);
            }
        }
        self.inventory.merge(&Autocorrelation::of(&tape.inventory, 1));
        for &lots in &tape.inventory {
            self.inventory_sum += lots;
            self.inventory_abs_sum += lots.abs();
            *self.held.entry(lots as i64).or_default() += 1;
        }
        let parts = &tape.attribution;
        self.spread_profit += parts.spread;
        self.inventory_profit += parts.inventory;
        self.liquidation_profit += parts.liquidation;
        self.fees += parts.fees;
    }

    /// Adds another's episodes after one's own.
    pub fn merge(&mut self, other: Self) {
        self.rewards.extend(other.rewards);
        self.profits.extend(other.profits);
        self.drawdowns.extend(other.drawdowns);
        self.decisions += other.decisions;
        self.fills += other.fills;
        self.lots += other.lots;
        self.wanted_lots += other.wanted_lots;
        self.two_sided += other.two_sided;
        self.quoted_spread += other.quoted_spread;
        self.priced_lots += other.priced_lots;
        self.half_spread += other.half_spread;
        self.edge += other.edge;
        for (later, more) in self.later.iter_mut().zip(&other.later) {
            later.lots += more.lots;
            later.capture += more.capture;
            later.adverse += more.adverse;
        }
        self.inventory.merge(&other.inventory);
        self.inventory_sum += other.inventory_sum;
        self.inventory_abs_sum += other.inventory_abs_sum;
        for (lots, count) in other.held {
            *self.held.entry(lots).or_default() += count;
        }
        self.spread_profit += other.spread_profit;
        self.inventory_profit += other.inventory_profit;
        self.liquidation_profit += other.liquidation_profit;
        self.fees += other.fees;
    }

    /// What the sums come to. `tick_value` is what a tick on a lot is worth in money.
    pub fn summarise(self, name: &str, description: &str, step_seconds: f64, tick_value: f64) -> Summary {
        let episodes = self.rewards.len();
        let n = (episodes as f64).max(1.0);
        let (reward_mean, reward_std) = mean_and_deviation(&self.rewards);
        let (pnl_mean, pnl_std) = mean_and_deviation(&self.profits);
        let sharpe = ratio(pnl_mean, pnl_std);
        let decisions = self.decisions as f64;
        let episode_seconds = decisions / n * step_seconds;
        let adverse = self.later.map(|later| ratio(later.adverse, later.lots));
        let capture = &self.later[CAPTURE];
        let share = |(&lots, &count): (&i64, &u64)| InventoryShare { lots, share: count as f64 / decisions };
        Summary {
            name: name.to_owned(),
            description: description.to_owned(),
            episodes,
            reward_mean,
            reward_std,
            reward_se: reward_std / n.sqrt(),
            pnl_mean,
            pnl_std,
            pnl_se: pnl_std / n.sqrt(),
            pnl_cvar95: worst_twentieth(&self.profits),
            sharpe,
            sharpe_annualised: sharpe
                .filter(|_| episode_seconds > 0.0)
                .map(|sharpe| sharpe * (TRADING_SECONDS_PER_YEAR / episode_seconds).sqrt()),
            max_drawdown: self.drawdowns.iter().sum::<f64>() / n,
            max_drawdown_worst: self.drawdowns.iter().copied().fold(0.0, f64::max),
            spread_capture: ratio(capture.capture, capture.lots),
            pnl_over_half_spread: ratio(self.profits.iter().sum(), self.half_spread * tick_value),
            quoted_spread: ratio(self.quoted_spread, self.two_sided as f64),
            two_sided_share: ratio(self.two_sided as f64, decisions),
            captured_spread: ratio(2.0 * self.edge, self.priced_lots),
            adverse_selection_1s: adverse[0],
            adverse_selection_5s: adverse[1],
            adverse_selection_30s: adverse[2],
            inventory_mean: self.inventory_sum / decisions.max(1.0),
            inventory_abs_mean: self.inventory_abs_sum / decisions.max(1.0),
            inventory_half_life_s: self
                .inventory
                .at(1)
                .and_then(half_life_steps)
                .map(|steps| steps * step_seconds),
            inventory_distribution: self.held.iter().map(share).collect(),
            fills: self.fills as f64 / n,
            lots_filled: self.lots / n,
            fill_ratio: ratio(self.lots, self.wanted_lots as f64),
            pnl_spread: self.spread_profit / n,
            pnl_inventory: self.inventory_profit / n,
            pnl_fees: 0.0 - self.fees / n,
            pnl_liquidation: self.liquidation_profit / n,
            rewards: self.rewards,
            profits: self.profits,
        }
    }
}

/// `None` where nothing can be divided by.
fn ratio(sum: f64, by: f64) -> Option<f64> {
    (by > 0.0).then(|| sum / by)
}

/// How often an inventory was held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct InventoryShare {
    /// Lots; negative: sold short.
    pub lots: i64,
    /// Share of all decisions.
    pub share: f64,
}

/// How a policy did over the episodes of an evaluation. Profits are money an episode (ticks x lots at the environment's defaults), prices and
/// spreads ticks; `None` is what there was nothing to divide by for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// As it was asked for.
    pub name: String,
    /// In full.
    pub description: String,
    /// Sessions played.
    pub episodes: usize,
    /// Mean of the episodes' sums of rewards.
    pub reward_mean: f64,
    /// Their standard deviation.
    pub reward_std: f64,
    /// The standard error of the mean.
    pub reward_se: f64,
    /// Mean profit.
    pub pnl_mean: f64,
    /// Its standard deviation.
    pub pnl_std: f64,
    /// The standard error of the mean.
    pub pnl_se: f64,
    /// Mean of the worst 5% of profits.
    pub pnl_cvar95: f64,
    /// `pnl_mean / pnl_std`, of whole episodes, not annualised.
    pub sharpe: Option<f64>,
    /// The same x sqrt(episodes in a year): as if independent episodes followed one another through 252 days of 6.5 hours.
    pub sharpe_annualised: Option<f64>,
    /// Mean over the episodes of each one's greatest loss from a maximum of its profit before.
    pub max_drawdown: f64,
    /// The greatest of all episodes.
    pub max_drawdown_worst: f64,
    /// Lot-weighted mean of (distance of a fill's price from the mid 5 s later) / (half-spread just before the fill): net5.
    pub spread_capture: Option<f64>,
    /// Profit over lots x half-spread at the fills.
    pub pnl_over_half_spread: Option<f64>,
    /// Mean of own ask - own bid where both were quoted.
    pub quoted_spread: Option<f64>,
    /// Share of the decisions at which both were.
    pub two_sided_share: Option<f64>,
    /// Twice the lot-weighted distance of the fills from the mid just before: what would be left if the mid stood still.
    pub captured_spread: Option<f64>,
    /// Lot-weighted move of the mid against the fills within 1 s.
    pub adverse_selection_1s: Option<f64>,
    /// Within 5 s.
    pub adverse_selection_5s: Option<f64>,
    /// Within 30 s.
    pub adverse_selection_30s: Option<f64>,
    /// Mean inventory at the decisions, lots.
    pub inventory_mean: f64,
    /// Mean of its size.
    pub inventory_abs_mean: f64,
    /// `-ln 2 / ln(lag-one autocorrelation)` of the inventory, s; `None` where that is not between 0 and 1.
    pub inventory_half_life_s: Option<f64>,
    /// How often each inventory was held, ascending.
    pub inventory_distribution: Vec<InventoryShare>,
    /// Fills of quotes an episode.
    pub fills: f64,
    /// Lots they traded.
    pub lots_filled: f64,
    /// Lots filled over lots asked for at the decisions.
    pub fill_ratio: Option<f64>,
    /// Part of the profit: the spread. The four parts add up to `pnl_mean`.
    pub pnl_spread: f64,
    /// Part of the profit: moves of the mid while lots were held.
    pub pnl_inventory: f64,
    /// Part of the profit: fees, negative where paid.
    pub pnl_fees: f64,
    /// Part of the profit: market orders, usually negative.
    pub pnl_liquidation: f64,
    /// The single episodes' rewards.
    #[serde(skip)]
    pub rewards: Vec<f64>,
    /// The single episodes' profits.
    #[serde(skip)]
    pub profits: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::super::tape::{Attribution, TapeFill};
    use super::*;

    /// Seven decisions a second apart; a purchase of 2 lots and a sale of 1.
    fn tape() -> Tape {
        Tape {
            step_seconds: 1.0,
            mids: vec![100.0, 100.0, 101.0, 101.0, 100.0, 99.0, 100.0],
            bests: vec![[99.0, 101.0]; 7],
            inventory: vec![0.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0],
            profit: vec![2.0, 4.0, 5.0, 4.0, 3.0, 4.0, 4.5],
            reward: 4.0,
            wanted_lots: 30,
            two_sided: 5,
            quoted_spread: 15.0,
            fills: vec![
                TapeFill {
                    time: 0.5,
                    sign: 1.0,
                    price: 99.0,
                    lots: 2.0,
                    others: Some([99.0, 101.0]),
                    touch: Some([99.0, 101.0]),
                },
                // Inside the spread of others.
                TapeFill {
                    time: 2.0,
                    sign: -1.0,
                    price: 102.0,
                    lots: 1.0,
                    others: Some([99.0, 103.0]),
                    touch: Some([100.0, 102.0]),
                },
            ],
            forced: vec![],
            attribution: Attribution { spread: 3.0, inventory: 2.0, liquidation: -0.4, fees: 0.1 },
        }
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, not {expected}");
    }

    #[test]
    fn figures_of_a_small_episode_by_hand() {
        let mut sums = Sums::default();
        sums.add(&tape());
        let summary = sums.summarise("a", "by hand", 1.0, 1.0);
        assert_eq!((summary.episodes, summary.reward_mean, summary.pnl_mean), (1, 4.0, 4.5));
        // From 5 to 3.
        assert_eq!((summary.max_drawdown, summary.max_drawdown_worst), (2.0, 2.0));
        // 5 s after 0.5 s: the decision at 6, mid 100: 2 lots x 1 tick; the sale's is at 7, beyond the last decision. Half-spread 1.
        close(summary.spread_capture, 1.0);
        // 4.5 over 3 lots x 1 tick.
        close(summary.pnl_over_half_spread, 1.5);
        close(summary.quoted_spread, 3.0);
        close(summary.two_sided_share, 5.0 / 7.0);
        // 2 x (2 lots x 1 + 1 lot x 1) / 3 lots.
        close(summary.captured_spread, 2.0);
        // 1 s later: mids 101 after the purchase at a mid of 100, and 101 after the sale at 101: -1 x 2 lots + 0.
        close(summary.adverse_selection_1s, -2.0 / 3.0);
        close(summary.adverse_selection_5s, 0.0);
        assert_eq!(summary.adverse_selection_30s, None);
        close(Some(summary.inventory_mean), 8.0 / 7.0);
        close(Some(summary.inventory_abs_mean), 8.0 / 7.0);
        // Pairs: products 0 4 2 1 1 1 = 9/6; means 7/6 and 8/6; variance 12/7 - (8/7)^2 = 20/49.
        let correlation = (9.0 / 6.0 - 56.0 / 36.0) / (20.0 / 49.0);
        assert!(correlation < 0.0);
        assert_eq!(summary.inventory_half_life_s, None);
        assert_eq!((summary.fills, summary.lots_filled), (2.0, 3.0));
        close(summary.fill_ratio, 0.1);
        let shares: Vec<_> =
            summary.inventory_distribution.iter().map(|held| (held.lots, held.share)).collect();
        assert_eq!(shares, [(0, 1.0 / 7.0), (1, 4.0 / 7.0), (2, 2.0 / 7.0)]);
        let parts = [summary.pnl_spread, summary.pnl_inventory, summary.pnl_fees, summary.pnl_liquidation];
        close(Some(parts.iter().sum()), 4.5);
        assert_eq!((summary.sharpe, summary.sharpe_annualised), (None, None), "one episode has no deviation");
    }

    #[test]
    fn several_episodes_by_hand() {
        let mut sums = Sums::default();
        sums.add(&tape());
        let mut other = tape();
        other.profit = vec![1.0, -2.0, 1.5];
        other.inventory = vec![4.0, 4.0, 4.0, -4.0, -4.0, -4.0, -4.0];
        other.reward = 0.0;
        let mut more = Sums::default();
        more.add(&other);
        sums.merge(more);
        let summary = sums.clone().summarise("a", "", 1.0, 2.0);
        // Profits 4.5 and 1.5: mean 3, deviation 3 / sqrt 2.
        close(summary.sharpe, 2.0_f64.sqrt());
        // 5,896,800 s of trading in episodes of 7 s.
        close(summary.sharpe_annualised, 2.0_f64.sqrt() * (5_896_800.0_f64 / 7.0).sqrt());
        // From 1 to -2, and from 5 to 3.
        assert_eq!((summary.max_drawdown, summary.max_drawdown_worst), (2.5, 3.0));
        assert_eq!((summary.reward_mean, summary.reward_se), (2.0, 2.0));
        // A tick on a lot is worth 2: 6 over 6 lots x 1 tick x 2.
        close(summary.pnl_over_half_spread, 0.5);
        // No pair reaches from one episode into the other. Products 9 + 16 x (5 - 1), first 7 + 0, second 8 - 8, of 12 pairs.
        let correlation = {
            let variance = (12.0 + 112.0) / 14.0 - (4.0_f64 / 14.0).powi(2);
            (73.0 / 12.0) / variance
        };
        close(summary.inventory_half_life_s, -2.0_f64.ln() / correlation.ln());
    }

    #[test]
    fn merged_sums_are_those_of_all_episodes() {
        let mut one = Sums::default();
        one.add(&tape());
        one.add(&tape());
        let mut merged = Sums::default();
        let mut half = Sums::default();
        half.add(&tape());
        merged.merge(half.clone());
        merged.merge(half);
        assert_eq!(one, merged);
    }
}

//! What a market maker's step earns.

use lob::ParameterError;
use lob::parameter::{finite, non_negative, probability};
use serde::{Deserialize, Serialize};

/// Weights of the reward of a market maker.
///
/// With the change of mark-to-market profit over the step, split into what inventory held through the step gained and the rest,
///
/// `reward = pnl_weight x (profit - dampening x max(0, inventory part)) + edge_weight x edge - risk_aversion x inventory^2 x step weight`
///
/// - `dampening` = 0 is the plain profit; above 0, speculative gains count less while losses count in full: the asymmetrically
///   dampened reward of Spooner, Fearnley, Savani & Koukorinis (2018), equation (9) with their eta.
/// - `edge` is the distance of each fill from the mid at that moment times its lots: the classic "spread capture" bonus. It is part of
///   the profit already; its weight pays it twice.
/// - `risk_aversion` in money per lot squared and step; the running inventory penalty of Cartea, Jaimungal & Penalva (2015), ch. 10.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardWeights {
    /// Weight of the profit.
    pub pnl_weight: f64,
    /// Weight of the inventory squared, money per lot^2 and step.
    pub risk_aversion: f64,
    /// Weight of the edge at the fills.
    pub edge_weight: f64,
    /// Share of speculative gains that does not count, from 0 to 1.
    pub dampening: f64,
}

/// What a step brought, in money.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Earned {
    /// Change of cash + inventory x mid, fees included.
    pub profit: f64,
    /// Of that, what the inventory held before the step gained by the mid's moves; the dampened part.
    pub inventory_gain: f64,
    /// Distance of the fills from the mid just before, times lots; positive where better than the mid.
    pub edge: f64,
    /// Lots held after the step.
    pub inventory: f64,
}

impl RewardWeights {
    /// The reward of a step.
    #[inline]
    pub fn reward(&self, earned: &Earned) -> f64 {
        self.pnl_weight * (earned.profit - self.dampening * earned.inventory_gain.max(0.0))
            + self.edge_weight * earned.edge
            - self.risk_aversion * earned.inventory * earned.inventory
    }

    /// Checks every weight.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        finite("pnl_weight", self.pnl_weight)?;
        non_negative("risk_aversion", self.risk_aversion)?;
        finite("edge_weight", self.edge_weight)?;
        probability("dampening", self.dampening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let weights =
            RewardWeights { pnl_weight: 1.0, risk_aversion: 0.01, edge_weight: 0.1, dampening: 0.5 };
        let earned = Earned { profit: 3.0, inventory_gain: 2.0, edge: 4.0, inventory: -5.0 };
        assert_eq!(weights.reward(&earned), 3.0 - 1.0 + 0.4 - 0.25);
        let lost = Earned { inventory_gain: -2.0, ..earned };
        assert_eq!(weights.reward(&lost), 3.0 + 0.4 - 0.25);
    }
}

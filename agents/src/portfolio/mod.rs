//! Rules that say how a portfolio is to be weighted: what a learner has to beat. One file each, its source cited.
//!
//! A rule is given the past alone ([`Situation`]); whoever fills it in must put nothing later there.

use std::fmt;

use gym::envs::PortfolioRebalancing;

mod buy_and_hold;
mod covariance;
mod equal_weight;
mod mean_variance;
mod minimum_variance;
mod no_trade_band;
mod quadratic;
mod risk_parity;
mod rule;

pub use buy_and_hold::BuyAndHold;
pub use covariance::{Covariance, ledoit_wolf};
pub use equal_weight::EqualWeight;
pub use mean_variance::MeanVariance;
pub use minimum_variance::MinimumVariance;
pub use no_trade_band::NoTradeBand;
pub use quadratic::minimise;
pub use risk_parity::{RiskParity, equal_risk};
pub use rule::Rule;

/// Who knows what an order would cost beyond a share of what is traded.
pub trait ImpactEstimate: fmt::Debug {
    /// What changing the weight of an asset by `change` would pay in impact now, a share of the net asset value. Nothing is traded.
    fn impact_of(&self, asset: usize, change: f64) -> f64;
}

/// The environment's own models, with what they remember.
impl ImpactEstimate for PortfolioRebalancing {
    fn impact_of(&self, asset: usize, change: f64) -> f64 {
        PortfolioRebalancing::impact_of(self, asset, change)
    }
}

/// What is known at a decision.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Log growth of the past periods, oldest first: a row of one number an asset each.
    pub past: &'a [f64],
    /// What is held, shares of the net asset value: one an asset. What they leave to 1 is cash, if it can be held; else their sum is 1.
    pub weights: &'a [f64],
    /// Cost of trading, a share of what is traded.
    pub cost: f64,
    /// Logarithm of each asset's expected growth in the coming period, where it is known.
    pub expected: Option<&'a [f64]>,
    /// Log growth of cash in a period, where it can be held.
    pub cash: Option<f64>,
    /// What orders cost besides, where they move prices.
    pub impact: Option<&'a dyn ImpactEstimate>,
}

impl<'a> Situation<'a> {
    /// How many assets.
    pub fn assets(&self) -> usize {
        self.weights.len()
    }

    /// The last `window` periods, or all if there are fewer.
    pub fn last(&self, window: usize) -> &'a [f64] {
        let wanted = window.saturating_mul(self.assets()).min(self.past.len());
        &self.past[self.past.len() - wanted..]
    }
}

/// A rule for weights.
pub trait Strategy: Send {
    /// Writes the weights to be held over the coming period, one an asset: 0 or more, with a sum of 1, or less where cash can be held.
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]);
}

#[cfg(test)]
mod tests;

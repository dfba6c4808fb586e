//! What a step earns.

use super::config::{PortfolioRebalancingConfig, RewardKind};

/// A reward with its parameters and its memory.
#[derive(Clone, Debug)]
pub(super) struct Reward {
    kind: RewardKind,
    risk_aversion: f64,
    adaptation: f64,
    /// Moving averages of the return and of its square.
    first: f64,
    second: f64,
}

impl Reward {
    pub(super) fn new(config: &PortfolioRebalancingConfig) -> Self {
        Self {
            kind: config.reward,
            risk_aversion: config.risk_aversion,
            adaptation: config.sharpe_adaptation,
            first: 0.0,
            second: 0.0,
        }
    }

    pub(super) fn reset(&mut self) {
        (self.first, self.second) = (0.0, 0.0);
    }

    /// What a step with this net log return earns in a period in which the assets, cash included, grew by these factors.
    #[inline]
    pub(super) fn of(&mut self, log_return: f64, growth: &[f64]) -> f64 {
        match self.kind {
            RewardKind::LogReturn => log_return,
            RewardKind::VariancePenalty => log_return - 0.5 * self.risk_aversion * log_return * log_return,
            RewardKind::ExcessReturn => {
                log_return - libm::log(growth.iter().sum::<f64>() / growth.len() as f64)
            }
            RewardKind::DifferentialSharpe => self.differential_sharpe(libm::expm1(log_return)),
        }
    }

    /// Moody & Saffell, *Learning to trade via direct reinforcement*, IEEE Transactions on Neural Networks 12 (2001), equation (14): the
    /// derivative of the moving Sharpe ratio by the adaptation rate. 0 while the moving variance is 0, as it is at the first step.
    fn differential_sharpe(&mut self, value: f64) -> f64 {
        let (change, change_of_square) = (value - self.first, value * value - self.second);
        let variance = self.second - self.first * self.first;
        let ratio = if variance > 0.0 {
            let slope = self.second * change - 0.5 * self.first * change_of_square;
            slope / (variance * libm::sqrt(variance))
        } else {
            0.0
        };
        self.first += self.adaptation * change;
        self.second += self.adaptation * change_of_square;
        // Returns that are the same to the last bit leave a variance of rounding errors.
        if ratio.is_finite() { ratio } else { 0.0 }
    }
}

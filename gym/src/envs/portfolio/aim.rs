//! What an action means.

use super::config::{ActionMeaning, PortfolioRebalancingConfig, Weights};
use super::projection::{project_l1_ball, project_simplex};
use crate::space::{BoxSpace, Component, Space};

/// From actions to legal weights, and what actions there are.
#[derive(Clone, Debug)]
pub struct Aim {
    assets: usize,
    cash: bool,
    weights: Weights,
    leverage: f64,
    /// What 1 of an action changes a weight by; none: actions are weights.
    change: Option<f64>,
    /// Share of the way from what is held to what is wanted that is gone in a step.
    adjustment: f64,
}

impl Aim {
    /// Of an environment with so many assets.
    pub fn new(config: &PortfolioRebalancingConfig, assets: usize) -> Self {
        Self {
            assets,
            cash: config.cash,
            weights: config.weights,
            leverage: config.leverage,
            change: (config.action == ActionMeaning::Changes).then_some(config.max_change),
            adjustment: config.adjustment,
        }
    }

    /// True if actions are the weights to be held, all of them at once.
    pub fn is_plain(&self) -> bool {
        self.change.is_none() && self.adjustment >= 1.0
    }

    /// The actions.
    pub fn space(&self) -> Space {
        let (low, unit) = match (self.change, self.weights) {
            (Some(_), _) => (-1.0, "max_change x share of the net asset value"),
            (None, Weights::LongOnly) => (0.0, "share of the net asset value"),
            (None, Weights::LongShort) => (-1.0, "leverage x share of the net asset value"),
        };
        let what = if self.change.is_some() { "change of the weight of" } else { "target weight of" };
        let target = |name: String| Component::new(format!("{what} {name}"), unit, low, 1.0);
        let mut components: Vec<_> = (0..self.assets).map(|asset| target(format!("asset {asset}"))).collect();
        if self.cash && self.weights == Weights::LongOnly {
            components.push(target("cash".to_owned()));
        }
        Space::Box(BoxSpace::new(components))
    }

    /// Writes the legal weights next to what `action` wants where `held` is held; both are laid out like the environment's weights.
    #[inline]
    pub fn targets(&self, action: &[f32], held: &[f64], targets: &mut [f64]) {
        match (self.weights, self.change) {
            (Weights::LongOnly, None) => {
                for (target, &action) in targets.iter_mut().zip(action) {
                    *target = f64::from(action).clamp(0.0, 1.0);
                }
            }
            (Weights::LongOnly, Some(change)) => {
                for ((target, &action), held) in targets.iter_mut().zip(action).zip(held) {
                    *target = held + change * f64::from(action).clamp(-1.0, 1.0);
                }
            }
            (Weights::LongShort, None) => {
                for (target, &action) in targets[..self.assets].iter_mut().zip(action) {
                    *target = f64::from(action).clamp(-1.0, 1.0) * self.leverage;
                }
            }
            (Weights::LongShort, Some(change)) => {
                for ((target, &action), held) in targets[..self.assets].iter_mut().zip(action).zip(held) {
                    *target = held + change * f64::from(action).clamp(-1.0, 1.0);
                }
            }
        }
        match self.weights {
            Weights::LongOnly => project_simplex(targets, 1.0),
            Weights::LongShort => {
                let (assets, cash) = targets.split_at_mut(self.assets);
                project_l1_ball(assets, self.leverage);
                cash[0] = 1.0 - assets.iter().sum::<f64>();
            }
        }
        if self.adjustment < 1.0 {
            for (target, held) in targets.iter_mut().zip(held) {
                *target = held + self.adjustment * (*target - held);
            }
        }
    }
}

//! The strategies of backtests as a broker's targets.

use super::{Targets, View};
use crate::portfolio::{ImpactEstimate, Rule, Situation, Strategy};

/// A strategy of portfolios. It is told the same as in a backtest: log growth up to now, the weights of what is invested (the same of each while
/// nothing is), what proportional fees take, and what orders do to prices.
pub struct RuleTargets {
    rule: Rule,
    strategy: Box<dyn Strategy>,
    weights: Vec<f64>,
    holds: bool,
}

impl RuleTargets {
    /// With this rule.
    pub fn new(rule: Rule) -> Self {
        Self { rule, strategy: rule.make(), weights: Vec::new(), holds: false }
    }
}

impl std::fmt::Debug for RuleTargets {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_tuple("RuleTargets").field(&self.rule).finish()
    }
}

/// The venue's own models, with what they remember.
impl ImpactEstimate for View<'_> {
    fn impact_of(&self, asset: usize, change: f64) -> f64 {
        let (invested, price) = (self.invested(), self.market.prices()[asset] as f64);
        let quantity = change * invested / price;
        // A price that is not above 0 buys nothing.
        if quantity.is_finite() {
            100.0 * self.venue.impact_of(self.market, asset, quantity) / invested
        } else {
            f64::INFINITY
        }
    }
}

impl Targets for RuleTargets {
    fn decide(&mut self, view: &View<'_>, targets: &mut Vec<f64>) {
        let assets = view.market.assets();
        let invested = view.invested();
        self.weights.clear();
        self.weights.extend(
            (0..assets).map(
                |asset| {
                    if invested > 0.0 { view.value(asset) / invested } else { 1.0 / assets as f64 }
                },
            ),
        );
        targets.resize(assets, 0.0);
        let cost = view.venue.proportional_fee(view.market, view.nav);
        let impact = (invested > 0.0 && view.venue.has_impact()).then_some(view as &dyn ImpactEstimate);
        let situation = Situation {
            past: view.market.past(),
            weights: &self.weights,
            cost,
            impact,
            expected: None,
            cash: None,
        };
        self.strategy.weigh(&situation, targets);
        // Weights that are held are left alone: whole shares and the reserve would make small orders of them.
        self.holds = invested > 0.0 && *targets == self.weights;
    }

    fn holds(&self) -> bool {
        self.holds
    }
}

//! Settings of portfolio rebalancing.

use lob::ParameterError;
use lob::models::{FeeConfig, ImpactConfig};
use lob::parameter::{finite, integer, length, non_negative, positive, probability};
use serde::{Deserialize, Serialize};

use crate::envs::costs::{TradingConditions, validate};
use crate::prices::PricesConfig;

/// Periods of an episode whose prices are drawn, where nothing says how many: a year of days.
pub(super) const DEFAULT_STEPS: u64 = 252;

/// The longest window, periods.
const MAX_WINDOW: usize = 100_000;

/// What weights may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// 0 or more, with a sum of 1.
    #[default]
    LongOnly,
    /// Of either sign, their absolute values' sum at most the leverage; cash is what is left to 1.
    LongShort,
}

/// What an action says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionMeaning {
    /// The weights to be held.
    #[default]
    Targets,
    /// Changes of those that are held: 0 does nothing, whatever is held.
    Changes,
}

/// What is seen of an asset's risk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Variance of its log growth.
    #[default]
    Variance,
    /// Covariance of its log growth with that of the portfolio as it is weighted now.
    Covariance,
}

/// What a step earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardKind {
    /// The net log return.
    #[default]
    LogReturn,
    /// The net log return less half the risk aversion times its square.
    VariancePenalty,
    /// The differential Sharpe ratio of the net simple return.
    DifferentialSharpe,
    /// The net log return less that of equal weights of all assets, cash included, restored in each period at no cost: what is
    /// subtracted does not depend on the actions, so that the best policy is the same, and most of the market's noise is gone.
    ExcessReturn,
}

/// The weights an episode begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The same of each asset, nothing in cash.
    #[default]
    Equal,
    /// All in cash.
    Cash,
}

/// Settings of [`PortfolioRebalancing`](super::PortfolioRebalancing).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortfolioRebalancingConfig {
    /// Where the prices come from.
    pub prices: PricesConfig,
    /// How many assets; null: as many as the prices have, 10 if they are drawn.
    pub assets: Option<usize>,
    /// Periods of an episode; null: all that given prices have after the longest window, 252 of prices that are drawn.
    pub steps: Option<u64>,
    /// Money at the start.
    pub capital: f64,
    /// Whether cash is held besides the assets.
    pub cash: bool,
    /// Simple return of cash in a period, paid on debt as well.
    pub cash_return: f64,
    /// What weights may be.
    pub weights: Weights,
    /// Long/short: the largest sum of the weights' absolute values.
    pub leverage: f64,
    /// What an action says.
    pub action: ActionMeaning,
    /// Of `changes`: what an action of 1 changes a weight by, above 0.
    pub max_change: f64,
    /// Share of the way from the weights that are held to those that an action wants which is gone in a step, above 0 and at most 1.
    pub adjustment: f64,
    /// The weights an episode begins with.
    pub start: Start,
    /// Cost of trading, a share of what is traded: 0.001 is 10 basis points.
    pub transaction_cost: f64,
    /// What a broker charges for each order besides.
    pub fees: FeeConfig,
    /// What orders do to the price, with a memory for each asset.
    pub impact: ImpactConfig,
    /// The market that orders meet.
    pub conditions: TradingConditions,
    /// Periods over which returns are seen: a column for each.
    pub return_windows: Vec<usize>,
    /// Periods over which risk is seen, 2 or more.
    pub risk_window: usize,
    /// What is seen of an asset's risk.
    pub risk: Risk,
    /// Whether the expected log growth of the coming period is seen, where the prices' process knows it (`mean_reverting`).
    pub observe_expected: bool,
    /// What a step earns.
    pub reward: RewardKind,
    /// Of `variance_penalty`.
    pub risk_aversion: f64,
    /// Of `differential_sharpe`: weight of the last return in the moving moments, above 0 and below 1.
    pub sharpe_adaptation: f64,
    /// Share of the capital at which the portfolio is ruined, above 0 and below 1.
    pub ruin_level: f64,
    /// Periods that have passed before the first decision, for those who look back farther than the windows: the longest window has passed
    /// in any case.
    pub history: usize,
}

impl Default for PortfolioRebalancingConfig {
    fn default() -> Self {
        Self {
            prices: PricesConfig::default(),
            assets: None,
            steps: None,
            capital: 1_000_000.0,
            cash: false,
            cash_return: 0.0,
            weights: Weights::LongOnly,
            leverage: 1.0,
            action: ActionMeaning::Targets,
            max_change: 0.1,
            adjustment: 1.0,
            start: Start::Equal,
            transaction_cost: 0.001,
            fees: FeeConfig::None,
            impact: ImpactConfig::None,
            conditions: TradingConditions::default(),
            return_windows: vec![20],
            risk_window: 20,
            risk: Risk::Variance,
            observe_expected: false,
            reward: RewardKind::LogReturn,
            risk_aversion: 1.0,
            sharpe_adaptation: 0.01,
            ruin_level: 0.001,
            history: 0,
        }
    }
}

impl PortfolioRebalancingConfig {
    /// Checks every field without reading a file.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.prices.validate(self.assets)?;
        if let Some(steps) = self.steps {
            integer("steps", steps, 1..=1_000_000_000)?;
        }
        positive("capital", self.capital)?;
        finite("cash_return", self.cash_return)?;
        if self.cash_return <= -1.0 || self.cash_return > 1.0 {
            return Err(ParameterError::new("cash_return", self.cash_return, "above -1 and at most 1"));
        }
        if !self.cash {
            let wanted = "true, which this needs, with";
            if self.weights == Weights::LongShort {
                return Err(ParameterError::new("cash", false, format!("{wanted} weights: long_short")));
            }
            if self.start == Start::Cash {
                return Err(ParameterError::new("cash", false, format!("{wanted} start: cash")));
            }
        }
        positive("leverage", self.leverage)?;
        if self.leverage > 100.0 {
            return Err(ParameterError::new("leverage", self.leverage, "at most 100"));
        }
        positive("max_change", self.max_change)?;
        if self.max_change > 100.0 {
            return Err(ParameterError::new("max_change", self.max_change, "at most 100"));
        }
        if !(self.adjustment > 0.0 && self.adjustment <= 1.0) {
            return Err(ParameterError::new("adjustment", self.adjustment, "a number above 0 and at most 1"));
        }
        probability("transaction_cost", self.transaction_cost)?;
        validate(&self.fees, &self.impact, &self.conditions, self.assets)?;
        length("return_windows", self.return_windows.len(), 1..=100)?;
        for (index, &window) in self.return_windows.iter().enumerate() {
            integer(&format!("return_windows[{index}]"), window, 1..=MAX_WINDOW)?;
        }
        integer("risk_window", self.risk_window, 2..=MAX_WINDOW)?;
        if self.observe_expected && !matches!(self.prices, PricesConfig::MeanReverting(_)) {
            let legal = "false: only prices: mean_reverting has a drift to be seen";
            return Err(ParameterError::new("observe_expected", true, legal));
        }
        non_negative("risk_aversion", self.risk_aversion)?;
        integer("history", self.history, 0..=MAX_WINDOW)?;
        let open = |key, value: f64| {
            let legal = value > 0.0 && value < 1.0;
            if legal { Ok(()) } else { Err(ParameterError::new(key, value, "a number above 0 and below 1")) }
        };
        open("sharpe_adaptation", self.sharpe_adaptation)?;
        open("ruin_level", self.ruin_level)
    }

    /// Periods that must be known before the first decision.
    pub fn lookback(&self) -> usize {
        self.return_windows.iter().copied().max().unwrap_or(0).max(self.risk_window).max(self.history)
    }
}

//! Settings of multi-asset trading.

use lob::ParameterError;
use lob::models::{FeeConfig, ImpactConfig};
use lob::parameter::{integer, non_negative, positive, probability};
use serde::{Deserialize, Serialize};

use crate::envs::costs::{TradingConditions, validate};
use crate::prices::{PricesConfig, Table};

/// Periods of an episode whose prices are drawn, where nothing says how many: a year of days.
pub(super) const DEFAULT_STEPS: u64 = 252;

/// Settings of [`MultiAssetTrading`](super::MultiAssetTrading).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiAssetTradingConfig {
    /// Where the prices come from.
    pub prices: PricesConfig,
    /// How many assets; null: as many as the prices have, 10 if they are drawn.
    pub assets: Option<usize>,
    /// What is seen besides the positions, of given prices: as many rows as they have. Null: the return of each asset over the last period.
    pub features: Option<Table>,
    /// Periods of an episode; null: all of given prices, 252 of prices that are drawn.
    pub steps: Option<u64>,
    /// Money at the start.
    pub initial_cash: f64,
    /// Fee on the traded notional, a share of it: 0.0005 is 5 basis points.
    pub transaction_cost: f64,
    /// What a broker charges for each order besides.
    pub fees: FeeConfig,
    /// What orders do to the price, with a memory for each asset.
    pub impact: ImpactConfig,
    /// The market that orders meet.
    pub conditions: TradingConditions,
    /// Standard deviation of the log growth in a period that is assumed before the first period; it counts for less with each that is seen.
    pub initial_volatility: f64,
}

impl Default for MultiAssetTradingConfig {
    fn default() -> Self {
        Self {
            prices: PricesConfig::default(),
            assets: None,
            features: None,
            steps: None,
            initial_cash: 100_000.0,
            transaction_cost: 0.0005,
            fees: FeeConfig::None,
            impact: ImpactConfig::None,
            conditions: TradingConditions::default(),
            initial_volatility: 0.01,
        }
    }
}

impl MultiAssetTradingConfig {
    /// Checks every field without reading a file.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.prices.validate(self.assets)?;
        if let Some(steps) = self.steps {
            integer("steps", steps, 1..=1_000_000_000)?;
        }
        positive("initial_cash", self.initial_cash)?;
        probability("transaction_cost", self.transaction_cost)?;
        non_negative("initial_volatility", self.initial_volatility)?;
        if self.initial_volatility > 10.0 {
            return Err(ParameterError::new("initial_volatility", self.initial_volatility, "at most 10"));
        }
        validate(&self.fees, &self.impact, &self.conditions, self.assets)
    }
}

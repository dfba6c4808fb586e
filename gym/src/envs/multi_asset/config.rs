//! Settings of multi-asset trading.

use lob::ParameterError;
use lob::parameter::{integer, positive, probability};
use serde::{Deserialize, Serialize};

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
        probability("transaction_cost", self.transaction_cost)
    }
}

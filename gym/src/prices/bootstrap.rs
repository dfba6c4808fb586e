//! Returns that happened, in an order that did not.

use std::path::Path;

use lob::ParameterError;
use lob::parameter::finite;
use lob::random::uniform;
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::replay::{below, logarithms};
use super::{BarsConfig, BarsFormat, PriceProcess, Table};
use crate::config::ConfigError;

/// Parameters of [`BlockBootstrap`]. One of `returns`, `prices`, `csv` and `parquet` is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockBootstrapConfig {
    /// Mean length of a block, periods, 1 or more.
    pub mean_block: f64,
    /// Simple returns, each above -1: a row a period, a column an asset.
    pub returns: Option<Table>,
    /// Prices above 0 to take the returns of: a row a period, a column an asset.
    pub prices: Option<Table>,
    /// A CSV file with such prices.
    pub csv: Option<BarsConfig>,
    /// A Parquet file with such prices.
    pub parquet: Option<BarsConfig>,
}

impl Default for BlockBootstrapConfig {
    fn default() -> Self {
        Self { mean_block: 20.0, returns: None, prices: None, csv: None, parquet: None }
    }
}

impl BlockBootstrapConfig {
    /// The file, if there is one, with its key and format.
    fn file(&self) -> Option<(&'static str, BarsFormat, &BarsConfig)> {
        match (&self.csv, &self.parquet) {
            (Some(file), _) => Some(("csv", BarsFormat::Csv, file)),
            (_, Some(file)) => Some(("parquet", BarsFormat::Parquet, file)),
            _ => None,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        finite("mean_block", self.mean_block)?;
        if self.mean_block < 1.0 {
            return Err(ParameterError::new("mean_block", self.mean_block, "a number >= 1"));
        }
        let given =
            [self.returns.is_some(), self.prices.is_some(), self.csv.is_some(), self.parquet.is_some()];
        let count = given.into_iter().filter(|&given| given).count();
        if count != 1 {
            let legal = "one of returns, prices, csv and parquet";
            return Err(ParameterError::new("returns", format_args!("one of {count} sources"), legal));
        }
        if let Some((key, _, file)) = self.file() {
            file.validate().map_err(|error| error.within(key))?;
        }
        match (&self.returns, &self.prices) {
            (Some(returns), _) => growth_of(returns).map(drop),
            (_, Some(prices)) => prices.growth("prices").map(drop),
            _ => Ok(()),
        }
    }
}

fn growth_of(returns: &Table) -> Result<Table, ParameterError> {
    if returns.rows() == 0 || returns.columns() == 0 {
        let found = format!("a table of {} x {}", returns.rows(), returns.columns());
        return Err(ParameterError::new("returns", found, "1 row or more and 1 column or more"));
    }
    if let Some(index) = returns.values().iter().position(|&value| value <= -1.0) {
        let at = format!("returns[{}][{}]", index / returns.columns(), index % returns.columns());
        return Err(ParameterError::new(at, returns.values()[index], "a simple return > -1"));
    }
    let values = returns.values().iter().map(|value| 1.0 + value).collect();
    Table::new("returns", values, returns.rows(), returns.columns())
}

/// The stationary bootstrap of Politis & Romano, *The stationary bootstrap*, Journal of the American Statistical Association 89 (1994): rows
/// in blocks of geometric length, each begun at a row drawn at random, the first row following the last. All assets' returns of a row stay
/// together.
#[derive(Clone, Debug)]
pub struct BlockBootstrap {
    growth: Table,
    log_growth: Table,
    /// Probability that a row begins a block.
    begins: f64,
    next: usize,
}

impl BlockBootstrap {
    /// Reads the returns, a relative path from `directory`.
    ///
    /// # Errors
    /// The first file or parameter that is not legal.
    pub fn new(config: &BlockBootstrapConfig, directory: &Path) -> Result<Self, ConfigError> {
        config.validate()?;
        let growth = match (&config.returns, &config.prices, config.file()) {
            (Some(returns), _, _) => growth_of(returns)?,
            (_, Some(prices), _) => prices.growth("prices")?,
            (_, _, Some((key, format, file))) => file.read(format, directory)?.table.growth(key)?,
            _ => unreachable!("a checked configuration has returns"),
        };
        Ok(Self { log_growth: logarithms(&growth)?, growth, begins: 1.0 / config.mean_block, next: 0 })
    }
}

impl PriceProcess for BlockBootstrap {
    fn assets(&self) -> usize {
        self.growth.columns()
    }

    fn begin(&mut self, rng: &mut SimRng, _periods: u64) {
        self.next = below(rng, self.growth.rows());
    }

    #[inline]
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        growth.copy_from_slice(self.growth.row(self.next));
        log_growth.copy_from_slice(self.log_growth.row(self.next));
        self.next = if uniform(rng) < self.begins {
            below(rng, self.growth.rows())
        } else if self.next + 1 == self.growth.rows() {
            0
        } else {
            self.next + 1
        };
    }
}

//! Settings of a paper broker.

use std::path::Path;

use gym::config::{keys_of, parse};
use gym::prices::PricesConfig;
use gym::{ConfigError, Settings};
use lob::ParameterError;
use lob::models::impact::SquareRootParams;
use lob::models::{FeeConfig, FeeRate, ImpactConfig};
use lob::parameter::{integer, length, positive};
use serde::{Deserialize, Serialize};

use super::RiskLimits;

/// The most money that a broker begins with.
const MOST_CAPITAL: f64 = 1e12;

/// Settings: the market, what trading costs in it, and the limits. All have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaperConfig {
    /// Where prices come from: one period of them a step; null: from where a trained policy's came, else geometric Brownian motions.
    pub prices: Option<PricesConfig>,
    /// How many assets; null: as many as the prices have, 10 if they are drawn.
    pub assets: Option<usize>,
    /// Money at the start, to the cent.
    pub capital: f64,
    /// Each asset's price at the start where prices are drawn without a level of their own, money a share, to the cent.
    pub start_price: f64,
    /// How long a step is in the market, seconds.
    pub period_seconds: f64,
    /// Steps of a day: limits of a day are of so many.
    pub periods_per_day: u64,
    /// How long an order is worked, seconds of the market; at most a step.
    pub execution_seconds: f64,
    /// Shares that others trade of an asset in a step.
    pub volume: f64,
    /// Steps over which returns are seen by a policy: a column for each.
    pub return_windows: Vec<usize>,
    /// Steps over which an asset's volatility is observed, 2 or more.
    pub risk_window: usize,
    /// Share of the net asset value that is not invested, so that costs can be paid.
    pub cash_reserve: f64,
    /// What the venue charges; amounts are in money.
    pub fees: FeeConfig,
    /// What orders do to the price.
    pub impact: ImpactConfig,
    /// What is refused.
    pub limits: RiskLimits,
}

impl Default for PaperConfig {
    fn default() -> Self {
        let (maker, taker) = (FeeRate::BasisPoints(10.0), FeeRate::BasisPoints(10.0));
        let period_seconds = 23_400.0;
        let square_root = SquareRootParams { y: 1.0, memory_seconds: Some(period_seconds), half_spread: 0.0 };
        Self {
            prices: None,
            assets: None,
            capital: 1_000_000.0,
            start_price: 100.0,
            period_seconds,
            periods_per_day: 1,
            execution_seconds: period_seconds,
            volume: 1_000_000.0,
            return_windows: vec![20],
            risk_window: 20,
            cash_reserve: 0.01,
            fees: FeeConfig::MakerTaker { maker, taker, minimum_per_order: None },
            impact: ImpactConfig::SquareRoot(square_root),
            limits: RiskLimits::default(),
        }
    }
}

impl PaperConfig {
    /// Reads the section `paper`.
    ///
    /// # Errors
    /// The first key or value that is not legal, with the file it is in.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let read = || -> Result<Self, ParameterError> {
            let legal = ["paper".to_owned()];
            if let Some((key, _)) = settings.root().iter().find(|(key, _)| !legal.contains(key)) {
                return Err(ParameterError::new(key, "an unknown section", gym::config::one_of(&legal, key)));
            }
            let map = match settings.section("paper") {
                Ok(map) => map,
                Err(ConfigError::Parameter(error)) => return Err(error),
                Err(error) => return Err(ParameterError::new("paper", error, "a map of settings")),
            };
            let parsed: Self =
                parse(map, &keys_of(&Self::default())).map_err(|error| error.within("paper"))?;
            parsed.validate().map_err(|error| error.within("paper"))?;
            Ok(parsed)
        };
        read().map_err(|problem| match settings.file() {
            Some(file) => ConfigError::InFile { path: file.to_owned(), problem },
            None => problem.into(),
        })
    }

    /// Where prices come from.
    pub fn source(&self) -> PricesConfig {
        self.prices.clone().unwrap_or_default()
    }

    /// The same with every choice made that a file or a default makes: where prices come from, and the impact model itself where a file has it,
    /// its path from `directory` if it is relative. Every field is checked.
    ///
    /// # Errors
    /// The first field or file that is not legal.
    pub fn resolve(&self, directory: &Path) -> Result<Self, ConfigError> {
        self.validate()?;
        let impact = self.impact.resolve(directory)?;
        Ok(Self { prices: Some(self.source()), impact, ..self.clone() })
    }

    /// Checks every field without reading a file.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.source().validate(self.assets)?;
        amount("capital", self.capital)?;
        amount("start_price", self.start_price)?;
        positive("period_seconds", self.period_seconds)?;
        integer("periods_per_day", self.periods_per_day, 1..=1_000_000_000)?;
        positive("execution_seconds", self.execution_seconds)?;
        if self.execution_seconds > self.period_seconds {
            let legal = format!("at most {}, the period_seconds", self.period_seconds);
            return Err(ParameterError::new("execution_seconds", self.execution_seconds, legal));
        }
        positive("volume", self.volume)?;
        length("return_windows", self.return_windows.len(), 1..=100)?;
        for (index, &window) in self.return_windows.iter().enumerate() {
            integer(&format!("return_windows[{index}]"), window, 1..=100_000)?;
        }
        integer("risk_window", self.risk_window, 2..=100_000)?;
        if !(0.0..1.0).contains(&self.cash_reserve) {
            return Err(ParameterError::new("cash_reserve", self.cash_reserve, "0 or more and below 1"));
        }
        self.fees.validate().map_err(|error| error.within("fees"))?;
        self.impact.validate().map_err(|error| error.within("impact"))?;
        self.limits.validate().map_err(|error| error.within("limits"))
    }
}

/// An amount of money that cents can hold.
fn amount(key: &str, value: f64) -> Result<(), ParameterError> {
    if (0.01..=MOST_CAPITAL).contains(&value) {
        Ok(())
    } else {
        Err(ParameterError::new(key, value, format!("0.01 to {MOST_CAPITAL}")))
    }
}

/// Money in cents, to the nearest.
pub(super) fn cents(money: f64) -> i64 {
    // Numbers beyond 64 bits saturate, and what is not a number is 0.
    (money * 100.0).round() as i64
}

//! Correlated geometric Brownian motions.

use lob::ParameterError;
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::{Correlation, Diffusion, PerAsset, PriceProcess, grow};

/// Parameters of [`Brownian`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrownianConfig {
    /// Logarithm of the expected growth in a year, 1 / year.
    pub drift: PerAsset,
    /// Standard deviation of the log growth in a year, 1 / sqrt(year).
    pub volatility: PerAsset,
    /// Of the log growth.
    pub correlation: Correlation,
    /// 252 for days.
    pub periods_per_year: f64,
}

impl Default for BrownianConfig {
    fn default() -> Self {
        Self {
            drift: PerAsset::Range { from: 0.03, to: 0.12 },
            volatility: PerAsset::Range { from: 0.12, to: 0.4 },
            correlation: Correlation::Equal(0.3),
            periods_per_year: 252.0,
        }
    }
}

/// `ln(S' / S) = (mu - sigma^2 / 2) dt + sigma sqrt(dt) Z`, Z normal and correlated: `E(S' / S) = exp(mu dt)`. The market of Samuelson
/// (1965) and of Black & Scholes (1973); an exact step, whatever its length.
#[derive(Clone, Debug)]
pub struct Brownian {
    diffusion: Diffusion,
    log_drift: Vec<f64>,
}

impl Brownian {
    /// `assets` of them.
    ///
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(config: &BrownianConfig, assets: usize) -> Result<Self, ParameterError> {
        let diffusion = Diffusion::new(
            &config.drift,
            &config.volatility,
            &config.correlation,
            config.periods_per_year,
            assets,
        )?;
        Ok(Self { log_drift: diffusion.log_drift(), diffusion })
    }
}

impl PriceProcess for Brownian {
    fn assets(&self) -> usize {
        self.log_drift.len()
    }

    fn begin(&mut self, _rng: &mut SimRng, _periods: u64) {}

    #[inline]
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        self.diffusion.mixing.draw(rng, log_growth);
        for (log, (drift, sigma)) in
            log_growth.iter_mut().zip(self.log_drift.iter().zip(&self.diffusion.volatility))
        {
            *log = drift + sigma * *log;
        }
        grow(log_growth, growth);
    }
}

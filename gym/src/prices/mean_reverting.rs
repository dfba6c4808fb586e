//! Expected returns that wander about a mean: a market whose right answer is known.

use lob::ParameterError;
use lob::parameter::{finite, non_negative, positive};
use lob::random::standard_normal;
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::{Correlation, Diffusion, PerAsset, PriceProcess, at_most, grow};

/// Parameters of [`MeanReverting`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanRevertingConfig {
    /// What the drift reverts to: logarithm of the expected growth in a year, 1 / year.
    pub drift: PerAsset,
    /// Stationary standard deviation of the drift, 1 / year.
    pub drift_deviation: PerAsset,
    /// Periods in which half of a deviation is gone, above 0.
    pub half_life: f64,
    /// Standard deviation of the log growth in a year around its drift, 1 / sqrt(year).
    pub volatility: PerAsset,
    /// Of the log growth around its drift; the drifts themselves are independent.
    pub correlation: Correlation,
    /// 252 for days.
    pub periods_per_year: f64,
}

impl Default for MeanRevertingConfig {
    fn default() -> Self {
        Self {
            drift: PerAsset::All(0.05),
            drift_deviation: PerAsset::All(0.5),
            half_life: 20.0,
            volatility: PerAsset::All(0.2),
            correlation: Correlation::Equal(0.3),
            periods_per_year: 252.0,
        }
    }
}

/// `ln(S' / S) = (x - sigma^2 / 2) dt + sigma sqrt(dt) Z`, where the drift `x` is an Ornstein-Uhlenbeck process stepped exactly: `x' = mu + a
/// (x - mu) + s sqrt(1 - a^2) Z'`, `a = 2^(-1 / half_life)`, begun at its stationary distribution N(mu, s^2). The drift of a period is known
/// at its beginning ([`PriceProcess::expected`]): the predictor of Garleanu & Pedersen, *Dynamic trading with predictable returns and
/// transaction costs*, Journal of Finance 68 (2013). Under proportional costs the best policy does not trade inside a band.
#[derive(Clone, Debug)]
pub struct MeanReverting {
    /// Its drift is the mean of `drift`.
    diffusion: Diffusion,
    /// Stationary deviation, a period.
    deviation: Vec<f64>,
    decay: f64,
    innovation: f64,
    /// The drift of the coming period.
    drift: Vec<f64>,
}

impl MeanReverting {
    /// `assets` of them.
    ///
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(config: &MeanRevertingConfig, assets: usize) -> Result<Self, ParameterError> {
        let diffusion = Diffusion::new(
            &config.drift,
            &config.volatility,
            &config.correlation,
            config.periods_per_year,
            assets,
        )?;
        positive("half_life", config.half_life)?;
        let mut deviation = config.drift_deviation.values("drift_deviation", assets, |key, value| {
            finite(key, value)?;
            non_negative(key, value)?;
            at_most(key, value, 1e6, value)
        })?;
        deviation.iter_mut().for_each(|value| *value /= diffusion.periods_per_year);
        let decay = libm::exp2(-1.0 / config.half_life);
        Ok(Self {
            drift: diffusion.drift.clone(),
            diffusion,
            deviation,
            decay,
            innovation: libm::sqrt(1.0 - decay * decay),
        })
    }
}

impl PriceProcess for MeanReverting {
    fn assets(&self) -> usize {
        self.drift.len()
    }

    fn begin(&mut self, rng: &mut SimRng, _periods: u64) {
        for (drift, (mean, deviation)) in
            self.drift.iter_mut().zip(self.diffusion.drift.iter().zip(&self.deviation))
        {
            *drift = mean + deviation * standard_normal(rng);
        }
    }

    #[inline]
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        self.diffusion.mixing.draw(rng, log_growth);
        for (log, (drift, sigma)) in
            log_growth.iter_mut().zip(self.drift.iter().zip(&self.diffusion.volatility))
        {
            *log = drift - 0.5 * sigma * sigma + sigma * *log;
        }
        for (drift, (mean, deviation)) in
            self.drift.iter_mut().zip(self.diffusion.drift.iter().zip(&self.deviation))
        {
            let shock = deviation * self.innovation * standard_normal(rng);
            *drift = mean + self.decay * (*drift - mean) + shock;
        }
        grow(log_growth, growth);
    }

    fn expected(&self) -> Option<&[f64]> {
        Some(&self.drift)
    }
}

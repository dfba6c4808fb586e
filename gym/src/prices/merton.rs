//! Prices that jump.

use lob::ParameterError;
use lob::parameter::{finite, non_negative};
use lob::random::{exponential, standard_normal};
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::{Correlation, Diffusion, PerAsset, PriceProcess, at_most, grow};

/// Parameters of [`Merton`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MertonConfig {
    /// Logarithm of the expected growth in a year, jumps included, 1 / year.
    pub drift: PerAsset,
    /// Standard deviation of the log growth in a year without jumps, 1 / sqrt(year).
    pub volatility: PerAsset,
    /// Of what moves prices between jumps.
    pub correlation: Correlation,
    /// Jumps in a year, 0 or more.
    pub jump_rate: f64,
    /// Mean of a jump of the logarithm of the price.
    pub jump_mean: f64,
    /// Standard deviation of that, 0 or more.
    pub jump_deviation: f64,
    /// True: all assets jump at the same times, each by a size of its own. False: each at its own times.
    pub common_jumps: bool,
    /// 252 for days.
    pub periods_per_year: f64,
}

impl Default for MertonConfig {
    fn default() -> Self {
        Self {
            drift: PerAsset::Range { from: 0.03, to: 0.12 },
            volatility: PerAsset::Range { from: 0.1, to: 0.35 },
            correlation: Correlation::Equal(0.3),
            jump_rate: 4.0,
            jump_mean: -0.02,
            jump_deviation: 0.05,
            common_jumps: true,
            periods_per_year: 252.0,
        }
    }
}

/// Merton, *Option pricing when underlying stock returns are discontinuous*, Journal of Financial Economics 3 (1976): `ln(S' / S) = (mu -
/// sigma^2 / 2 - lambda k) dt + sigma sqrt(dt) Z + J_1 + ... + J_n` with n Poisson of mean `lambda dt`, J normal, and `k = E(exp J) - 1`, so
/// that `E(S' / S) = exp(mu dt)`.
#[derive(Clone, Debug)]
pub struct Merton {
    diffusion: Diffusion,
    log_drift: Vec<f64>,
    /// Jumps expected in a period.
    jumps: f64,
    jump_mean: f64,
    jump_deviation: f64,
    common: bool,
}

impl Merton {
    /// `assets` of them.
    ///
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(config: &MertonConfig, assets: usize) -> Result<Self, ParameterError> {
        let diffusion = Diffusion::new(
            &config.drift,
            &config.volatility,
            &config.correlation,
            config.periods_per_year,
            assets,
        )?;
        non_negative("jump_rate", config.jump_rate)?;
        // The jumps of a period are counted one by one.
        let most = 1_000.0 * config.periods_per_year;
        at_most("jump_rate", config.jump_rate, most, config.jump_rate)?;
        finite("jump_mean", config.jump_mean)?;
        at_most("jump_mean", config.jump_mean.abs(), 5.0, config.jump_mean)?;
        non_negative("jump_deviation", config.jump_deviation)?;
        at_most("jump_deviation", config.jump_deviation, 5.0, config.jump_deviation)?;
        let jumps = config.jump_rate / diffusion.periods_per_year;
        let spread = config.jump_deviation * config.jump_deviation;
        let compensation = jumps * libm::expm1(config.jump_mean + 0.5 * spread);
        let mut log_drift = diffusion.log_drift();
        log_drift.iter_mut().for_each(|drift| *drift -= compensation);
        Ok(Self {
            diffusion,
            log_drift,
            jumps,
            jump_mean: config.jump_mean,
            jump_deviation: config.jump_deviation,
            common: config.common_jumps,
        })
    }

    /// How often it jumps in a period: waiting times are exponential.
    fn count(&self, rng: &mut SimRng) -> f64 {
        let (mut count, mut time) = (0.0, exponential(rng));
        while time < self.jumps {
            count += 1.0;
            time += exponential(rng);
        }
        count
    }
}

impl PriceProcess for Merton {
    fn assets(&self) -> usize {
        self.log_drift.len()
    }

    fn begin(&mut self, _rng: &mut SimRng, _periods: u64) {}

    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        self.diffusion.mixing.draw(rng, log_growth);
        let together = if self.common { self.count(rng) } else { 0.0 };
        for (log, (drift, sigma)) in
            log_growth.iter_mut().zip(self.log_drift.iter().zip(&self.diffusion.volatility))
        {
            *log = drift + sigma * *log;
            let count = if self.common { together } else { self.count(rng) };
            if count > 0.0 {
                // The sum of n normal numbers is normal.
                let deviation = self.jump_deviation * libm::sqrt(count);
                *log += count * self.jump_mean + deviation * standard_normal(rng);
            }
        }
        grow(log_growth, growth);
    }
}

//! Volatility that clusters, and tails that are fat.

use lob::ParameterError;
use lob::parameter::{finite, non_negative};
use lob::random::{open_unit, standard_normal};
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::{Correlation, Diffusion, PerAsset, PriceProcess, grow};

/// Parameters of [`Garch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GarchConfig {
    /// 1 / year: the mean of the log growth is (drift - volatility^2 / 2) a year, as in a geometric Brownian motion.
    pub drift: PerAsset,
    /// Unconditional standard deviation of the log growth in a year, 1 / sqrt(year).
    pub volatility: PerAsset,
    /// Of the innovations.
    pub correlation: Correlation,
    /// How much of the last squared shock enters the next variance: alpha, 0 or more.
    pub alpha: f64,
    /// How much of the last variance enters the next: beta, 0 or more; alpha + beta < 1.
    pub beta: f64,
    /// Of Student's t, above 2; null for normal innovations.
    pub degrees_of_freedom: Option<f64>,
    /// 252 for days.
    pub periods_per_year: f64,
}

impl Default for GarchConfig {
    fn default() -> Self {
        Self {
            drift: PerAsset::Range { from: 0.03, to: 0.12 },
            volatility: PerAsset::Range { from: 0.12, to: 0.4 },
            correlation: Correlation::Equal(0.3),
            alpha: 0.08,
            beta: 0.9,
            degrees_of_freedom: Some(6.0),
            periods_per_year: 252.0,
        }
    }
}

/// A variance of a period's log growth above this would say nothing: the growth itself is cut long before.
const MAX_VARIANCE: f64 = 1e4;

/// GARCH(1,1): `ln(S' / S) = m + sqrt(h) e`, `h' = omega + alpha h e^2 + beta h` for each asset, Bollerslev (1986), with innovations `e` of
/// variance 1 that have a multivariate Student-t distribution (Bollerslev, 1987, has one asset; one chi-square number for all makes large
/// moves come together). `omega = (1 - alpha - beta) sigma^2`, so that `sigma` is the unconditional volatility; a session begins at h =
/// sigma^2.
#[derive(Clone, Debug)]
pub struct Garch {
    diffusion: Diffusion,
    log_drift: Vec<f64>,
    omega: Vec<f64>,
    alpha: f64,
    beta: f64,
    chi_square: Option<ChiSquare>,
    /// The variance of the coming period.
    variance: Vec<f64>,
}

impl Garch {
    /// `assets` of them.
    ///
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(config: &GarchConfig, assets: usize) -> Result<Self, ParameterError> {
        let diffusion = Diffusion::new(
            &config.drift,
            &config.volatility,
            &config.correlation,
            config.periods_per_year,
            assets,
        )?;
        non_negative("alpha", config.alpha)?;
        non_negative("beta", config.beta)?;
        if config.alpha + config.beta >= 1.0 {
            let legal = format!("below {}, so that alpha + beta < 1", 1.0 - config.alpha);
            return Err(ParameterError::new("beta", config.beta, legal));
        }
        if let Some(nu) = config.degrees_of_freedom {
            finite("degrees_of_freedom", nu)?;
            if nu <= 2.0 {
                return Err(ParameterError::new("degrees_of_freedom", nu, "a number > 2, or null"));
            }
        }
        let rest = 1.0 - config.alpha - config.beta;
        let variance: Vec<f64> = diffusion.volatility.iter().map(|sigma| sigma * sigma).collect();
        Ok(Self {
            log_drift: diffusion.log_drift(),
            omega: variance.iter().map(|variance| rest * variance).collect(),
            alpha: config.alpha,
            beta: config.beta,
            chi_square: config.degrees_of_freedom.map(ChiSquare::new),
            variance,
            diffusion,
        })
    }
}

impl PriceProcess for Garch {
    fn assets(&self) -> usize {
        self.omega.len()
    }

    fn begin(&mut self, _rng: &mut SimRng, _periods: u64) {
        for (variance, sigma) in self.variance.iter_mut().zip(&self.diffusion.volatility) {
            *variance = sigma * sigma;
        }
    }

    #[inline]
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        self.diffusion.mixing.draw(rng, log_growth);
        let scale = self.chi_square.as_ref().map_or(1.0, |chi_square| chi_square.student_scale(rng));
        let state = self.variance.iter_mut().zip(self.omega.iter().zip(&self.log_drift));
        for (log, (variance, (omega, drift))) in log_growth.iter_mut().zip(state) {
            let shock = *log * scale * libm::sqrt(*variance);
            *log = drift + shock;
            *variance = (omega + self.alpha * shock * shock + self.beta * *variance).min(MAX_VARIANCE);
        }
        grow(log_growth, growth);
    }
}

/// The chi-square distribution with `nu` > 2 degrees of freedom: twice a gamma number of shape `nu / 2` by Marsaglia & Tsang, *A simple
/// method for generating gamma variables*, ACM Transactions on Mathematical Software 26 (2000).
#[derive(Clone, Debug)]
struct ChiSquare {
    nu: f64,
    d: f64,
    c: f64,
}

impl ChiSquare {
    fn new(nu: f64) -> Self {
        let d = nu / 2.0 - 1.0 / 3.0;
        Self { nu, d, c: 1.0 / libm::sqrt(9.0 * d) }
    }

    fn draw(&self, rng: &mut SimRng) -> f64 {
        loop {
            let x = standard_normal(rng);
            let root = 1.0 + self.c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            if libm::log(open_unit(rng)) < 0.5 * x * x + self.d * (1.0 - v + libm::log(v)) {
                return 2.0 * self.d * v;
            }
        }
    }

    /// What makes normal numbers Student's t of variance 1.
    fn student_scale(&self, rng: &mut SimRng) -> f64 {
        libm::sqrt((self.nu - 2.0) / self.draw(rng))
    }
}

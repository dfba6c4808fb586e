//! Quotes of Avellaneda & Stoikov, *High-frequency trading in a limit order book*, Quantitative Finance 8(3), 2008, 217-224.

use gym::Quotes;
use lob::ParameterError;
use lob::parameter::positive;

use super::{Quoter, Situation};

/// The inventory strategy of section 3.2: quotes around a reservation price that leans against the inventory,
///
/// `r = s - q gamma sigma^2 (T - t)` (their equation 3.17),
///
/// with the spread `gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k)` (3.18), half of it on either side of `r`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvellanedaStoikov {
    gamma: f64,
    variance: f64,
    /// `(2 / gamma) ln(1 + gamma / k)`, ticks: what is left of the spread at the end.
    least_spread: f64,
    lots: u64,
}

impl AvellanedaStoikov {
    /// The strategy that quotes `lots` on each side.
    ///
    /// `gamma` is the risk aversion, 1 / (ticks x lots); `sigma` the standard deviation of the mid's move in a second, ticks; `k` the decay of
    /// the fills with the distance, 1 / ticks. The rate of the fills at the mid, A, does not enter the quotes.
    ///
    /// # Errors
    /// A parameter that is not above 0.
    pub fn new(gamma: f64, sigma: f64, k: f64, lots: u64) -> Result<Self, ParameterError> {
        positive("gamma", gamma)?;
        positive("sigma", sigma)?;
        positive("k", k)?;
        let least_spread = 2.0 / gamma * (gamma / k).ln_1p();
        Ok(Self { gamma, variance: sigma * sigma, least_spread, lots })
    }

    /// The reservation price minus the mid, ticks.
    pub fn shift(&self, situation: &Situation) -> f64 {
        -situation.inventory * self.gamma * self.variance * situation.time_left
    }

    /// Ask minus bid, ticks.
    pub fn spread(&self, time_left: f64) -> f64 {
        self.gamma * self.variance * time_left + self.least_spread
    }

    /// The spread's average over an episode of `horizon` seconds, ticks.
    pub fn average_spread(&self, horizon: f64) -> f64 {
        self.spread(horizon / 2.0)
    }

    /// The strategy it is compared with: its average spread over `horizon` seconds, always around the mid.
    pub fn symmetric(&self, horizon: f64) -> Symmetric {
        Symmetric { spread: self.average_spread(horizon), lots: self.lots }
    }
}

impl Quoter for AvellanedaStoikov {
    fn quotes(&mut self, situation: &Situation) -> Quotes {
        let half = self.spread(situation.time_left) / 2.0;
        let shift = self.shift(situation);
        Quotes { offset: [half - shift, half + shift], lots: [self.lots; 2] }
    }
}

/// The symmetric strategy of section 3.3: a constant spread around the mid, whatever is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symmetric {
    /// Ask minus bid, ticks.
    pub spread: f64,
    /// Lots on each side.
    pub lots: u64,
}

impl Quoter for Symmetric {
    fn quotes(&mut self, _situation: &Situation) -> Quotes {
        Quotes { offset: [self.spread / 2.0; 2], lots: [self.lots; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_spread_is_the_papers() {
        // Tables 1 to 3: gamma and the average spread, to their two decimals.
        for (gamma, spread) in [(0.1, 1.49), (0.01, 1.35), (0.5, 2.15)] {
            let strategy = AvellanedaStoikov::new(gamma, 2.0, 1.5, 1).unwrap();
            assert!(
                (strategy.average_spread(1.0) - spread).abs() < 0.006,
                "{gamma}: {}",
                strategy.average_spread(1.0)
            );
        }
    }

    #[test]
    fn a_long_position_lowers_both_quotes_until_time_runs_out() {
        let mut strategy = AvellanedaStoikov::new(0.1, 2.0, 1.5, 3).unwrap();
        let at = |inventory, time_left| Situation { mid: 100.0, inventory, time_left, spread: None };
        let (flat, long) = (strategy.quotes(&at(0.0, 1.0)), strategy.quotes(&at(2.0, 1.0)));
        assert!((long.offset[0] - flat.offset[0] - 0.8).abs() < 1e-12, "the bid is 2 x 0.1 x 4 ticks lower");
        assert!((long.offset[1] - flat.offset[1] + 0.8).abs() < 1e-12, "so is the ask");
        assert_eq!(strategy.quotes(&at(2.0, 0.0)), strategy.quotes(&at(0.0, 0.0)));
        assert_eq!(flat.lots, [3, 3]);
    }

    #[test]
    fn parameters_that_are_not_positive_are_refused_by_name() {
        for (values, key) in
            [((0.0, 2.0, 1.5), "gamma"), ((0.1, f64::NAN, 1.5), "sigma"), ((0.1, 2.0, -1.0), "k")]
        {
            assert_eq!(AvellanedaStoikov::new(values.0, values.1, values.2, 1).unwrap_err().key, key);
        }
    }
}

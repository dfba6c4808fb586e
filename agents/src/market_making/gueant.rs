//! Quotes of Guéant, Lehalle & Fernandez-Tapia, *Dealing with the inventory risk: a solution to the market making problem*, Mathematics
//! and Financial Economics 7(4), 2013, 477-507 (arXiv 1105.3115).

use gym::Quotes;
use lob::ParameterError;
use lob::parameter::{integer, positive};

use super::{Quoter, Situation};

/// The closed-form approximation of the quotes far from the end of the session (their section on asymptotics),
///
/// `bid offset = (1 / gamma) ln(1 + gamma / k) + (2 q + 1) / 2 x w`,
/// `ask offset = (1 / gamma) ln(1 + gamma / k) - (2 q - 1) / 2 x w`,
/// `w = sqrt(sigma^2 gamma / (2 k A) x (1 + gamma / k)^(1 + k / gamma))`,
///
/// with `q` the inventory in orders. For orders of `D` lots, inventory in lots, it becomes (Guéant, *Optimal market making*, Applied
/// Mathematical Finance 24(2), 2017, 112-154, for exponential intensities)
///
/// `bid offset = (1 / (gamma D)) ln(1 + gamma D / k) + (2 q + D) / 2 x w`,
/// `w = sqrt(sigma^2 gamma / (2 k A D) x (1 + gamma D / k)^(1 + k / (gamma D)))`,
///
/// and the ask's mirrored. Unlike Avellaneda and Stoikov's, the quotes do not depend on the time left, and A enters them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gueant {
    /// `(1 / (gamma D)) ln(1 + gamma D / k)`, ticks.
    least_offset: f64,
    /// `w`: ticks that a lot of inventory moves both quotes.
    slope: f64,
    lots: u64,
}

impl Gueant {
    /// The strategy that quotes `lots` on each side.
    ///
    /// `gamma` is the risk aversion, 1 / (ticks x lots); `sigma` the standard deviation of the mid's move in a second, ticks; `a` the rate of
    /// the fills at the mid, A, 1 / s and side; `k` its decay with the distance, 1 / ticks.
    ///
    /// # Errors
    /// A parameter that is not above 0.
    pub fn new(gamma: f64, sigma: f64, a: f64, k: f64, lots: u64) -> Result<Self, ParameterError> {
        positive("gamma", gamma)?;
        positive("sigma", sigma)?;
        positive("a", a)?;
        positive("k", k)?;
        integer("lots", lots, 1..=1_000_000)?;
        let size = lots as f64;
        // A power by its logarithm: the exponent is large where gamma is small.
        let log_growth = (gamma * size / k).ln_1p();
        let growth = ((1.0 + k / (gamma * size)) * log_growth).exp();
        let slope = (sigma * sigma * gamma / (2.0 * k * a * size) * growth).sqrt();
        Ok(Self { least_offset: log_growth / (gamma * size), slope, lots })
    }
}

impl Quoter for Gueant {
    fn quotes(&mut self, situation: &Situation) -> Quotes {
        let half = self.least_offset + self.slope * self.lots as f64 / 2.0;
        let lean = self.slope * situation.inventory;
        Quotes { offset: [half + lean, half - lean], lots: [self.lots; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_the_formulas() {
        // The paper's example of its figures: sigma 0.3, A 0.9, k 0.3, gamma 0.01, by hand:
        // ln(1 + 1/30) / 0.01 = 3.278982; (31/30)^31 = 2.763463; w = sqrt(0.0009 / 0.54 x 2.763463) = 0.067866.
        let mut strategy = Gueant::new(0.01, 0.3, 0.9, 0.3, 1).unwrap();
        let quotes = strategy.quotes(&Situation { inventory: 3.0, ..Situation::default() });
        assert!((quotes.offset[0] - (3.278_982 + 3.5 * 0.067_866)).abs() < 1e-5, "{quotes:?}");
        assert!((quotes.offset[1] - (3.278_982 - 2.5 * 0.067_866)).abs() < 1e-5, "{quotes:?}");
    }

    #[test]
    fn orders_of_several_lots_are_orders_of_one_in_larger_units() {
        // Prices stay, a unit is 4 lots: gamma per unit is 4 times that per lot.
        let (mut lots, mut units) =
            (Gueant::new(0.05, 0.3, 0.3, 1.7, 4).unwrap(), Gueant::new(0.2, 0.3, 0.3, 1.7, 1).unwrap());
        let [lots, units] = [
            lots.quotes(&Situation { inventory: 8.0, ..Situation::default() }),
            units.quotes(&Situation { inventory: 2.0, ..Situation::default() }),
        ];
        for side in [0, 1] {
            assert!((lots.offset[side] - units.offset[side]).abs() < 1e-12, "{lots:?} {units:?}");
        }
    }

    #[test]
    fn parameters_that_are_not_positive_are_refused_by_name() {
        assert_eq!(Gueant::new(0.0, 1.0, 1.0, 1.0, 1).unwrap_err().key, "gamma");
        assert_eq!(Gueant::new(0.1, 1.0, -1.0, 1.0, 1).unwrap_err().key, "a");
        assert_eq!(Gueant::new(0.1, 1.0, 1.0, 1.0, 0).unwrap_err().key, "lots");
    }
}

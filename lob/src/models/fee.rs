//! Fees of the venue, maker and taker.

use serde::{Deserialize, Serialize};

use crate::parameter::{ParameterError, Validity, finite, non_negative};
use crate::{Event, Owner, Price, Quantity, Side};

/// Which side of a trade an order was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liquidity {
    /// It rested in the book.
    Maker,
    /// It came in and traded at once.
    Taker,
}

/// One trade from one participant's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fill {
    /// Whether the participant bought or sold.
    pub side: Side,
    /// The price in ticks.
    pub price: Price,
    /// The lots that changed hands.
    pub quantity: Quantity,
    /// Whether its order rested.
    pub liquidity: Liquidity,
}

impl Fill {
    /// What a book's event means for `owner`: as maker, as taker, as both (a trade with itself), or nothing.
    pub fn of(event: &Event, owner: Owner) -> impl Iterator<Item = Self> + use<> {
        let fills = match *event {
            Event::Trade { maker_owner, taker_owner, price, quantity, aggressor, .. } => {
                let fill = |side, liquidity| Self { side, price, quantity, liquidity };
                [
                    (maker_owner == owner).then(|| fill(aggressor.opposite(), Liquidity::Maker)),
                    (taker_owner == owner).then(|| fill(aggressor, Liquidity::Taker)),
                ]
            }
            _ => [None, None],
        };
        fills.into_iter().flatten()
    }

    /// Price x lots, in ticks x lots.
    pub const fn notional(&self) -> i128 {
        self.price.0 as i128 * self.quantity.0 as i128
    }
}

/// What one order has been charged so far: a minimum per order needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderFees {
    /// Fees of its fills before any minimum, in ticks x lots.
    pub accrued: f64,
    /// What it has paid, in ticks x lots.
    pub charged: f64,
}

/// Charges fills.
pub trait FeeModel {
    /// What `fill` costs, in ticks x lots (the money of one tick on one lot); negative is a rebate. `order` belongs to
    /// the filled order: default at its first fill, the same one at the later ones.
    fn fee(&self, fill: &Fill, order: &mut OrderFees) -> f64;
}

/// How one kind of fill is charged. Negative rates are rebates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeRate {
    /// In 1/10,000 of |price| x lots.
    BasisPoints(f64),
    /// In ticks for each lot, whatever the price.
    PerLot(f64),
}

impl FeeRate {
    /// What a fill costs, in ticks x lots.
    pub fn of(self, fill: &Fill) -> f64 {
        match self {
            Self::BasisPoints(rate) => rate * 1e-4 * fill.notional().unsigned_abs() as f64,
            Self::PerLot(rate) => rate * fill.quantity.0 as f64,
        }
    }

    fn validate(self, key: &str) -> Validity {
        match self {
            Self::BasisPoints(rate) => finite(&format!("{key}.basis_points"), rate),
            Self::PerLot(rate) => finite(&format!("{key}.per_lot"), rate),
        }
    }
}

/// The fees of a market, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FeeConfig {
    /// Trading is free: the reference market.
    #[default]
    None,
    /// Different rates for resting and incoming orders.
    MakerTaker {
        /// For fills of resting orders.
        maker: FeeRate,
        /// For fills of incoming orders.
        taker: FeeRate,
        /// The least that an order with any fill pays in total, in ticks x lots; none for no minimum.
        #[serde(default)]
        minimum_per_order: Option<f64>,
    },
}

impl FeeConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            Self::None => Ok(()),
            Self::MakerTaker { maker, taker, minimum_per_order } => {
                maker.validate("maker_taker.maker")?;
                taker.validate("maker_taker.taker")?;
                non_negative("maker_taker.minimum_per_order", minimum_per_order.unwrap_or(0.0))
            }
        }
    }
}

impl FeeModel for FeeConfig {
    /// With a minimum, an order's total is `max(minimum, sum of its fills' fees)` after each of its fills: the first fill is
    /// charged the minimum, and later ones nothing until their sum exceeds it.
    fn fee(&self, fill: &Fill, order: &mut OrderFees) -> f64 {
        let Self::MakerTaker { maker, taker, minimum_per_order } = self else { return 0.0 };
        let rate = match fill.liquidity {
            Liquidity::Maker => maker,
            Liquidity::Taker => taker,
        };
        let fee = rate.of(fill);
        order.accrued += fee;
        let charge = match minimum_per_order {
            None => fee,
            Some(minimum) => order.accrued.max(*minimum) - order.charged,
        };
        order.charged += charge;
        charge
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(liquidity: Liquidity, price: i64, lots: u64) -> Fill {
        Fill { side: Side::Buy, price: Price(price), quantity: Quantity(lots), liquidity }
    }

    fn schedule(minimum_per_order: Option<f64>) -> FeeConfig {
        let (maker, taker) = (FeeRate::BasisPoints(-0.5), FeeRate::PerLot(0.25));
        FeeConfig::MakerTaker { maker, taker, minimum_per_order }
    }

    #[test]
    fn makers_are_paid_and_takers_pay() {
        let order = &mut OrderFees::default();
        assert_eq!(schedule(None).fee(&fill(Liquidity::Maker, 1000, 20), order), -1.0);
        assert_eq!(schedule(None).fee(&fill(Liquidity::Taker, 1000, 20), order), 5.0);
        assert_eq!(FeeConfig::None.fee(&fill(Liquidity::Taker, 1000, 20), order), 0.0);
        // The notional of a negative price is what changes hands all the same.
        assert_eq!(schedule(None).fee(&fill(Liquidity::Maker, -1000, 20), order), -1.0);
    }

    #[test]
    fn a_minimum_is_charged_once_per_order() {
        let fees = schedule(Some(2.0));
        let order = &mut OrderFees::default();
        let charges: Vec<f64> =
            [4, 2, 2, 4].map(|lots| fees.fee(&fill(Liquidity::Taker, 1000, lots), order)).to_vec();
        // Accrued: 1, 1.5, 2, 3.
        assert_eq!(charges, [2.0, 0.0, 0.0, 1.0]);
        assert_eq!(fees.fee(&fill(Liquidity::Taker, 1000, 1), &mut OrderFees::default()), 2.0);
    }

    #[test]
    fn errors_name_the_path() {
        let maker = FeeRate::BasisPoints(f64::NAN);
        let bad = FeeConfig::MakerTaker { maker, taker: FeeRate::PerLot(0.0), minimum_per_order: None };
        assert_eq!(bad.validate().unwrap_err().key, "maker_taker.maker.basis_points");
        assert_eq!(schedule(Some(-1.0)).validate().unwrap_err().key, "maker_taker.minimum_per_order");
        schedule(Some(1.0)).validate().unwrap();
    }

    proptest! {
        #[test]
        fn an_orders_charges_add_up(lots in prop::collection::vec(1u64..100, 1..20), minimum in 0.0..50.0f64) {
            let fees = schedule(Some(minimum));
            let mut order = OrderFees::default();
            let total: f64 = lots.iter().map(|&n| fees.fee(&fill(Liquidity::Taker, 1000, n), &mut order)).sum();
            let plain = 0.25 * lots.iter().sum::<u64>() as f64;
            prop_assert!((total - plain.max(minimum)).abs() < 1e-9);
        }
    }
}

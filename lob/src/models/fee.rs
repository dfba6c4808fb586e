//! Fees of the venue, maker and taker.

use serde::{Deserialize, Serialize};

use crate::parameter::{ParameterError, Validity, finite, length, non_negative};
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
    /// In ticks for each lot (money for each share), whatever the price.
    PerLot(f64),
}

impl FeeRate {
    /// What a fill costs, in ticks x lots.
    pub fn of(self, fill: &Fill) -> f64 {
        self.on(fill.quantity.0 as f64, fill.notional().unsigned_abs() as f64)
    }

    /// What trading `quantity` for `notional` costs, in the money of the notional.
    pub fn on(self, quantity: f64, notional: f64) -> f64 {
        match self {
            Self::BasisPoints(rate) => rate * 1e-4 * notional,
            Self::PerLot(rate) => rate * quantity,
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
#[allow(
    clippy::large_enum_variant,
    reason = "copied once an environment, so that nobody needs a lifetime for it"
)]
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
    /// Maker and taker rates that fall with what the account trades.
    Tiered {
        /// The tiers, from volume 0 upwards.
        tiers: FeeTiers,
        /// What the account has traded in the time that the venue looks at (30 days, say), in the tiers' unit. It decides the tier and
        /// does not change within a session; [`FeeConfig::at_volume`] is for accounts that live longer.
        #[serde(default)]
        trailing_volume: f64,
        /// The least that an order with any fill pays in total, in ticks x lots; none for no minimum.
        #[serde(default)]
        minimum_per_order: Option<f64>,
    },
}

/// The rates from a trailing volume on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeTier {
    /// Least trailing volume, in lots or money as the venue counts it.
    pub volume: f64,
    /// For fills of resting orders.
    pub maker: FeeRate,
    /// For fills of incoming orders.
    pub taker: FeeRate,
}

/// 1 to 8 tiers with ascending volumes, the first from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FeeTier>", into = "Vec<FeeTier>")]
pub struct FeeTiers {
    /// Those beyond `count` repeat the last one.
    tiers: [FeeTier; Self::MOST],
    count: usize,
}

impl FeeTiers {
    /// How many there may be: a schedule stays small enough to be copied.
    pub const MOST: usize = 8;

    /// From a list.
    ///
    /// # Errors
    /// Unless there are 1 to 8, the first from volume 0 on and each from a higher one than that before, with finite rates.
    pub fn new(list: &[FeeTier]) -> Result<Self, ParameterError> {
        length("tiers", list.len(), 1..=Self::MOST)?;
        for (index, tier) in list.iter().enumerate() {
            let key = format!("tiers[{index}]");
            let legal = match index.checked_sub(1) {
                None => {
                    (tier.volume == 0.0).then_some(()).ok_or_else(|| "0: everybody has a tier".to_owned())
                }
                Some(before) => (tier.volume.is_finite() && tier.volume > list[before].volume)
                    .then_some(())
                    .ok_or_else(|| format!("a finite number above {}", list[before].volume)),
            };
            legal.map_err(|legal| ParameterError::new(format!("{key}.volume"), tier.volume, legal))?;
            tier.maker.validate(&format!("{key}.maker"))?;
            tier.taker.validate(&format!("{key}.taker"))?;
        }
        let tiers = std::array::from_fn(|index| list[index.min(list.len() - 1)]);
        Ok(Self { tiers, count: list.len() })
    }

    /// The tiers, from volume 0 upwards.
    pub fn list(&self) -> &[FeeTier] {
        &self.tiers[..self.count]
    }

    /// The tier of a trailing volume.
    pub fn at(&self, volume: f64) -> &FeeTier {
        let reached = self.list().iter().take_while(|tier| tier.volume <= volume).count();
        &self.tiers[reached.max(1) - 1]
    }
}

impl TryFrom<Vec<FeeTier>> for FeeTiers {
    type Error = ParameterError;

    fn try_from(list: Vec<FeeTier>) -> Result<Self, Self::Error> {
        Self::new(&list)
    }
}

impl From<FeeTiers> for Vec<FeeTier> {
    fn from(tiers: FeeTiers) -> Self {
        tiers.list().to_vec()
    }
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
            // The tiers themselves were checked when they were made.
            Self::Tiered { trailing_volume, minimum_per_order, .. } => {
                non_negative("tiered.trailing_volume", *trailing_volume)?;
                non_negative("tiered.minimum_per_order", minimum_per_order.unwrap_or(0.0))
            }
        }
    }

    /// The rates for maker and taker fills, and the minimum of an order; `None` if trading is free.
    pub fn rates(&self) -> Option<(FeeRate, FeeRate, Option<f64>)> {
        match self {
            Self::None => None,
            Self::MakerTaker { maker, taker, minimum_per_order } => {
                Some((*maker, *taker, *minimum_per_order))
            }
            Self::Tiered { tiers, trailing_volume, minimum_per_order } => {
                let tier = tiers.at(*trailing_volume);
                Some((tier.maker, tier.taker, *minimum_per_order))
            }
        }
    }

    /// The same schedule for an account that has traded `volume` in the time that the venue looks at; without tiers, nothing changes.
    #[must_use]
    pub fn at_volume(mut self, volume: f64) -> Self {
        if let Self::Tiered { trailing_volume, .. } = &mut self {
            *trailing_volume = volume;
        }
        self
    }

    /// What a whole order costs that trades `quantity` for `notional` (both >= 0, any unit of money), where there is no book: the
    /// minimum and rates a lot (or share) are then in that money, basis points need no unit. 0 for an order of nothing.
    pub fn of_order(&self, liquidity: Liquidity, quantity: f64, notional: f64) -> f64 {
        let Some((maker, taker, minimum)) = self.rates() else { return 0.0 };
        if quantity == 0.0 {
            return 0.0;
        }
        let rate = match liquidity {
            Liquidity::Maker => maker,
            Liquidity::Taker => taker,
        };
        let fee = rate.on(quantity, notional);
        minimum.map_or(fee, |minimum| fee.max(minimum))
    }
}

impl FeeModel for FeeConfig {
    /// With a minimum, an order's total is `max(minimum, sum of its fills' fees)` after each of its fills: the first fill is
    /// charged the minimum, and later ones nothing until their sum exceeds it.
    fn fee(&self, fill: &Fill, order: &mut OrderFees) -> f64 {
        let Some((maker, taker, minimum_per_order)) = self.rates() else { return 0.0 };
        let rate = match fill.liquidity {
            Liquidity::Maker => maker,
            Liquidity::Taker => taker,
        };
        let fee = rate.of(fill);
        order.accrued += fee;
        let charge = match minimum_per_order {
            None => fee,
            Some(minimum) => order.accrued.max(minimum) - order.charged,
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

    fn tiers(volumes: &[f64]) -> Vec<FeeTier> {
        let rates = [(-0.5, 5.0), (-1.0, 4.0), (-1.25, 2.0)].iter().cycle();
        let tier = |(&volume, &(maker, taker))| FeeTier {
            volume,
            maker: FeeRate::BasisPoints(maker),
            taker: FeeRate::BasisPoints(taker),
        };
        volumes.iter().zip(rates).map(tier).collect()
    }

    #[test]
    fn rates_fall_with_the_volume_traded_before() {
        let tiers = FeeTiers::new(&tiers(&[0.0, 1e3, 1e6])).unwrap();
        let fees = FeeConfig::Tiered { tiers, trailing_volume: 0.0, minimum_per_order: None };
        fees.validate().unwrap();
        for (volume, taker, maker) in
            [(0.0, 10.0, -1.0), (999.0, 10.0, -1.0), (1e3, 8.0, -2.0), (1e9, 4.0, -2.5)]
        {
            let fees = fees.at_volume(volume);
            let charge = |liquidity| fees.fee(&fill(liquidity, 1000, 20), &mut OrderFees::default());
            assert_eq!((charge(Liquidity::Taker), charge(Liquidity::Maker)), (taker, maker));
            assert_eq!(fees.of_order(Liquidity::Taker, 20.0, 20_000.0), taker);
        }
        assert_eq!(schedule(None).at_volume(1e9), schedule(None));
    }

    #[test]
    fn tiers_are_checked_where_they_are_read() {
        for (volumes, key) in [
            (&[][..], "tiers"),
            (&[5.0], "tiers[0].volume"),
            (&[0.0, 10.0, 10.0], "tiers[2].volume"),
            (&[0.0, f64::NAN], "tiers[1].volume"),
            (&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "tiers"),
        ] {
            assert_eq!(FeeTiers::new(&tiers(volumes)).unwrap_err().key, key);
        }
        let text = "
tiered:
  tiers:
    - {volume: 0, maker: {per_lot: -0.25}, taker: {per_lot: 0.5}}
    - {volume: 1000, maker: {per_lot: -0.5}, taker: {per_lot: 0.25}}
  minimum_per_order: 2";
        let fees: FeeConfig = serde_saphyr::from_str(text).unwrap();
        assert_eq!(
            serde_saphyr::from_str::<FeeConfig>(&serde_saphyr::to_string(&fees).unwrap()).unwrap(),
            fees
        );
        assert_eq!(fees.of_order(Liquidity::Taker, 10.0, 0.0), 5.0);
        assert_eq!(fees.of_order(Liquidity::Taker, 1.0, 0.0), 2.0);
        assert_eq!(fees.of_order(Liquidity::Taker, 0.0, 0.0), 0.0);
        let error =
            serde_saphyr::from_str::<FeeConfig>(&text.replace("volume: 1000", "volume: 0")).unwrap_err();
        assert!(error.to_string().contains("tiers[1].volume is 0"), "{error}");
        let bad = FeeConfig::Tiered {
            tiers: FeeTiers::new(&tiers(&[0.0])).unwrap(),
            trailing_volume: -1.0,
            minimum_per_order: None,
        };
        assert_eq!(bad.validate().unwrap_err().key, "tiered.trailing_volume");
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

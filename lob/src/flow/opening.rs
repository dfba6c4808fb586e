//! The book a session starts with.

use serde::{Deserialize, Serialize};

use crate::parameter::{
    ParameterError, Validity, integer, length, non_negative, non_negative_list, positive,
};
use crate::sim::{CROWD, Market};
use crate::{NewOrder, Price, Quantity, Side};

/// The most price levels a flow looks at.
pub const MAX_LEVELS: usize = 1024;

/// Prices in configurations stay within +-2^53, where every JSON and YAML reader keeps integers exact.
pub const MAX_PRICE: i64 = 1 << 53;

/// Something for each side. In a flow, `buy` means buy orders: market buys, limit bids, cancellations of bids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerSide<T> {
    /// For buy orders.
    pub buy: T,
    /// For sell orders.
    pub sell: T,
}

impl<T> PerSide<T> {
    /// The same on both sides.
    pub fn both(value: T) -> Self
    where
        T: Clone,
    {
        Self { buy: value.clone(), sell: value }
    }

    /// The value of one side.
    #[inline]
    pub const fn side(&self, side: Side) -> &T {
        match side {
            Side::Buy => &self.buy,
            Side::Sell => &self.sell,
        }
    }
}

/// Who owns the opening book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpeningBook {
    /// A participant of its own, who never cancels: the published execution task. It makes prices revert to the centre.
    Frozen,
    /// The noise traders, who may cancel it like anything of theirs: the fairer market for market making.
    Live,
}

/// Mean volumes at distance 1, 2, ... ticks from the opposite best price, in lots: what the opening book is made of.
///
/// The defaults come from stationary runs of our own flows with a live book: 1,500 sessions of 12,000 s each that start from a
/// thin book, averaged over time in their second half and over both sides. Far from the best prices little is ever
/// cancelled, beyond distance 13 nothing, and volume goes on accumulating: the length of the session belongs to the definition. Made by
/// `lobgym stationary --market noise --book live --sessions 1500 --seed 0 --out config/market/noise.npz`, and the same with `flow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Bid volume at distance 1, 2, ... from the best ask, in lots.
    pub bidv: Vec<f64>,
    /// Ask volume at distance 1, 2, ... from the best bid, in lots.
    pub askv: Vec<f64>,
    /// As `bidv`, for a live opening book; none means `bidv`.
    #[serde(default)]
    pub bidv_live: Option<Vec<f64>>,
    /// As `askv`, for a live opening book; none means `askv`.
    #[serde(default)]
    pub askv_live: Option<Vec<f64>>,
}

impl Shape {
    /// The shape that the noise market has by itself.
    pub fn noise() -> Self {
        Self {
            bidv: NOISE.to_vec(),
            askv: NOISE.to_vec(),
            bidv_live: Some(NOISE.to_vec()),
            askv_live: Some(NOISE.to_vec()),
        }
    }

    /// The opening book of the tactical market: frozen, that of the noise market, as in the reference (whose two files are
    /// identical); live, the shape that the tactical market has by itself.
    pub fn tactical() -> Self {
        let live = Some(TACTICAL.to_vec());
        Self { bidv_live: live.clone(), askv_live: live, ..Self::noise() }
    }

    /// Bid and ask shape of a kind of opening book.
    pub fn of(&self, book: OpeningBook) -> (&[f64], &[f64]) {
        let live = book == OpeningBook::Live;
        let bid = self.bidv_live.as_deref().filter(|_| live).unwrap_or(&self.bidv);
        let ask = self.askv_live.as_deref().filter(|_| live).unwrap_or(&self.askv);
        (bid, ask)
    }

    /// Checks that each array has at least `levels` entries, finite and >= 0.
    ///
    /// # Errors
    /// The first array or entry that is not legal, by name.
    pub fn validate(&self, levels: usize) -> Result<(), ParameterError> {
        let arrays = [
            ("bidv", Some(&self.bidv)),
            ("askv", Some(&self.askv)),
            ("bidv_live", self.bidv_live.as_ref()),
            ("askv_live", self.askv_live.as_ref()),
        ];
        for (key, array) in arrays {
            let Some(array) = array else { continue };
            non_negative_list(key, array, levels..=MAX_LEVELS)?;
            if let Some(i) = array.iter().position(|&v| v > MAX_VOLUME) {
                return Err(ParameterError::new(
                    format!("{key}[{i}]"),
                    array[i],
                    format!("at most {MAX_VOLUME} lots"),
                ));
            }
        }
        Ok(())
    }
}

/// The largest mean volume at a price, in lots: what a float can still count.
const MAX_VOLUME: f64 = 1e12;

/// Best prices before anything has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// Best bid in ticks.
    pub best_bid: Price,
    /// Best ask in ticks, above the best bid.
    pub best_ask: Price,
}

/// The opening book: `volumes()[i]` lots at `best_bid - i` and at `best_ask + i`, one order each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Who owns it.
    pub book: OpeningBook,
    /// Best prices in ticks.
    pub centre: Centre,
    /// How many levels each side has; also the window that flows look at, in ticks from a best price.
    pub levels: usize,
    /// How long before t = 0 the flow starts, in seconds: its first event falls at minus this.
    pub lead_in_seconds: f64,
    /// Mean volumes to make it from.
    pub shape: Shape,
}

impl Opening {
    /// The reference market's: 1000/1001, 30 levels, 15 s, frozen.
    pub fn reference(shape: Shape) -> Self {
        Self {
            book: OpeningBook::Frozen,
            centre: Centre { best_bid: Price(1000), best_ask: Price(1001) },
            levels: 30,
            lead_in_seconds: 15.0,
            shape,
        }
    }

    /// Lots at distance 0, 1, ... from the own best, the same on both sides: `max(1, round((bidv + askv) / 2))`, half to even.
    ///
    /// Assumes a valid opening; a shape that is too short gives fewer levels.
    pub fn volumes(&self) -> Vec<Quantity> {
        let (bid, ask) = self.shape.of(self.book);
        bid.iter().zip(ask).take(self.levels).map(|(b, a)| rounded((b + a) / 2.0)).collect()
    }

    /// The mean of bid and ask shape at distance 1, 2, ..., not rounded: the unit of observed volumes. In lots.
    pub fn mean_shape(&self) -> Vec<f64> {
        let (bid, ask) = self.shape.of(self.book);
        bid.iter().zip(ask).take(self.levels).map(|(b, a)| (b + a) / 2.0).collect()
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        centre(self.centre)?;
        integer("levels", self.levels, 1..=MAX_LEVELS)?;
        non_negative("lead_in_seconds", self.lead_in_seconds)?;
        self.shape.validate(self.levels).map_err(|error| error.within("shape"))
    }
}

fn centre(centre: Centre) -> Validity {
    integer("centre.best_bid", centre.best_bid.0, -MAX_PRICE..=MAX_PRICE - 1)?;
    integer("centre.best_ask", centre.best_ask.0, centre.best_bid.0 + 1..=MAX_PRICE)
}

fn rounded(volume: f64) -> Quantity {
    Quantity((volume.round_ties_even() as u64).max(1))
}

/// What a flow does when one side, or both, are empty: one limit order, and the next event a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmptySide {
    /// Time to the next event in seconds, above 0.
    pub delay_seconds: f64,
    /// If both sides are empty: the price of the bid that restarts the book, in ticks.
    pub bid_price: Price,
    /// And its size in lots, at least 1.
    pub bid_lots: u64,
}

impl EmptySide {
    /// The reference market's: 1e-6 s; 5 lots at 1000.
    pub const fn reference() -> Self {
        Self { delay_seconds: 1e-6, bid_price: Price(1000), bid_lots: 5 }
    }

    /// Submits the one order of the crowd that puts life back into a book with an empty side: one tick from the other side's best,
    /// of the lots resting there; the bid of `bid_price` and `bid_lots` if both are empty.
    #[cold]
    pub(super) fn revive(&self, market: &mut Market) {
        let book = market.book();
        let order = match (book.best_bid(), book.best_ask()) {
            (None, None) => NewOrder::limit(CROWD, Side::Buy, self.bid_price, Quantity(self.bid_lots)),
            (Some(bid), _) => {
                let lots = book.quantity_at(Side::Buy, bid);
                NewOrder::limit(CROWD, Side::Sell, Price(bid.0 + 1), lots)
            }
            (None, Some(ask)) => {
                let lots = book.quantity_at(Side::Sell, ask);
                NewOrder::limit(CROWD, Side::Buy, Price(ask.0 - 1), lots)
            }
        };
        let _refused_at_the_price_limits = market.submit(order);
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        positive("delay_seconds", self.delay_seconds)?;
        integer("bid_price", self.bid_price.0, -MAX_PRICE..=MAX_PRICE)?;
        integer("bid_lots", self.bid_lots, 1..=super::MAX_SIZE)
    }
}

/// A list of weights or intensities by distance 1, 2, ... must fit the window.
pub(crate) fn by_distance(key: &str, values: &[f64], levels: usize) -> Validity {
    length(key, values.len(), 1..=levels).and_then(|()| non_negative_list(key, values, 1..=levels))
}

/// Mean volume by distance in the noise market, in lots.
const NOISE: [f64; 50] = [
    3.668, 10.353, 16.089, 18.82, 19.517, 19.6, 19.471, 19.095, 18.464, 17.609, 16.676, 15.943, 15.277,
    14.625, 14.007, 13.371, 12.753, 12.154, 11.585, 11.032, 10.492, 9.949, 9.423, 8.927, 8.431, 7.964, 7.52,
    7.087, 6.672, 6.273, 5.882, 5.514, 5.159, 4.819, 4.493, 4.174, 3.869, 3.589, 3.327, 3.086, 2.86, 2.636,
    2.426, 2.234, 2.053, 1.887, 1.73, 1.59, 1.458, 1.339,
];
/// Mean volume by distance in the tactical market, in lots.
const TACTICAL: [f64; 50] = [
    3.485, 10.445, 17.559, 21.838, 23.463, 23.282, 22.742, 22.261, 21.828, 21.495, 21.22, 20.986, 20.46,
    19.785, 19.075, 18.375, 17.684, 17.024, 16.332, 15.66, 14.996, 14.342, 13.709, 13.079, 12.474, 11.875,
    11.314, 10.772, 10.259, 9.77, 9.304, 8.859, 8.441, 8.043, 7.657, 7.287, 6.92, 6.567, 6.243, 5.934, 5.642,
    5.35, 5.076, 4.822, 4.579, 4.343, 4.121, 3.907, 3.712, 3.518,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_round_half_to_even_and_are_at_least_one() {
        let shape = Shape {
            bidv: vec![0.0, 2.0, 3.0, 9.0],
            askv: vec![0.2, 3.0, 4.0, 9.0],
            bidv_live: None,
            askv_live: None,
        };
        let mut opening = Opening { levels: 3, ..Opening::reference(shape) };
        assert_eq!(opening.volumes(), [1, 2, 4].map(Quantity));
        assert_eq!(opening.mean_shape(), [0.1, 2.5, 3.5]);
        opening.book = OpeningBook::Live;
        assert_eq!(
            opening.volumes(),
            [1, 2, 4].map(Quantity),
            "without a shape of its own it takes the other"
        );
        opening.shape.bidv_live = Some(vec![5.0; 4]);
        assert_eq!(opening.volumes(), [3, 4, 4].map(Quantity), "each side on its own");
    }

    #[test]
    fn shipped_shapes_are_legal() {
        for shape in [Shape::noise(), Shape::tactical()] {
            let opening = Opening::reference(shape);
            opening.validate().unwrap();
            assert_eq!(opening.volumes().len(), 30);
            assert_eq!(opening.volumes()[..3], [4, 10, 16].map(Quantity));
        }
    }

    #[test]
    fn errors_name_the_path() {
        let mut opening = Opening::reference(Shape::noise());
        opening.shape.askv[7] = f64::NAN;
        assert_eq!(opening.validate().unwrap_err().key, "shape.askv[7]");
        opening.shape.askv.truncate(5);
        let error = opening.validate().unwrap_err();
        assert_eq!(error.to_string(), "shape.askv is a list of 5; legal: 30 to 1024 entries");
        opening.centre.best_ask = Price(1000);
        assert_eq!(opening.validate().unwrap_err().key, "centre.best_ask");
        opening.centre.best_ask = Price(1001);
        opening.levels = 0;
        assert_eq!(opening.validate().unwrap_err().key, "levels");
        let empty = EmptySide { delay_seconds: 0.0, ..EmptySide::reference() };
        assert_eq!(empty.validate().unwrap_err().key, "delay_seconds");
    }
}

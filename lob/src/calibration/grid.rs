//! The model's grid of prices and lots, and a book on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BookState;
use crate::flow::MAX_LEVELS;
use crate::parameter::{ParameterError, integer};
use crate::{Price, Quantity, Side};

/// The most instrument ticks or lots that one of the model's may have.
const MAX_STEP: u64 = 1 << 53;

/// How an instrument's prices and quantities become those of a model.
///
/// One tick of the model is `ticks` of the instrument: bids are rounded down, asks up, so that a book that is not crossed has a spread
/// of at least one tick of the model. One lot of the model is `lot` of the instrument: an event has `max(1, round(quantity / lot))` lots, a
/// level the same of the sum of what rests there, 0 if nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Instrument ticks in a tick of the model, at least 1.
    pub ticks: u64,
    /// Instrument lots in a lot of the model, at least 1.
    pub lot: u64,
    /// The window: distances 1 to this, in ticks of the model from the opposite best, are observed.
    pub levels: usize,
}

impl Grid {
    /// The instrument's own ticks and lots.
    pub const fn own(levels: usize) -> Self {
        Self { ticks: 1, lot: 1, levels }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        integer("grid.ticks", self.ticks, 1..=MAX_STEP)?;
        integer("grid.lot", self.lot, 1..=MAX_STEP)?;
        integer("grid.levels", self.levels, 1..=MAX_LEVELS)
    }

    /// The model's price of an instrument's: down for bids, up for asks.
    #[inline]
    pub fn price(&self, side: Side, price: Price) -> Price {
        // Validation keeps it within 53 bits.
        let ticks = self.ticks as i64;
        let down = price.0.div_euclid(ticks);
        Price(match side {
            Side::Buy => down,
            Side::Sell => down + i64::from(price.0.rem_euclid(ticks) != 0),
        })
    }

    /// The lots of an event of this quantity: at least 1.
    #[inline]
    pub fn lots(&self, quantity: u64) -> u64 {
        (quantity / self.lot + u64::from(quantity % self.lot >= self.lot.div_ceil(2))).max(1)
    }

    /// The lots of a level of this quantity: 0 if it is empty.
    #[inline]
    pub fn level_lots(&self, quantity: u64) -> u64 {
        if quantity == 0 { 0 } else { self.lots(quantity) }
    }
}

/// A book of lots by price that knows its depth by distance from the opposite best.
///
/// A change of the lots at one price costs O(log n); one that moves a best price O(window).
#[derive(Clone, Debug)]
pub(super) struct GridBook {
    lots: [BTreeMap<i64, u64>; 2],
    best: [Option<Price>; 2],
    depth: [Vec<u64>; 2],
}

impl GridBook {
    pub(super) fn new(levels: usize) -> Self {
        Self {
            lots: [BTreeMap::new(), BTreeMap::new()],
            best: [None; 2],
            depth: [vec![0; levels], vec![0; levels]],
        }
    }

    pub(super) fn clear(&mut self) {
        self.lots.iter_mut().for_each(BTreeMap::clear);
        self.best = [None; 2];
        self.depth.iter_mut().for_each(|depth| depth.fill(0));
    }

    pub(super) fn state(&self, since: f64, valid: bool) -> BookState<'_> {
        BookState { since, best: self.best, depth: [&self.depth[0], &self.depth[1]], valid }
    }

    pub(super) fn best(&self, side: Side) -> Option<Price> {
        self.best[side.index()]
    }

    pub(super) fn is_two_sided(&self) -> bool {
        self.best[0].is_some() && self.best[1].is_some()
    }

    /// Ticks of `price` from the best of the other side, 1 or more; `None` if there is none, or the price would trade.
    pub(super) fn distance(&self, side: Side, price: Price) -> Option<u32> {
        let opposite = self.best(side.opposite())?;
        let distance = match side {
            Side::Buy => opposite.0.saturating_sub(price.0),
            Side::Sell => price.0.saturating_sub(opposite.0),
        };
        u32::try_from(distance).ok().filter(|&distance| distance > 0)
    }

    /// The lots at a price are now so many.
    pub(super) fn set(&mut self, side: Side, price: Price, lots: u64) {
        let own = &mut self.lots[side.index()];
        if lots == 0 {
            own.remove(&price.0);
        } else {
            own.insert(price.0, lots);
        }
        let edge = match side {
            Side::Buy => own.last_key_value(),
            Side::Sell => own.first_key_value(),
        };
        let best = edge.map(|(&price, _)| Price(price));
        if best != self.best[side.index()] {
            self.best[side.index()] = best;
            self.read_depth(side.opposite());
        }
        let levels = self.depth[0].len();
        if let Some(distance) = self.distance(side, price)
            && distance as usize <= levels
        {
            self.depth[side.index()][distance as usize - 1] = lots;
        }
    }

    /// Reads a side's depth anew: the best of the other side has moved.
    fn read_depth(&mut self, side: Side) {
        let depth = &mut self.depth[side.index()];
        depth.fill(0);
        let Some(opposite) = self.best[side.opposite().index()] else { return };
        let reach = depth.len() as i64;
        let range = match side {
            Side::Buy => opposite.0.saturating_sub(reach)..=opposite.0.saturating_sub(1),
            Side::Sell => opposite.0.saturating_add(1)..=opposite.0.saturating_add(reach),
        };
        for (&price, &lots) in self.lots[side.index()].range(range) {
            depth[price.abs_diff(opposite.0) as usize - 1] = lots;
        }
    }
}

/// Quantities of an instrument by price of the model: what the lots of a [`GridBook`] are rounded from.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals([BTreeMap<i64, u64>; 2]);

impl Totals {
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(BTreeMap::clear);
    }

    /// Changes the quantity at a price of the model. Returns what is there then.
    pub(super) fn change(&mut self, side: Side, price: Price, more: u64, less: u64) -> Quantity {
        let levels = &mut self.0[side.index()];
        let total = levels.entry(price.0).or_insert(0);
        *total = total.saturating_add(more).saturating_sub(less);
        let now = *total;
        if now == 0 {
            levels.remove(&price.0);
        }
        Quantity(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bids_go_down_asks_up_and_nothing_crosses() {
        let grid = Grid { ticks: 10, lot: 100, levels: 5 };
        assert_eq!(grid.price(Side::Buy, Price(1009)), Price(100));
        assert_eq!(grid.price(Side::Sell, Price(1009)), Price(101));
        assert_eq!(grid.price(Side::Buy, Price(1010)), grid.price(Side::Sell, Price(1010)));
        assert_eq!(grid.price(Side::Buy, Price(-1)), Price(-1));
        assert_eq!(grid.price(Side::Sell, Price(-1)), Price(0));
        for bid in -30..30 {
            let (low, high) = (grid.price(Side::Buy, Price(bid)), grid.price(Side::Sell, Price(bid + 1)));
            assert!(low < high, "{bid}");
        }
        assert_eq!([1, 149, 150, 251].map(|quantity| grid.lots(quantity)), [1, 1, 2, 3]);
        assert_eq!(grid.level_lots(0), 0);
        let even = Grid::own(1);
        assert_eq!([1, 2, 7].map(|quantity| even.lots(quantity)), [1, 2, 7]);
        let bad = Grid { ticks: 0, ..grid }.validate().unwrap_err();
        assert!(bad.to_string().starts_with("grid.ticks is 0; legal: an integer from 1"), "{bad}");
    }

    #[test]
    fn depth_by_distance_is_that_of_a_book_read_anew() {
        let mut book = GridBook::new(6);
        let mut state = 12345_u64;
        let mut all = [BTreeMap::new(), BTreeMap::new()];
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = state >> 33;
            let side = if draw & 1 == 0 { Side::Buy } else { Side::Sell };
            let offset = (draw >> 1) % 9;
            let price = if side == Side::Buy { 100 - offset as i64 } else { 101 + offset as i64 };
            let lots = (draw >> 8) % 3;
            book.set(side, Price(price), lots);
            all[side.index()].insert(price, lots);
            let edge = |side: Side| {
                let present =
                    all[side.index()].iter().filter(|&(_, &lots)| lots > 0).map(|(&price, _)| price);
                if side == Side::Buy { present.max() } else { present.min() }
            };
            for side in Side::BOTH {
                assert_eq!(book.best(side).map(|price| price.0), edge(side));
                let expected: Vec<u64> = (1..=6)
                    .map(|k| {
                        let at = |best: i64| if side == Side::Buy { best - k } else { best + k };
                        let price = edge(side.opposite()).map(at);
                        price.and_then(|price| all[side.index()].get(&price)).copied().unwrap_or(0)
                    })
                    .collect();
                assert_eq!(book.depth[side.index()], expected);
            }
        }
    }
}

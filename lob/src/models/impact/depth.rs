//! The book itself: orders eat the levels of a snapshot, which come back with time.

use serde::{Deserialize, Serialize};

use super::{Conditions, ImpactModel, MetaOrder, TradeCost, elapsed, priced};
use crate::parameter::{ParameterError, Validity, length, positive};
use crate::{OrderBook, Side};

/// What is offered at a price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthLevel {
    /// How far from the mid price, a fraction of it; >= 0.
    pub distance: f64,
    /// What can be traded there; > 0.
    pub quantity: f64,
}

/// A book's depth. An order eats the levels of the other side at an even rate while what has been eaten comes back exponentially,
/// `dE = dQ - E dt / recovery`, E being the quantity that is missing at the front of a side: the discrete book of Alfonsi, Fruth & Schied,
/// "Optimal execution strategies in limit order books with general shape functions", Quantitative Finance 10 (2010) 143-157, with a
/// quantity of its own for each side. No order costs less than the half-spread, so no round trip earns anything.
///
/// Below the deepest level there are 4,096 more of the same: its quantity, its distance from the level before it. The last of them has no
/// bottom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthParams {
    /// What sellers meet, nearest first; 1 to 1,024 levels with ascending distances.
    pub bids: Vec<DepthLevel>,
    /// What buyers meet, nearest first; likewise.
    pub asks: Vec<DepthLevel>,
    /// Time in which what is missing falls to 1/e, in seconds, > 0; none: it never comes back.
    #[serde(default)]
    pub recovery_seconds: Option<f64>,
}

const MOST_LEVELS: usize = 1_024;
/// Levels below the deepest one.
const BEYOND: usize = 4_096;

impl DepthParams {
    /// The visible levels of a book, at most `levels` on each side.
    ///
    /// # Errors
    /// If a side is empty, or the mid price is not above 0.
    pub fn of(
        book: &OrderBook,
        levels: usize,
        recovery_seconds: Option<f64>,
    ) -> Result<Self, ParameterError> {
        let mid = book
            .mid()
            .ok_or_else(|| ParameterError::new("book", "one-sided", "a book with bids and asks"))?;
        positive("book.mid", mid)?;
        let side = |side: Side| {
            let visible =
                book.levels(side).filter(|(_, quantity, _)| !quantity.is_zero()).take(levels.max(1));
            let level = |(price, quantity, _): (crate::Price, crate::Quantity, usize)| DepthLevel {
                distance: (price.0 as f64 - mid).abs() / mid,
                quantity: quantity.0 as f64,
            };
            visible.map(level).collect()
        };
        let depth = Self { bids: side(Side::Buy), asks: side(Side::Sell), recovery_seconds };
        depth.validate()?;
        Ok(depth)
    }

    pub(super) fn validate(&self) -> Validity {
        for (key, levels) in [("bids", &self.bids), ("asks", &self.asks)] {
            length(key, levels.len(), 1..=MOST_LEVELS)?;
            let mut last = None;
            for (index, level) in levels.iter().enumerate() {
                positive(&format!("{key}[{index}].quantity"), level.quantity)?;
                if !level.distance.is_finite()
                    || level.distance < 0.0
                    || last.is_some_and(|last| level.distance <= last)
                {
                    let legal = "a finite number >= 0, above that of the level before";
                    return Err(ParameterError::new(
                        format!("{key}[{index}].distance"),
                        level.distance,
                        legal,
                    ));
                }
                last = Some(level.distance);
            }
        }
        self.recovery_seconds.map_or(Ok(()), |seconds| positive("recovery_seconds", seconds))
    }
}

/// One side of the book, by the quantity in front of each level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DepthSide {
    /// Distance, and the quantity in front of the level.
    levels: Vec<(f64, f64)>,
    /// Quantity and distance of the levels below the deepest one.
    beyond: (f64, f64),
    /// What is missing at the front.
    missing: f64,
}

impl DepthSide {
    fn new(levels: &[DepthLevel]) -> Self {
        let mut ahead = 0.0;
        let mut known = Vec::with_capacity(levels.len());
        for level in levels {
            known.push((level.distance, ahead));
            ahead += level.quantity;
        }
        let deepest = levels.last().copied().unwrap_or(DepthLevel { distance: 0.0, quantity: 1.0 });
        let before = levels.iter().rev().nth(1).map_or(0.0, |level| level.distance);
        Self { levels: known, beyond: (deepest.quantity, deepest.distance - before), missing: 0.0 }
    }

    /// Distance of a level and the quantity in front of it.
    fn level(&self, index: usize) -> (f64, f64) {
        let last = self.levels.len() - 1;
        let (distance, ahead) = self.levels[index.min(last)];
        let further = index.saturating_sub(last).min(BEYOND) as f64;
        (distance + further * self.beyond.1, ahead + further * self.beyond.0)
    }

    /// The level at the front when so much is missing.
    fn front(&self, missing: f64) -> usize {
        let last = self.levels.len() - 1;
        let past = missing - self.levels[last].1;
        if past >= 0.0 {
            return last + ((past / self.beyond.0) as usize).min(BEYOND);
        }
        self.levels.partition_point(|&(_, ahead)| ahead <= missing).saturating_sub(1)
    }

    fn distance(&self, missing: f64) -> f64 {
        self.level(self.front(missing)).0
    }

    /// The mean distance of what `quantity` trades in `seconds` at an even rate, and what is missing afterwards.
    fn eat(&self, quantity: f64, seconds: f64, recovery: Option<f64>) -> (f64, f64) {
        let rate = quantity / seconds;
        // Where the missing quantity is heading for.
        let limit = recovery.map_or(f64::INFINITY, |recovery| rate * recovery);
        let after = |missing: f64, time: f64| match recovery {
            Some(recovery) => missing + (limit - missing) * -libm::expm1(-time / recovery),
            None => missing + rate * time,
        };
        let rising = self.missing < limit;
        let (mut missing, mut time, mut total) = (self.missing, 0.0, 0.0);
        let mut front = self.front(missing);
        while time < seconds {
            // The next boundary in its way, if it is reached.
            let boundary = if rising { self.level(front + 1).1 } else { self.level(front).1 };
            let reached = match recovery {
                _ if rising && front >= self.levels.len() - 1 + BEYOND => f64::INFINITY,
                None => (boundary - missing) / rate,
                Some(_) if rising && boundary >= limit || !rising && (boundary <= limit || front == 0) => {
                    f64::INFINITY
                }
                Some(recovery) => recovery * libm::log((missing - limit) / (boundary - limit)),
            };
            let span = reached.max(0.0).min(seconds - time);
            total += span * self.level(front).0;
            time += span;
            if reached > span {
                break;
            }
            missing = boundary;
            front = if rising { front + 1 } else { front.saturating_sub(1) };
        }
        (total / seconds, after(self.missing, seconds))
    }
}

/// The model of [`DepthParams`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookDepth {
    /// By [`Side::index`].
    sides: [DepthSide; 2],
    recovery_seconds: Option<f64>,
}

impl BookDepth {
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(params: &DepthParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let sides = [DepthSide::new(&params.bids), DepthSide::new(&params.asks)];
        Ok(Self { sides, recovery_seconds: params.recovery_seconds })
    }

    /// Takes a new look at a book: what is missing in it is missing in the snapshot.
    ///
    /// # Errors
    /// As [`DepthParams::of`]; the old snapshot then stays.
    pub fn observe(&mut self, book: &OrderBook, levels: usize) -> Result<(), ParameterError> {
        *self = Self::new(&DepthParams::of(book, levels, self.recovery_seconds)?)?;
        Ok(())
    }

    /// Which side an order eats.
    fn index(order: &MetaOrder) -> usize {
        if order.quantity() > 0.0 { Side::Sell.index() } else { Side::Buy.index() }
    }

    fn recovered(&self, seconds: f64) -> f64 {
        self.recovery_seconds.map_or(1.0, |recovery| libm::exp(-elapsed(seconds) / recovery))
    }
}

impl ImpactModel for BookDepth {
    /// The half-spread is the nearest level's distance when nothing is missing; what is paid beyond it is `displaced`.
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || {
            let side = &self.sides[Self::index(order)];
            let (mean, _) = side.eat(order.quantity().abs(), order.seconds(), self.recovery_seconds);
            let half_spread = side.level(0).0;
            [half_spread, 0.0, mean - half_spread]
        })
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        let cost = self.cost(order, conditions);
        let left = self.recovered(order.seconds());
        let eaten = (order.quantity() != 0.0).then(|| Self::index(order));
        for (index, side) in self.sides.iter_mut().enumerate() {
            side.missing = if eaten == Some(index) {
                side.eat(order.quantity().abs(), order.seconds(), self.recovery_seconds).1
            } else {
                side.missing * left
            };
        }
        cost
    }

    fn wait(&mut self, seconds: f64) {
        let left = self.recovered(seconds);
        self.sides.iter_mut().for_each(|side| side.missing *= left);
    }

    /// Of the mid price: half of what the best prices are off.
    fn displacement_after(&self, seconds: f64) -> f64 {
        let left = self.recovered(seconds);
        let shift = |side: Side| {
            let side = &self.sides[side.index()];
            side.distance(side.missing * left) - side.level(0).0
        };
        0.5 * (shift(Side::Sell) - shift(Side::Buy))
    }

    fn permanent(&self) -> f64 {
        if self.recovery_seconds.is_some() { 0.0 } else { self.displacement_after(0.0) }
    }

    fn reset(&mut self) {
        self.sides.iter_mut().for_each(|side| side.missing = 0.0);
    }
}

//! Quotes at the touch or at a distance from the mid, with or without an inventory skew that backs off.

use gym::Quotes;
use lob::ParameterError;
use lob::parameter::{finite, integer, non_negative};

use super::{Quoter, Situation};

/// `round(strength x inventory / limit)`, halves to even: at the limit `strength` ticks.
fn skew(strength: f64, inventory: f64, limit: u64) -> f64 {
    (strength * inventory / limit as f64).round_ties_even()
}

/// Lots that keep the inventory within a limit: bid, ask.
pub(super) fn room(lots: u64, inventory: f64, limit: u64) -> [u64; 2] {
    [-1.0, 1.0].map(|sign| lots.min((limit as f64 + sign * inventory).max(0.0) as u64))
}

fn check(lots: u64, limit: u64, strength: f64) -> Result<(), ParameterError> {
    integer("lots", lots, 1..=1_000_000)?;
    integer("limit", limit, 1..=1_000_000)?;
    non_negative("skew", strength)
}

/// Joins the best prices of others.
///
/// With a skew, only the side that would add to the inventory moves, away from the touch by `round(skew |inventory| / limit)` ticks: the
/// other side stays, so that getting rid of lots never costs more than the touch does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JoinTouch {
    lots: u64,
    limit: u64,
    skew: f64,
}

impl JoinTouch {
    /// `lots` a side, held to `limit` lots long or short; `skew` in ticks at the limit, 0 for none.
    ///
    /// # Errors
    /// A number of lots below 1, a skew below 0.
    pub fn new(lots: u64, limit: u64, skew: f64) -> Result<Self, ParameterError> {
        check(lots, limit, skew)?;
        Ok(Self { lots, limit, skew })
    }
}

impl Quoter for JoinTouch {
    fn quotes(&mut self, situation: &Situation) -> Quotes {
        // Nothing to join: a tick from the last mid.
        let half = situation.spread.map_or(1.0, |spread| spread / 2.0);
        let skew = skew(self.skew, situation.inventory, self.limit);
        Quotes {
            offset: [half + skew.max(0.0), half - skew.min(0.0)],
            lots: room(self.lots, situation.inventory, self.limit),
        }
    }
}

/// Stands a distance from the mid.
///
/// With a skew, the mid is shifted by `-round(skew x inventory / limit)` half ticks: both quotes move, towards getting rid of lots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AroundMid {
    distance: f64,
    lots: u64,
    limit: u64,
    skew: f64,
}

impl AroundMid {
    /// `distance` in ticks, negative beyond the mid; `lots` a side, held to `limit` lots long or short; `skew` in half ticks at the limit, 0
    /// for none.
    ///
    /// # Errors
    /// A distance that is not finite, a number of lots below 1, a skew below 0.
    pub fn new(distance: f64, lots: u64, limit: u64, skew: f64) -> Result<Self, ParameterError> {
        finite("distance", distance)?;
        check(lots, limit, skew)?;
        Ok(Self { distance, lots, limit, skew })
    }
}

impl Quoter for AroundMid {
    fn quotes(&mut self, situation: &Situation) -> Quotes {
        let shift = skew(self.skew, situation.inventory, self.limit) / 2.0;
        Quotes {
            offset: [self.distance + shift, self.distance - shift],
            lots: room(self.lots, situation.inventory, self.limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(inventory: f64, spread: f64) -> Situation {
        Situation { mid: 100.0, spread: Some(spread), inventory, time_left: 10.0 }
    }

    #[test]
    fn joining_backs_the_accumulating_side_off_alone() {
        let mut join = JoinTouch::new(5, 10, 4.0).unwrap();
        assert_eq!(join.quotes(&holding(0.0, 3.0)), Quotes { offset: [1.5, 1.5], lots: [5, 5] });
        // round(4 x 6 / 10) = 2 ticks; room for 4 more.
        assert_eq!(join.quotes(&holding(6.0, 1.0)), Quotes { offset: [2.5, 0.5], lots: [4, 5] });
        assert_eq!(join.quotes(&holding(-10.0, 1.0)), Quotes { offset: [0.5, 4.5], lots: [5, 0] });
        let mut plain = JoinTouch::new(5, 10, 0.0).unwrap();
        assert_eq!(plain.quotes(&holding(6.0, 1.0)).offset, [0.5, 0.5]);
        let empty = Situation { spread: None, ..holding(0.0, 0.0) };
        assert_eq!(plain.quotes(&empty).offset, [1.0, 1.0]);
    }

    #[test]
    fn quotes_around_the_mid_shift_together() {
        let mut around = AroundMid::new(1.0, 2, 10, 4.0).unwrap();
        assert_eq!(around.quotes(&holding(0.0, 9.0)), Quotes { offset: [1.0, 1.0], lots: [2, 2] });
        // round(4 x 7 / 10) = 3 half ticks down.
        assert_eq!(around.quotes(&holding(7.0, 9.0)).offset, [2.5, -0.5]);
        assert_eq!(around.quotes(&holding(-9.0, 9.0)), Quotes { offset: [-1.0, 3.0], lots: [2, 1] });
        // Halves to even: 4 x 1.25 / 10 is 0.5.
        assert_eq!(around.quotes(&holding(1.25, 9.0)).offset, [1.0, 1.0]);
    }

    #[test]
    fn illegal_numbers_are_named() {
        assert_eq!(JoinTouch::new(0, 10, 4.0).unwrap_err().key, "lots");
        assert_eq!(JoinTouch::new(1, 0, 4.0).unwrap_err().key, "limit");
        assert_eq!(AroundMid::new(1.0, 1, 10, -1.0).unwrap_err().key, "skew");
        assert_eq!(AroundMid::new(f64::NAN, 1, 10, 0.0).unwrap_err().key, "distance");
    }
}

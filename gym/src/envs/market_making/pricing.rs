//! From quotes around the mid to prices and sizes in the book.

use lob::Price;

use crate::env::Action;
use crate::quoting::QuoteAction;

/// Most levels a side that an action can ask for.
pub(super) const MAX_LEVELS: usize = 8;

/// Prices this near to a tick, in ticks, are on it: 32-bit actions cannot say it more exactly.
const TOLERANCE: f64 = 1e-4;

/// What is wanted on one side: prices and lots, best first, no price twice, no empty level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Targets {
    levels: [(Price, u64); MAX_LEVELS],
    count: usize,
}

impl Targets {
    #[inline]
    pub(super) fn as_slice(&self) -> &[(Price, u64)] {
        &self.levels[..self.count]
    }

    #[inline]
    fn push(&mut self, price: i64, lots: u64) {
        if lots == 0 {
            return;
        }
        match self.levels[..self.count].last_mut() {
            // Two levels that were held back at the other side's best fall together.
            Some(last) if last.0.0 == price => last.1 += lots,
            _ => {
                self.levels[self.count] = (Price(price), lots);
                self.count += 1;
            }
        }
    }
}

/// What quotes are placed by: the market without one's own orders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// Ticks.
    pub(super) mid: f64,
    /// Best prices of others.
    pub(super) best: [Option<Price>; 2],
    /// The action was decided on the mirror image of the market: its bid is an ask.
    pub(super) mirrored: bool,
}

/// The targets of both sides. `room` is the most that each side may ask for, in lots.
///
/// A bid is at the tick at or below mid - offset, an ask at or above mid + offset: prices between ticks round away from the mid. Neither
/// reaches the other side's best, nor one another: where bid and ask would meet, both step back a tick.
#[inline]
pub(super) fn aim(
    codec: &QuoteAction,
    action: Action<'_>,
    reference: &Reference,
    mut room: [u64; 2],
    sides: &mut [Targets; 2],
) {
    // In place: the targets are larger than what is written of them.
    (sides[0].count, sides[1].count) = (0, 0);
    // Best prices that do not trade.
    let highest_bid = reference.best[1].map_or(i64::MAX, |ask| ask.0 - 1);
    let lowest_ask = reference.best[0].map_or(i64::MIN, |bid| bid.0 + 1);
    let mut step_back = 0;
    for level in 0..codec.levels() {
        let quotes = codec.quotes(action, level);
        let quotes = if reference.mirrored { quotes.mirrored() } else { quotes };
        let mut bid = floor(reference.mid - quotes.offset[0] + TOLERANCE).min(highest_bid);
        let mut ask = (-floor(-(reference.mid + quotes.offset[1]) + TOLERANCE)).max(lowest_ask);
        if level == 0 && bid >= ask {
            step_back = 1 + (bid - ask) / 2;
        }
        bid -= step_back;
        ask += step_back;
        for (side, price) in [(0, bid), (1, ask)] {
            let lots = quotes.lots[side].min(room[side]);
            room[side] -= lots;
            sides[side].push(price, lots);
        }
    }
}

/// [`aim`] at targets of its own.
#[cfg(test)]
pub(super) fn targets(
    codec: &QuoteAction,
    action: Action<'_>,
    reference: &Reference,
    room: [u64; 2],
) -> [Targets; 2] {
    let mut sides = [Targets::default(); 2];
    aim(codec, action, reference, room, &mut sides);
    sides
}

/// The largest integer at or below `x`. (`f64::floor` is a function call on the baseline of x86-64.)
#[inline]
fn floor(x: f64) -> i64 {
    let whole = x as i64;
    whole - i64::from(whole as f64 > x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quoting::{OffsetsAndSizes, QuoteLadder, Quotes};

    const SCALE: OffsetsAndSizes = OffsetsAndSizes { min_offset: -5.0, max_offset: 5.0, max_lots: 10 };

    fn at(mid: f64, bid: i64, ask: i64) -> Reference {
        Reference { mid, best: [Some(Price(bid)), Some(Price(ask))], mirrored: false }
    }

    fn quoted(reference: Reference, offset: [f64; 2], room: [u64; 2]) -> [Vec<(i64, u64)>; 2] {
        let action = SCALE.action(&Quotes { offset, lots: [3, 4] });
        let sides =
            targets(&QuoteAction::OffsetsAndSizes(SCALE), Action::Continuous(&action), &reference, room);
        sides.map(|side| side.as_slice().iter().map(|&(price, lots)| (price.0, lots)).collect())
    }

    #[test]
    fn prices_between_ticks_round_away_from_the_mid() {
        let room = [9, 9];
        assert_eq!(quoted(at(100.5, 100, 101), [0.5, 0.5], room), [vec![(100, 3)], vec![(101, 4)]]);
        assert_eq!(quoted(at(100.5, 100, 101), [0.6, 0.6], room), [vec![(99, 3)], vec![(102, 4)]]);
        assert_eq!(quoted(at(101.0, 100, 102), [0.5, 0.5], room), [vec![(100, 3)], vec![(102, 4)]]);
        assert_eq!(quoted(at(-2.5, -4, -1), [1.0, 1.0], room), [vec![(-4, 3)], vec![(-1, 4)]]);
    }

    #[test]
    fn quotes_never_reach_the_other_side_nor_each_other() {
        let room = [9, 9];
        assert_eq!(quoted(at(100.5, 100, 101), [-3.0, 3.0], room), [vec![(100, 3)], vec![(104, 4)]]);
        assert_eq!(quoted(at(100.5, 100, 101), [3.0, -3.0], room), [vec![(97, 3)], vec![(101, 4)]]);
        // In the middle of a wide spread both would stand at the mid.
        assert_eq!(quoted(at(102.0, 100, 104), [0.0, 0.0], room), [vec![(101, 3)], vec![(103, 4)]]);
        assert_eq!(quoted(at(102.5, 100, 105), [0.0, 0.0], room), [vec![(102, 3)], vec![(103, 4)]]);
        for (bid, ask) in [(-3.0, -3.0), (-2.0, 1.0), (-4.0, -1.0), (-1.0, -1.0)] {
            let [bids, asks] = quoted(at(104.0, 100, 108), [bid, ask], room);
            assert!(bids[0].0 < asks[0].0 && bids[0].0 < 108 && asks[0].0 > 100, "{bids:?} {asks:?}");
        }
    }

    #[test]
    fn sizes_are_cut_to_the_room_that_is_left() {
        let reference = at(100.5, 100, 101);
        assert_eq!(quoted(reference, [0.5, 0.5], [2, 0]), [vec![(100, 2)], vec![]]);
        let ladder = QuoteAction::Ladder(QuoteLadder { scale: SCALE, levels: 3, spacing: 1.0 });
        let action = [0.1, 0.1, 1.0, 1.0, 1.0, -1.0, 0.0, 1.0];
        let [bids, asks] = targets(&ladder, Action::Continuous(&action), &reference, [14, 100]);
        assert_eq!(bids.as_slice(), [(Price(100), 10), (Price(99), 4)]);
        assert_eq!(asks.as_slice(), [(Price(102), 5), (Price(103), 10)]);
    }

    #[test]
    fn levels_that_are_held_back_fall_together() {
        let ladder = QuoteAction::Ladder(QuoteLadder { scale: SCALE, levels: 3, spacing: 1.0 });
        let action = [-0.4, 1.0, -0.8, -0.6, -0.4, -1.0, -1.0, -1.0];
        let [bids, _] = targets(&ladder, Action::Continuous(&action), &at(100.5, 100, 101), [9, 9]);
        assert_eq!(bids.as_slice(), [(Price(100), 6)]);
    }

    #[test]
    fn a_market_without_prices_is_quoted_around_the_last_mid() {
        let reference = Reference { mid: 50.5, best: [None, None], mirrored: false };
        assert_eq!(quoted(reference, [1.0, 1.0], [9, 9]), [vec![(49, 3)], vec![(52, 4)]]);
    }
}

//! What a market maker's action means, whatever market it quotes in.

use lob::ParameterError;

use crate::env::Action;
use crate::space::{BoxSpace, Component, Space};

/// What a market maker wants in the market: index 0 is the bid, 1 the ask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quotes {
    /// Distance from the mid, in ticks: bid = mid - offset, ask = mid + offset.
    pub offset: [f64; 2],
    /// Size in lots; 0 quotes nothing.
    pub lots: [u64; 2],
}

impl Quotes {
    /// Bid and ask exchanged.
    #[inline]
    #[must_use]
    pub fn mirrored(self) -> Self {
        let ([bid, ask], [bid_lots, ask_lots]) = (self.offset, self.lots);
        Self { offset: [ask, bid], lots: [ask_lots, bid_lots] }
    }
}

/// A share of a range, from -1 to 1, and back.
#[inline]
fn share(value: f32) -> f64 {
    f64::from(value.clamp(-1.0, 1.0) + 1.0) / 2.0
}

fn from_share(share: f64) -> f32 {
    (2.0 * share - 1.0).clamp(-1.0, 1.0) as f32
}

/// The classic action: bid offset, ask offset, bid size, ask size, each from -1 to 1, scaled linearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffsetsAndSizes {
    /// What an offset of -1 means, in ticks.
    pub min_offset: f64,
    /// What an offset of 1 means, in ticks.
    pub max_offset: f64,
    /// What a size of 1 means, in lots; -1 is none.
    pub max_lots: u64,
}

impl OffsetsAndSizes {
    /// Its space: `Box(-1, 1, 4)`.
    pub fn space(&self) -> Space {
        Space::Box(BoxSpace::new(vec![
            self.offset_component("bid offset"),
            self.offset_component("ask offset"),
            self.lots_component("bid size".into()),
            self.lots_component("ask size".into()),
        ]))
    }

    fn offset_component(&self, name: &str) -> Component {
        let ticks = format!("[-1, 1] -> [{}, {}] ticks from the mid", self.min_offset, self.max_offset);
        Component::new(name, ticks, -1.0, 1.0)
    }

    fn lots_component(&self, name: String) -> Component {
        Component::new(name, format!("[-1, 1] -> [0, {}] lots", self.max_lots), -1.0, 1.0)
    }

    #[inline]
    fn offset(&self, value: f32) -> f64 {
        self.min_offset + share(value) * (self.max_offset - self.min_offset)
    }

    #[inline]
    fn lots(&self, value: f32) -> u64 {
        (share(value) * self.max_lots as f64 + 0.5) as u64
    }

    fn offset_value(&self, ticks: f64) -> f32 {
        from_share((ticks - self.min_offset) / (self.max_offset - self.min_offset))
    }

    fn lots_value(&self, lots: u64) -> f32 {
        from_share(lots as f64 / self.max_lots.max(1) as f64)
    }

    /// The quotes of an action; values outside [-1, 1] are cut, sizes rounded to the nearest lot.
    #[inline]
    pub fn quotes(&self, action: &[f32]) -> Quotes {
        Quotes {
            offset: [self.offset(action[0]), self.offset(action[1])],
            lots: [self.lots(action[2]), self.lots(action[3])],
        }
    }

    /// The action that means these quotes: the inverse of [`quotes`](Self::quotes), cut to what can be said.
    pub fn action(&self, quotes: &Quotes) -> [f32; 4] {
        let [bid, ask] = quotes.offset.map(|ticks| self.offset_value(ticks));
        let [bid_size, ask_size] = quotes.lots.map(|lots| self.lots_value(lots));
        [bid, ask, bid_size, ask_size]
    }
}

/// One of a list: pairs of offsets, each of them moved by each of several skews. Sizes are fixed.
///
/// Choice `pair x skews + skew`. A skew of 1 moves both quotes up by a tick: the bid nearer to the mid, the ask away from it.
#[derive(Clone, Debug, PartialEq)]
pub struct QuoteGrid {
    /// Bid and ask offset, in ticks.
    pub offsets: Vec<[f64; 2]>,
    /// Ticks by which both quotes are moved.
    pub skews: Vec<f64>,
    /// Size of both quotes, in lots.
    pub lots: u64,
}

impl QuoteGrid {
    /// Its space: `Discrete(offsets x skews)`.
    pub fn space(&self) -> Space {
        let names = self.offsets.iter().flat_map(|[bid, ask]| {
            self.skews.iter().map(move |skew| format!("bid {bid}, ask {ask}, skew {skew}"))
        });
        Space::Discrete(names.collect())
    }

    /// The quotes of a choice below the number of choices.
    #[inline]
    pub fn quotes(&self, choice: usize) -> Quotes {
        let [bid, ask] = self.offsets[choice / self.skews.len()];
        let skew = self.skews[choice % self.skews.len()];
        Quotes { offset: [bid - skew, ask + skew], lots: [self.lots; 2] }
    }

    /// The choice whose offsets are nearest (least squares; the first of equals). Sizes cannot be chosen.
    pub fn nearest(&self, quotes: &Quotes) -> usize {
        let distance = |choice: usize| {
            let [bid, ask] = self.quotes(choice).offset;
            (bid - quotes.offset[0]).powi(2) + (ask - quotes.offset[1]).powi(2)
        };
        let choices = 0..self.offsets.len() * self.skews.len();
        choices.min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
    }
}

/// Several quotes a side, a fixed number of ticks apart: bid offset, ask offset of the first level; then the bid sizes from the first level
/// on, then the ask sizes. All from -1 to 1, scaled as [`OffsetsAndSizes`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuoteLadder {
    /// How offsets and sizes are scaled.
    pub scale: OffsetsAndSizes,
    /// Levels of each side.
    pub levels: usize,
    /// Ticks from one level to the next.
    pub spacing: f64,
}

impl QuoteLadder {
    /// Its space: `Box(-1, 1, 2 + 2 x levels)`.
    pub fn space(&self) -> Space {
        let mut components =
            vec![self.scale.offset_component("bid offset"), self.scale.offset_component("ask offset")];
        for side in ["bid", "ask"] {
            let level = |level| self.scale.lots_component(format!("{side} size at level {level}"));
            components.extend((1..=self.levels).map(level));
        }
        Space::Box(BoxSpace::new(components))
    }

    /// The quotes of level 0, 1, ...
    #[inline]
    pub fn quotes(&self, action: &[f32], level: usize) -> Quotes {
        let behind = level as f64 * self.spacing;
        let lots = |side: usize| self.scale.lots(action[2 + side * self.levels + level]);
        Quotes {
            offset: [self.scale.offset(action[0]) + behind, self.scale.offset(action[1]) + behind],
            lots: [lots(0), lots(1)],
        }
    }
}

/// How a market maker says what it wants.
#[derive(Clone, Debug, PartialEq)]
pub enum QuoteAction {
    /// One quote a side, free offsets and sizes.
    OffsetsAndSizes(OffsetsAndSizes),
    /// A choice from a list.
    Grid(QuoteGrid),
    /// Several quotes a side.
    Ladder(QuoteLadder),
}

/// An action that is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedAction {
    /// For a box.
    Continuous(Vec<f32>),
    /// For choices.
    Discrete(Vec<i64>),
}

impl OwnedAction {
    /// The action, to be passed to an environment.
    pub fn as_action(&self) -> Action<'_> {
        match self {
            Self::Continuous(values) => Action::Continuous(values),
            Self::Discrete(values) => Action::Discrete(values),
        }
    }
}

impl QuoteAction {
    /// Its space.
    pub fn space(&self) -> Space {
        match self {
            Self::OffsetsAndSizes(action) => action.space(),
            Self::Grid(grid) => grid.space(),
            Self::Ladder(ladder) => ladder.space(),
        }
    }

    /// Quotes a side.
    #[inline]
    pub fn levels(&self) -> usize {
        match self {
            Self::OffsetsAndSizes(_) | Self::Grid(_) => 1,
            Self::Ladder(ladder) => ladder.levels,
        }
    }

    /// The quotes of level 0, 1, ... of an action that has been checked against the space.
    #[inline]
    pub fn quotes(&self, action: Action<'_>, level: usize) -> Quotes {
        match self {
            Self::OffsetsAndSizes(codec) => codec.quotes(action.continuous()),
            Self::Grid(grid) => grid.quotes(action.discrete()[0] as usize),
            Self::Ladder(ladder) => ladder.quotes(action.continuous(), level),
        }
    }

    /// The action that comes nearest to one quote a side: on a grid the nearest offsets, on a ladder the first level alone.
    pub fn action(&self, quotes: &Quotes) -> OwnedAction {
        match self {
            Self::OffsetsAndSizes(codec) => OwnedAction::Continuous(codec.action(quotes).to_vec()),
            Self::Grid(grid) => OwnedAction::Discrete(vec![grid.nearest(quotes) as i64]),
            Self::Ladder(ladder) => {
                let [bid, ask, bid_size, ask_size] = ladder.scale.action(quotes);
                let mut action = vec![-1.0; 2 + 2 * ladder.levels];
                (action[0], action[1]) = (bid, ask);
                (action[2], action[2 + ladder.levels]) = (bid_size, ask_size);
                OwnedAction::Continuous(action)
            }
        }
    }

    /// A grid's choices and a ladder's levels must be few enough to be listed.
    ///
    /// # Errors
    /// The first setting that is not legal, under the name that environments give it.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let finite = |key: String, value: f64| {
            lob::parameter::finite(&key, value)?;
            lob::parameter::integer(&key, value.abs() as u64, 0..=1_000)
        };
        match self {
            Self::OffsetsAndSizes(_) => Ok(()),
            Self::Grid(grid) => {
                lob::parameter::length("grid_offsets_ticks", grid.offsets.len(), 1..=100)?;
                lob::parameter::length("grid_skews_ticks", grid.skews.len(), 1..=100)?;
                for (index, pair) in grid.offsets.iter().enumerate() {
                    pair.iter().try_for_each(|&x| finite(format!("grid_offsets_ticks[{index}]"), x))?;
                }
                let mut skews = grid.skews.iter().enumerate();
                skews.try_for_each(|(index, &x)| finite(format!("grid_skews_ticks[{index}]"), x))
            }
            Self::Ladder(ladder) => {
                lob::parameter::integer("ladder_levels", ladder.levels, 1..=8)?;
                if !(1.0..=1_000.0).contains(&ladder.spacing) {
                    // Below a tick, two levels could fall on one price.
                    return Err(ParameterError::new("ladder_spacing_ticks", ladder.spacing, "1 to 1000"));
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: OffsetsAndSizes = OffsetsAndSizes { min_offset: 0.0, max_offset: 5.0, max_lots: 5 };

    #[test]
    fn the_classic_action_is_scaled_linearly_and_cut() {
        let quotes = SCALE.quotes(&[-1.0, 0.0, 1.0, -0.6]);
        assert_eq!(quotes, Quotes { offset: [0.0, 2.5], lots: [5, 1] });
        assert_eq!(SCALE.quotes(&[-9.0, f32::INFINITY, 2.0, -2.0]), SCALE.quotes(&[-1.0, 1.0, 1.0, -1.0]));
    }

    #[test]
    fn a_skew_moves_both_quotes_the_same_way() {
        let grid = QuoteGrid { offsets: vec![[1.0, 1.0], [2.0, 3.0]], skews: vec![-1.0, 0.0, 1.0], lots: 2 };
        assert_eq!(grid.quotes(5), Quotes { offset: [1.0, 4.0], lots: [2, 2] });
        assert_eq!(grid.nearest(&grid.quotes(3)), 3);
        let Space::Discrete(names) = grid.space() else { panic!() };
        assert_eq!((names.len(), names[5].as_str()), (6, "bid 2, ask 3, skew 1"));
    }

    #[test]
    fn a_ladder_has_sizes_by_side_and_level() {
        let ladder = QuoteLadder { scale: SCALE, levels: 2, spacing: 1.5 };
        let action = [-1.0, 1.0, -0.6, -0.2, 0.2, 0.6];
        assert_eq!(ladder.quotes(&action, 0), Quotes { offset: [0.0, 5.0], lots: [1, 3] });
        assert_eq!(ladder.quotes(&action, 1), Quotes { offset: [1.5, 6.5], lots: [2, 4] });
        assert_eq!(ladder.space().len(), 6);
    }

    #[test]
    fn every_codec_says_what_it_can_of_given_quotes() {
        let wanted = Quotes { offset: [1.0, 2.0], lots: [3, 4] };
        let grid = QuoteGrid { offsets: vec![[1.0, 1.0], [1.5, 1.5]], skews: vec![0.0, 0.5], lots: 3 };
        for (codec, lots) in [
            (QuoteAction::OffsetsAndSizes(SCALE), [3, 4]),
            (QuoteAction::Grid(grid), [3, 3]),
            (QuoteAction::Ladder(QuoteLadder { scale: SCALE, levels: 3, spacing: 1.0 }), [3, 4]),
        ] {
            let action = codec.action(&wanted);
            codec.space().check(action.as_action()).unwrap();
            let quotes = codec.quotes(action.as_action(), 0);
            for side in 0..2 {
                assert!((quotes.offset[side] - wanted.offset[side]).abs() < 1e-6, "{codec:?} {quotes:?}");
            }
            assert_eq!(quotes.lots, lots);
            for level in 1..codec.levels() {
                assert_eq!(codec.quotes(action.as_action(), level).lots, [0, 0]);
            }
        }
    }
}

//! Levels outside the dense window, and the trigger prices of stops: a treap over a slab.
//!
//! A treap (Seidel & Aragon, 1996) because it needs no allocation once the slab has grown, which a `BTreeMap` does, and
//! because an insertion costs O(log n) wherever it falls, which a sorted `Vec` does not. The heap priorities are a hash
//! of the key, so that equal content has equal shape.

use slab::Slab;

use super::level::Level;

#[derive(Clone, Debug)]
struct Branch {
    rank: i64,
    priority: u64,
    left: Option<u32>,
    right: Option<u32>,
    level: Level,
}

/// A sorted map from rank to level.
#[derive(Clone, Debug, Default)]
pub(super) struct FarLevels {
    branches: Slab<Branch>,
    root: Option<u32>,
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): spreads neighbouring ranks over all 64 bits.
fn priority_of(rank: i64) -> u64 {
    let mut z = (rank as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl FarLevels {
    /// Forgets all levels; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.branches.clear();
        self.root = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The highest rank.
    pub(super) fn best(&self) -> Option<i64> {
        let mut at = self.root?;
        while let Some(right) = self.branch(at).right {
            at = right;
        }
        Some(self.branch(at).rank)
    }

    pub(super) fn get(&self, rank: i64) -> Option<&Level> {
        self.find(rank).map(|at| &self.branch(at).level)
    }

    pub(super) fn get_mut(&mut self, rank: i64) -> Option<&mut Level> {
        self.find(rank).map(|at| &mut self.branches[at as usize].level)
    }

    /// The level at a rank, made empty if there was none.
    pub(super) fn entry(&mut self, rank: i64) -> &mut Level {
        let at = match self.find(rank) {
            Some(at) => at,
            None => self.insert(rank, Level::EMPTY),
        };
        &mut self.branches[at as usize].level
    }

    /// Adds a level whose rank is not there yet.
    pub(super) fn insert(&mut self, rank: i64, level: Level) -> u32 {
        debug_assert!(self.find(rank).is_none());
        let priority = priority_of(rank);
        let (below, above) = self.split(self.root, rank);
        let at = self.branches.insert(Branch { rank, priority, left: None, right: None, level }) as u32;
        let left = self.merge(below, Some(at));
        self.root = self.merge(left, above);
        at
    }

    pub(super) fn remove(&mut self, rank: i64) -> Option<Level> {
        self.find(rank)?;
        let (below, from) = self.split(self.root, rank);
        // Ranks are below 2^63 - 1 (prices are limited to 2^62), so that the successor exists.
        let (found, above) = self.split(from, rank + 1);
        self.root = self.merge(below, above);
        found.map(|at| self.branches.remove(at as usize).level)
    }

    /// The highest rank below `rank`, with its level.
    pub(super) fn next_below(&self, rank: i64) -> Option<(i64, &Level)> {
        let mut at = self.root;
        let mut found = None;
        while let Some(index) = at {
            let branch = self.branch(index);
            if branch.rank < rank {
                found = Some(index);
                at = branch.right;
            } else {
                at = branch.left;
            }
        }
        found.map(|index| (self.branch(index).rank, &self.branch(index).level))
    }

    /// Levels from the highest rank downwards. Cost O(log n) each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Level)> + '_ {
        let mut below = i64::MAX;
        std::iter::from_fn(move || {
            let (rank, level) = self.next_below(below)?;
            below = rank;
            Some((rank, level))
        })
    }

    fn branch(&self, at: u32) -> &Branch {
        &self.branches[at as usize]
    }

    fn find(&self, rank: i64) -> Option<u32> {
        let mut at = self.root;
        while let Some(index) = at {
            let branch = self.branch(index);
            at = match rank.cmp(&branch.rank) {
                std::cmp::Ordering::Equal => return Some(index),
                std::cmp::Ordering::Less => branch.left,
                std::cmp::Ordering::Greater => branch.right,
            };
        }
        None
    }

    /// Splits a tree into ranks below `rank` and the others.
    fn split(&mut self, at: Option<u32>, rank: i64) -> (Option<u32>, Option<u32>) {
        let Some(index) = at else { return (None, None) };
        if self.branch(index).rank < rank {
            let (below, above) = self.split(self.branch(index).right, rank);
            self.branches[index as usize].right = below;
            (at, above)
        } else {
            let (below, above) = self.split(self.branch(index).left, rank);
            self.branches[index as usize].left = above;
            (below, at)
        }
    }

    /// Joins two trees, all ranks of `low` being below those of `high`.
    fn merge(&mut self, low: Option<u32>, high: Option<u32>) -> Option<u32> {
        let (Some(a), Some(b)) = (low, high) else { return low.or(high) };
        if self.branch(a).priority > self.branch(b).priority {
            let joined = self.merge(self.branch(a).right, high);
            self.branches[a as usize].right = joined;
            low
        } else {
            let joined = self.merge(low, self.branch(b).left);
            self.branches[b as usize].left = joined;
            high
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn behaves_like_a_btree_map() {
        let mut far = FarLevels::default();
        let mut map = BTreeMap::new();
        let mut state = 1_u64;
        for step in 0..20_000_u64 {
            state = priority_of(state as i64 ^ step as i64);
            let rank = (state % 300) as i64 - 150;
            if state & (1 << 40) == 0 {
                far.entry(rank).visible += 1;
                *map.entry(rank).or_insert(0_u64) += 1;
            } else {
                assert_eq!(far.remove(rank).map(|level| level.visible), map.remove(&rank));
            }
            assert_eq!(far.best(), map.last_key_value().map(|(&rank, _)| rank));
            let below = map.range(..rank).next_back().map(|(&rank, &visible)| (rank, visible));
            assert_eq!(far.next_below(rank).map(|(rank, level)| (rank, level.visible)), below);
            assert_eq!(far.is_empty(), map.is_empty());
        }
        let content: Vec<_> = far.iter().map(|(rank, level)| (rank, level.visible)).collect();
        let expected: Vec<_> = map.into_iter().rev().collect();
        assert_eq!(content, expected);
    }
}

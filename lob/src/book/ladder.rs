//! One side's price levels: a dense window around its best price, and a sorted overflow behind it.
//!
//! The window is a ring: the level of rank `r` lives at `r & mask`, so that moving the window copies nothing but the
//! levels that enter or leave it. Two words of bitmap find the next level in constant time. The best price is always
//! inside the window and everything in the overflow ranks below the window.

use super::far::FarLevels;
use super::level::Level;

/// The best rank of a side without orders; below every legal rank.
pub(super) const EMPTY: i64 = i64::MIN;

#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// The highest rank with an order, or `EMPTY`.
    pub(super) best: i64,
    /// The lowest rank of the window.
    base: i64,
    /// Window length - 1.
    mask: usize,
    /// One bit a word that is not zero.
    summary: u64,
    /// One bit a level that is not empty, by ring position.
    words: [u64; 64],
    levels: Box<[Level]>,
    far: FarLevels,
}

impl Ladder {
    /// `window` is a power of two from 64 to 4096.
    pub(super) fn new(window: usize) -> Self {
        Self {
            best: EMPTY,
            base: 0,
            mask: window - 1,
            summary: 0,
            words: [0; 64],
            levels: vec![Level::EMPTY; window].into_boxed_slice(),
            far: FarLevels::default(),
        }
    }

    /// Forgets all levels; keeps the memory. Cost: the occupied levels.
    pub(super) fn clear(&mut self) {
        while self.summary != 0 {
            let word = self.summary.trailing_zeros() as usize;
            while self.words[word] != 0 {
                let bit = self.words[word].trailing_zeros() as usize;
                self.levels[(word << 6) | bit] = Level::EMPTY;
                self.words[word] &= self.words[word] - 1;
            }
            self.summary &= self.summary - 1;
        }
        self.best = EMPTY;
        self.base = 0;
        self.far.clear();
    }

    #[inline(always)]
    fn position(&self, rank: i64) -> usize {
        rank as usize & self.mask
    }

    #[inline(always)]
    fn in_window(&self, rank: i64) -> bool {
        (rank.wrapping_sub(self.base) as u64) <= self.mask as u64
    }

    /// The level of the best rank; the side must not be empty.
    #[inline(always)]
    pub(super) fn best_level_mut(&mut self) -> &mut Level {
        let position = self.position(self.best);
        &mut self.levels[position]
    }

    /// The level at a rank, if orders rest there.
    #[inline]
    pub(super) fn level(&self, rank: i64) -> Option<&Level> {
        if self.in_window(rank) {
            let level = &self.levels[self.position(rank)];
            (level.count > 0).then_some(level)
        } else {
            self.far.get(rank)
        }
    }

    /// The level at a rank where an order rests.
    #[inline(always)]
    pub(super) fn level_mut(&mut self, rank: i64) -> &mut Level {
        if self.in_window(rank) {
            let position = self.position(rank);
            &mut self.levels[position]
        } else {
            self.far.get_mut(rank).expect("an order that rests outside the window has a far level")
        }
    }

    /// The level at a rank that is about to get an order; marks it as not empty and moves the best.
    #[inline(always)]
    pub(super) fn occupy(&mut self, rank: i64) -> &mut Level {
        if (!self.in_window(rank) || self.best == EMPTY)
            && let Some(far) = self.make_room(rank)
        {
            return self.far.entry(far);
        }
        self.best = self.best.max(rank);
        let position = self.position(rank);
        self.words[position >> 6] |= 1 << (position & 63);
        self.summary |= 1 << (position >> 6);
        &mut self.levels[position]
    }

    /// Moves the window for a rank outside it that is better than the best, or returns the rank if it belongs into the overflow.
    #[cold]
    fn make_room(&mut self, rank: i64) -> Option<i64> {
        if self.best != EMPTY && rank < self.base {
            return Some(rank);
        }
        // An empty side takes an order as it stands, if that leaves room behind it.
        if !self.in_window(rank) || rank - self.base <= (self.mask >> 2) as i64 {
            self.slide_to(rank);
        }
        None
    }

    /// Takes note that the last order of a level has gone.
    #[inline]
    pub(super) fn vacate(&mut self, rank: i64) {
        if !self.in_window(rank) {
            self.far.remove(rank);
            return;
        }
        let position = self.position(rank);
        let word = &mut self.words[position >> 6];
        *word &= !(1 << (position & 63));
        if *word == 0 {
            self.summary &= !(1 << (position >> 6));
        }
        if rank == self.best {
            match self.next_in_window(rank) {
                Some(next) => {
                    self.best = next;
                    // A quarter of the window is kept behind the best, so that passive orders find room.
                    if next - self.base <= (self.mask >> 2) as i64 {
                        self.slide_to(next);
                    }
                }
                None => self.best_from_far(),
            }
        }
    }

    /// The next occupied rank below `rank`, a rank of the window. The search goes around the ring: where levels rank
    /// above `rank`, the caller refuses what comes back below the window.
    #[inline]
    fn next_in_window(&self, rank: i64) -> Option<i64> {
        let position = self.position(rank);
        let (word, bit) = (position >> 6, position & 63);
        let below = self.words[word] & ((1 << bit) - 1);
        let found = if below != 0 {
            (word << 6) | below.ilog2() as usize
        } else {
            // Lower words first, then around the ring: the words above, and last the rest of this one.
            let lower = self.summary & ((1 << word) - 1);
            let upper = self.summary & (!1 << word);
            let words = if lower != 0 { lower } else { upper };
            if words != 0 {
                let next = words.ilog2() as usize;
                (next << 6) | self.words[next].ilog2() as usize
            } else {
                let rest = self.words[word] & (!1 << bit);
                if rest == 0 {
                    return None;
                }
                (word << 6) | rest.ilog2() as usize
            }
        };
        Some(rank - (position.wrapping_sub(found) & self.mask) as i64)
    }

    #[cold]
    fn best_from_far(&mut self) {
        match self.far.best() {
            Some(rank) => {
                self.best = rank;
                self.slide_to(rank);
            }
            None => self.best = EMPTY,
        }
    }

    /// Moves the window so that `rank`, which is the best or about to be, stands three quarters up in it. Levels that leave go to the
    /// overflow, levels that enter come from it. Cost: the levels moved, and at most 64 words of bitmap; between two
    /// moves the best price has changed by at least a quarter of the window, or jumped.
    #[cold]
    fn slide_to(&mut self, rank: i64) {
        let window = self.mask as i64 + 1;
        let base = rank - window / 4 * 3 + 1;
        let mut from = self.base;
        let leave = base.min(from.saturating_add(window));
        self.base = base;
        while let Some(next) = self.lowest_at_or_above(from, leave) {
            let position = self.position(next);
            let level = std::mem::replace(&mut self.levels[position], Level::EMPTY);
            self.words[position >> 6] &= !(1 << (position & 63));
            if self.words[position >> 6] == 0 {
                self.summary &= !(1 << (position >> 6));
            }
            self.far.insert(next, level);
            from = next + 1;
        }
        while let Some(enter) = self.far.best().filter(|&far| far >= base) {
            let level = self.far.remove(enter).expect("the best far level is there");
            let position = self.position(enter);
            self.levels[position] = level;
            self.words[position >> 6] |= 1 << (position & 63);
            self.summary |= 1 << (position >> 6);
        }
    }

    /// The lowest occupied rank in `from..to`, a range of at most one window that has not been moved yet.
    fn lowest_at_or_above(&self, from: i64, to: i64) -> Option<i64> {
        let mut rank = from;
        while rank < to {
            let position = self.position(rank);
            // A window of 64 levels is one word, and longer ones are whole words: a word never wraps.
            let rest = self.words[position >> 6] >> (position & 63);
            if rest != 0 {
                let found = rank + i64::from(rest.trailing_zeros());
                return (found < to).then_some(found);
            }
            rank += 64 - (position & 63) as i64;
        }
        None
    }

    /// The highest occupied rank below `rank`, with its level.
    pub(super) fn next_below(&self, rank: i64) -> Option<(i64, &Level)> {
        if self.best < rank {
            return self.level(self.best).map(|level| (self.best, level));
        }
        if self.in_window(rank)
            && let Some(next) = self.next_in_window(rank).filter(|&next| next >= self.base)
        {
            return Some((next, &self.levels[self.position(next)]));
        }
        self.far.next_below(rank)
    }

    /// Levels from the best downwards.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Level)> + '_ {
        let mut below = i64::MAX;
        std::iter::from_fn(move || {
            let (rank, level) = self.next_below(below)?;
            below = rank;
            Some((rank, level))
        })
    }

    /// Visible lots at `start`, `start - 1`, ... into `out`.
    pub(super) fn depth(&self, start: i64, out: &mut [crate::Quantity]) {
        let last = start.saturating_sub(out.len() as i64 - 1);
        if self.in_window(start) && self.in_window(last) && last <= start {
            // Nearly always: all of it within the window, where the overflow has nothing.
            for (offset, quantity) in out.iter_mut().enumerate() {
                *quantity = crate::Quantity(self.levels[self.position(start - offset as i64)].visible);
            }
            return;
        }
        for (offset, quantity) in out.iter_mut().enumerate() {
            let rank = start.wrapping_sub(offset as i64);
            *quantity = crate::Quantity(if self.in_window(rank) {
                self.levels[self.position(rank)].visible
            } else {
                0
            });
        }
        if self.far.is_empty() {
            return;
        }
        let end = start.saturating_sub(out.len() as i64);
        let mut below = start.saturating_add(1);
        while let Some((rank, level)) = self.far.next_below(below).filter(|&(rank, _)| rank > end) {
            out[(start - rank) as usize] = crate::Quantity(level.visible);
            below = rank;
        }
    }

    /// Checks the ladder against itself; see [`OrderBook::check_invariants`](crate::OrderBook::check_invariants).
    pub(super) fn check(&self) -> Result<(), String> {
        for (position, level) in self.levels.iter().enumerate() {
            let bit = self.words[position >> 6] >> (position & 63) & 1 == 1;
            if bit != (level.count > 0) {
                return Err(format!("bitmap says {bit} for position {position} with {} orders", level.count));
            }
            if level.count == 0 && (level.visible, level.hidden) != (0, 0) {
                return Err(format!("empty level at position {position} has lots"));
            }
        }
        for (word, bits) in self.words.iter().enumerate() {
            if (self.summary >> word & 1 == 1) != (*bits != 0) {
                return Err(format!("summary bit {word} is wrong"));
            }
        }
        if self.best == EMPTY {
            return if self.summary == 0 && self.far.is_empty() {
                Ok(())
            } else {
                Err("a side with levels has no best".into())
            };
        }
        if !self.in_window(self.best) {
            return Err(format!("best rank {} is outside the window at {}", self.best, self.base));
        }
        if self.levels[self.position(self.best)].count == 0 {
            return Err(format!("no orders at best rank {}", self.best));
        }
        let window_best = self.base + self.mask as i64;
        let above = (self.best + 1..=window_best).any(|rank| self.levels[self.position(rank)].count > 0);
        if above {
            return Err(format!("a level ranks above the best rank {}", self.best));
        }
        if self.far.best().is_some_and(|rank| rank >= self.base) {
            return Err("an overflow level ranks inside or above the window".into());
        }
        match self.far.iter().find(|(_, level)| level.count == 0) {
            Some((rank, _)) => Err(format!("empty overflow level at rank {rank}")),
            None => Ok(()),
        }
    }
}

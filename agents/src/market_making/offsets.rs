//! Quotes that look at nothing: yardsticks for those that do.

use gym::Quotes;
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::{Quoter, Situation};

/// Always the same distances from the mid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedOffsets {
    /// Distance of the bid and of the ask, ticks.
    pub offset: [f64; 2],
    /// Lots on each side.
    pub lots: u64,
}

impl Quoter for FixedOffsets {
    fn quotes(&mut self, _situation: &Situation) -> Quotes {
        Quotes { offset: self.offset, lots: [self.lots; 2] }
    }
}

/// Distances drawn anew at each decision, evenly from a range.
#[derive(Clone, Debug)]
pub struct RandomOffsets {
    low: f64,
    high: f64,
    lots: u64,
    rng: SimRng,
}

impl RandomOffsets {
    /// Distances from `low` to `high` ticks.
    pub fn new(low: f64, high: f64, lots: u64) -> Self {
        Self { low, high, lots, rng: SimRng::seed_from_u64(0) }
    }
}

impl Quoter for RandomOffsets {
    fn start(&mut self, seed: u64) {
        self.rng = SimRng::seed_from_u64(seed);
    }

    fn quotes(&mut self, _situation: &Situation) -> Quotes {
        let mut draw = || self.low + uniform(&mut self.rng) * (self.high - self.low);
        Quotes { offset: [draw(), draw()], lots: [self.lots; 2] }
    }
}

//! What is written down of an episode while it is played.

/// A fill of a quote: passive, at the quote's price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TapeFill {
    /// When, s.
    pub time: f64,
    /// 1 if the maker bought, -1 if it sold.
    pub sign: f64,
    /// Ticks.
    pub price: f64,
    /// Lots.
    pub lots: f64,
    /// Best bid and best ask of others just before the request that caused it, ticks; `None` while a side was empty.
    pub others: Option<[f64; 2]>,
    /// The same of everybody, the maker's own quotes included.
    pub touch: Option<[f64; 2]>,
}

/// Where an episode's profit came from, in money.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attribution {
    /// Fills of quotes, against the mid just before each.
    pub spread: f64,
    /// Moves of the mid, times what was held through them.
    pub inventory: f64,
    /// Market orders, against the mid just before each: hedges and the liquidation.
    pub liquidation: f64,
    /// What the venue charged.
    pub fees: f64,
}

/// An episode of market making: a row a decision, and its fills. Cleared, not dropped, between episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tape {
    /// Time between decisions, s; decision `i` is at `i` times it.
    pub step_seconds: f64,
    /// The mid of others' prices at each decision, before its quotes are placed, ticks.
    pub mids: Vec<f64>,
    /// Best bid and best ask of others then, ticks.
    pub bests: Vec<[f64; 2]>,
    /// What is held then, lots.
    pub inventory: Vec<f64>,
    /// Cash + inventory x mid after each step, money.
    pub profit: Vec<f64>,
    /// Sum of the rewards.
    pub reward: f64,
    /// Lots asked for at the decisions, both sides, as cut to the limit.
    pub wanted_lots: u64,
    /// Decisions that quoted both sides.
    pub two_sided: u64,
    /// Over these, the sum of the nearest ask minus the nearest bid asked for, ticks.
    pub quoted_spread: f64,
    /// Fills of quotes, oldest first.
    pub fills: Vec<TapeFill>,
    /// Market orders' fills: time, sign, price, lots.
    pub forced: Vec<(f64, f64, f64, f64)>,
    /// Where the profit came from.
    pub attribution: Attribution,
}

impl Tape {
    /// A new episode begins.
    pub fn clear(&mut self) {
        self.mids.clear();
        self.bests.clear();
        self.inventory.clear();
        self.profit.clear();
        self.fills.clear();
        self.forced.clear();
        (self.reward, self.wanted_lots, self.two_sided, self.quoted_spread) = (0.0, 0, 0, 0.0);
        self.attribution = Attribution::default();
    }

    /// The mid `seconds` after a moment: at the first decision that is so late or later; `None` beyond the last decision. (What follows the
    /// last decision is the liquidation, which moves the mid itself.)
    pub fn mid_after(&self, time: f64, seconds: f64) -> Option<f64> {
        // A fill at a decision's own time must not be put off to the next by rounding.
        let index = ((time + seconds) / self.step_seconds - 1e-9).ceil().max(0.0);
        self.mids.get(index as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mid_after_a_fill_is_that_of_the_next_decision() {
        let tape = Tape { step_seconds: 0.5, mids: vec![10.0, 11.0, 12.0, 13.0], ..Tape::default() };
        assert_eq!(tape.mid_after(0.0, 1.0), Some(12.0));
        assert_eq!(tape.mid_after(0.2, 1.0), Some(13.0));
        assert_eq!(tape.mid_after(0.5, 1.0), Some(13.0));
        assert_eq!(tape.mid_after(0.51, 1.0), None);
    }
}

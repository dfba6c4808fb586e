//! An inventory limit of a strategy's own.

use gym::Quotes;

use super::touch::room;
use super::{Quoter, Situation};

/// Cuts another strategy's sizes so that the inventory stays within a limit; at the limit one side is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limited<Q> {
    quoter: Q,
    limit: u64,
}

impl<Q: Quoter> Limited<Q> {
    /// At most `limit` lots, long or short.
    pub fn new(quoter: Q, limit: u64) -> Self {
        Self { quoter, limit }
    }
}

impl<Q: Quoter> Quoter for Limited<Q> {
    fn start(&mut self, seed: u64) {
        self.quoter.start(seed);
    }

    fn quotes(&mut self, situation: &Situation) -> Quotes {
        let quotes = self.quoter.quotes(situation);
        let [bid, ask] = room(u64::MAX, situation.inventory, self.limit);
        Quotes { lots: [quotes.lots[0].min(bid), quotes.lots[1].min(ask)], ..quotes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market_making::FixedOffsets;

    #[test]
    fn sizes_are_cut_to_the_room_that_is_left() {
        let mut limited = Limited::new(FixedOffsets { offset: [1.0, 2.0], lots: 5 }, 7);
        let mut lots = |inventory| limited.quotes(&Situation { inventory, ..Situation::default() }).lots;
        assert_eq!(lots(0.0), [5, 5]);
        assert_eq!(lots(4.0), [3, 5]);
        assert_eq!(lots(-7.0), [5, 0]);
        assert_eq!(lots(-9.0), [5, 0]);
    }
}

//! The state digest, fed from the naive book's own content.

use lob::{Side, StateDigest};

use super::Reference;

impl Reference {
    /// The 64-bit digest the engine should have for the same content.
    pub fn digest(&self) -> u64 {
        let mut digest = StateDigest::new();
        for side in Side::BOTH {
            self.side(side).iter().for_each(|order| digest.order(order));
            self.stops(side).iter().for_each(|stop| digest.stop(stop));
        }
        digest.market(self.last_trade, self.clock);
        let mut modes = self.modes.clone();
        modes.sort_by_key(|(owner, _)| *owner);
        for (owner, mode) in modes {
            digest.self_trade_prevention(owner, mode);
        }
        digest.finish()
    }
}

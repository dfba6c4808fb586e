//! Nothing is traded.

use super::{Situation, Strategy};

/// Keeps what it has; its weights drift with the prices.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuyAndHold;

impl Strategy for BuyAndHold {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        targets.copy_from_slice(situation.weights);
    }
}

//! The same of every asset.

use super::{Situation, Strategy};

/// 1 / N of each asset (DeMiguel, Garlappi & Uppal, *Optimal versus naive diversification*, Review of Financial Studies 22, 2009), restored
/// once some weight is more than `band` away from it.
#[derive(Clone, Copy, Debug)]
pub struct EqualWeight {
    /// Share of the net asset value; 0: traded in every period.
    pub band: f64,
}

impl Strategy for EqualWeight {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        let equal = 1.0 / situation.assets() as f64;
        if situation.weights.iter().all(|weight| (weight - equal).abs() <= self.band) {
            targets.copy_from_slice(situation.weights);
        } else {
            targets.fill(equal);
        }
    }
}

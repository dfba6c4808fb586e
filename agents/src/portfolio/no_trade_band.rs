//! No trades as long as the weights are near enough to where the expected growth wants them.

use gym::envs::project_simplex;

use super::{Situation, Strategy};

/// Wants `aim x e` of an asset, `e` being its expected log growth in the coming period less that of cash, per cent: what maximises expected
/// logarithmic growth without costs is proportional to it (Merton, *Lifetime portfolio selection under uncertainty*, Review of Economics and
/// Statistics 51, 1969). It trades no more than is needed to come within `band` of that: under proportional costs the best policy does nothing
/// in a region and goes to its edge from outside (Davis & Norman, *Portfolio selection with transaction costs*, Mathematics of Operations
/// Research 15, 1990). What is wanted is not cut to legal weights, so that a wide band also says how much better than nothing a change must
/// be; where it is out of reach, the nearest legal weights are held.
///
/// Without cash the wanted weights are moved to a sum of 1 first, each by the same.
#[derive(Clone, Debug)]
pub struct NoTradeBand {
    /// Share of the net asset value for 1% of expected growth in a period.
    pub aim: f64,
    /// Share of the net asset value.
    pub band: f64,
}

impl Strategy for NoTradeBand {
    fn weigh(&mut self, situation: &Situation<'_>, targets: &mut [f64]) {
        targets.copy_from_slice(situation.weights);
        let Some(expected) = situation.expected else { return };
        let n = targets.len() as f64;
        let scale = 100.0 * self.aim;
        let shift = match situation.cash {
            Some(growth) => -scale * growth,
            None => (1.0 - scale * expected.iter().sum::<f64>()) / n,
        };
        let mut changed = false;
        for ((target, held), expected) in targets.iter_mut().zip(situation.weights).zip(expected) {
            let wanted = scale * expected + shift;
            *target = held.clamp(wanted - self.band, wanted + self.band).clamp(0.0, 1.0);
            changed |= target != held;
        }
        let sum: f64 = targets.iter().sum();
        if changed && (situation.cash.is_none() || sum > 1.0) {
            project_simplex(targets, 1.0);
        }
    }
}

//! Differences in growth between policies on the same sessions: of portfolios and of traders.

use serde::Serialize;

use crate::report::Paired;
use crate::statistics::paired_difference;

/// What is compared of a policy.
pub(super) trait Grown {
    /// Its name, and the growth and the reward of each session.
    fn grown(&self) -> (&str, &[f64], &[f64]);
}

/// A difference between two policies on the same sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedGrowth {
    /// The policy.
    pub name: String,
    /// What it is compared with.
    pub against: String,
    /// Mean of (growth of `name` - growth of `against`) over the sessions.
    pub growth_difference: f64,
    /// Its 95% confidence interval: low, high.
    pub growth_ci95: [f64; 2],
    /// The same of the rewards.
    pub difference: f64,
    /// Its 95% confidence interval.
    pub ci95: [f64; 2],
}

impl PairedGrowth {
    /// Each other policy against the one at `base`.
    pub(super) fn against(policies: &[impl Grown], base: usize) -> Vec<Self> {
        let Some(against) = policies.get(base).map(Grown::grown) else { return Vec::new() };
        let others = policies.iter().enumerate().filter(|(index, _)| *index != base);
        let pair = |(name, growths, rewards): (&str, &[f64], &[f64])| {
            let growth = paired_difference(growths, against.1);
            let reward = paired_difference(rewards, against.2);
            Self {
                name: name.to_owned(),
                against: against.0.to_owned(),
                growth_difference: growth.mean,
                growth_ci95: growth.ci95,
                difference: reward.mean,
                ci95: reward.ci95,
            }
        };
        others.map(|(_, policy)| pair(policy.grown())).collect()
    }

    /// The difference in growth for a page, per cent.
    pub(super) fn percent(&self) -> Paired {
        Paired {
            name: self.name.clone(),
            against: self.against.clone(),
            difference: 100.0 * self.growth_difference,
            ci95: self.growth_ci95.map(|end| 100.0 * end),
        }
    }
}

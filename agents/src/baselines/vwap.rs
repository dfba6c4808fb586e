//! Volume-weighted average price.

use lob::ParameterError;
use lob::flow::{Activity, Profile};

use super::Schedule;
use crate::execution::Task;

/// Trades in proportion to the volume expected of the market: the schedule is the integral of the market's time-of-day profile.
///
/// Source: Berkowitz, Logue & Noser, *The total cost of transactions on the NYSE*, Journal of Finance 43 (1988) for the benchmark; Konishi,
/// *Optimal slice of a VWAP trade*, Journal of Financial Markets 5 (2002) for the static schedule.
#[derive(Clone, Debug)]
pub struct Vwap {
    activity: Activity,
}

impl Vwap {
    /// For a market with this profile. With a flat one it is TWAP.
    ///
    /// # Errors
    /// As [`Profile::validate`].
    pub fn new(profile: &Profile) -> Result<Self, ParameterError> {
        Ok(Self { activity: profile.compile()? })
    }
}

impl Schedule for Vwap {
    fn share(&self, task: &Task, time: f64) -> f64 {
        let total = self.activity.integral(0.0, task.horizon_seconds);
        // A market that is expected to stand still the whole time gives no reason to prefer a moment.
        if total > 0.0 { self.activity.integral(0.0, time) / total } else { time / task.horizon_seconds }
    }
}

//! Time of day: one multiplier for all intensities of a flow.

use serde::{Deserialize, Serialize};

use crate::parameter::{ParameterError, Validity, length, non_negative_list, positive};

/// The most knots a profile may have.
pub const MAX_KNOTS: usize = 10_000;

/// A periodic multiplier of all intensities, as configured. [`Profile::compile`] makes it fast to evaluate.
///
/// Time is seconds since the start of the session; the profile repeats with its period in both directions, so that t = -1 is
/// one second before the end of a period. With `normalised: true` the multipliers are divided by their mean over a period:
/// the profile then moves activity around without adding any (at an unchanged book); with `false` they are taken as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Profile {
    /// 1 at all times.
    Flat,
    /// `multipliers[i]` from `times[i]` until the next knot, the last one until the end of the period.
    PiecewiseConstant {
        /// Length of a period in seconds, above 0.
        period_seconds: f64,
        /// Divide by the mean over a period.
        normalised: bool,
        /// Where each multiplier begins, in seconds: from 0, strictly increasing, all below the period.
        times: Vec<f64>,
        /// One for each time: 0 or more, not all 0.
        multipliers: Vec<f64>,
    },
    /// Straight lines between the knots. The values at 0 and at the end of the period may differ: a jump.
    PiecewiseLinear {
        /// Length of a period in seconds, above 0.
        period_seconds: f64,
        /// Divide by the mean over a period.
        normalised: bool,
        /// Knots in seconds: from 0 to exactly the period, strictly increasing, at least two.
        times: Vec<f64>,
        /// The value at each knot: 0 or more, not all 0.
        multipliers: Vec<f64>,
    },
}

impl Profile {
    /// A U shape over the reference's session of 150 s: busy at both ends, quiet in the middle, normalised. An example, not
    /// calibrated to any market.
    pub fn u_shape() -> Self {
        Self::PiecewiseLinear {
            period_seconds: 150.0,
            normalised: true,
            times: vec![0.0, 25.0, 50.0, 75.0, 100.0, 125.0, 150.0],
            multipliers: vec![2.0, 1.2, 0.8, 0.6, 0.8, 1.2, 2.0],
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            Self::Flat => Ok(()),
            Self::PiecewiseConstant { period_seconds, times, multipliers, .. } => {
                knots(*period_seconds, times, multipliers, false)
                    .map_err(|error| error.within("piecewise_constant"))
            }
            Self::PiecewiseLinear { period_seconds, times, multipliers, .. } => {
                knots(*period_seconds, times, multipliers, true)
                    .map_err(|error| error.within("piecewise_linear"))
            }
        }
    }

    /// The profile ready for use.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn compile(&self) -> Result<Activity, ParameterError> {
        self.validate()?;
        let (period, normalised, times, multipliers, linear) = match self {
            Self::Flat => {
                return Ok(Activity { period: f64::INFINITY, segments: Box::new([]), total: 0.0, max: 1.0 });
            }
            Self::PiecewiseConstant { period_seconds, normalised, times, multipliers } => {
                (*period_seconds, *normalised, times, multipliers, false)
            }
            Self::PiecewiseLinear { period_seconds, normalised, times, multipliers } => {
                (*period_seconds, *normalised, times, multipliers, true)
            }
        };
        let count = if linear { times.len() - 1 } else { times.len() };
        let mut segments: Vec<Segment> = (0..count)
            .map(|i| {
                let end = times.get(i + 1).copied().unwrap_or(period);
                let value = multipliers[i];
                let slope = if linear { (multipliers[i + 1] - value) / (end - times[i]) } else { 0.0 };
                Segment { start: times[i], length: end - times[i], value, slope, before: 0.0 }
            })
            .collect();
        let mean = segments.iter().map(Segment::mass).sum::<f64>() / period;
        let factor = if normalised { 1.0 / mean } else { 1.0 };
        let mut total = 0.0;
        for segment in &mut segments {
            segment.value *= factor;
            segment.slope *= factor;
            segment.before = total;
            total += segment.mass();
        }
        let max = multipliers.iter().fold(0.0, |max: f64, &m| max.max(m * factor));
        Ok(Activity { period, segments: segments.into_boxed_slice(), total, max })
    }

    /// The name of the variant, as in a configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::PiecewiseConstant { .. } => "piecewise_constant",
            Self::PiecewiseLinear { .. } => "piecewise_linear",
        }
    }
}

fn knots(period: f64, times: &[f64], multipliers: &[f64], linear: bool) -> Validity {
    positive("period_seconds", period)?;
    length("times", times.len(), if linear { 2 } else { 1 }..=MAX_KNOTS)?;
    for (i, &time) in times.iter().enumerate() {
        let last = linear && i + 1 == times.len();
        let (legal, what) = if i == 0 {
            (time == 0.0, "0".to_owned())
        } else if last {
            (time == period && time > times[i - 1], format!("the period, {period}"))
        } else {
            (time > times[i - 1] && time < period, format!("above {} and below {period}", times[i - 1]))
        };
        if !legal {
            return Err(ParameterError::new(format!("times[{i}]"), time, what));
        }
    }
    non_negative_list("multipliers", multipliers, times.len()..=times.len())?;
    if multipliers.iter().all(|&m| m == 0.0) {
        return Err(ParameterError::new("multipliers", "all 0", "at least one above 0"));
    }
    Ok(())
}

/// A compiled [`Profile`]: its value, its integral and the inverse of that, all in O(log knots).
///
/// The integral is what an inhomogeneous Poisson process needs: if `E` is exponential with mean 1 and `rate` the total
/// intensity without the profile, the next event after `t` falls at `t + wait(t, E / rate)`, exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    period: f64,
    segments: Box<[Segment]>,
    /// Integral over one period.
    total: f64,
    max: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    start: f64,
    length: f64,
    value: f64,
    slope: f64,
    /// Integral from the start of the period to that of the segment.
    before: f64,
}

impl Segment {
    fn mass(&self) -> f64 {
        self.upto(self.length)
    }

    /// Integral over the first `x` seconds.
    fn upto(&self, x: f64) -> f64 {
        x * (self.value + 0.5 * self.slope * x)
    }

    /// The x with `upto(x) = mass`, at most the length.
    fn inverse(&self, mass: f64) -> f64 {
        // The root of slope/2 x^2 + value x = mass in the form that neither divides by a small slope nor cancels.
        let root = libm::sqrt((self.value * self.value + 2.0 * self.slope * mass).max(0.0));
        let x = 2.0 * mass / (self.value + root);
        if x <= self.length { x } else { self.length }
    }
}

impl Activity {
    /// True if the multiplier is 1 at all times: nothing needs to be evaluated.
    #[inline]
    pub fn is_flat(&self) -> bool {
        self.segments.is_empty()
    }

    /// The multiplier at time `t` in seconds; at a jump, its value just after.
    pub fn at(&self, t: f64) -> f64 {
        if self.is_flat() {
            return 1.0;
        }
        let (_, within) = self.split(t);
        let segment = &self.segments[self.segment(within)];
        (segment.value + segment.slope * (within - segment.start)).max(0.0)
    }

    /// The largest value the multiplier takes: a bound for thinning.
    #[inline]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Its integral from `from` to `to` in seconds; negative if `to < from`. In multiplier x seconds.
    pub fn integral(&self, from: f64, to: f64) -> f64 {
        if self.is_flat() {
            return to - from;
        }
        let ((whole_from, from), (whole_to, to)) = (self.split(from), self.split(to));
        (whole_to - whole_from) * self.total + (self.cumulative(to) - self.cumulative(from))
    }

    /// How long after `t` the integral from `t` on reaches `mass` (0 or more, in multiplier x seconds): seconds.
    #[inline]
    pub fn wait(&self, t: f64, mass: f64) -> f64 {
        if self.is_flat() { mass } else { self.wait_in_profile(t, mass) }
    }

    /// [`wait`](Self::wait) where there are segments.
    fn wait_in_profile(&self, t: f64, mass: f64) -> f64 {
        let (_, within) = self.split(t);
        let target = self.cumulative(within) + mass;
        let whole = (target / self.total).floor();
        let rest = target - whole * self.total;
        // The last segment that begins at or before the target and holds anything: the process cannot stop where the multiplier is 0.
        let index = self.segments.partition_point(|segment| segment.before <= rest).saturating_sub(1);
        let segment = &self.segments[index];
        let offset = segment.inverse((rest - segment.before).max(0.0));
        let offset = if offset.is_nan() { 0.0 } else { offset };
        (whole * self.period + segment.start + offset - within).max(0.0)
    }

    /// Whole periods before `t`, and the seconds since the last one began, in [0, period).
    fn split(&self, t: f64) -> (f64, f64) {
        let whole = (t / self.period).floor();
        let within = t - whole * self.period;
        // Rounding may land on the period itself, or just below 0.
        if within >= self.period { (whole + 1.0, 0.0) } else { (whole, within.max(0.0)) }
    }

    fn segment(&self, within: f64) -> usize {
        self.segments.partition_point(|segment| segment.start <= within).saturating_sub(1)
    }

    fn cumulative(&self, within: f64) -> f64 {
        let segment = &self.segments[self.segment(within)];
        segment.before + segment.upto((within - segment.start).min(segment.length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn u_shape(normalised: bool) -> Profile {
        Profile::PiecewiseLinear {
            period_seconds: 100.0,
            normalised,
            times: vec![0.0, 50.0, 100.0],
            multipliers: vec![2.0, 1.0, 3.0],
        }
    }

    #[test]
    fn values_and_integrals_of_a_u_shape() {
        let activity = u_shape(false).compile().unwrap();
        assert_eq!(activity.at(0.0), 2.0);
        assert_eq!(activity.at(25.0), 1.5);
        assert_eq!(activity.at(50.0), 1.0);
        assert_eq!(activity.at(-50.0), 1.0);
        assert_eq!(activity.at(100.0), 2.0, "a jump takes its new value");
        assert_eq!(activity.max(), 3.0);
        assert_eq!(activity.integral(0.0, 100.0), 175.0);
        assert_eq!(activity.integral(-100.0, 200.0), 525.0);
        let normalised = u_shape(true).compile().unwrap();
        assert!((normalised.integral(0.0, 100.0) - 100.0).abs() < 1e-12);
    }

    #[test]
    fn a_flat_profile_changes_no_bit() {
        let activity = Profile::Flat.compile().unwrap();
        assert!(activity.is_flat());
        assert_eq!(activity.at(-3.0), 1.0);
        assert_eq!(activity.wait(17.3, 0.1), 0.1);
        assert_eq!(activity.integral(1.0, 4.0), 3.0);
    }

    #[test]
    fn nothing_happens_where_the_multiplier_is_zero() {
        let activity = Profile::PiecewiseConstant {
            period_seconds: 10.0,
            normalised: false,
            times: vec![0.0, 4.0, 6.0],
            multipliers: vec![1.0, 0.0, 2.0],
        }
        .compile()
        .unwrap();
        assert!((activity.wait(3.0, 2.0) - 3.5).abs() < 1e-12, "one unit before 4, one after 6");
        assert!((activity.wait(5.0, 8.0) - 5.0).abs() < 1e-12);
        assert_eq!(activity.at(5.0), 0.0);
    }

    #[test]
    fn errors_name_the_knot() {
        let error = |times: &[f64], multipliers: &[f64]| {
            let profile = Profile::PiecewiseLinear {
                period_seconds: 10.0,
                normalised: true,
                times: times.to_vec(),
                multipliers: multipliers.to_vec(),
            };
            profile.validate().unwrap_err().key
        };
        assert_eq!(error(&[0.0], &[1.0]), "piecewise_linear.times");
        assert_eq!(error(&[1.0, 10.0], &[1.0, 1.0]), "piecewise_linear.times[0]");
        assert_eq!(error(&[0.0, 9.0], &[1.0, 1.0]), "piecewise_linear.times[1]");
        assert_eq!(error(&[0.0, f64::NAN, 10.0], &[1.0, 1.0, 1.0]), "piecewise_linear.times[1]");
        assert_eq!(error(&[0.0, 10.0], &[1.0, -1.0]), "piecewise_linear.multipliers[1]");
        assert_eq!(error(&[0.0, 10.0], &[0.0, 0.0]), "piecewise_linear.multipliers");
        assert_eq!(error(&[0.0, 10.0], &[1.0]), "piecewise_linear.multipliers");
    }

    proptest! {
        #[test]
        fn waiting_inverts_the_integral(
            linear: bool,
            values in prop::collection::vec(prop_oneof![Just(0.0), 0.01..5.0f64], 2..8),
            t in -500.0..500.0f64,
            mass in 0.0..300.0f64,
        ) {
            prop_assume!(values.iter().any(|&v| v > 0.0));
            let count = values.len();
            let step = if linear { 120.0 / (count - 1) as f64 } else { 120.0 / count as f64 };
            let mut times: Vec<f64> = (0..count).map(|i| i as f64 * step).collect();
            let (period_seconds, normalised) = (120.0, false);
            let profile = if linear {
                times[count - 1] = 120.0;
                Profile::PiecewiseLinear { period_seconds, normalised, times, multipliers: values }
            } else {
                Profile::PiecewiseConstant { period_seconds, normalised, times, multipliers: values }
            };
            let activity = profile.compile().unwrap();
            let wait = activity.wait(t, mass);
            prop_assert!(wait >= 0.0);
            prop_assert!((activity.integral(t, t + wait) - mass).abs() < 1e-7 * (1.0 + mass));
        }
    }
}

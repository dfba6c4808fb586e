//! Maximum likelihood of a Hawkes process: estimates, standard errors, goodness of fit.

use serde::{Deserialize, Serialize};

use super::event_times::{EventTimes, Path};
use super::hawkes_likelihood::{Point, decay_index, index, parameters, residuals};
use super::hawkes_search::{Range, Summit, covariance, search};
use super::linalg::Symmetric;
use super::{Estimate, kolmogorov};
use crate::flow::{Activity, EVENT_TYPE_NAMES, EVENT_TYPES, Profile, TypeMatrix, spectral_radius};
use crate::parameter::{ParameterError, integer, non_negative, positive};

/// Events of which decays are tried out first.
const SAMPLE: usize = 10_000;

/// How a Hawkes process is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HawkesSettings {
    /// Time of day, given: multiplies the baseline.
    pub profile: Profile,
    /// Events with the same stamp are spread over at most this many seconds before it: the clock's resolution, or the longest wait for
    /// a batch of a feed. 0: they stay as they are, and may make decays run to `max_decay`.
    pub tie_seconds: f64,
    /// The slowest decay that is looked at, in 1/s.
    pub min_decay: f64,
    /// The fastest, in 1/s.
    pub max_decay: f64,
    /// The fewest events that are fitted to.
    pub min_events: u64,
}

impl Default for HawkesSettings {
    /// No profile, stamps of a millisecond, decays from 0.001 to 10,000 a second, at least 100 events.
    fn default() -> Self {
        Self { profile: Profile::Flat, tie_seconds: 1e-3, min_decay: 1e-3, max_decay: 1e4, min_events: 100 }
    }
}

impl HawkesSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.profile.validate().map_err(|error| error.within("profile"))?;
        non_negative("tie_seconds", self.tie_seconds)?;
        positive("min_decay", self.min_decay)?;
        positive("max_decay", self.max_decay)?;
        if self.max_decay <= self.min_decay {
            let legal = format!("above min_decay, {}", self.min_decay);
            return Err(ParameterError::new("max_decay", self.max_decay, legal));
        }
        integer("min_events", self.min_events, 1..=u64::MAX)
    }
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HawkesProgress {
    /// True while decays are tried on a sample, false once all events decide.
    pub trying: bool,
    /// Trials or steps so far.
    pub steps: usize,
    /// The best log-likelihood of the sample, or that of all events, in nats.
    pub log_likelihood: f64,
}

/// One number for each parameter that describes the times of a Hawkes flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HawkesTimes<T> {
    /// Of [`HawkesParams::baseline`](crate::flow::HawkesParams::baseline).
    pub baseline: [T; EVENT_TYPES],
    /// Of [`HawkesParams::excitation`](crate::flow::HawkesParams::excitation).
    pub excitation: [[T; EVENT_TYPES]; EVENT_TYPES],
    /// Of [`HawkesParams::decay`](crate::flow::HawkesParams::decay).
    pub decay: [T; EVENT_TYPES],
}

/// Whether the events of a type come as the model says: by the theorem of time rescaling the integrals of its intensity between them are independent exponential
/// numbers with mean 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residuals {
    /// How many there are.
    pub count: u64,
    /// Their mean; 1 for the model. `None` if there are none.
    pub mean: Option<f64>,
    /// Their variance; 1 for the model.
    pub variance: Option<f64>,
    /// Kolmogorov-Smirnov distance of their distribution to the exponential one, from 0 to 1.
    pub ks: Option<f64>,
    /// How likely a distance as large is if the model is right; a little too large because the parameters were fitted to the same events.
    pub p_value: Option<f64>,
}

/// A Hawkes process fitted to event times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HawkesFit {
    /// The estimates, in 1/s.
    pub value: HawkesTimes<f64>,
    /// Their standard errors by the observed information of all of them together; `None` at an end of the range (a baseline or an excitation at 0), and
    /// where the data does not determine it (the decay of a source that excites nothing).
    pub standard_error: HawkesTimes<Option<f64>>,
    /// Spectral radius of the branching ratios `excitation[i][j] / decay[j]`; stationary below 1.
    pub spectral_radius: f64,
    /// Its standard error by the delta method.
    pub spectral_radius_error: Option<f64>,
    /// Log-likelihood of the estimates, in nats.
    pub log_likelihood: f64,
    /// That of the best Poisson process with the same profile.
    pub poisson_log_likelihood: f64,
    /// Goodness of fit by type.
    pub residuals: [Residuals; EVENT_TYPES],
    /// Events of each type.
    pub events: [u64; EVENT_TYPES],
    /// Time that counts, in seconds.
    pub seconds: f64,
    /// Stretches of it: one more than gaps.
    pub stretches: usize,
    /// Steps of the last climb.
    pub iterations: usize,
    /// False if it had not arrived when it was stopped.
    pub converged: bool,
}

impl HawkesFit {
    /// Fits a Hawkes process with exponential kernels, one decay a source, to event times. `progress` is told after every trial and step.
    ///
    /// Costs some 20 passes over the events, each 36 multiply-adds and six exponentials an event for the likelihood and about 200 for its derivatives.
    ///
    /// # Errors
    /// Settings that are not legal; fewer events than they ask for.
    pub fn new(
        times: &EventTimes,
        settings: &HawkesSettings,
        progress: &mut dyn FnMut(HawkesProgress),
    ) -> Result<Self, ParameterError> {
        settings.validate()?;
        let found = times.len() as u64;
        if found < settings.min_events || times.seconds() <= 0.0 {
            let legal = format!("at least {} over some time", settings.min_events);
            return Err(ParameterError::new("events", found, legal));
        }
        let activity = settings.profile.compile()?;
        let path = times.path(&activity, settings.tie_seconds, usize::MAX);
        if path.steps.iter().any(|step| usize::from(step.kind) < EVENT_TYPES && step.activity <= 0.0) {
            return Err(ParameterError::new("profile", "0 where there are events", "above 0 there"));
        }
        let sample = times.path(&activity, settings.tie_seconds, SAMPLE);
        let range = Range { low: libm::log(settings.min_decay), high: libm::log(settings.max_decay) };
        let summit = search(&path, &sample, range, &mut |trying, steps, log_likelihood| {
            progress(HawkesProgress { trying, steps, log_likelihood });
        });
        Ok(report(times, &path, &activity, &summit, range))
    }

    /// The estimates as rows, named by their place in the configuration with types in words.
    pub fn estimates(&self) -> Vec<Estimate> {
        let error = |error: Option<f64>| error.unwrap_or(f64::NAN);
        let all: u64 = self.events.iter().sum();
        let mut rows = Vec::with_capacity(49);
        for (kind, name) in EVENT_TYPE_NAMES.iter().enumerate() {
            let (value, se) = (self.value.baseline[kind], error(self.standard_error.baseline[kind]));
            rows.push(Estimate::new(format!("hawkes.baseline[{name}]"), value, se, self.events[kind]));
        }
        for (target, name) in EVENT_TYPE_NAMES.iter().enumerate() {
            for (source, cause) in EVENT_TYPE_NAMES.iter().enumerate() {
                let value = self.value.excitation[target][source];
                let se = error(self.standard_error.excitation[target][source]);
                let name = format!("hawkes.excitation[{name}][{cause}]");
                rows.push(Estimate::new(name, value, se, self.events[target]));
            }
        }
        for (kind, name) in EVENT_TYPE_NAMES.iter().enumerate() {
            let (value, se) = (self.value.decay[kind], error(self.standard_error.decay[kind]));
            rows.push(Estimate::new(format!("hawkes.decay[{name}]"), value, se, self.events[kind]));
        }
        let radius = error(self.spectral_radius_error);
        rows.push(Estimate::new("hawkes.spectral_radius", self.spectral_radius, radius, all));
        rows
    }
}

fn report(times: &EventTimes, path: &Path, activity: &Activity, summit: &Summit, range: Range) -> HawkesFit {
    let (baseline, excitation, decay) = parameters(&summit.point);
    let (free, covariance) = covariance(summit, range);
    let errors = Errors { point: &summit.point, decay, free: &free, covariance: &covariance };
    let branching: TypeMatrix =
        std::array::from_fn(|target| std::array::from_fn(|source| summit.point[index(target, Some(source))]));
    let residuals = residuals(path, &summit.point, |from, to| activity.integral(from, to));
    HawkesFit {
        value: HawkesTimes { baseline, excitation, decay },
        standard_error: errors.all(),
        spectral_radius: spectral_radius(&branching),
        spectral_radius_error: errors.radius(&branching),
        log_likelihood: summit.evaluation.value,
        poisson_log_likelihood: poisson(path),
        residuals: residuals.map(goodness),
        events: path.counts,
        seconds: path.seconds,
        stretches: times.stretches(),
        iterations: summit.iterations,
        converged: summit.arrived,
    }
}

/// The log-likelihood of a Poisson process with the observed rates.
fn poisson(path: &Path) -> f64 {
    let events = path.steps.iter().filter(|step| usize::from(step.kind) < EVENT_TYPES);
    let profile: f64 = events.map(|step| libm::log(step.activity)).sum();
    let counts = path.counts.iter().filter(|&&count| count > 0).map(|&count| count as f64);
    profile + counts.map(|count| count * (libm::log(count / path.activity) - 1.0)).sum::<f64>()
}

/// Standard errors from the covariance of the free parameters.
struct Errors<'a> {
    point: &'a Point,
    decay: [f64; EVENT_TYPES],
    free: &'a [usize],
    covariance: &'a Symmetric,
}

impl Errors<'_> {
    /// The standard error of a function with these derivatives by parameters; parameters that are not free do not move.
    fn of(&self, derivatives: &[(usize, f64)]) -> Option<f64> {
        let free = derivatives.iter().filter_map(|&(parameter, slope)| {
            Some((self.free.iter().position(|&free| free == parameter)?, slope))
        });
        let free: Vec<(usize, f64)> = free.collect();
        let mut variance = 0.0;
        for &(row, slope) in &free {
            for &(column, other) in &free {
                variance += slope * other * self.covariance.at(row, column);
            }
        }
        (!free.is_empty() && variance >= 0.0).then(|| variance.sqrt())
    }

    fn all(&self) -> HawkesTimes<Option<f64>> {
        let is_free = |parameter: usize| self.free.contains(&parameter);
        HawkesTimes {
            baseline: std::array::from_fn(|target| self.of(&[(index(target, None), 1.0)])),
            excitation: std::array::from_fn(|target| {
                std::array::from_fn(|source| {
                    let at = index(target, Some(source));
                    let slopes = [
                        (at, self.decay[source]),
                        (decay_index(source), self.point[at] * self.decay[source]),
                    ];
                    is_free(at).then(|| self.of(&slopes)).flatten()
                })
            }),
            decay: std::array::from_fn(|source| self.of(&[(decay_index(source), self.decay[source])])),
        }
    }

    fn radius(&self, branching: &TypeMatrix) -> Option<f64> {
        let mut slopes = Vec::new();
        for target in 0..EVENT_TYPES {
            for source in 0..EVENT_TYPES {
                let step = 1e-6 * branching[target][source].max(1e-3);
                let moved = |by: f64| {
                    let mut moved = *branching;
                    moved[target][source] += by;
                    spectral_radius(&moved)
                };
                let slope = if branching[target][source] > step {
                    (moved(step) - moved(-step)) / (2.0 * step)
                } else {
                    (moved(step) - moved(0.0)) / step
                };
                slopes.push((index(target, Some(source)), slope));
            }
        }
        self.of(&slopes)
    }
}

fn goodness(mut residuals: Vec<f64>) -> Residuals {
    let count = residuals.len() as u64;
    if residuals.is_empty() {
        return Residuals { count, mean: None, variance: None, ks: None, p_value: None };
    }
    residuals.sort_unstable_by(f64::total_cmp);
    let n = count as f64;
    let mean = residuals.iter().sum::<f64>() / n;
    let variance = residuals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let distance = residuals.iter().enumerate().fold(0.0, |distance: f64, (place, &x)| {
        let expected = -libm::expm1(-x);
        distance.max((place as f64 + 1.0) / n - expected).max(expected - place as f64 / n)
    });
    let p_value = Some(kolmogorov(distance, n));
    Residuals { count, mean: Some(mean), variance: Some(variance), ks: Some(distance), p_value }
}

//! The search for the greatest likelihood of a Hawkes process.

use super::event_times::Path;
use super::hawkes_likelihood::{Evaluation, PARAMETERS, Point, decay_index, evaluate, index};
use super::linalg::Symmetric;
use crate::flow::EVENT_TYPES;

/// Iterations of the last climb; ten to thirty are usual.
const ITERATIONS: usize = 120;
/// Iterations of a trial climb.
const TRIAL_ITERATIONS: usize = 8;
/// What another step is expected to gain, in nats, when a climb has arrived. A thousandth of what a standard error is worth.
const ARRIVED: f64 = 1e-6;
/// The most that the logarithm of a decay moves in a step.
const STRIDE: f64 = 1.5;

/// Ends of the range of a decay's logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    fn of(&self, parameter: usize) -> (f64, f64) {
        if parameter >= decay_index(0) { (self.low, self.high) } else { (0.0, f64::INFINITY) }
    }

    fn clip(&self, parameter: usize, value: f64) -> f64 {
        let (low, high) = self.of(parameter);
        value.clamp(low, high)
    }

    /// The parameters that may still move: neither held at an end of their range by the slope, nor without effect.
    pub(super) fn free(&self, point: &Point, evaluation: &Evaluation) -> Vec<usize> {
        let held = |parameter: usize| {
            let (low, high) = self.of(parameter);
            let slope = evaluation.gradient[parameter];
            let bend = evaluation.information.at(parameter, parameter);
            (point[parameter] <= low && slope <= 0.0)
                || (point[parameter] >= high && slope >= 0.0)
                || (bend == 0.0 && (slope == 0.0 || parameter < decay_index(0)))
        };
        (0..PARAMETERS).filter(|&parameter| !held(parameter)).collect()
    }
}

/// Where a climb has come to.
#[derive(Clone, Debug)]
pub(super) struct Summit {
    pub(super) point: Point,
    pub(super) evaluation: Evaluation,
    pub(super) iterations: usize,
    /// Whether no step promises any more.
    pub(super) arrived: bool,
}

/// Climbs by Newton steps in the parameters that are free, damped as Levenberg and Marquardt do wherever the full step is no ascent, each step cut at the ends of the
/// ranges (D. P. Bertsekas, *Projected Newton methods for optimization problems with simple constraints*, SIAM Journal on Control
/// and Optimization 20 (1982) 221-246).
pub(super) fn climb(
    path: &Path,
    start: Point,
    range: Range,
    iterations: usize,
    told: &mut dyn FnMut(usize, f64),
) -> Summit {
    let mut summit =
        Summit { evaluation: evaluate(path, &start), point: start, iterations: 0, arrived: false };
    let mut damping = 1e-3;
    while summit.iterations < iterations {
        summit.iterations += 1;
        let free = range.free(&summit.point, &summit.evaluation);
        let Some((point, evaluation)) = step(path, &summit, &free, range, &mut damping) else {
            summit.arrived = true;
            break;
        };
        (summit.point, summit.evaluation) = (point, evaluation);
        told(summit.iterations, summit.evaluation.value);
    }
    summit
}

/// One step upwards; none if there is none to be had.
fn step(
    path: &Path,
    from: &Summit,
    free: &[usize],
    range: Range,
    damping: &mut f64,
) -> Option<(Point, Evaluation)> {
    if free.is_empty() {
        return None;
    }
    let information = from.evaluation.information.part(free);
    let slope: Vec<f64> = free.iter().map(|&parameter| from.evaluation.gradient[parameter]).collect();
    while *damping < 1e12 {
        let mut damped = information.clone();
        for place in 0..free.len() {
            let diagonal = information.at(place, place).abs().max(1e-9);
            damped.add(place, place, *damping * diagonal);
        }
        let raise = |damping: &mut f64| *damping = (*damping * 8.0).max(1e-4);
        let Ok(factor) = damped.cholesky(1e-13) else {
            raise(damping);
            continue;
        };
        let mut move_by = slope.clone();
        factor.solve(&mut move_by);
        let promise: f64 = 0.5 * move_by.iter().zip(&slope).map(|(step, slope)| step * slope).sum::<f64>();
        // A strongly damped step promises little even where there is much.
        if promise < ARRIVED * (1.0 / (1.0 + *damping)) {
            return None;
        }
        let mut point = from.point;
        for (&parameter, &by) in free.iter().zip(&move_by) {
            let by = if parameter >= decay_index(0) { by.clamp(-STRIDE, STRIDE) } else { by };
            point[parameter] = range.clip(parameter, point[parameter] + by);
        }
        let evaluation = evaluate(path, &point);
        if evaluation.value > from.evaluation.value {
            *damping = if *damping < 1e-9 { 0.0 } else { *damping * 0.1 };
            return Some((point, evaluation));
        }
        raise(damping);
    }
    None
}

/// Half of all events caused, by all sources alike, all with one decay.
fn beginning(path: &Path, decay: f64) -> Point {
    let mut point = [0.0; PARAMETERS];
    let counts = path.counts.map(|count| count as f64);
    for target in 0..EVENT_TYPES {
        point[index(target, None)] = 0.5 * counts[target] / path.activity;
        let sources = (0..EVENT_TYPES).filter(|&source| counts[source] > 0.0);
        for source in sources {
            point[index(target, Some(source))] = 0.5 * counts[target] / (EVENT_TYPES as f64 * counts[source]);
        }
        point[decay_index(target)] = decay;
    }
    point
}

/// Given decays the likelihood has one maximum, over decays it may have several: common decays over their whole range are tried on a sample
/// of the events first, then each alone a factor of ten further up and down, and all events decide from the best of these.
pub(super) fn search(
    path: &Path,
    sample: &Path,
    range: Range,
    told: &mut dyn FnMut(bool, usize, f64),
) -> Summit {
    const COMMON: usize = 6;
    let mut best: Option<Summit> = None;
    let mut trials = 0;
    let mut attempt = |start: Point, best: &mut Option<Summit>| {
        let trial = climb(sample, start, range, TRIAL_ITERATIONS, &mut |_, _| {});
        trials += 1;
        let value = trial.evaluation.value;
        if best.as_ref().is_none_or(|best| value > best.evaluation.value + 0.1) {
            *best = Some(trial);
        }
        told(true, trials, best.as_ref().map_or(value, |best| best.evaluation.value));
    };
    // Decays far below one event's and far above all events' rate are rare enough to be left to the climb.
    let rate = libm::log(sample.counts.iter().sum::<u64>() as f64 / sample.seconds.max(1e-9));
    let (low, high) = (range.clip(decay_index(0), rate - 4.0), range.clip(decay_index(0), rate + 6.0));
    for place in 0..COMMON {
        let decay = low + (high - low) * place as f64 / (COMMON - 1) as f64;
        attempt(beginning(sample, decay), &mut best);
    }
    for source in 0..EVENT_TYPES {
        for factor in [-std::f64::consts::LN_10, std::f64::consts::LN_10] {
            if let Some(mut start) = best.as_ref().map(|best| best.point) {
                let at = decay_index(source);
                start[at] = range.clip(at, start[at] + factor);
                attempt(start, &mut best);
            }
        }
    }
    let start = best.map_or_else(|| beginning(path, rate), |best| best.point);
    climb(path, lifted(start, path), range, ITERATIONS, &mut |iteration, value| told(false, iteration, value))
}

/// Puts parameters that the sample left at 0 a little above it, so that an event of a type that the sample lacks is not impossible.
fn lifted(mut point: Point, path: &Path) -> Point {
    for target in 0..EVENT_TYPES {
        let least = 1e-3 * path.counts[target] as f64 / path.activity;
        let at = index(target, None);
        point[at] = point[at].max(least);
    }
    point
}

/// The covariance of the free parameters at a summit, and which they are. A parameter that the data does not tell from others is left out.
pub(super) fn covariance(summit: &Summit, range: Range) -> (Vec<usize>, Symmetric) {
    let mut free = range.free(&summit.point, &summit.evaluation);
    loop {
        match summit.evaluation.information.part(&free).cholesky(1e-11) {
            Ok(factor) => return (free, factor.inverse()),
            Err(place) => {
                free.remove(place);
            }
        }
    }
}

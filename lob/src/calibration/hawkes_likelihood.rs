//! The log-likelihood of a Hawkes process with exponential kernels, with its gradient and its observed information.
//!
//! With branching ratios `n[i][j] = excitation[i][j] / decay[j]` and `F_j(t) = decay[j] R_j(t)`, the intensity of type i is
//! `baseline[i] p(t) + sum_j n[i][j] F_j(t)`, and the log-likelihood is the sum over events of the logarithm of their type's intensity less the
//! integral of all intensities, which is `baseline[i] P + sum_j n[i][j] (N_j - R_j(T))`. All of it follows from three recursions a source:
//! `R`, and its first two derivatives with respect to the decay, so that an event costs a fixed number of operations (Y. Ogata, *On Lewis' simulation method
//! for point processes*, IEEE Transactions on Information Theory 27 (1981) 23-31; T. Ozaki, *Maximum likelihood estimation of Hawkes'
//! self-exciting point processes*, Annals of the Institute of Statistical Mathematics 31 (1979) 145-155).
//!
//! Over a stretch of time that counts the integral is that of what was caused since, and of what was left at its beginning. Outside, events only excite.

#![allow(clippy::needless_range_loop, reason = "an index is a row or a column of several matrices at once")]

use super::event_times::{BEGIN, END, Path, UNSEEN};
use super::linalg::Symmetric;
use crate::flow::{EVENT_TYPES, TypeMatrix};

const TYPES: usize = EVENT_TYPES;
/// Numbers of a target: its baseline and six branching ratios.
const BLOCK: usize = TYPES + 1;
/// Numbers of the whole: six blocks and six decays.
pub(super) const PARAMETERS: usize = TYPES * BLOCK + TYPES;

/// A point of the search: baselines, branching ratios and logarithms of decays, as [`index`] orders them.
pub(super) type Point = [f64; PARAMETERS];

/// Where a target's baseline (source `None`) or its branching ratio of a source stands.
pub(super) const fn index(target: usize, source: Option<usize>) -> usize {
    match source {
        None => target * BLOCK,
        Some(source) => target * BLOCK + 1 + source,
    }
}

/// Where the logarithm of a source's decay stands.
pub(super) const fn decay_index(source: usize) -> usize {
    TYPES * BLOCK + source
}

/// The parameters of a point: baseline, excitation and decay.
pub(super) fn parameters(point: &Point) -> ([f64; TYPES], TypeMatrix, [f64; TYPES]) {
    let decay = std::array::from_fn(|source| libm::exp(point[decay_index(source)]));
    let baseline = std::array::from_fn(|target| point[index(target, None)]);
    let excitation = std::array::from_fn(|target| {
        std::array::from_fn(|source| point[index(target, Some(source))] * decay[source])
    });
    (baseline, excitation, decay)
}

/// What a source's past is worth now.
#[derive(Clone, Copy, Debug, Default)]
struct Trace {
    /// Sum of `exp(-decay age)` over past events.
    r: f64,
    /// The same weighted by age.
    s: f64,
    /// The same weighted by its square.
    q: f64,
}

impl Trace {
    fn fade(&mut self, decay: f64, wait: f64) {
        let left = libm::exp(-decay * wait);
        self.q = left * (self.q + wait * (2.0 * self.s + wait * self.r));
        self.s = left * (self.s + wait * self.r);
        self.r *= left;
    }
}

/// The log-likelihood at a point, in nats.
#[derive(Clone, Debug)]
pub(super) struct Evaluation {
    pub(super) value: f64,
    pub(super) gradient: Point,
    /// Minus the matrix of second derivatives: the observed information.
    pub(super) information: Symmetric,
}

/// Sums of one target's events.
#[derive(Clone, Copy)]
struct Target {
    gradient: [f64; BLOCK],
    own: [[f64; BLOCK]; BLOCK],
    cross: [[f64; TYPES]; BLOCK],
}

/// Evaluates the log-likelihood. An event of a type whose intensity is 0 makes it minus infinity.
pub(super) fn evaluate(path: &Path, point: &Point) -> Evaluation {
    let decay: [f64; TYPES] = std::array::from_fn(|source| libm::exp(point[decay_index(source)]));
    let mut traces = [Trace::default(); TYPES];
    let empty = Target { gradient: [0.0; BLOCK], own: [[0.0; BLOCK]; BLOCK], cross: [[0.0; TYPES]; BLOCK] };
    let mut targets = [empty; TYPES];
    let mut decays = [[0.0; TYPES]; TYPES];
    let mut decay_gradient = [0.0; TYPES];
    // N_j - R_j(T) and its derivatives by the logarithm of the decay.
    let mut caused: [[f64; TYPES]; 3] = [path.counts.map(|count| count as f64), [0.0; TYPES], [0.0; TYPES]];
    let mut value = 0.0;
    for step in &path.steps {
        for (trace, &decay) in traces.iter_mut().zip(&decay) {
            trace.fade(decay, step.wait);
        }
        if step.kind >= END {
            if step.kind >= UNSEEN {
                traces[usize::from(step.kind - UNSEEN)].r += 1.0;
                continue;
            }
            // What is left at the end was not caused in time; what was left at the beginning is.
            let sign = if step.kind == BEGIN { -1.0 } else { 1.0 };
            for (source, &Trace { r, s, q }) in traces.iter().enumerate() {
                let b = decay[source];
                caused[0][source] -= sign * r;
                caused[1][source] += sign * b * s;
                caused[2][source] += sign * b * (s - b * q);
            }
            continue;
        }
        let kind = usize::from(step.kind);
        let branching = &point[index(kind, Some(0))..=index(kind, Some(TYPES - 1))];
        let mut features = [0.0; BLOCK];
        let (mut by_decay, mut moved, mut curved) = ([0.0; TYPES], [0.0; TYPES], [0.0; TYPES]);
        features[0] = step.activity;
        let mut intensity = point[index(kind, None)] * step.activity;
        for source in 0..TYPES {
            let (b, Trace { r, s, q }) = (decay[source], traces[source]);
            let feature = b * r;
            features[source + 1] = feature;
            moved[source] = feature - b * b * s;
            curved[source] = feature + b * b * (b * q - 3.0 * s);
            by_decay[source] = branching[source] * moved[source];
            intensity += branching[source] * feature;
        }
        value += libm::log(intensity);
        let weight = 1.0 / intensity;
        let target = &mut targets[kind];
        for feature in &mut features {
            *feature *= weight;
        }
        for row in 0..BLOCK {
            target.gradient[row] += features[row];
            for column in 0..BLOCK {
                target.own[row][column] += features[row] * features[column];
            }
            for source in 0..TYPES {
                target.cross[row][source] += features[row] * by_decay[source] * weight;
            }
        }
        for source in 0..TYPES {
            let change = by_decay[source] * weight;
            target.cross[source + 1][source] -= moved[source] * weight;
            decay_gradient[source] += change;
            decays[source][source] -= branching[source] * curved[source] * weight;
            for other in 0..TYPES {
                decays[source][other] += change * by_decay[other] * weight;
            }
        }
        traces[kind].r += 1.0;
    }
    assemble(path, point, value, &targets, &decays, &decay_gradient, &caused)
}

/// Puts the sums over events and the integrals together.
fn assemble(
    path: &Path,
    point: &Point,
    mut value: f64,
    targets: &[Target; TYPES],
    decays: &TypeMatrix,
    decay_gradient: &[f64; TYPES],
    caused: &[[f64; TYPES]; 3],
) -> Evaluation {
    let mut gradient = [0.0; PARAMETERS];
    let mut information = Symmetric::zeros(PARAMETERS);
    for source in 0..TYPES {
        gradient[decay_index(source)] += decay_gradient[source];
        for other in 0..=source {
            information.add(decay_index(source), decay_index(other), decays[source][other]);
        }
    }
    for (kind, target) in targets.iter().enumerate() {
        let first = index(kind, None);
        value -= point[first] * path.activity;
        gradient[first] += target.gradient[0] - path.activity;
        for row in 0..BLOCK {
            for column in 0..=row {
                information.add(first + row, first + column, target.own[row][column]);
            }
            for source in 0..TYPES {
                information.add(first + row, decay_index(source), target.cross[row][source]);
            }
        }
        for source in 0..TYPES {
            let (at, decay) = (index(kind, Some(source)), decay_index(source));
            let branching = point[at];
            value -= branching * caused[0][source];
            gradient[at] += target.gradient[source + 1] - caused[0][source];
            gradient[decay] -= branching * caused[1][source];
            information.add(at, decay, caused[1][source]);
            information.add(decay, decay, branching * caused[2][source]);
        }
    }
    if !value.is_finite() {
        value = f64::NEG_INFINITY;
    }
    Evaluation { value, gradient, information }
}

/// The integrals of each type's intensity between its events, a list a type: independent exponential numbers with mean 1 if the model is right
/// (E. N. Brown and others, *The time-rescaling theorem and its application to neural spike train data analysis*, Neural Computation 14
/// (2002) 325-346). Only time that counts is integrated over; what precedes a type's first event is left out.
pub(super) fn residuals(path: &Path, point: &Point, activity: impl Fn(f64, f64) -> f64) -> [Vec<f64>; TYPES] {
    let (baseline, excitation, decay) = parameters(point);
    let mut out: [Vec<f64>; TYPES] = path.counts.map(|count| Vec::with_capacity(count as usize));
    let mut excited = [0.0; TYPES];
    let mut since = [0.0; TYPES];
    let mut open = [false; TYPES];
    let (mut now, mut counts) = (path.start, false);
    for step in &path.steps {
        let active = activity(now, now + step.wait);
        now += step.wait;
        let mut integral = [0.0; TYPES];
        for source in 0..TYPES {
            let left = libm::exp(-decay[source] * step.wait);
            integral[source] = excited[source] * (1.0 - left) / decay[source];
            excited[source] *= left;
        }
        if counts {
            for target in 0..TYPES {
                let caused: f64 = excitation[target].iter().zip(&integral).map(|(a, r)| a * r).sum();
                since[target] += baseline[target] * active + caused;
            }
        }
        if step.kind >= END {
            match step.kind {
                BEGIN => counts = true,
                END => counts = false,
                unseen => excited[usize::from(unseen - UNSEEN)] += 1.0,
            }
            continue;
        }
        let kind = usize::from(step.kind);
        if open[kind] {
            out[kind].push(since[kind]);
        }
        (since[kind], open[kind]) = (0.0, true);
        excited[kind] += 1.0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::EventTimes;
    use crate::flow::Profile;

    fn times() -> EventTimes {
        let mut times = EventTimes::new();
        for (start, end, events) in [
            (0.0, 6.0, vec![(0.5, 2), (0.9, 0), (1.3, 4), (2.0, 3), (2.2, 2), (2.25, 1), (4.0, 5), (5.5, 2)]),
            (8.0, 11.0, vec![(8.1, 3), (8.3, 0), (9.0, 4), (9.1, 2), (10.5, 5)]),
        ] {
            times.begin(start);
            for (time, kind) in events {
                times.push(time, kind);
            }
            times.finish(end);
            if end == 6.0 {
                times.leave();
                times.push(7.0, 3);
            }
        }
        times
    }

    fn point() -> Point {
        let mut point = [0.0; PARAMETERS];
        for target in 0..TYPES {
            point[index(target, None)] = 0.2 + 0.1 * target as f64;
            for source in 0..TYPES {
                point[index(target, Some(source))] = 0.03 + 0.02 * ((3 * target + 5 * source) % 7) as f64;
            }
            point[decay_index(target)] = 0.3 * target as f64 - 0.4;
        }
        point
    }

    /// The likelihood written down without any recursion.
    fn naive(point: &Point, profile: &Profile) -> f64 {
        let (baseline, excitation, decay) = parameters(point);
        let activity = profile.compile().unwrap();
        type Stretch<'a> = (f64, f64, &'a [(f64, usize)]);
        let stretches: [Stretch; 2] = [
            (0.0, 6.0, &[(0.5, 2), (0.9, 0), (1.3, 4), (2.0, 3), (2.2, 2), (2.25, 1), (4.0, 5), (5.5, 2)]),
            (8.0, 11.0, &[(8.1, 3), (8.3, 0), (9.0, 4), (9.1, 2), (10.5, 5)]),
        ];
        let mut value = 0.0;
        // One event between the stretches is seen but does not count.
        let all: Vec<(f64, usize)> = [stretches[0].2, &[(7.0, 3)], stretches[1].2].concat();
        for (start, end, events) in stretches {
            for (target, &rate) in baseline.iter().enumerate() {
                value -= rate * activity.integral(start, end);
                for &(time, source) in all.iter().filter(|event| event.0 < end) {
                    let (b, from) = (decay[source], (start - time).max(0.0));
                    value -= excitation[target][source] * ((-b * from).exp() - (-b * (end - time)).exp()) / b;
                }
            }
            for &(time, kind) in events {
                let excited: f64 = all
                    .iter()
                    .filter(|event| event.0 < time)
                    .map(|&(past, source)| excitation[kind][source] * (-decay[source] * (time - past)).exp())
                    .sum();
                value += (baseline[kind] * activity.at(time) + excited).ln();
            }
        }
        value
    }

    #[test]
    fn recursion_and_definition_agree() {
        for profile in [
            Profile::Flat,
            Profile::PiecewiseLinear {
                period_seconds: 7.0,
                normalised: false,
                times: vec![0.0, 3.0, 7.0],
                multipliers: vec![2.0, 0.5, 1.0],
            },
        ] {
            let path = times().path(&profile.compile().unwrap(), 0.0, usize::MAX);
            let (found, expected) = (evaluate(&path, &point()).value, naive(&point(), &profile));
            assert!((found - expected).abs() < 1e-11, "{found} {expected}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let path = times().path(&Profile::Flat.compile().unwrap(), 0.0, usize::MAX);
        let at = point();
        let exact = evaluate(&path, &at);
        let step = 1e-5;
        for parameter in 0..PARAMETERS {
            let (mut above, mut below) = (at, at);
            above[parameter] += step;
            below[parameter] -= step;
            let (above, below) = (evaluate(&path, &above), evaluate(&path, &below));
            let slope = (above.value - below.value) / (2.0 * step);
            assert!((slope - exact.gradient[parameter]).abs() < 1e-6, "{parameter}: {slope}");
            for other in 0..PARAMETERS {
                let bend = -(above.gradient[other] - below.gradient[other]) / (2.0 * step);
                let found = exact.information.at(parameter, other);
                assert!(
                    (bend - found).abs() < 1e-5 * (1.0 + bend.abs()),
                    "{parameter} {other}: {bend} {found}"
                );
            }
        }
    }

    #[test]
    fn residuals_add_up_to_the_integral_of_the_intensity() {
        // Without baseline and excitation but of one type by itself, the residuals are the baseline's integral.
        let mut at = [0.0; PARAMETERS];
        for target in 0..TYPES {
            at[index(target, None)] = 2.0;
        }
        let path = times().path(&Profile::Flat.compile().unwrap(), 0.0, usize::MAX);
        let found = residuals(&path, &at, |from, to| to - from);
        // Two seconds of 5.5 to 9.1 do not count.
        let expected = [(2.2 - 0.5) * 2.0, (5.5 - 2.2) * 2.0, (9.1 - 5.5 - 2.0) * 2.0];
        assert_eq!(found[2].len(), 3, "one less than events");
        assert!(found[2].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{:?}", found[2]);
        assert_eq!(found[0].len(), 1);
    }
}

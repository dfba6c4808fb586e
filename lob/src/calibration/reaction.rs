//! How intensities react to the book's imbalance: maximum likelihood for gain and decay.
//!
//! A stream of intensity `c x (1 + g p(t))` with `N` events at pressures `p_i` and exposures `A` (without) and `B` (with `p`) has the
//! log-likelihood `N ln c + sum ln(1 + g p_i) - c (A + g B)`. At its maximum `c = N / (A + g B)`; what remains is a function of `g` and of
//! the decay that `p` depends on.

use serde::Serialize;

use super::Estimate;

/// The classes that pressures of events are counted in.
const CLASSES: usize = 512;

/// The largest gain that is looked for.
const LARGEST_GAIN: f64 = 99.0;

/// Twice the difference of log-likelihoods above which a kind of event counts as reacting: chance exceeds it once in a thousand times.
const SIGNIFICANT: f64 = 10.83;

/// Pressures at the events of one kind.
#[derive(Clone, Debug)]
pub(super) struct Pressures(Vec<(u64, f64)>);

impl Pressures {
    pub(super) fn new() -> Self {
        Self(vec![(0, 0.0); CLASSES])
    }

    pub(super) fn see(&mut self, pressure: f64) {
        if pressure > 0.0 {
            let class = &mut self.0[((pressure * CLASSES as f64) as usize).min(CLASSES - 1)];
            *class = (class.0 + 1, class.1 + pressure);
        }
    }

    /// Events and mean pressure of each class that has any.
    fn classes(&self) -> impl Iterator<Item = (f64, f64)> {
        self.0.iter().filter(|class| class.0 > 0).map(|&(count, sum)| (count as f64, sum / count as f64))
    }
}

/// Events of one constant times a function of the book.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Market, limit, cancel.
    pub(super) kind: usize,
    pub(super) events: f64,
    /// `A`.
    pub(super) exposure: f64,
    /// `B`, for each decay.
    pub(super) reacting: Vec<f64>,
}

/// Whether one kind of event reacts to the imbalance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindReaction {
    /// `market`, `limit`, `cancel`.
    pub kind: &'static str,
    /// Gain of this kind alone, at the decay that fits all best.
    pub gain: f64,
    /// Its standard error at that decay.
    pub standard_error: f64,
    /// Twice the gain in log-likelihood over no reaction.
    pub likelihood_ratio: f64,
    /// True if that is significant; the model has one gain for all kinds that react.
    pub reacts: bool,
}

/// The reaction to imbalance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReactionFit {
    /// Decay per tick; the likeliest of those tried, or between them.
    pub decay: Estimate,
    /// Gain of all kinds that react.
    pub gain: Estimate,
    /// Twice the gain in log-likelihood of these two parameters over no reaction.
    pub likelihood_ratio: f64,
    /// Each kind alone.
    pub kinds: [KindReaction; 3],
    /// How `B` at the decay is put together from those of the decays that were tried: three numbers and weights.
    #[serde(skip)]
    weights: Vec<(usize, f64)>,
    /// How `gain` moves with the logarithm of the decay along the ridge of the likelihood.
    #[serde(skip)]
    at: [(f64, f64); 2],
    #[serde(skip)]
    curvature: f64,
    #[serde(skip)]
    log_decay_error: f64,
}

/// Finds gain and decay; `None` if nothing reacts.
pub(super) fn fit(
    decays: &[f64],
    streams: &[Stream],
    pressures: &[[Pressures; 3]],
) -> ([KindReaction; 3], Option<ReactionFit>) {
    let likelihood =
        |decay: usize, kinds: [bool; 3]| Likelihood::new(decay, kinds, streams, &pressures[decay]);
    let alone = |decay: usize| {
        [0, 1, 2].map(|kind| {
            let mut kinds = [false; 3];
            kinds[kind] = true;
            likelihood(decay, kinds).best()
        })
    };
    let of_decays: Vec<_> = (0..decays.len()).map(alone).collect();
    let total = |decay: usize| of_decays[decay].iter().map(|best| best.1).sum::<f64>();
    let best = (0..decays.len()).max_by(|&a, &b| total(a).total_cmp(&total(b)));
    let kinds = [0, 1, 2].map(|kind| {
        let (gain, value, curvature) = best.map_or((0.0, 0.0, 0.0), |best| of_decays[best][kind]);
        KindReaction {
            kind: ["market", "limit", "cancel"][kind],
            gain,
            standard_error: if curvature > 0.0 { curvature.sqrt().recip() } else { f64::NAN },
            likelihood_ratio: 2.0 * value,
            reacts: 2.0 * value > SIGNIFICANT,
        }
    });
    let reacting = [0, 1, 2].map(|kind: usize| kinds[kind].reacts);
    if reacting == [false; 3] {
        return (kinds, None);
    }
    let joint: Vec<(f64, f64, f64)> =
        (0..decays.len()).map(|decay| likelihood(decay, reacting).best()).collect();
    let top = (0..joint.len()).max_by(|&a, &b| joint[a].1.total_cmp(&joint[b].1)).unwrap_or(0);
    let x = |index: usize| decays[index].max(1e-9).ln();
    let events =
        streams.iter().filter(|stream| reacting[stream.kind]).map(|stream| stream.events).sum::<f64>() as u64;
    let mut fit = ReactionFit {
        decay: Estimate::new("imbalance.linear.decay", decays[top], f64::NAN, events),
        gain: Estimate::new("imbalance.linear.gain", joint[top].0, f64::NAN, events),
        likelihood_ratio: 2.0 * joint[top].1,
        kinds: kinds.clone(),
        weights: vec![(top, 1.0)],
        at: [(x(top), joint[top].0); 2],
        curvature: joint[top].2,
        log_decay_error: 0.0,
    };
    if top > 0 && top + 1 < joint.len() {
        fit.between([top - 1, top, top + 1], [x(top - 1), x(top), x(top + 1)], &joint);
    }
    let slope = fit.slope();
    fit.gain.standard_error = (fit.curvature.recip() + (slope * fit.log_decay_error).powi(2)).sqrt();
    (kinds, Some(fit))
}

impl ReactionFit {
    /// The parabola through three decays.
    fn between(&mut self, indices: [usize; 3], x: [f64; 3], joint: &[(f64, f64, f64)]) {
        let y = indices.map(|index| joint[index].1);
        let (left, right) = ((y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1]));
        let second = 2.0 * (right - left) / (x[2] - x[0]);
        if !(second < 0.0) {
            return;
        }
        // The slope at the middle of the first piece is `left`.
        let peak = ((x[0] + x[1]) / 2.0 - left / second).clamp(x[0], x[2]);
        let weight = |i: usize| {
            let others = (0..3).filter(|&j| j != i);
            others.map(|j| (peak - x[j]) / (x[i] - x[j])).product::<f64>()
        };
        self.weights = (0..3).map(|i| (indices[i], weight(i))).collect();
        let gain = self.weights.iter().map(|&(index, weight)| weight * joint[index].0).sum::<f64>();
        self.gain.value = gain.max(0.0);
        self.decay.value = peak.exp();
        self.log_decay_error = (-second).sqrt().recip();
        self.decay.standard_error = self.decay.value * self.log_decay_error;
        self.at = [(x[0], joint[indices[0]].0), (x[2], joint[indices[2]].0)];
    }

    fn slope(&self) -> f64 {
        let [(left, low), (right, high)] = self.at;
        if right > left { (high - low) / (right - left) } else { 0.0 }
    }

    /// True if events of this kind react.
    pub(super) fn reacts(&self, kind: usize) -> bool {
        self.kinds[kind].reacts
    }

    /// `B` at the decay.
    pub(super) fn reacting(&self, of_decays: impl Fn(usize) -> f64) -> f64 {
        self.weights.iter().map(|&(index, weight)| weight * of_decays(index)).sum()
    }

    /// `A + g B` of a stream, and the relative standard error that the uncertainty of gain and decay gives it.
    pub(super) fn exposure(&self, stream: &Stream) -> (f64, f64) {
        if !self.reacts(stream.kind) {
            return (stream.exposure, 0.0);
        }
        let reacting = self.reacting(|index| stream.reacting[index]);
        let exposure = stream.exposure + self.gain.value * reacting;
        let of_gain = reacting / exposure / self.curvature.sqrt();
        let of_decay = match (self.weights.first(), self.weights.last(), self.at) {
            (Some(first), Some(last), [(left, low), (right, high)]) if right > left => {
                let at = |index: usize, gain: f64| (stream.exposure + gain * stream.reacting[index]).ln();
                (at(last.0, high) - at(first.0, low)) / (right - left) * self.log_decay_error
            }
            _ => 0.0,
        };
        (exposure, of_gain.hypot(of_decay))
    }

    /// Decays to try next: around this one, closer together.
    pub(super) fn closer(&self) -> Option<Vec<f64>> {
        let step =
            if self.log_decay_error > 0.0 { self.log_decay_error.clamp(1e-3, 0.2) } else { return None };
        Some((-3..=3).map(|i| self.decay.value * (f64::from(i) * step).exp()).collect())
    }
}

/// The log-likelihood of a gain over no reaction, for some kinds of events and one decay.
struct Likelihood {
    classes: Vec<(f64, f64)>,
    /// Events and `B / A` of each stream.
    streams: Vec<(f64, f64)>,
}

impl Likelihood {
    fn new(decay: usize, kinds: [bool; 3], streams: &[Stream], pressures: &[Pressures; 3]) -> Self {
        let chosen = (0..3).filter(|&kind| kinds[kind]);
        let streams = streams
            .iter()
            .filter(|stream| kinds[stream.kind] && stream.exposure > 0.0 && stream.events > 0.0);
        Self {
            classes: chosen.flat_map(|kind| pressures[kind].classes().collect::<Vec<_>>()).collect(),
            streams: streams
                .map(|stream| (stream.events, stream.reacting[decay] / stream.exposure))
                .collect(),
        }
    }

    fn value(&self, gain: f64) -> f64 {
        let events: f64 = self.classes.iter().map(|&(count, p)| count * (gain * p).ln_1p()).sum();
        let exposure: f64 = self.streams.iter().map(|&(count, b)| count * (gain * b).ln_1p()).sum();
        events - exposure
    }

    fn curvature(&self, gain: f64) -> f64 {
        let part = |&(count, p): &(f64, f64)| count * (p / (1.0 + gain * p)).powi(2);
        self.classes.iter().map(part).sum::<f64>() - self.streams.iter().map(part).sum::<f64>()
    }

    /// The likeliest gain, its log-likelihood over none, and the curvature there; golden section on `g / (1 + g)`.
    fn best(&self) -> (f64, f64, f64) {
        const GOLDEN: f64 = 0.618_033_988_749_894_8;
        let gain = |u: f64| u / (1.0 - u);
        let (mut low, mut high) = (0.0, LARGEST_GAIN / (1.0 + LARGEST_GAIN));
        for _ in 0..50 {
            let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
            if self.value(gain(left)) < self.value(gain(right)) { low = left } else { high = right }
        }
        let gain = gain((low + high) / 2.0);
        let value = self.value(gain);
        if value > 0.0 { (gain, value, self.curvature(gain)) } else { (0.0, 0.0, self.curvature(0.0)) }
    }
}

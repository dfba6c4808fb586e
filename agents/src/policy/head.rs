//! What a network's outputs mean: a distribution over actions.

use lob::random::{open_unit, standard_normal, uniform};
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

use super::Decision;

/// Bounds of a box that are scaled to: `-1` is `low`, `1` is `high`. Unbounded where they are not both finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// `f32[n]`; none where the component is unbounded.
    pub low: Vec<Option<f32>>,
    /// `f32[n]`
    pub high: Vec<Option<f32>>,
}

/// A distribution over actions, parametrised by a network's outputs.
///
/// A draw is kept *raw*: the numbers whose density is cheap and stable, from which the action follows.
///
/// | head | outputs | raw | action |
/// |---|---|---|---|
/// | `gaussian` | means | the action before scaling | scaled to the bounds, and cut there by the environment |
/// | `tanh_gaussian` | means | before the hyperbolic tangent | tanh, scaled to the bounds |
/// | `logistic_normal` | K - 1 means | v | `(exp v, 1) / (1 + sum exp v)`, K parts |
/// | `softmax_gaussian` | K means | u | `exp u / sum exp u`, K parts |
/// | `dirichlet` | K numbers f | the action | concentrations are softplus(f) |
/// | `categorical` | logits | the choice | the choice |
/// | `multi_categorical` | logits of all lists side by side | the choices | the choices |
/// | `greedy` | action values, and the state's value last if `duelling` | the choice | the choice with the highest value |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// Independent normal numbers.
    Gaussian {
        /// The action's box.
        bounds: Bounds,
    },
    /// Independent normal numbers, squashed. Source: Haarnoja et al., arXiv 1801.01290, appendix C.
    TanhGaussian {
        /// The action's box.
        bounds: Bounds,
    },
    /// A point of the simplex: the softmax of normal numbers and a zero. Source: Cheridito & Weiss, arXiv 2507.06345.
    LogisticNormal {
        /// K
        parts: usize,
    },
    /// A point of the simplex: the softmax of as many normal numbers, none of which is special. The softmax of u and that of u + c are the same
    /// action, whose density counts them all.
    SoftmaxGaussian {
        /// K
        parts: usize,
    },
    /// A point of the simplex.
    Dirichlet {
        /// K
        parts: usize,
    },
    /// One of several choices.
    Categorical {
        /// How many.
        choices: usize,
    },
    /// One choice from each of several lists, independently.
    MultiCategorical {
        /// How many in each.
        choices: Vec<usize>,
    },
    /// The choice with the highest value.
    Greedy {
        /// How many.
        choices: usize,
        /// Values are a common one and each choice's advantage.
        duelling: bool,
    },
}

/// Parts of a drawn simplex point are at least this: its logarithm must exist in f32.
const SMALLEST_PART: f64 = 1e-30;

const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

impl Head {
    /// Outputs that the network must have.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Gaussian { bounds } | Self::TanhGaussian { bounds } => bounds.low.len(),
            Self::LogisticNormal { parts } => parts - 1,
            Self::SoftmaxGaussian { parts } | Self::Dirichlet { parts } => *parts,
            Self::Categorical { choices } => *choices,
            Self::MultiCategorical { choices } => choices.iter().sum(),
            Self::Greedy { choices, duelling } => choices + usize::from(*duelling),
        }
    }

    /// Numbers of a raw draw.
    pub fn raw_len(&self) -> usize {
        match self {
            Self::Gaussian { .. } | Self::TanhGaussian { .. } | Self::LogisticNormal { .. } => self.outputs(),
            Self::SoftmaxGaussian { parts } | Self::Dirichlet { parts } => *parts,
            Self::MultiCategorical { choices } => choices.len(),
            Self::Categorical { .. } | Self::Greedy { .. } => 1,
        }
    }

    /// Numbers of an action.
    pub fn action_len(&self) -> usize {
        match self {
            Self::LogisticNormal { parts } => *parts,
            _ => self.raw_len(),
        }
    }

    /// True if its actions are choices.
    pub fn is_discrete(&self) -> bool {
        matches!(self, Self::Categorical { .. } | Self::MultiCategorical { .. } | Self::Greedy { .. })
    }

    /// How such a policy decides where nothing is said: points of the simplex are drawn, as the execution paper evaluates its policies
    /// (arXiv 2507.06345); all others take the likeliest action.
    pub fn usual_decision(&self) -> Decision {
        match self {
            Self::LogisticNormal { .. } | Self::Dirichlet { .. } => Decision::Sample,
            _ => Decision::Mode,
        }
    }

    /// Standard deviations that it needs besides the outputs.
    pub fn deviations(&self) -> usize {
        match self {
            Self::Gaussian { .. }
            | Self::TanhGaussian { .. }
            | Self::LogisticNormal { .. }
            | Self::SoftmaxGaussian { .. } => self.outputs(),
            _ => 0,
        }
    }

    /// Draws, and returns the logarithm of the draw's density ([`log_density`](Self::log_density)).
    pub fn sample(&self, outputs: &[f32], deviation: &[f32], rng: &mut SimRng, raw: &mut [f32]) -> f32 {
        match self {
            Self::Gaussian { .. }
            | Self::TanhGaussian { .. }
            | Self::LogisticNormal { .. }
            | Self::SoftmaxGaussian { .. } => {
                for ((raw, mean), deviation) in raw.iter_mut().zip(outputs).zip(deviation) {
                    *raw = mean + deviation * standard_normal(rng) as f32;
                }
            }
            Self::Dirichlet { .. } => {
                let mut sum = 0.0;
                let mut largest = f32::NEG_INFINITY;
                // Logarithms: with small concentrations all the gamma numbers may be too small for a float.
                for (raw, output) in raw.iter_mut().zip(outputs) {
                    *raw = log_gamma_variate(softplus(f64::from(*output)), rng) as f32;
                    largest = largest.max(*raw);
                }
                for raw in raw.iter_mut() {
                    let part = libm::exp(f64::from(*raw - largest));
                    sum += part;
                    *raw = part as f32;
                }
                for raw in raw.iter_mut() {
                    *raw = (f64::from(*raw) / sum).max(SMALLEST_PART) as f32;
                }
            }
            Self::Categorical { .. } => raw[0] = draw_choice(outputs, rng) as f32,
            Self::MultiCategorical { choices } => {
                let mut rest = outputs;
                for (raw, &count) in raw.iter_mut().zip(choices) {
                    let (logits, tail) = rest.split_at(count);
                    (*raw, rest) = (draw_choice(logits, rng) as f32, tail);
                }
            }
            Self::Greedy { .. } => {
                self.mode(outputs, raw);
                return 0.0;
            }
        }
        self.log_density(outputs, deviation, raw)
    }

    /// Logarithm of the density (probability) of the *action* at a raw draw: the change of variables is counted, the linear scaling to
    /// bounds is not. 0 for [`Head::Greedy`].
    pub fn log_density(&self, outputs: &[f32], deviation: &[f32], raw: &[f32]) -> f32 {
        let normal = || -> f64 {
            let numbers = raw.iter().zip(outputs).zip(deviation);
            numbers.fold(0.0, |sum, ((x, mean), deviation)| {
                let z = f64::from((x - mean) / deviation);
                sum - 0.5 * z * z - libm::log(f64::from(*deviation)) - HALF_LOG_TWO_PI
            })
        };
        (match self {
            Self::Gaussian { .. } => normal(),
            Self::TanhGaussian { .. } => {
                // log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2 u)), which does not cancel.
                let correction = |u: &f32| {
                    let u = f64::from(*u);
                    2.0 * (std::f64::consts::LN_2 - u - softplus(-2.0 * u))
                };
                normal() - raw.iter().map(correction).sum::<f64>()
            }
            Self::LogisticNormal { .. } => {
                // The determinant of the map is the product of all K parts.
                let log_sum = log_sum_exp_with_zero(raw);
                let log_parts =
                    raw.iter().map(|v| f64::from(*v)).sum::<f64>() - (raw.len() + 1) as f64 * log_sum;
                normal() - log_parts
            }
            Self::SoftmaxGaussian { .. } => {
                // The log-ratios to the last part are normal with the covariance diag(s_i^2) + s_K^2: its inverse by Sherman & Morrison takes
                // the common shift that fits best out of the sum of squares, its determinant is prod s_i^2 x sum 1 / s_i^2.
                let (mut tilt, mut precision) = (0.0, 0.0);
                for ((x, mean), deviation) in raw.iter().zip(outputs).zip(deviation) {
                    let weight = f64::from(*deviation).powi(-2);
                    tilt += f64::from(x - mean) * weight;
                    precision += weight;
                }
                let ratios =
                    normal() + 0.5 * tilt * tilt / precision - 0.5 * libm::log(precision) + HALF_LOG_TWO_PI;
                let log_sum = log_sum_exp(raw);
                ratios - raw.iter().map(|u| f64::from(*u) - log_sum).sum::<f64>()
            }
            Self::Dirichlet { .. } => {
                let (mut total, mut value) = (0.0, 0.0);
                for (part, output) in raw.iter().zip(outputs) {
                    let concentration = softplus(f64::from(*output));
                    total += concentration;
                    value +=
                        (concentration - 1.0) * libm::log(f64::from(*part)) - libm::lgamma(concentration);
                }
                value + libm::lgamma(total)
            }
            Self::Categorical { .. } => log_probability(outputs, raw[0] as usize),
            Self::MultiCategorical { choices } => {
                let mut rest = outputs;
                let mut value = 0.0;
                for (raw, &count) in raw.iter().zip(choices) {
                    let (logits, tail) = rest.split_at(count);
                    value += log_probability(logits, *raw as usize);
                    rest = tail;
                }
                value
            }
            Self::Greedy { .. } => 0.0,
        }) as f32
    }

    /// The raw draw of the action to take where none is to be drawn: the mean of normal numbers (for the squashed ones the action's
    /// median, for the logistic-normal and the softmax the point whose log-ratios are those of the means), the mode of a Dirichlet whose concentrations all exceed
    /// 1 and its mean otherwise, the likeliest choice (the first of equals).
    pub fn mode(&self, outputs: &[f32], raw: &mut [f32]) {
        match self {
            Self::Gaussian { .. }
            | Self::TanhGaussian { .. }
            | Self::LogisticNormal { .. }
            | Self::SoftmaxGaussian { .. } => {
                raw.copy_from_slice(&outputs[..raw.len()]);
            }
            Self::Dirichlet { parts } => {
                let concentration = |output: &f32| softplus(f64::from(*output));
                let inner = outputs[..*parts].iter().all(|output| concentration(output) > 1.0);
                let less = if inner { 1.0 } else { 0.0 };
                let total: f64 = outputs[..*parts].iter().map(|output| concentration(output) - less).sum();
                for (raw, output) in raw.iter_mut().zip(outputs) {
                    *raw = ((concentration(output) - less) / total) as f32;
                }
            }
            Self::Categorical { choices } | Self::Greedy { choices, .. } => {
                raw[0] = largest(&outputs[..*choices]) as f32;
            }
            Self::MultiCategorical { choices } => {
                let mut rest = outputs;
                for (raw, &count) in raw.iter_mut().zip(choices) {
                    let (logits, tail) = rest.split_at(count);
                    (*raw, rest) = (largest(logits) as f32, tail);
                }
            }
        }
    }

    /// The probability of each choice, of a head that has one list of choices and draws from it; none of others.
    pub fn probabilities(&self, outputs: &[f32]) -> Option<Vec<f32>> {
        let Self::Categorical { choices } = self else { return None };
        let logits = &outputs[..*choices];
        Some((0..*choices).map(|choice| libm::exp(log_probability(logits, choice)) as f32).collect())
    }

    /// The action of a raw draw. Choices are whole numbers.
    pub fn action(&self, raw: &[f32], action: &mut [f32]) {
        match self {
            Self::Gaussian { bounds } => {
                for (index, (action, raw)) in action.iter_mut().zip(raw).enumerate() {
                    *action = bounds.scale(index, *raw);
                }
            }
            Self::TanhGaussian { bounds } => {
                for (index, (action, raw)) in action.iter_mut().zip(raw).enumerate() {
                    *action = bounds.scale(index, super::activation::tanh(*raw));
                }
            }
            Self::LogisticNormal { .. } => {
                let log_sum = log_sum_exp_with_zero(raw);
                for (action, raw) in action.iter_mut().zip(raw) {
                    *action = libm::exp(f64::from(*raw) - log_sum) as f32;
                }
                action[raw.len()] = libm::exp(-log_sum) as f32;
            }
            Self::SoftmaxGaussian { .. } => {
                let log_sum = log_sum_exp(raw);
                for (action, raw) in action.iter_mut().zip(raw) {
                    *action = libm::exp(f64::from(*raw) - log_sum) as f32;
                }
            }
            _ => action.copy_from_slice(raw),
        }
    }
}

impl Bounds {
    /// The bounds of a box.
    pub fn of(space: &gym::BoxSpace) -> Self {
        let finite = |x: f32| x.is_finite().then_some(x);
        let components = space.components();
        Self {
            low: components.iter().map(|component| finite(component.low)).collect(),
            high: components.iter().map(|component| finite(component.high)).collect(),
        }
    }

    fn scale(&self, index: usize, x: f32) -> f32 {
        match (self.low[index], self.high[index]) {
            (Some(low), Some(high)) => low + 0.5 * (x + 1.0) * (high - low),
            _ => x,
        }
    }
}

/// `log(1 + exp(x))`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// `log(1 + sum exp v)`, without overflow.
fn log_sum_exp_with_zero(v: &[f32]) -> f64 {
    let largest = v.iter().fold(0.0_f32, |largest, v| largest.max(*v));
    let sum: f64 = v.iter().map(|v| libm::exp(f64::from(v - largest))).sum();
    f64::from(largest) + libm::log(sum + libm::exp(-f64::from(largest)))
}

/// `log(sum exp u)`, without overflow.
fn log_sum_exp(u: &[f32]) -> f64 {
    let top = u.iter().fold(f32::NEG_INFINITY, |top, u| top.max(*u));
    let sum: f64 = u.iter().map(|u| libm::exp(f64::from(u - top))).sum();
    f64::from(top) + libm::log(sum)
}

fn log_probability(logits: &[f32], choice: usize) -> f64 {
    let top = logits.iter().fold(f32::NEG_INFINITY, |top, logit| top.max(*logit));
    let sum: f64 = logits.iter().map(|logit| libm::exp(f64::from(logit - top))).sum();
    f64::from(logits[choice] - top) - libm::log(sum)
}

fn draw_choice(logits: &[f32], rng: &mut SimRng) -> usize {
    let top = logits.iter().fold(f32::NEG_INFINITY, |top, logit| top.max(*logit));
    let weight = |logit: &f32| libm::exp(f64::from(logit - top));
    let mut left = uniform(rng) * logits.iter().map(weight).sum::<f64>();
    for (choice, logit) in logits.iter().enumerate() {
        left -= weight(logit);
        if left < 0.0 {
            return choice;
        }
    }
    // Rounding: the draw lay at the very end.
    logits.len() - 1
}

fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Logarithm of a gamma number with this shape and scale 1.
///
/// Source: G. Marsaglia & W. W. Tsang, *A simple method for generating gamma variables*, ACM TOMS 26(3), 2000; shapes below 1 through
/// `gamma(shape + 1) U^(1 / shape)`.
fn log_gamma_variate(shape: f64, rng: &mut SimRng) -> f64 {
    let boost = if shape < 1.0 { libm::log(open_unit(rng)) / shape } else { 0.0 };
    let d = (if shape < 1.0 { shape + 1.0 } else { shape }) - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = standard_normal(rng);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if libm::log(open_unit(rng)) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return libm::log(d * v) + boost;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn unbounded(n: usize) -> Bounds {
        Bounds { low: vec![None; n], high: vec![None; n] }
    }

    /// The mean over draws of `exp(f)` for a difference of log-densities is 1: the density integrates to one under another's draws.
    #[test]
    fn densities_are_those_of_the_draws() {
        let heads: [(Head, Vec<f32>, Vec<f32>); 7] = [
            (Head::SoftmaxGaussian { parts: 4 }, vec![0.3, -0.2, 0.0, 0.1], vec![0.1, 0.2, 0.1, 0.1]),
            (Head::Gaussian { bounds: unbounded(2) }, vec![0.3, -0.2], vec![0.1, 0.1]),
            (Head::TanhGaussian { bounds: unbounded(2) }, vec![0.3, -0.2], vec![0.1, 0.1]),
            (Head::LogisticNormal { parts: 4 }, vec![0.3, -0.2, 0.0], vec![0.1; 3]),
            (Head::Dirichlet { parts: 3 }, vec![0.3, -0.2, 1.0], vec![0.1; 3]),
            (Head::Categorical { choices: 3 }, vec![0.3, -0.2, 1.0], vec![0.4, 0.1, -0.3]),
            (
                Head::MultiCategorical { choices: vec![2, 3] },
                vec![0.3, -0.2, 1.0, 0.0, 0.5],
                vec![0.4, 0.1, 0.3, -0.2, 0.0],
            ),
        ];
        let mut rng = SimRng::seed_from_u64(5);
        for (head, outputs, shift) in heads {
            let deviation = vec![0.7; head.deviations()];
            let other: Vec<f32> = outputs.iter().zip(&shift).map(|(a, b)| a + b).collect();
            let mut raw = vec![0.0; head.raw_len()];
            let n = 100_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..n {
                let own = head.sample(&outputs, &deviation, &mut rng, &mut raw);
                let ratio = f64::from(head.log_density(&other, &deviation, &raw) - own).exp();
                sum += ratio;
                squares += ratio * ratio;
            }
            let mean = sum / f64::from(n);
            let error = ((squares / f64::from(n) - mean * mean) / f64::from(n)).sqrt();
            assert!((mean - 1.0).abs() < 5.0 * error + 1e-6, "{head:?}: {mean} +- {error}");
        }
    }

    #[test]
    fn simplex_actions_add_up_to_one_even_at_extremes() {
        let mut rng = SimRng::seed_from_u64(1);
        let mut action = [0.0; 4];
        for outputs in [[80.0, -90.0, 3.0, -60.0], [-60.0; 4], [90.0; 4], [0.0; 4]] {
            for head in [
                Head::LogisticNormal { parts: 4 },
                Head::SoftmaxGaussian { parts: 4 },
                Head::Dirichlet { parts: 4 },
            ] {
                let mut raw = vec![0.0; head.raw_len()];
                let log = head.sample(
                    &outputs[..head.outputs()],
                    &[1.0; 4][..head.deviations()],
                    &mut rng,
                    &mut raw,
                );
                head.action(&raw, &mut action);
                assert!((action.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{head:?} {action:?}");
                assert!(log.is_finite(), "{head:?} {outputs:?} {log}");
            }
        }
    }

    #[test]
    fn modes_are_the_likeliest_actions() {
        let mut raw = [0.0; 3];
        Head::Dirichlet { parts: 3 }.mode(&[1.0, 2.0, 3.0], &mut raw);
        let concentrations = [1.0, 2.0, 3.0].map(softplus);
        let total: f64 = concentrations.iter().sum::<f64>() - 3.0;
        for (raw, concentration) in raw.iter().zip(concentrations) {
            assert!((f64::from(*raw) - (concentration - 1.0) / total).abs() < 1e-6);
        }
        Head::MultiCategorical { choices: vec![2, 3] }.mode(&[0.0, 1.0, 5.0, 2.0, 4.0], &mut raw[..2]);
        assert_eq!(raw[..2], [1.0, 0.0]);
        Head::Greedy { choices: 2, duelling: true }.mode(&[1.0, 2.0, 9.0], &mut raw[..1]);
        assert_eq!(raw[0], 1.0);
    }

    #[test]
    fn bounds_are_scaled_to() {
        let bounds = Bounds { low: vec![Some(0.0), None], high: vec![Some(4.0), None] };
        let mut action = [0.0; 2];
        Head::Gaussian { bounds: bounds.clone() }.action(&[0.0, 7.0], &mut action);
        assert_eq!(action, [2.0, 7.0]);
        Head::TanhGaussian { bounds }.action(&[20.0, 0.0], &mut action);
        assert!((action[0] - 4.0).abs() < 1e-5 && action[1] == 0.0);
    }
}

//! Densities and entropies of the policy heads beside torch.distributions, and their gradients beside finite differences.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use agents::policy::{Bounds, Head};
use agents::rl::distribution::Distribution;
use serde_json::Value;
use tch::{Kind, Tensor};

struct Case {
    name: String,
    head: Head,
    outputs: Tensor,
    log_deviation: Tensor,
    raw: Tensor,
    log_density: Vec<f64>,
    entropy: Option<Vec<f64>>,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("data/distributions.json")).unwrap();
    let case = |case: &Value| {
        let rows = case["rows"].as_i64().unwrap();
        let matrix = |key: &str| Tensor::from_slice(&numbers(&case[key])).view([rows, -1]);
        let outputs = matrix("outputs");
        let columns = outputs.size()[1] as usize;
        let bounds = Bounds { low: vec![None; columns], high: vec![None; columns] };
        let name = case["kind"].as_str().unwrap().to_owned();
        let head = match &*name {
            "gaussian" => Head::Gaussian { bounds },
            "tanh_gaussian" => Head::TanhGaussian { bounds },
            "logistic_normal" => Head::LogisticNormal { parts: columns + 1 },
            "softmax_gaussian" => Head::SoftmaxGaussian { parts: columns },
            "dirichlet" => Head::Dirichlet { parts: columns },
            "categorical" => Head::Categorical { choices: columns },
            "multi_categorical" => {
                let choices = numbers(&case["choices"]).iter().map(|count| *count as usize).collect();
                Head::MultiCategorical { choices }
            }
            other => panic!("{other}"),
        };
        Case {
            name,
            head,
            log_deviation: Tensor::from_slice(&numbers(&case["log_deviation"])),
            raw: matrix("raw"),
            log_density: numbers(&case["log_density"]),
            entropy: (!case["entropy"].is_null()).then(|| numbers(&case["entropy"])),
            outputs,
        }
    };
    all["cases"].as_array().unwrap().iter().map(case).collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    let mut values = vec![0.0; tensor.numel()];
    let len = values.len();
    tensor.detach().copy_data(&mut values, len);
    values
}

#[test]
fn values_agree_with_torch_distributions() {
    let cases = cases();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let distribution = Distribution::new(&case.head, &case.outputs, &case.log_deviation);
        for (found, expected) in values(&distribution.log_density(&case.raw)).iter().zip(&case.log_density) {
            assert!(
                (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{}: {found} {expected}",
                case.name
            );
        }
        if let Some(entropy) = &case.entropy {
            for (found, expected) in values(&distribution.entropy(&case.raw)).iter().zip(entropy) {
                assert!((found - expected).abs() < 1e-9, "{} entropy: {found} {expected}", case.name);
            }
        }
    }
}

#[test]
fn what_plays_and_what_learns_agree() {
    for case in cases() {
        let rows = case.outputs.size()[0] as usize;
        let f32s = |tensor: &Tensor| values(tensor).iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let (outputs, raw) = (f32s(&case.outputs), f32s(&case.raw));
        let deviation: Vec<f32> = values(&case.log_deviation).iter().map(|x| x.exp() as f32).collect();
        for row in 0..rows {
            let (p, r) = (outputs.len() / rows, raw.len() / rows);
            let found = case.head.log_density(&outputs[row * p..][..p], &deviation, &raw[row * r..][..r]);
            let expected = case.log_density[row];
            let near = (f64::from(found) - expected).abs() < 2e-5 * expected.abs().max(1.0);
            assert!(near, "{} row {row}: {found} {expected}", case.name);
        }
    }
}

/// The gradient of the sum of densities and entropies, by the outputs and by the logarithms of deviations.
#[test]
fn gradients_agree_with_finite_differences() {
    const STEP: f64 = 1e-6;
    for case in cases() {
        // The draw that an estimated entropy holds fixed moves with the parameters, which its value at a fixed raw draw does not show.
        let exact_entropy = case.entropy.is_some();
        let value = |outputs: &Tensor, log_deviation: &Tensor| {
            let distribution = Distribution::new(&case.head, outputs, log_deviation);
            let mut sum = distribution.log_density(&case.raw).sum(Kind::Double);
            if exact_entropy {
                sum += distribution.entropy(&case.raw).sum(Kind::Double);
            }
            sum
        };
        for which in 0..2 {
            let source = if which == 0 { &case.outputs } else { &case.log_deviation };
            if source.numel() == 0 {
                continue;
            }
            let leaf = source.copy().set_requires_grad(true);
            let arguments = |x: &Tensor| match which {
                0 => value(x, &case.log_deviation),
                _ => value(&case.outputs, x),
            };
            arguments(&leaf).backward();
            let gradient = values(&leaf.grad());
            for (index, gradient) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut numbers = values(source);
                    numbers[index] += by;
                    arguments(&Tensor::from_slice(&numbers).view(&source.size()[..])).double_value(&[])
                };
                let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let scale = gradient.abs().max(1.0);
                assert!(
                    (gradient - difference).abs() < 1e-5 * scale,
                    "{} {index}: {gradient} {difference}",
                    case.name
                );
            }
        }
    }
}

/// The estimated entropies: their mean over draws is the mean of minus the log-density, and the mean of their gradients is the gradient
/// of that mean, as a difference with common random numbers shows.
#[test]
fn estimated_entropies_are_unbiased_in_value_and_gradient() {
    use lob::sim::SimRng;
    use rand_xoshiro::rand_core::SeedableRng;
    let bounds = Bounds { low: vec![None; 2], high: vec![None; 2] };
    for head in
        [Head::TanhGaussian { bounds }, Head::LogisticNormal { parts: 3 }, Head::SoftmaxGaussian { parts: 2 }]
    {
        let n = 40_000;
        let draws = |mean: [f32; 2]| {
            let mut rng = SimRng::seed_from_u64(11);
            let (mut raw, mut surprise) = (Vec::new(), 0.0);
            for _ in 0..n {
                let mut one = [0.0; 2];
                surprise -= f64::from(head.sample(&mean, &[0.5, 0.8], &mut rng, &mut one));
                raw.extend(one);
            }
            (Tensor::from_slice(&raw).view([n, 2]), surprise / n as f64)
        };
        let (raw, surprise) = draws([0.4, -0.3]);
        let mean = Tensor::from_slice(&[0.4_f32, -0.3]).set_requires_grad(true);
        let log_deviation = Tensor::from_slice(&[0.5_f32, 0.8]).log();
        let outputs = mean.expand([n, 2], false);
        let entropy = Distribution::new(&head, &outputs, &log_deviation).entropy(&raw).mean(Kind::Float);
        assert!((entropy.double_value(&[]) - surprise).abs() < 0.02, "{head:?} {entropy} {surprise}");
        entropy.backward();
        let step = 0.05;
        let difference = (draws([0.4 + step, -0.3]).1 - draws([0.4 - step, -0.3]).1) / f64::from(2.0 * step);
        let gradient = mean.grad().double_value(&[0]);
        assert!((gradient - difference).abs() < 0.02, "{head:?} {gradient} {difference}");
        assert!(gradient.abs() > 0.05, "{head:?}: the entropy depends on the mean");
    }
}

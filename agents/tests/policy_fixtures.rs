//! Policies for the tests in Python: one of each head, over all bodies and activations, with what the inference here makes of them.
//!
//! `LOBGYM_WRITE_FIXTURES=1 cargo test -p agents --test policy_fixtures` writes them anew, after a change of the file format.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::PathBuf;

use agents::policy::{
    ActionRecord, Activation, Body, Bounds, ComponentRecord, Decision, FORMAT, Head, Moments, Network,
    NetworkSpec, Normaliser, Policy, PolicyFile, PolicyHeader, Workspace,
};
use gym::Action;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::{Map, Value, json};

const OBSERVATION: usize = 4;
const STEPS: usize = 8;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/python/data/policies")
}

fn spec(body: Body, window: usize, body_size: usize, activation: Activation, head: &Head) -> NetworkSpec {
    let temporal = |n: usize| if body == Body::Tcn { n } else { 0 };
    NetworkSpec {
        observation: OBSERVATION,
        window,
        body,
        body_size,
        body_layers: temporal(3),
        kernel: temporal(2),
        hidden: vec![6, 5],
        activation,
        outputs: head.outputs(),
    }
}

/// Names, networks and heads; the last says whether observations are normalised.
fn cases() -> Vec<(&'static str, NetworkSpec, Head, bool)> {
    let bounds = || Bounds { low: vec![Some(-2.0), None, Some(0.0)], high: vec![Some(6.0), None, None] };
    let list: [(&str, Body, usize, usize, Activation, Head, bool); 9] = [
        ("gaussian", Body::Mlp, 1, 0, Activation::Tanh, Head::Gaussian { bounds: bounds() }, true),
        ("tanh_gaussian", Body::Gru, 3, 5, Activation::Silu, Head::TanhGaussian { bounds: bounds() }, true),
        // As many channels as observations: the first convolution is added to its input, too.
        ("logistic_normal", Body::Tcn, 5, 4, Activation::Relu, Head::LogisticNormal { parts: 4 }, false),
        ("dirichlet", Body::Mlp, 2, 0, Activation::Elu, Head::Dirichlet { parts: 3 }, true),
        ("categorical", Body::Gru, 2, 3, Activation::Tanh, Head::Categorical { choices: 4 }, false),
        (
            "multi_categorical",
            Body::Tcn,
            4,
            3,
            Activation::Elu,
            Head::MultiCategorical { choices: vec![2, 3] },
            true,
        ),
        ("greedy", Body::Mlp, 1, 0, Activation::Relu, Head::Greedy { choices: 3, duelling: false }, false),
        (
            "greedy_duelling",
            Body::Tcn,
            3,
            5,
            Activation::Silu,
            Head::Greedy { choices: 3, duelling: true },
            true,
        ),
        ("softmax_gaussian", Body::Mlp, 1, 0, Activation::Tanh, Head::SoftmaxGaussian { parts: 3 }, true),
    ];
    let case = |(name, body, window, size, activation, head, normalised)| {
        (name, spec(body, window, size, activation, &head), head, normalised)
    };
    list.into_iter().map(case).collect()
}

/// Actions that the head gives.
fn action(head: &Head) -> ActionRecord {
    let component = |name: String, low, high| ComponentRecord { name, unit: "ticks".into(), low, high };
    let choices = |count: usize| (0..count).map(|choice| format!("choice {choice}")).collect::<Vec<_>>();
    match head {
        Head::Gaussian { bounds } | Head::TanhGaussian { bounds } => {
            let sides = bounds.low.iter().zip(&bounds.high).enumerate();
            let components = sides.map(|(i, (low, high))| component(format!("number {i}"), *low, *high));
            ActionRecord::Box { components: components.collect() }
        }
        Head::LogisticNormal { parts } | Head::SoftmaxGaussian { parts } | Head::Dirichlet { parts } => {
            let part = |i| component(format!("part {i}"), Some(0.0), Some(1.0));
            ActionRecord::Box { components: (0..*parts).map(part).collect() }
        }
        Head::Categorical { choices: count } | Head::Greedy { choices: count, .. } => {
            ActionRecord::Discrete { choices: choices(*count) }
        }
        Head::MultiCategorical { choices: counts } => {
            let list = |(i, count): (usize, &usize)| (format!("list {i}"), choices(*count));
            ActionRecord::MultiDiscrete { lists: counts.iter().enumerate().map(list).collect() }
        }
    }
}

fn policy(index: usize, network: &NetworkSpec, head: &Head, normalised: bool) -> PolicyFile {
    let scatter = |i: usize| ((i * 37 + 11 * index) % 101) as f32 / 50.0 - 1.0;
    let parameters: Vec<f32> = (0..network.parameter_count()).map(scatter).collect();
    let mut computing = Network::new(network.clone()).unwrap();
    computing.set(&parameters);
    let mut moments = Moments::new(OBSERVATION);
    [[1.0, 2.0, 3.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.5, -1.0, 2.0, 1.0]]
        .iter()
        .for_each(|row| moments.push(row));
    let component = |name: String| ComponentRecord { name, unit: "ticks".into(), low: None, high: Some(1e6) };
    let policy = Policy {
        network: computing,
        head: head.clone(),
        deviation: (0..head.deviations()).map(|i| 0.25 + 0.125 * i as f32).collect(),
        normaliser: normalised.then(|| Normaliser::new(moments, 1.2)),
    };
    let header = PolicyHeader {
        format: FORMAT,
        code_version: "fixture".into(),
        network: network.clone(),
        head: head.clone(),
        observation: (0..OBSERVATION).map(|i| component(format!("number {i}, \u{3bc}"))).collect(),
        action: action(head),
        normalisation_limit: normalised.then_some(1.2),
        env: Map::new(),
        training: Map::from_iter([("learning_rate".to_owned(), json!(3e-4))]),
    };
    PolicyFile { header, policy, parameters }
}

/// An episode: observations, the network's outputs, the actions where none is drawn, and raw draws with the logarithms of their
/// densities.
fn expected(file: &PolicyFile) -> Value {
    let Policy { network, head, deviation, .. } = &file.policy;
    let mut state = file.policy.state();
    let mut rng = SimRng::seed_from_u64(9);
    let mut rows = Vec::new();
    let mut window = vec![0.0_f32; network.spec().input_len()];
    let mut workspace = Workspace::default();
    for step in 0..STEPS {
        let observation: Vec<f32> =
            (0..OBSERVATION).map(|i| ((step * 29 + i * 17) % 23) as f32 * 0.25 - 2.5).collect();
        window.copy_within(OBSERVATION.., 0);
        let last = window.len() - OBSERVATION;
        match &file.policy.normaliser {
            Some(normaliser) => normaliser.apply(&observation, &mut window[last..]),
            None => window[last..].copy_from_slice(&observation),
        }
        let mut outputs = vec![0.0; head.outputs()];
        network.forward(&window, 1, &mut workspace, &mut outputs);
        let (mut raw, mut drawn) = (vec![0.0; head.raw_len()], vec![0.0; head.action_len()]);
        let density = head.sample(&outputs, deviation, &mut rng, &mut raw);
        head.action(&raw, &mut drawn);
        let mode: Vec<f64> = match file.policy.act(&observation, Decision::Mode, &mut rng, &mut state) {
            Action::Continuous(action) => action.iter().map(|x| f64::from(*x)).collect(),
            Action::Discrete(choices) => choices.iter().map(|x| *x as f64).collect(),
        };
        rows.push(json!({
            "observation": observation, "outputs": outputs, "mode": mode, "drawn": drawn, "log_density": density,
        }));
    }
    Value::Array(rows)
}

/// The largest difference between numbers at the same place.
fn distance(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs(),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).map(|(a, b)| distance(a, b)).fold(0.0, f64::max)
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.iter().map(|(key, a)| b.get(key).map_or(f64::INFINITY, |b| distance(a, b))).fold(0.0, f64::max)
        }
        _ => f64::INFINITY,
    }
}

#[test]
fn policies_for_the_tests_in_python_are_as_this_version_writes_and_plays_them() {
    let directory = directory();
    let mut all = Map::new();
    for (index, (name, network, head, normalised)) in cases().into_iter().enumerate() {
        let file = policy(index, &network, &head, normalised);
        all.insert(name.to_owned(), expected(&file));
        let path = directory.join(format!("{name}.safetensors"));
        if std::env::var_os("LOBGYM_WRITE_FIXTURES").is_some() {
            file.write(&path).unwrap();
        }
        let temporary = tempfile::tempdir().unwrap();
        let fresh = temporary.path().join("policy.safetensors");
        file.write(&fresh).unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(&fresh).unwrap(), "{name} is out of date");
    }
    let all = Value::Object(all);
    let path = directory.join("expected.json");
    if std::env::var_os("LOBGYM_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, serde_json::to_string(&all).unwrap() + "\n").unwrap();
    }
    let committed: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let distance = distance(&committed, &all);
    assert!(distance < 1e-6, "{distance}");
}

/// `resaved.safetensors` is what `lobgym.torch_policy` wrote after reading `tanh_gaussian.safetensors`.
#[test]
fn a_policy_that_torch_has_written_is_read_and_plays_the_same() {
    let own = PolicyFile::read(&directory().join("tanh_gaussian.safetensors")).unwrap();
    let resaved = PolicyFile::read(&directory().join("resaved.safetensors")).unwrap();
    assert_eq!(resaved.header, own.header);
    assert_eq!(resaved.parameters, own.parameters);
    assert_eq!(resaved.policy.normaliser, own.policy.normaliser);
    let distance = distance(&expected(&resaved), &expected(&own));
    assert!(distance < 1e-6, "{distance}");
}

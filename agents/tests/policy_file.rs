//! Policies in files: what comes back, and what is refused. No libtorch here.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use agents::policy::{
    ActionRecord, Activation, Body, Bounds, ComponentRecord, Decision, FORMAT, Head, Moments, Network,
    NetworkSpec, Normaliser, Policy, PolicyFile, PolicyHeader,
};
use gym::envs::{ModelMarketMaking, ModelMarketMakingConfig};
use gym::{Action, Env, Space};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

fn env() -> ModelMarketMaking {
    ModelMarketMaking::new(&ModelMarketMakingConfig::default()).unwrap()
}

fn policy(env: &impl Env) -> PolicyFile {
    let Space::Box(space) = env.action_space() else { panic!("its actions are a box") };
    let head = Head::TanhGaussian { bounds: Bounds::of(space) };
    let network = NetworkSpec {
        observation: env.observation_space().len(),
        window: 2,
        body: Body::Gru,
        body_size: 5,
        body_layers: 0,
        kernel: 0,
        hidden: vec![7],
        activation: Activation::Silu,
        outputs: head.outputs(),
    };
    let parameters: Vec<f32> =
        (0..network.parameter_count()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 60.0).collect();
    let mut computing = Network::new(network.clone()).unwrap();
    computing.set(&parameters);
    let mut moments = Moments::new(network.observation);
    moments.push(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    moments.push(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.5]);
    let header = PolicyHeader {
        format: FORMAT,
        code_version: "test".into(),
        network,
        head: head.clone(),
        observation: ComponentRecord::of(env.observation_space()),
        action: ActionRecord::of(env.action_space()),
        normalisation_limit: Some(5.0),
        env: serde_json::Map::new(),
        training: serde_json::Map::new(),
    };
    let policy = Policy {
        network: computing,
        head,
        deviation: vec![0.1, 0.2, 0.3, 0.4],
        normaliser: Some(Normaliser::new(moments, 5.0)),
    };
    PolicyFile { header, policy, parameters }
}

fn actions(policy: &Policy) -> Vec<f32> {
    let mut state = policy.state();
    let mut rng = SimRng::seed_from_u64(4);
    let mut all = Vec::new();
    for step in 0..6 {
        let observation: Vec<f32> = (0..6).map(|i| (step * 6 + i) as f32 * 0.1 - 1.0).collect();
        let decision = if step % 2 == 0 { Decision::Sample } else { Decision::Mode };
        let Action::Continuous(action) = policy.act(&observation, decision, &mut rng, &mut state) else {
            panic!("the head is continuous")
        };
        all.extend_from_slice(action);
    }
    all
}

#[test]
fn a_policy_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.safetensors");
    let written = policy(&env());
    written.write(&path).unwrap();
    let read = PolicyFile::read(&path).unwrap();
    assert_eq!(read.header, written.header);
    assert_eq!(read.parameters, written.parameters);
    assert_eq!(actions(&read.policy), actions(&written.policy));
    let bytes = std::fs::read(&path).unwrap();
    read.write(&path).unwrap();
    assert!(bytes == std::fs::read(&path).unwrap(), "the same policy gives the same bytes");
}

#[test]
fn windows_remember_and_forget() {
    let file = policy(&env());
    let mut rng = SimRng::seed_from_u64(0);
    let mut state = file.policy.state();
    let mut act = |observation: [f32; 6], state: &mut _| match file.policy.act(
        &observation,
        Decision::Mode,
        &mut rng,
        state,
    ) {
        Action::Continuous(action) => action.to_vec(),
        Action::Discrete(_) => panic!("the head is continuous"),
    };
    let fresh = act([0.5; 6], &mut state);
    let second = act([0.5; 6], &mut state);
    assert_ne!(fresh, second);
    state.reset();
    assert_eq!(fresh, act([0.5; 6], &mut state));
}

#[test]
fn an_environment_that_does_not_fit_is_refused_with_the_reason() {
    let file = policy(&env());
    file.header.fits(&env(), "model").unwrap();
    // Other offsets: the same numbers would mean other quotes.
    let wider = ModelMarketMakingConfig { max_offset_ticks: 9.0, ..Default::default() };
    let message =
        file.header.fits(&ModelMarketMaking::new(&wider).unwrap(), "wider").unwrap_err().to_string();
    assert!(message.contains("wider") && message.contains("action[0]") && message.contains("9"), "{message}");
    let mut other = file.clone();
    other.header.observation.pop();
    let message = other.header.fits(&env(), "model").unwrap_err().to_string();
    assert!(message.contains("its observation has 5 numbers, here it has 6"), "{message}");
    other.header.observation = file.header.observation.clone();
    other.header.observation[1].unit = "lots".into();
    let message = other.header.fits(&env(), "model").unwrap_err().to_string();
    assert!(message.contains("observation[1] is inventory (lots;"), "{message}");
}

#[test]
fn damaged_and_foreign_files_are_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.safetensors");
    let refuse = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let message = PolicyFile::read(&path).unwrap_err().to_string();
        assert!(message.contains("policy.safetensors"), "{message}");
        message
    };
    assert!(refuse(b"no policy at all").contains("no safetensors file"));
    policy(&env()).write(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    assert!(refuse(&good[..good.len() - 1]).contains("no safetensors file"));
    let mut newer = policy(&env());
    newer.header.format = 99;
    newer.write(&path).unwrap();
    let message = refuse(&std::fs::read(&path).unwrap());
    assert!(message.contains("format is 99; legal: 1") && message.contains("train it again"), "{message}");
    let mut broken = policy(&env());
    broken.parameters[3] = f32::NAN;
    broken.write(&path).unwrap();
    let message = refuse(&std::fs::read(&path).unwrap());
    assert!(message.contains("gru.weight_ih has a number that is not finite"), "{message}");
    let mut crooked = policy(&env());
    crooked.header.observation.pop();
    crooked.write(&path).unwrap();
    assert!(refuse(&std::fs::read(&path).unwrap()).contains("the network sees 6 numbers; legal: 5"));
    let missing = directory.path().join("none.safetensors");
    assert!(PolicyFile::read(&missing).unwrap_err().to_string().contains("none.safetensors"));
}

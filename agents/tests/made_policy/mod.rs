//! Policies that nobody trained: networks whose numbers are chosen, in the files of trained ones.

use std::path::Path;

use agents::policy::{
    ActionRecord, Activation, Body, Bounds, ComponentRecord, FORMAT, Head, Network, NetworkSpec, Policy,
    PolicyFile, PolicyHeader,
};
use gym::{AnyEnv, Env, EnvConfig, Settings, Space};
use serde_json::json;

/// The environment of these settings.
pub(crate) fn config(settings: &str) -> EnvConfig {
    let settings = Settings::from_yaml(&format!("env: {{ {settings} }}"), "the test").unwrap();
    EnvConfig::from_settings(&settings).unwrap()
}

/// A policy for an environment: one linear layer from the observation to the head's outputs, `weight(output, input)` and `bias(output)`.
pub(crate) fn linear(
    config: &EnvConfig,
    head: Head,
    weight: impl Fn(usize, usize) -> f32,
    bias: impl Fn(usize) -> f32,
) -> PolicyFile {
    let env = AnyEnv::new(config).unwrap();
    let (inputs, outputs) = (env.observation_space().len(), head.outputs());
    let network = NetworkSpec {
        observation: inputs,
        window: 1,
        body: Body::Mlp,
        body_size: 0,
        body_layers: 0,
        kernel: 0,
        hidden: Vec::new(),
        activation: Activation::Tanh,
        outputs,
    };
    let mut parameters = Vec::new();
    for output in 0..outputs {
        parameters.extend((0..inputs).map(|input| weight(output, input)));
    }
    parameters.extend((0..outputs).map(bias));
    let mut computing = Network::new(network.clone()).unwrap();
    computing.set(&parameters);
    let header = PolicyHeader {
        format: FORMAT,
        code_version: "test".into(),
        network,
        head: head.clone(),
        observation: ComponentRecord::of(env.observation_space()),
        action: ActionRecord::of(env.action_space()),
        normalisation_limit: None,
        env: config.to_map(),
        training: json!({"algorithm": "ppo", "seed": 7, "environments": 4}).as_object().unwrap().clone(),
    };
    let deviation = vec![0.5; head.deviations()];
    PolicyFile {
        header,
        policy: Policy { network: computing, head, deviation, normaliser: None },
        parameters,
    }
}

/// The same action whatever is seen.
#[allow(dead_code, reason = "not every test has use for every policy")]
pub(crate) fn constant(config: &EnvConfig) -> PolicyFile {
    let env = AnyEnv::new(config).unwrap();
    let Space::Box(space) = env.action_space() else { panic!("its actions are a box") };
    linear(config, Head::Gaussian { bounds: Bounds::of(space) }, |_, _| 0.0, |_| 0.1)
}

/// Everything at the best price at t = 0, and then nothing more: submit and leave.
#[allow(dead_code, reason = "not every test has use for every policy")]
pub(crate) fn submit_and_leave(settings: &str) -> PolicyFile {
    let config = config(&format!("name: execution, action: discrete, {settings}"));
    // Choice 5 is wanted at time 0 only, which is the first number of the observation; choice 0, to hold, has value 0 throughout.
    let weight = |output, input| if (output, input) == (5, 0) { -100.0 } else { 0.0 };
    let bias = |output| [0.0, -9.0, -9.0, -9.0, -9.0, 1.0, -9.0][output];
    linear(&config, Head::Categorical { choices: 7 }, weight, bias)
}

/// Parts of the simplex around equal ones, drawn.
#[allow(dead_code, reason = "not every test has use for every policy")]
pub(crate) fn drawn(settings: &str) -> PolicyFile {
    let config = config(&format!("name: execution, {settings}"));
    linear(&config, Head::LogisticNormal { parts: 7 }, |_, _| 0.0, |_| 0.0)
}

/// Writes a policy as a run's, and returns what asks for it.
#[allow(dead_code, reason = "not every test has use for every policy")]
pub(crate) fn write(file: &PolicyFile, directory: &Path) -> String {
    std::fs::create_dir_all(directory).unwrap();
    file.write(&directory.join("policy.safetensors")).unwrap();
    format!("policy:{}", directory.display())
}

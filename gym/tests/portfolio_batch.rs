//! Batches of the environments of several assets against the same environments played one by one.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::{Action, AnyEnv, Autoreset, Env, EnvConfig, Episodes, Settings, StepBuffers, VecEnv};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

const ENVS: usize = 13;
const STEPS: u64 = 30;

fn make(text: &str) -> AnyEnv {
    let file = Settings::from_yaml(&format!("env: {text}"), "test").unwrap();
    AnyEnv::new(&EnvConfig::from_settings(&file).unwrap()).unwrap()
}

fn actions(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = SimRng::seed_from_u64(seed);
    (0..count).map(|_| (uniform(&mut rng) * 2.0 - 1.0) as f32).collect()
}

/// Observations' bits, rewards' bits and endings of each step.
type History = Vec<(Vec<u32>, Vec<u64>, Vec<bool>)>;

fn bits(observations: &[f32]) -> Vec<u32> {
    observations.iter().map(|value| value.to_bits()).collect()
}

fn batch(env: &AnyEnv, threads: usize) -> History {
    let (d, a) = (env.observation_space().len(), env.action_space().len());
    let mut batch = VecEnv::new(env.clone(), ENVS, None, threads, Autoreset::SameStep).unwrap();
    let (mut observations, mut rewards) = (vec![0.0; ENVS * d], vec![0.0; ENVS]);
    let (mut terminated, mut truncated) = (vec![false; ENVS], vec![false; ENVS]);
    let seeds: Vec<u64> = (0..ENVS as u64).map(|row| 50 + row).collect();
    batch.reset(Some(&seeds), None, &mut observations, None).unwrap();
    let mut history = vec![(bits(&observations), vec![], vec![])];
    for step in 0..STEPS {
        let buffers = StepBuffers {
            observations: &mut observations,
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
            infos: None,
            final_observations: None,
            final_infos: None,
        };
        batch.step(Action::Continuous(&actions(ENVS * a, step)), buffers).unwrap();
        let last = terminated.iter().zip(&truncated).map(|(a, b)| a | b).collect();
        history.push((bits(&observations), rewards.iter().map(|reward| reward.to_bits()).collect(), last));
    }
    history
}

fn alone(env: &AnyEnv) -> History {
    let (d, a) = (env.observation_space().len(), env.action_space().len());
    let mut observations = vec![0.0; ENVS * d];
    let mut lanes: Vec<_> = (0..ENVS).map(|_| Episodes::new(env.clone(), None)).collect();
    for (row, lane) in lanes.iter_mut().enumerate() {
        lane.reset(Some(50 + row as u64), &mut observations[row * d..][..d]).unwrap();
    }
    let mut history = vec![(bits(&observations), vec![], vec![])];
    for step in 0..STEPS {
        let actions = actions(ENVS * a, step);
        let (mut rewards, mut last) = (vec![], vec![]);
        for (row, lane) in lanes.iter_mut().enumerate() {
            let observation = &mut observations[row * d..][..d];
            let step = lane.step(Action::Continuous(&actions[row * a..][..a]), observation).unwrap();
            if step.is_last() {
                lane.reset(None, observation).unwrap();
            }
            rewards.push(step.reward.to_bits());
            last.push(step.is_last());
        }
        history.push((bits(&observations), rewards, last));
    }
    history
}

#[test]
fn a_batch_does_what_its_environments_do_alone_on_any_number_of_threads() {
    for text in [
        "{name: multi_asset_trading, steps: 9}",
        "{name: multi_asset_trading, prices: {given: {table: [[1, 2], [2, 1], [3, 3], [2, 2]], random_start: true}}, steps: 2}",
        "{name: portfolio_rebalancing, steps: 9}",
        "{name: portfolio_rebalancing, steps: 9, prices: {garch: {}}, risk: covariance, cash: true}",
        "{name: portfolio_rebalancing, steps: 9, prices: {merton: {}}, weights: long_short, cash: true, reward: differential_sharpe}",
    ] {
        let env = make(text);
        let expected = alone(&env);
        assert!(expected.iter().any(|(_, _, last)| last.contains(&true)), "episodes end");
        for threads in [1, 2, 5] {
            assert!(batch(&env, threads) == expected, "{text} on {threads} threads");
        }
    }
}

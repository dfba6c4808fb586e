//! Batches against the same environments played one by one.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use gym::{
    Action, AnyEnv, Autoreset, BoxSpace, Component, Env, EnvConfig, EnvError, Episodes, Scene, Space, Step,
    StepBuffers, VecEnv,
};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

/// Everything a batch writes, owned.
#[derive(Clone, Debug, PartialEq)]
struct Buffers {
    observations: Vec<f32>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    infos: Vec<f64>,
    final_observations: Vec<f32>,
    final_infos: Vec<f64>,
}

/// A number that no environment writes: what is left of it was not touched.
const UNTOUCHED: f32 = -12_345.0;

impl Buffers {
    fn new<E: Env>(n: usize, env: &E) -> Self {
        let (d, k) = (env.observation_space().len(), env.info_names().len());
        Self {
            observations: vec![UNTOUCHED; n * d],
            rewards: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            infos: vec![f64::from(UNTOUCHED); n * k],
            final_observations: vec![UNTOUCHED; n * d],
            final_infos: vec![f64::from(UNTOUCHED); n * k],
        }
    }

    fn lend(&mut self) -> StepBuffers<'_> {
        StepBuffers {
            observations: &mut self.observations,
            rewards: &mut self.rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
            infos: Some(&mut self.infos),
            final_observations: Some(&mut self.final_observations),
            final_infos: Some(&mut self.final_infos),
        }
    }
}

/// Seven decisions an episode, so that many episodes end within a test.
fn model() -> AnyEnv {
    let mut map = EnvConfig::named_settings("model_market_making").unwrap();
    map.insert("horizon_seconds".into(), 0.035.into());
    AnyEnv::new(&EnvConfig::from_map(&map, std::path::Path::new(""), "").unwrap()).unwrap()
}

fn actions(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = SimRng::seed_from_u64(seed);
    (0..4 * n).map(|_| (uniform(&mut rng) * 2.0 - 1.0) as f32).collect()
}

/// All that a batch writes in 20 steps after a reset with seeds.
fn history(n: usize, threads: usize, autoreset: Autoreset, max_steps: Option<u64>) -> Vec<Buffers> {
    let mut batch = VecEnv::new(model(), n, max_steps, threads, autoreset).unwrap();
    assert_eq!(batch.threads(), threads.min(n));
    let mut buffers = Buffers::new(n, batch.env());
    let seeds: Vec<u64> = (0..n as u64).map(|index| 100 + index).collect();
    batch.reset(Some(&seeds), None, &mut buffers.observations, Some(&mut buffers.infos)).unwrap();
    let mut all = vec![buffers.clone()];
    for step in 0..20 {
        batch.step(Action::Continuous(&actions(n, step)), buffers.lend()).unwrap();
        all.push(buffers.clone());
    }
    all
}

/// The same, by hand.
fn by_hand(n: usize, autoreset: Autoreset, max_steps: Option<u64>) -> Vec<Buffers> {
    let mut lanes: Vec<_> = (0..n).map(|_| Episodes::new(model(), max_steps)).collect();
    let (d, k) = (lanes[0].env().observation_space().len(), lanes[0].env().info_names().len());
    let mut buffers = Buffers::new(n, lanes[0].env());
    for (row, lane) in lanes.iter_mut().enumerate() {
        lane.reset(Some(100 + row as u64), &mut buffers.observations[row * d..][..d]).unwrap();
        lane.env().write_info(&mut buffers.infos[row * k..][..k]);
    }
    let mut all = vec![buffers.clone()];
    for step in 0..20 {
        let actions = actions(n, step);
        for (row, lane) in lanes.iter_mut().enumerate() {
            let observation = &mut buffers.observations[row * d..][..d];
            let result = if lane.has_ended() {
                assert_eq!(autoreset, Autoreset::NextStep);
                lane.reset(None, observation).unwrap();
                Step::default()
            } else {
                let result = lane.step(Action::Continuous(&actions[4 * row..][..4]), observation).unwrap();
                if result.is_last() && autoreset == Autoreset::SameStep {
                    buffers.final_observations[row * d..][..d].copy_from_slice(observation);
                    lane.env().write_info(&mut buffers.final_infos[row * k..][..k]);
                    lane.reset(None, observation).unwrap();
                }
                result
            };
            lane.env().write_info(&mut buffers.infos[row * k..][..k]);
            buffers.rewards[row] = result.reward;
            buffers.terminated[row] = result.terminated;
            buffers.truncated[row] = result.truncated;
        }
        all.push(buffers.clone());
    }
    all
}

#[test]
fn a_batch_does_what_its_environments_do_alone_on_any_number_of_threads() {
    for autoreset in [Autoreset::NextStep, Autoreset::SameStep] {
        for max_steps in [None, Some(5)] {
            for n in [1, 2, 3, 16, 97] {
                let expected = by_hand(n, autoreset, max_steps);
                assert!(expected.iter().any(|step| step.terminated[0] || step.truncated[0]), "episodes end");
                for threads in [1, 2, 3, 5] {
                    let found = history(n, threads, autoreset, max_steps);
                    assert!(found == expected, "{autoreset:?}, {n} environments on {threads} threads");
                }
            }
        }
    }
}

#[test]
fn endings_are_told_apart() {
    let ended = |max_steps| {
        let history = history(4, 2, Autoreset::SameStep, max_steps);
        let any = |pick: fn(&Buffers) -> &[bool]| history.iter().any(|step| pick(step).contains(&true));
        (any(|step| &step.terminated), any(|step| &step.truncated))
    };
    assert_eq!(ended(None), (true, false));
    assert_eq!(ended(Some(5)), (false, true));
    assert_eq!(
        ended(Some(7)),
        (true, true),
        "a task over at its very last step is both, as Gymnasium has it"
    );
}

#[test]
fn without_autoreset_an_ended_episode_must_be_reset_by_name() {
    let n = 5;
    let mut batch = VecEnv::new(model(), n, None, 2, Autoreset::Disabled).unwrap();
    let mut buffers = Buffers::new(n, batch.env());
    batch.reset(None, None, &mut buffers.observations, None).unwrap();
    let actions = actions(n, 0);
    for _ in 0..7 {
        batch.step(Action::Continuous(&actions), buffers.lend()).unwrap();
    }
    assert_eq!(buffers.terminated, [true; 5]);
    let before = buffers.clone();
    let error = batch.step(Action::Continuous(&actions), buffers.lend()).unwrap_err();
    assert_eq!(error, EnvError::Ended { row: 0 });
    assert_eq!(buffers, before);

    // All but the fourth begin anew; its row and the others' seeds go on as they were.
    let mask = [true, true, true, false, true];
    buffers.observations.fill(UNTOUCHED);
    batch.reset(None, Some(&mask), &mut buffers.observations, None).unwrap();
    let d = batch.env().observation_space().len();
    let touched: Vec<_> =
        buffers.observations.chunks(d).map(|row| row.iter().all(|&x| x != UNTOUCHED)).collect();
    assert_eq!(touched, mask);
    let episodes: Vec<_> = batch.lanes().iter().map(|lane| lane.episode().unwrap()).collect();
    assert_eq!(episodes, [1, 1, 1, 0, 1]);
    assert_eq!(
        batch.step(Action::Continuous(&actions), buffers.lend()).unwrap_err(),
        EnvError::Ended { row: 3 }
    );
}

#[test]
fn errors_leave_everything_as_it_was() {
    let n = 6;
    let mut batch = VecEnv::new(model(), n, None, 3, Autoreset::NextStep).unwrap();
    let mut buffers = Buffers::new(n, batch.env());
    let legal = actions(n, 0);
    let error = batch.step(Action::Continuous(&legal), buffers.lend()).unwrap_err();
    assert_eq!(error, EnvError::NotReset { row: 0 });
    batch.reset(None, None, &mut buffers.observations, None).unwrap();
    let state: Vec<_> = batch.lanes().to_vec();
    let before = buffers.clone();

    let mut not_a_number = legal.clone();
    not_a_number[4 * 4 + 2] = f32::NAN;
    let error = batch.step(Action::Continuous(&not_a_number), buffers.lend()).unwrap_err();
    assert!(matches!(error, EnvError::Action { row: 4, index: 2, .. }), "{error}");
    let error = batch.step(Action::Discrete(&[0; 24]), buffers.lend()).unwrap_err();
    assert!(error.to_string().contains("32-bit floats"), "{error}");
    let error = batch.step(Action::Continuous(&legal[4..]), buffers.lend()).unwrap_err();
    assert_eq!(error, EnvError::Buffer { name: "actions", found: 20, legal: 24 });
    let mut short = buffers.clone();
    short.rewards.pop();
    let error = batch.step(Action::Continuous(&legal), short.lend()).unwrap_err();
    assert_eq!(error, EnvError::Buffer { name: "rewards", found: 5, legal: 6 });
    let error = batch.reset(Some(&[1, 2]), None, &mut buffers.observations, None).unwrap_err();
    assert_eq!(error, EnvError::Buffer { name: "seed", found: 2, legal: 6 });
    let error = batch.reset(None, Some(&[true]), &mut buffers.observations, None).unwrap_err();
    assert_eq!(error, EnvError::Buffer { name: "reset_mask", found: 1, legal: 6 });

    assert_eq!(buffers, before);
    // The next step is the one that the untouched environments would have made.
    batch.step(Action::Continuous(&legal), buffers.lend()).unwrap();
    let mut other = VecEnv::new(model(), n, None, 1, Autoreset::NextStep).unwrap();
    other.restore(&state).unwrap();
    let mut theirs = before.clone();
    other.step(Action::Continuous(&legal), theirs.lend()).unwrap();
    assert_eq!(buffers, theirs);
    assert!(VecEnv::new(model(), 0, None, 1, Autoreset::NextStep).is_err());
}

#[test]
fn a_restored_batch_has_the_same_future() {
    let n = 9;
    let mut batch = VecEnv::new(model(), n, None, 2, Autoreset::SameStep).unwrap();
    let mut buffers = Buffers::new(n, batch.env());
    batch.reset(None, None, &mut buffers.observations, None).unwrap();
    let mut play = |batch: &mut VecEnv<AnyEnv>, from: u64| {
        let mut all = Vec::new();
        for step in from..from + 10 {
            batch.step(Action::Continuous(&actions(n, step)), buffers.lend()).unwrap();
            all.push(buffers.clone());
        }
        all
    };
    play(&mut batch, 0);
    let state = batch.lanes().to_vec();
    // What was kept of earlier episodes is not part of the state: the second run starts where the first one ended.
    let first = play(&mut batch, 10);
    batch.restore(&state).unwrap();
    let second = play(&mut batch, 10);
    let futures = |runs: &[Buffers]| -> Vec<_> {
        runs.iter().map(|run| (run.observations.clone(), run.rewards.clone(), run.infos.clone())).collect()
    };
    assert!(futures(&first) == futures(&second));
    assert!(batch.restore(&state[1..]).is_err());
}

/// An environment that panics when it is told to.
#[derive(Clone, Debug)]
struct Fragile {
    observation: BoxSpace,
    action: Space,
}

impl Fragile {
    fn new() -> Self {
        let space = || BoxSpace::new(vec![Component::unbounded("number", "-")]);
        Self { observation: space(), action: Space::Box(space()) }
    }
}

impl Env for Fragile {
    fn observation_space(&self) -> &BoxSpace {
        &self.observation
    }
    fn action_space(&self) -> &Space {
        &self.action
    }
    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        observation[0] = 0.0;
        if session == lob::sim::derive_seed(13, 0) {
            return Err(EnvError::Session { session, problem: "unlucky".into() });
        }
        Ok(())
    }
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let value = action.continuous()[0];
        assert!(value < 100.0, "too much");
        observation[0] = value;
        Step { reward: value.into(), ..Step::default() }
    }
    fn info_names(&self) -> &'static [&'static str] {
        &[]
    }
    fn write_info(&self, _info: &mut [f64]) {}
    fn scene(&self) -> Scene {
        Scene::default()
    }
}

#[test]
fn a_panic_in_an_environment_reaches_the_caller_and_the_batch_goes_on() {
    for threads in [1, 2, 4] {
        let n = 12;
        let mut batch = VecEnv::new(Fragile::new(), n, None, threads, Autoreset::Disabled).unwrap();
        let mut buffers = Buffers::new(n, batch.env());
        batch.reset(None, None, &mut buffers.observations, None).unwrap();
        let mut actions = vec![1.0; n];
        actions[7] = 200.0;
        let result =
            catch_unwind(AssertUnwindSafe(|| batch.step(Action::Continuous(&actions), buffers.lend())));
        let panic = result.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"too much"));
        actions[7] = 2.0;
        batch.step(Action::Continuous(&actions), buffers.lend()).unwrap();
        assert_eq!(buffers.observations[7], 2.0);
        assert_eq!(buffers.rewards.iter().sum::<f64>(), 13.0);
    }
}

#[test]
fn a_session_that_cannot_begin_is_reported_with_the_first_row() {
    let mut batch = VecEnv::new(Fragile::new(), 4, None, 2, Autoreset::Disabled).unwrap();
    let mut observations = [UNTOUCHED; 4];
    let error = batch.reset(Some(&[1, 13, 13, 2]), None, &mut observations, None).unwrap_err();
    assert!(matches!(&error, EnvError::Session { problem, .. } if problem == "unlucky"), "{error}");
    let mut buffers = Buffers::new(4, batch.env());
    let error = batch.step(Action::Continuous(&[0.0; 4]), buffers.lend()).unwrap_err();
    assert_eq!(error, EnvError::NotReset { row: 1 }, "the others have begun");
}

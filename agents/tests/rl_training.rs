//! Trainings from their settings to their files: what they learn, that they go on as if never interrupted, and how they fail.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use agents::policy::{Decision, PolicyFile};
use agents::rl::{Observer, Outcome, Report, RunConfig, RunOptions, TrainError, train, train_in};
use gym::{Action, BoxSpace, Component, Env, EnvError, Scene, Settings, Space, Step};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

/// A context x in [-1, 1] and one decision an episode; the best reward of each kind of action is 1.
#[derive(Clone, Debug)]
struct Bandit {
    observation: BoxSpace,
    action: Space,
    x: f32,
    poisoned: bool,
}

impl Bandit {
    fn new(action: Space) -> Self {
        let observation = BoxSpace::new(vec![Component::new("context", "none", -1.0, 1.0)]);
        Self { observation, action, x: 0.0, poisoned: false }
    }

    fn continuous() -> Self {
        Self::new(Space::Box(BoxSpace::new(vec![Component::new("guess", "none", -1.0, 1.0)])))
    }

    fn shares() -> Self {
        let part = |index: usize| Component::new(format!("part {index}"), "share", 0.0, 1.0);
        Self::new(Space::Box(BoxSpace::new((0..3).map(part).collect())))
    }

    fn discrete() -> Self {
        Self::new(Space::Discrete(["low", "middle", "high"].map(str::to_owned).to_vec()))
    }

    fn lists() -> Self {
        let list = |name: &str| (name.to_owned(), vec!["no".to_owned(), "yes".to_owned()]);
        Self::new(Space::MultiDiscrete(vec![list("positive"), list("large")]))
    }
}

impl Env for Bandit {
    fn observation_space(&self) -> &BoxSpace {
        &self.observation
    }

    fn action_space(&self) -> &Space {
        &self.action
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.x = 2.0 * uniform(&mut SimRng::seed_from_u64(session)) as f32 - 1.0;
        observation[0] = self.x;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, _observation: &mut [f32]) -> Step {
        let x = self.x;
        let reward = match action {
            // The guess should be half the context; the first part should be its square.
            Action::Continuous([guess]) => 1.0 - (guess - 0.5 * x).powi(2),
            Action::Continuous(parts) => 1.0 - (parts[0] - x * x).powi(2),
            Action::Discrete([choice]) => {
                f32::from(*choice == if x < -0.3 { 0 } else { i64::from(x > 0.3) + 1 })
            }
            Action::Discrete(choices) => {
                let right = |choice: i64, wanted: bool| 0.5 * f32::from(choice == i64::from(wanted));
                right(choices[0], x > 0.0) + right(choices[1], x.abs() > 0.5)
            }
        };
        let reward = if self.poisoned { f64::NAN } else { f64::from(reward) };
        Step { reward, terminated: true, truncated: false }
    }

    fn info_names(&self) -> &'static [&'static str] {
        &[]
    }

    fn write_info(&self, _info: &mut [f64]) {}

    fn scene(&self) -> Scene {
        Scene::default()
    }
}

/// Ends a training after some updates.
struct Until(u64);

impl Observer for Until {
    fn updated(&mut self, report: &Report<'_>) -> bool {
        report.update < self.0
    }
}

fn config(text: &str) -> RunConfig {
    RunConfig::from_settings(&Settings::from_yaml(text, "test").unwrap()).unwrap()
}

fn options(directory: &Path, threads: usize) -> RunOptions {
    RunOptions { directory: directory.to_owned(), resume: false, device: tch::Device::Cpu, threads }
}

/// Mean reward of a policy's most likely actions.
fn score(mut env: Bandit, file: &Path) -> f64 {
    let file = PolicyFile::read(file).unwrap();
    file.header.fits(&env, "bandit").unwrap();
    let mut state = file.policy.state();
    let mut rng = SimRng::seed_from_u64(0);
    let mut observation = [0.0];
    let n = 2_000;
    let total: f64 = (0..n)
        .map(|session| {
            env.reset(1 << 40 | session, &mut observation).unwrap();
            state.reset();
            let action = file.policy.act(&observation, Decision::Mode, &mut rng, &mut state);
            env.step(action, &mut [0.0]).reward
        })
        .sum();
    total / n as f64
}

fn learns(env: Bandit, train_section: &str, at_least: f64) {
    let run = config(&format!("env: {{name: model_market_making}}\ntrain: {{{train_section}}}"));
    let directory = tempfile::tempdir().unwrap();
    let outcome =
        train_in(&env, &run, &options(&directory.path().join("run"), 2), &mut Until(u64::MAX)).unwrap();
    let reached = score(env, outcome.policy.as_deref().unwrap());
    assert!(reached > at_least, "{train_section}: {reached}");
}

const PPO: &str = "algorithm: ppo, steps: 60000, environments: 32, rollout_steps: 32, epochs: 4, minibatches: 4, \
                   learning_rate: 3.0e-3, discount: 0.9, network: {hidden: [32]}";

#[test]
fn ppo_solves_a_bandit_with_every_head() {
    learns(Bandit::continuous(), PPO, 0.99);
    learns(Bandit::continuous(), &format!("{PPO}, head: tanh_gaussian, entropy_coefficient: 0.001"), 0.99);
    learns(Bandit::shares(), &format!("{PPO}, head: logistic_normal, final_deviation: 0.3"), 0.98);
    learns(Bandit::shares(), &format!("{PPO}, head: dirichlet"), 0.98);
    learns(Bandit::discrete(), PPO, 0.95);
    learns(Bandit::lists(), &PPO.replace("[32]", "[32, 32]"), 0.95);
}

#[test]
fn ppo_solves_a_bandit_with_every_network() {
    let window = "window: 3, body_size: 16, body_layers: 2, kernel: 2, hidden: [16]";
    for network in
        ["hidden: [32], shared: true", &format!("body: gru, {window}"), &format!("body: tcn, {window}")]
    {
        learns(Bandit::continuous(), &PPO.replace("hidden: [32]", network), 0.98);
    }
}

#[test]
fn the_other_algorithms_solve_a_bandit() {
    let common = "steps: 80000, environments: 32, network: {hidden: [32]}, learning_rate: 3.0e-3";
    let longer = common.replace("80000", "300000");
    learns(
        Bandit::shares(),
        &format!("algorithm: actor_critic, rollout_steps: 16, head: logistic_normal, {longer}"),
        0.97,
    );
    learns(Bandit::continuous(), &format!("algorithm: reinforce, rollout_steps: 16, {common}"), 0.98);
    learns(
        Bandit::continuous(),
        &format!("algorithm: reinforce, rollout_steps: 16, baseline: false, {common}"),
        0.97,
    );
    for more in ["double: true", "prioritised: true, duelling: false", "double: false, n_step: 1"] {
        let dqn = "algorithm: dqn, rollout_steps: 4, gradient_steps: 2, batch: 64, warm_up: 1000, replay: 20000, target_interval: 100";
        learns(Bandit::discrete(), &format!("{dqn}, {more}, {common}"), 0.95);
    }
}

/// Every number of a metrics file but the times, which come last.
fn numbers(directory: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join("metrics.csv")).unwrap();
    let untimed = |line: &str| line.rsplitn(3, ',').nth(2).unwrap().to_owned();
    text.lines().map(untimed).collect()
}

#[test]
fn an_interrupted_training_goes_on_as_if_it_had_not_been() {
    let env = "env: {name: model_market_making, horizon_seconds: 0.2}";
    let ppo = "algorithm: ppo, rollout_steps: 24, epochs: 2, minibatches: 3, network: {hidden: [16]}";
    let gru = "algorithm: ppo, rollout_steps: 24, epochs: 1, minibatches: 2, final_deviation: 0.2, \
               network: {body: gru, window: 4, body_size: 8, hidden: [8]}";
    let paper =
        "algorithm: actor_critic, rollout_steps: 24, network: {hidden: [16]}, normalise_observations: false";
    let reinforce = "algorithm: reinforce, rollout_steps: 24, network: {hidden: [16], shared: true}";
    for section in [ppo, gru, paper, reinforce] {
        let run = config(&format!(
            "{env}\ntrain: {{{section}, steps: 1500, environments: 9, checkpoint_updates: 2}}"
        ));
        let directory = tempfile::tempdir().unwrap();
        let (whole, cut) = (directory.path().join("whole"), directory.path().join("cut"));
        let outcome = train(&run, &options(&whole, 1), &mut Until(u64::MAX)).unwrap();
        assert!(outcome.complete && outcome.updates == 7);
        let first = train(&run, &options(&cut, 1), &mut Until(3)).unwrap();
        assert_eq!((first.updates, first.complete, &first.policy), (3, false, &None));
        // A run that is killed leaves metrics beyond its checkpoint.
        let metrics = cut.join("metrics.csv");
        let text = std::fs::read_to_string(&metrics).unwrap();
        std::fs::write(&metrics, text + "4,864,0,,,0,0\n").unwrap();
        let episodes = cut.join("episodes.csv");
        let text = std::fs::read_to_string(&episodes).unwrap();
        std::fs::write(&episodes, text + "4,0,9,40,1.5\n4,1,").unwrap();
        let again = RunOptions { resume: true, ..options(&cut, 2) };
        assert_eq!(
            train(&run, &again, &mut Until(u64::MAX)).unwrap(),
            Outcome {
                policy: Some(cut.join("policy.safetensors")),
                evaluation: Some(cut.join("evaluation.json")),
                ..outcome
            }
        );
        assert_eq!(numbers(&whole), numbers(&cut), "{section}");
        for file in ["policy.safetensors", "checkpoint.safetensors", "episodes.csv"] {
            assert_eq!(
                std::fs::read(whole.join(file)).unwrap(),
                std::fs::read(cut.join(file)).unwrap(),
                "{section} {file}"
            );
        }
    }
}

#[test]
fn an_interrupted_dqn_goes_on_as_if_it_had_not_been() {
    for more in ["prioritised: true", "prioritised: false"] {
        let section = "algorithm: dqn, rollout_steps: 4, gradient_steps: 2, batch: 16, warm_up: 50, replay: 500, \
                       target_interval: 3, network: {hidden: [8]}, steps: 400, environments: 5";
        let run = config(&format!("env: {{name: model_market_making}}\ntrain: {{{section}, {more}}}"));
        let directory = tempfile::tempdir().unwrap();
        let (whole, cut) = (directory.path().join("whole"), directory.path().join("cut"));
        train_in(&Bandit::discrete(), &run, &options(&whole, 1), &mut Until(u64::MAX)).unwrap();
        train_in(&Bandit::discrete(), &run, &options(&cut, 1), &mut Until(8)).unwrap();
        let again = RunOptions { resume: true, ..options(&cut, 1) };
        train_in(&Bandit::discrete(), &run, &again, &mut Until(u64::MAX)).unwrap();
        assert_eq!(numbers(&whole), numbers(&cut));
        let read = |directory: &Path| std::fs::read(directory.join("checkpoint.safetensors")).unwrap();
        assert!(read(&whole) == read(&cut));
    }
}

#[test]
fn what_cannot_be_trained_is_refused_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    let run = |section: &str| {
        config(&format!("env: {{name: model_market_making}}\ntrain: {{{section}, steps: 100}}"))
    };
    let refuse = |section: &str, path: &Path, resume: bool| {
        let options = RunOptions { resume, ..options(path, 1) };
        train(&run(section), &options, &mut Until(u64::MAX)).unwrap_err().to_string()
    };
    let path = directory.path().join("new");
    for (section, expected) in [
        ("algorithm: dqn", "train.algorithm is dqn; legal: ppo"),
        ("algorithm: ppo, head: categorical", "train.head"),
        ("algorithm: ppo, head: dirichlet", "no shares from 0 to 1"),
        (
            "algorithm: ppo, network: {policy_bias: [1, 2]}",
            "train.network.policy_bias is a list of 2; legal: 1 number, or 4",
        ),
    ] {
        let message = refuse(section, &path, false);
        assert!(message.contains(expected), "{message}");
        assert!(!path.exists(), "{section}: nothing is written");
    }
    std::fs::write(directory.path().join("file"), "").unwrap();
    let message = refuse("algorithm: ppo", &directory.path().join("file/run"), false);
    assert!(message.contains("file/run"), "{message}");
    let message = refuse("algorithm: ppo", &path, true);
    assert!(message.contains("checkpoint.safetensors"), "{message}");
    train(&run("algorithm: ppo"), &options(&path, 1), &mut Until(u64::MAX)).unwrap();
    assert!(refuse("algorithm: ppo", &path, false).contains("--resume"));
    let message = refuse("algorithm: ppo, clip: 0.3", &path, true);
    assert!(message.contains("train.clip was 0.2, now it is 0.3"), "{message}");
}

#[test]
fn numbers_that_are_none_stop_training_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let run =
        config("env: {name: model_market_making}\ntrain: {algorithm: ppo, steps: 1000, environments: 2}");
    let poisoned = Bandit { poisoned: true, ..Bandit::continuous() };
    let result = train_in(&poisoned, &run, &options(&directory.path().join("a"), 1), &mut Until(u64::MAX));
    let message = result.unwrap_err().to_string();
    assert!(message.contains("update 1: environment 0: the reward is NaN"), "{message}");

    let text = "env: {name: model_market_making}\n\
                train: {algorithm: ppo, steps: 100000, environments: 8, learning_rate: 1.0e30, normalise_rewards: false}";
    let result = train(&config(text), &options(&directory.path().join("b"), 1), &mut Until(u64::MAX));
    assert!(matches!(result, Err(TrainError::Learn(_))));
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains("update ") && (message.contains("diverged") || message.contains("not finite")),
        "{message}"
    );
}

/// The level of Avellaneda & Stoikov's strategy in their own market, from the environment's documentation; see docs/training.md.
#[test]
#[ignore = "a minute in an optimised build"]
fn ppo_makes_markets_as_well_as_avellaneda_and_stoikov() {
    let settings = Settings::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/train/model_market_making_ppo.yaml"),
    );
    let run = RunConfig::from_settings(&settings.unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let outcome = train(&run, &options(&directory.path().join("run"), 2), &mut Until(u64::MAX)).unwrap();
    let learned = evaluate_market_maker(Some(&PolicyFile::read(outcome.policy.as_deref().unwrap()).unwrap()));
    let classic = evaluate_market_maker(None);
    println!("learned {learned:.3}, Avellaneda & Stoikov {classic:.3}");
    assert!(learned > classic, "{learned} {classic}");
}

/// Mean reward of an episode, over episodes never trained on: of a policy, or of the strategy with gamma 0.01, which is about the best.
fn evaluate_market_maker(policy: Option<&PolicyFile>) -> f64 {
    let config = gym::envs::ModelMarketMakingConfig::default();
    let mut env = gym::envs::ModelMarketMaking::new(&config).unwrap();
    let (gamma, k, sigma) = (0.01_f64, config.decay, config.volatility);
    let mut state = policy.map(|file| file.policy.state());
    let mut rng = SimRng::seed_from_u64(0);
    let mut observation = vec![0.0; env.observation_space().len()];
    let episodes = 1_000;
    let mut total = 0.0;
    for session in 0..episodes {
        env.reset(1 << 50 | session, &mut observation).unwrap();
        if let Some(state) = &mut state {
            state.reset();
        }
        loop {
            let step = match (policy, &mut state) {
                (Some(file), Some(state)) => {
                    let action = file.policy.act(&observation, Decision::Mode, &mut rng, state);
                    env.step(action, &mut observation)
                }
                _ => {
                    let variance = sigma * sigma * env.time_left();
                    let half = gamma * variance / 2.0 + (1.0 + gamma / k).ln() / gamma;
                    let shift = -env.inventory() * gamma * variance;
                    let quotes = gym::Quotes { offset: [half - shift, half + shift], lots: [1, 1] };
                    let action = env.action().action(&quotes);
                    env.step(Action::Continuous(&action), &mut observation)
                }
            };
            total += step.reward;
            if step.is_last() {
                break;
            }
        }
    }
    total / episodes as f64
}

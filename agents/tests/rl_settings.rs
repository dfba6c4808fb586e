//! The schema of trainings, and the files in config/train. No libtorch here.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use agents::rl::{AlgorithmSettings, HeadChoice, RunConfig, shipped, shipped_names};
use gym::Settings;

fn read(text: &str) -> Result<RunConfig, String> {
    RunConfig::from_settings(&Settings::from_yaml(text, "test").unwrap()).map_err(|error| error.to_string())
}

#[test]
fn every_shipped_training_is_legal() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/train");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let run = RunConfig::from_settings(&Settings::read(&path).unwrap()).unwrap();
        assert_eq!(run.common.seed, 0, "{}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        let shipped = RunConfig::from_settings(&shipped(name).unwrap()).unwrap();
        assert_eq!((shipped.common, shipped.algorithm), (run.common, run.algorithm.clone()), "{name}");
        names.push(run.algorithm.name());
    }
    names.sort_unstable();
    assert_eq!(names.len(), shipped_names().count(), "each is in the list of what comes with the library");
    assert_eq!(
        names,
        ["actor_critic", "actor_critic", "dqn", "ppo", "ppo", "ppo", "ppo", "ppo", "ppo", "ppo", "reinforce"]
    );
}

#[test]
fn a_name_that_is_not_shipped_is_refused_with_one_that_is() {
    let error = shipped("market_making_poo").unwrap_err().to_string();
    assert!(error.contains("did you mean market_making_ppo?"), "{error}");
}

#[test]
fn the_paper_is_the_default_of_the_actor_critic() {
    let AlgorithmSettings::ActorCritic(settings) =
        read("env: {name: model_market_making}\ntrain: {algorithm: actor_critic}").unwrap().algorithm
    else {
        panic!("the algorithm is the one that was named")
    };
    assert_eq!((settings.rollout_steps, settings.learning_rate, settings.adam_epsilon), (100, 5e-4, 1e-5));
    assert_eq!((settings.discount, settings.trace, settings.clip), (1.0, 1.0, 0.5));
    assert_eq!((settings.value_coefficient, settings.gradient_norm), (0.5, 0.5));
    assert_eq!((settings.initial_deviation, settings.final_deviation), (1.0, Some(0.32)));
}

#[test]
fn what_is_not_legal_is_named_with_what_would_be() {
    for (train, expected) in [
        ("{}", "train.algorithm is null; legal: one of ppo, actor_critic, reinforce, dqn"),
        ("{algorithm: pop}", "train.algorithm is \"pop\"; legal: one of ppo"),
        ("{algorithm: ppo, learning_rat: 1}", "did you mean learning_rate?"),
        ("{algorithm: ppo, double: true}", "train.double is true, an unknown setting"),
        ("{algorithm: ppo, clip: -1}", "train.clip is -1; legal: a finite number > 0"),
        ("{algorithm: ppo, epochs: many}", "train.epochs is \"many\""),
        ("{algorithm: ppo, head: beta}", "train.head is \"beta\""),
        ("{algorithm: ppo, steps: 0}", "train.steps is 0"),
        ("{algorithm: ppo, episode_log: 0}", "train.episode_log is 0"),
        (
            "{algorithm: ppo, episode_log: some}",
            "train.episode_log is \"some\"; legal: true, false or a number of episodes",
        ),
        ("{algorithm: ppo, network: {hidden: [0]}}", "train.network.hidden[0] is 0"),
        ("{algorithm: ppo, network: {widths: [8]}}", "train.network"),
        ("{algorithm: dqn, discount: 1.5}", "train.discount is 1.5; legal: a number from 0 to 1"),
        ("{algorithm: dqn, replay: 10}", "train.replay is 10"),
    ] {
        let message = read(&format!("env: {{name: model_market_making}}\ntrain: {train}")).unwrap_err();
        assert!(message.contains(expected), "{train}: {message}");
    }
    let message = read("env: {name: model_market_making}\ntrain: {algorithm: ppo}\ntrian: {}").unwrap_err();
    assert!(message.contains("trian") && message.contains("the sections env and train"), "{message}");
}

#[test]
fn resolved_settings_read_back_to_the_same() {
    for algorithm in AlgorithmSettings::NAMES {
        let text = format!(
            "env: {{name: model_market_making, decay: 2}}\ntrain: {{algorithm: {algorithm}, seed: 7, discount: 0.5}}"
        );
        let run = read(&text).unwrap();
        assert_eq!(run.common.head, HeadChoice::Auto);
        let again = RunConfig::from_settings(&Settings::from_map(run.to_map())).unwrap();
        assert_eq!(run, again, "{algorithm}");
    }
}

#[test]
fn files_are_recorded_by_absolute_paths() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("configs");
    std::fs::create_dir(&home).unwrap();
    let text = "env: {name: execution, market: ../own.yaml, flow_file: flow.npz, latency: {order: {recorded: {file: delays.csv, \
                column: delay, unit_seconds: 1.0e-9}}}}\ntrain: {algorithm: ppo}";
    std::fs::write(home.join("run.yaml"), text).unwrap();
    let run = RunConfig::from_settings(&Settings::read(home.join("run.yaml")).unwrap()).unwrap();
    let env = &run.to_map()["env"];
    assert_eq!(env["market"], home.join("../own.yaml").to_str().unwrap());
    assert_eq!(env["flow_file"], home.join("flow.npz").to_str().unwrap());
    assert_eq!(env["latency"]["order"]["recorded"]["file"], home.join("delays.csv").to_str().unwrap());
    let named = read("env: {name: execution, market: flow}\ntrain: {algorithm: ppo}").unwrap();
    assert_eq!((&named.to_map()["env"]["market"], named.common.evaluation_episodes), (&"flow".into(), 500));
}

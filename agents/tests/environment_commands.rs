//! `lobgym bench env` and `lobgym episode` as a shell sees them.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod made_policy;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const MODEL: &str = "model_market_making";

#[test]
fn rates_are_a_table_and_exactly_the_promised_json() {
    let arguments =
        ["bench", "env", MODEL, "--threads", "1,2", "--num-envs", "8", "--seconds", "0.01", "--runs", "3"];
    let output = lobgym(&[&arguments[..], &["--set", "env.decay=2", "--json", "-"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("M steps/s"), "the table goes to standard error");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), ["results"]);
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, threads) in results.iter().zip([1, 2]) {
        assert_eq!(keys(result), ["env", "front", "num_envs", "settings", "steps_per_second", "threads"]);
        assert_eq!((&result["env"], &result["front"]), (&MODEL.into(), &"native".into()));
        assert_eq!((&result["num_envs"], &result["threads"]), (&8.into(), &threads.into()));
        assert_eq!(result["settings"]["decay"], 2.0);
        let speed = |key: &str| result["steps_per_second"][key].as_f64().unwrap();
        assert!(0.0 < speed("min") && speed("min") <= speed("median") && speed("median") <= speed("max"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_measured_in_a_process_of_its_own() {
    let output =
        lobgym(&["bench", "env", MODEL, "--seconds", "0.01", "--runs", "1", "--memory", "--json", "-"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["memory"][0]["num_envs"], 10_000);
    let bytes = json["memory"][0]["bytes"].as_u64().unwrap();
    assert!((1_000_000..100_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn an_episode_is_a_picture_and_its_figures_and_the_seed_decides() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let play = |name: &str, seed: &str| {
        let png = path(name);
        let output = lobgym(&["episode", "--seed", seed, "--png", &png, "--size", "320x240", "--json", "-"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (std::fs::read(png).unwrap(), text(&output.stdout))
    };
    let (first, again, other) = (play("a.png", "1"), play("b.png", "1"), play("c.png", "2"));
    assert!(first == again && first.0 != other.0 && first.1 != other.1);
    let reader = png::Decoder::new(std::io::Cursor::new(&first.0)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (320, 240));
    let json: Value = serde_json::from_str(&first.1).unwrap();
    let info = |name: &str| json["infos"][name].as_f64().unwrap();
    assert!((info("spread_profit") + info("inventory_profit") - info("profit")).abs() < 1e-9);
    assert_eq!(json["steps"], 200);
    // Pictures appear whole: nothing else is left in the folder.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn an_episode_may_be_a_trained_policys() {
    let directory = tempfile::tempdir().unwrap();
    let config = made_policy::config("name: model_market_making");
    let policy = &made_policy::write(&made_policy::constant(&config), &directory.path().join("run"));
    let play = |more: &[&str]| {
        let output = lobgym(&[&["episode", "--policy", policy, "--json", "-"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (one, other) = (play(&["--seed", "1"]), play(&["--seed", "2"]));
    assert_eq!(one, play(&["--seed", "1"]));
    assert_ne!(one["reward"], other["reward"]);
    assert!(one["policy"].as_str().unwrap().starts_with(policy.as_str()), "{one}");
    // In the environment it was trained in, unless another one is asked for, which it may not fit.
    assert_eq!(one["env"], MODEL);
    let output = lobgym(&["episode", "--policy", policy, "--env", "market_making"]);
    assert!(!output.status.success() && !output.stderr.is_empty());
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    for (arguments, expected) in [
        (&["bench", "env", "market_makin"][..], "did you mean market_making?"),
        (&["bench", "env", MODEL, "--seconds", "0"], "above 0"),
        (&["bench", "env", MODEL, "--threads", "0"], "1..=1024"),
        (&["bench", "env", MODEL, "--config", "x.yaml"], "--config"),
        (&["bench", "env", MODEL, "--set", "env.decay=0"], "env.decay is 0"),
        (&["episode", "--env", "execution"], "offsets and sizes"),
        (&["episode", "--policy", "best"], "avellaneda-stoikov"),
        (&["episode", "--set", "decay=2"], "env.KEY=VALUE"),
        (&["episode", "--gamma", "0"], "gamma is 0"),
        (&["episode", "--size", "10x10"], "from 64 to 8192"),
    ] {
        let output = lobgym(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(lobgym(&["episode", "--config", "no/such.yaml"]).status.code(), Some(1));
}

//! `lobgym train` as a shell sees it.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn config(directory: &Path, steps: u64) -> String {
    let path = directory.join("tiny.yaml");
    let text = format!(
        "env: {{name: model_market_making}}\ntrain: {{algorithm: ppo, steps: {steps}, environments: 4, rollout_steps: 16, \
         epochs: 1, minibatches: 2, network: {{hidden: [8]}}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).arg("train").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_run_writes_its_files_and_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let output =
        train(&[&config(directory.path(), 256), "--out", out.to_str().unwrap(), "--set", "train.seed=3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("seed 3: mean return "), "{}", text(&output.stdout));
    let progress = text(&output.stderr);
    assert!(progress.contains("256/256 steps") && progress.contains("steps/s"), "{progress}");
    assert!(!progress.contains('\u{1b}'), "no escape sequences without a terminal");
    for name in [
        "config.yaml",
        "run.json",
        "metrics.csv",
        "episodes.csv",
        "checkpoint.safetensors",
        "policy.safetensors",
    ] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let events =
        |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("events.out.tfevents");
    assert!(std::fs::read_dir(&out).unwrap().any(|entry| events(entry.unwrap())));
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 1 + 4, "a header and four updates");
    // The resolved settings are a legal configuration, and a run is not written over.
    let resolved = out.join("config.yaml");
    let again = train(&[resolved.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--resume"), "{}", text(&again.stderr));
    let resumed = train(&[resolved.to_str().unwrap(), "--out", out.to_str().unwrap(), "--resume"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
}

#[test]
fn several_seeds_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("runs");
    let config = config(directory.path(), 1_600);
    let output = train(&[&config, "--out", out.to_str().unwrap(), "--seeds", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary = text(&output.stdout);
    assert!(
        summary.contains("3 seeds: interquartile mean ") && summary.contains("95% bootstrap interval"),
        "{summary}"
    );
    let policies: Vec<_> = (0..3)
        .map(|seed| std::fs::read(out.join(format!("seed-{seed}/policy.safetensors"))).unwrap())
        .collect();
    assert!(policies[0] != policies[1] && policies[1] != policies[2]);
}

#[test]
fn wrong_usage_exits_2_and_names_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), 256);
    for (arguments, expected) in [
        (&[][..], "CONFIG"),
        (&["--set", "train.clip=-1"], "train.clip is -1"),
        (&["--set", "train.cilp=0.1"], "clip"),
        (&["--set", "env.decay=-1"], "env.decay is -1"),
        (&["--resume"], "--out"),
        (&["--threads", "0"], "1..=1024"),
        (&["--device", "tpu"], "cpu, cuda"),
    ] {
        let all: Vec<&str> = if arguments.is_empty() { vec![] } else { [&[&*config], arguments].concat() };
        let output = train(&all);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
    let missing = directory.path().join("none.yaml");
    let output = train(&[missing.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("none.yaml"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint_that_can_be_gone_on_from() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let config = config(directory.path(), 1_000_000_000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .args(["train", &config, "--out", out.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The second line is the first update's: the handler is installed and training has begun.
    assert!(lines.next().unwrap().unwrap().contains("training in"));
    lines.next().unwrap().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.last().unwrap().contains("--resume --out"), "{rest:?}");
    assert!(out.join("checkpoint.safetensors").is_file());
    assert!(!out.join("policy.safetensors").exists());
}

//! `lobgym policy inspect` as a shell sees it.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod made_policy;

use std::process::{Command, Output, Stdio};

use made_policy::{drawn, submit_and_leave, write};
use serde_json::{Value, json};

fn inspect(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_lobgym");
    Command::new(program).args(["policy", "inspect"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_run_and_its_file_say_what_the_policy_is_and_needs() {
    let directory = tempfile::tempdir().unwrap();
    write(&drawn("market: flow, lots: 20"), directory.path());
    let run = directory.path().to_str().unwrap();
    let file = directory.path().join("policy.safetensors");
    let of_run = inspect(&[run]);
    assert_eq!(of_run.status.code(), Some(0), "{}", text(&of_run.stderr));
    assert_eq!(of_run.stdout, inspect(&[file.to_str().unwrap()]).stdout);
    let said = text(&of_run.stdout);
    for words in [
        "1, written by version test",
        "by ppo in execution (market flow)",
        "mlp, 66-6, tanh; 402 parameters",
        "logistic_normal, mean standard deviation 0.500; draws its action",
        "observation, 66 numbers",
        "26-45 | level of lot 0 to 19",
        "limit order at best bid + 1 to 5",
        "step_seconds: 15",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("flow_file"), "what is null is not listed");
    let output = inspect(&[run, "--json", "-"]);
    assert!(text(&output.stderr).contains("observation, 66 numbers"));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 14, "{keys:?}");
    assert_eq!((&json["format"], &json["parameters"]), (&json!(1), &json!(402)));
    assert_eq!(json["decision"], "sample");
    assert_eq!(json["observation"]["count"], 66);
    let groups = json["observation"]["groups"].as_array().unwrap();
    let covered: u64 = groups
        .iter()
        .map(|group| group["last"].as_u64().unwrap() - group["first"].as_u64().unwrap() + 1)
        .sum();
    assert_eq!(covered, 66);
    assert_eq!(json["action"]["groups"][1]["name"], "limit order at best bid + 1 to 5");
    assert_eq!((&json["env"]["lots"], &json["training"]["seed"]), (&json!(20), &json!(7)));
    assert_eq!(json["tensors"][0], json!({"name": "layers.0.weight", "shape": [6, 66]}));
}

#[test]
fn choices_are_listed_by_name() {
    let directory = tempfile::tempdir().unwrap();
    write(&submit_and_leave("lots: 20"), directory.path());
    let said = text(&inspect(&[directory.path().to_str().unwrap()]).stdout);
    assert!(said.contains("action, one of 7: ") && said.contains("takes the likeliest action"), "{said}");
}

#[test]
fn what_is_no_policy_or_of_another_format_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let refused = |words: &str| {
        let output = inspect(&[path]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(words) && output.stdout.is_empty(), "{message}");
    };
    refused("a run has one when its training is complete");
    for format in [0, 2] {
        let mut other = drawn("lots: 20");
        other.header.format = format;
        write(&other, directory.path());
        refused(&format!(
            "format is {format}; legal: 1. Use the version of lobgym that wrote it, or train it again"
        ));
    }
    std::fs::write(directory.path().join("policy.safetensors"), b"something else").unwrap();
    refused("no safetensors file");
    assert_eq!(inspect(&[]).status.code(), Some(2));
}

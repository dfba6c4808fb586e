//! `lobgym calibrate-impact` as a shell sees it: exit codes, output streams, the files.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lob::models::ImpactConfig;

fn calibrate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .arg("calibrate-impact")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SMALL: [&str; 8] = ["--market", "flow", "--sizes", "20,5", "--rates", "1,4", "--sessions", "20"];

#[test]
fn the_files_are_written_and_depend_on_the_seed_alone() {
    let directory = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: &str, threads: &str| {
        let path =
            |ending: &str| directory.path().join(format!("{name}.{ending}")).to_str().unwrap().to_owned();
        let (yaml, json, svg) = (path("yaml"), path("json"), path("svg"));
        let files = ["--out", &yaml, "--json", &json, "--svg", &svg, "--seed", seed, "--threads", threads];
        let output = calibrate(&[&SMALL[..], &files].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.contains("Fresh meta-orders") && table.contains("square_root"), "{table}");
        (yaml, std::fs::read_to_string(json).unwrap(), std::fs::read_to_string(svg).unwrap())
    };
    let (yaml, json, svg) = run("a", "3", "1");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["cells"].as_array().unwrap().len(), 4);
    assert_eq!(value["fresh"][0]["lots"], 10);
    assert_eq!(value["chosen"], value["fits"][0]["family"]);
    let text = std::fs::read_to_string(&yaml).unwrap();
    assert!(
        text.contains("--sizes 5,20 --rates 1,4 --sessions 20") && text.contains("standard error"),
        "{text}"
    );
    let config = ImpactConfig::from_yaml(&yaml).unwrap();
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(
        written.as_object().unwrap().keys().next(),
        value["fits"][0]["config"].as_object().unwrap().keys().next()
    );
    roxmltree::Document::parse(&svg).unwrap();
    assert!(run("b", "3", "3").1 == json);
    assert!(run("c", "4", "1").1 != json);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 9, "no temporary file is left");
}

#[test]
fn a_family_can_be_chosen_and_json_goes_to_standard_output() {
    let output = calibrate(&[&SMALL[..], &["--model", "square_root", "--json", "-"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["chosen"], "square_root");
    assert!(stderr(&output).contains("Fitted meta-orders"));
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    for (arguments, says) in [
        (&["--sizes", "5"][..], "--sizes is a list of 1; legal: 2 to 20 entries"),
        (&["--sizes", "0,5"], "--sizes is 0; legal: whole numbers of lots"),
        (&["--rates", "0"], "--rates is 0; legal: lots a second"),
        (&["--rates", "NaN"], "--rates is NaN"),
        (&["--sessions", "1"], "--sessions is 1; legal: a whole number from 2"),
        (&["--warm-up=-1"], "--warm-up is -1; legal"),
        (&["--volatility-lag", "1e9"], "--volatility-lag is 1000000000; legal"),
        (&["--model", "cubic"], "square_root, temporary"),
        (&["--market", "moon"], "no such market"),
        (&["--threads", "0"], "--threads"),
    ] {
        let output = calibrate(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_cannot_be_measured_exits_1() {
    let output = calibrate(&["--market", "flow", "--sizes", "5,5000", "--rates", "10000", "--sessions", "2"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("take smaller sizes"), "{}", stderr(&output));
    let output = calibrate(&[&SMALL[..], &["--out", "/nowhere/at/all.yaml"]].concat());
    assert_eq!(code(&output), 1, "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_nothing_and_exits_130() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    // Hours of work, so that it is under way whenever the signal comes.
    let mut child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .arg("calibrate-impact")
        .args(["--market", "flow", "--sizes", "20,80", "--rates", "0.1,1", "--sessions", "1000000"])
        .args(["--out", &path("a.yaml"), "--svg", &path("a.svg"), "--json", &path("a.json")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(child.try_wait().unwrap().is_none(), "it is under way");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(60) => {
                child.kill().unwrap();
                panic!("still running a minute after Ctrl-C");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let (mut said, mut printed) = (String::new(), String::new());
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("nothing is printed or written"), "{said}");
    assert_eq!(printed, "");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "no file, whole or not");
}

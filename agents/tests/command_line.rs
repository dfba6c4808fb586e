//! The command as a shell sees it: exit codes, output streams, files.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn path(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn help_and_version_succeed() {
    for arguments in [&["--help"][..], &["--version"], &["bench", "--help"], &["bench", "latency", "--help"]]
    {
        let output = lobgym(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(stdout(&output).contains("lobgym"), "{arguments:?}");
        assert!(stderr(&output).is_empty(), "{arguments:?}");
    }
    assert!(stdout(&lobgym(&["--help"])).contains("Exit codes"));
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    for (arguments, expected) in [
        (&[][..], "Usage"),
        (&["simulat"], "simulat"),
        (&["bench", "latency", "--runs", "0"], "1..=1000"),
        (&["bench", "latency", "--count", "many"], "many"),
        (&["bench", "latency", "--workload", "huge"], "mixed, small, both"),
        (&["bench", "latency", "--engines", "fast"], "lob-handles"),
        (&["bench", "latency", "--messages", "a", "--generate", "b"], "--generate"),
        (&["bench", "latency", "--messages", "a", "--seed", "1"], "--seed"),
        (&["bench", "latency", "--generate", "b", "--workload", "both"], "mixed or small"),
        (&["bench", "latency", "--json", ""], "legal: a file, or -"),
        (&["bench", "growth", "--live", "0"], "1..="),
    ] {
        let output = lobgym(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{arguments:?}");
    }
}

#[cfg(not(feature = "torch"))]
#[test]
fn a_build_without_libtorch_says_what_training_needs() {
    for arguments in [&["train"][..], &["train", "--config", "x.yaml", "--help"]] {
        let output = lobgym(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        let message = stderr(&output);
        assert!(
            message.contains("pip install") && message.contains("target/release/lobgym train"),
            "{message}"
        );
    }
}

/// A directory with a `python3` that is this shell script.
#[cfg(unix)]
fn python(directory: &Path, script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(directory.join("bin")).unwrap();
    for name in ["python", "python3"] {
        let file = directory.join("bin").join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory.join("bin")
}

#[cfg(unix)]
#[test]
fn tune_hands_over_to_the_first_python_that_has_the_package() {
    let directory = tempfile::tempdir().unwrap();
    let has = r#"[ "$1" = -c ] && exit 0; echo "HERE $@"; exit 130"#;
    let lacks = r#"echo "Traceback" >&2; echo "ModuleNotFoundError: No module named 'lobgym'" >&2; exit 1"#;
    let tune = |path: &Path, active: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
        command.args(["tune", "--help", "a b", "--trials=3"]).env("PATH", path).env_remove("VIRTUAL_ENV");
        active.map(|active| command.env("VIRTUAL_ENV", active));
        command.output().unwrap()
    };
    let good = python(&directory.path().join("good"), &has.replace("HERE", "path"));
    let bad = python(&directory.path().join("bad"), lacks);
    let active = directory.path().join("active");
    python(&active, &has.replace("HERE", "active"));
    for (path, active, expected) in
        [(&good, None, "path"), (&good, Some(&*active), "active"), (&good, bad.parent(), "path")]
    {
        let output = tune(path, active);
        assert_eq!(code(&output), 130);
        assert_eq!(stdout(&output), format!("{expected} -m lobgym.tuning --help a b --trials=3\n"));
    }
    let output = tune(&bad, Some(&directory.path().join("none")));
    assert_eq!(code(&output), 2);
    let message = stderr(&output);
    assert!(message.contains("none/bin/python: No such file"), "{message}");
    assert!(message.contains("python3: ModuleNotFoundError: No module named 'lobgym'"), "{message}");
    assert!(message.contains("pip install '.[agents,tune]'"), "{message}");
}

#[cfg(unix)]
#[test]
fn collecting_hands_over_to_a_python_and_says_what_to_install() {
    let directory = tempfile::tempdir().unwrap();
    let good = python(&directory.path().join("good"), r#"[ "$1" = -c ] && exit 0; echo "$@"; exit 3"#);
    let bad = python(&directory.path().join("bad"), r#"echo "No module named 'duckdb'" >&2; exit 1"#);
    let run = |name: &str, path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
        command.args([name, "x", "--help"]).env("PATH", path).env_remove("VIRTUAL_ENV");
        // Where no `.venv` is.
        command.current_dir(directory.path()).output().unwrap()
    };
    for name in ["collect", "replay-feed", "store"] {
        let output = run(name, &good);
        assert_eq!(code(&output), 3);
        assert_eq!(stdout(&output), format!("-m lobgym.live {name} x --help\n"));
        let output = run(name, &bad);
        assert_eq!(code(&output), 2);
        let message = stderr(&output);
        assert!(message.contains("python3: No module named 'duckdb'"), "{message}");
        assert!(message.contains(&format!("`{name}` needs")) && message.contains("'.[live]'"), "{message}");
    }
    assert_eq!(stdout(&run("direction", &good)), "-m lobgym.direction x --help\n");
    let message = stderr(&run("direction", &bad));
    assert!(
        message.contains("`direction` needs a Python that has lobgym with XGBoost")
            && message.contains("'.[xgboost]'"),
        "{message}"
    );
}

#[cfg(not(feature = "peers"))]
#[test]
fn peers_without_the_feature_say_how_to_build() {
    for arguments in [&["bench", "latency", "--peers"][..], &["bench", "latency", "--engines", "matchcore"]] {
        let output = lobgym(arguments);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("--features peers"), "{}", stderr(&output));
    }
}

#[test]
fn generated_files_depend_on_the_seed_alone() {
    let directory = tempfile::tempdir().unwrap();
    let generate = |name: &str, seed: &str, workload: &str| {
        let file = path(&directory, name);
        let arguments = [
            "bench",
            "latency",
            "--generate",
            &file,
            "--seed",
            seed,
            "--count",
            "3000",
            "--workload",
            workload,
        ];
        let output = lobgym(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).contains("live orders on average"), "{}", stdout(&output));
        std::fs::read(file).unwrap()
    };
    let bytes = generate("a", "5", "mixed");
    assert_eq!(bytes.len(), 64 + 3_000 * 32);
    assert_eq!(bytes, generate("b", "5", "mixed"));
    assert_ne!(bytes, generate("c", "6", "mixed"));
    assert_ne!(bytes, generate("d", "5", "small"));
}

#[test]
fn latency_reports_the_documented_json() {
    let output =
        lobgym(&["bench", "latency", "--count", "5000", "--runs", "2", "--workload", "both", "--json", "-"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let table = stderr(&output);
    assert!(table.contains("| engine"), "{table}");
    assert!(!table.contains('\u{1b}'), "no escape sequences without a terminal");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["complete"], true);
    assert!(json["clock_overhead_ns"].as_f64().unwrap() > 0.0);
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    for result in results {
        assert!(result["engine"].is_string());
        assert!(["external-ids", "handles"].contains(&result["mode"].as_str().unwrap()));
        assert_eq!(result["messages"], 5000);
        let time = &result["ns_per_message"];
        assert!(time["min"].as_f64().unwrap() <= time["median"].as_f64().unwrap());
        assert!(time["median"].as_f64().unwrap() <= time["max"].as_f64().unwrap());
        let latency = &result["latency_ns"];
        let percentile = |name: &str| latency[name].as_u64().unwrap();
        assert!(percentile("p50") <= percentile("p99") && percentile("p99") <= percentile("p99_9"));
        assert!(percentile("p99_9") <= percentile("max"));
        assert!(result["traded_volume"].as_u64().unwrap() > 0);
        assert_eq!(result["exact"], true);
        assert!(result["ratio_to_yardstick"].as_f64().unwrap() > 0.0);
        if cfg!(target_os = "linux") {
            assert!(result["peak_memory_bytes"].is_u64(), "{result}");
        }
    }
    assert_eq!(json["workloads"][0]["workload"], "mixed");
    assert!(json["bars"].as_array().unwrap().iter().all(|bar| bar["met"].is_boolean()));
}

#[test]
fn a_file_is_replayed_and_reported_into_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (messages, json) = (path(&directory, "stream.msg"), path(&directory, "out.json"));
    assert_eq!(code(&lobgym(&["bench", "latency", "--generate", &messages, "--count", "2000"])), 0);
    let arguments = [
        "bench",
        "latency",
        "--messages",
        &messages,
        "--runs",
        "1",
        "--engines",
        "lob-handles",
        "--json",
        &json,
    ];
    let output = lobgym(&arguments);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("| lob "), "{}", stdout(&output));
    let json: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["workload"], "file");
    assert_eq!(results[0]["ratio_to_yardstick"], Value::Null);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn bad_message_files_exit_1_and_name_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let good = path(&directory, "good.msg");
    assert_eq!(code(&lobgym(&["bench", "latency", "--generate", &good, "--count", "100"])), 0);
    let good = std::fs::read(good).unwrap();
    let damaged = |offset: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        bytes
    };
    for (bytes, expected) in [
        (Vec::new(), "ends at byte 0, inside the header"),
        (b"PK\x03\x04 not a message file, but long enough to hold one whole header".to_vec(), "magic"),
        (good[..good.len() - 1].to_vec(), "inside record 99"),
        (damaged(64, 7), "record 0, byte 64: kind is 7; legal: 0 (limit), 1 (market) or 2 (cancel)"),
        (damaged(64 + 32 * 3 + 2, 1), "record 3, byte 162: reserved is 1; legal: 0"),
        (damaged(50, good[50] ^ 1), "checksum"),
    ] {
        let file = path(&directory, "bad.msg");
        std::fs::write(&file, bytes).unwrap();
        let output = lobgym(&["bench", "latency", "--messages", &file]);
        assert_eq!(code(&output), 1);
        let message = stderr(&output);
        assert!(message.contains("bad.msg") && message.contains(expected), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    let missing = path(&directory, "missing.msg");
    let output = lobgym(&["bench", "latency", "--messages", &missing]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("missing.msg"), "{}", stderr(&output));
}

#[test]
fn an_unwritable_target_exits_1_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = path(&directory, "no/such/directory.json");
    let arguments =
        ["bench", "latency", "--count", "100", "--runs", "1", "--workload", "small", "--json", &file];
    let output = lobgym(&arguments);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no/such/directory.json"), "{}", stderr(&output));
}

#[test]
fn growth_reports_sizes_and_draws_them() {
    let directory = tempfile::tempdir().unwrap();
    let svg = path(&directory, "growth.svg");
    let arguments = ["bench", "growth", "--live", "10,100", "--count", "1000", "--runs", "2", "--json", "-"];
    let output = lobgym(&[&arguments[..], &["--svg", &svg]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    assert_eq!(results[0]["live_orders"], 10);
    assert!(results.iter().all(|point| point["ns_per_message"]["median"].as_f64().unwrap() > 0.0));
    let svg = std::fs::read_to_string(Path::new(&svg)).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("lob, handles"), "{svg}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_prints_what_is_finished_and_exits_130() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .args(["bench", "latency", "--count", "300000", "--runs", "1000", "--workload", "small"])
        .args(["--engines", "yardstick", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    notes.read_line(&mut line).unwrap();
    assert!(line.starts_with("small: "), "the composition is printed before the first run: {line}");
    // Long enough for the first of a thousand runs, which take seconds together.
    std::thread::sleep(Duration::from_millis(1_000));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let mut rest = String::new();
    notes.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{rest}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["complete"], false);
    assert_eq!(json["results"].as_array().unwrap().len(), 1, "{rest}");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .args(["bench", "latency", "--count", "1000", "--runs", "1", "--workload", "small"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

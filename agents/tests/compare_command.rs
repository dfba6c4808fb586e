//! `lobgym compare` as a shell sees it: exit codes, output streams, files.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lob::data::NpzWriter;
use serde_json::Value;

const STRATEGIES: [&str; 7] = ["sl", "twap", "twap-schedule", "vwap", "pov", "ac", "market"];

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .arg("compare")
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

fn path(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

fn json(arguments: &[&str]) -> Value {
    let output = compare(&[arguments, &["--json", "-"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_keys(value: &Value, expected: &[&str]) {
    let keys: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, expected.iter().copied().collect::<BTreeSet<_>>());
}

#[test]
fn the_json_has_the_documented_keys_and_its_figures_add_up() {
    let output = compare(&["--episodes", "50", "--lots", "60,5", "--json", "-"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let table = stderr(&output);
    assert!(table.contains("noise, 5 lots, 50 episodes") && table.contains("noise, 60 lots"), "{table}");
    assert!(!table.contains('\u{1b}'), "no escape sequences without a terminal");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_keys(&json, &["cells", "seconds", "settings"]);
    let settings = &json["settings"];
    assert_keys(
        settings,
        &[
            "seed",
            "episodes",
            "threads",
            "side",
            "horizon_seconds",
            "step_seconds",
            "flow_file",
            "fees",
            "latency",
            "version",
            "strategies",
            "command",
            "interrupted",
        ],
    );
    assert_eq!(settings["interrupted"], false);
    assert_eq!(settings["flow_file"], Value::Null);
    let cells = json["cells"].as_array().unwrap();
    assert_eq!(cells.iter().map(|cell| cell["lots"].as_u64().unwrap()).collect::<Vec<_>>(), [5, 60]);
    for cell in cells {
        assert_keys(cell, &["market", "lots", "strategies", "paired"]);
        let strategies = cell["strategies"].as_array().unwrap();
        assert_eq!(strategies.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), STRATEGIES);
        for strategy in strategies {
            assert_keys(
                strategy,
                &[
                    "name",
                    "episodes",
                    "reward_mean",
                    "reward_std",
                    "reward_se",
                    "shortfall_ticks",
                    "shortfall_se",
                    "shortfall_bps",
                    "spread_ticks",
                    "impact_ticks",
                    "timing_ticks",
                    "fees_ticks",
                    "fill_rate_passive",
                    "fill_rate_aggressive",
                    "completion_seconds",
                    "participation",
                    "risk_adjusted",
                    "cvar95",
                ],
            );
            let figure = |key: &str| strategy[key].as_f64().unwrap();
            let parts = ["spread_ticks", "impact_ticks", "timing_ticks", "fees_ticks"];
            let sum: f64 = parts.into_iter().map(figure).sum();
            assert!((sum - figure("shortfall_ticks")).abs() < 1e-9, "{strategy}");
            let filled = figure("fill_rate_passive") + figure("fill_rate_aggressive");
            assert!((filled - 1.0).abs() < 1e-9, "{strategy}");
            assert!(figure("cvar95") <= figure("reward_mean"), "{strategy}");
            assert_eq!(strategy["episodes"], 50);
        }
        let paired = cell["paired"].as_array().unwrap();
        assert_eq!(paired.len(), STRATEGIES.len() - 1);
        let mean =
            |name: &Value| strategies.iter().find(|s| s["name"] == *name).unwrap()["reward_mean"].as_f64();
        for pair in paired {
            assert_keys(pair, &["name", "against", "difference", "ci95"]);
            assert_eq!(pair["against"], "twap");
            let difference = pair["difference"].as_f64().unwrap();
            let means = mean(&pair["name"]).unwrap() - mean(&pair["against"]).unwrap();
            assert!((difference - means).abs() < 1e-9, "{pair}");
            let end = |index: usize| pair["ci95"][index].as_f64().unwrap();
            assert!(end(0) <= difference && difference <= end(1), "{pair}");
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let run = |threads: &str| {
        let mut json = json(&["--episodes", "50", "--market", "flow", "--threads", threads]);
        assert_eq!(json["settings"]["threads"].to_string(), threads);
        json.as_object_mut().unwrap().remove("seconds").unwrap();
        let settings = json["settings"].as_object_mut().unwrap();
        settings.remove("threads").unwrap();
        settings.remove("command").unwrap();
        json
    };
    assert_eq!(run("1"), run("2"));
}

#[test]
fn seeds_and_sides_matter_and_pairs_need_twap() {
    let run = |options: &[&str]| {
        json(&[&["--episodes", "20", "--strategies", "sl,market"], options].concat())["cells"].clone()
    };
    let cells = run(&[]);
    assert_eq!(cells, run(&["--seed", "0", "--side", "sell"]));
    assert_ne!(cells, run(&["--seed", "1"]));
    assert_ne!(cells, run(&["--side", "buy"]));
    assert_eq!(cells[0]["paired"].as_array().unwrap().len(), 0);
}

#[test]
fn the_configuration_file_of_a_market_is_that_market() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/market/strategic.yaml");
    let options = ["--episodes", "20", "--strategies", "sl,twap"];
    let by_file = json(&[&options[..], &["--config", file]].concat());
    let by_name = json(&[&options[..], &["--market", "strategic"]].concat());
    assert_eq!(by_file["cells"], by_name["cells"]);
}

#[test]
fn every_market_plays() {
    let json =
        json(&["--episodes", "20", "--market", "all,hawkes,queue_reactive,flow", "--strategies", "twap"]);
    let cells = json["cells"].as_array().unwrap();
    let markets: Vec<_> = cells.iter().map(|cell| cell["market"].as_str().unwrap()).collect();
    assert_eq!(markets, ["noise", "flow", "strategic", "hawkes", "queue_reactive"]);
}

#[test]
fn the_report_is_one_file_that_loads_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (html, json) = (path(&directory, "report.html"), path(&directory, "result.json"));
    let output = compare(&["--episodes", "50", "--html", &html, "--json", &json]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(String::from_utf8(output.stdout).unwrap().contains("noise, 20 lots, 50 episodes"));
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    for name in STRATEGIES {
        assert!(page.contains(name), "{name}");
    }
    // A namespace is a name, which no browser loads, and a pattern is defined in the page itself.
    let rest = page.replace("http://www.w3.org/2000/svg", "").replace("url(#", "");
    for reference in ["http://", "https://", "<link", "<iframe", "src=", "@import", "url("] {
        assert!(!rest.contains(reference), "{reference}");
    }
    let _: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    for (arguments, value, legal) in [
        (&["--market", "noize"][..], "noize", "queue_reactive"),
        (&["--strategies", "sl,fast"], "fast", "twap-schedule"),
        (&["--lots", "0"], "--lots is 0", "1 to 1000000"),
        (&["--lots", "20,some"], "--lots is some", "1 to 1000000"),
        (&["--horizon", "0"], "--horizon is 0", "above 0"),
        (&["--horizon", "nan"], "--horizon is NaN", "above 0"),
        (&["--step", "0"], "--step is 0", "above 0"),
        (&["--step", "200"], "--step is 200", "at most the horizon"),
        (&["--participation", "1"], "is 1", "below 1"),
        (&["--risk-aversion=-1"], "is -1", ">= 0"),
        (&["--episodes", "0"], "0", "1..=10000000"),
        (&["--threads", "0"], "0", "1..=1024"),
        (&["--side", "both"], "both", "sell, buy"),
        (&["--book", "thawed"], "thawed", "frozen, live"),
        (&["--market", "noise", "--config", "x.yaml"], "--market", "--config"),
        (&["--json", ""], "--json", "legal: a file, or -"),
    ] {
        let output = compare(arguments);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{arguments:?}: {message}");
        assert!(message.contains(value) && message.contains(legal), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn unusable_files_exit_1_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (text, half, short) =
        (path(&directory, "text.npz"), path(&directory, "half.npz"), path(&directory, "short.npz"));
    std::fs::write(&text, "not an archive\n").unwrap();
    let mut file = NpzWriter::create(&half).unwrap();
    file.array_f64("askv", &[30], &[1.0; 30]).unwrap();
    file.finish().unwrap();
    let mut file = NpzWriter::create(&short).unwrap();
    file.array_f64("bidv", &[3], &[1.0; 3]).unwrap();
    file.array_f64("askv", &[3], &[1.0; 3]).unwrap();
    file.finish().unwrap();
    let missing = path(&directory, "missing.npz");
    let config = path(&directory, "market.yaml");
    std::fs::write(&config, "flow: {}\n").unwrap();
    for (arguments, file, detail) in [
        (["--flow", &text], "text.npz", "zip"),
        (["--flow", &half], "half.npz", "bidv"),
        (["--flow", &short], "short.npz", "bidv"),
        (["--flow", &missing], "missing.npz", "No such file"),
        (["--config", &config], "market.yaml", "flow"),
        (["--config", &missing], "missing.npz", "No such file"),
    ] {
        let output = compare(&arguments);
        let message = stderr(&output);
        assert_eq!(code(&output), 1, "{arguments:?}: {message}");
        assert!(message.contains(file) && message.contains(detail), "{arguments:?}: {message}");
        assert!(!message.contains("panicked") && output.stdout.is_empty(), "{message}");
    }
}

#[test]
fn an_unwritable_target_exits_1_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = path(&directory, "no/such/directory.out");
    for option in ["--json", "--html"] {
        let output = compare(&["--episodes", "1", "--strategies", "sl", option, &file]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains("no/such/directory.out"), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_prints_what_is_finished_and_exits_130() {
    // On a machine that is slow to start it, the program is given longer.
    for wait in [300, 1_500, 6_000] {
        let child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
            .args(["compare", "--episodes", "10000000", "--strategies", "twap,market", "--json", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        let output = child.wait_with_output().unwrap();
        let table = stderr(&output);
        if wait < 6_000 && !table.contains("noise, 20 lots") {
            continue;
        }
        assert_eq!(code(&output), 130, "{table}");
        assert!(table.contains("| twap") || table.contains("|twap"), "{table}");
        assert!(table.contains("INTERRUPTED"), "{table}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["settings"]["interrupted"], true);
        let episodes = json["cells"][0]["strategies"][0]["episodes"].as_u64().unwrap();
        assert!((1..10_000_000).contains(&episodes), "{episodes}");
        return;
    }
}

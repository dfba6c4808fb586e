//! `lobgym simulate` as a shell sees it.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::fs;
use std::process::{Command, Output, Stdio};

use lob::data::{Dim, Domain, NpzFile};
use serde_json::Value;

fn simulate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    command.arg("simulate").args(arguments).stdin(Stdio::null()).output().unwrap()
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

const SMALL: [&str; 4] = ["--seconds", "65", "--sessions", "3"];

fn small(more: &[&str]) -> Output {
    simulate(&[&SMALL, more].concat())
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    for (arguments, expected) in [
        (&["--market", "nose"][..], "noise, flow, strategic, hawkes, queue_reactive, flow_u_shape"),
        (&["--market", "noise", "--config", "x.yaml"], "--config"),
        (&["--events", "events.txt"], ".npz or .csv"),
        (&["--snapshots", "snapshots"], ".npz or .csv"),
        (&["--events", "a.csv", "--snapshots", "a.csv"], "two files"),
        (&["--seconds", "0.5"], "1 to 1000000"),
        (&["--seconds", "nan"], "1 to 1000000"),
        (&["--interval", "0"], "above 0"),
        (&["--interval", "601"], "at most the session"),
        (&["--interval", "1e-9"], "10000000 snapshots"),
        (&["--sessions", "0"], "1..=100000"),
        (&["--levels", "0"], "1..=1024"),
        (&["--book", "warm"], "frozen, live"),
    ] {
        let output = simulate(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn unusable_files_exit_1_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = |name: &str| path(&directory, &format!("missing/{name}"));
    for (option, file) in [
        ("--json", "a.json"),
        ("--svg", "a.svg"),
        ("--events", "a.npz"),
        ("--events", "a.csv"),
        ("--snapshots", "a.npz"),
        ("--snapshots", "a.csv"),
        ("--config", "a.yaml"),
        ("--flow", "a.npz"),
    ] {
        let output = simulate(&["--seconds", "1", "--sessions", "1", option, &nowhere(file)]);
        assert_eq!(code(&output), 1, "{option} {file}: {}", stderr(&output));
        assert!(stderr(&output).contains("missing"), "{option}: {}", stderr(&output));
    }
}

#[test]
fn json_has_the_documented_keys_and_sane_numbers() {
    let output = small(&["--json", "-", "--levels", "4"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("Volatility signature"), "tables go to standard error");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "book",
            "depth_profile",
            "event_rates",
            "impact",
            "inter_event_time",
            "market",
            "return_autocorrelation",
            "sample_seconds",
            "schema_version",
            "seconds",
            "seed",
            "sessions",
            "sign_autocorrelation",
            "spread",
            "volatility_signature"
        ]
    );
    assert_eq!(report["schema_version"], 1);
    assert_eq!((&report["market"], &report["book"]), (&"noise".into(), &"frozen".into()));
    let shares = report["spread"]["distribution"].as_array().unwrap().iter();
    let total: f64 = shares.map(|point| point["share"].as_f64().unwrap()).sum();
    let empty = report["spread"]["empty_side_share"].as_f64().unwrap();
    assert!((total + empty - 1.0).abs() < 1e-9);
    assert!(report["spread"]["mean_ticks"].as_f64().unwrap() >= 1.0);
    let signature = report["volatility_signature"].as_array().unwrap();
    assert_eq!(signature.len(), 6, "300 s do not fit into 65");
    assert_eq!(signature[0]["changes"], 3 * 650);
    assert_eq!(report["depth_profile"].as_array().unwrap().len(), 4);
    for key in ["return_autocorrelation", "sign_autocorrelation"] {
        assert_eq!(report[key]["values"].as_array().unwrap().len(), 20);
    }
    assert_eq!(report["return_autocorrelation"]["observations"], 3 * 65);
    let impact = report["impact"].as_array().unwrap();
    assert_eq!(impact.iter().map(|of| of["lots"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 5, 10, 20]);
    let response = impact[3]["response"].as_array().unwrap();
    assert_eq!(response.len(), 5);
    assert_eq!(response[0]["orders"], 3);
    assert!(response[0]["mean_ticks"].as_f64().unwrap() >= 0.0, "an order does not improve its own price");
    assert_eq!(report["event_rates"].as_array().unwrap().len(), 6);
    let (mean, median) =
        (&report["inter_event_time"]["mean_seconds"], &report["inter_event_time"]["median_seconds"]);
    assert!(mean.as_f64().unwrap() > median.as_f64().unwrap());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    let files = |threads: &str| {
        let names: [String; 4] =
            ["e.npz", "s.csv", "r.json", "f.svg"].map(|name| path(&directory, &format!("{threads}-{name}")));
        let output = small(&[
            "--market",
            "strategic",
            "--threads",
            threads,
            "--events",
            &names[0],
            "--snapshots",
            &names[1],
            "--json",
            &names[2],
            "--svg",
            &names[3],
        ]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        (output.stdout, names.map(|name| fs::read(name).unwrap()))
    };
    let one = files("1");
    assert!(one == files("2"));
    assert!(one.1[3].starts_with(b"<svg"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 8, "nothing but the files is left behind");
}

#[test]
fn files_hold_what_is_documented_in_both_formats() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| path(&directory, name);
    let (events, snapshots) = (file("events.npz"), file("snapshots.npz"));
    let (events_csv, snapshots_csv) = (file("events.csv"), file("snapshots.csv"));
    for (events, snapshots) in [(&events, &snapshots), (&events_csv, &snapshots_csv)] {
        let arguments = ["--events", events, "--snapshots", snapshots, "--levels", "3", "--interval", "0.5"];
        let output = small(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }

    let text = fs::read_to_string(&events_csv).unwrap();
    let mut lines = text.lines();
    let header = "time,kind,owner,side,price,quantity,handle,maker_owner,maker_handle";
    assert_eq!(lines.next(), Some(header));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 9));
    assert_eq!(rows[0][1..4], ["accepted", "0", "buy"]);
    assert!(rows.iter().any(|row| row[1] == "cancelled" && !row[3].is_empty() && row[4].is_empty()));
    assert!(rows.iter().any(|row| row[1] == "trade" && !row[8].is_empty()));
    assert!(rows.is_sorted_by_key(|row| row[0].parse::<f64>().unwrap()));

    let mut npz = NpzFile::open(&events).unwrap();
    let mut keys = npz.keys().to_vec();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "format_version",
            "handle",
            "kind",
            "kinds",
            "maker_handle",
            "maker_owner",
            "owner",
            "price",
            "quantity",
            "side",
            "time"
        ]
    );
    assert_eq!(npz.scalar_i64("format_version", 1..=1).unwrap(), 1);
    let kinds = npz.strings("kinds").unwrap();
    let kind = npz.array_i64("kind", &[Dim::Exactly(rows.len())], 0..=7).unwrap();
    let quantity = npz.array_i64("quantity", &[Dim::Exactly(rows.len())], -1..=i64::MAX).unwrap();
    for (row, (&kind, quantity)) in rows.iter().zip(kind.data.iter().zip(&quantity.data)) {
        assert_eq!(row[1], kinds[kind as usize]);
        assert_eq!(row[5], quantity.to_string());
    }

    let text = fs::read_to_string(&snapshots_csv).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header = "time,best_bid,best_ask,bid_lots_0,bid_lots_1,bid_lots_2,ask_lots_0,ask_lots_1,ask_lots_2";
    assert_eq!(lines[0], header);
    assert_eq!(lines.len(), 1 + 131, "at 0, 0.5, ..., 65 s");
    let mut npz = NpzFile::open(&snapshots).unwrap();
    let shape = [Dim::Exactly(131)];
    let time = npz.array_f64("time", &shape, Domain::NonNegative).unwrap();
    assert_eq!(time.data[130], 65.0);
    for side in ["bid", "ask"] {
        let lots = npz
            .array_i64(&format!("{side}_lots"), &[Dim::Exactly(131), Dim::Exactly(3)], 0..=i64::MAX)
            .unwrap();
        assert!(lots.data.iter().step_by(3).all(|&lots| lots > 0), "something rests at the best price");
    }
}

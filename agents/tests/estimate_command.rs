//! `lobgym estimate` as its user sees it.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn haste_costs_and_spares_risk_in_the_measured_market() {
    let output = lobgym(&["estimate", "--urgency", "0.03,0.1", "--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = found["estimates"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["even", "ac:kappa=0.03", "ac:kappa=0.1", "immediate"]);
    let column = |key: &str| rows.iter().map(|row| row[key].as_f64().unwrap()).collect::<Vec<f64>>();
    assert!(column("cost").is_sorted(), "{:?}", column("cost"));
    assert!(column("risk").is_sorted_by(|one, other| one > other), "{:?}", column("risk"));
    // A tick is 10 basis points; 60 lots, more than half of what others trade, cost ticks and no tens of them.
    assert!(column("cost").iter().all(|cost| (5e-4..2e-2).contains(cost)), "{:?}", column("cost"));
    assert!(text(&output.stderr).contains("| even"), "the table goes to standard error");
    let bought = &lobgym(&["estimate", "--json", "-"]).stdout;
    let sold = &lobgym(&["estimate", "--lots", "-60", "--json", "-"]).stdout;
    let of = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap()["estimates"].clone();
    assert_eq!(of(bought), of(sold), "sides are alike");
}

#[test]
fn wrong_usage_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.yaml");
    std::fs::write(&file, "square_root: {y: -1}").unwrap();
    for (arguments, said) in [
        (&["--lots", "0"][..], "quantity is 0"),
        (&["--seconds=-5"], "seconds is -5"),
        (&["--volume", "0"], "volume is 0"),
        (&["--urgency", "0"], "kappa is 0"),
        (&["--impact", file.to_str().unwrap()], "y"),
        (&["--impact", "nowhere.yaml"], "nowhere.yaml"),
    ] {
        let output = lobgym(&[&["estimate"], arguments].concat());
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}

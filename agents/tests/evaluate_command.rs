//! `lobgym evaluate` as a shell sees it: exit codes, output streams, files.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn evaluate(arguments: &[&str]) -> Output {
    let short = ["--set", "env.market=flow", "--set", "env.steps=50", "--threads", "2"];
    Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .arg("evaluate")
        .args(short)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = evaluate(&[arguments, &["--json", "-"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const POLICY: [&str; 33] = [
    "name",
    "description",
    "episodes",
    "reward_mean",
    "reward_std",
    "reward_se",
    "pnl_mean",
    "pnl_std",
    "pnl_se",
    "pnl_cvar95",
    "sharpe",
    "sharpe_annualised",
    "max_drawdown",
    "max_drawdown_worst",
    "spread_capture",
    "pnl_over_half_spread",
    "quoted_spread",
    "two_sided_share",
    "captured_spread",
    "adverse_selection_1s",
    "adverse_selection_5s",
    "adverse_selection_30s",
    "inventory_mean",
    "inventory_abs_mean",
    "inventory_half_life_s",
    "inventory_distribution",
    "fills",
    "lots_filled",
    "fill_ratio",
    "pnl_spread",
    "pnl_inventory",
    "pnl_fees",
    "pnl_liquidation",
];

#[test]
fn the_json_has_the_documented_keys_and_its_figures_add_up() {
    let output = evaluate(&[
        "--policies",
        "join:skew=4,mid:distance=0.5,as,glft,random",
        "--episodes",
        "30",
        "--json",
        "-",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stderr);
    assert!(
        table.contains("market_making, market flow, 30 sessions") && table.contains("join:skew=4"),
        "{table}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(keys(&json), BTreeSet::from(["policies", "paired", "settings"]));
    let policies = json["policies"].as_array().unwrap();
    let names: Vec<&str> = policies.iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["join:skew=4", "mid:distance=0.5", "as:gamma=0.1", "glft:gamma=0.1", "random"]);
    for policy in policies {
        assert_eq!(keys(policy), BTreeSet::from(POLICY));
        let number = |key: &str| policy[key].as_f64().unwrap();
        assert_eq!(policy["episodes"], 30);
        assert!((number("reward_se") - number("reward_std") / 30.0_f64.sqrt()).abs() < 1e-12);
        assert!((number("sharpe") - number("pnl_mean") / number("pnl_std")).abs() < 1e-12);
        let parts: f64 = ["spread", "inventory", "fees", "liquidation"]
            .iter()
            .map(|part| number(&format!("pnl_{part}")))
            .sum();
        assert!((parts - number("pnl_mean")).abs() < 1e-9);
    }
    let paired = json["paired"].as_array().unwrap();
    assert_eq!(paired.len(), 4);
    for (pair, policy) in paired.iter().zip(&policies[1..]) {
        assert_eq!(
            keys(pair),
            BTreeSet::from(["name", "against", "difference", "ci95", "pnl_difference", "pnl_ci95"])
        );
        assert_eq!((&pair["name"], &pair["against"]), (&policy["name"], &"join:skew=4".into()));
        let difference =
            policy["reward_mean"].as_f64().unwrap() - policies[0]["reward_mean"].as_f64().unwrap();
        assert!((pair["difference"].as_f64().unwrap() - difference).abs() < 1e-9);
        assert!(pair["ci95"][0].as_f64() < pair["difference"].as_f64());
    }
    let model = &json["settings"]["fill_model"];
    assert!(model["decay"].as_f64().unwrap() > 1.0 && model["volatility"].as_f64().unwrap() > 0.1, "{model}");
}

#[test]
fn the_seed_decides_and_threads_do_not() {
    let arguments = ["--policies", "join,random", "--episodes", "20"];
    let policies = |more: &[&str]| json(&[&arguments, more].concat())["policies"].clone();
    assert_eq!(policies(&["--seed", "5"]), policies(&["--seed", "5"]));
    assert_ne!(policies(&["--seed", "5"]), policies(&["--seed", "6"]));
}

#[test]
fn a_grid_is_sorted_and_compared_with_its_best() {
    let small =
        ["--set", "env.max_quote_lots=1", "--set", "env.inventory_limit=2", "--grid", "--episodes", "2"];
    let json = json(&small);
    let policies = json["policies"].as_array().unwrap();
    let rewards: Vec<f64> = policies.iter().map(|policy| policy["reward_mean"].as_f64().unwrap()).collect();
    assert!(rewards.len() > 40 && rewards.is_sorted_by(|one, other| one >= other));
    let paired = json["paired"].as_array().unwrap();
    assert_eq!(paired.len(), policies.len() - 1);
    assert!(paired.iter().all(|pair| pair["against"] == policies[0]["name"]));
    let table = text(&evaluate(&small).stdout);
    assert!(table.contains(&format!("best of {} settings: ", policies.len())), "{table}");
}

#[test]
fn the_report_is_complete_in_itself_and_well_formed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.html");
    let path = file.to_str().unwrap();
    let output = evaluate(&["--policies", "join:skew=4,as,random", "--episodes", "20", "--html", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("join:skew=4"));
    let page = std::fs::read_to_string(&file).unwrap();
    let body = &page[page.find("<body>").unwrap()..page.rfind("</html>").unwrap()];
    let document = roxmltree::Document::parse(body).unwrap();
    let figures = document.descendants().filter(|node| node.has_tag_name("figure")).count();
    assert_eq!(figures, 5, "risk, differences, profits, inventories, an episode");
    for word in ["http://www.w3.org/2000/svg", "Market making evaluated", "One episode of", "join:skew=4"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "nothing is fetched or run");
}

#[test]
fn wrong_usage_names_what_is_legal() {
    for (arguments, legal) in [
        (vec!["--policies", "joint"], "join, mid, as, glft or random"),
        (vec!["--policies", "join:lots=9"], "join:lots=9.lots is 9"),
        (vec!["--policies", "join", "--against", "mid"], "legal: join"),
        (vec!["--grid", "--policies", "join"], "cannot be used with"),
        (vec!["--set", "env.stepz=5"], "did you mean step"),
    ] {
        let output = evaluate(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(legal), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}

//! `lobgym evaluate` of portfolios.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod evaluating;
mod made_policy;

use agents::policy::{Bounds, Head};
use evaluating::{evaluate, json, text};
use gym::{AnyEnv, Env, Space};
use made_policy::{config, linear, write};
use serde_json::Value;

fn of<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut policies = found["policies"].as_array().unwrap().iter();
    policies.find(|policy| policy["name"].as_str().unwrap().starts_with(name)).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// What is held, as the target: action = 0 + 0.5 (raw + 1), raw = 2 weight - 1. Columns are return, variance, weight.
#[test]
fn a_policy_that_wants_what_it_holds_is_buy_and_hold() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let config = config("name: portfolio_rebalancing, assets: 3, steps: 60");
    let env = AnyEnv::new(&config).unwrap();
    let Space::Box(space) = env.action_space() else { panic!("its actions are a box") };
    let weight = |output, input| if input == 3 * output + 2 { 2.0 } else { 0.0 };
    write(
        &linear(&config, Head::Gaussian { bounds: Bounds::of(space) }, weight, |_| -1.0),
        &home.join("run"),
    );
    let found = json(home, &["run", "--episodes", "50", "--threads", "2", "--html", "report.html"]);
    let names: Vec<&str> =
        found["policies"].as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["policy:run", "equal_weight:band=0"]);
    assert_eq!(names.len(), 8);
    let (own, hold) = (of(&found, "policy:run"), of(&found, "buy_and_hold"));
    assert!((number(&own["growth_mean"]) - number(&hold["growth_mean"])).abs() < 1e-6);
    assert!((number(&own["max_drawdown_mean"]) - number(&hold["max_drawdown_mean"])).abs() < 1e-6);
    assert_eq!(number(&hold["turnover_mean"]), 0.0);
    assert!(number(&of(&found, "mean_variance")["turnover_mean"]) > 1.0);
    let costly = of(&found, "equal_weight");
    assert!((number(&costly["fees_mean"]) - 0.001 * number(&costly["turnover_mean"])).abs() < 1e-4);
    // The reward is the log return: differences in growth and in reward are one.
    for pair in found["paired"].as_array().unwrap() {
        assert_eq!(pair["against"], "policy:run");
        assert!((number(&pair["difference"]) - number(&pair["growth_difference"])).abs() < 1e-9);
    }
    let page = std::fs::read_to_string(home.join("report.html")).unwrap();
    assert!(page.contains("Portfolios evaluated") && page.contains("buy_and_hold"));
    let alone = json(home, &["run", "--episodes", "50", "--threads", "1"]);
    assert_eq!(alone["policies"], found["policies"], "threads change no bit");
}

/// Two assets over given prices: every session is the same, and simple enough to be written down.
#[test]
fn growth_of_given_prices_is_that_of_the_definition() {
    let directory = tempfile::tempdir().unwrap();
    let prices: Vec<[f64; 2]> =
        (0..40).map(|k| [100.0 + (k * 7 % 11) as f64, 50.0 + (k * 5 % 13) as f64 / 2.0]).collect();
    let rows: Vec<String> = prices.iter().map(|[a, b]| format!("[{a}, {b}]")).collect();
    let given = format!("env.prices={{given: {{table: [{}]}}}}", rows.join(", "));
    let arguments = [
        "--env",
        "portfolio_rebalancing",
        "--set",
        &given,
        "--policies",
        "equal_weight,equal_weight:band=0.02,buy_and_hold",
        "--episodes",
        "2",
    ];
    let found = json(directory.path(), &arguments);
    // The longest window takes 20 periods.
    for (name, band) in
        [("equal_weight:band=0", 0.0), ("equal_weight:band=0.02", 0.02), ("buy_and_hold", 1.0)]
    {
        let (mut nav, mut weights, mut turnover) = (1.0, [0.5, 0.5], 0.0);
        for pair in prices[20..].windows(2) {
            if weights.iter().any(|weight: &f64| (weight - 0.5).abs() > band) {
                let change: f64 = weights.iter().map(|weight| (weight - 0.5).abs()).sum();
                turnover += change;
                nav *= 1.0 - 0.001 * change;
                weights = [0.5, 0.5];
            }
            let growth = [pair[1][0] / pair[0][0], pair[1][1] / pair[0][1]];
            let gross = weights[0] * growth[0] + weights[1] * growth[1];
            nav *= gross;
            weights = [weights[0] * growth[0] / gross, weights[1] * growth[1] / gross];
        }
        let policies = found["policies"].as_array().unwrap();
        let policy = policies.iter().find(|policy| policy["name"] == name).unwrap();
        assert!((number(&policy["growth_mean"]) - nav.ln()).abs() < 1e-9, "{name}");
        assert!((number(&policy["turnover_mean"]) - turnover).abs() < 1e-9, "{name}");
        assert_eq!(number(&policy["growth_std"]), 0.0, "{name}");
    }
}

#[test]
fn the_best_band_of_a_grid_earns_more_than_no_band_and_than_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let sets =
        ["env.assets=1", "env.cash=true", "env.prices={mean_reverting: {}}", "env.observe_expected=true"];
    let mut arguments = vec!["--env", "portfolio_rebalancing", "--grid", "--episodes", "200"];
    sets.iter().for_each(|set| arguments.extend(["--set", set]));
    arguments.extend(["--set", "env.transaction_cost=0.005", "--against", "buy_and_hold"]);
    let found = json(directory.path(), &arguments);
    let policies = found["policies"].as_array().unwrap();
    let growth: Vec<f64> = policies.iter().map(|policy| number(&policy["growth_mean"])).collect();
    assert!(growth.is_sorted_by(|one, other| one >= other), "the best first");
    let best = &policies[0];
    let name = best["name"].as_str().unwrap();
    assert!(name.starts_with("no_trade_band") && !name.ends_with("band=0"), "{name}");
    let without = policies.iter().filter(|policy| policy["name"].as_str().unwrap().ends_with("band=0"));
    for policy in without {
        assert!(number(&best["growth_mean"]) > number(&policy["growth_mean"]) + 0.03, "{policy}");
    }
    let pair = found["paired"].as_array().unwrap().iter().find(|pair| pair["name"] == name).unwrap();
    assert_eq!(pair["against"], "buy_and_hold");
    assert!(number(&pair["growth_ci95"][0]) > 0.1);
}

#[test]
fn who_cannot_take_part_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (&["--policies", "no_trade_band"][..], "where env.observe_expected is false"),
        (&["--policies", "glft"], "buy_and_hold, equal_weight, minimum_variance"),
        (&["--policies", "equal_weight:band=2"], "a number from 0 to 1"),
        (&["--against", "equal_weight:band=0.7"], "buy_and_hold"),
        (&["--set", "env.prices={given: {table: [[1], [2]]}}"], "rows or more"),
    ] {
        let arguments = [&["--env", "portfolio_rebalancing", "--episodes", "2"], arguments].concat();
        let output = evaluate(directory.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stdout));
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}

//! Backtests of portfolios: what may be known, what costs, and what is said of settings that cannot be.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod made_policy;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use agents::backtest::{Backtest, BacktestConfig, BacktestError, Finding, Plan};
use agents::policy::Head;
use agents::portfolio::{ImpactEstimate, Rule, Situation};
use gym::envs::{PortfolioRebalancing, PortfolioRebalancingConfig};
use gym::prices::{AnyProcess, MeanRevertingConfig, PriceProcess, PricesConfig, Replay, Stamp, Table};
use gym::{Env, Settings};
use lob::models::ImpactConfig;
use lob::models::impact::SquareRootParams;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::{Value, json};

const ROWS: usize = 241;
const ASSETS: usize = 3;
/// Half for history, a quarter each for validation and test.
const TEST_FROM: usize = 180;

const STRATEGIES: [&str; 7] = [
    "equal_weight",
    "buy_and_hold",
    "equal_weight:band=0.001|0.02",
    "minimum_variance:window=20|40",
    "mean_variance:window=20|40:risk_aversion=2|50",
    "cost_aware:window=20|40:risk_aversion=5:horizon=5|60",
    "risk_parity:window=20|40",
];

/// Prices without a pattern of use to anybody; `salt` changes the rows after `from`.
fn prices(from: usize, salt: usize) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![100.0; ASSETS]];
    for row in 1..ROWS {
        let grown = (0..ASSETS).map(|asset| {
            let k = row * ASSETS + asset + if row > from { salt } else { 0 };
            rows[row - 1][asset] * f64::exp(0.02 * f64::sin((k * k % 997) as f64 * 1.7 + asset as f64))
        });
        let grown: Vec<f64> = grown.collect();
        rows.push(grown);
    }
    rows
}

fn settings(prices: &[Vec<f64>], strategies: &[&str], plan: &Value) -> Settings {
    let mut backtest = json!({
        "strategies": strategies, "block": 5,
        "split": {"train": 0.5, "validation": 0.25, "test": 0.25},
    });
    let of = backtest.as_object_mut().unwrap();
    of.extend(plan.as_object().unwrap().clone());
    let root = json!({
        "env": {
            "name": "portfolio_rebalancing", "prices": {"given": {"table": prices}},
            "return_windows": [5], "risk_window": 10, "transaction_cost": 0.002,
        },
        "backtest": backtest,
    });
    Settings::from_map(root.as_object().unwrap().clone())
}

fn backtest(settings: &Settings) -> Result<Finding, BacktestError> {
    let backtest = Backtest::new(BacktestConfig::from_settings(settings)?)?;
    backtest.run(&AtomicBool::new(false), &|| ())
}

/// A policy that answers what it sees: weights far from equal that move with the returns.
fn policy(directory: &Path) -> String {
    let env = "name: portfolio_rebalancing, assets: 3, return_windows: [5], risk_window: 10";
    let weight = |output: usize, input: usize| if input == 3 * output { 40.0 } else { 0.0 };
    let file = made_policy::linear(
        &made_policy::config(env),
        Head::LogisticNormal { parts: ASSETS },
        weight,
        |_| 0.0,
    );
    made_policy::write(&file, directory)
}

#[test]
fn what_is_to_come_changes_nothing_that_was_done() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let mode = format!("{policy}:decision=mode");
    let names: Vec<&str> = STRATEGIES.into_iter().chain([policy.as_str(), mode.as_str()]).collect();
    for (plan, from) in [
        (json!({}), TEST_FROM),
        (json!({}), TEST_FROM + 31),
        (json!({"walk_forward": {"window": 60, "step": 20}}), TEST_FROM + 31),
    ] {
        let one = backtest(&settings(&prices(ROWS, 0), &names, &plan)).unwrap();
        let other = backtest(&settings(&prices(from, 12_345), &names, &plan)).unwrap();
        // Rows up to `from` are the same: decisions up to period `from`, and what the periods before it earned.
        let same = from - TEST_FROM;
        for (one, other) in one.outcomes.iter().zip(&other.outcomes) {
            let name = &one.name;
            let (one_track, other_track) = (&one.track, &other.track);
            let decisions = (same + 1) * ASSETS;
            assert_eq!(one_track.weights[..decisions], other_track.weights[..decisions], "{name}");
            assert_eq!(one_track.nav[..=same], other_track.nav[..=same], "{name}");
            assert_ne!(one_track.nav[same + 1], other_track.nav[same + 1], "{name}: the future did change");
            let known = |choices: &[agents::backtest::Choice]| -> Vec<agents::backtest::Choice> {
                choices.iter().filter(|choice| choice.period <= from).cloned().collect()
            };
            assert_eq!(known(&one.choices), known(&other.choices), "{name}");
        }
    }
}

#[test]
fn every_strategy_lives_on_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let names: Vec<&str> = STRATEGIES.into_iter().chain([policy.as_str()]).collect();
    let rows = prices(ROWS, 0);
    let found = backtest(&settings(&rows, &names, &json!({}))).unwrap();
    for outcome in &found.outcomes {
        let (name, track) = (&outcome.name, &outcome.track);
        assert_eq!((track.first, track.log_returns.len(), track.nav[0]), (TEST_FROM, 60, 1_000_000.0));
        // The accounts once more, from shares held and money paid.
        let mut held = [1.0 / ASSETS as f64; ASSETS];
        for (index, targets) in track.weights.chunks_exact(ASSETS).enumerate() {
            let growth: Vec<f64> = (0..ASSETS)
                .map(|asset| rows[TEST_FROM + index + 1][asset] / rows[TEST_FROM + index][asset])
                .collect();
            let turnover: f64 = targets.iter().zip(&held).map(|(target, held)| (target - held).abs()).sum();
            assert!((turnover - track.turnover[index]).abs() < 1e-9, "{name}, period {index}");
            assert!((track.fees[index] - 0.002 * turnover).abs() < 1e-9, "{name}, period {index}");
            assert_eq!(track.impact[index], 0.0);
            let gross: f64 = targets.iter().zip(&growth).map(|(weight, growth)| weight * growth).sum();
            let wanted = track.nav[index] * (1.0 - 0.002 * turnover) * gross;
            assert!((track.nav[index + 1] / wanted - 1.0).abs() < 1e-12, "{name}, period {index}");
            for (held, (target, growth)) in held.iter_mut().zip(targets.iter().zip(&growth)) {
                *held = target * growth / gross;
            }
        }
    }
    let hold = found.outcome("buy_and_hold").unwrap();
    assert_eq!((hold.metrics.turnover, hold.metrics.fees), (0.0, 0.0), "not even by rounding");
    let mean =
        (0..ASSETS).map(|asset| rows[ROWS - 1][asset] / rows[TEST_FROM][asset]).sum::<f64>() / ASSETS as f64;
    assert!((hold.metrics.total_return - (mean - 1.0)).abs() < 1e-9);
    assert!(found.outcome(&policy).unwrap().metrics.turnover > 1.0);
}

#[test]
fn impact_is_told_from_fees() {
    let names = ["equal_weight", "buy_and_hold"];
    let mut settings = settings(&prices(ROWS, 0), &names, &json!({}));
    let plain = backtest(&settings).unwrap();
    settings.set("env.impact={square_root: {y: 1.0}}").unwrap();
    let found = backtest(&settings).unwrap();
    let (with, without) = (&found.outcomes[0], &plain.outcomes[0]);
    assert!(with.metrics.impact > 0.0 && with.metrics.impact_money > 0.0);
    assert_eq!(without.metrics.impact, 0.0);
    assert!((with.metrics.fees / without.metrics.fees - 1.0).abs() < 1e-3, "fees stay what they are");
    assert!(with.metrics.growth < without.metrics.growth);
    assert_eq!(found.outcomes[1].track, plain.outcomes[1].track, "who does not trade moves nothing");
    // Both are taken before the period's return is earned.
    let (track, rows) = (&with.track, prices(ROWS, 0));
    let growth = (0..ASSETS)
        .map(|asset| rows[TEST_FROM + 2][asset] / rows[TEST_FROM + 1][asset] * track.weights[ASSETS + asset])
        .sum::<f64>();
    let wanted = track.nav[1] * (1.0 - track.fees[1] - track.impact[1]) * growth;
    assert!((track.nav[2] / wanted - 1.0).abs() < 1e-9);
}

#[test]
fn the_alternative_with_the_most_growth_on_the_validation_part_is_tested() {
    let rows = prices(ROWS, 0);
    let alternatives = ["mean_variance:window=20:risk_aversion=2", "mean_variance:window=40:risk_aversion=2"];
    let chosen =
        backtest(&settings(&rows, &["mean_variance:window=20|40:risk_aversion=2"], &json!({}))).unwrap();
    // The validation part, as a test of its own.
    let cut: Vec<Vec<f64>> = rows[..=TEST_FROM].to_vec();
    let split = json!({"split": {"train": 2.0 / 3.0, "validation": 0.0, "test": 1.0 / 3.0}});
    let validated = backtest(&settings(&cut, &alternatives, &split)).unwrap();
    let best = (validated.outcomes.iter())
        .max_by(|one, other| one.metrics.growth.total_cmp(&other.metrics.growth))
        .unwrap();
    let choice = &chosen.outcomes[0].choices[0];
    assert_eq!((choice.period, choice.strategy.as_str()), (TEST_FROM, best.name.as_str()));
    assert!((choice.growth.unwrap() - best.metrics.growth).abs() < 1e-12);
    let tested = backtest(&settings(&rows, &[best.name.as_str()], &json!({}))).unwrap();
    assert_eq!(tested.outcomes[0].track, chosen.outcomes[0].track);
}

#[test]
fn differences_are_paired_period_by_period() {
    let plan = json!({"against": "buy_and_hold", "rows_per_year": 100.0, "period": 1, "block": 7});
    let found = backtest(&settings(&prices(ROWS, 0), &["equal_weight", "buy_and_hold"], &plan)).unwrap();
    let [pair] = found.paired.as_slice() else { panic!("{:?}", found.paired) };
    assert_eq!((pair.name.as_str(), pair.against.as_str()), ("equal_weight", "buy_and_hold"));
    let growth = |name: &str| found.outcome(name).unwrap().metrics.growth;
    assert!((pair.difference - (growth("equal_weight") - growth("buy_and_hold"))).abs() < 1e-12);
    // Eight whole blocks of 7 in 60 periods: t(7) = 2.3646.
    let logs = |name: &str| found.outcome(name).unwrap().track.log_returns.clone();
    let (one, other) = (logs("equal_weight"), logs("buy_and_hold"));
    let blocks: Vec<f64> = (0..8)
        .map(|block| (7 * block..7 * block + 7).map(|k| one[k] - other[k]).sum::<f64>() / 7.0 * 100.0)
        .collect();
    let mean = blocks.iter().sum::<f64>() / 8.0;
    let spread = (blocks.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 7.0).sqrt();
    let half_width = 2.364_624 * spread / 8.0_f64.sqrt();
    assert!(((pair.ci95[1] - pair.difference) / half_width - 1.0).abs() < 1e-5);
    assert!(((pair.difference - pair.ci95[0]) / half_width - 1.0).abs() < 1e-5);
}

#[test]
fn a_period_of_several_rows_sees_only_its_rows() {
    let rows = prices(ROWS, 0);
    let thin: Vec<Vec<f64>> = rows.iter().step_by(2).cloned().collect();
    let names = ["equal_weight", "risk_parity:window=20"];
    let one = backtest(&settings(&rows, &names, &json!({"period": 2, "rows_per_year": 252.0}))).unwrap();
    let other = backtest(&settings(&thin, &names, &json!({"rows_per_year": 126.0}))).unwrap();
    assert_eq!(one.outcomes, other.outcomes);
}

#[test]
fn settings_that_cannot_be_are_named_with_what_can() {
    let rows = prices(ROWS, 0);
    let refused = |strategies: &[&str], plan: Value, assignment: &str, parts: &[&str]| {
        let mut settings = settings(&rows, strategies, &plan);
        if !assignment.is_empty() {
            settings.set(assignment).unwrap();
        }
        let error = backtest(&settings).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
    };
    let usual = ["equal_weight"];
    let none = json!({});
    refused(&usual, json!({"splits": 1}), "", &["backtest.splits", "split"]);
    refused(&usual, json!({"split": {"train": 0.5, "test": 0.9}}), "", &["backtest.split", "sum of 1"]);
    refused(&usual, json!({"against": "twap"}), "", &["backtest.against", "equal_weight"]);
    refused(&["equal"], none.clone(), "", &["backtest.strategies", "minimum_variance"]);
    refused(&["risk_parity:window=1|5"], none.clone(), "", &["window", "from 2"]);
    refused(&["risk_parity:window=200"], none.clone(), "", &["backtest.split.train", "200 periods"]);
    refused(
        &["risk_parity:window=20|30"],
        json!({"walk_forward": {"window": 170, "step": 5}}),
        "",
        &["backtest.walk_forward.window", "170", "at most 150"],
    );
    refused(
        &["risk_parity:window=20|30"],
        json!({"split": {"train": 0.7, "validation": 0.0, "test": 0.3}}),
        "",
        &["backtest.split.validation"],
    );
    refused(&usual, none.clone(), "env.steps=10", &["env.steps", "10", "null"]);
    refused(&usual, none.clone(), "env.transaction_costs=1", &["transaction_cost"]);
    refused(&usual, none.clone(), "env.name=execution", &["env"]);
    refused(&usual, none.clone(), "market=flow", &["market", "env, backtest"]);
    refused(&["policy:nowhere"], none, "", &["nowhere"]);
}

/// The day of a row, from 2020-01-01 on, without weekends.
fn day(row: usize) -> String {
    let (weeks, of_week) = (row / 5, row % 5);
    // Monday, 6 January 2020.
    Stamp::Time((18_267 + 7 * weeks as i128 + of_week as i128) * 86_400_000_000_000).to_string()
}

/// The prices as a CSV file with dates.
fn dated(directory: &Path) -> String {
    let mut text = "date,A,B,C\n".to_owned();
    for (row, prices) in prices(ROWS, 0).iter().enumerate() {
        let prices: Vec<String> = prices.iter().map(f64::to_string).collect();
        text += &format!("{},{}\n", day(row), prices.join(","));
    }
    let path = directory.join("prices.csv");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn time_is_split_by_dates_where_prices_have_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = dated(directory.path());
    let names = ["equal_weight", "risk_parity:window=20|40"];
    let of = |plan: Value| {
        let mut settings = settings(&[vec![1.0], vec![1.0]], &names, &plan);
        settings.set(&format!("env.prices={{csv: {{file: {path}}}}}")).unwrap();
        backtest(&settings)
    };
    let by_shares = of(json!({})).unwrap();
    // Rows 120 and 180; a Sunday stands for the Monday after it.
    let (validation, test) = (day(120), "2020-09-13");
    let by_dates = of(json!({"split": {"validation": validation, "test": test}})).unwrap();
    assert_eq!(day(180), "2020-09-14");
    assert_eq!((&by_dates.parts, &by_dates.outcomes), (&by_shares.parts, &by_shares.outcomes));
    let json = by_dates.json().unwrap();
    assert_eq!(json["parts"]["train"], json!({"start": 0, "end": 120, "from": day(0), "to": day(120)}));
    assert_eq!(json["parts"]["test"], json!({"start": 180, "end": 240, "from": day(180), "to": day(240)}));
    assert_eq!(json["stamps"].as_array().unwrap().len(), ROWS);
    assert_eq!(json["settings"]["backtest"]["split"], json!({"validation": validation, "test": test}));
    assert!(by_dates.table().contains("60 of test (2020-09-14 to 2020-12-07)"), "{}", by_dates.table());
    let page = by_dates.html();
    assert!(page.contains("2020-10<") && page.contains("2020-11<"), "months below the figures");
    let fortnights =
        of(json!({"split": {"test": test}, "period": 10, "strategies": ["equal_weight"]})).unwrap();
    assert_eq!(fortnights.parts.test, 18..24, "every tenth row is decided on");
    let refused = |split: Value, parts: &[&str]| {
        let error = of(json!({"split": split})).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
    };
    let most = format!("2020-01-06 to {}", day(239));
    refused(json!({"validation": validation, "test": "2031-01-01"}), &["split.test", "2031-01-01", &most]);
    refused(json!({"validation": "2019-12-31", "test": test}), &["split.validation", "2019-12-31", &most]);
    refused(json!({"validation": test, "test": validation}), &["split.test", "later than 2020-09-13"]);
    refused(json!({"validation": "3", "test": test}), &["split.test", "2020-09-13", "number"]);
    refused(json!({"validation": "3", "test": "4"}), &["split.test", "4", &most]);
    refused(json!({"validation": 0.2, "test": test}), &["split", "date as validation"]);
    refused(json!({"train": 0.2, "test": test}), &["split", "no train"]);
    refused(json!({"train": 0.2, "validation": test}), &["split", "shares of all parts"]);
    refused(json!({"test": "soon"}), &["split", "soon", "2024-02-29"]);
    refused(json!({"test": test}), &["split.validation", "risk_parity"]);
    let undated = settings(&prices(ROWS, 0), &["equal_weight"], &json!({"split": {"test": test}}));
    let error = backtest(&undated).unwrap_err().to_string();
    assert!(error.contains("split.test") && error.contains("only prices from a file"), "{error}");
}

#[test]
fn orders_in_simulated_markets_meet_what_is_traded_there() {
    let found = |assignments: &[&str]| {
        let names = ["equal_weight"];
        let mut settings = settings(&[vec![1.0], vec![1.0]], &names, &json!({"rows": 61, "period": 2}));
        settings.set("env.prices={simulated: {market: flow, period_seconds: 60}}").unwrap();
        settings.set("env.assets=2").unwrap();
        settings.set("env.impact={square_root: {y: 1.0}}").unwrap();
        for assignment in assignments {
            settings.set(assignment).unwrap();
        }
        backtest(&settings).unwrap().outcomes.remove(0).track
    };
    let own = found(&[]);
    assert!(own.impact.iter().sum::<f64>() > 0.0);
    assert_eq!(own, found(&["env.conditions={period_seconds: 120}"]), "two rows of 60 s");
    // The flow trades about 0.67 lots of 100 shares a second at 100 in two minutes: some 800,000; impact falls with the root of that.
    let thick = found(&["env.conditions={volume: 8e7}"]);
    let ratio = own.impact.iter().sum::<f64>() / thick.impact.iter().sum::<f64>();
    assert!((6.0..16.0).contains(&ratio), "{ratio}");
}

/// Plays a rule in a market with impact, with and without the market's estimate: turnover, and the logarithm of what is left after all costs.
fn played(rule: &str, seed: u64, foresees: bool) -> (f64, f64) {
    let mut process = PricesConfig::MeanReverting(MeanRevertingConfig::default())
        .resolve(Some(4), Path::new(""))
        .and_then(|prices| Ok(prices.into_process()?))
        .unwrap();
    let (mut growth, mut logs, mut past) = (vec![0.0; 4], vec![0.0; 4], Vec::new());
    let mut values = vec![100.0; 4];
    let mut rng = SimRng::seed_from_u64(seed);
    process.begin(&mut rng, 300);
    for row in 0..300 {
        process.advance(&mut rng, &mut growth, &mut logs);
        past.extend_from_slice(&logs);
        (0..4).for_each(|asset| values.push(values[row * 4 + asset] * growth[asset]));
    }
    let table = Table::new("prices", values, 301, 4).unwrap();
    let square_root = SquareRootParams { y: 30.0, memory_seconds: None, half_spread: 0.0 };
    let config = PortfolioRebalancingConfig {
        impact: ImpactConfig::SquareRoot(square_root),
        ..PortfolioRebalancingConfig::default()
    };
    let process = AnyProcess::Replay(Replay::new(&table, false).unwrap());
    let mut env = PortfolioRebalancing::over(process, &config, Path::new("")).unwrap();
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(seed, &mut observation).unwrap();
    let mut strategy = rule.parse::<Rule>().unwrap().make();
    let (mut targets, mut turnover) = (vec![0.25; 4], 0.0);
    for period in config.lookback()..300 {
        let weights = env.weights().to_vec();
        let situation = Situation {
            past: &past[..period * 4],
            weights: &weights,
            cost: config.transaction_cost,
            impact: foresees.then_some(&env as &dyn ImpactEstimate),
            expected: None,
            cash: None,
        };
        strategy.weigh(&situation, &mut targets);
        turnover += targets.iter().zip(&weights).map(|(target, held)| (target - held).abs()).sum::<f64>();
        env.rebalance(&targets, &mut observation);
    }
    (turnover, f64::ln(env.nav()))
}

#[test]
fn who_foresees_impact_trades_less_and_keeps_more() {
    for rule in ["cost_aware:window=20:horizon=20", "cost_aware:window=20:risk_aversion=50:horizon=5"] {
        let (mut blind, mut seen) = ((0.0, 0.0), (0.0, 0.0));
        for seed in 0..4 {
            for (sum, foresees) in [(&mut blind, false), (&mut seen, true)] {
                let (turnover, nav) = played(rule, seed, foresees);
                *sum = (sum.0 + turnover, sum.1 + nav);
            }
        }
        assert!(seen.0 < 0.7 * blind.0, "{rule}: turnover {} after {}", seen.0, blind.0);
        assert!(seen.1 > blind.1, "{rule}: growth {} after {}", seen.1, blind.1);
    }
}

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).arg("backtest").args(arguments).output().unwrap()
}

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/backtest/default.yaml");

#[test]
fn the_file_that_comes_with_it_has_every_key_at_its_default() {
    let settings = Settings::read(SHIPPED).unwrap();
    let config = BacktestConfig::from_settings(&settings).unwrap();
    assert_eq!(config.plan, Plan::default());
    let keys = settings.section("backtest").unwrap();
    let all = gym::config::keys_of(&Plan::default());
    assert!(all.iter().all(|key| keys.contains_key(key)), "{keys:?}");
    Backtest::new(config).unwrap();
}

#[test]
fn the_command_prints_and_writes_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let arguments = [
        SHIPPED,
        "--set",
        "backtest.strategies=[equal_weight, 'risk_parity:window=20|60']",
        "--set",
        "env.assets=4",
        "--html",
        page.to_str().unwrap(),
        "--json",
        "-",
    ];
    let output = lobgym(&arguments);
    let table = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert!(table.contains("Sortino") && table.contains("risk_parity:window=20|60"), "{table}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let strategies = json["strategies"].as_array().unwrap();
    assert_eq!(strategies.len(), 2);
    assert_eq!(strategies[0]["nav"].as_array().unwrap().len(), 1_009);
    assert_eq!(strategies[0]["weights"][0].as_array().unwrap().len(), 4);
    assert_eq!(json["parts"]["test"], json!({"start": 1512, "end": 2520, "from": null, "to": null}));
    assert_eq!(json["stamps"], Value::Null, "drawn prices have none");
    assert_eq!(json["paired"][0]["against"], "equal_weight");
    let html = std::fs::read_to_string(&page).unwrap();
    let body = &html[html.find("<body>").unwrap()..html.rfind("</html>").unwrap()];
    let document = roxmltree::Document::parse(body).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("figure")).count(), 6);
    assert!(!html.contains("<script") && !html.contains("src="), "complete in itself");
    assert_eq!(lobgym(&arguments).stdout, output.stdout, "the same again");
}

#[test]
fn a_wrong_file_or_setting_is_wrong_usage() {
    for (arguments, code, part) in [
        (vec!["nowhere.yaml"], 1, "nowhere.yaml"),
        (vec![SHIPPED, "--set", "backtest.bock=3"], 2, "did you mean block?"),
        (vec![SHIPPED, "--set", "backtest.rows=100"], 2, "backtest.split.train"),
    ] {
        let output = lobgym(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part), "{part}: {said}");
    }
}

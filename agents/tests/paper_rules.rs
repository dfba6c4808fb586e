//! What a paper broker is told: settings, prices, costs, who decides; and the limits that it keeps.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};

use agents::broker::{PaperConfig, Summary, kill_file};
use agents::policy::{Head, PolicyFile};
use agents::portfolio::{Rule, Situation};
use gym::Settings;

mod made_ledger;
mod made_policy;

use made_ledger::{everything, finish, number, paper, query, refused, settings, whole};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/paper/default.yaml");
const CALIBRATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/impact/flow.yaml");

/// Short windows and no costs, so that shares can be worked out by hand.
const PLAIN: &str = "return_windows: [1], risk_window: 2, fees: none, impact: none";

/// Limits out of the way, to which a test adds the one that it is about.
const WIDE: &str = "max_position: 1, max_order_notional: 1, max_daily_turnover: 100, max_loss: 1";

/// A run of a file with this section, to its end.
fn run(directory: &Path, name: &str, text: &str, more: &[&str]) -> PathBuf {
    let db = directory.join(name);
    let config = settings(directory, text);
    let config = ["--config", config.to_str().unwrap()];
    finish(&mut paper(&db, &[&config, more].concat()));
    db
}

/// Prices that are in the settings; the first two rows are what the windows of [`PLAIN`] look back at.
fn given(rows: &[[f64; 2]]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    format!("prices: {{ given: {{ table: [{}] }} }}", rows.join(", "))
}

#[test]
fn the_file_that_comes_with_it_has_every_key_at_its_default() {
    let read = Settings::read(SHIPPED).unwrap();
    assert_eq!(PaperConfig::from_settings(&read).unwrap(), PaperConfig::default());
    let section = read.section("paper").unwrap();
    assert!(gym::config::keys_of(&PaperConfig::default()).iter().all(|key| section.contains_key(key)));
    let limits = section["limits"].as_object().unwrap();
    assert!(gym::config::keys_of(&PaperConfig::default().limits).iter().all(|key| limits.contains_key(key)));
    let directory = tempfile::tempdir().unwrap();
    let (with, without) = (directory.path().join("a.db"), directory.path().join("b.db"));
    finish(&mut paper(&with, &["--steps", "3", "--config", SHIPPED]));
    finish(&mut paper(&without, &["--steps", "3"]));
    assert_eq!(everything(&with), everything(&without));
}

#[test]
fn impact_is_taken_as_environments_take_it_and_kept_in_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(CALIBRATED).unwrap();
    let own = directory.path().join("measured");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("impact.yaml"), &text).unwrap();
    let steps = ["--steps", "6", "--assets", "3"];
    let limits = format!("limits: {{ {WIDE} }}");
    let in_file = run(
        directory.path(),
        "file.db",
        &format!("impact: {{ file: measured/impact.yaml }}, {limits}"),
        &steps,
    );
    let inline = "transient: { coefficient: 0.4379678726023757, exponent: 1.0, half_spread: 0.0006608254825948444, \
                  decay: { power_law: { exponent: 0.6786691307654564, shift_seconds: 3.093226505980401 } } }";
    let written = run(directory.path(), "inline.db", &format!("impact: {{ {inline} }}, {limits}"), &steps);
    let free = run(directory.path(), "free.db", &format!("impact: none, {limits}"), &steps);
    assert_eq!(everything(&in_file), everything(&written));
    assert_eq!(number(&free, "SELECT sum(abs(slippage)) FROM fills"), 0);
    // Half a spread of 0.066% of a million is 660.
    assert!(number(&in_file, "SELECT sum(slippage) FROM fills") > 60_000);

    // What the ledger was begun with does not hang on the file.
    std::fs::remove_file(own.join("impact.yaml")).unwrap();
    for db in [&in_file, &written] {
        finish(&mut paper(db, &["--steps", "9"]));
    }
    assert_eq!(everything(&in_file), everything(&written));
    let missing = settings(directory.path(), "impact: { file: measured/impact.yaml }");
    let (code, said) =
        refused(&mut paper(&directory.path().join("new.db"), &["--config", missing.to_str().unwrap()]));
    assert!(code == 1 && said.contains("impact.yaml"), "{code} {said}");
}

#[test]
fn fees_are_taken_as_environments_take_them() {
    let directory = tempfile::tempdir().unwrap();
    let fees =
        "fees: { maker_taker: { maker: { per_lot: 0 }, taker: { per_lot: 0.005 }, minimum_per_order: 1.0 } }";
    let db = run(directory.path(), "a.db", fees, &["--steps", "10"]);
    for row in query(&db, "SELECT quantity, fee FROM fills") {
        let (shares, fee) = (whole(&row[0]).unsigned_abs() as f64, whole(&row[1]));
        // Half a cent is rounded.
        assert!((fee as f64 - (0.5 * shares).max(100.0)).abs() < 0.51, "{shares} {fee}");
    }
    assert!(
        number(&db, "SELECT max(fee) FROM fills") > 100 && number(&db, "SELECT min(fee) FROM fills") == 100
    );
    for (text, expected) in [
        (
            "fees: { maker_taker: { maker: { basis_points: 1 }, taker: { per_lot: 1 }, minimum_per_order: -1 } }",
            "paper.fees.maker_taker.minimum_per_order is -1",
        ),
        ("fees: cheap", "paper.fees"),
        ("impact: { square_root: { y: -1 } }", "paper.impact.square_root.y is -1"),
        ("limit: { max_loss: 1 }", "did you mean limits?"),
    ] {
        let config = settings(directory.path(), text);
        let (code, said) =
            refused(&mut paper(&directory.path().join("b.db"), &["--config", config.to_str().unwrap()]));
        assert!(code == 2 && said.contains(expected) && said.contains("paper.yaml"), "{code} {said}");
    }
}

/// Daily bars of three assets, 60 of them.
fn bars(path: &Path) -> Vec<[f64; 3]> {
    let mut rows = Vec::new();
    let mut text = "date,one,two,three\n".to_owned();
    for day in 0..60 {
        let wave = |period: f64, size: f64| 1.0 + size * (day as f64 / period).sin();
        let round = |price: f64| (price * 100.0).round() / 100.0;
        let row =
            [round(37.2 * wave(3.0, 0.05)), round(412.5 * wave(5.0, 0.1)), round(9.87 * wave(2.0, 0.03))];
        text += &format!("2024-{:02}-{:02},{},{},{}\n", 1 + day / 28, 1 + day % 28, row[0], row[1], row[2]);
        rows.push(row);
    }
    std::fs::write(path, text).unwrap();
    rows
}

#[test]
fn a_file_of_prices_is_replayed_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let rows = bars(&directory.path().join("bars.csv"));
    let limits = format!("limits: {{ {WIDE} }}");
    let text = format!("prices: {{ csv: {{ file: bars.csv }} }}, {limits}");
    let db = directory.path().join("csv.db");
    let config = settings(directory.path(), &text);
    let said =
        String::from_utf8(finish(&mut paper(&db, &["--config", config.to_str().unwrap()])).stderr).unwrap();
    assert!(said.contains("reason=prices_end step=39"), "{said}");
    // 60 rows have 59 periods, of which windows look back at 20.
    let summary = Summary::of(&db).unwrap();
    assert!(
        summary.step == 39 && summary.reconciled && !summary.open_step && summary.fills > 40,
        "{summary:?}"
    );
    let cents = |price: f64| (price * 100.0).round() as i64;
    for (position, price) in summary.positions.iter().zip(rows[59]) {
        assert_eq!(position.price, cents(price));
    }
    let first = query(&db, "SELECT reference FROM orders WHERE step = 1 ORDER BY asset");
    assert_eq!(first.iter().map(|row| whole(&row[0])).collect::<Vec<_>>(), rows[21].map(cents));
    // Again: nothing is left, and it is no failure.
    let before = everything(&db);
    finish(&mut paper(&db, &[]));
    assert_eq!(everything(&db), before);

    let table: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    let same = format!("prices: {{ given: {{ table: [{}] }} }}, {limits}", table.join(", "));
    assert_eq!(everything(&run(directory.path(), "given.db", &same, &[])), before);
    let config = settings(directory.path(), &format!("{text}, risk_window: 70"));
    let (code, said) =
        refused(&mut paper(&directory.path().join("no.db"), &["--config", config.to_str().unwrap()]));
    assert!(code == 2 && said.contains("72 rows or more"), "{code} {said}");
}

#[test]
fn a_strategy_is_told_what_a_backtest_tells_it() {
    let directory = tempfile::tempdir().unwrap();
    let rows = bars(&directory.path().join("bars.csv"));
    let text = format!("prices: {{ csv: {{ file: bars.csv }} }}, {PLAIN}, limits: {{ {WIDE} }}");
    for name in
        ["minimum_variance:window=40", "risk_parity:window=25", "mean_variance:window=30:risk_aversion=2"]
    {
        let db = run(
            directory.path(),
            &format!("{}.db", name.replace(':', "-")),
            &text,
            &["--steps", "1", "--policy", name],
        );
        let rule: Rule = name.parse().unwrap();
        // The first step's prices are those after the window.
        let last = rule.window() + 1;
        let past: Vec<f64> = (1..=last)
            .flat_map(|day| (0..3).map(move |asset| (day, asset)))
            .map(|(day, asset)| libm::log(rows[day][asset] / rows[day - 1][asset]))
            .collect();
        let mut wanted = [0.0; 3];
        let weights = &[1.0 / 3.0; 3];
        let situation =
            Situation { past: &past, weights, cost: 0.0, impact: None, expected: None, cash: None };
        rule.make().weigh(&situation, &mut wanted);
        let shares = query(&db, "SELECT quantity FROM positions ORDER BY asset");
        for ((row, weight), price) in shares.iter().zip(wanted).zip(rows[last]) {
            // The logarithm of a ratio and the ratio of a replayed table differ in the last bit.
            let expected = weight * 990_000.0 / price;
            assert!((whole(&row[0]) as f64 - expected).abs() <= 1.0, "{name}: {row:?} {expected}");
        }
    }
}

#[test]
fn bands_and_buy_and_hold_leave_alone_what_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let limits = format!("limits: {{ {WIDE} }}, assets: 4");
    let steps_with_fills = |policy: &str| {
        let db = run(
            directory.path(),
            &format!("{}.db", policy.replace([':', '='], "-")),
            &limits,
            &["--steps", "60", "--policy", policy],
        );
        number(&db, "SELECT count(DISTINCT step) FROM fills")
    };
    assert_eq!(steps_with_fills("buy_and_hold"), 1);
    let (tight, loose) =
        (steps_with_fills("equal_weight:band=0.005"), steps_with_fills("equal_weight:band=0.02"));
    assert!(1 < loose && loose < tight && tight < 55, "{loose} {tight}");
    assert_eq!(steps_with_fills("equal_weight"), 60);
}

#[test]
fn who_decides_is_named_as_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("run");
    let env = made_policy::config("name: portfolio_rebalancing, assets: 3");
    let file =
        made_policy::linear(&env, Head::LogisticNormal { parts: 3 }, |_, _| 0.0, |output| output as f32);
    let named = made_policy::write(&file, &policy);
    let path = policy.to_str().unwrap();
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "2", "--policy", path]));
    finish(&mut paper(&db, &["--steps", "3", "--policy", &named]));
    assert_eq!(Summary::of(&db).unwrap().policy, named);
    // Points of the simplex are drawn unless the mode is asked for.
    let likeliest = format!("{named}:decision=mode");
    let (code, said) = refused(&mut paper(&db, &["--steps", "4", "--policy", &likeliest]));
    assert!(code == 2 && said.contains("decision=mode") && said.contains("was begun"), "{code} {said}");
    let other = directory.path().join("b.db");
    finish(&mut paper(&other, &["--steps", "3", "--policy", &likeliest]));
    assert_ne!(everything(&other), everything(&db));
    for (policy, expected) in [
        ("risk_parity:window=30|60", "alternatives"),
        ("risk_parity:band=0.1", "window"),
        ("risk_partiy", "risk_parity"),
        ("policy:", "policy:PATH"),
    ] {
        let (code, said) = refused(&mut paper(&directory.path().join("c.db"), &["--policy", policy]));
        assert!(code == 2 && said.contains(expected), "{code} {said}");
    }
    let env = made_policy::config("name: portfolio_rebalancing, assets: 3, cash: true, weights: long_short");
    let short = made_policy::write(&made_policy::constant(&env), &directory.path().join("short"));
    let (code, said) = refused(&mut paper(&directory.path().join("d.db"), &["--policy", &short]));
    assert!(code == 2 && said.contains("long_short") && said.contains("long_only"), "{code} {said}");
}

#[test]
fn a_policy_plays_prices_that_are_not_those_of_its_training() {
    let directory = tempfile::tempdir().unwrap();
    let rows = bars(&directory.path().join("bars.csv"));
    let made = |assets: usize| {
        let env = made_policy::config(&format!("name: portfolio_rebalancing, assets: {assets}"));
        let head = Head::LogisticNormal { parts: assets };
        let file = made_policy::linear(&env, head, |_, _| 0.0, |output| 0.2 * output as f32);
        made_policy::write(&file, &directory.path().join(format!("run-{assets}")))
    };
    let text = format!("prices: {{ csv: {{ file: bars.csv }} }}, limits: {{ {WIDE} }}");
    let db = run(directory.path(), "a.db", &text, &["--policy", &made(3), "--steps", "5"]);
    finish(&mut paper(&db, &[]));
    let summary = Summary::of(&db).unwrap();
    assert!(summary.step == 39 && summary.fills > 30 && summary.reconciled, "{summary:?}");
    assert_eq!(summary.positions[1].price, (rows[59][1] * 100.0).round() as i64);
    let config = settings(directory.path(), &text);
    let options = ["--config", config.to_str().unwrap(), "--policy", &made(4)];
    let (code, said) = refused(&mut paper(&directory.path().join("b.db"), &options));
    assert!(code == 2 && said.contains('4'), "{code} {said}");
}

/// The first step holds nothing, which counts as the same of each asset.
#[test]
fn actions_mean_what_they_meant_in_training() {
    let directory = tempfile::tempdir().unwrap();
    let rows = bars(&directory.path().join("bars.csv"));
    let text = format!("prices: {{ csv: {{ file: bars.csv }} }}, {PLAIN}, limits: {{ {WIDE} }}");
    let boxed = |low: f32| Head::Gaussian {
        bounds: agents::policy::Bounds { low: vec![Some(low); 3], high: vec![Some(1.0); 3] },
    };
    let softmax = [0.0_f64, 0.5, 1.0].map(|output| output.exp() / (1.0 + 0.5_f64.exp() + 1.0_f64.exp()));
    for (name, settings, head, expected) in [
        (
            "changes",
            "action: changes, max_change: 0.2",
            boxed(-1.0),
            [1.0 / 3.0 - 0.1, 1.0 / 3.0, 1.0 / 3.0 + 0.1],
        ),
        (
            "part",
            "adjustment: 0.25",
            Head::SoftmaxGaussian { parts: 3 },
            softmax.map(|part| 0.25 + 0.25 * part),
        ),
    ] {
        let env = made_policy::config(&format!("name: portfolio_rebalancing, assets: 3, {settings}"));
        let file = made_policy::linear(&env, head, |_, _| 0.0, |output| 0.5 * output as f32);
        let policy = made_policy::write(&file, &directory.path().join(name));
        let db = run(
            directory.path(),
            &format!("{name}.db"),
            &text,
            &["--steps", "1", "--policy", &format!("{policy}:decision=mode")],
        );
        let shares = query(&db, "SELECT quantity FROM positions ORDER BY asset");
        for ((row, weight), price) in shares.iter().zip(expected).zip(rows[21]) {
            let expected = weight * 990_000.0 / price;
            assert!((whole(&row[0]) as f64 - expected).abs() <= 1.0, "{name}: {row:?} {expected}");
        }
    }
}

#[test]
fn a_network_that_says_no_numbers_trades_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let env = made_policy::config("name: portfolio_rebalancing, assets: 3");
    let head = Head::LogisticNormal { parts: 3 };
    let file: PolicyFile = made_policy::linear(&env, head, |_, _| f32::MAX, |_| f32::MAX);
    let policy = made_policy::write(&file, &directory.path().join("run"));
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "4", "--policy", &policy]));
    let summary = Summary::of(&db).unwrap();
    assert_eq!((summary.fills, summary.nav, summary.cash), (0, 100_000_000, 100_000_000));
    assert_eq!(summary.rejections.into_iter().collect::<Vec<_>>(), [("target_not_finite".to_owned(), 4)]);
    assert!(summary.orders.is_empty());
}

#[test]
fn after_too_great_a_loss_positions_are_only_reduced() {
    let directory = tempfile::tempdir().unwrap();
    let rows = [
        [100.0, 100.0],
        [101.0, 99.0],
        [100.0, 100.0],
        [101.0, 100.0],
        [101.0, 60.0],
        [102.0, 50.0],
        [103.0, 45.0],
    ];
    let text = format!(
        "{}, {PLAIN}, limits: {{ max_position: 1, max_order_notional: 1, max_daily_turnover: 9, max_loss: 0.1 }}",
        given(&rows)
    );
    let db = run(directory.path(), "a.db", &text, &[]);
    assert_eq!(number(&db, "SELECT count(*) FROM fills WHERE step = 1 AND quantity > 0"), 2);
    // Equal weights mean to buy what has fallen and to sell the other.
    assert_eq!(number(&db, "SELECT count(*) FROM fills WHERE step > 1 AND quantity > 0"), 0);
    assert!(number(&db, "SELECT count(*) FROM fills WHERE step > 1 AND quantity < 0") > 0);
    let refusals = query(&db, "SELECT step, asset, rule FROM rejections WHERE quantity > 0 ORDER BY id");
    let expected = [2, 3, 4].map(|step: i64| vec![step.into(), 1_i64.into(), "loss_limit".to_owned().into()]);
    assert_eq!(refusals, expected);
    assert_eq!(number(&db, "SELECT count(*) FROM rejections"), 3);
}

#[test]
fn prices_that_stand_still_are_not_traded_on() {
    let directory = tempfile::tempdir().unwrap();
    let rows =
        [[100.0, 100.0], [101.0, 99.0], [100.0, 100.0], [100.0, 100.0], [100.0, 100.0], [100.5, 100.0]];
    let text = format!("{}, {PLAIN}, limits: {{ {WIDE}, max_data_age: 23400 }}", given(&rows));
    // One step without a change is a trading day old, which is legal here; two are not.
    let db = run(directory.path(), "a.db", &text, &["--policy", "buy_and_hold"]);
    assert_eq!(number(&db, "SELECT count(*) FROM fills WHERE step = 1"), 2);
    let text = text.replace("23400", "23399");
    let db = run(directory.path(), "b.db", &text, &[]);
    assert_eq!(number(&db, "SELECT min(step) FROM orders"), 3);
    assert_eq!(number(&db, "SELECT count(*) FROM fills WHERE step = 3"), 2);
    let refusals = query(&db, "SELECT step, rule, found, legal FROM rejections ORDER BY id");
    let row = |step: i64, age: &str| {
        vec![step.into(), "stale_data".to_owned().into(), age.to_owned().into(), "23399".to_owned().into()]
    };
    assert_eq!(refusals, [row(1, "23400"), row(1, "23400"), row(2, "46800"), row(2, "46800")]);
}

#[test]
fn no_position_grows_beyond_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let db = run(
        directory.path(),
        "a.db",
        "assets: 2, limits: { max_position: 0.4, max_order_notional: 1 }",
        &["--steps", "3"],
    );
    assert_eq!(number(&db, "SELECT count(*) FROM rejections WHERE rule = 'max_position'"), 6);
    assert_eq!(number(&db, "SELECT count(*) FROM rejections"), 6);
    assert_eq!(number(&db, "SELECT count(*) FROM orders"), 0);
    let limit = query(&db, "SELECT legal FROM rejections LIMIT 1");
    assert_eq!(limit, [["40000000".to_owned().into()]]);
}

#[test]
fn the_kill_switch_sells_in_parts_what_no_order_may_have_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut rows = vec![[100.0, 100.0], [101.0, 99.0], [100.5, 100.0]];
    // Equal weights buy more and more of what falls.
    rows.extend((0..9).map(|step| [100.0 * 0.6_f64.powi(step.min(3)) + 0.01 * f64::from(step), 100.0]));
    let text =
        format!("{}, {PLAIN}, capital: 100000, limits: {{ {WIDE}, max_order_quantity: 600 }}", given(&rows));
    let db = run(directory.path(), "a.db", &text, &["--steps", "4"]);
    let held = number(&db, "SELECT quantity FROM positions WHERE asset = 0");
    assert!(held > 1_000, "{held}");
    std::fs::write(kill_file(&db), "").unwrap();
    let said = String::from_utf8(finish(&mut paper(&db, &[])).stderr).unwrap();
    assert!(said.contains("reason=killed"), "{said}");
    let sold = query(&db, "SELECT step, quantity FROM fills WHERE asset = 0 AND step > 4 ORDER BY step");
    let sold: Vec<_> = sold.iter().map(|row| (whole(&row[0]), whole(&row[1]))).collect();
    assert_eq!(sold, [(5, -600), (6, 600 - held)]);
    assert_eq!(number(&db, "SELECT count(*) FROM orders WHERE step > 4 AND reason <> 'flatten'"), 0);
    let summary = Summary::of(&db).unwrap();
    assert!(summary.reconciled && summary.exposure == 0.0 && summary.cash == summary.nav, "{summary:?}");
}

#[test]
fn purchases_that_the_kill_switch_overtakes_are_refused_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    // Cut short when the orders are written and none is sent.
    let found = (1..40).any(|point: u32| {
        let fresh = directory.path().join(format!("{point}.db"));
        let mut command = paper(&fresh, &["--steps", "1", "--assets", "5"]);
        let output = command.env("LOBGYM_PAPER_CRASH", point.to_string()).output().unwrap();
        let there = String::from_utf8_lossy(&output.stderr).contains("crash point: after the orders");
        if there {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::copy(
                    format!("{}{suffix}", fresh.display()),
                    format!("{}{suffix}", db.display()),
                );
            }
        }
        there
    });
    assert!(found);
    assert_eq!(number(&db, "SELECT count(*) FROM orders WHERE status = 'pending'"), 5);
    std::fs::write(kill_file(&db), "").unwrap();
    finish(&mut paper(&db, &[]));
    let summary = Summary::of(&db).unwrap();
    assert_eq!(summary.orders.into_iter().collect::<Vec<_>>(), [("cancelled".to_owned(), 5)]);
    assert_eq!(summary.rejections.into_iter().collect::<Vec<_>>(), [("kill_switch".to_owned(), 5)]);
    assert_eq!((summary.fills, summary.nav), (0, 100_000_000));
}

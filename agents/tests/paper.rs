//! The paper broker as a user meets it: runs that are killed go on as if nothing had happened, limits and switches hold.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use agents::broker::Summary;
use agents::policy::{Head, Network, NetworkSpec, PolicyFile};
use rusqlite::Connection;
use rusqlite::types::Value;

mod made_ledger;
mod made_policy;

use made_ledger::{KEYS, everything, finish, paper, rows};

const STEPS: u64 = 40;

/// The run that all comparisons are with: few assets and a book of rules that refuses now and then.
fn run_of(db: &Path, config: &Path, steps: u64) -> Command {
    run_under("equal_weight", db, config, steps)
}

fn run_under(policy: &str, db: &Path, config: &Path, steps: u64) -> Command {
    let steps = steps.to_string();
    let config = config.to_str().unwrap();
    paper(db, &["--seed", "7", "--steps", &steps, "--config", config, "--policy", policy])
}

fn config(directory: &Path) -> PathBuf {
    let path = directory.join("paper.yaml");
    let text = "paper:\n  assets: 4\n  periods_per_day: 5\n  limits: {max_daily_turnover: 1.0}\n  impact:\n    \
                transient: {coefficient: 0.1, decay: {exponential: {seconds: 20000}}}\n";
    // Half the weight of each asset is more than a day may trade at the first step with three assets of four.
    std::fs::write(&path, text).unwrap();
    path
}

/// Whatever is in the ledger of a run that was cut short is the beginning of what a whole run writes, and adds up.
fn is_a_beginning(db: &Path, whole: &[Vec<Vec<Value>>]) {
    let has_tables = Connection::open(db).and_then(|c| {
        c.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'account'", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    if has_tables.unwrap() == 0 || rows(db, "account", "id").is_empty() {
        return;
    }
    let summary = Summary::of(db).unwrap();
    assert!(summary.reconciled, "{summary:?}");
    for ((table, key), whole) in KEYS.iter().zip(whole).skip(1).take(3) {
        let found = rows(db, table, key);
        assert_eq!(found[..], whole[..found.len()], "{table}");
    }
    // An order's status is the one thing of it that changes.
    let (orders, fills) = (rows(db, "orders", "rowid"), rows(db, "fills", "rowid"));
    for (order, whole) in orders.iter().zip(&whole[0]) {
        assert_eq!(order[..7], whole[..7]);
        let filled = fills.iter().any(|fill| fill[0] == order[0]);
        assert_eq!(order[7], Value::Text(if filled { "filled" } else { "pending" }.to_owned()));
    }
    assert!(orders.len() <= whole[0].len());
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the broker does not end");
        sleep(Duration::from_millis(5));
    }
}

/// Numbers that only have to be all over the place.
fn scatter(index: u64, below: u64) -> u64 {
    (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) % below
}

#[test]
fn a_broker_that_is_killed_anywhere_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let reference = directory.path().join("whole.db");
    let begun = Instant::now();
    finish(&mut run_of(&reference, &config, STEPS));
    let lasted = begun.elapsed();
    let whole = everything(&reference);
    assert_eq!(whole[2].len() as u64, STEPS + 1);
    assert!(whole[1].len() > 60, "too few fills to be cut between: {}", whole[1].len());
    assert!(!whole[3].is_empty(), "nothing was refused");

    // At a place that tests know, further and further into what is left of the run.
    let (mut kills, mut places) = (0_u64, BTreeSet::new());
    for round in 0..2 {
        let db = directory.path().join(format!("points-{round}.db"));
        loop {
            let point = 1 + (kills * 5 + kills / 3) % 41;
            let mut command = run_of(&db, &config, STEPS);
            let output = command.env("LOBGYM_PAPER_CRASH", point.to_string()).output().unwrap();
            if output.status.success() {
                break;
            }
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let place = text.lines().find_map(|line| line.strip_prefix("crash point: "));
            places.insert(place.unwrap_or_else(|| panic!("{text}")).to_owned());
            kills += 1;
            is_a_beginning(&db, &whole);
        }
        finish(&mut run_of(&db, &config, STEPS));
        assert_eq!(everything(&db), whole);
    }
    assert_eq!(places.len(), 11, "{places:?}");
    assert!(kills >= 50, "{kills}");

    // SIGKILL, at any moment of it. What a whole run writes is known: the ledger is begun anew where one has ended.
    let (mut shots, mut ledgers) = (0, 0);
    for index in 0.. {
        let db = directory.path().join(format!("moments-{ledgers}.db"));
        let mut child = run_of(&db, &config, STEPS).stderr(Stdio::null()).spawn().unwrap();
        sleep(lasted * scatter(index, 1000) as u32 / 1200);
        child.kill().unwrap();
        let ended = child.wait().unwrap().success();
        is_a_beginning(&db, &whole);
        shots += u32::from(!ended);
        if ended || shots == 25 {
            finish(&mut run_of(&db, &config, STEPS));
            assert_eq!(everything(&db), whole);
            assert!(Summary::of(&db).unwrap().reconciled);
            ledgers += 1;
        }
        if shots == 25 {
            break;
        }
        assert!(index < 200, "a run ends before it can be killed");
    }
}

#[test]
fn a_strategy_that_is_killed_knows_its_past_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    // The windows are longer than the run, and longer than what the broker itself looks back at.
    for (index, policy) in
        ["risk_parity:window=60", "cost_aware:window=45:risk_aversion=3:horizon=5"].into_iter().enumerate()
    {
        let whole = directory.path().join(format!("whole-{index}.db"));
        finish(&mut run_under(policy, &whole, &config, STEPS));
        let whole = everything(&whole);
        assert!(whole[1].len() > 5, "{policy}: {} fills", whole[1].len());
        let db = directory.path().join(format!("parts-{index}.db"));
        let mut kills = 0_u64;
        loop {
            let point = 1 + (kills * 7 + kills / 3) % 29;
            let mut command = run_under(policy, &db, &config, STEPS);
            if command.env("LOBGYM_PAPER_CRASH", point.to_string()).output().unwrap().status.success() {
                break;
            }
            kills += 1;
            is_a_beginning(&db, &whole);
        }
        // Who decides is in the ledger.
        finish(&mut paper(&db, &["--steps", "40"]));
        assert!(kills > 15, "{policy}: {kills}");
        assert_eq!(everything(&db), whole, "{policy}");
    }
}

#[test]
fn a_signal_ends_after_the_step_and_with_success() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    for signal in ["TERM", "INT"] {
        let mut child = paper(&db, &["--assets", "3"]).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(400));
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(wait(&mut child).code(), Some(0), "{signal}");
        let summary = Summary::of(&db).unwrap();
        assert!(summary.step > 0 && !summary.open_step && summary.reconciled, "{summary:?}");
        assert_eq!(summary.orders.get("pending"), None);
    }
}

#[test]
fn the_kill_switch_sells_everything_and_stays_on() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "3"]));
    assert!(Summary::of(&db).unwrap().exposure > 0.9);
    let kill =
        || Command::new(env!("CARGO_BIN_EXE_lobgym")).args(["paper", "kill", "--db"]).arg(&db).output();
    assert!(kill().unwrap().status.success());
    for _ in 0..2 {
        let text = String::from_utf8(finish(&mut paper(&db, &[])).stderr).unwrap();
        assert!(text.contains("reason=killed"), "{text}");
        let summary = Summary::of(&db).unwrap();
        assert!(summary.positions.iter().all(|position| position.quantity == 0));
        assert!(summary.killed && summary.reconciled && summary.nav == summary.cash, "{summary:?}");
    }
    std::fs::remove_file(agents::broker::kill_file(&db)).unwrap();
    finish(&mut paper(&db, &["--steps", "10"]));
    assert!(Summary::of(&db).unwrap().exposure > 0.9);
    let missing = directory.path().join("none.db");
    let output =
        Command::new(env!("CARGO_BIN_EXE_lobgym")).args(["paper", "kill", "--db"]).arg(&missing).output();
    assert_eq!(output.unwrap().status.code(), Some(1));
    assert!(!missing.exists() && !agents::broker::kill_file(&missing).exists());
}

#[test]
fn a_second_broker_on_the_same_ledger_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    let mut first = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    let mut child = first.args(["paper", "--db"]).arg(&db).stderr(Stdio::null()).spawn().unwrap();
    while Summary::of(&db).is_err() {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(20));
    }
    let output = paper(&db, &["--steps", "5"]).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("in use by another paper broker"), "{text}");
    finish(&mut paper(&db, &["--steps", "5"]));
}

#[test]
fn other_settings_than_the_ledgers_are_wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "2", "--seed", "3", "--assets", "2", "--capital", "50000"]));
    finish(&mut paper(&db, &["--steps", "3"]));
    for (option, value) in
        [("--seed", "4"), ("--assets", "3"), ("--capital", "50001"), ("--policy", "runs/x")]
    {
        let output = paper(&db, &["--steps", "4", option, value]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(&option[2..]) && text.contains("with which this ledger was begun"), "{text}");
    }
    assert_eq!(Summary::of(&db).unwrap().step, 3);
    let bad = directory.path().join("bad.yaml");
    std::fs::write(&bad, "paper: {limits: {max_loss: -1}}\n").unwrap();
    let fresh = directory.path().join("b.db");
    let output = paper(&fresh, &["--config", bad.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("bad.yaml") && text.contains("paper.limits.max_loss is -1"), "{text}");
}

#[test]
fn status_says_the_same_as_text_and_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "2"]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    let output = command.args(["paper", "status", "--json", "--db"]).arg(&db).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(value["step"], 2);
    assert_eq!(value["capital"], 100_000_000);
    assert_eq!(value["reconciled"], true);
    assert_eq!(value["positions"].as_array().unwrap().len(), 10);
    let nav = value["nav"].as_i64().unwrap();
    assert!(text.contains(&format!("net asset value {}.{:02}", nav / 100, nav % 100)), "{text}");
    assert!(text.contains("reconciled to the cent"), "{text}");
}

/// A policy that looks at three observations, its own weights among them, and draws.
fn looking_back(path: &Path) {
    let env = made_policy::config("name: portfolio_rebalancing, assets: 3, cash: true");
    let mut file = made_policy::linear(&env, Head::LogisticNormal { parts: 4 }, |_, _| 0.0, |_| 0.0);
    let spec = NetworkSpec { window: 3, ..file.header.network.clone() };
    let count = spec.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let parameters: Vec<f32> =
        (0..count).map(|index| scatter(index as u64, 1000) as f32 / 250.0 - 2.0).collect();
    let mut network = Network::new(spec.clone()).unwrap();
    network.set(&parameters);
    file.header.network = spec;
    file.policy.network = network;
    PolicyFile { parameters, ..file }.write(path).unwrap();
}

#[test]
fn a_policy_that_looks_back_decides_the_same_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.safetensors");
    looking_back(&policy);
    let run = |db: &Path, steps: &str| {
        paper(db, &["--policy", policy.to_str().unwrap(), "--seed", "5", "--steps", steps])
    };
    let (whole, parts) = (directory.path().join("whole.db"), directory.path().join("parts.db"));
    finish(&mut run(&whole, "20"));
    assert!(rows(&whole, "fills", "rowid").len() > 20);
    for steps in 1..=12 {
        finish(&mut run(&parts, &steps.to_string()));
    }
    let mut kills = 0;
    while !run(&parts, "20").env("LOBGYM_PAPER_CRASH", "9").output().unwrap().status.success() {
        kills += 1;
    }
    assert!(kills > 5, "{kills}");
    assert_eq!(everything(&parts), everything(&whole));
    let env = made_policy::config("name: execution");
    let other = directory.path().join("other.safetensors");
    made_policy::linear(&env, Head::LogisticNormal { parts: 7 }, |_, _| 0.0, |_| 0.0).write(&other).unwrap();
    let output =
        paper(&directory.path().join("b.db"), &["--policy", other.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("was trained in execution"), "{text}");
}

#[test]
fn metrics_are_served_on_this_machine() {
    use std::io::{BufRead, BufReader, Read, Write};

    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    command.args(["paper", "--metrics", "0", "--speed", "20", "--db"]).arg(&db).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut address = None;
    for line in lines {
        if let Some((_, rest)) = line.split_once("url=http://") {
            address = rest.split_once('/').map(|(address, _)| address.to_owned());
        }
        if line.starts_with("event=step") {
            break;
        }
    }
    let ask = |path: &str| {
        let mut stream = std::net::TcpStream::connect(address.as_ref().unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let (page, nothing) = (ask("/metrics"), ask("/"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(address.as_ref().unwrap().starts_with("127.0.0.1:"));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("lobgym_paper_{name} ")));
        line.unwrap_or_else(|| panic!("{name}: {page}")).parse::<f64>().unwrap()
    };
    assert!((900_000.0..1_100_000.0).contains(&value("nav")));
    assert!((value("nav") - value("profit") - 1e6).abs() < 1e-6);
    assert!(value("exposure") > 0.9 && value("killed") == 0.0 && value("fills_total") >= 10.0);
    assert_eq!(value("decision_seconds_count"), value("steps_total"));
}

//! What evaluations of traders say of learned policies, of what was played, and of what could not be traded.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use agents::evaluation::{Finding, Request, perform};
use agents::policy::{Head, PolicyFile};
use gym::config::Task;
use gym::envs::TraderConfig;
use gym::{EnvConfig, Settings};
use serde_json::Value;

mod made_policy;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lobgym_verdicts_{}_{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.0.join(name), text).unwrap();
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A price that swings and wanders.
fn bars(count: usize) -> String {
    let (mut text, mut state, mut price) = (String::from("time,high,low,close,volume\n"), 7u64, 100.0f64);
    for index in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5;
        price *= 1.0 + 0.004 * draw + 0.002 * (index as f64 / 9.0).sin();
        text += &format!(
            "{},{},{},{price},{}\n",
            1_700_000_000 + 5 * index,
            price + 0.2,
            price - 0.2,
            9.0 + draw
        );
    }
    text
}

fn config(yaml: &str) -> EnvConfig {
    EnvConfig::from_settings(&Settings::from_yaml(&format!("env: {{name: trader, {yaml}}}"), "test").unwrap())
        .unwrap()
}

fn request(env: &EnvConfig, policies: &[&str], episodes: usize) -> Request {
    Request {
        env: env.clone(),
        policies: policies.iter().map(|&name| name.to_owned()).collect(),
        grid: false,
        episodes,
        seed: 1,
        threads: 1,
        against: None,
        examples: false,
        command: String::new(),
    }
}

fn evaluate(env: &EnvConfig, policies: &[&str], episodes: usize) -> (Finding, Value) {
    let found = perform(&request(env, policies, episodes), &AtomicBool::new(false), &|_, _| {}).unwrap();
    let json = found.json().unwrap();
    (found, json)
}

fn of<'a>(json: &'a Value, name: &str) -> &'a Value {
    json["policies"].as_array().unwrap().iter().find(|policy| policy["name"] == name).unwrap()
}

/// A policy that always makes the same choice, in a file.
fn always(env: &EnvConfig, choice: usize, path: &Path) -> String {
    let head = Head::Categorical { choices: 3 };
    let made: PolicyFile =
        made_policy::linear(env, head, |_, _| 0.0, |output| f32::from(u8::from(output == choice)));
    made.write(path).unwrap();
    format!("policy:{}", path.display())
}

fn trader(env: &EnvConfig) -> &TraderConfig {
    let Task::Trader(config) = &env.task else { panic!("a trader") };
    config
}

#[test]
fn learned_policies_are_told_from_rules_or_not() {
    let place = Place::new("told");
    let file = place.file("bars.csv", &bars(900));
    let env = config(&format!(
        "bars: {{file: {file:?}, train_share: 0.3}}, features: price, normalisation: null, window: 1, steps: 40, transaction_cost: 0.002"
    ));
    let cash = always(&env, 0, &place.0.join("cash.safetensors"));
    let buys = always(&env, 1, &place.0.join("buys.safetensors"));
    let (found, json) =
        evaluate(&env, &[&cash, &buys, "buy_and_hold", "random:entry=1:exit=1", "lowrider", "cash"], 60);
    let verdict = |name: &str, against: &str| {
        let all = json["verdicts"].as_array().unwrap();
        let one =
            all.iter().find(|verdict| verdict["name"] == name && verdict["against"] == against).unwrap();
        let ends = [&one["growth_ci95"][0], &one["growth_ci95"][1]].map(|end| end.as_f64().unwrap());
        (one["verdict"].as_str().unwrap().to_owned(), ends)
    };
    assert_eq!(
        json["verdicts"].as_array().unwrap().len(),
        6,
        "two policies and three rules; cash is no yardstick"
    );
    // In and out at each step, at costs, is worse than anything.
    let (said, ends) = verdict(&cash, "random:entry=1:exit=1");
    assert!(said == "beats" && ends[0] > 0.0);
    // It buys for all its money at once, as buy and hold does.
    assert_eq!(verdict(&buys, "buy_and_hold").0, "cannot be told from");
    for against in ["buy_and_hold", "lowrider"] {
        let (said, ends) = verdict(&cash, against);
        let wanted = if ends[0] > 0.0 {
            "beats"
        } else if ends[1] < 0.0 {
            "loses to"
        } else {
            "cannot be told from"
        };
        assert_eq!(said, wanted);
    }
    let text = format!("{cash} beats random:entry=1:exit=1 (growth ");
    assert!(found.table().contains(&text), "{}", found.table());
    assert!(found.html().unwrap().contains("beats random:entry=1:exit=1"));
}

#[test]
fn sessions_that_are_all_the_same_tell_nothing() {
    let place = Place::new("same");
    let file = place.file("bars.csv", &bars(900));
    let env = config(&format!(
        "bars: {{file: {file:?}, train_share: 0.3}}, features: price, normalisation: null, window: 1, steps: 40, random_start: false,
         transaction_cost: 0.002"
    ));
    let cash = always(&env, 0, &place.0.join("cash.safetensors"));
    let (found, json) = evaluate(&env, &[&cash, "random:entry=1:exit=1"], 5);
    assert_eq!(json["distinct_sessions"], 1);
    assert_eq!(json["verdicts"][0]["verdict"], "cannot be told from");
    let warnings = found.warnings().join("\n");
    assert!(warnings.contains("1 sessions without a common bar, 5 were drawn"), "{warnings}");
}

#[test]
fn what_never_reached_a_lot_is_told() {
    let place = Place::new("lots");
    let file = place.file("bars.csv", &bars(900));
    let env = |capital: f64| {
        config(&format!(
            "bars: {{file: {file:?}, train_share: 0.3}}, features: price, normalisation: null, window: 1, steps: 40, lot_size: 1,
             capital: {capital}"
        ))
    };
    let (found, json) = evaluate(&env(1000.0), &["lowrider", "cash", "buy_and_hold"], 10);
    assert_eq!(of(&json, "lowrider")["fills_mean"], 0.0);
    let warnings = found.warnings().join("\n");
    assert!(
        warnings.contains("lowrider wished to trade in 10 of 10 sessions and nothing was ever filled"),
        "{warnings}"
    );
    assert!(!warnings.contains("cash wished") && !warnings.contains("buy_and_hold wished"), "{warnings}");
    let (found, json) = evaluate(&env(10_000.0), &["lowrider"], 10);
    assert!(of(&json, "lowrider")["fills_mean"].as_f64().unwrap() > 0.0);
    assert!(!found.warnings().join("\n").contains("wished"));
}

#[test]
fn ruin_and_being_stuck_are_counted_for_futures_and_lots_too() {
    let place = Place::new("ruin");
    // It falls by two thirds, slowly.
    let falling: String = (0..400)
        .map(|index| format!("{},{}\n", 1_700_000_000 + 5 * index, 100.0 * 0.997f64.powi(index)))
        .collect();
    let file = place.file("bars.csv", &format!("time,close\n{falling}"));
    let share = |account: &str, more: &str, policy: &str, key: &str| {
        let env = config(&format!(
            "bars: {{file: {file:?}, part: all}}, features: price, normalisation: null, window: 1, steps: 300, account: {account}{more}"
        ));
        of(&evaluate(&env, &[policy], 4).1, policy)[key].as_f64().unwrap()
    };
    assert_eq!(share("spot", "", "buy_and_hold", "ruined"), 1.0);
    assert_eq!(share("spot", "", "cash", "ruined"), 0.0);
    assert_eq!(share("spot", "", "lowrider:reluctance=40", "stuck"), 0.0);
    assert_eq!(share("spot", "", "buy_and_hold", "stuck"), 1.0);
    // A future's cash is what its position was bought with beyond the margin; a tenth of it held is not all of it.
    let futures = "{futures: {leverage: 10, maintenance_margin: 0.001, funding_rate: 0}}";
    assert_eq!(share(futures, "", "lowrider:reluctance=1000", "stuck"), 0.0);
    // What is left is less than a lot.
    let lots = ", lot_size: 15, capital: 10000, transaction_cost: 0.001";
    assert_eq!(share("spot", lots, "buy_and_hold", "stuck"), 1.0);
}

#[test]
fn a_policy_is_evaluated_with_what_it_was_trained_with() {
    let place = Place::new("kept");
    let (whole, begin) = (bars(900), bars(500));
    let file = place.file("bars.csv", &begin);
    let env = config(&format!("bars: {file:?}, steps: 20, window: 1"));
    let kept = TraderConfig::fitted(trader(&env), Path::new("")).unwrap();
    let trained = EnvConfig { task: Task::Trader(kept.clone()), ..env.clone() };
    let policy = always(&trained, 1, &place.0.join("new.safetensors"));
    let old = always(&env, 1, &place.0.join("old.safetensors"));
    std::fs::write(&file, &whole).unwrap();
    let (found, json) = evaluate(&env, &[&policy, "cash"], 10);
    let played =
        EnvConfig::from_map(json["settings"]["env"].as_object().unwrap(), Path::new(""), "env").unwrap();
    assert_eq!(trader(&played).normalisation, kept.normalisation);
    assert!(!found.warnings().join("\n").contains("normalis"));
    let (found, _) = evaluate(&env, &[&old], 10);
    assert!(found.warnings().join("\n").contains("has not kept what it was normalised by"));
    // On paper it is told how much of what it traded on was learned from.
    let out = place.0.join("session");
    let arguments = [
        "trade",
        "--policy",
        &policy,
        "--bars",
        &file.display().to_string(),
        "--out",
        &out.display().to_string(),
    ];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status = agents::trader::TradeStatus::of(&out).unwrap();
    assert!((200..350).contains(&status.trained_on) && status.steps > 700, "{status:?}");
    assert!(
        status
            .text()
            .contains(&format!("{} of the {} bars are of the time", status.trained_on, status.steps))
    );
    // Another one's scaling is not this one's.
    let other = config(&format!("bars: {file:?}, steps: 20, window: 1"));
    let other = EnvConfig { task: Task::Trader(trader(&other).fitted(Path::new("")).unwrap()), ..other };
    let (found, _) = evaluate(&other, &[&policy], 10);
    assert!(found.warnings().join("\n").contains("was trained with another normalisation"));
}

#[test]
fn recordings_are_played_where_nobody_was_trained() {
    let place = Place::new("replay");
    // Two minutes of a book: best quotes that stay, and an order behind them each second.
    let mut rows = String::from("id,timestamp,exchange.timestamp,price,volume,action,direction\n");
    rows += "1,10000,10000,100.0,500,created,bid\n2,10000,10000,100.1,500,created,ask\n";
    for second in 1..=120 {
        let stamp = 10_000 + 1_000 * second;
        rows += &format!("{},{stamp},{stamp},99.{},7,created,bid\n", second + 2, 9 - second % 7);
    }
    place.file("orders.csv", &rows);
    let market = |part: &str, length: u32| {
        let text = format!(
            "flow: {{ replay: {{ file: orders.csv, episode_seconds: {length}, starts: {{ every: 5 }}, part: {part}, lead_in_seconds: 1 }} }}\n\
             fees: none\nlatency: {{ order: none, report: none }}\n"
        );
        let file = place.file(&format!("{part}{length}.yaml"), &text);
        config(&format!(
            "market: {file:?}, interval_seconds: 0.05, tick_size: 0.1, lot_size: 1.0e-8, steps: 20, window: 1, features: price,
             normalisation: null, capital: 0.0001"
        ))
    };
    let (found, json) = evaluate(&market("train", 8), &["buy_and_hold", "cash"], 40);
    assert_eq!(json["part"], "test");
    // From 84 s of 120 on, each of 8 s.
    let distinct = json["distinct_sessions"].as_u64().unwrap();
    assert!((3..=7).contains(&distinct), "{distinct}");
    let warnings = found.warnings().join("\n");
    assert!(
        warnings.contains(&format!("the recording has {distinct} starts of sessions, 40 were drawn")),
        "{warnings}"
    );
    assert!(!warnings.contains("learned from"), "{warnings}");
    // What has no room in the rest, or was never split, is told.
    for (part, length) in [("all", 8), ("train", 60)] {
        let (found, json) = evaluate(&market(part, length), &["buy_and_hold", "cash"], 40);
        assert_eq!(json["part"], part);
        assert!(found.warnings().join("\n").contains("sessions of the training part were played"));
    }
}

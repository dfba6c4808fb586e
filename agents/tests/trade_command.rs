//! `lobgym trade` as its user has it: sessions that end in every way and go on, files that grow, switches, wrong input.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).output().unwrap()
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A price that falls, rises and wanders.
fn bars(count: usize) -> String {
    let mut text = String::from("start_ns,open,high,low,close,volume,bid,bid_size,ask,ask_size\n");
    let (mut price, mut state) = (100.0f64, 7u64);
    for index in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5;
        let close = price * (1.0 + 0.006 * draw + 0.002 * (index as f64 / 25.0).sin());
        text += &format!(
            "{},{price},{},{},{close},{},{},1,{},1\n",
            1_700_000_000_000_000_000u64 + 1_000_000_000 * index as u64,
            price.max(close) + 0.01,
            price.min(close) - 0.01,
            10.0 + draw,
            close - 0.005,
            close + 0.005,
        );
        price = close;
    }
    text
}

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lobgym_trade_{}_{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entries(directory: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(directory).join("session.jsonl")).unwrap();
    text.lines().filter(|line| line.starts_with("{\"step\"")).map(str::to_owned).collect()
}

fn status(directory: &str) -> Value {
    let output = lobgym(&["trade", "status", directory, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const POLICY: &str = "lowrider:profit=0.002:spacing=0.003";

#[test]
fn a_session_that_was_interrupted_ends_as_one_that_was_not() {
    let place = Place::new("resume");
    let file = place.file("bars.csv", &bars(400));
    let (whole, parts) = (place.path("whole"), place.path("parts"));
    for policy in [POLICY, "random:entry=0.3:exit=0.2"] {
        let costs = ["--set", "env.transaction_cost=0.0005"];
        let run = |out: &str, more: &[&str]| {
            let mut all = vec!["trade", "--policy", policy, "--bars", file.as_str(), "--out", out];
            all.extend(costs);
            all.extend(more);
            let output = lobgym(&all);
            assert!(output.status.success(), "{}", text(&output.stderr));
            text(&output.stdout)
        };
        let printed = run(&whole, &[]);
        assert!(printed.contains("realised") && printed.contains("cycles"), "{printed}");
        for steps in ["50", "51", "170"] {
            run(&parts, &["--steps", steps]);
            assert_eq!(entries(&parts).len().to_string(), steps);
        }
        // A crash in the middle of a line.
        let journal = Path::new(&parts).join("session.jsonl");
        let mut journal = std::fs::OpenOptions::new().append(true).open(journal).unwrap();
        journal.write_all(b"{\"step\":171,\"time_").unwrap();
        run(&parts, &[]);
        assert_eq!(entries(&parts), entries(&whole));
        let found = status(&parts);
        assert_eq!(found["state"], "ended");
        assert!(found["cycles"].as_u64().unwrap() > 2 && found["steps"].as_u64().unwrap() > 300);
        let sum = found["initial_equity"].as_f64().unwrap()
            + found["realised_profit"].as_f64().unwrap()
            + found["unrealised_profit"].as_f64().unwrap();
        assert!((sum - found["equity"].as_f64().unwrap()).abs() < 1e-6);
        std::fs::remove_dir_all(&whole).unwrap();
        std::fs::remove_dir_all(&parts).unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_as_if_it_had_not_been() {
    let place = Place::new("sigkill");
    let file = place.file("bars.csv", &bars(500));
    let (whole, parts) = (place.path("whole"), place.path("parts"));
    let all = |out: &str, speed: &str| {
        ["trade", "--policy", POLICY, "--bars", &file, "--out", out, "--speed", speed].map(str::to_owned)
    };
    let arguments = all(&whole, "max");
    assert!(lobgym(&arguments.each_ref().map(String::as_str)).status.success());
    for wait in [5u64, 20, 45, 80, 130] {
        let arguments = all(&parts, "1500");
        let mut child = spawn(&arguments.each_ref().map(String::as_str));
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let arguments = all(&parts, "max");
    assert!(lobgym(&arguments.each_ref().map(String::as_str)).status.success());
    assert_eq!(entries(&parts), entries(&whole));
}

#[test]
fn a_growing_file_is_followed_and_switches_end_it() {
    let place = Place::new("follow");
    let all = bars(120);
    let lines: Vec<&str> = all.lines().collect();
    let file = place.file("bars.csv", &(lines[..60].join("\n") + "\n"));
    let out = place.path("session");
    let arguments = ["trade", "--policy", POLICY, "--bars", &file, "--follow", "--out", &out];
    let mut child = spawn(&arguments);
    wait_for("the trader", || Path::new(&out).join("session.jsonl").exists());
    let mut growing = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(entries(&out).is_empty(), "what was there is not traded on");
    // Lines in pieces, as a writer may be caught.
    for line in &lines[60..80] {
        let (first, rest) = line.split_at(line.len() / 2);
        growing.write_all(first.as_bytes()).unwrap();
        growing.flush().unwrap();
        std::thread::sleep(Duration::from_millis(3));
        growing.write_all(format!("{rest}\n").as_bytes()).unwrap();
    }
    wait_for("20 bars", || entries(&out).len() == 20);
    assert_eq!(status(&out)["state"], "running");
    let second = lobgym(&arguments);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("another trader is at work"), "{}", text(&second.stderr));
    // SIGTERM: it ends well, and goes on from there.
    let terminated = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(terminated.success() && child.wait().unwrap().success());
    assert_eq!(status(&out)["state"], "stopped");
    growing.write_all((lines[80..100].join("\n") + "\n").as_bytes()).unwrap();
    let mut child = spawn(&arguments);
    wait_for("40 bars", || entries(&out).len() == 40);
    assert!(status(&out)["open_cycle"].as_bool().unwrap());
    let killed = lobgym(&["trade", "kill", &out]);
    assert!(killed.status.success() && child.wait().unwrap().success());
    let found = status(&out);
    assert_eq!((&found["state"], &found["position"]), (&"killed".into(), &0.0.into()));
    assert!(entries(&out).last().unwrap().contains("\"action\":\"kill\""));
    let again = lobgym(&arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("the session is over (killed)"), "{}", text(&again.stderr));
}

#[test]
fn a_session_that_is_begun_on_a_young_file_goes_on_later() {
    let place = Place::new("young");
    let line =
        |index: usize| format!("{},{},9\n", 1_700_000_000 + 5 * index, 100.0 + (index as f64 * 0.7).sin());
    let file = place.file("bars.csv", "time,close,volume\n");
    let out = place.path("session");
    let mut arguments = vec!["trade", "--policy", POLICY, "--bars", &file, "--follow", "--out", &out];
    arguments.extend(["--set", "env.impact={square_root: {y: 1.0}}"]);
    let mut child = spawn(&arguments);
    let mut growing = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    growing.write_all(line(0).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    for index in 1..80 {
        growing.write_all(line(index).as_bytes()).unwrap();
    }
    wait_for("bars", || Path::new(&out).join("session.jsonl").exists() && entries(&out).len() > 20);
    let journal = std::fs::read_to_string(Path::new(&out).join("session.jsonl")).unwrap();
    let settings: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(settings["settings"]["interval_seconds"], 5.0);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let before = entries(&out).len();
    // From here on bars come less often: what the session was begun with stays.
    for index in 0..200 {
        growing.write_all(line(100 + 12 * index).as_bytes()).unwrap();
    }
    let steps = (before + 20).to_string();
    arguments.extend(["--steps", &steps]);
    let output = lobgym(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(entries(&out).len(), before + 20);
}

#[test]
fn what_features_are_normalised_by_stays_as_the_file_grows() {
    let place = Place::new("scaling");
    let all = bars(300);
    let begin: String = all.lines().take(200).map(|line| format!("{line}\n")).collect();
    let file = place.file("bars.csv", &begin);
    let (out, config) = (place.path("session"), format!("env.bars={file}"));
    let arguments = ["trade", "--policy", POLICY, "--bars", &file, "--out", &out];
    let more = ["--set", &config, "--set", "env.normalisation=mean_std", "--set", "env.features=default"];
    let arguments = [&arguments[..], &more[..]].concat();
    let fitted = || {
        let journal = std::fs::read_to_string(Path::new(&out).join("session.jsonl")).unwrap();
        let line: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
        line["settings"]["env"]["normalisation"].clone()
    };
    assert!(lobgym(&arguments).status.success());
    let before = fitted();
    assert!(before["centre"].as_array().is_some_and(|centre| !centre.is_empty()), "{before}");
    place.file("bars.csv", &all);
    let output = lobgym(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fitted(), before);
    assert!(entries(&out).len() > 230);
}

#[test]
fn bars_that_lack_what_features_need_are_told() {
    let place = Place::new("lacking");
    let file = place.file("bars.csv", "time,close\n1700000000,1\n1700000005,1\n1700000010,1\n");
    let output = lobgym(&[
        "trade",
        "--policy",
        POLICY,
        "--bars",
        &file,
        "--out",
        &place.path("out"),
        "--set",
        "env.features=default",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("without volume"), "{}", text(&output.stderr));
}

#[test]
fn losses_end_a_session_where_they_are_limited() {
    let place = Place::new("loss");
    let mut falling = String::from("time,close\n");
    for index in 0..80 {
        falling += &format!("{},{}\n", 1_700_000_000 + index, 100.0 - index as f64 * 0.5);
    }
    let file = place.file("bars.csv", &falling);
    let out = place.path("session");
    let output =
        lobgym(&["trade", "--policy", "buy_and_hold", "--bars", &file, "--out", &out, "--max-loss", "0.1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = status(&out);
    assert_eq!((&found["state"], &found["position"]), (&"loss_limit".into(), &0.0.into()));
    let equity = found["equity"].as_f64().unwrap();
    assert!((8_900.0..9_000.0).contains(&equity), "{equity}");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written_over() {
    let place = Place::new("refused");
    let file = place.file("bars.csv", &bars(100));
    let out = place.path("session");
    let run =
        |policy: &str, file: &str| lobgym(&["trade", "--policy", policy, "--bars", file, "--out", &out]);
    assert!(run(POLICY, &file).status.success());
    let before = entries(&out);
    let other = run("buy_and_hold", &file);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("policy was"), "{}", text(&other.stderr));
    // The same file without one of its bars.
    let without: Vec<_> =
        bars(100).lines().map(str::to_owned).enumerate().filter(|(line, _)| *line != 60).collect();
    place.file("bars.csv", &without.iter().map(|(_, line)| format!("{line}\n")).collect::<String>());
    let changed = run(POLICY, &file);
    assert_eq!(changed.status.code(), Some(2), "{}", text(&changed.stderr));
    assert!(text(&changed.stderr).contains("has changed"), "{}", text(&changed.stderr));
    assert_eq!(entries(&out), before);
    for (policy, bars, wanted) in [
        ("hodl", file.as_str(), "buy_and_hold"),
        ("policy:runs/none", file.as_str(), "runs/none"),
        (POLICY, "absent.csv", "absent.csv"),
    ] {
        let output = lobgym(&["trade", "--policy", policy, "--bars", bars, "--out", &place.path("new")]);
        assert!(
            !output.status.success() && text(&output.stderr).contains(wanted),
            "{}",
            text(&output.stderr)
        );
    }
    let output = lobgym(&["trade", "status", &place.path("nowhere")]);
    assert!(!output.status.success() && text(&output.stderr).contains("nowhere"));
    let output = lobgym(&["trade", "kill", &place.path("nowhere")]);
    assert!(!output.status.success() && !Path::new(&place.path("nowhere")).exists());
    let output = lobgym(&["trade"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn traders_are_evaluated_on_bars_that_nobody_was_trained_on() {
    let place = Place::new("evaluate");
    let file = place.file("bars.csv", &bars(600));
    let json = place.path("found.json");
    let bars = format!("env.bars={{file: {file}, train_share: 0.6}}");
    let html = place.path("found.html");
    let arguments = [
        "evaluate",
        "--env",
        "trader",
        "--set",
        &bars,
        "--set",
        "env.steps=100",
        "--episodes",
        "50",
        "--json",
        &json,
        "--html",
        &html,
        "--policies",
        "buy_and_hold,lowrider,random,cash",
    ];
    let output = lobgym(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("test part"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("2 sessions without a common bar"), "{}", text(&output.stderr));
    let found: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let policy = |name: &str| {
        found["policies"].as_array().unwrap().iter().find(|policy| policy["name"] == name).unwrap().clone()
    };
    assert_eq!(policy("cash")["growth_mean"], 0.0);
    let lowrider = policy("lowrider");
    let number = |key: &str| lowrider[key].as_f64().unwrap();
    let parts = number("realised_mean") + number("unrealised_mean");
    assert!((number("profit_mean") - parts).abs() < 1e-9);
    assert!(number("cycles_mean") > 1.0 && number("won") > 0.9);
    // The same for any number of threads.
    let again = place.path("again.json");
    let mut arguments = arguments.map(str::to_owned).to_vec();
    *arguments.iter_mut().find(|argument| **argument == json).unwrap() = again.clone();
    arguments.extend(["--threads".to_owned(), "1".to_owned()]);
    assert!(lobgym(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).status.success());
    let other: Value = serde_json::from_str(&std::fs::read_to_string(&again).unwrap()).unwrap();
    assert_eq!(found["policies"], other["policies"]);
    assert!(std::fs::read_to_string(&html).unwrap().contains("Stuck"));
}

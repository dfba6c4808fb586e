//! Trained policies among the execution strategies.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod made_policy;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;

use agents::baselines::StrategyParams;
use agents::compare::{self, AGAINST, Compared, NamedMarket, Origin, Plan};
use agents::execution::{EpisodeError, Outcome};
use gym::MarketSettings;
use lob::Side;
use lob::models::{FeeConfig, FeeRate};
use lob::sim::{Delay, LatencyConfig};
use made_policy::{drawn, submit_and_leave, write};
use serde_json::Value;

fn market(settings: MarketSettings) -> NamedMarket {
    let (config, home) = settings.load(Path::new("")).unwrap();
    let latency = config.latency.compile(home).unwrap();
    NamedMarket { name: settings.market, config, latency }
}

fn named(name: &str) -> NamedMarket {
    market(MarketSettings { market: name.into(), ..MarketSettings::default() })
}

fn plan(strategies: &[&str]) -> Plan {
    Plan {
        lots: vec![20],
        side: Side::Sell,
        episodes: 24,
        strategies: strategies.iter().map(|name| name.parse().unwrap()).collect(),
        against: AGAINST,
        params: StrategyParams::default(),
        horizon_seconds: 150.0,
        step_seconds: 15.0,
        seed: 0,
        held_out: false,
        threads: 2,
        examples: false,
    }
}

fn compared(plan: Plan, market: &NamedMarket) -> Result<Compared, EpisodeError> {
    compare::run(plan, std::slice::from_ref(market), Origin::default(), &AtomicBool::new(false), &|_, _| {})
}

/// The outcomes of a strategy in the first cell.
fn column(compared: &Compared, name: &str) -> Vec<Outcome> {
    let market = &compared.outcomes[0];
    let candidates = &market.lineups[0].candidates;
    let place = candidates.iter().position(|candidate| candidate.name() == name).unwrap();
    (0..market.outcomes.episodes()).map(|episode| market.outcomes.row(episode)[place]).collect()
}

#[test]
fn a_policy_that_submits_and_leaves_is_submit_and_leave_in_every_figure() {
    let directory = tempfile::tempdir().unwrap();
    let (maker, taker) = (FeeRate::PerLot(-0.25), FeeRate::BasisPoints(3.0));
    let fees = FeeConfig::MakerTaker { maker, taker, minimum_per_order: Some(2.0) };
    let delay = Delay::Uniform { min_seconds: 0.0, max_seconds: 2.0 };
    let latency = LatencyConfig { order: delay.clone(), report: delay };
    let settings = |name: &str| MarketSettings { market: name.into(), ..MarketSettings::default() };
    for (index, (settings, side)) in [
        (settings("noise"), Side::Sell),
        (MarketSettings { fees: Some(fees), ..settings("flow") }, Side::Buy),
        (MarketSettings { latency: Some(latency), ..settings("strategic") }, Side::Sell),
    ]
    .into_iter()
    .enumerate()
    {
        let file = submit_and_leave(&format!("market: noise, side: {side}"));
        let name = write(&file, &directory.path().join(index.to_string()));
        let plan = Plan { side, examples: true, ..plan(&["sl", "twap", &name]) };
        let compared = compared(plan, &market(settings)).unwrap();
        assert_eq!(column(&compared, &name), column(&compared, "sl"));
        assert_ne!(column(&compared, &name), column(&compared, "twap"));
        let paired = &compared.comparison.cells[0].paired;
        assert!(paired.iter().all(|pair| pair.against == "twap"));
        assert_eq!((paired[0].difference, paired[0].ci95), (paired[1].difference, paired[1].ci95));
        let drawn: Vec<&str> = compared.examples.iter().map(|example| example.strategy.as_str()).collect();
        assert_eq!(drawn, ["twap", &name]);
        let picture = &compared.examples[1].episode;
        let lots: u64 = picture.fills.iter().map(|fill| fill.2).sum();
        assert_eq!(lots, 20);
        assert!(picture.steps.len() > 100 || picture.steps.last().unwrap().3 == 0);
    }
}

#[test]
fn a_policy_that_draws_is_the_same_for_any_threads_and_company() {
    let directory = tempfile::tempdir().unwrap();
    let name = write(&drawn("lots: 20"), directory.path());
    let run = |plan: Plan| column(&compared(plan, &named("strategic")).unwrap(), &name);
    let alone = run(Plan { threads: 1, ..plan(&[&name]) });
    assert_eq!(alone, run(plan(&["twap", "pov", &name])));
    assert_ne!(alone, run(Plan { seed: 1, ..plan(&[&name]) }));
    assert_ne!(alone, run(Plan { held_out: true, ..plan(&[&name]) }));
    let other = format!("{name}:decision=mode");
    let compared = compared(plan(&[&name, &other]), &named("strategic")).unwrap();
    assert_ne!(column(&compared, &name), column(&compared, &other));
}

#[test]
fn a_policy_takes_part_where_its_size_is_traded() {
    let directory = tempfile::tempdir().unwrap();
    let twenty = write(&drawn("lots: 20"), &directory.path().join("20"));
    let sixty = write(&drawn("lots: 60"), &directory.path().join("60"));
    let plan = Plan { lots: vec![60, 20, 5], episodes: 2, ..plan(&["sl", &twenty, "twap", &sixty]) };
    let compared = compared(plan, &named("noise")).unwrap();
    let names = |index: usize| -> Vec<&str> {
        compared.comparison.cells[index].strategies.iter().map(|row| row.name.as_str()).collect()
    };
    assert_eq!(names(0), ["sl", "twap"]);
    assert_eq!(names(1), ["sl", &twenty, "twap"]);
    assert_eq!(names(2), ["sl", "twap", &sixty]);
    assert_eq!(compared.notes.len(), 2);
    assert!(compared.notes[0].contains(&twenty) && compared.notes[0].contains("left out with 5, 60 lots"));
    assert_eq!(compared.outcomes[0].outcomes.row(1).len(), 8);
}

#[test]
fn a_policy_that_does_not_fit_is_refused_with_what_differs() {
    let directory = tempfile::tempdir().unwrap();
    let name = write(&drawn("lots: 20"), directory.path());
    let refused = |plan: Plan, name: &str, words: &[&str]| {
        let error = compared(plan, &named("noise")).err().unwrap().to_string();
        assert!(error.contains(name) && words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(Plan { lots: vec![60], ..plan(&[&name]) }, &name, &["lots 20", "here it is 60"]);
    refused(Plan { side: Side::Buy, ..plan(&[&name]) }, &name, &["side sell", "buy"]);
    refused(Plan { step_seconds: 30.0, ..plan(&[&name]) }, &name, &["step_seconds 15 s", "30 s"]);
    refused(Plan { horizon_seconds: 300.0, ..plan(&[&name]) }, &name, &["horizon_seconds 150 s", "300 s"]);
    let mut fewer = drawn("lots: 20");
    fewer.header.env.insert("levels".into(), 4.into());
    let name = write(&fewer, &directory.path().join("levels"));
    refused(plan(&[&name]), "execution", &["its observation has 66 numbers, here it has 63"]);
    let config = made_policy::config("name: model_market_making");
    let gym::AnyEnv::ModelMarketMaking(env) = gym::AnyEnv::new(&config).unwrap() else { panic!() };
    let gym::Space::Box(space) = gym::Env::action_space(&env) else { panic!() };
    let head = agents::policy::Head::Gaussian { bounds: agents::policy::Bounds::of(space) };
    let maker = made_policy::linear(&config, head, |_, _| 0.0, |_| 0.0);
    let name = write(&maker, &directory.path().join("maker"));
    refused(plan(&[&name]), &name, &["was trained in model_market_making"]);
}

fn compare(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_lobgym");
    Command::new(program).arg("compare").args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_command_shows_policies_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let name = write(&submit_and_leave("lots: 20"), &directory.path().join("a-run-with-a-rather-long-name"));
    let html = directory.path().join("report.html");
    let strategies = format!("sl,twap,{name}");
    let html = html.to_str().unwrap();
    let arguments = ["--strategies", &strategies, "--lots", "20,60", "--episodes", "20", "--json", "-"];
    let output = compare(&[&arguments[..], &["--html", html]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("warning: ") && stderr.contains("left out with 60 lots"), "{stderr}");
    assert!(
        stderr.lines().all(|line| line.starts_with("warning") || line.chars().count() <= 120),
        "{stderr}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = |index: usize| &json["cells"][0]["strategies"][index];
    assert_eq!(row(2)["name"], name.as_str());
    assert_eq!(row(2)["reward_mean"], row(0)["reward_mean"]);
    assert_eq!(json["cells"][1]["strategies"].as_array().unwrap().len(), 2);
    assert_eq!(json["settings"]["strategies"][2], name.as_str());
    let page = std::fs::read_to_string(html).unwrap();
    let body = &page[page.find("<body>").unwrap()..page.rfind("</html>").unwrap()];
    roxmltree::Document::parse(body).unwrap();
    assert!(page.contains(&format!("title=\"{name}\"")), "in full where the pointer rests");
    assert!(page.contains(&format!("An episode of {name}")));

    let output = compare(&["--strategies", &name, "--lots", "60"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("trained with lots 20, here it is 60") && output.stdout.is_empty(), "{stderr}");
    let output = compare(&["--strategies", "sl,policy:nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nowhere"));
}

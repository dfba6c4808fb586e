//! `lobgym calibrate`: what a shell sees.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lob::flow::{FlowConfig, FlowParams, MarketConfig, read_provenance, read_standard_errors};
use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Order events of half an hour: orders come around a price, most are withdrawn, some trade.
fn market() -> String {
    let mut rows = "id,timestamp,exchange.timestamp,price,volume,action,direction\n".to_owned();
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut resting: Vec<(u64, u64, bool)> = Vec::new();
    let mut id = 0;
    for step in 0..6000_u64 {
        let time = 1_430_438_400_000 + 300 * step;
        let mut row = |id, price: u64, volume: u64, action, is_bid| {
            let side = if is_bid { "bid" } else { "ask" };
            let (whole, cents) = (price / 100, price % 100);
            writeln!(rows, "{id},{time},1430438400000,{whole}.{cents:02},{volume},{action},{side}").unwrap();
        };
        let kind = draw(100);
        if kind < 52 || resting.len() < 40 {
            id += 1;
            let is_bid = draw(2) == 0;
            let away = 1 + draw(12) * draw(2) + draw(3);
            let price = if is_bid { 23_600 - away } else { 23_600 + away };
            resting.push((id, price, is_bid));
            row(id, price, 100_000_000, "created", is_bid);
        } else if kind < 92 {
            let (id, price, is_bid) = resting.swap_remove(draw(resting.len() as u64) as usize);
            row(id, price, 100_000_000, "deleted", is_bid);
        } else {
            let is_bid = draw(2) == 0;
            let side = resting.iter().enumerate().filter(|(_, order)| order.2 == is_bid);
            let best = if is_bid {
                side.max_by_key(|(_, order)| order.1)
            } else {
                side.min_by_key(|(_, order)| order.1)
            };
            let (id, price, is_bid) = resting.swap_remove(best.unwrap().0);
            row(id, price, 0, "deleted", is_bid);
        }
    }
    rows
}

fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_flow_with_errors_and_provenance_comes_out_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let events = file(&directory, "events.csv", &market());
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (npz, yaml) = (at("flow.npz"), at("market.yaml"));
    let run =
        lobgym(&["calibrate", &events, "--out", &npz, "--market", &yaml, "--from", "60", "--json", "-"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let shown = text(&run.stderr);
    assert!(shown.contains("market_intensity.buy") && shown.contains("+-"), "{shown}");

    let json: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["choice"]["grid"]["lot"], 50_000_000, "half of an order, as all are of one size");
    assert_eq!(json["source"]["dates"], "2015-05-01");
    assert_eq!(json["comparison"].as_array().unwrap().len(), 5);
    let estimates = json["estimates"].as_array().unwrap();
    let named = |name: &str| estimates.iter().find(|estimate| estimate["name"] == name).unwrap().clone();

    let params = FlowParams::from_npz(&npz).unwrap();
    let market = named("market_intensity.buy");
    assert_eq!(market["value"].as_f64().unwrap(), params.market_intensity.buy);
    // A Poisson count: the relative error is one over the root of the events.
    let relative = market["standard_error"].as_f64().unwrap() / params.market_intensity.buy;
    assert!((relative - market["events"].as_f64().unwrap().sqrt().recip()).abs() < 1e-9);
    let errors = read_standard_errors(&npz).unwrap();
    assert_eq!(errors["market_intensity.buy"], [market["standard_error"].as_f64().unwrap()]);
    assert_eq!(errors["cancel_intensity.sell"].len(), params.cancel_intensity.sell.len());
    assert_eq!(errors["size.limit.empirical.weights"].len(), 1);

    let provenance = read_provenance(&npz).unwrap();
    assert_eq!(provenance["data"], "events.csv");
    assert!(
        provenance["command"].starts_with("lobgym calibrate events.csv --flow flow --from 60"),
        "{provenance:?}"
    );
    assert!(provenance.values().all(|value| !value.contains(directory.path().to_str().unwrap())));
    let of_yaml = MarketConfig::from_yaml(&yaml).unwrap();
    let (FlowConfig::Noise(of_yaml) | FlowConfig::Tactical(of_yaml)) = of_yaml.flow else {
        panic!("another flow")
    };
    assert_eq!(*of_yaml, params);

    let again = at("again.npz");
    let run = lobgym(&["calibrate", &events, "--out", &again, "--from", "60"]);
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(std::fs::read(&npz).unwrap(), std::fs::read(&again).unwrap(), "the same data, the same file");

    let run = lobgym(&["simulate", "--config", &yaml, "--sessions", "1", "--seconds", "20"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
}

#[test]
fn a_queue_reactive_market_comes_out_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let events = file(&directory, "events.csv", &market());
    let yaml = directory.path().join("market.yaml").to_str().unwrap().to_owned();
    let run = lobgym(&["calibrate", &events, "--flow", "queue_reactive", "--queues", "2", "--market", &yaml]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("reference_price.theta_reinit"), "{}", text(&run.stdout));
    let market = MarketConfig::from_yaml(&yaml).unwrap();
    let FlowConfig::QueueReactive(params) = market.flow else { panic!("another flow") };
    assert_eq!(params.queues(), 2);
}

#[test]
fn what_cannot_be_calibrated_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let events = file(&directory, "events.csv", &market());
    let untraded: String =
        market().lines().filter(|row| !row.contains(",0,deleted")).map(|row| row.to_owned() + "\n").collect();
    let untraded = file(&directory, "untraded.csv", &untraded);
    let empty = file(&directory, "empty.csv", market().lines().next().unwrap());
    let cases: [(&[&str], i32, &str); 8] = [
        (&[&events, "--grid", "0"], 2, "grid.ticks is 0; legal: an integer from 1"),
        (&[&events, "--levels", "0"], 2, "grid.levels is 0"),
        (
            &[&events, "--lot", "0.000000001"],
            2,
            "lot is 0.000000001; legal: a multiple of the instrument's lot",
        ),
        (
            &[&events, "--from", "9", "--until", "8"],
            2,
            "until is 8; legal: a number of seconds above from = 9",
        ),
        (&[&events, "--out", "flow.yaml"], 2, "--out is flow.yaml; legal: a file that ends in .npz"),
        (
            &[&events, "--flow", "queue_reactive", "--out", "flow.npz"],
            2,
            "legal with queue_reactive: --market",
        ),
        (&[&untraded], 1, "events is without trades"),
        (&[&empty], 1, "events is an empty list"),
    ];
    for (arguments, code, message) in cases {
        let run = lobgym(&[&["calibrate"], arguments].concat());
        let shown = text(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {shown}");
        assert!(shown.contains(message), "{arguments:?}: {shown}");
        assert!(run.stdout.is_empty());
    }
}

fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: no ../shared/data/{name} beside the repository");
        return None;
    }
    Some(path)
}

/// The shipped markets are what their commands write today, and they are as close to the data as is said.
#[test]
fn shipped_markets_come_out_of_their_commands_and_match_the_data() {
    for name in ["bitstamp_2015", "bitstamp_2015_symmetric", "binance_spot_2024", "binance_usdm_2024"] {
        let shipped =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/market").join(format!("{name}.npz"));
        let provenance = read_provenance(&shipped).unwrap();
        let Some(data) = sample(&provenance["data"]) else { return };
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("flow.npz");
        let mut arguments: Vec<&str> = provenance["command"].split(' ').skip(1).collect();
        arguments[1] = data.to_str().unwrap();
        arguments.extend(["--out", out.to_str().unwrap(), "--json", "-"]);
        let run = lobgym(&arguments);
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        assert_eq!(FlowParams::from_npz(&out).unwrap(), FlowParams::from_npz(&shipped).unwrap(), "{name}");
        let json: Value = serde_json::from_slice(&run.stdout).unwrap();
        for row in json["comparison"].as_array().unwrap() {
            let number = |key: &str| row[key].as_f64().unwrap();
            let difference = number("simulated") / number("real") - 1.0;
            // What the sides differ in is missing where they are pooled: docs/calibration.md.
            let allowed = number("allowed") * if name.ends_with("symmetric") { 1.5 } else { 1.0 };
            assert!(difference.abs() <= allowed, "{name}: {row}");
        }
    }
}

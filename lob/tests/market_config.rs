//! The files in `config/market`: every one parses, and each is exactly the market of its name.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use std::fs;
use std::path::{Path, PathBuf};

use lob::BookConfig;
use lob::flow::{FlowConfig, FlowParams, MarketConfig, read_provenance, read_standard_errors};
use lob::sim::Simulator;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/market")
}

/// Markets that were calibrated to data: `lobgym calibrate` wrote them.
const CALIBRATED: [&str; 4] =
    ["bitstamp_2015", "bitstamp_2015_symmetric", "binance_spot_2024", "binance_usdm_2024"];

#[test]
fn calibrated_markets_say_where_they_come_from_and_fit_their_order_flow_file() {
    for name in CALIBRATED {
        let (yaml, npz) = (directory().join(format!("{name}.yaml")), directory().join(format!("{name}.npz")));
        let market = MarketConfig::from_yaml(&yaml).unwrap();
        let params = FlowParams::from_npz(&npz).unwrap();
        let FlowConfig::Noise(of_yaml) = &market.flow else { panic!("{name} is another flow") };
        assert_eq!(**of_yaml, params, "{name}");
        let provenance = read_provenance(&npz).unwrap();
        let errors = read_standard_errors(&npz).unwrap();
        let text = fs::read_to_string(&yaml).unwrap();
        for key in [
            "command",
            "data",
            "data_date",
            "data_digest",
            "instrument_tick",
            "model_tick",
            "span",
            "version",
        ] {
            let value = &provenance[key];
            assert!(!value.is_empty() && !value.contains('/'), "{name}: {key} is {value}");
            assert!(text.contains(&format!("# {key}: {value}\n")), "{name}: {key} is not in the YAML");
        }
        assert_eq!(errors["limit_intensity.buy"].len(), params.limit_intensity.buy.len(), "{name}");
        assert!(errors["market_intensity.buy"][0] > 0.0, "{name}");
        for path in [yaml, npz] {
            let bytes = fs::metadata(&path).unwrap().len();
            assert!(bytes < 100_000, "{} has {bytes} bytes", path.display());
        }
        // It runs, and keeps a two-sided book nearly all the time.
        let mut sim = Simulator::new(&market.flow, BookConfig::default()).unwrap();
        sim.reset(1);
        let two_sided = (1..=300).filter(|&second| {
            sim.run_until(f64::from(second));
            sim.market().book().best_bid().is_some() && sim.market().book().best_ask().is_some()
        });
        assert!(two_sided.count() >= 299, "{name}");
    }
}

#[test]
fn every_file_is_the_preset_of_its_name() {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if CALIBRATED.contains(&name.as_str()) {
            continue;
        }
        let config = MarketConfig::from_yaml(&path).unwrap();
        assert_eq!(Some(config), MarketConfig::preset(&name), "{name}");
        names.push(name);
    }
    names.sort();
    let mut presets = MarketConfig::PRESETS.to_vec();
    presets.sort_unstable();
    assert_eq!(names, presets);
}

/// The shipped order-flow files are the output of the documented commands, and the presets' shapes are their means.
#[test]
fn shipped_order_flow_files_hold_the_presets_shapes() {
    for (name, preset) in [("noise", FlowParams::noise()), ("flow", FlowParams::tactical())] {
        let shape = lob::flow::Shape::from_npz(directory().join(format!("{name}.npz")), 30).unwrap();
        let live = preset.opening.shape.bidv_live.unwrap();
        for (index, (bid, ask)) in shape.bidv.iter().zip(&shape.askv).enumerate() {
            assert!(((bid + ask) / 2.0 - live[index]).abs() < 0.0006, "{name}, distance {}", index + 1);
        }
    }
}

#[test]
fn every_preset_survives_yaml() {
    for name in MarketConfig::PRESETS {
        let preset = MarketConfig::preset(name).unwrap();
        let text = serde_saphyr::to_string(&preset).unwrap();
        assert_eq!(serde_saphyr::from_str::<MarketConfig>(&text).unwrap(), preset, "{name}");
    }
}

/// The message for `noise.yaml` with one text replaced by another.
fn message(name: &str, from: &str, to: &str) -> String {
    let text = fs::read_to_string(directory().join("noise.yaml")).unwrap();
    assert!(text.contains(from), "{from}");
    let path = std::env::temp_dir().join(format!("lob-market-{name}-{}.yaml", std::process::id()));
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let message = MarketConfig::from_yaml(&path).unwrap_err().to_string();
    fs::remove_file(&path).unwrap();
    message
}

#[test]
fn mistakes_are_named() {
    let text = message("unknown", "    scale: 1.0", "    scael: 1.0");
    assert!(text.contains("scael") && text.contains("line"), "{text}");
    let text = message("nested", "sigma: 2.0", "sigma: 2.0, sigmo: 1");
    assert!(text.contains("sigmo"), "{text}");
    let text = message("missing", "    scale: 1.0\n", "");
    assert!(text.contains("scale"), "{text}");
    let text = message("value", "    scale: 1.0", "    scale: -1.0");
    assert!(text.contains("lob-market-value"), "it names the file: {text}");
    assert!(text.ends_with("flow.noise.scale is -1; legal: a finite number > 0"), "{text}");
    let text = message("infinite", "    scale: 1.0", "    scale: .inf");
    assert!(text.contains("scale"), "{text}");
    let text = message("type", "    scale: 1.0", "    scale: fast");
    assert!(text.contains("fast") || text.contains("float"), "{text}");
    let text = message("variant", "cancellation: newest_first", "cancellation: youngest");
    assert!(text.contains("youngest") && text.contains("newest_first"), "{text}");
    let text = message("market", "  noise:", "  noize:");
    assert!(text.contains("noize") && text.contains("queue_reactive"), "{text}");
    let text = message("file", "flow_file: null", "flow_file: absent.npz");
    assert!(text.contains("absent.npz"), "{text}");
    let text = message(
        "fees",
        "fees: none",
        "fees: { maker_taker: { maker: { per_lot: .nan }, taker: { per_lot: 0 } } }",
    );
    assert!(text.contains("fees.maker_taker.maker.per_lot") || text.contains("per_lot"), "{text}");
}

#[test]
fn a_market_can_take_its_flow_from_a_file() {
    let scratch = std::env::temp_dir().join(format!("lob-market-dir-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let stored = FlowParams { scale: 0.5, ..FlowParams::noise() };
    stored.to_npz(scratch.join("own.npz"), &lob::flow::Provenance::new()).unwrap();
    let text = fs::read_to_string(directory().join("noise.yaml")).unwrap();
    fs::write(scratch.join("own.yaml"), text.replace("flow_file: null", "flow_file: own.npz")).unwrap();
    let config = MarketConfig::from_yaml(scratch.join("own.yaml"));
    fs::remove_dir_all(&scratch).unwrap();
    assert_eq!(config.unwrap().flow, lob::flow::FlowConfig::Noise(Box::new(stored)));
}

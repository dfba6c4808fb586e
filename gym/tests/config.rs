//! Settings: what is read, and what is said about what cannot be.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use gym::config::Task;
use gym::{ConfigError, EnvConfig, Settings};
use serde_json::{Map, Value, json};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn read(value: Value) -> Result<EnvConfig, ConfigError> {
    EnvConfig::from_map(&map(value), Path::new(""), "env")
}

fn complaint(value: Value) -> String {
    read(value).unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_named_with_what_was_probably_meant() {
    let message = complaint(json!({"name": "model_market_making", "volatilty": 3.0}));
    assert!(message.starts_with("env.volatilty is 3.0, an unknown setting; legal: one of "), "{message}");
    assert!(message.ends_with("(did you mean volatility?)"), "{message}");
    let message = complaint(json!({"name": "model_market_making", "zzz": 1}));
    assert!(!message.contains("did you mean"), "{message}");
    // A world without a book has no market.
    let message = complaint(json!({"name": "model_market_making", "market": "noise"}));
    assert!(message.starts_with("env.market is \"noise\", an unknown setting"), "{message}");
}

#[test]
fn an_unknown_environment_is_named_with_what_was_probably_meant() {
    let message = complaint(json!({"name": "model_market_makin"}));
    assert!(message.contains("env.name is \"model_market_makin\""), "{message}");
    assert!(message.contains("did you mean model_market_making?"), "{message}");
    assert!(complaint(json!({})).contains("env.name is null; legal: one of market_making, execution"));
    let message = EnvConfig::named("avellaneda-stoikov").unwrap_err().to_string();
    assert!(message.contains("did you mean avellaneda_stoikov?"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_or_size_is_refused_by_name() {
    for (key, value, legal) in [
        ("volatility", json!("high"), "a number"),
        ("volatility", json!([1.0]), "a number"),
        ("volatility", json!(-1.5), "> 0"),
        ("max_quote_lots", json!(1.5), "an integer"),
        ("max_quote_lots", json!(-1), "an integer"),
        ("max_quote_lots", json!(0), "1"),
        ("inventory_limit", json!(true), "an integer"),
        ("dampening", json!(1.5), "from 0 to 1"),
        ("step_seconds", json!(2.5), "at most horizon_seconds"),
        ("max_offset_ticks", json!(-3.5), "above min_offset_ticks"),
        ("max_episode_steps", json!(0), "1 or more"),
        ("max_episode_steps", json!("ten"), "1 or more"),
    ] {
        let mut settings = map(json!({"name": "model_market_making"}));
        settings.insert(key.into(), value.clone());
        let message = complaint(Value::Object(settings));
        assert!(message.starts_with(&format!("env.{key} is {value}")), "{key}: {message}");
        assert!(message.contains("; legal: ") && message.contains(legal), "{key}: {message}");
    }
}

#[test]
fn assignments_reach_into_maps_and_take_yaml() {
    let mut settings = Settings::default();
    for assignment in
        ["env.name=model_market_making", "env.volatility=3", " env.decay = 2.5 ", "env.max_episode_steps="]
    {
        settings.set(assignment).unwrap();
    }
    let config = EnvConfig::from_settings(&settings).unwrap();
    let Task::ModelMarketMaking(own) = &config.task else { panic!("{config:?}") };
    assert_eq!((own.volatility, own.decay, config.max_episode_steps), (3.0, 2.5, None));
    settings.set("env.max_episode_steps=12").unwrap();
    assert_eq!(EnvConfig::from_settings(&settings).unwrap().max_episode_steps(), Some(12));
    settings.set("a.b.c={d: [1, 2]}").unwrap();
    assert_eq!(settings.root()["a"]["b"]["c"]["d"][1], 2);

    for (assignment, expected) in [
        ("volatility", "key=value"),
        ("=3", "key=value"),
        ("env.volatility.high=3", "volatility is none"),
        ("env.volatility=[1", "env.volatility=[1"),
    ] {
        let message = settings.set(assignment).unwrap_err().to_string();
        assert!(message.contains(expected), "{assignment}: {message}");
    }
    let before = settings.clone();
    assert!(settings.set("env.volatility.high=3").is_err());
    assert_eq!(settings, before);
}

#[test]
fn errors_in_files_name_the_file() {
    let message = Settings::read("no/such.yaml").unwrap_err().to_string();
    assert!(message.contains("no/such.yaml"), "{message}");
    let message = Settings::from_yaml("env: [1, 2", "here").unwrap_err().to_string();
    assert!(message.starts_with("here: ") && message.contains("line"), "{message}");
    let message = Settings::from_yaml("3", "here").unwrap_err().to_string();
    assert!(message.contains("a map of settings"), "{message}");
    let settings = Settings::from_yaml("env: 3", "here").unwrap();
    assert!(EnvConfig::from_settings(&settings).unwrap_err().to_string().contains("env is 3; legal: a map"));

    let path = std::env::temp_dir().join(format!("lobgym-config-{}.yaml", std::process::id()));
    std::fs::write(&path, "env:\n  name: model_market_making\n  decay: 0\n").unwrap();
    let error = EnvConfig::from_settings(&Settings::read(&path).unwrap()).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    let message = error.to_string();
    assert!(message.starts_with(&format!("{}: env.decay is 0", path.display())), "{message}");
}

fn shipped_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/env");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[test]
fn shipped_configurations_are_legal_and_survive_a_round_trip() {
    let files = shipped_files();
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        let config = EnvConfig::from_settings(&Settings::read(&path).unwrap());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let again = EnvConfig::from_map(&config.to_map(), &config.directory, "").unwrap();
        assert_eq!(again, config, "{}", path.display());
        // Those that have a name are the same by name, where the file is not.
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(EnvConfig::named(name).unwrap().to_map(), config.to_map(), "{name}");
    }
}

#[test]
fn every_environment_survives_a_round_trip_at_its_defaults() {
    for name in EnvConfig::NAMES {
        let config = EnvConfig::named(name).unwrap();
        assert_eq!(config.name(), name);
        assert_eq!(EnvConfig::from_map(&config.to_map(), Path::new(""), "").unwrap(), config);
    }
}

#[test]
fn the_commented_file_of_the_model_has_every_key_at_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/env/model_market_making.yaml");
    let written = Settings::read(path).unwrap().section("env").unwrap();
    let config = EnvConfig::named("model_market_making").unwrap();
    let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys(&written), keys(&config.to_map()));
    assert_eq!(EnvConfig::from_map(&written, Path::new(""), "").unwrap(), config);
}

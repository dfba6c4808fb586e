//! The page docs/environments/market_making.md says what the code does, name by name.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::envs::{ActionKind, MarketMaking, MarketMakingConfig, ObservationKind};
use gym::{Env, EnvConfig, MarketSettings, Settings, Space};

const PAGE: &str = include_str!("../../docs/environments/market_making.md");

/// The cells of the table whose second heading is `heading`.
fn table(heading: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = PAGE
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| index | {heading} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "no table of {heading}");
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row[0], index.to_string());
    }
    rows
}

fn env(config: MarketMakingConfig) -> MarketMaking {
    let market = MarketSettings::default().resolve("".as_ref()).expect("a legal market");
    MarketMaking::new(&config, &market).expect("legal settings")
}

#[test]
fn observations_are_documented_index_by_index() {
    for (observation, heading) in [(ObservationKind::Full, "full"), (ObservationKind::Classic, "classic")] {
        let config = MarketMakingConfig { observation, ..MarketMakingConfig::default() };
        let limit = config.inventory_limit as f32 / 1_000.0;
        let env = env(config);
        let rows = table(heading);
        let components = env.observation_space().components();
        assert_eq!(rows.len(), components.len());
        for (row, component) in rows.iter().zip(components) {
            assert_eq!((&row[1], &row[2]), (&component.name, &component.unit));
            let bound = |text: &str| match text {
                "inventory_limit / 1000" => limit,
                "-inventory_limit / 1000" => -limit,
                number => number.parse().unwrap(),
            };
            assert_eq!((bound(&row[3]), bound(&row[4])), (component.low, component.high), "{}", row[1]);
        }
    }
}

#[test]
fn actions_and_infos_are_documented_index_by_index() {
    let env = env(MarketMakingConfig { action: ActionKind::OffsetsAndSizes, ..Default::default() });
    let Space::Box(space) = env.action_space() else { panic!() };
    let names = space.components().iter().map(|component| component.name.clone()).collect::<Vec<_>>();
    let documented = |heading| table(heading).into_iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    assert_eq!(documented("offsets_and_sizes"), names);
    assert_eq!(documented("info"), MarketMaking::INFO);
}

#[test]
fn every_setting_is_documented_and_the_shipped_file_has_the_defaults() {
    let config = EnvConfig::named("market_making").unwrap();
    let text = include_str!("../../config/env/market_making.yaml");
    let file = EnvConfig::from_settings(&Settings::from_yaml(text, "market_making.yaml").unwrap()).unwrap();
    assert_eq!((&file.task, &file.market), (&config.task, &config.market));
    for key in config.to_map().keys() {
        assert!(PAGE.contains(&format!("`{key}`")) || key == "name", "{key} is not on the page");
        assert!(text.contains(&format!("\n  {key}: ")), "{key} is not in the file");
    }
}

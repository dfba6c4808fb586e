//! Multi-asset trading beside a literal reading of its description.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::envs::{MultiAssetTrading, MultiAssetTradingConfig};
use gym::prices::{GivenConfig, PricesConfig, Table};
use gym::{Action, Env, EnvConfig, Episodes, Settings, Space};
use lob::random::{standard_normal, uniform};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::json;

const PAGE: &str = include_str!("../../docs/environments/multi_asset.md");

fn table(rows: &[Vec<f64>]) -> Table {
    let columns = rows.first().map_or(0, Vec::len);
    Table::new("table", rows.concat(), rows.len(), columns).unwrap()
}

fn given(prices: &[Vec<f64>], features: &[Vec<f64>]) -> MultiAssetTradingConfig {
    MultiAssetTradingConfig {
        prices: PricesConfig::Given(GivenConfig { table: table(prices), random_start: false }),
        features: Some(table(features)),
        ..MultiAssetTradingConfig::default()
    }
}

fn make(config: &MultiAssetTradingConfig) -> MultiAssetTrading {
    MultiAssetTrading::new(config, Path::new("")).unwrap()
}

/// A random walk of prices, with some that are 0 or below, and features.
fn data(rows: usize, assets: usize, features: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut rng = SimRng::seed_from_u64(seed);
    let mut price = vec![100.0; assets];
    let mut prices = Vec::new();
    for _ in 0..rows {
        for price in &mut price {
            *price *= (0.02 * standard_normal(&mut rng)).exp();
        }
        let mut row = price.clone();
        // One asset alone would take all equity along.
        if assets > 1 && uniform(&mut rng) < 0.05 {
            row[0] = 0.0;
        }
        if assets > 1 && uniform(&mut rng) < 0.02 {
            row[assets - 1] = -3.0;
        }
        prices.push(row);
    }
    let features = (0..rows).map(|_| (0..features).map(|_| standard_normal(&mut rng)).collect()).collect();
    (prices, features)
}

fn actions(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = SimRng::seed_from_u64(seed);
    (0..count).map(|_| (uniform(&mut rng) * 2.4 - 1.2) as f32).collect()
}

/// The description, sentence by sentence.
struct Literal {
    prices: Vec<Vec<f64>>,
    features: Vec<Vec<f64>>,
    t: usize,
    shares: Vec<f64>,
    cash: f64,
}

impl Literal {
    fn equity(&self) -> f64 {
        let n = self.shares.len();
        self.cash + (0..n).map(|i| self.shares[i] * self.prices[self.t][i]).sum::<f64>()
    }

    fn step(&mut self, action: &[f32], cost: f64) -> (f64, bool) {
        let n = self.shares.len();
        let before = self.equity();
        let target: Vec<f64> = (0..n)
            .map(|i| {
                let value = before / n as f64 * f64::from(action[i]).clamp(-1.0, 1.0);
                let price = self.prices[self.t][i];
                if price > 0.0 { value / price } else { 0.0 }
            })
            .collect();
        for (i, target) in target.iter().enumerate() {
            let notional = (target - self.shares[i]) * self.prices[self.t][i];
            self.cash -= notional;
            self.cash -= notional.abs() * cost;
        }
        self.shares = target;
        self.t += 1;
        ((self.equity() - before) / (before + 1e-8), self.t + 1 == self.prices.len())
    }

    fn observation(&self) -> Vec<f64> {
        let equity = self.equity();
        let positions = self.shares.iter().zip(&self.prices[self.t]).map(|(s, p)| s * p / equity);
        self.features[self.t].iter().copied().chain(positions).chain([self.cash / equity]).collect()
    }
}

#[test]
fn episodes_are_those_of_a_literal_reading() {
    for (assets, features, cost) in [(1, 2, 0.0), (3, 0, 0.0005), (10, 12, 0.01)] {
        let (prices, features) = data(120, assets, features, 5 + assets as u64);
        let config = MultiAssetTradingConfig { transaction_cost: cost, ..given(&prices, &features) };
        let mut env = make(&config);
        let mut literal = Literal { prices, features, t: 0, shares: vec![0.0; assets], cash: 100_000.0 };
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(1, &mut observation).unwrap();
        for t in 0..119 {
            let expected = literal.observation();
            assert_eq!(expected.len(), observation.len());
            for (found, expected) in observation.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
            }
            let action = actions(assets, t);
            let step = env.step(Action::Continuous(&action), &mut observation);
            let (reward, last) = literal.step(&action, cost);
            assert!((step.reward - reward).abs() < 1e-12, "{} {reward}", step.reward);
            assert!((env.equity() - literal.equity()).abs() < 1e-9 * literal.equity());
            assert_eq!((step.terminated, step.truncated), (last, false), "row {t}");
        }
    }
}

#[test]
fn idle_traders_keep_their_cash() {
    let (prices, features) = data(30, 4, 3, 1);
    let mut env = make(&given(&prices, &features));
    let mut observation = vec![0.0; 8];
    env.reset(0, &mut observation).unwrap();
    for _ in 0..29 {
        let step = env.step(Action::Continuous(&[0.0; 4]), &mut observation);
        assert_eq!((step.reward, env.equity(), env.cash()), (0.0, 100_000.0, 100_000.0));
        assert_eq!(observation[3..], [0.0, 0.0, 0.0, 0.0, 1.0]);
    }
}

#[test]
fn a_hand_computed_step() {
    // Equity 1,000, two assets: 500 x 0.5 = 250 in the first at 10: 25 shares; the second has no price. Fee 250 x 0.01 = 2.5.
    let config = MultiAssetTradingConfig {
        initial_cash: 1_000.0,
        transaction_cost: 0.01,
        ..given(&[vec![10.0, 0.0], vec![12.0, 5.0], vec![12.0, 5.0]], &[vec![], vec![], vec![]])
    };
    let mut env = make(&config);
    let mut observation = vec![0.0; 3];
    env.reset(0, &mut observation).unwrap();
    let step = env.step(Action::Continuous(&[0.5, 1.0]), &mut observation);
    assert_eq!((env.shares(), env.cash()), (&[25.0, 0.0][..], 747.5));
    assert_eq!(env.equity(), 747.5 + 300.0);
    assert!((step.reward - 47.5 / 1_000.0).abs() < 1e-10);
    assert!(!step.terminated);
}

#[test]
fn short_positions_that_lose_everything_end_the_episode() {
    let rows: Vec<Vec<f64>> = [1.0, 3.0, 3.0].iter().map(|&price| vec![price]).collect();
    let mut env = make(&given(&rows, &[vec![], vec![], vec![]]));
    let mut observation = vec![0.0; 2];
    env.reset(0, &mut observation).unwrap();
    let step = env.step(Action::Continuous(&[-1.0]), &mut observation);
    assert!(step.terminated && env.equity() < 0.0 && step.reward < -1.0);
    assert!(observation.iter().all(|value| value.is_finite()));
}

#[test]
fn features_of_later_rows_change_nothing_now() {
    let (prices, features) = data(40, 3, 2, 9);
    let (mut later_prices, mut later_features) = (prices.clone(), features.clone());
    later_prices[20..].reverse();
    later_features[20..].reverse();
    let run = |prices: &[Vec<f64>], features: &[Vec<f64>]| {
        let mut env = make(&given(prices, features));
        let mut observation = vec![0.0; 6];
        env.reset(0, &mut observation).unwrap();
        let mut seen = vec![observation.clone()];
        for t in 0..19 {
            env.step(Action::Continuous(&actions(3, t)), &mut observation);
            seen.push(observation.clone());
        }
        seen
    };
    assert_eq!(run(&prices, &features), run(&later_prices, &later_features));
}

#[test]
fn sessions_with_a_random_start_begin_at_any_row() {
    let prices: Vec<Vec<f64>> = (0..30).map(|row| vec![100.0 + f64::from(row)]).collect();
    let config = MultiAssetTradingConfig {
        prices: PricesConfig::Given(GivenConfig { table: table(&prices), random_start: true }),
        steps: Some(10),
        ..MultiAssetTradingConfig::default()
    };
    let mut env = make(&config);
    let mut observation = vec![0.0; 3];
    let mut starts = std::collections::BTreeSet::new();
    for session in 0..400 {
        env.reset(session, &mut observation).unwrap();
        let row = env.prices()[0] - 100.0;
        let expected = if row > 0.0 { 1.0 / (99.0 + row) } else { 0.0 };
        assert!((f64::from(observation[0]) - expected).abs() < 1e-7);
        starts.insert(row as u32);
        let last = (0..10).map(|_| env.step(Action::Continuous(&[0.0]), &mut observation).terminated);
        assert_eq!(last.filter(|&last| last).count(), 1);
    }
    assert_eq!(starts, (0..=19).collect());
}

#[test]
fn a_fork_has_the_same_future_and_a_session_the_same_bits() {
    let mut env = make(&MultiAssetTradingConfig::default());
    let mut observation = vec![0.0; 21];
    env.reset(3, &mut observation).unwrap();
    let mut first = Vec::new();
    for t in 0..100 {
        first.push((env.step(Action::Continuous(&actions(10, t)), &mut observation), observation.clone()));
    }
    let mut fork = env.clone();
    let mut seen = observation.clone();
    for t in 100..200 {
        let step = env.step(Action::Continuous(&actions(10, t)), &mut observation);
        assert_eq!((step, &observation), (fork.step(Action::Continuous(&actions(10, t)), &mut seen), &seen));
    }
    env.reset(3, &mut observation).unwrap();
    for (t, expected) in first.into_iter().enumerate() {
        let step = env.step(Action::Continuous(&actions(10, t as u64)), &mut observation);
        assert_eq!((step, observation.clone()), expected);
    }
    let mut infos = [0.0; MultiAssetTrading::INFO.len()];
    env.write_info(&mut infos);
    assert!((infos[2] - (env.equity() - 100_000.0)).abs() < 1e-9 && infos[4] > 0.0);
}

#[test]
fn the_default_has_a_year_of_days() {
    let mut episodes = Episodes::new(make(&MultiAssetTradingConfig::default()), None);
    let mut observation = vec![0.0; 21];
    episodes.reset(Some(1), &mut observation).unwrap();
    while !episodes.step(Action::Continuous(&[0.3; 10]), &mut observation).unwrap().terminated {}
    assert_eq!(episodes.steps(), 252);
}

fn complaint(settings: serde_json::Value) -> String {
    let map = settings.as_object().unwrap();
    let config = match EnvConfig::from_map(map, Path::new(""), "env") {
        Ok(config) => config,
        Err(error) => return error.to_string(),
    };
    gym::AnyEnv::new(&config).unwrap_err().to_string()
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let with = |prices: serde_json::Value, features: serde_json::Value| {
        complaint(
            json!({"name": "multi_asset_trading", "prices": {"given": {"table": prices}}, "features": features}),
        )
    };
    for (prices, features, words) in [
        (json!([[1.0], [2.0]]), json!([[1.0]]), "features is a table of 1 x 1; legal: 2 rows"),
        (json!([[1.0]]), json!(null), "prices.given.table is 1 x 1; legal: 2 rows or more"),
        (json!([[1.0], [2.0, 3.0]]), json!(null), "rows of one length"),
        (json!([[1.0], ["a"]]), json!(null), "a number"),
        (json!([[1.0], [1e13]]), json!(null), "prices[1][0] is 10000000000000"),
        (json!([[1.0], [2.0]]), json!([[1.0], [1e300]]), "features[1][0]"),
    ] {
        let message = with(prices, features);
        assert!(message.contains(words), "{message}");
    }
    let message = complaint(json!({"name": "multi_asset_trading", "features": [[1.0], [2.0]]}));
    assert!(message.contains("null, where the prices are drawn"), "{message}");
    let message = complaint(json!({"name": "multi_asset_trading", "assets": 3,
        "prices": {"given": {"table": [[1.0], [2.0]]}}}));
    assert!(message.contains("assets is 3; legal: 1"), "{message}");
    let message = complaint(json!({"name": "multi_asset_trading", "steps": 2,
        "prices": {"given": {"table": [[1.0], [2.0]]}}}));
    assert!(message.contains("steps is 2; legal: at most 1"), "{message}");
    let message = complaint(json!({"name": "multi_asset_trading", "initial_csh": 2}));
    assert!(message.contains("did you mean initial_cash?"), "{message}");
}

/// The cells of the page's table whose second heading is `heading`.
fn documented(heading: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    PAGE.lines()
        .skip_while(|line| !line.starts_with(&format!("| index | {heading} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

#[test]
fn the_page_says_what_the_spaces_are() {
    // The page's tables are those of 2 assets and 3 features.
    let (prices, features) = data(5, 2, 3, 1);
    let env = make(&given(&prices, &features));
    let Space::Box(action) = env.action_space() else { panic!() };
    for (heading, space) in [("observation", env.observation_space()), ("action", action)] {
        let rows = documented(heading);
        assert_eq!(rows.len(), space.len());
        for (index, (row, component)) in rows.iter().zip(space.components()).enumerate() {
            let bounds: [f32; 2] = [row[3].parse().unwrap(), row[4].parse().unwrap()];
            assert_eq!(
                (row[0].as_str(), &row[1], &row[2]),
                (&*index.to_string(), &component.name, &component.unit)
            );
            assert_eq!(bounds, [component.low, component.high]);
        }
    }
    let names: Vec<_> = documented("info").into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(names, MultiAssetTrading::INFO);
}

#[test]
fn every_setting_is_documented_and_the_shipped_file_has_the_defaults() {
    let config = EnvConfig::named("multi_asset_trading").unwrap();
    let text = include_str!("../../config/env/multi_asset_trading.yaml");
    let file =
        EnvConfig::from_settings(&Settings::from_yaml(text, "multi_asset_trading.yaml").unwrap()).unwrap();
    assert_eq!(file.task, config.task);
    for key in config.to_map().keys() {
        assert!(PAGE.contains(&format!("`{key}`")) || key == "name", "{key} is not on the page");
        assert!(text.contains(&format!("\n  {key}: ")) || key == "prices", "{key} is not in the file");
    }
}

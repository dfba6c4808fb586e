//! Portfolio rebalancing beside a literal reading of its description.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::envs::portfolio::{ActionMeaning, RewardKind, Risk, Start, Weights};
use gym::envs::{PortfolioRebalancing, PortfolioRebalancingConfig};
use gym::prices::{GivenConfig, MeanRevertingConfig, PricesConfig, Table};
use gym::{Action, Env, EnvConfig, Settings, Space};
use lob::random::{standard_normal, uniform};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::json;

const PAGE: &str = include_str!("../../docs/environments/portfolio.md");

fn make(config: &PortfolioRebalancingConfig) -> PortfolioRebalancing {
    PortfolioRebalancing::new(config, Path::new("")).unwrap()
}

fn walk(rows: usize, assets: usize, deviation: f64, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = SimRng::seed_from_u64(seed);
    let mut price: Vec<f64> = (0..assets).map(|asset| 10.0 + asset as f64).collect();
    let mut step = || {
        for price in &mut price {
            *price *= (deviation * standard_normal(&mut rng)).exp();
        }
        price.clone()
    };
    (0..rows).map(|_| step()).collect()
}

fn given(prices: &[Vec<f64>]) -> PricesConfig {
    let table = Table::new("table", prices.concat(), prices.len(), prices[0].len()).unwrap();
    PricesConfig::Given(GivenConfig { table, random_start: false })
}

fn actions(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = SimRng::seed_from_u64(seed);
    (0..count).map(|_| (uniform(&mut rng) * 2.4 - 1.2) as f32).collect()
}

/// The point of the simplex nearest to `values`: the threshold by bisection.
fn nearest(values: &[f64], total: f64) -> Vec<f64> {
    let (mut low, mut high) = (-1e3, 1e3);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        let sum: f64 = values.iter().map(|value| (value - middle).max(0.0)).sum();
        if sum > total { low = middle } else { high = middle }
    }
    values.iter().map(|value| (value - low).max(0.0)).collect()
}

/// Shares, money and prices, as a broker would keep them.
struct Literal {
    config: PortfolioRebalancingConfig,
    prices: Vec<Vec<f64>>,
    t: usize,
    units: Vec<f64>,
    cash: f64,
    returns: Vec<f64>,
}

impl Literal {
    fn new(config: &PortfolioRebalancingConfig, prices: Vec<Vec<f64>>) -> Self {
        let n = prices[0].len();
        let t =
            config.return_windows.iter().copied().max().unwrap().max(config.risk_window).max(config.history);
        let (units, cash) = match config.start {
            Start::Equal => (prices[t].iter().map(|price| config.capital / n as f64 / price).collect(), 0.0),
            Start::Cash => (vec![0.0; n], config.capital),
        };
        Self { config: config.clone(), prices, t, units, cash, returns: Vec::new() }
    }

    fn nav(&self) -> f64 {
        self.cash
            + self.units.iter().zip(&self.prices[self.t]).map(|(units, price)| units * price).sum::<f64>()
    }

    fn weights(&self) -> Vec<f64> {
        let nav = self.nav();
        self.units.iter().zip(&self.prices[self.t]).map(|(units, price)| units * price / nav).collect()
    }

    fn targets(&self, action: &[f32]) -> Vec<f64> {
        let part = |(wanted, held): (&f64, &f64)| held + self.config.adjustment * (wanted - held);
        self.wanted(action).iter().zip(&self.weights()).map(part).collect()
    }

    fn wanted(&self, action: &[f32]) -> Vec<f64> {
        let n = self.units.len();
        let changed = |scale: f64| -> Vec<f64> {
            let mut held = self.weights();
            held.push(1.0 - held.iter().sum::<f64>());
            let add = |(&a, held): (&f32, &f64)| held + f64::from(a).clamp(-1.0, 1.0) * scale;
            action.iter().zip(&held).map(add).collect()
        };
        let changes = self.config.action == ActionMeaning::Changes;
        match self.config.weights {
            Weights::LongOnly => {
                let wanted: Vec<f64> = if changes {
                    changed(self.config.max_change)
                } else {
                    action.iter().map(|&a| f64::from(a).clamp(0.0, 1.0)).collect()
                };
                nearest(&wanted, 1.0)[..n].to_vec()
            }
            Weights::LongShort => {
                let leverage = self.config.leverage;
                let wanted: Vec<f64> = if changes {
                    changed(self.config.max_change)
                } else {
                    action.iter().map(|&a| f64::from(a).clamp(-1.0, 1.0) * leverage).collect()
                };
                let sizes: Vec<f64> = wanted.iter().map(|value| value.abs()).collect();
                if sizes.iter().sum::<f64>() <= leverage {
                    return wanted;
                }
                let sizes = nearest(&sizes, leverage);
                wanted.iter().zip(sizes).map(|(value, size)| size * value.signum()).collect()
            }
        }
    }

    /// The net log return.
    fn step(&mut self, action: &[f32]) -> f64 {
        let before = self.nav();
        let targets = self.targets(action);
        let change: f64 =
            targets.iter().zip(self.weights()).map(|(target, weight)| (target - weight).abs()).sum();
        // The cost is taken from the value before the return is earned.
        let value = before - before * change * self.config.transaction_cost;
        let prices = &self.prices[self.t];
        self.units = targets.iter().zip(prices).map(|(target, price)| value * target / price).collect();
        self.cash = value * (1.0 - targets.iter().sum::<f64>()) * (1.0 + self.config.cash_return);
        self.t += 1;
        let log_return = (self.nav() / before).ln();
        self.returns.push(log_return);
        log_return
    }

    fn reward(&self) -> f64 {
        let last = *self.returns.last().unwrap();
        match self.config.reward {
            RewardKind::LogReturn => last,
            RewardKind::ExcessReturn => {
                let mut growth: Vec<f64> = (self.prices[self.t].iter())
                    .zip(&self.prices[self.t - 1])
                    .map(|(after, before)| after / before)
                    .collect();
                growth.extend(self.config.cash.then_some(1.0 + self.config.cash_return));
                last - (growth.iter().sum::<f64>() / growth.len() as f64).ln()
            }
            RewardKind::VariancePenalty => last - self.config.risk_aversion / 2.0 * last.powi(2),
            RewardKind::DifferentialSharpe => {
                let eta = self.config.sharpe_adaptation;
                let (mut a, mut b, mut reward) = (0.0, 0.0, 0.0);
                for value in self.returns.iter().map(|value| value.exp() - 1.0) {
                    let (da, db) = (value - a, value * value - b);
                    let variance: f64 = b - a * a;
                    reward = if variance > 0.0 { (b * da - a * db / 2.0) / variance.powf(1.5) } else { 0.0 };
                    (a, b) = (a + eta * da, b + eta * db);
                }
                reward
            }
        }
    }

    fn observation(&self) -> Vec<f64> {
        let n = self.units.len();
        let growth = |t: usize, asset: usize| (self.prices[t][asset] / self.prices[t - 1][asset]).ln();
        let weights = self.weights();
        let window = self.config.risk_window;
        let of_window =
            |of: &dyn Fn(usize) -> f64| -> Vec<f64> { (self.t + 1 - window..=self.t).map(of).collect() };
        let covariance = |a: &[f64], b: &[f64]| {
            let mean = |values: &[f64]| values.iter().sum::<f64>() / window as f64;
            let (ma, mb) = (mean(a), mean(b));
            a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / (window - 1) as f64
        };
        let portfolio = of_window(&|t| (0..n).map(|asset| weights[asset] * growth(t, asset)).sum::<f64>());
        let mut seen = Vec::new();
        for (asset, &weight) in weights.iter().enumerate() {
            for &back in &self.config.return_windows {
                seen.push((self.prices[self.t][asset] / self.prices[self.t - back][asset]).ln());
            }
            let own = of_window(&|t| growth(t, asset));
            seen.push(match self.config.risk {
                Risk::Variance => covariance(&own, &own),
                Risk::Covariance => covariance(&own, &portfolio),
            });
            seen.push(weight);
        }
        if self.config.cash {
            for &back in &self.config.return_windows {
                seen.push(back as f64 * (1.0 + self.config.cash_return).ln());
            }
            seen.extend([0.0, self.cash / self.nav()]);
        }
        seen
    }
}

fn variants(prices: &[Vec<f64>]) -> Vec<PortfolioRebalancingConfig> {
    let base = PortfolioRebalancingConfig { prices: given(prices), ..Default::default() };
    vec![
        base.clone(),
        PortfolioRebalancingConfig {
            cash: true,
            cash_return: 0.0002,
            start: Start::Cash,
            risk: Risk::Covariance,
            reward: RewardKind::VariancePenalty,
            risk_aversion: 7.0,
            return_windows: vec![1, 3, 20],
            risk_window: 11,
            ..base.clone()
        },
        PortfolioRebalancingConfig {
            cash: true,
            cash_return: 0.0001,
            weights: Weights::LongShort,
            leverage: 1.5,
            transaction_cost: 0.003,
            reward: RewardKind::DifferentialSharpe,
            return_windows: vec![5],
            risk_window: 2,
            ..base.clone()
        },
        PortfolioRebalancingConfig {
            reward: RewardKind::ExcessReturn,
            cash: true,
            cash_return: 0.0003,
            history: 37,
            action: ActionMeaning::Changes,
            max_change: 0.07,
            ..base.clone()
        },
        PortfolioRebalancingConfig {
            cash: true,
            weights: Weights::LongShort,
            leverage: 1.3,
            action: ActionMeaning::Changes,
            adjustment: 0.3,
            ..base
        },
    ]
}

#[test]
fn episodes_are_those_of_a_broker_and_finance_themselves() {
    for assets in [1, 2, 10] {
        let prices = walk(300, assets, 0.02, assets as u64);
        for config in variants(&prices) {
            let mut env = make(&config);
            let mut literal = Literal::new(&config, prices.clone());
            let mut observation = vec![0.0; env.observation_space().len()];
            env.reset(1, &mut observation).unwrap();
            let count = env.action_space().len();
            let first = literal.t;
            for t in first..299 {
                let expected = literal.observation();
                assert_eq!(observation.len(), expected.len());
                for (found, expected) in observation.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 2e-7 * expected.abs().max(1e-6),
                        "{found} {expected}"
                    );
                }
                let action = actions(count, t as u64);
                let step = env.step(Action::Continuous(&action), &mut observation);
                literal.step(&action);
                assert!((env.nav() / literal.nav() - 1.0).abs() < 1e-9, "{} {}", env.nav(), literal.nav());
                let reward = literal.reward();
                assert!(
                    (step.reward - reward).abs() < 1e-8 * reward.abs().max(1e-3),
                    "{} {reward}",
                    step.reward
                );
                assert_eq!((step.terminated, step.truncated), (false, t == 298));
                // What is held is all there is.
                let sum: f64 = env.weights().iter().sum();
                assert!((sum - 1.0).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn a_hand_computed_step() {
    // Half and half; 0.75 and 0.25 are asked for: turnover 0.5, cost 0.5 x 0.01. Prices then double and stay.
    let mut prices = vec![vec![1.0, 1.0]; 3];
    prices.push(vec![2.0, 1.0]);
    let config = PortfolioRebalancingConfig {
        prices: given(&prices),
        return_windows: vec![1],
        risk_window: 2,
        transaction_cost: 0.01,
        capital: 100.0,
        ..Default::default()
    };
    let mut env = make(&config);
    let mut observation = vec![0.0; 6];
    env.reset(0, &mut observation).unwrap();
    assert_eq!(observation, [0.0, 0.0, 0.5, 0.0, 0.0, 0.5]);
    let step = env.step(Action::Continuous(&[0.75, 0.25]), &mut observation);
    assert!((env.nav() - 100.0 * 0.995 * 1.75).abs() < 1e-12);
    assert!((step.reward - (0.995f64 * 1.75).ln()).abs() < 1e-15);
    assert!((env.weights()[0] - 1.5 / 1.75).abs() < 1e-15 && step.truncated && !step.terminated);
    let ln2 = 2.0f64.ln();
    let expected = [ln2, ln2 * ln2 / 2.0, 1.5 / 1.75, 0.0, 0.0, 0.25 / 1.75];
    for (found, expected) in observation.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-7);
    }
    let mut info = [0.0; PortfolioRebalancing::INFO.len()];
    env.write_info(&mut info);
    assert!(
        (info[5] - 0.005).abs() < 1e-15 && (info[6] - 0.5).abs() < 1e-15 && (info[7] - 0.5).abs() < 1e-12
    );
}

#[test]
fn weights_that_drift_cost_nothing_and_going_back_does() {
    let prices = walk(200, 3, 0.03, 8);
    let mut env = make(&PortfolioRebalancingConfig { prices: given(&prices), ..Default::default() });
    let mut observation = vec![0.0; 9];
    env.reset(0, &mut observation).unwrap();
    let mut infos = vec![0.0; PortfolioRebalancing::INFO.len()];
    for _ in 0..50 {
        let held: Vec<f32> = env.weights().iter().map(|&weight| weight as f32).collect();
        env.step(Action::Continuous(&held), &mut observation);
        env.write_info(&mut infos);
        assert!(infos[6] < 1e-6, "no turnover but that of rounding, {}", infos[6]);
    }
    let fees = infos[7];
    env.step(Action::Continuous(&[0.0, 0.0, 1.0]), &mut observation);
    env.write_info(&mut infos);
    assert!(infos[6] > 0.5 && infos[7] - fees > 0.0004 * 1_000_000.0);
}

#[test]
fn ruin_ends_the_episode_with_the_return_to_the_ruin_level() {
    for last in [3.0, 100.0] {
        // A short position of the whole value: at 3, the value is -1.
        let prices: Vec<Vec<f64>> = [1.0, 1.0, 1.0, last, last].iter().map(|&price| vec![price]).collect();
        let config = PortfolioRebalancingConfig {
            prices: given(&prices),
            return_windows: vec![1],
            risk_window: 2,
            cash: true,
            start: Start::Cash,
            weights: Weights::LongShort,
            transaction_cost: 0.0,
            ruin_level: 0.01,
            ..Default::default()
        };
        let mut env = make(&config);
        let mut observation = vec![0.0; 6];
        env.reset(0, &mut observation).unwrap();
        let step = env.step(Action::Continuous(&[-1.0]), &mut observation);
        assert!(step.terminated && env.nav() < 0.0);
        assert!((step.reward - 0.01f64.ln()).abs() < 1e-12);
        assert!(observation.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn known_expectations_are_seen_where_they_are_asked_for() {
    let config = PortfolioRebalancingConfig {
        prices: PricesConfig::MeanReverting(MeanRevertingConfig::default()),
        observe_expected: true,
        ..Default::default()
    };
    let mut env = make(&config);
    assert_eq!(env.observation_space().shape(), [10, 4]);
    let mut observation = vec![0.0; 40];
    // A regression of what comes on what is expected has slope 1.
    let (mut xy, mut xx, mut count) = (0.0, 0.0, 0.0);
    for session in 0..200 {
        env.reset(session, &mut observation).unwrap();
        for _ in 0..252 {
            let expected: Vec<f64> = observation.chunks(4).map(|row| f64::from(row[3])).collect();
            let before: Vec<f64> = env.weights().to_vec();
            let action: Vec<f32> = before.iter().map(|&weight| weight as f32).collect();
            let mut info = [0.0; PortfolioRebalancing::INFO.len()];
            env.step(Action::Continuous(&action), &mut observation);
            env.write_info(&mut info);
            let x: f64 = expected.iter().zip(&before).map(|(x, weight)| x * weight).sum::<f64>();
            (xy, xx, count) = (xy + x * info[4], xx + x * x, count + 1.0);
        }
    }
    // Deviation of the slope: that of a period's return over sqrt(sum x^2).
    let error = 0.2 / 252f64.sqrt() / f64::sqrt(xx);
    assert!((xy / xx - 1.0).abs() < 5.0 * error && error < 0.1, "{} +- {error}, {count}", xy / xx);
}

#[test]
fn a_fork_has_the_same_future_and_a_session_the_same_bits() {
    for prices in ["geometric_brownian", "garch", "merton", "mean_reverting"] {
        let settings = json!({"name": "portfolio_rebalancing", "prices": {prices: {}}});
        let config = EnvConfig::from_map(settings.as_object().unwrap(), Path::new(""), "").unwrap();
        let mut env = gym::AnyEnv::new(&config).unwrap();
        let mut observation = vec![0.0; 30];
        let mut play = |env: &mut gym::AnyEnv, from: u64| -> Vec<_> {
            let steps = (from..from + 60).map(|t| {
                let step = env.step(Action::Continuous(&actions(10, t)), &mut observation);
                (step, observation.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
            });
            steps.collect()
        };
        let mut first = vec![0.0; 30];
        env.reset(3, &mut first).unwrap();
        let start = play(&mut env, 0);
        let mut fork = env.clone();
        assert_eq!(play(&mut env, 60), play(&mut fork, 60));
        let mut again = vec![0.0; 30];
        env.reset(3, &mut again).unwrap();
        assert_eq!((again, play(&mut env, 0)), (first.clone(), start));
        env.reset(4, &mut first).unwrap();
        assert_ne!(first, observation);
    }
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let complaint = |settings: serde_json::Value| {
        let mut map = settings.as_object().unwrap().clone();
        map.insert("name".into(), "portfolio_rebalancing".into());
        match EnvConfig::from_map(&map, Path::new(""), "env") {
            Ok(config) => gym::AnyEnv::new(&config).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    for (settings, words) in [
        (json!({"weights": "long_short"}), "env.cash is false; legal: true"),
        (json!({"start": "cash"}), "env.cash is false"),
        (json!({"weights": "short"}), "env.weights is \"short\""),
        (json!({"return_windows": []}), "env.return_windows is a list of 0"),
        (json!({"return_windows": [0]}), "env.return_windows[0] is 0"),
        (json!({"risk_window": 1}), "env.risk_window is 1"),
        (json!({"observe_expected": true}), "env.observe_expected is true"),
        (json!({"ruin_level": 0.0}), "env.ruin_level is 0"),
        (json!({"assets": 0}), "env.assets is 0"),
        (json!({"prices": {"garch": {"beta": 0.95}}}), "env.prices.garch.beta is 0.95; legal: below 0.92"),
        (json!({"prices": {"garch": {"betta": 0.9}}}), "betta"),
        (json!({"prices": {"gbm": {}}}), "geometric_brownian"),
        (
            json!({"prices": {"given": {"table": [[1.0], [0.0], [1.0]]}}}),
            "prices[1][0] is 0; legal: a price > 0",
        ),
        (json!({"prices": {"given": {"table": [[1.0], [2.0]]}}}), "22 rows or more"),
        (json!({"transaction_costs": 0.1}), "did you mean transaction_cost?"),
    ] {
        let message = complaint(settings);
        assert!(message.contains(words), "{message}");
    }
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
    // The page's tables are those of 2 assets and cash.
    let env = make(&PortfolioRebalancingConfig { assets: Some(2), cash: true, ..Default::default() });
    assert_eq!(env.observation_space().shape(), [3, 3]);
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
    assert_eq!(names, PortfolioRebalancing::INFO);
}

#[test]
fn every_setting_is_documented_and_the_shipped_file_has_the_defaults() {
    let config = EnvConfig::named("portfolio_rebalancing").unwrap();
    let text = include_str!("../../config/env/portfolio_rebalancing.yaml");
    let file =
        EnvConfig::from_settings(&Settings::from_yaml(text, "portfolio_rebalancing.yaml").unwrap()).unwrap();
    assert_eq!(file.task, config.task);
    for key in config.to_map().keys() {
        assert!(PAGE.contains(&format!("`{key}`")) || key == "name", "{key} is not on the page");
        assert!(text.contains(&format!("\n  {key}: ")) || key == "prices", "{key} is not in the file");
    }
}

#[test]
fn the_past_is_that_of_the_prices_and_as_long_as_was_asked_for() {
    let prices = walk(80, 3, 0.02, 4);
    let config = PortfolioRebalancingConfig { prices: given(&prices), history: 31, ..Default::default() };
    let mut env = make(&config);
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(1, &mut observation).unwrap();
    for row in 31..60 {
        let past: Vec<f64> = env.past().into_iter().flatten().copied().collect();
        assert_eq!(past.len(), 31 * 3);
        for (k, found) in past.iter().enumerate() {
            let at = row - 31 + k / 3;
            let expected = (prices[at + 1][k % 3] / prices[at][k % 3]).ln();
            assert!((found - expected).abs() < 1e-12, "row {row}, {k}: {found} {expected}");
        }
        env.step(Action::Continuous(&[0.3; 3]), &mut observation);
    }
}

//! Fees and impact of portfolios beside books kept in shares and money, with each model's formula written out.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::envs::{MultiAssetTrading, PortfolioRebalancing, TradingConditions};
use gym::envs::{MultiAssetTradingConfig, PortfolioRebalancingConfig};
use gym::prices::{GivenConfig, PerAsset, PricesConfig, Table};
use gym::{Action, AnyEnv, Env, EnvConfig, Settings};
use lob::models::{FeeConfig, ImpactConfig};
use lob::random::{standard_normal, uniform};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

const ASSETS: usize = 3;
const PERIOD: f64 = 3_600.0;
const TRADING: f64 = 600.0;
/// Money that each asset's market trades in a period.
const VOLUMES: [f64; ASSETS] = [2e7, 3e7, 4e7];
const FEES: &str = "maker_taker: {maker: {basis_points: -1}, taker: {per_lot: 0.01}, minimum_per_order: 5}";

fn walk(rows: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = SimRng::seed_from_u64(seed);
    let mut price = [12.0, 50.0, 200.0];
    let mut step = || {
        price.iter_mut().for_each(|price| *price *= (0.02 * standard_normal(&mut rng)).exp());
        price.to_vec()
    };
    (0..rows).map(|_| step()).collect()
}

fn given(prices: &[Vec<f64>]) -> PricesConfig {
    let table = Table::new("table", prices.concat(), prices.len(), ASSETS).unwrap();
    PricesConfig::Given(GivenConfig { table, random_start: false })
}

fn conditions() -> TradingConditions {
    TradingConditions {
        volume: Some(PerAsset::Each(VOLUMES.to_vec())),
        period_seconds: Some(PERIOD),
        trading_seconds: Some(TRADING),
    }
}

/// What an order costs, as a fraction of its notional, from the literature's formulas; `state` is how far the price is displaced.
type Formula = fn(state: &mut f64, sign: f64, notional: f64, sigma: f64, volume: f64) -> f64;

/// Models as in a file, and their formulas with sigma and volume of a period.
const MODELS: [(&str, Formula); 5] = [
    ("none", |_, _, _, _, _| 0.0),
    ("square_root: {y: 0.8, half_spread: 0.0002}", |_, _, notional, sigma, volume| {
        2.0 / 3.0 * 0.8 * sigma * (notional / volume).sqrt() + 0.0002
    }),
    ("temporary: {coefficient: 3, exponent: 0.6}", |_, _, notional, sigma, volume| {
        let participation = notional / TRADING / (volume / PERIOD);
        3.0 * sigma / PERIOD.sqrt() * participation.powf(0.6)
    }),
    (
        "almgren_chriss: {half_spread: 0.0001, temporary: 2, permanent: 0.01}",
        |displaced, sign, notional, sigma, volume| {
            let second = sigma / PERIOD.sqrt();
            let seconds = notional / (volume / PERIOD);
            let own = 0.01 * second * seconds * sign;
            let paid = sign * (*displaced + own / 2.0);
            *displaced += own;
            0.0001 + 2.0 * second * seconds / TRADING + paid
        },
    ),
    (
        "transient: {coefficient: 0.02, decay: {exponential: {seconds: 1500}}}",
        |displaced, sign, notional, sigma, volume| {
            // d' = push - d / 1500 while the order trades, d' = -d / 1500 afterwards.
            let push = sign * 0.02 * sigma / PERIOD.sqrt() * notional / (volume / PERIOD) / TRADING;
            let limit = push * 1_500.0;
            let gone = 1.0 - (-TRADING / 1_500.0f64).exp();
            let mean = limit + (*displaced - limit) * gone * 1_500.0 / TRADING;
            *displaced += (limit - *displaced) * gone;
            *displaced *= (-(PERIOD - TRADING) / 1_500.0f64).exp();
            sign * mean
        },
    ),
];

/// Fees, then impact, of a trade, money.
fn charge(formula: Formula, state: &mut f64, notional: f64, price: f64, sigma: f64, volume: f64) -> [f64; 2] {
    let size = notional.abs();
    let fee = if notional == 0.0 { 0.0 } else { (0.01 * size / price).max(5.0) };
    [fee, formula(state, notional.signum(), size, sigma, volume) * size]
}

fn impact(text: &str) -> ImpactConfig {
    serde_saphyr::from_str(text).unwrap()
}

fn fees() -> FeeConfig {
    serde_saphyr::from_str(FEES).unwrap()
}

fn actions(seed: u64, low: f64) -> Vec<f32> {
    let mut rng = SimRng::seed_from_u64(seed);
    (0..ASSETS).map(|_| (low + uniform(&mut rng) * (1.0 - low)) as f32).collect()
}

#[test]
fn a_portfolio_finances_itself_under_every_model() {
    const WINDOW: usize = 10;
    let prices = walk(120, 3);
    for (text, formula) in MODELS {
        let mut env = PortfolioRebalancing::new(
            &PortfolioRebalancingConfig {
                prices: given(&prices),
                return_windows: vec![1],
                risk_window: WINDOW,
                fees: fees(),
                impact: impact(text),
                conditions: conditions(),
                ..Default::default()
            },
            Path::new(""),
        )
        .unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        let mut infos = [0.0; PortfolioRebalancing::INFO.len()];
        // The second session must begin at rest, whatever the first has traded.
        for session in 0..2 {
            env.reset(session, &mut observation).unwrap();
            let mut units: Vec<f64> = prices[WINDOW].iter().map(|price| 1e6 / 3.0 / price).collect();
            let mut state = [0.0; ASSETS];
            let mut totals = [0.0; 2];
            for t in WINDOW..prices.len() - 1 {
                let value = |t: usize, units: &[f64]| -> f64 {
                    units.iter().zip(&prices[t]).map(|(units, price)| units * price).sum()
                };
                let nav = value(t, &units);
                env.step(Action::Continuous(&actions(t as u64, 0.0)), &mut observation);
                let mut cost = 0.0;
                for asset in 0..ASSETS {
                    let price = prices[t][asset];
                    let growth: Vec<f64> = (t + 1 - WINDOW..=t)
                        .map(|row| (prices[row][asset] / prices[row - 1][asset]).ln())
                        .collect();
                    let mean = growth.iter().sum::<f64>() / WINDOW as f64;
                    let squares: f64 = growth.iter().map(|growth| (growth - mean).powi(2)).sum();
                    let sigma = (squares / (WINDOW - 1) as f64).sqrt();
                    let notional = env.targets()[asset] * nav - units[asset] * price;
                    let [fee, slipped] =
                        charge(formula, &mut state[asset], notional, price, sigma, VOLUMES[asset]);
                    totals[0] += fee + 0.001 * notional.abs();
                    totals[1] += slipped;
                    cost += fee + 0.001 * notional.abs() + slipped;
                }
                // Costs are paid before the return is earned.
                let left = nav - cost;
                units = (0..ASSETS).map(|asset| left * env.targets()[asset] / prices[t][asset]).collect();
                let expected = value(t + 1, &units);
                assert!((env.nav() / expected - 1.0).abs() < 1e-9, "{text}: {} {expected}", env.nav());
                env.write_info(&mut infos);
                assert!((infos[5] * nav / cost - 1.0).abs() < 1e-6, "{text}: cost");
            }
            assert!((infos[7] - totals[0]).abs() < 1e-6 * totals[0], "{text}: fees");
            assert!((infos[11] - totals[1]).abs() <= 1e-6 * totals[1], "{text}: impact");
            assert!(text == "none" || totals[1] > 100.0, "{text}: nothing to test");
        }
    }
}

#[test]
fn multi_asset_trading_finances_itself_under_every_model() {
    let mut prices = walk(120, 4);
    // A price that is gone closes the position without a market to slip in.
    prices[40][1] = 0.0;
    for (text, formula) in MODELS {
        let mut env = MultiAssetTrading::new(
            &MultiAssetTradingConfig {
                prices: given(&prices),
                fees: fees(),
                impact: impact(text),
                conditions: conditions(),
                initial_volatility: 0.03,
                initial_cash: 1e6,
                ..Default::default()
            },
            Path::new(""),
        )
        .unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        let mut infos = [0.0; MultiAssetTrading::INFO.len()];
        for session in 0..2 {
            env.reset(session, &mut observation).unwrap();
            let (mut shares, mut cash) = ([0.0; ASSETS], 1e6);
            let (mut state, mut variance) = ([0.0; ASSETS], [0.0009_f64; ASSETS]);
            let mut totals = [0.0; 2];
            for t in 0..prices.len() - 1 {
                let equity: f64 = cash + (0..ASSETS).map(|i| shares[i] * prices[t][i]).sum::<f64>();
                let action = actions(t as u64, -1.0);
                env.step(Action::Continuous(&action), &mut observation);
                for i in 0..ASSETS {
                    let price = prices[t][i];
                    let target = if price > 0.0 { equity / 3.0 * f64::from(action[i]) / price } else { 0.0 };
                    let notional = (target - shares[i]) * price;
                    let [fee, slipped] = if price > 0.0 {
                        charge(formula, &mut state[i], notional, price, variance[i].sqrt(), VOLUMES[i])
                    } else {
                        if text.starts_with("transient") {
                            state[i] *= (-PERIOD / 1_500.0f64).exp();
                        }
                        [0.0; 2]
                    };
                    totals[0] += fee + 0.0005 * notional.abs();
                    totals[1] += slipped;
                    cash -= notional + 0.0005 * notional.abs() + fee + slipped;
                    shares[i] = target;
                    let next = prices[t + 1][i];
                    let growth = if price > 0.0 && next > 0.0 { Some((next / price).ln()) } else { None };
                    // What comes back from no price has not moved; what goes has no logarithm.
                    if let Some(growth) = growth.or((price <= 0.0).then_some(0.0)) {
                        variance[i] = 0.94 * variance[i] + 0.06 * growth * growth;
                    }
                }
                let expected = cash + (0..ASSETS).map(|i| shares[i] * prices[t + 1][i]).sum::<f64>();
                assert!((env.equity() / expected - 1.0).abs() < 1e-9, "{text}: {} {expected}", env.equity());
            }
            env.write_info(&mut infos);
            assert!((infos[4] - totals[0]).abs() < 1e-6 * totals[0], "{text}: fees");
            assert!((infos[7] - totals[1]).abs() <= 1e-6 * totals[1], "{text}: impact");
            assert!(text == "none" || totals[1] > 100.0, "{text}: nothing to test");
        }
    }
}

fn read(text: &str) -> Result<EnvConfig, String> {
    let settings = Settings::from_yaml(text, "test").unwrap();
    EnvConfig::from_settings(&settings).map_err(|error| error.to_string())
}

fn profit(config: &EnvConfig) -> f64 {
    let mut env = AnyEnv::new(config).unwrap();
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut infos = vec![0.0; env.info_names().len()];
    env.reset(5, &mut observation).unwrap();
    for t in 0..30 {
        let action: Vec<f32> = (0..env.action_space().len()).map(|i| ((i + t) % 3) as f32 / 3.0).collect();
        env.step(Action::Continuous(&action), &mut observation);
    }
    env.write_info(&mut infos);
    infos[2]
}

#[test]
fn a_calibrated_file_is_the_model_that_it_has() {
    // What `lobgym calibrate-impact` wrote, read from where it is and written out.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/impact/flow.yaml");
    let model = std::fs::read_to_string(file).unwrap();
    let inline: String =
        model.lines().filter(|line| !line.starts_with('#')).map(|line| format!("    {line}\n")).collect();
    for name in ["portfolio_rebalancing", "multi_asset_trading"] {
        let config = read(&format!("env:\n  name: {name}\n  impact: {{file: '{file}'}}\n")).unwrap();
        let written = read(&format!("env:\n  name: {name}\n  impact:\n{inline}")).unwrap();
        let free = read(&format!("env: {{name: {name}}}\n")).unwrap();
        let found = profit(&config);
        assert_eq!(found, profit(&written));
        assert!(found < profit(&free) - 100.0, "{name}: impact costs");
    }
}

#[test]
fn relative_files_mean_the_same_wherever_the_settings_go() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/env");
    let mut config = read("env: {name: portfolio_rebalancing, impact: {file: ../impact/flow.yaml}}").unwrap();
    config.directory = directory;
    let absolute = config.clone().with_absolute_paths().unwrap();
    let moved = EnvConfig::from_map(&absolute.to_map(), Path::new("/nowhere"), "").unwrap();
    assert_eq!(profit(&config), profit(&moved));
}

#[test]
fn what_is_not_legal_is_named() {
    for (setting, expected) in [
        ("impact: {square_root: {y: -1}}", "env.impact.square_root.y is -1"),
        ("impact: {cubic: {y: 1}}", "env.impact"),
        (
            "fees: {maker_taker: {maker: {basis_points: 1}, taker: {per_lot: 1}, minimum_per_order: -1}}",
            "env.fees.maker_taker.minimum_per_order is -1",
        ),
        ("conditions: {volume: 0}", "env.conditions.volume is 0"),
        ("conditions: {period_seconds: -3}", "env.conditions.period_seconds is -3"),
        ("conditions: {volumes: 1}", "env.conditions"),
    ] {
        for name in ["portfolio_rebalancing", "multi_asset_trading"] {
            let error = read(&format!("env: {{name: {name}, {setting}}}")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
    for (setting, expected) in [
        ("impact: {file: nowhere.yaml}", "nowhere.yaml"),
        (
            "impact: {square_root: {y: 1}}, conditions: {trading_seconds: 30000}",
            "conditions.trading_seconds is 30000",
        ),
        ("impact: {square_root: {y: 1}}, conditions: {volume: [1, 2]}", "conditions.volume"),
    ] {
        let config = read(&format!("env: {{name: portfolio_rebalancing, {setting}}}")).unwrap();
        let error = AnyEnv::new(&config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

//! Theory against the world it was made for: table 1 of Avellaneda & Stoikov (2008).

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use agents::market_making::{
    AvellanedaStoikov, FillModelPlan, FixedOffsets, Quoter, QuotingSession, RandomOffsets,
    estimate_fill_model,
};
use agents::statistics::Moments;
use gym::EnvConfig;
use lob::flow::MarketConfig;

const GAMMA: f64 = 0.1;
const SIGMA: f64 = 2.0;
const K: f64 = 1.5;

/// Printed in the paper, over 1,000 paths: mean and deviation of the profit, deviation of the final inventory.
const INVENTORY: [f64; 3] = [65.0, 6.6, 2.9];
const SYMMETRIC: [f64; 3] = [68.4, 12.7, 8.4];
const THEIR_PATHS: f64 = 1_000.0;

fn session(min_offset_ticks: f64) -> QuotingSession {
    let mut map = EnvConfig::named_settings("avellaneda_stoikov").unwrap();
    map.insert("min_offset_ticks".into(), min_offset_ticks.into());
    QuotingSession::new(&EnvConfig::from_map(&map, std::path::Path::new(""), "").unwrap()).unwrap()
}

/// A figure and its standard error.
type Figure = (f64, f64);

/// Mean and deviation. The error of a deviation is deviation x sqrt((kurtosis - 1) / 4 n), which is deviation / sqrt(2 n) for normal values;
/// the profit's are not: an inventory that wanders times a price that wanders has fat tails.
fn mean_and_deviation(values: &[f64]) -> [Figure; 2] {
    let n = values.len() as f64;
    let moments = Moments::of(values.iter().copied());
    let (mean, variance) = (moments.mean().unwrap(), moments.variance().unwrap());
    let fourth = values.iter().map(|value| (value - mean).powi(4)).sum::<f64>() / n;
    let deviation = variance.sqrt();
    let kurtosis = fourth / (variance * variance);
    [(mean, deviation / n.sqrt()), (deviation, deviation * ((kurtosis - 1.0) / (4.0 * n)).sqrt())]
}

/// The same three figures here.
fn play(session: &mut QuotingSession, quoter: &mut dyn Quoter, paths: u64) -> [Figure; 3] {
    let (mut profit, mut inventory) = (Vec::new(), Vec::new());
    for seed in 0..paths {
        let played = session.play(seed, quoter, |_, _| {}).unwrap();
        assert_eq!(played.steps, 200);
        profit.push(played.info("profit"));
        inventory.push(played.info("inventory"));
    }
    let ([mean, deviation], [_, inventory_deviation]) =
        (mean_and_deviation(&profit), mean_and_deviation(&inventory));
    [mean, deviation, inventory_deviation]
}

/// How far ours are from theirs, in standard errors of both.
fn distances(ours: [Figure; 3], theirs: [f64; 3], paths: u64) -> [f64; 3] {
    let both = (1.0 + paths as f64 / THEIR_PATHS).sqrt();
    std::array::from_fn(|index| (ours[index].0 - theirs[index]) / (ours[index].1 * both))
}

#[test]
fn table_1_comes_out_whether_or_not_quotes_may_cross_the_mid() {
    for min_offset in [-10.0, -5.0, 0.0] {
        let mut session = session(min_offset);
        let strategy = AvellanedaStoikov::new(GAMMA, SIGMA, K, 1).unwrap();
        for paths in [1_000, 20_000] {
            let mut check = |name: &str, quoter: &mut dyn Quoter, theirs| {
                let ours = play(&mut session, quoter, paths);
                let far = distances(ours, theirs, paths);
                println!("{name}, offsets from {min_offset}, {paths} paths: {ours:.3?}, z {far:.2?}");
                assert!(far.iter().all(|z| z.abs() < 3.0), "{name}: {ours:?}: {far:?}");
            };
            check("inventory strategy", &mut strategy.clone(), INVENTORY);
            check("symmetric strategy", &mut strategy.symmetric(1.0), SYMMETRIC);
        }
    }
}

#[test]
fn the_symmetric_strategy_has_the_moments_that_follow_from_the_model() {
    const PATHS: u64 = 40_000;
    let (steps, dt, a) = (200.0, 0.005, 140.0);
    let mut quoter = AvellanedaStoikov::new(GAMMA, SIGMA, K, 1).unwrap().symmetric(1.0);
    let delta = quoter.spread / 2.0;
    let p = a * dt * (-K * delta).exp();
    // The inventory is a walk of `steps` independent steps, each of variance 2 p (1 - p); profit is the spread of all fills plus what the
    // inventory gains, which is uncorrelated with it: sigma^2 dt times the sum of the inventory's variances, 1 to `steps` steps long.
    let step_variance = 2.0 * p * (1.0 - p);
    let mean = 2.0 * steps * p * delta;
    let gains = SIGMA * SIGMA * dt * step_variance * steps * (steps + 1.0) / 2.0;
    let expected =
        [mean, (delta * delta * steps * step_variance + gains).sqrt(), (steps * step_variance).sqrt()];
    let ours = play(&mut session(0.0), &mut quoter, PATHS);
    println!("expected {expected:.3?}, found {ours:.3?}");
    for (found, expected) in ours.iter().zip(expected) {
        assert!((found.0 - expected).abs() < 3.5 * found.1, "{found:?}, expected {expected}");
    }
}

#[test]
fn worse_quotes_earn_less_in_the_model() {
    let mut session = session(0.0);
    let mut symmetric = AvellanedaStoikov::new(GAMMA, SIGMA, K, 1).unwrap().symmetric(1.0);
    let best = play(&mut session, &mut symmetric, 500)[0].0;
    let far = play(&mut session, &mut FixedOffsets { offset: [2.0, 2.0], lots: 1 }, 500)[0].0;
    let random = play(&mut session, &mut RandomOffsets::new(0.0, 3.0, 1), 500)[0].0;
    assert!(best > far + 10.0 && best > random + 5.0, "{best} {far} {random}");
}

#[test]
fn random_quotes_are_the_seeds() {
    let mut session = session(0.0);
    let mut quoter = RandomOffsets::new(0.0, 3.0, 1);
    let first = session.play(5, &mut quoter, |_, _| {}).unwrap();
    let other = session.play(6, &mut quoter, |_, _| {}).unwrap();
    assert_ne!(first, other);
    assert_eq!(first, session.play(5, &mut quoter, |_, _| {}).unwrap());
}

#[test]
fn a_books_flow_has_a_fill_model() {
    let plan = FillModelPlan { sessions: 10, ..FillModelPlan::default() };
    for name in ["noise", "flow"] {
        let market = MarketConfig::preset(name).unwrap().flow;
        let model = estimate_fill_model(&market, &plan).unwrap();
        println!(
            "{name}: A {:.3} k {:.3} sigma^2 {:.3}",
            model.arrival_rate,
            model.decay,
            model.volatility.powi(2)
        );
        for rate in &model.rates {
            println!("  {} ticks: {:.4} / s ({})", rate.distance, rate.rate, rate.count);
        }
        // A market order a side comes every eight seconds, and most of them do not go far.
        assert!((0.1..1.0).contains(&model.arrival_rate), "{model:?}");
        assert!((0.5..3.0).contains(&model.decay), "{model:?}");
        assert!((0.1..0.6).contains(&model.volatility), "{model:?}");
        assert_eq!(estimate_fill_model(&market, &plan).unwrap(), model, "the seed decides");
    }
}

#[test]
fn an_environment_without_quotes_is_refused() {
    let config = EnvConfig::named("execution").unwrap();
    let error = QuotingSession::new(&config).unwrap_err().to_string();
    assert!(error.contains("\"execution\"") && error.contains("offsets and sizes"), "{error}");
}

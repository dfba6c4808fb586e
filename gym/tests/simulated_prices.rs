//! Assets that each have a simulated book.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::prices::{AnyProcess, PriceProcess, PricesConfig, SimulatedConfig};
use gym::{Action, AnyEnv, Env, EnvConfig, Settings};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

fn config() -> SimulatedConfig {
    SimulatedConfig { period_seconds: 30.0, warm_up_seconds: 20.0, ..SimulatedConfig::default() }
}

fn process(config: &SimulatedConfig, assets: usize) -> AnyProcess {
    let prices = PricesConfig::Simulated(config.clone());
    prices.resolve(Some(assets), Path::new("")).unwrap().into_process().unwrap()
}

/// Prices and volumes of every period, the first before any.
fn play(process: &mut AnyProcess, seed: u64, periods: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
    let mut rng = SimRng::seed_from_u64(seed);
    let n = process.assets();
    let (mut growth, mut log_growth, mut prices) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    process.begin(&mut rng, periods as u64);
    assert!(process.prices(&mut prices));
    let mut rows = vec![(prices.clone(), process.volumes().unwrap().to_vec())];
    for _ in 0..periods {
        process.advance(&mut rng, &mut growth, &mut log_growth);
        let before = prices.clone();
        process.prices(&mut prices);
        for asset in 0..n {
            assert!((growth[asset] * before[asset] / prices[asset] - 1.0).abs() < 1e-12);
            assert!((log_growth[asset] - growth[asset].ln()).abs() < 1e-12);
        }
        rows.push((prices.clone(), process.volumes().unwrap().to_vec()));
    }
    rows
}

#[test]
fn a_seed_gives_the_same_prices_whatever_was_played_before() {
    let mut fresh = process(&config(), 3);
    let mut used = process(&config(), 3);
    play(&mut used, 99, 7);
    let rows = play(&mut fresh, 4, 20);
    assert_eq!(rows, play(&mut used, 4, 20));
    assert_ne!(rows, play(&mut used, 5, 20));
    // A copy has the same future.
    let mut copy = used.clone();
    let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
    let (mut left, mut right) = (SimRng::seed_from_u64(0), SimRng::seed_from_u64(0));
    used.advance(&mut left, &mut a, &mut [0.0; 3]);
    copy.advance(&mut right, &mut b, &mut [0.0; 3]);
    assert_eq!(a, b);
}

#[test]
fn each_asset_has_a_market_of_its_own_and_more_assets_do_not_change_the_first() {
    let rows = play(&mut process(&config(), 4), 8, 30);
    for other in 1..4 {
        assert!(rows.iter().any(|(prices, _)| prices[0] != prices[other]), "asset {other} is a copy");
    }
    let fewer = play(&mut process(&config(), 2), 8, 30);
    for ((prices, volumes), (less, traded)) in rows.iter().zip(&fewer) {
        assert_eq!((&prices[..2], &volumes[..2]), (&less[..], &traded[..]));
    }
}

#[test]
fn prices_are_mids_above_0_and_volumes_those_of_the_market() {
    let config = config();
    let rows = play(&mut process(&config, 10), 1, 100);
    for (prices, volumes) in &rows {
        for (price, volume) in prices.iter().zip(volumes) {
            // Half ticks of 0.1 around the opening mid of 1000.5 ticks.
            let half_ticks = price / 0.05;
            assert!(
                (half_ticks - half_ticks.round()).abs() < 1e-6 && (50.0..150.0).contains(price),
                "{price}"
            );
            assert!(*volume > 0.0);
        }
    }
    // docs/impact.md has 0.672 lots a second for the frozen book of this flow; a live one trades about as much.
    let mean = rows.last().unwrap().1.iter().sum::<f64>() / 10.0;
    let lots_a_second = mean / config.lot_size / config.period_seconds;
    assert!((0.5..0.9).contains(&lots_a_second), "{lots_a_second} lots a second");
    let moved = rows.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    assert!(moved > 90, "prices move");
}

#[test]
fn impact_meets_the_volume_of_the_simulated_market() {
    let run = |lot_size: f64| {
        let text = format!(
            "env: {{name: portfolio_rebalancing, assets: 2, steps: 10, risk_window: 5, return_windows: [5], impact: {{square_root: {{y: 1}}}}, \
             prices: {{simulated: {{lot_size: {lot_size}, period_seconds: 60}}}}}}"
        );
        let config = EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap()).unwrap();
        let mut env = AnyEnv::new(&config).unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        let mut infos = vec![0.0; env.info_names().len()];
        env.reset(0, &mut observation).unwrap();
        env.step(Action::Continuous(&[1.0, 0.0]), &mut observation);
        env.write_info(&mut infos);
        infos[11]
    };
    let (small, large) = (run(100.0), run(10_000.0));
    assert!(
        small > 0.0 && (small / large - 10.0).abs() < 1e-9,
        "a hundredth of the volume is ten times the impact"
    );
}

#[test]
fn settings_that_make_no_market_are_refused() {
    for (text, expected) in [
        ("{period_seconds: 0}", "env.prices.simulated.period_seconds is 0"),
        ("{warm_up_seconds: 0}", "env.prices.simulated.warm_up_seconds is 0"),
        ("{tick_size: -1}", "env.prices.simulated.tick_size is -1"),
        ("{lot_size: 0}", "env.prices.simulated.lot_size is 0"),
    ] {
        let yaml = format!("env: {{name: multi_asset_trading, prices: {{simulated: {text}}}}}");
        let error =
            EnvConfig::from_settings(&Settings::from_yaml(&yaml, "test").unwrap()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let prices = PricesConfig::Simulated(SimulatedConfig { market: "nosie".into(), ..config() });
    let error = prices.resolve(Some(2), Path::new("")).unwrap_err().to_string();
    assert!(error.contains("nosie") && error.contains("noise"), "{error}");
}

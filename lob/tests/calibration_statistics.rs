//! Statistics of simulated markets, set against each other.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::{
    MarketComparison, MarketStatistics, SimulationWatch, StatisticsObserver, compare, watch_simulation,
};
use lob::flow::{FlowConfig, MarketConfig, OpeningBook};

fn measure(market: &FlowConfig, seed: u64, seconds: f64) -> MarketStatistics {
    let mut observer = StatisticsObserver::new();
    let watch = SimulationWatch { seed, seconds, burn_in: 300.0, levels: 30, crowd_only: false };
    watch_simulation(market, &watch, &mut [&mut observer]).unwrap();
    observer.statistics()
}

fn live(name: &str) -> FlowConfig {
    let mut market = MarketConfig::preset(name).unwrap().flow;
    market.opening_mut().book = OpeningBook::Live;
    market
}

fn wrong(comparison: &MarketComparison) -> Vec<String> {
    comparison.wrong().map(|row| format!("{}: {}", row.statistic, row.verdict)).collect()
}

#[test]
fn a_market_agrees_with_itself() {
    let market = live("flow");
    let comparison = compare(&measure(&market, 1, 60_000.0), &measure(&market, 2, 60_000.0));
    assert!(comparison.is_within_limits(), "{:?}", wrong(&comparison));
    assert!(wrong(&comparison).is_empty(), "{:?}", wrong(&comparison));
    let spread = comparison.row("mean spread").unwrap();
    assert!(spread.ks.unwrap() < 0.02 && spread.wasserstein.unwrap() < 0.05, "{spread:?}");
    assert!(spread.verdict.ends_with("within 10%"), "{}", spread.verdict);
}

#[test]
fn another_market_is_told_apart_and_why() {
    let real = measure(&live("flow"), 1, 10_000.0);
    let FlowConfig::Tactical(mut params) = live("flow") else { panic!("tactical traders") };
    params.market_intensity.buy *= 2.0;
    params.market_intensity.sell *= 2.0;
    let comparison = compare(&real, &measure(&FlowConfig::Tactical(params), 3, 10_000.0));
    assert!(!comparison.is_within_limits());
    let rate = comparison.row("rate of market buy").unwrap();
    assert_eq!(rate.agrees, Some(false));
    assert!(rate.verdict.contains("more, outside 5%"), "{}", rate.verdict);
    let spread = comparison.row("mean spread").unwrap();
    assert!(
        spread.agrees == Some(false) && spread.verdict.contains("wider, outside 10%"),
        "{}",
        spread.verdict
    );
    assert!(spread.ratio.unwrap() > 1.1 && spread.ks.unwrap() > 0.05, "{spread:?}");
    assert!(comparison.row("volatility over 1 s").unwrap().agrees == Some(false));
}

#[test]
fn clusters_and_memory_are_seen() {
    // The Hawkes market has what the noise market lacks: the noise market as a model of it is wrong in both.
    let comparison = compare(&measure(&live("hawkes"), 1, 20_000.0), &measure(&live("noise"), 2, 20_000.0));
    let waiting = comparison.row("time between events").unwrap();
    assert!(
        waiting.agrees == Some(false) && waiting.verdict.contains("less clustered"),
        "{}",
        waiting.verdict
    );
    let signs = comparison.row("sign autocorrelation at lag 1").unwrap();
    assert!(signs.agrees == Some(false), "{signs:?}");
    assert!(signs.verdict.starts_with("the model has no memory of signs"), "{}", signs.verdict);
}

#[test]
fn standard_errors_cover_the_differences_between_seeds() {
    let market = live("hawkes");
    let runs: Vec<MarketStatistics> = (0..24).map(|seed| measure(&market, 10 + seed, 3_000.0)).collect();
    type Of = fn(&MarketStatistics) -> (f64, f64);
    let rate: Of = |of| (of.rates[2].per_second, of.rates[2].standard_error.unwrap());
    let spread: Of = |of| (of.spread.mean.unwrap(), of.spread_error.unwrap());
    let volatility: Of = |of| (of.volatility[3].ticks.unwrap(), of.volatility[3].standard_error.unwrap());
    for (name, of) in [("rate", rate), ("spread", spread), ("volatility", volatility)] {
        let values: Vec<(f64, f64)> = runs.iter().map(of).collect();
        let n = values.len() as f64;
        let mean = values.iter().map(|pair| pair.0).sum::<f64>() / n;
        let deviation = (values.iter().map(|pair| (pair.0 - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let error = values.iter().map(|pair| pair.1).sum::<f64>() / n;
        let ratio = error / deviation;
        assert!((0.6..1.6).contains(&ratio), "{name}: {error} for {deviation}");
    }
}

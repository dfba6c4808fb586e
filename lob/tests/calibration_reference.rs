//! Events simulated from known parameters give them back, within their standard errors.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::{
    Estimate, ReferenceEstimator, ReferenceFit, ReferenceSettings, SimulationWatch, watch_simulation,
};
use lob::flow::{
    FlowConfig, FlowParams, Imbalance, OpeningBook, Profile, SizeDistribution, StrategicMarket,
    StrategicParams, WaitingTime,
};

/// The window: wider than the distances at which anything happens.
const LEVELS: usize = 20;

fn live(mut params: FlowParams) -> FlowParams {
    params.opening.book = OpeningBook::Live;
    params
}

fn watch(seed: u64, seconds: f64) -> SimulationWatch {
    SimulationWatch { seed, seconds, burn_in: 0.0, levels: LEVELS, crowd_only: true }
}

fn estimate(market: &FlowConfig, settings: ReferenceSettings, watch: &SimulationWatch) -> ReferenceFit {
    let mut estimator = ReferenceEstimator::new(settings).unwrap();
    watch_simulation(market, watch, &mut [&mut estimator]).unwrap();
    estimator.fit().unwrap()
}

fn settings(waiting_time: WaitingTime) -> ReferenceSettings {
    ReferenceSettings { waiting_time, ..ReferenceSettings::new(LEVELS) }
}

/// Looks twice: with decays far apart, then close to the likeliest.
fn estimate_closely(
    market: &FlowConfig,
    settings: ReferenceSettings,
    watch: &SimulationWatch,
) -> ReferenceFit {
    let first = estimate(market, settings.clone(), watch);
    let closer = first.closer(&settings).expect("a reaction");
    estimate(market, closer, watch)
}

/// The true value of an estimate, where it has one: the shape has none.
fn truth(params: &FlowParams, name: &str) -> Option<f64> {
    let (key, index) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((key, index)) => (key, index.parse::<usize>().unwrap()),
        None => (name, 0),
    };
    let list = |values: &[f64]| params.scale * values.get(index).copied().unwrap_or(0.0);
    let size = |distribution: &SizeDistribution| {
        let table = distribution.probabilities().unwrap();
        // All sizes of the reference from 1 on occur.
        table.get(index).map_or(0.0, |entry| entry.1)
    };
    let (decay, gain) = match params.imbalance {
        Imbalance::None => (f64::NAN, f64::NAN),
        Imbalance::Linear { decay, gain, .. } => (decay, gain),
    };
    Some(match key {
        "market_intensity.buy" => params.scale * params.market_intensity.buy,
        "market_intensity.sell" => params.scale * params.market_intensity.sell,
        "limit_intensity.buy" => list(&params.limit_intensity.buy),
        "limit_intensity.sell" => list(&params.limit_intensity.sell),
        "cancel_intensity.buy" => list(&params.cancel_intensity.buy),
        "cancel_intensity.sell" => list(&params.cancel_intensity.sell),
        "imbalance.linear.decay" => decay,
        "imbalance.linear.gain" => gain,
        "size.market.mean" => params.size.market.mean().unwrap(),
        "size.limit.mean" => params.size.limit.mean().unwrap(),
        "size.cancel.mean" => params.size.cancel.mean().unwrap(),
        "size.market.empirical.weights" => size(&params.size.market),
        "size.limit.empirical.weights" => size(&params.size.limit),
        "size.cancel.empirical.weights" => size(&params.size.cancel),
        _ => return None,
    })
}

/// Estimates that rest on enough events for their errors to be normal, with their distance from the truth in standard errors.
fn scores(fit: &ReferenceFit, params: &FlowParams) -> Vec<(Estimate, f64)> {
    let compared = fit.estimates.iter().filter(|estimate| {
        let weight = estimate.name.contains("weights");
        estimate.events >= 25 && !(weight && estimate.value * (estimate.events as f64) < 25.0)
    });
    compared
        .filter_map(|estimate| {
            let truth = truth(params, &estimate.name)?;
            Some((estimate.clone(), (estimate.value - truth) / estimate.standard_error))
        })
        .collect()
}

/// Of independent normal scores 0.27% are beyond 3; more than one in a hundred is a wrong estimator.
fn assert_recovered(scores: &[(Estimate, f64)], at_least: usize) {
    assert!(scores.len() >= at_least, "{} estimates are compared", scores.len());
    for (estimate, score) in scores {
        if std::env::var_os("SHOW").is_some() {
            eprintln!(
                "{:40} {:12.6} +- {:10.6} ({:7}) z {score:6.2}",
                estimate.name, estimate.value, estimate.standard_error, estimate.events
            );
        }
    }
    let beyond: Vec<_> = scores.iter().filter(|(_, score)| !(score.abs() <= 3.0)).collect();
    assert!(beyond.len() <= scores.len().div_ceil(100), "{beyond:#?}");
    let variance = scores.iter().map(|(_, score)| score * score).sum::<f64>() / scores.len() as f64;
    assert!((0.5..1.7).contains(&variance), "mean square of the scores: {variance}");
}

#[test]
fn the_noise_market_gives_its_parameters_back() {
    let params = live(FlowParams::noise());
    let market = FlowConfig::Noise(Box::new(params.clone()));
    let fit = estimate(&market, settings(WaitingTime::BeforeEffect), &watch(1, 60_000.0));
    assert_recovered(&scores(&fit, &params), 60);
    assert_eq!(fit.reaction, None, "noise does not react");
    fit.params.validate().unwrap();
}

#[test]
fn the_tactical_market_gives_gain_and_decay_back() {
    let params = live(FlowParams::tactical());
    let market = FlowConfig::Tactical(Box::new(params.clone()));
    let fit = estimate_closely(&market, settings(WaitingTime::BeforeEffect), &watch(2, 60_000.0));
    assert_recovered(&scores(&fit, &params), 60);
    let reaction = fit.reaction.unwrap();
    assert!(reaction.kinds.iter().all(|kind| kind.reacts && kind.likelihood_ratio > 100.0), "{reaction:?}");
    assert!(reaction.gain.standard_error < 0.05 && reaction.decay.standard_error < 0.05, "{reaction:?}");
}

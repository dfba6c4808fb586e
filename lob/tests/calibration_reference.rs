//! Events simulated from known parameters give them back, within their standard errors.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::{
    Estimate, ReferenceEstimator, ReferenceFit, ReferenceSettings, SimulationWatch, watch_simulation,
};
use lob::flow::{
    CancellationRule, FlowConfig, FlowParams, Imbalance, OpeningBook, Profile, SizeDistribution,
    StrategicMarket, StrategicParams, WaitingTime,
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
    let beyond: Vec<_> = scores.iter().filter(|(_, score)| score.abs() > 3.0 || score.is_nan()).collect();
    assert!(beyond.len() <= scores.len().div_ceil(100), "{beyond:#?}");
    let variance = scores.iter().map(|(_, score)| score * score).sum::<f64>() / scores.len() as f64;
    assert!((0.5..1.7).contains(&variance), "mean square of the scores: {variance}");
}

#[test]
fn sides_that_are_mirror_images_are_known_better_together() {
    let params = live(FlowParams::noise());
    let market = FlowConfig::Noise(Box::new(params.clone()));
    let apart = estimate(&market, settings(WaitingTime::BeforeEffect), &watch(5, 30_000.0));
    let mut pooled = apart.clone();
    pooled.pool_sides();
    assert_recovered(&scores(&pooled, &params), 60);
    let (limit, cancel) = (&pooled.params.limit_intensity, &pooled.params.cancel_intensity);
    assert_eq!((&limit.buy, &cancel.buy), (&limit.sell, &cancel.sell));
    assert_eq!(pooled.params.market_intensity.buy, pooled.params.market_intensity.sell);
    let shape = &pooled.params.opening.shape;
    assert_eq!(shape.bidv, shape.askv);
    let (mut shrunk, mut moved) = (0, 0);
    for (before, after) in apart.estimates.iter().zip(&pooled.estimates) {
        assert_eq!(before.name, after.name);
        if before.name.contains("intensity") && before.events >= 400 {
            let ratio = after.standard_error / before.standard_error;
            assert!((0.6..0.85).contains(&ratio), "{}: {ratio}", before.name);
            assert!(after.events > before.events);
            shrunk += 1;
            moved += u64::from(after.value != before.value);
        } else if before.name.starts_with("size") {
            assert_eq!(before, after);
        }
    }
    assert!(shrunk > 20 && moved > 20, "{shrunk} errors, {moved} values");
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

#[test]
fn the_strategic_market_gives_its_crowd_back_while_the_strategic_trader_is_told_apart() {
    let params = live(FlowParams::tactical());
    let trader = StrategicParams::reference();
    let market = FlowConfig::Strategic(Box::new(StrategicMarket { flow: params.clone(), trader }));
    // A cancellation that meets the strategic trader's lots only does nothing and leaves no trace: of cancellations, and of how they react, the
    // events say too little. Everything else is given back.
    let settings =
        ReferenceSettings { may_react: [true, true, false], ..settings(WaitingTime::BeforeEffect) };
    let fit = estimate_closely(&market, settings.clone(), &watch(3, 40_000.0));
    let mut scores = scores(&fit, &params);
    let (cancels, others): (Vec<_>, Vec<_>) =
        scores.drain(..).partition(|(estimate, _)| estimate.name.contains("cancel"));
    assert_recovered(&others, 35);
    assert!(cancels.iter().any(|(_, score)| *score < -20.0), "{cancels:#?}");
    // Where nobody can tell, its orders are taken for the crowd's: one market order in 3 s on one side.
    let all = SimulationWatch { crowd_only: false, ..watch(3, 40_000.0) };
    let fit = estimate(&market, settings, &all);
    let rate = |side: &str| {
        let name = format!("market_intensity.{side}");
        fit.estimates.iter().find(|estimate| estimate.name == name).unwrap().value
    };
    let more = rate("buy") + rate("sell") - 2.0 * params.scale * params.market_intensity.buy;
    assert!((0.2..0.4).contains(&more), "{more} market orders a second more");
}

#[test]
fn a_time_of_day_is_given_back() {
    let multipliers = [2.0, 0.5, 0.8, 0.7];
    let profile = Profile::PiecewiseConstant {
        period_seconds: 400.0,
        normalised: false,
        times: vec![0.0, 100.0, 200.0, 300.0],
        multipliers: multipliers.to_vec(),
    };
    let mut params =
        FlowParams { profile, waiting_time: WaitingTime::AfterEffect, ..live(FlowParams::noise()) };
    // Cancellations that take parts of several orders are one event each, whatever the rule.
    params.cancellation = CancellationRule::RandomOrder;
    // Time is counted from the first event.
    params.opening.lead_in_seconds = 0.0;
    let market = FlowConfig::Noise(Box::new(params.clone()));
    let settings = ReferenceSettings { profile: Some((400.0, 4)), ..settings(WaitingTime::AfterEffect) };
    let fit = estimate(&market, settings, &watch(4, 40_000.0));
    for (index, truth) in multipliers.into_iter().enumerate() {
        let name = format!("profile.piecewise_constant.multipliers[{index}]");
        let found = fit.estimates.iter().find(|estimate| estimate.name == name).unwrap();
        let score = (found.value - truth) / found.standard_error;
        assert!(score.abs() < 3.0 && found.standard_error < 0.02, "{found:?}: {score}");
    }
    assert_recovered(&scores(&fit, &params), 60);
    fit.params.validate().unwrap();
}

#[test]
fn standard_errors_are_of_the_right_size() {
    // The same market under many seeds: the scores of one parameter scatter as normal ones do.
    let params = FlowParams { waiting_time: WaitingTime::AfterEffect, ..live(FlowParams::noise()) };
    let market = FlowConfig::Noise(Box::new(params.clone()));
    let settings = ReferenceSettings { decays: Vec::new(), ..settings(WaitingTime::AfterEffect) };
    let mut of_name: std::collections::BTreeMap<String, Vec<f64>> = std::collections::BTreeMap::new();
    let seeds = 40;
    for seed in 0..seeds {
        let fit = estimate(&market, settings.clone(), &watch(100 + seed, 1_500.0));
        for (estimate, score) in scores(&fit, &params) {
            of_name.entry(estimate.name).or_default().push(score);
        }
    }
    let full = of_name.iter().filter(|(_, scores)| scores.len() == seeds as usize);
    let variances: Vec<(&str, f64)> = full
        .map(|(name, scores)| {
            (name.as_str(), scores.iter().map(|score| score * score).sum::<f64>() / seeds as f64)
        })
        .collect();
    assert!(variances.len() > 30, "{variances:?}");
    // A chi-square of 40 degrees of freedom over 40 lies within 0.43 and 1.87 but for one in a thousand.
    let outside: Vec<_> = variances.iter().filter(|(_, variance)| !(0.43..1.87).contains(variance)).collect();
    assert!(outside.len() <= 1, "{outside:?}");
    let mean = variances.iter().map(|(_, variance)| variance).sum::<f64>() / variances.len() as f64;
    assert!((0.85..1.15).contains(&mean), "mean square of all scores: {mean}");
}

#[test]
fn an_ignored_reaction_or_sizes_taken_at_face_value_are_noticed() {
    let params = live(FlowParams::tactical());
    let market = FlowConfig::Tactical(Box::new(params.clone()));
    let ignorant = ReferenceSettings { decays: Vec::new(), ..settings(WaitingTime::BeforeEffect) };
    let fit = estimate(&market, ignorant, &watch(2, 60_000.0));
    let worst = scores(&fit, &params).iter().map(|(_, score)| score.abs()).fold(0.0, f64::max);
    assert!(worst > 20.0, "{worst}");
    // What is cancelled is less than what was asked for: the mean of the former is not the latter's.
    struct Mean(f64, f64);
    impl lob::calibration::Observer for Mean {
        fn event(&mut self, _: lob::calibration::BookState<'_>, event: &lob::calibration::FlowEvent) {
            if event.kind == lob::calibration::FlowEventKind::Cancel {
                (self.0, self.1) = (self.0 + event.lots as f64, self.1 + 1.0);
            }
        }
        fn end(&mut self, _: lob::calibration::BookState<'_>, _: f64) {}
    }
    let mut mean = Mean(0.0, 0.0);
    watch_simulation(&market, &watch(2, 60_000.0), &mut [&mut mean]).unwrap();
    let short = params.size.cancel.mean().unwrap() - mean.0 / mean.1;
    let error =
        fit.estimates.iter().find(|estimate| estimate.name == "size.cancel.mean").unwrap().standard_error;
    assert!(short > 10.0 * error, "{short} +- {error}");
}

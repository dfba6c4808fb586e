//! Hawkes parameters come back from events that were simulated with them.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::{
    EventTimes, HawkesCalibrationSettings, HawkesEstimator, HawkesFit, HawkesSettings, HawkesTimes,
    SimulationWatch, watch_simulation,
};
use lob::flow::{
    CancelSize, EVENT_TYPE_NAMES, EVENT_TYPES, FlowConfig, HawkesFlow, HawkesParams, HawkesProcess, Profile,
};
use lob::sim::SimRng;
use rand::SeedableRng;

/// Plays `count` events from a time at which the process has forgotten that it began.
fn simulate(params: &HawkesParams, count: usize, seed: u64) -> EventTimes {
    let mut process = HawkesProcess::new(params).unwrap();
    let mut rng = SimRng::seed_from_u64(seed);
    let mut times = EventTimes::new();
    let mut now = 0.0;
    times.begin(now);
    while times.len() < count {
        let (wait, kind) = process.step(now, &mut rng);
        now += wait;
        times.push(now, kind);
    }
    times.finish(now);
    times
}

fn fit(times: &EventTimes, profile: &Profile) -> HawkesFit {
    let settings = HawkesSettings { profile: profile.clone(), ..HawkesSettings::default() };
    HawkesFit::new(times, &settings, &mut |_| {}).unwrap()
}

/// Estimate, standard error and truth of all 48 numbers, with their names.
fn all(fit: &HawkesFit, truth: &HawkesParams) -> Vec<(String, f64, Option<f64>, f64)> {
    let HawkesTimes { baseline, excitation, decay } = &fit.value;
    let se = &fit.standard_error;
    let mut rows = Vec::new();
    for (i, name) in EVENT_TYPE_NAMES.iter().enumerate() {
        rows.push((format!("baseline {name}"), baseline[i], se.baseline[i], truth.baseline[i]));
        rows.push((format!("decay {name}"), decay[i], se.decay[i], truth.decay[i]));
        for (j, source) in EVENT_TYPE_NAMES.iter().enumerate() {
            let name = format!("excitation {name} {source}");
            rows.push((name, excitation[i][j], se.excitation[i][j], truth.excitation[i][j]));
        }
    }
    rows
}

/// Everything above 0 and well told apart.
fn dense() -> HawkesParams {
    HawkesParams {
        baseline: [0.4, 0.5, 0.8, 0.9, 0.7, 0.6],
        excitation: [
            [0.8, 0.3, 0.2, 0.3, 0.25, 0.3],
            [0.3, 0.9, 0.25, 0.2, 0.3, 0.25],
            [0.7, 0.4, 0.8, 0.3, 0.5, 0.3],
            [0.4, 0.7, 0.3, 0.7, 0.3, 0.5],
            [0.4, 0.6, 0.5, 0.3, 0.6, 0.3],
            [0.6, 0.4, 0.3, 0.5, 0.3, 0.7],
        ],
        decay: [3.0, 4.0, 5.0, 3.5, 4.5, 6.0],
        ..HawkesParams::reference()
    }
}

#[test]
fn the_default_markets_parameters_come_back() {
    let params = HawkesParams::reference();
    let times = simulate(&params, 200_000, 1);
    let fit = fit(&times, &Profile::Flat);
    assert!(fit.converged);
    let mut at_zero = 0;
    for (name, value, error, truth) in all(&fit, &params) {
        match error {
            Some(error) => {
                let z = (value - truth) / error;
                assert!(z.abs() < 3.0, "{name}: {value} +- {error} for {truth}");
            }
            // What is told to be at the boundary must be close to it.
            None => {
                at_zero += 1;
                assert!(value == 0.0 && truth < 0.05, "{name}: {value} for {truth}");
            }
        }
    }
    assert!(at_zero <= 8, "{at_zero}: of the four that are 0 about half are estimated there");
    let (radius, error) = (fit.spectral_radius, fit.spectral_radius_error.unwrap());
    assert!((radius - params.spectral_radius()).abs() < 3.0 * error && error < 0.02, "{radius} +- {error}");
    for (kind, residuals) in fit.residuals.iter().enumerate() {
        assert!(residuals.p_value.unwrap() > 0.001, "{}: {residuals:?}", EVENT_TYPE_NAMES[kind]);
        assert!((residuals.mean.unwrap() - 1.0).abs() < 0.01, "{residuals:?}");
    }
    assert!(fit.log_likelihood > fit.poisson_log_likelihood + 1_000.0);
}

#[test]
fn standard_errors_are_those_of_repeated_estimation() {
    let params = dense();
    let runs = 12;
    let mut squares = [0.0; 3];
    let mut counts = [0.0; 3];
    let mut sum = 0.0;
    for seed in 0..runs {
        let fit = fit(&simulate(&params, 20_000, 100 + seed), &Profile::Flat);
        for (name, value, error, truth) in all(&fit, &params) {
            let Some(error) = error else { continue };
            let kind =
                ["baseline", "excitation", "decay"].iter().position(|kind| name.starts_with(kind)).unwrap();
            let z = (value - truth) / error;
            squares[kind] += z * z;
            counts[kind] += 1.0;
            sum += z;
        }
    }
    let total: f64 = counts.iter().sum();
    assert!(total > 0.98 * 48.0 * f64::from(runs as u32), "{total} of them have standard errors");
    for kind in 0..3 {
        let variance = squares[kind] / counts[kind];
        // Of 72 normal numbers it is 1 +- 0.17.
        assert!((0.55..1.5).contains(&variance), "kind {kind}: {variance}");
    }
    assert!((sum / total).abs() < 0.1, "{}", sum / total);
}

#[test]
fn a_profile_that_is_given_leaves_the_parameters_alone() {
    let profile = Profile::PiecewiseConstant {
        period_seconds: 400.0,
        normalised: false,
        times: vec![0.0, 150.0, 300.0],
        multipliers: vec![0.4, 1.0, 2.2],
    };
    let params = HawkesParams { profile: profile.clone(), ..dense() };
    let times = simulate(&params, 40_000, 5);
    let with = fit(&times, &profile);
    for (name, value, error, truth) in all(&with, &params) {
        if let Some(error) = error {
            assert!((value - truth).abs() < 3.0 * error, "{name}: {value} +- {error} for {truth}");
        }
    }
    let without = fit(&times, &Profile::Flat);
    assert!(with.log_likelihood > without.log_likelihood + 100.0);
    let worst = |fit: &HawkesFit| fit.residuals.iter().filter_map(|r| r.ks).fold(0.0, f64::max);
    assert!(worst(&with) < worst(&without));
}

#[test]
fn gaps_cost_information_and_nothing_else() {
    let params = dense();
    let whole = simulate(&params, 60_000, 9);
    // Every third stretch of 40 s is not seen.
    let mut process = HawkesProcess::new(&params).unwrap();
    let mut rng = SimRng::seed_from_u64(9);
    let mut times = EventTimes::new();
    let (mut now, mut block) = (0.0, None);
    for _ in 0..60_000 {
        let (wait, kind) = process.step(now, &mut rng);
        now += wait;
        let here = (now / 40.0) as u64;
        if block != Some(here) {
            if block.is_some_and(|block| block % 3 != 2) {
                times.finish((block.unwrap() + 1) as f64 * 40.0);
                times.leave();
            }
            if here % 3 != 2 {
                times.begin(here as f64 * 40.0);
            }
            block = Some(here);
        }
        if here % 3 != 2 {
            times.push(now, kind);
        }
    }
    assert!((times.seconds() / whole.seconds() - 2.0 / 3.0).abs() < 0.02);
    let fit = fit(&times, &Profile::Flat);
    let z: Vec<f64> = all(&fit, &params)
        .into_iter()
        .filter_map(|(_, value, error, truth)| Some((value - truth) / error?))
        .collect();
    let variance = z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64;
    assert!(z.len() > 44 && variance < 2.0, "{variance} {z:?}");
}

#[test]
fn poisson_events_excite_nothing() {
    let params = HawkesParams { excitation: [[0.0; EVENT_TYPES]; EVENT_TYPES], ..HawkesParams::reference() };
    let fit = fit(&simulate(&params, 30_000, 4), &Profile::Flat);
    // 42 parameters more gain about half a nat each by chance.
    let gain = fit.log_likelihood - fit.poisson_log_likelihood;
    assert!((0.0..42.0).contains(&gain), "{gain}");
}

#[test]
fn too_few_events_and_senseless_settings_are_refused() {
    let times = simulate(&HawkesParams::reference(), 50, 1);
    let error = HawkesFit::new(&times, &HawkesSettings::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "events is 50; legal: at least 100 over some time");
    let settings = HawkesSettings { max_decay: 1e-4, ..HawkesSettings::default() };
    let error = HawkesFit::new(&times, &settings, &mut |_| {}).unwrap_err();
    assert_eq!(error.key, "max_decay");
}

#[test]
fn a_whole_flow_comes_back_from_its_market() {
    let truth = HawkesParams::reference();
    let market = FlowConfig::Hawkes(Box::new(truth.clone()));
    let watch = SimulationWatch { seed: 3, seconds: 12_000.0, burn_in: 500.0, levels: 30, crowd_only: true };
    let mut estimator = HawkesEstimator::new(HawkesCalibrationSettings::default()).unwrap();
    watch_simulation(&market, &watch, &mut [&mut estimator]).unwrap();
    let found = estimator.fit(&mut |_| {}).unwrap();
    found.params.validate().unwrap();
    assert_eq!((found.scaled_from, found.nothing_there), (None, 0));
    let z = |value: f64, error: f64, truth: f64| (value - truth) / error;
    for (name, value, error, truth) in all(&found.times, &truth) {
        let Some(error) = error else { continue };
        assert!(z(value, error, truth).abs() < 3.0, "{name}: {value} +- {error} for {truth}");
    }
    // Distances: normalised weights. Rare ones are too few for a normal error.
    let lists = [
        ("limit_distance.buy", &truth.limit_distance.buy, &found.params.limit_distance.buy),
        ("limit_distance.sell", &truth.limit_distance.sell, &found.params.limit_distance.sell),
        ("cancel_distance.buy", &truth.cancel_distance.buy, &found.params.cancel_distance.buy),
        ("cancel_distance.sell", &truth.cancel_distance.sell, &found.params.cancel_distance.sell),
    ];
    let mut squares = Vec::new();
    for (name, truth, found_list) in lists {
        let total: f64 = truth.iter().sum();
        let errors = &found.errors[&format!("hawkes.{name}")];
        for (k, (&value, &error)) in found_list.iter().zip(errors).enumerate().take(11) {
            let z = z(value, error, truth[k] / total);
            assert!(z.abs() < 3.0, "{name}[{k}]: {value} +- {error} for {}", truth[k] / total);
            squares.push(z * z);
        }
    }
    let variance = squares.iter().sum::<f64>() / squares.len() as f64;
    assert!((0.4..1.8).contains(&variance), "{variance}");
    let CancelSize::Share(share) = found.params.cancel_size else { panic!("a share") };
    let error = found.errors["hawkes.cancel_size.share"][0];
    assert!(z(share, error, 0.2).abs() < 3.0 && error < 0.005, "{share} +- {error}");
    for (name, size) in [("market_size", &found.params.market_size), ("limit_size", &found.params.limit_size)]
    {
        let row = found.estimates.iter().find(|row| row.name.starts_with(&format!("hawkes.{name}"))).unwrap();
        let mean = truth.market_size.mean().unwrap();
        assert!((size.mean().unwrap() - row.value).abs() < 1e-9);
        assert!(z(row.value, row.standard_error, mean).abs() < 3.0, "{name}: {row:?} for {mean}");
    }
    // What was found makes a market that plays.
    HawkesFlow::new(&found.params).unwrap();
}

//! Events simulated from a queue-reactive market give its tables back, within their standard errors.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::{
    QueueReactiveEstimator, QueueReactiveFit, QueueReactiveSettings, SimulationWatch, watch_queue_reactive,
};
use lob::flow::QueueReactiveParams;

fn estimate(
    params: &QueueReactiveParams,
    unit_lots: Option<Vec<u64>>,
    seed: u64,
    seconds: f64,
) -> QueueReactiveFit {
    let settings = QueueReactiveSettings { queues: params.queues(), unit_lots };
    let mut estimator = QueueReactiveEstimator::new(settings).unwrap();
    let watch = SimulationWatch { seed, seconds, burn_in: 100.0, levels: 60, crowd_only: true };
    watch_queue_reactive(params, &watch, &mut estimator, &mut []).unwrap();
    estimator.fit().unwrap()
}

/// Distances from the truth in standard errors, of all entries but the last of each table, which stands for all larger sizes.
fn scores(fit: &QueueReactiveFit, params: &QueueReactiveParams) -> Vec<(String, f64)> {
    let mut scores = Vec::new();
    let at = |table: &[f64], n: usize| table.get(n).or(table.last()).copied().unwrap();
    let second = &params.second_if_first_empty;
    for (index, estimate) in fit.estimates.iter().enumerate() {
        let numbers: Vec<usize> =
            estimate.name.split(['[', ']']).filter_map(|part| part.parse().ok()).collect();
        let key = estimate.name.split('[').next().unwrap();
        let is_last = fit
            .estimates
            .get(index + 1)
            .is_none_or(|next| next.name.ends_with("[0]") || !next.name.ends_with(']'));
        let truth = match (key, numbers[..].len()) {
            ("reference_price.theta", _) => params.reference_price.theta,
            ("reference_price.theta_reinit", _) => params.reference_price.theta_reinit,
            ("limit", 2) => at(&params.limit[numbers[0]], numbers[1]),
            ("cancel", 2) => at(&params.cancel[numbers[0]], numbers[1]),
            ("market", 2) => at(&params.market[numbers[0]], numbers[1]),
            ("second_if_first_empty.limit", 1) => at(&second.limit, numbers[0]),
            ("second_if_first_empty.cancel", 1) => at(&second.cancel, numbers[0]),
            ("second_if_first_empty.market", 1) => at(&second.market, numbers[0]),
            other => panic!("an estimate of nothing known: {other:?}"),
        };
        if estimate.events >= 25 && (!is_last || numbers.is_empty()) {
            scores.push((estimate.name.clone(), (estimate.value - truth) / estimate.standard_error));
        }
    }
    scores
}

#[test]
fn the_queue_reactive_market_gives_its_tables_back() {
    let params = QueueReactiveParams::reference();
    let fit = estimate(&params, Some(params.unit_lots.clone()), 7, 60_000.0);
    let scores = scores(&fit, &params);
    assert!(scores.len() > 150, "{} entries are compared", scores.len());
    let beyond: Vec<_> = scores.iter().filter(|(_, score)| score.abs() > 3.0 || score.is_nan()).collect();
    // 0.27% are expected.
    assert!(beyond.len() <= 2, "{beyond:?}");
    let variance = scores.iter().map(|(_, score)| score * score).sum::<f64>() / scores.len() as f64;
    assert!((0.75..1.3).contains(&variance), "mean square of the scores: {variance}");
    fit.params.validate().unwrap();
}

#[test]
fn a_wrong_unit_is_not_taken_for_the_right_one() {
    let params = QueueReactiveParams::reference();
    let fit = estimate(&params, Some(vec![6; 5]), 7, 20_000.0);
    let scores = scores(&fit, &params);
    let variance = scores.iter().map(|(_, score)| score * score).sum::<f64>() / scores.len() as f64;
    assert!(variance > 10.0, "mean square of the scores: {variance}");
}

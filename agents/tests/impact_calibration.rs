//! Fitted impact models against meta-orders they were not fitted to.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use agents::impact::{CalibrationError, Family, Settings, calibrate, measure, predict};
use lob::flow::MarketConfig;
use lob::models::ImpactConfig;
use lob::sim::{Latency, LatencyConfig};

fn small() -> Settings {
    Settings {
        sizes: vec![5, 20, 60],
        rates: vec![0.5, 2.0],
        sessions: 200,
        threads: 2,
        seed: 11,
        ..Settings::default()
    }
}

fn no_latency() -> Latency {
    LatencyConfig::default().compile("").unwrap()
}

fn flow() -> MarketConfig {
    MarketConfig::preset("flow").unwrap()
}

#[test]
fn a_fitted_model_prices_fresh_meta_orders() {
    let running = AtomicBool::new(false);
    let calibration =
        calibrate("flow", &flow().flow, &no_latency(), &small(), None, &running, &|_| {}).unwrap();
    let best = calibration.best();
    assert_eq!(calibration.fits.len(), Family::ALL.len());
    // 15 to 35 lots at 1 lot/s: neither sizes nor the rate nor the sessions are the fitted ones.
    assert_eq!(calibration.fresh.iter().map(|cell| cell.lots).collect::<Vec<_>>(), [10, 35]);
    for cell in &calibration.fresh {
        let off = (cell.cost_model - cell.cost_ticks).abs();
        assert!(off < 0.08 * cell.cost_ticks + 3.0 * cell.cost_se, "{cell:?}");
        for look in &cell.relaxation {
            assert!((look.model - look.ticks).abs() < 0.2 + 4.0 * look.standard_error, "{cell:?}");
        }
    }
    // A model that knows nothing of the impact would not pass.
    let temporary = calibration.fits.iter().find(|fit| fit.family == "temporary").unwrap();
    assert!(best.fresh_displacement_rms < 0.5 * temporary.fresh_displacement_rms, "{best:?} {temporary:?}");
    // Costs grow with the size and the rate, and the mid comes back.
    assert!(
        calibration
            .cells
            .windows(2)
            .all(|pair| pair[0].rate < pair[1].rate || pair[0].cost_ticks < pair[1].cost_ticks)
    );
    let last = calibration.cells.last().unwrap();
    assert!(
        last.relaxation[0].ticks > 1.0 && last.relaxation[7].ticks < 0.6 * last.relaxation[0].ticks,
        "{last:?}"
    );
}

#[test]
fn the_shipped_model_prices_its_market() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/impact/flow.yaml");
    let config = ImpactConfig::from_yaml(file).unwrap();
    let settings = Settings { sizes: vec![8, 30, 70], rates: vec![0.4, 1.5], seed: 977, ..small() };
    let measured = measure(&flow().flow, &no_latency(), &settings, &AtomicBool::new(false), &|_| {}).unwrap();
    let predicted = predict(&config, &measured, &measured.conditions).unwrap();
    let sessions = measured.observations.len() as f64;
    for (index, cell) in measured.cells.iter().enumerate() {
        let at = index * measured.stride();
        let values: Vec<f64> = measured.observations.iter().map(|values| values[at]).collect();
        let (mean, deviation) = agents::statistics::mean_and_deviation(&values);
        let allowed = 0.08 * mean + 3.0 * deviation / sessions.sqrt();
        assert!(
            (predicted[at] - mean).abs() < allowed,
            "{cell:?}: {} for {mean} +- {allowed}",
            predicted[at]
        );
    }
}

#[test]
fn measurements_are_the_same_for_any_number_of_threads() {
    let measured = |threads| {
        let settings = Settings { sessions: 40, threads, ..small() };
        measure(&flow().flow, &no_latency(), &settings, &AtomicBool::new(false), &|_| {}).unwrap()
    };
    assert!(measured(1) == measured(3));
}

#[test]
fn a_book_that_runs_dry_is_an_error() {
    let settings = Settings { sizes: vec![5, 5_000], rates: vec![1e4], sessions: 2, ..small() };
    let result = measure(&flow().flow, &no_latency(), &settings, &AtomicBool::new(false), &|_| {});
    assert!(matches!(result, Err(CalibrationError::Dry { lots: 5_000, .. })), "{result:?}");
    let stopped = measure(&flow().flow, &no_latency(), &small(), &AtomicBool::new(true), &|_| {});
    assert!(matches!(stopped, Err(CalibrationError::Stopped)));
}

//! A calibration: measurement, fits, and the test on fresh meta-orders.

use std::sync::atomic::AtomicBool;

use lob::flow::FlowConfig;
use lob::models::ImpactConfig;
use lob::models::impact::Conditions;
use lob::sim::Latency;
use serde::Serialize;

use super::fit::{objective, points};
use super::{CalibrationError, Family, Fit, Measured, Settings, fit, measure, predict};

/// A parameter with its standard error over sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its key in the configuration.
    pub name: &'static str,
    /// The estimate.
    pub value: f64,
    /// Its standard error; NaN (`null` in JSON) if it is not determined or at an end of its range.
    pub standard_error: f64,
}

/// A look at the mid after a meta-order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointReport {
    /// Time since its end, in seconds.
    pub seconds: f64,
    /// Mean displacement in its direction, in ticks.
    pub ticks: f64,
    /// Standard error.
    pub standard_error: f64,
    /// What the chosen model says.
    pub model: f64,
}

/// A kind of meta-order: what it cost, and what it left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellReport {
    /// Size in lots.
    pub lots: u64,
    /// Rate in lots a second.
    pub rate: f64,
    /// Mean cost against the mid of the session without it, in ticks a lot.
    pub cost_ticks: f64,
    /// Its standard error.
    pub cost_se: f64,
    /// What the chosen model says.
    pub cost_model: f64,
    /// The mid afterwards.
    pub relaxation: Vec<PointReport>,
}

/// How well a family does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitReport {
    /// Name of the family.
    pub family: &'static str,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The model, as an environment takes it.
    pub config: ImpactConfig,
    /// The weighted mean square that was minimised ([`Fit::objective`]).
    pub objective: f64,
    /// The same on the fresh meta-orders.
    pub fresh_objective: f64,
    /// Root mean square error of the costs of fresh meta-orders, in ticks a lot.
    pub fresh_cost_rms: f64,
    /// Largest of these errors relative to the cost.
    pub fresh_cost_worst: f64,
    /// Root mean square error of the displacements after fresh meta-orders, in ticks.
    pub fresh_displacement_rms: f64,
}

/// Everything that a calibration found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Version of this schema.
    pub schema_version: u32,
    /// Name of the market.
    pub market: String,
    /// Seed of the sessions.
    pub seed: u64,
    /// Sessions of each meta-order, and as many fresh ones.
    pub sessions: usize,
    /// When meta-orders began, in seconds.
    pub warm_up_seconds: f64,
    /// Over which time the volatility was measured, in seconds.
    pub volatility_lag_seconds: f64,
    /// The market without meta-orders: mean mid in ticks, relative volatility of a second, lots a second.
    pub conditions: Conditions,
    /// The families, best first.
    pub fits: Vec<FitReport>,
    /// The family that was chosen.
    pub chosen: &'static str,
    /// The meta-orders that the models were fitted to.
    pub cells: Vec<CellReport>,
    /// Those that they were not: other sizes, rates and sessions.
    pub fresh: Vec<CellReport>,
}

impl Calibration {
    /// The chosen fit.
    pub fn best(&self) -> &FitReport {
        self.fits.iter().find(|fit| fit.family == self.chosen).unwrap_or(&self.fits[0])
    }
}

fn rows(measured: &Measured, predicted: &[f64]) -> Vec<CellReport> {
    let (stride, points) = (measured.stride(), points(measured));
    let row = |(index, cell): (usize, &super::Cell)| {
        let at = index * stride;
        let look = |(after, &seconds): (usize, &f64)| {
            let point = points[at + 1 + after];
            let model = predicted[at + 1 + after];
            PointReport { seconds, ticks: point.mean, standard_error: point.error, model }
        };
        CellReport {
            lots: cell.lots,
            rate: cell.rate,
            cost_ticks: points[at].mean,
            cost_se: points[at].error,
            cost_model: predicted[at],
            relaxation: measured.relaxation_seconds.iter().enumerate().map(look).collect(),
        }
    };
    measured.cells.iter().enumerate().map(row).collect()
}

fn assess(fit: &Fit, measured: &Measured, fresh: &Measured) -> Result<FitReport, CalibrationError> {
    // The fresh sessions' own conditions are not used: a user has those of the calibration.
    let predicted = predict(&fit.config, fresh, &measured.conditions)?;
    let points = points(fresh);
    let stride = fresh.stride();
    let errors = |is_cost: bool| {
        let pairs = points.iter().zip(&predicted).enumerate();
        pairs
            .filter(move |(index, _)| index.is_multiple_of(stride) == is_cost)
            .map(|(_, (point, predicted))| (predicted - point.mean, point.mean))
    };
    let rms = |is_cost: bool| {
        let (squares, count) =
            errors(is_cost).fold((0.0, 0.0), |(sum, n), (error, _)| (sum + error * error, n + 1.0));
        f64::sqrt(squares / count)
    };
    let parameters = fit.family.parameters().iter().zip(&fit.values).zip(&fit.errors);
    Ok(FitReport {
        family: fit.family.name(),
        parameters: parameters
            .map(|((&name, &value), &standard_error)| Parameter { name, value, standard_error })
            .collect(),
        config: fit.config.clone(),
        objective: fit.objective,
        fresh_objective: objective(&points, &predicted),
        fresh_cost_rms: rms(true),
        fresh_cost_worst: errors(true).map(|(error, cost)| (error / cost).abs()).fold(0.0, f64::max),
        fresh_displacement_rms: rms(false),
    })
}

/// What a further parameter has to improve the objective by, as a share, lest the simpler family is preferred.
const WORTH: f64 = 0.01;

/// Measures a market's impact, fits all families and holds them against fresh meta-orders. The family with the least objective on the
/// meta-orders it was fitted to is chosen, where a parameter more has to improve it by 1%, unless `family` says which. `progress` is told how many sessions have been finished since it
/// was last told; there are twice [`Settings::sessions`].
///
/// # Errors
/// As [`measure`].
pub fn calibrate(
    name: &str,
    market: &FlowConfig,
    latency: &Latency,
    settings: &Settings,
    family: Option<Family>,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Calibration, CalibrationError> {
    settings.validate_for_fit()?;
    let measured = measure(market, latency, settings, stop, progress)?;
    let fresh = measure(market, latency, &settings.fresh(), stop, progress)?;
    let mut fits =
        Family::ALL.into_iter().map(|family| fit(family, &measured)).collect::<Result<Vec<_>, _>>()?;
    let merit = |fit: &Fit| fit.objective * (1.0 + WORTH * fit.values.len() as f64);
    fits.sort_by(|one, other| merit(one).total_cmp(&merit(other)));
    let chosen = family.and_then(|family| fits.iter().find(|fit| fit.family == family)).unwrap_or(&fits[0]);
    let conditions = measured.conditions;
    Ok(Calibration {
        schema_version: 1,
        market: name.to_owned(),
        seed: settings.seed,
        sessions: settings.sessions,
        warm_up_seconds: settings.warm_up_seconds,
        volatility_lag_seconds: settings.volatility_lag_seconds,
        conditions,
        chosen: chosen.family.name(),
        cells: rows(&measured, &predict(&chosen.config, &measured, &conditions)?),
        fresh: rows(&fresh, &predict(&chosen.config, &fresh, &conditions)?),
        fits: fits.iter().map(|fit| assess(fit, &measured, &fresh)).collect::<Result<_, _>>()?,
    })
}

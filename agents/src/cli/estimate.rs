//! `lobgym estimate`: what an order is expected to cost before it is traded.

use std::path::PathBuf;

use clap::Args;
use gym::Settings;
use lob::models::{Conditions, ImpactConfig};
use serde::Serialize;
use serde_json::Value;

use super::Failure;
use super::output::{self, JsonTarget};
use crate::impact::{CalibrationError, Estimate, Parent, Trajectory, estimate};
use crate::report::plain_table;

/// The measured impact of the market `flow`.
const FLOW: &str = include_str!("../../../config/impact/flow.yaml");

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The impact model, as calibrate-impact writes it [default: that of the market flow, which comes with the program]
    #[arg(long, value_name = "FILE.yaml")]
    impact: Option<PathBuf>,
    /// The order: above 0 buys, below sells
    #[arg(long, value_name = "LOTS", default_value_t = 60.0, allow_negative_numbers = true)]
    lots: f64,
    /// Its time, s
    #[arg(long, value_name = "SECONDS", default_value_t = 150.0)]
    seconds: f64,
    /// Equal parts of the time, with a slice each
    #[arg(long, default_value_t = 10)]
    slices: u64,
    /// Urgencies of Almgren and Chriss's trajectories, 1 / s
    #[arg(long, value_name = "KAPPA,...", value_delimiter = ',', default_values_t = [0.01, 0.03])]
    urgency: Vec<f64>,
    /// The price, ticks (or money) a lot
    #[arg(long, default_value_t = 1000.52)]
    price: f64,
    /// Standard deviation of the price's relative change in a second
    #[arg(long, default_value_t = 2.6075e-4)]
    volatility: f64,
    /// What others trade in a second, lots
    #[arg(long, default_value_t = 0.6724)]
    volume: f64,
    /// Write the estimates as JSON (docs/impact.md); - is standard output, and the table then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// What is written as JSON.
#[derive(Debug, Serialize)]
struct Found {
    schema_version: u32,
    impact: ImpactConfig,
    conditions: Conditions,
    lots: f64,
    seconds: f64,
    slices: u64,
    estimates: Vec<Estimate>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let impact = match &arguments.impact {
        Some(path) => ImpactConfig::from_yaml(path).map_err(CalibrationError::from)?,
        None => {
            let root = Settings::from_yaml(FLOW, "config/impact/flow.yaml")?.root().clone();
            serde_json::from_value(Value::Object(root))?
        }
    };
    let conditions = Conditions::new(arguments.price, arguments.volatility, arguments.volume)?;
    let model = impact.model()?;
    let parent = Parent { quantity: arguments.lots, seconds: arguments.seconds, slices: arguments.slices };
    let urgent = arguments.urgency.iter().map(|&kappa| Trajectory::AlmgrenChriss { kappa });
    let trajectories: Vec<Trajectory> =
        [Trajectory::Even].into_iter().chain(urgent).chain([Trajectory::Immediate]).collect();
    let estimates = estimate(&model, &conditions, &parent, &trajectories)?;
    let text = format!(
        "{} {} lots in {} s, {} slices, {:.1}% of what others trade; basis points of the price, the last column in price x lots\n{}",
        if parent.quantity > 0.0 { "buy" } else { "sell" },
        parent.quantity.abs(),
        parent.seconds,
        parent.slices,
        100.0 * parent.quantity.abs() / (parent.seconds * conditions.volume()),
        table(&estimates, parent.quantity.abs() * conditions.price()),
    );
    let found = Found {
        schema_version: 1,
        impact,
        conditions,
        lots: parent.quantity,
        seconds: parent.seconds,
        slices: parent.slices,
        estimates,
    };
    output::report(&text, &found, arguments.json.as_ref())
}

fn table(estimates: &[Estimate], notional: f64) -> String {
    let points = |fraction: f64| format!("{:.2}", 1e4 * fraction);
    let rows = estimates.iter().map(|one| {
        let parts = [one.half_spread, one.temporary, one.displaced, one.cost, one.risk, one.left_behind];
        let mut row = vec![one.name.clone()];
        row.extend(parts.map(points));
        row.push(format!("{:.1}", one.cost * notional));
        row
    });
    let header =
        ["trajectory", "half-spread", "temporary", "displaced", "cost", "risk", "left behind", "cost in all"];
    plain_table(&header, 1, rows.collect())
}

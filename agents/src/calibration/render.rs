//! A calibration as text.

use std::fmt::Write as _;

use lob::calibration::Estimate;

use super::Calibrated;
use crate::report::plain_table;

/// Rows of an array that are printed.
const SHOWN: usize = 12;

/// The tables that `lobgym calibrate` prints.
pub fn render(calibrated: &Calibrated) -> String {
    let mut text = data(calibrated);
    text += &estimates(calibrated);
    if let Some(kinds) = &calibrated.kinds {
        let rows = kinds.iter().map(|kind| {
            vec![
                kind.kind.to_owned(),
                with_error(kind.gain, kind.standard_error),
                format!("{:.1}", kind.likelihood_ratio),
                if kind.reacts { "yes" } else { "no" }.to_owned(),
            ]
        });
        let header = ["imbalance: kind", "gain alone", "likelihood ratio", "reacts"];
        text += &format!("\n{}", plain_table(&header, 1, rows.collect()));
    }
    let rows = calibrated.comparison.iter().map(|row| {
        vec![
            row.name.to_owned(),
            format!("{:.4}", row.real),
            format!("{:.4}", row.simulated),
            format!("{:+.1}%", 100.0 * row.difference()),
            format!("{:.0}%", 100.0 * row.allowed),
            if row.is_met() { "met" } else { "MISSED" }.to_owned(),
        ]
    });
    let header = ["in ticks of the model", "data", "simulated", "difference", "allowed", ""];
    text + &format!(
        "\nSimulated for {:.0} s\n{}",
        calibrated.simulated_seconds,
        plain_table(&header, 1, rows.collect())
    )
}

fn data(calibrated: &Calibrated) -> String {
    let (source, choice, tally) = (&calibrated.source, &calibrated.choice, &calibrated.tally);
    let mut text = format!(
        "{}: {} {}, {} from {} s to {:.3} s, {:.1} s of it valid\n",
        source.file,
        source.format,
        source.symbol,
        source.dates,
        source.from,
        source.until,
        tally.valid_seconds
    );
    let _ = writeln!(
        text,
        "tick {} = {} instrument ticks (mean spread {:.2} ticks), lot {} = {} instrument lots (median market order {:.0}, limit order {:.0}), {} levels",
        source.model_tick,
        choice.grid.ticks,
        choice.mean_spread,
        source.model_lot,
        choice.grid.lot,
        choice.median_lots[0],
        choice.median_lots[1],
        choice.grid.levels
    );
    let [market, limit, cancel] = tally.shown.map(|[buy, sell]| buy + sell);
    let _ = writeln!(
        text,
        "{market} market orders, {limit} limit orders, {cancel} cancellations; beyond the window {} and {}; {} while stale or crossed",
        tally.beyond[0], tally.beyond[1], tally.invalid
    );
    if source.damaged > 0 {
        let _ = writeln!(text, "{} damaged records were passed over", source.damaged);
    }
    text
}

/// A number and its error, to the error's second digit.
fn with_error(value: f64, error: f64) -> String {
    if !(error > 0.0 && error.is_finite()) {
        return format!("{value:.4e}");
    }
    let decimals = (1.0 - error.log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{value:.decimals$} +- {error:.decimals$}")
}

fn estimates(calibrated: &Calibrated) -> String {
    // One row an index for the four arrays by distance.
    let by_name = |name: &str| calibrated.estimates.iter().find(|estimate| estimate.name == name);
    let cell = |estimate: Option<&Estimate>| {
        estimate.map_or_else(String::new, |estimate| with_error(estimate.value, estimate.standard_error))
    };
    let mut rows = Vec::new();
    for estimate in calibrated.estimates.iter().filter(|estimate| !estimate.name.contains('[')) {
        rows.push(vec![estimate.name.clone(), cell(Some(estimate)), estimate.events.to_string()]);
    }
    let mut text =
        format!("\n{}", plain_table(&["parameter", "estimate +- standard error", "events"], 1, rows));
    let keys = [
        "limit_intensity.buy",
        "limit_intensity.sell",
        "cancel_intensity.buy",
        "cancel_intensity.sell",
        "bidv",
        "askv",
    ];
    let levels = calibrated.choice.grid.levels;
    let rows = (0..levels.min(SHOWN)).map(|k| {
        let cells = keys.iter().map(|key| cell(by_name(&format!("{key}[{k}]"))));
        std::iter::once((k + 1).to_string()).chain(cells).collect()
    });
    let header = [
        "distance",
        "limit bids/s",
        "limit asks/s",
        "bid cancels/(s lot)",
        "ask cancels/(s lot)",
        "bids, lots",
        "asks, lots",
    ];
    text += &format!("\n{}", plain_table(&header, 0, rows.collect()));
    if levels > SHOWN {
        let _ = writeln!(text, "... and {} levels more: in the file and the JSON", levels - SHOWN);
    }
    text
}

//! The report of a calibration: a page for a browser, JSON for programs and a table for a terminal.

use std::io;
use std::path::Path;

use lob::calibration::{ComparisonRow, Estimate, HawkesFit, MarketComparison, MarketStatistics};
use lob::flow::{EVENT_TYPE_NAMES, Provenance};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::figure::{REAL, SIMULATED, figures};
use crate::report::{fixed, grouped, head, plain_table};

/// Estimates of one flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EstimateTable {
    /// The flow.
    pub flow: String,
    /// Its estimates.
    pub rows: Vec<Estimate>,
}

/// A simulated market beside the real one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// The flow, or what else tells it from others.
    pub name: String,
    /// What it looks like.
    pub statistics: MarketStatistics,
    /// How that compares: [`compare`](lob::calibration::compare).
    pub comparison: MarketComparison,
}

/// Everything that a report shows; serializes to its JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// Version of this schema: 1.
    pub schema_version: u32,
    /// What was calibrated to what.
    pub title: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The real market.
    pub real: MarketStatistics,
    /// The models, in the order in which they are shown.
    pub models: Vec<Model>,
    /// Their parameters.
    pub estimates: Vec<EstimateTable>,
    /// The fit of a Hawkes flow's times, if there is one.
    pub hawkes: Option<HawkesFit>,
}

/// Writes the page and the JSON, each if there is a path for it, whole or not at all.
///
/// # Errors
/// What the system says.
pub fn write_report(report: &CalibrationReport, html: Option<&Path>, json: Option<&Path>) -> io::Result<()> {
    if let Some(path) = html {
        crate::write_text(path, &report_html(report))?;
    }
    if let Some(path) = json {
        crate::write_text(path, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    Ok(())
}

/// The verdicts as plain text, a table a model.
pub fn verdict_table(report: &CalibrationReport) -> String {
    let mut text = String::new();
    for model in &report.models {
        let rows = model.comparison.rows.iter().map(|row| {
            vec![
                row.statistic.clone(),
                row.verdict.clone(),
                mark(row).to_owned(),
                ascii(row.real),
                ascii(row.simulated),
                ascii(row.ks),
            ]
        });
        let header = [model.name.as_str(), "verdict", "", "real", "simulated", "KS"];
        text += &plain_table(&header, 3, rows.collect());
        text += &format!("{}\n\n", summary(&model.comparison));
    }
    text
}

fn mark(row: &ComparisonRow) -> &'static str {
    match row.agrees {
        Some(true) => "ok",
        Some(false) => "WRONG",
        None => "",
    }
}

fn summary(comparison: &MarketComparison) -> String {
    let limited = comparison.rows.iter().filter(|row| row.limit.is_some());
    let met = limited.clone().filter(|row| row.agrees == Some(true)).count();
    let count = limited.count();
    let other = comparison.wrong().filter(|row| row.limit.is_none()).count();
    let judged = comparison.rows.iter().filter(|row| row.limit.is_none() && row.agrees.is_some()).count();
    format!("{met} of {count} limits are met; of {judged} other statistics {other} differ.")
}

fn ascii(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), significant)
}

/// Four significant digits, without an exponent where that is short.
fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "-".to_owned() };
    }
    let magnitude = value.abs().log10().floor() as i32;
    match magnitude {
        -5..=7 => format!("{value:.*}", (3 - magnitude).clamp(0, 8) as usize),
        _ => format!("{value:.3e}"),
    }
}

fn shown(value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| fixed(f64::NAN, 0), |value| significant(value).replace('-', "\u{2212}"))
}

const STYLE: &str = "td.verdict { text-align: left; white-space: normal; min-width: 26ch; } \
    td.wrong, li.wrong { background: var(--warning); } td.unit { text-align: left; } \
    table { font-size: 12.5px; } details { margin: 10px 0; } summary { cursor: pointer; font-weight: 600; } \
    li { max-width: 100ch; margin: 2px 0; padding: 1px 6px; border-radius: 4px; } .narrow table { width: auto; } .narrow td, .narrow th { padding: 3px 12px; }";

/// The page, complete in itself. The body is well-formed XML.
pub fn report_html(report: &CalibrationReport) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&report.title))
            body {
                style { (PreEscaped(STYLE)) }
                header {
                    h1 { (report.title) }
                    p.guide {
                        "The real market and the simulated one, measured alike: prices in ticks and sizes in lots of the model's grid, "
                        (grouped(report.real.seconds.round().max(0.0) as u64)) " s of real time in "
                        (report.real.stretches) @if report.real.stretches == 1 { " stretch" } @else { " stretches" }
                        " without a gap."
                    }
                    p { (legend()) }
                }
                main {
                    @for (index, model) in report.models.iter().enumerate() { (section(index, report, model)) }
                    @if let Some(fit) = &report.hawkes { (goodness(fit)) }
                    (estimates(&report.estimates))
                    (definitions())
                    section #provenance {
                        h2 { "Where it comes from" }
                        dl { @for (name, value) in &report.provenance { dt { (name.replace('_', " ")) } dd { (value) } } }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn legend() -> Markup {
    html! {
        span class={ "swatch " (REAL) } {} "real\u{2003}"
        span class={ "swatch " (SIMULATED) } {} "simulated"
    }
}

fn section(index: usize, report: &CalibrationReport, model: &Model) -> Markup {
    let wrong: Vec<&ComparisonRow> = model.comparison.wrong().collect();
    html! {
        section id={ "model-" (index + 1) } {
            h2 { (model.name) }
            p { strong { (summary(&model.comparison)) } }
            @if !wrong.is_empty() {
                p { "Where the model is wrong:" }
                ul { @for row in &wrong {
                    li class=[row.limit.map(|_| "wrong")] { (row.statistic) ": " (row.verdict) }
                } }
            }
            (table(&model.comparison))
            (figures(&report.real, &model.statistics))
        }
    }
}

fn table(comparison: &MarketComparison) -> Markup {
    let header = ["real", "simulated", "ratio", "KS", "Wasserstein", "limit"];
    html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "statistic" }
                th.text scope="col" { "unit" }
                @for name in header { th scope="col" { (name) } }
                th.text scope="col" { "verdict" }
            } }
            tbody { @for row in &comparison.rows { tr {
                th.text scope="row" { (row.statistic) }
                td.unit { (row.unit) }
                td { (shown(row.real)) (error(row.real_error)) }
                td { (shown(row.simulated)) (error(row.simulated_error)) }
                td { @if let Some(ratio) = row.ratio { (fixed(ratio, 3)) } }
                td { @if let Some(ks) = row.ks { (fixed(ks, 3)) } }
                td { @if row.wasserstein.is_some() { (shown(row.wasserstein)) } }
                td { @if let Some(limit) = row.limit { (fixed(100.0 * limit, 0)) "%" } }
                td class=(match row.agrees {
                    Some(false) => "verdict wrong",
                    Some(true) if row.limit.is_some() => "verdict best",
                    _ => "verdict",
                }) { (row.verdict) }
            } } }
        } }
        p.note { "Standard errors after \u{b1}. What has no limit counts as different from 25% on, if two standard errors do not explain it, or \
            from a Kolmogorov-Smirnov distance of 0.1 on." }
    }
}

fn error(error: Option<f64>) -> Markup {
    html! { @if let Some(error) = error.filter(|error| error.is_finite()) { span.error { "\u{2009}\u{b1}\u{2009}" (rounded(error)) } } }
}

/// Two significant digits.
fn rounded(error: f64) -> String {
    if error <= 0.0 {
        return "0".to_owned();
    }
    let magnitude = error.log10().floor() as i32;
    if (-6..=6).contains(&magnitude) {
        fixed(error, (1 - magnitude).max(0) as usize)
    } else {
        format!("{error:.1e}")
    }
}

fn goodness(fit: &HawkesFit) -> Markup {
    let excess = fit.log_likelihood - fit.poisson_log_likelihood;
    let events: u64 = fit.events.iter().sum();
    html! {
        section #hawkes {
            h2 { "How well the Hawkes process fits the times" }
            p {
                "Spectral radius " (significant(fit.spectral_radius)) (error(fit.spectral_radius_error))
                ": the share of events that other events cause, as far as the process is stationary. The log-likelihood is "
                (grouped(excess.round().max(0.0) as u64)) " nats above that of a Poisson process, "
                (significant(excess / (events as f64).max(1.0))) " an event."
                @if !fit.converged { strong { " The search was stopped before it had arrived." } }
            }
            div.narrow { table {
                thead { tr {
                    th.text scope="col" { "type" }
                    @for name in ["events", "residual mean", "variance", "KS to Exp(1)", "p"] { th scope="col" { (name) } }
                } }
                tbody { @for (name, residuals) in EVENT_TYPE_NAMES.iter().zip(&fit.residuals) { tr {
                    th.text scope="row" { (name.replace('_', " ")) }
                    td { (grouped(residuals.count)) }
                    td { (shown(residuals.mean)) }
                    td { (shown(residuals.variance)) }
                    td { (shown(residuals.ks)) }
                    td { @if let Some(p) = residuals.p_value { (fixed(p, 3)) } }
                } } }
            } }
            p.note { "Integrals of a type's intensity between its events: exponential with mean 1 if the model is right. With many events even \
                small faults have a small p; the distance says how large they are." }
        }
    }
}

fn estimates(tables: &[EstimateTable]) -> Markup {
    html! {
        section #estimates {
            h2 { "Estimates" }
            @for table in tables {
                details open=[(table.rows.len() <= 60).then_some("open")] {
                    summary { (table.flow) ", " (table.rows.len()) " numbers" }
                    div.narrow { table {
                        thead { tr {
                            th.text scope="col" { "parameter" }
                            @for name in ["estimate", "standard error", "events"] { th scope="col" { (name) } }
                        } }
                        tbody { @for row in &table.rows { tr {
                            th.text scope="row" { (row.name) }
                            td { (shown(Some(row.value))) }
                            td { @if row.standard_error.is_finite() { (rounded(row.standard_error)) } @else { (fixed(f64::NAN, 0)) } }
                            td { (grouped(row.events)) }
                        } } }
                    } }
                }
            }
            p.note { "Without a standard error: at an end of its range, or not determined by the data." }
        }
    }
}

fn definitions() -> Markup {
    let entries = [
        ("mean spread", "Best ask less best bid, by time while both sides have something."),
        (
            "rate",
            "Events of a type by valid time; standard errors from batches of time, so that clusters are allowed for.",
        ),
        (
            "volatility",
            "Root of the mean squared change of the mid over a time, divided by the time's root; sampled every 0.1 s, where the book is valid at both ends.",
        ),
        (
            "depth",
            "Mean lots by distance from the opposite best, by time; its Kolmogorov-Smirnov and Wasserstein distances are those of the profile as a distribution over ticks.",
        ),
        (
            "time between events",
            "Of any type, without gaps. The coefficient of variation is 1 for a Poisson process and larger where events cluster.",
        ),
        (
            "sign autocorrelation",
            "Of market orders, buys 1 and sells \u{2212}1, in the order in which they come.",
        ),
        (
            "impact",
            "Mean move of the mid from before a market order to so many seconds after it, in its direction.",
        ),
        ("KS", "Kolmogorov-Smirnov: the largest difference of two distribution functions, from 0 to 1."),
        (
            "Wasserstein",
            "Wasserstein-1: how far weight has to be moved on average to turn one distribution into the other, in the statistic's unit.",
        ),
    ];
    html! {
        section #definitions {
            h2 { "What is compared" }
            dl { @for (name, meaning) in entries { dt { (name) } dd { (meaning) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_and_errors_two() {
        let found = [0.0, 1.0, 0.012_346, 1234.56, 123_456.7, 2.5e-9].map(significant);
        assert_eq!(found, ["0", "1.000", "0.01235", "1235", "123457", "2.500e-9"]);
        assert_eq!([0.0123, 12.6, 0.0].map(rounded), ["0.012", "13", "0"]);
        assert_eq!((shown(None), shown(Some(-1.0))), ("\u{2013}".to_owned(), "\u{2212}1.000".to_owned()));
    }
}

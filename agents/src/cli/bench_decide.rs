//! `lobgym bench decide`: how long a paper broker takes to decide.

use clap::Args;
use serde::Serialize;

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::broker::{Choice, PaperConfig, Rehearsal, Rehearsed};

/// The bar: microseconds at the 99th percentile, for 10 assets.
const BAR: f64 = 50.0;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A policy or strategy, as lobgym paper takes it [default: an untrained network of two layers of 64]
    #[arg(long, value_name = "RUN|STRATEGY")]
    policy: Option<Choice>,
    /// How many assets [default: those of a trained policy, else 10]
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    assets: Option<u32>,
    /// Decisions to time
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    decisions: u32,
    /// Of the market
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the results as JSON; - is standard output, and the table then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// Microseconds.
#[derive(Debug, Serialize)]
struct Report {
    policy: String,
    assets: usize,
    decisions: usize,
    orders: usize,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    max_us: f64,
    bar_us: f64,
    met: bool,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::on_ctrl_c()?;
    let config =
        PaperConfig { assets: arguments.assets.map(|assets| assets as usize), ..PaperConfig::default() };
    let who = arguments.policy.as_ref().map_or(Rehearsed::Untrained, Rehearsed::Of);
    let mut rehearsal = Rehearsal::new(config, who, arguments.seed)?;
    let warm_up = (arguments.decisions / 10).min(1_000);
    let (mut times, mut orders) = (Vec::with_capacity(arguments.decisions as usize), 0);
    for index in 0..u64::from(warm_up) + u64::from(arguments.decisions) {
        let Some((lasted, written)) = rehearsal.step()? else { break };
        if index >= u64::from(warm_up) {
            times.push(lasted);
            orders += written;
        }
        if stop.requested() {
            break;
        }
    }
    if times.is_empty() {
        return if stop.requested() {
            Err(Failure::Abandoned)
        } else {
            Err(Failure::Usage("the policy's prices have too few rows to time a decision".to_owned()))
        };
    }
    times.sort_unstable();
    let at = |share: f64| {
        let rank = (share * times.len() as f64).ceil() as usize;
        times[rank.clamp(1, times.len()) - 1].as_secs_f64() * 1e6
    };
    let policy = arguments.policy.as_ref().map_or_else(|| "untrained".to_owned(), Choice::to_string);
    let report = Report {
        policy,
        assets: rehearsal.assets(),
        decisions: times.len(),
        orders,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        max_us: at(1.0),
        bar_us: BAR,
        met: at(0.99) <= BAR,
    };
    output::report(&text(&report), &report, arguments.json.as_ref())?;
    if stop.requested() { Err(Failure::Interrupted) } else { Ok(()) }
}

fn text(report: &Report) -> String {
    let us = |time: f64| format!("{time:.1}");
    let row = vec![
        report.policy.clone(),
        report.assets.to_string(),
        report.decisions.to_string(),
        us(report.p50_us),
        us(report.p90_us),
        us(report.p99_us),
        us(report.max_us),
    ];
    let header = ["policy", "assets", "decisions", "p50 us", "p90 us", "p99 us", "max us"];
    let table = output::table(&header, 1, vec![row]);
    let verdict = if report.met { "met   " } else { "MISSED" };
    format!(
        "{table}\nPrices, features, policy and risk, without the ledger.\n{verdict} p99: {:.1} us (bar: at most {:.0}, for 10 assets)\n",
        report.p99_us, report.bar_us
    )
}

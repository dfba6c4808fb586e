//! `lobgym simulate`: a market's sessions, as files and in numbers.

use std::path::PathBuf;

use clap::Args;
use lob::flow::OpeningBook;

use super::market_args::MarketArgs;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::sharing::one_a_core;
use crate::simulate::{self, Report, Settings, Target};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    market: MarketArgs,
    /// Length of a session, in seconds from t = 0
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// Sessions that the statistics are taken over
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    sessions: u64,
    /// Seed of the sessions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the results do not depend on it [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Write every event of the first session (.npz or .csv; docs/data_format.md)
    #[arg(long, value_name = "FILE", value_parser = Target::parse)]
    events: Option<Target>,
    /// Write snapshots of the first session's book (.npz or .csv; docs/data_format.md)
    #[arg(long, value_name = "FILE", value_parser = Target::parse)]
    snapshots: Option<Target>,
    /// Time between snapshots, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,
    /// Levels of the snapshots and of the depth profile
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1024))]
    levels: u64,
    /// Write the statistics as JSON (docs/cli.md); - is standard output, and the tables then go to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Draw the statistics
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let (name, config) = (arguments.market.name(), arguments.market.resolve()?);
    let stop = Stop::on_ctrl_c()?;
    let bar = output::timed_progress(arguments.sessions);
    bar.set_message("sessions");
    let report = simulate::statistics(&name, &config.flow, &settings, stop.flag(), &|| bar.inc(1));
    bar.finish_and_clear();
    let report = report?;
    // Everything is ready before anything is written.
    let recording = if arguments.events.is_some() || arguments.snapshots.is_some() {
        Some(simulate::record(&config.flow, &settings, stop.flag())?)
    } else {
        None
    };
    let drawing = arguments.svg.as_ref().map(|path| Ok::<_, Failure>((path, simulate::draw(&report)?)));
    let drawing = drawing.transpose()?;
    if stop.requested() {
        return Err(Failure::Abandoned);
    }
    if let Some(recording) = &recording {
        arguments.events.as_ref().map_or(Ok(()), |target| recording.write_events(target))?;
        arguments.snapshots.as_ref().map_or(Ok(()), |target| recording.write_snapshots(target))?;
    }
    if let Some((path, svg)) = drawing {
        output::write_file(path, &svg)?;
    }
    output::report(&render(&report), &report, arguments.json.as_ref())
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let settings = Settings {
        seconds: arguments.seconds,
        sessions: arguments.sessions,
        seed: arguments.seed,
        threads: arguments.threads.map_or_else(one_a_core, |threads| threads as usize),
        interval: arguments.interval,
        levels: arguments.levels as usize,
    };
    settings.validate().map_err(|error| Failure::Usage(format!("--{error}")))?;
    let targets = [&arguments.events, &arguments.snapshots].map(|target| target.as_ref().map(Target::path));
    if targets[0].is_some() && targets[0] == targets[1] {
        let text = "--events and --snapshots name the same file; legal: two files".to_owned();
        return Err(Failure::Usage(text));
    }
    Ok(settings)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn render(report: &Report) -> String {
    let mut text = format!(
        "market {}, {} book; {} sessions of {} s, seed {}\n\n",
        report.market,
        if report.book == OpeningBook::Frozen { "frozen" } else { "live" },
        report.sessions,
        report.seconds,
        report.seed
    );
    let mut section = |title: &str, header: &[&str], texts: usize, rows: Vec<Vec<String>>| {
        text += &format!("{title}\n{}\n", output::table(header, texts, rows));
    };
    let rows = report.event_rates.iter().map(|rate| {
        vec![
            rate.kind.to_owned(),
            rate.side.to_owned(),
            format!("{:.3}", rate.per_second),
            rate.events.to_string(),
        ]
    });
    section("Events of the crowd", &["event", "side", "per second", "events"], 2, rows.collect());
    let gap = &report.inter_event_time;
    let row = vec![number(gap.mean_seconds, 4), number(gap.median_seconds, 4), gap.observations.to_string()];
    section("Time between them, s", &["mean", "median", "observations"], 0, vec![row]);

    let title = format!("Spread: mean {} ticks", number(report.spread.mean_ticks, 4));
    let mut rows: Vec<Vec<String>> = (report.spread.distribution.iter())
        .map(|point| vec![point.ticks.to_string(), format!("{:.3}", 100.0 * point.share)])
        .collect();
    if report.spread.empty_side_share > 0.0 {
        rows.push(vec!["a side empty".into(), format!("{:.3}", 100.0 * report.spread.empty_side_share)]);
    }
    section(&title, &["ticks", "% of the time"], 0, rows);

    let rows = report.volatility_signature.iter().map(|point| {
        vec![point.lag_seconds.to_string(), number(point.variance_per_second, 5), point.changes.to_string()]
    });
    section(
        "Volatility signature",
        &["lag, s", "variance of mid changes, ticks^2/s", "changes"],
        0,
        rows.collect(),
    );
    let rows = report
        .depth_profile
        .iter()
        .map(|at| vec![at.distance.to_string(), number(at.bid_lots, 3), number(at.ask_lots, 3)]);
    let header = ["ticks from the opposite best", "bid lots", "ask lots"];
    section("Depth profile", &header, 0, rows.collect());

    let (returns, signs) = (&report.return_autocorrelation, &report.sign_autocorrelation);
    let rows = (1..)
        .zip(returns.values.iter().zip(&signs.values))
        .map(|(lag, (&of_return, &of_sign))| vec![lag.to_string(), number(of_return, 4), number(of_sign, 4)]);
    let title = format!(
        "Autocorrelation (95% of white noise within {} and {})",
        number(returns.white_noise_band, 4),
        number(signs.white_noise_band, 4)
    );
    let header = ["lag", "mid changes over 1 s", "signs of market orders"];
    section(&title, &header, 0, rows.collect());

    let Some(first) = report.impact.first() else { return text };
    let mut header = vec!["lots".to_owned()];
    header.extend(first.response.iter().map(|point| format!("after {} s", point.seconds)));
    header.push("orders".into());
    let rows =
        report.impact.iter().map(|impact| {
            let mut row = vec![impact.lots.to_string()];
            row.extend(impact.response.iter().map(|point| {
                format!("{} +- {}", number(point.mean_ticks, 3), number(point.standard_error, 3))
            }));
            row.push(impact.response.first().map_or(0, |point| point.orders).to_string());
            row
        });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    section("Effect of a market order on the mid, ticks (+- standard error)", &header, 0, rows.collect());
    text.truncate(text.trim_end().len());
    text + "\n"
}

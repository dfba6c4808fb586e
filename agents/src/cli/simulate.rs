//! `lobgym simulate`: a market's sessions, as files and in numbers.

use std::path::PathBuf;

use clap::Args;
use lob::flow::OpeningBook;
use serde::Serialize;

use super::market_args::MarketArgs;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::statistics::{counted_mean, median, variance_per_second};
use files::Target;
use session::{KINDS, PROBE_LOTS, PROBE_TIMES, Plan, SAMPLES_PER_SECOND, SIGNATURE_LAGS, Sums};

mod figure;
mod files;
mod session;

/// Version of the JSON.
const SCHEMA_VERSION: u32 = 1;
/// Book snapshots that one file may hold.
const MOST_SNAPSHOTS: f64 = 1e7;

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

/// The statistics, as written to JSON. Prices in ticks, quantities in lots, times in seconds; `None` is what too few observations do not
/// say.
#[derive(Debug, Serialize)]
struct Report {
    schema_version: u32,
    market: String,
    book: OpeningBook,
    seed: u64,
    sessions: u64,
    seconds: f64,
    sample_seconds: f64,
    spread: Spread,
    volatility_signature: Vec<SignaturePoint>,
    depth_profile: Vec<DepthPoint>,
    return_autocorrelation: Correlations,
    sign_autocorrelation: Correlations,
    impact: Vec<Impact>,
    event_rates: Vec<Rate>,
    inter_event_time: InterEventTime,
}

#[derive(Debug, Serialize)]
struct Spread {
    mean_ticks: Option<f64>,
    distribution: Vec<SpreadShare>,
    empty_side_share: f64,
}

#[derive(Debug, Serialize)]
struct SpreadShare {
    ticks: u64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct SignaturePoint {
    lag_seconds: f64,
    variance_per_second: Option<f64>,
    changes: u64,
}

#[derive(Debug, Serialize)]
struct DepthPoint {
    distance: u64,
    bid_lots: Option<f64>,
    ask_lots: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Correlations {
    observations: u64,
    white_noise_band: Option<f64>,
    /// At lags 1, 2, ...
    values: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct Impact {
    lots: u64,
    response: Vec<ResponsePoint>,
}

#[derive(Debug, Serialize)]
struct ResponsePoint {
    seconds: f64,
    mean_ticks: Option<f64>,
    standard_error: Option<f64>,
    orders: u64,
}

#[derive(Debug, Serialize)]
struct Rate {
    kind: &'static str,
    side: &'static str,
    events: u64,
    per_second: f64,
}

#[derive(Debug, Serialize)]
struct InterEventTime {
    observations: u64,
    mean_seconds: Option<f64>,
    median_seconds: Option<f64>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let (name, config) = (arguments.market.name(), arguments.market.resolve()?);
    let stop = Stop::on_ctrl_c()?;
    let samples = (arguments.seconds * SAMPLES_PER_SECOND as f64).round() as usize;
    let levels = arguments.levels as usize;
    let plan = Plan {
        flow: &config.flow,
        seed: arguments.seed,
        sessions: arguments.sessions as usize,
        samples,
        levels,
        threads: arguments.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            |threads| threads as usize,
        ),
    };
    let bar = output::timed_progress(arguments.sessions);
    bar.set_message("sessions");
    let sums = session::play_all(&plan, &stop, &|| bar.inc(1));
    bar.finish_and_clear();
    let report = summarise(arguments, name, config.flow.opening().book, sums?);
    // Everything is ready before anything is written.
    let recording = if arguments.events.is_some() || arguments.snapshots.is_some() {
        let seconds = samples as f64 / SAMPLES_PER_SECOND as f64;
        Some(files::record(&config.flow, arguments.seed, seconds, arguments.interval, levels, &stop)?)
    } else {
        None
    };
    let drawing = arguments.svg.as_ref().map(|path| Ok::<_, Failure>((path, figure::draw(&report)?)));
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

fn check(arguments: &Arguments) -> Result<(), Failure> {
    let usage = |key: &str, value: f64, legal: &str| {
        Err(Failure::Usage(format!("--{key} is {value}; legal: {legal}")))
    };
    if !(1.0..=1e6).contains(&arguments.seconds) {
        return usage("seconds", arguments.seconds, "1 to 1000000 seconds");
    }
    if !(arguments.interval > 0.0 && arguments.interval <= arguments.seconds) {
        return usage("interval", arguments.interval, "above 0 and at most the session's seconds");
    }
    if arguments.seconds / arguments.interval > MOST_SNAPSHOTS {
        return usage("interval", arguments.interval, "long enough for at most 10000000 snapshots");
    }
    let targets = [&arguments.events, &arguments.snapshots].map(|target| target.as_ref().map(Target::path));
    if targets[0].is_some() && targets[0] == targets[1] {
        let text = "--events and --snapshots name the same file; legal: two files".to_owned();
        return Err(Failure::Usage(text));
    }
    Ok(())
}

fn summarise(arguments: &Arguments, market: String, book: OpeningBook, mut sums: Sums) -> Report {
    let in_seconds = |samples: usize| samples as f64 / SAMPLES_PER_SECOND as f64;
    let two_sided: u64 = sums.spreads.values().sum();
    let share = |count: u64| count as f64 / (sums.samples as f64).max(1.0);
    let spread = Spread {
        mean_ticks: counted_mean(&sums.spreads),
        distribution: sums
            .spreads
            .iter()
            .map(|(&ticks, &count)| SpreadShare { ticks, share: share(count) })
            .collect(),
        empty_side_share: share(sums.samples - two_sided),
    };
    let signature = SIGNATURE_LAGS.iter().zip(&sums.signature).map(|(&lag, moments)| SignaturePoint {
        lag_seconds: in_seconds(lag),
        variance_per_second: variance_per_second(moments, in_seconds(lag)),
        changes: moments.count,
    });
    let average = |sum: f64| (two_sided > 0).then(|| sum / two_sided as f64);
    let depth = sums.depth[0].iter().zip(&sums.depth[1]).zip(1..).map(|((&bid, &ask), distance)| {
        DepthPoint { distance, bid_lots: average(bid), ask_lots: average(ask) }
    });
    let correlations = |of: &crate::statistics::Autocorrelation| Correlations {
        observations: of.count(),
        white_noise_band: of.white_noise_band(),
        values: of.all(),
    };
    let impact = PROBE_LOTS.iter().zip(&sums.impact).map(|(&lots, moments)| Impact {
        lots,
        response: PROBE_TIMES
            .iter()
            .zip(moments)
            .map(|(&samples, moments)| ResponsePoint {
                seconds: in_seconds(samples),
                mean_ticks: moments.mean(),
                standard_error: moments.standard_error(),
                orders: moments.count,
            })
            .collect(),
    });
    let played = sums.samples as f64 / SAMPLES_PER_SECOND as f64;
    let rates = KINDS.iter().zip(&sums.events).flat_map(|(&kind, counts)| {
        ["buy", "sell"].into_iter().zip(counts).map(move |(side, &events)| Rate {
            kind,
            side,
            events,
            per_second: events as f64 / played,
        })
    });
    let gaps = sums.gaps.len();
    Report {
        schema_version: SCHEMA_VERSION,
        market,
        book,
        seed: arguments.seed,
        sessions: arguments.sessions,
        seconds: played / arguments.sessions as f64,
        sample_seconds: in_seconds(1),
        spread,
        volatility_signature: signature.collect(),
        depth_profile: depth.collect(),
        return_autocorrelation: correlations(&sums.returns),
        sign_autocorrelation: correlations(&sums.signs),
        impact: impact.collect(),
        event_rates: rates.collect(),
        inter_event_time: InterEventTime {
            observations: gaps as u64,
            mean_seconds: (gaps > 0).then(|| sums.gaps.iter().sum::<f64>() / gaps as f64),
            median_seconds: median(&mut sums.gaps),
        },
    }
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

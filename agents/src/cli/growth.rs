//! `lobgym bench growth`: what a message costs as the book grows.

use std::path::PathBuf;

use clap::Args;
use lobgym_benches::engines::EngineId;
use lobgym_benches::measure::replay;
use lobgym_benches::report::{GrowthPoint, GrowthReport, SCHEMA_VERSION, Spread};
use lobgym_benches::session::median_ratio;
use lobgym_benches::workload::{DEFAULT_SEED, Recipe, generate};

use super::output::{self, JsonTarget};
use super::{Failure, Stop, plot};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Live orders to measure at
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "100,1000,10000,100000,1000000",
        value_parser = clap::value_parser!(u64).range(1..=100_000_000),
    )]
    live: Vec<u64>,
    /// Timed messages a run
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    count: u64,
    /// Runs of each engine at each size
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Seed of the generator
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Write the results as JSON (docs/cli.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Draw the results
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::on_ctrl_c()?;
    let engines = EngineId::OWN;
    let mut report = GrowthReport {
        schema_version: SCHEMA_VERSION,
        complete: true,
        seed: arguments.seed,
        messages: arguments.count,
        runs: arguments.runs,
        results: Vec::new(),
    };
    let steps = arguments.live.len() as u64 * u64::from(arguments.runs) * engines.len() as u64;
    let bar = output::progress(steps);
    'sizes: for &live in &arguments.live {
        bar.set_message(format!("{live} live orders: generating"));
        let (stream, composition) = generate(&Recipe::grown(live), arguments.seed, arguments.count);
        let mut times = vec![Vec::new(); engines.len()];
        for run in 1..=arguments.runs {
            for (times, &id) in times.iter_mut().zip(&engines) {
                if stop.requested() {
                    // A size with fewer runs than the others would not be comparable.
                    report.complete = false;
                    break 'sizes;
                }
                bar.set_message(format!("{live} live orders: {id}, run {run} of {}", arguments.runs));
                times.push(replay(id, &stream, live as usize)?.ns_per_message);
                bar.inc(1);
            }
        }
        // The yardstick is the first.
        for (times_of, &id) in times.iter().zip(&engines) {
            report.results.extend(Spread::of(times_of).map(|ns_per_message| GrowthPoint {
                live_orders: live,
                average_live_orders: composition.average_live_orders,
                engine: id.engine().to_owned(),
                mode: id.mode(),
                ns_per_message,
                ratio_to_yardstick: median_ratio(times_of, &times[0]),
            }));
        }
    }
    bar.finish_and_clear();
    output::report(&render(&report), &report, arguments.json.as_ref())?;
    if let Some(path) = &arguments.svg {
        output::write_file(path, &plot::growth(&report)?)?;
    }
    if report.complete { Ok(()) } else { Err(Failure::Interrupted) }
}

fn render(report: &GrowthReport) -> String {
    let rows = report.results.iter().map(|point| {
        vec![
            point.engine.clone(),
            point.mode.to_string(),
            point.live_orders.to_string(),
            format!("{:.1}", point.ns_per_message.median),
            format!("{:.1}-{:.1}", point.ns_per_message.min, point.ns_per_message.max),
            point.ratio_to_yardstick.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        ]
    });
    let header = ["engine", "ids", "live orders", "ns/message", "min-max", "x yardstick"];
    output::table(&header, 2, rows.collect())
}

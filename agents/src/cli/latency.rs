//! `lobgym bench latency`: replay a stream on every engine and compare.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lobgym_benches::clock::{self, Clock};
use lobgym_benches::engines::EngineId;
use lobgym_benches::file;
use lobgym_benches::measure::Latency;
use lobgym_benches::message::Stream;
use lobgym_benches::naive::trades_of;
use lobgym_benches::report::{LatencyReport, SCHEMA_VERSION, WorkloadInfo, bars};
use lobgym_benches::session::{Session, Step};
use lobgym_benches::workload::{Composition, DEFAULT_COUNT, DEFAULT_SEED, Workload, generate};

use super::output::{self, JsonTarget};
use super::{Failure, Stop, memory};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Replay this message file (docs/data_format.md) instead of generated streams
    #[arg(long, value_name = "FILE", conflicts_with_all = ["generate", "seed", "count", "workload"])]
    messages: Option<PathBuf>,
    /// Write a generated stream to this file, and measure nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "peers", "engines", "runs"])]
    generate: Option<PathBuf>,
    /// Seed of the generator
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Messages to generate
    #[arg(long, default_value_t = DEFAULT_COUNT, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    count: u64,
    /// Streams to generate: a deep book, a thin one, or both [default: both; mixed with --generate]
    #[arg(long, value_enum)]
    workload: Option<Choice>,
    /// Throughput runs of each engine; the table shows their median
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Also measure the crates matchcore, lobster and orderbook-rs (needs the cargo feature `peers`)
    #[arg(long)]
    peers: bool,
    /// Engines to measure: yardstick, lob-handles, lob-external, matchcore, lobster, orderbook-rs
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', conflicts_with = "peers")]
    engines: Vec<EngineId>,
    /// Write the results as JSON (docs/cli.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// About 8,000 live orders at 1 to 30 ticks
    Mixed,
    /// About 400 live orders over 3,000 ticks
    Small,
    /// One after the other
    Both,
}

impl Choice {
    fn workloads(self) -> &'static [Workload] {
        match self {
            Self::Mixed => &[Workload::Mixed],
            Self::Small => &[Workload::Small],
            Self::Both => &Workload::ALL,
        }
    }
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(path) = &arguments.generate {
        return write_stream(arguments, path);
    }
    let engines = engines(arguments)?;
    let mut bench = Bench { arguments, engines, clock: Clock::calibrate(), stop: Stop::on_ctrl_c()? };
    let mut report = LatencyReport {
        schema_version: SCHEMA_VERSION,
        complete: false,
        clock: clock::SOURCE.to_owned(),
        clock_overhead_ns: bench.clock.overhead_ns(),
        workloads: Vec::new(),
        results: Vec::new(),
        bars: Vec::new(),
    };
    if let Some(path) = &arguments.messages {
        bench.measure("file", None, &file::read(path)?, &mut report)?;
    } else {
        for workload in arguments.workload.unwrap_or(Choice::Both).workloads() {
            if bench.stop.requested() {
                break;
            }
            let spinner = output::spinner(format!("generating {} {workload} messages", arguments.count));
            let (stream, composition) = generate(&workload.recipe(), arguments.seed, arguments.count);
            spinner.finish_and_clear();
            eprintln!("{workload}: {composition}");
            bench.measure(workload.name(), Some(composition), &stream, &mut report)?;
        }
    }
    report.complete = !bench.stop.requested();
    report.bars = bars(&report.results);
    output::report(&render(&report), &report, arguments.json.as_ref())?;
    if !report.complete {
        return Err(Failure::Interrupted);
    }
    // A peer that is not exact is a finding; one of our own is a defect.
    let inexact: Vec<_> = report
        .results
        .iter()
        .filter(|result| !result.exact && matches!(result.engine.as_str(), "lob" | "yardstick"))
        .map(|result| format!("{} ({}) on {}", result.engine, result.mode, result.workload))
        .collect();
    if inexact.is_empty() { Ok(()) } else { Err(Failure::NotExact(inexact.join(", "))) }
}

fn write_stream(arguments: &Arguments, path: &Path) -> Result<(), Failure> {
    let [workload] = arguments.workload.unwrap_or(Choice::Mixed).workloads() else {
        let message = "--generate writes one stream; legal: --workload mixed or small";
        return Err(Failure::Usage(message.to_owned()));
    };
    let (stream, composition) = generate(&workload.recipe(), arguments.seed, arguments.count);
    file::write(path, &stream)?;
    output::print(&format!(
        "{}: {} {workload} messages, seed {}\n{composition}\n",
        path.display(),
        arguments.count,
        arguments.seed
    ))
}

fn engines(arguments: &Arguments) -> Result<Vec<EngineId>, Failure> {
    let wanted: Vec<EngineId> = if !arguments.engines.is_empty() {
        // In the order of the reports, each once.
        EngineId::ALL.into_iter().filter(|id| arguments.engines.contains(id)).collect()
    } else if arguments.peers {
        EngineId::ALL.to_vec()
    } else {
        EngineId::OWN.to_vec()
    };
    let missing: Vec<_> = wanted.iter().filter(|id| !id.is_built()).map(|id| id.name()).collect();
    if missing.is_empty() {
        return Ok(wanted);
    }
    Err(Failure::Usage(format!(
        "this binary is built without {}. Build it with them:\n  \
         cargo run --release -p agents --features peers -- bench latency --peers",
        missing.join(", ")
    )))
}

/// What stays the same from stream to stream.
struct Bench<'a> {
    arguments: &'a Arguments,
    engines: Vec<EngineId>,
    clock: Clock,
    stop: Stop,
}

impl Bench<'_> {
    fn measure(
        &mut self,
        name: &str,
        composition: Option<Composition>,
        stream: &Stream,
        report: &mut LatencyReport,
    ) -> Result<(), Failure> {
        let spinner = output::spinner(format!("{name}: reference book"));
        let reference = trades_of(stream);
        spinner.finish_and_clear();
        let session = Session {
            workload: name,
            stream,
            reference,
            engines: &self.engines,
            runs: self.arguments.runs,
            clock: &self.clock,
            memory: Some(&|id| memory::probe(id, stream)),
            stop: self.stop.flag(),
        };
        let bar = output::progress(session.steps());
        let results = session.run(|step| {
            bar.set_message(match step {
                Step::Trades(id) => format!("{name}: {id}, trades"),
                Step::Run(id, run) => format!("{name}: {id}, run {run} of {}", session.runs),
                Step::Latency(id) => format!("{name}: {id}, latency of single messages"),
                Step::Memory(id) => format!("{name}: {id}, memory"),
            });
            bar.inc(1);
        });
        bar.finish_and_clear();
        report.results.extend(results?);
        report.workloads.push(WorkloadInfo {
            workload: name.to_owned(),
            seed: composition.map(|_| self.arguments.seed),
            messages: stream.summary().messages,
            trades: reference.count,
            traded_volume: reference.volume,
            trades_digest: format!("{:016x}", reference.digest),
            composition,
        });
        Ok(())
    }
}

fn render(report: &LatencyReport) -> String {
    const HEADER: [&str; 12] = [
        "engine",
        "ids",
        "ns/message (min-max)",
        "x yardstick",
        "M messages/s",
        "p50 ns",
        "p99 ns",
        "p99.9 ns",
        "max ns",
        "volume",
        "exact",
        "peak MiB",
    ];
    let mut text = String::new();
    for workload in &report.workloads {
        let results = report.results.iter().filter(|result| result.workload == workload.workload);
        let rows = results.map(|result| {
            let percentile = |pick: fn(&Latency) -> u64| {
                result.latency_ns.as_ref().map_or_else(|| "-".to_owned(), |latency| pick(latency).to_string())
            };
            let time = &result.ns_per_message;
            vec![
                result.engine.clone(),
                result.mode.to_string(),
                format!("{:.1} ({:.1}-{:.1})", time.median, time.min, time.max),
                result.ratio_to_yardstick.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
                format!("{:.2}", result.messages_per_second / 1e6),
                percentile(|latency| latency.p50),
                percentile(|latency| latency.p99),
                percentile(|latency| latency.p99_9),
                percentile(|latency| latency.max),
                result.traded_volume.to_string(),
                if result.exact { "yes" } else { "no" }.to_owned(),
                output::mebibytes(result.peak_memory_bytes),
            ]
        });
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "{}: {} messages, {} trades of {} lots\n{}",
            workload.workload,
            workload.messages,
            workload.trades,
            workload.traded_volume,
            output::table(&HEADER, 2, rows.collect()),
        );
    }
    let _ = writeln!(
        text,
        "Percentiles are of single messages and include {:.0} ns of clock ({}).",
        report.clock_overhead_ns, report.clock
    );
    for bar in &report.bars {
        let _ = writeln!(
            text,
            "{} {}, {}: {:.2} (bar: at {} {})",
            if bar.met { "met   " } else { "MISSED" },
            bar.workload,
            bar.name,
            bar.value,
            if bar.at_most { "most" } else { "least" },
            bar.limit,
        );
    }
    text
}

//! `lobgym bench env`: steps a second of environments, and their memory.

use std::fmt::Write;
use std::process::{Command, Stdio};

use clap::Args;
use gym::EnvConfig;
use serde::Serialize;

use super::env_args::EnvSource;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::env_rate::{Meter, Rates, bar, bench_settings, memory_growth};

/// Environments whose memory is measured.
const MEMORY_ENVS: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Environments or configurations that come with the program [default: all environments]
    #[arg(value_name = "NAME", conflicts_with = "config")]
    names: Vec<String>,
    #[command(flatten)]
    source: EnvSource,
    /// Threads, the calling one included
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,2",
        value_parser = clap::value_parser!(u32).range(1..=1_024),
    )]
    threads: Vec<u32>,
    /// Environments in a batch: a few stay in a core's cache, many do not
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "16,1024",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000),
    )]
    num_envs: Vec<u32>,
    /// Length of a run
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = super::env_args::seconds)]
    seconds: f64,
    /// Runs of each environment and number of threads, in turn; the table shows their median
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Also measure the memory of 10,000 environments, in a process of its own
    #[arg(long)]
    memory: bool,
    /// Print the bytes that 10,000 environments take, and nothing else (run by --memory)
    #[arg(long, hide = true)]
    only_memory: bool,
    /// Write the results as JSON (docs/cli.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Debug, Serialize)]
struct Report {
    results: Vec<Rates>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    memory: Vec<Memory>,
}

#[derive(Debug, Serialize)]
struct Memory {
    env: String,
    num_envs: usize,
    bytes: Option<u64>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let configs = configs(arguments)?;
    if arguments.only_memory {
        return only_memory(&configs);
    }
    let stop = Stop::on_ctrl_c()?;
    let mut meters = Vec::new();
    for (_, config) in &configs {
        for &threads in &arguments.threads {
            for &num_envs in &arguments.num_envs {
                meters.push(Meter::new(config, num_envs as usize, threads as usize)?);
            }
        }
    }
    let bar = output::progress(meters.len() as u64 * u64::from(arguments.runs));
    'runs: for run in 1..=arguments.runs {
        for meter in &mut meters {
            if stop.requested() {
                break 'runs;
            }
            bar.set_message(format!("{}, run {run} of {}", meter.name(), arguments.runs));
            meter.run(arguments.seconds)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut report = Report { results: meters.iter().filter_map(Meter::rates).collect(), memory: Vec::new() };
    drop(meters);
    if arguments.memory && !stop.requested() {
        report.memory = configs
            .iter()
            .map(|(name, config)| Memory {
                env: config.name().to_owned(),
                num_envs: MEMORY_ENVS,
                bytes: probe(name.as_deref(), &arguments.source),
            })
            .collect();
    }
    let is_default = arguments.source.set.is_empty() && arguments.source.config.is_none();
    output::report(&render(&report, is_default), &report, arguments.json.as_ref())?;
    if stop.requested() { Err(Failure::Interrupted) } else { Ok(()) }
}

/// What is measured: name as typed, and settings.
fn configs(arguments: &Arguments) -> Result<Vec<(Option<String>, EnvConfig)>, Failure> {
    let source = &arguments.source;
    if source.config.is_some() {
        return Ok(vec![(None, source.resolve(|| Ok(serde_json::Map::new()))?)]);
    }
    let names = match arguments.names.as_slice() {
        [] => EnvConfig::NAMES.map(str::to_owned).to_vec(),
        names => names.to_vec(),
    };
    names
        .into_iter()
        .map(|name| Ok((Some(name.clone()), source.resolve(|| bench_settings(&name))?)))
        .collect()
}

fn only_memory(configs: &[(Option<String>, EnvConfig)]) -> Result<(), Failure> {
    for (_, config) in configs {
        let bytes = memory_growth(config, MEMORY_ENVS)?;
        output::print(&format!(
            "{}\n",
            bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string())
        ))?;
    }
    Ok(())
}

/// Runs this program again, as what was freed before would hide what is taken. `None` if anything is in the way: a missing figure must not
/// cost the others.
fn probe(name: Option<&str>, source: &EnvSource) -> Option<u64> {
    let output = Command::new(std::env::current_exe().ok()?)
        .args(["bench", "env", "--only-memory"])
        .args(source.arguments())
        .args(name)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn render(report: &Report, is_default: bool) -> String {
    let header =
        ["environment", "threads", "environments", "M steps/s", "min-max", "ns/step", "bar, M steps/s"];
    let rows = report.results.iter().map(|rates| {
        let speed = &rates.steps_per_second;
        // The bars are for one core and for the settings that they were set at.
        let bar = bar(&rates.env).filter(|_| is_default && rates.threads == 1).map_or_else(
            || "-".to_owned(),
            |bar| format!("{:.2} {}", bar / 1e6, if speed.median >= bar { "met" } else { "MISSED" }),
        );
        vec![
            rates.env.clone(),
            rates.threads.to_string(),
            rates.num_envs.to_string(),
            format!("{:.3}", speed.median / 1e6),
            format!("{:.3}-{:.3}", speed.min / 1e6, speed.max / 1e6),
            format!("{:.1}", 1e9 / speed.median),
            bar,
        ]
    });
    let mut text = output::table(&header, 1, rows.collect());
    for memory in &report.memory {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}: {} MiB for {} environments",
            memory.env,
            output::mebibytes(memory.bytes),
            memory.num_envs
        );
    }
    text
}

//! `lobgym evaluate`: policies over the same sessions of an environment.

use std::path::PathBuf;

use clap::Args;

use super::env_args::EnvSource;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::evaluation::{self, Request, usual_policies};
use crate::policy::PolicyReference;
use crate::sharing::one_a_core;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Runs of `lobgym train`, or their policy files: evaluated beside --policies, in the environment that the first was trained in
    #[arg(value_name = "RUN|POLICY")]
    trained: Vec<PathBuf>,
    /// An environment or a configuration that comes with the program [default: the run's, or market_making]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    env: Option<String>,
    #[command(flatten)]
    source: EnvSource,
    /// Policies: join, mid, as, glft, random, with options as in mid:distance=0.5:lots=2:limit=10:skew=4; in the execution
    /// task the strategies of compare; with portfolios those of backtest, of one asset those of trade; policy:RUN everywhere [default: the usual ones of the environment]
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',')]
    policies: Option<Vec<String>>,
    /// Instead of --policies: search the rules over their parameters, the best first (market making in a book, portfolios)
    #[arg(long, conflicts_with = "policies")]
    grid: bool,
    /// Sessions; every policy plays all of them
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    episodes: u64,
    /// Seed of the sessions, none of which a training with the same seed sees
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the results do not depend on it [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The policy that the others are compared with, as it is named in --policies [default: the first; of a grid the
    /// best; in the execution task twap, where it takes part]
    #[arg(long, value_name = "POLICY")]
    against: Option<String>,
    /// Write the results as JSON (docs/market_making.md, docs/execution.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Write a self-contained report
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let first = arguments.trained.first().map(|path| PolicyReference::new(path));
    let env = arguments.source.resolve_for(arguments.env.as_deref(), first.as_ref(), "market_making")?;
    let trained = arguments.trained.iter().map(|path| PolicyReference::new(path).to_string());
    let others = match &arguments.policies {
        Some(names) => names.clone(),
        None if arguments.grid => Vec::new(),
        None => usual_policies(&env),
    };
    let command: Vec<String> = std::env::args().skip(1).collect();
    let request = Request {
        policies: trained.chain(others).collect(),
        env,
        grid: arguments.grid,
        episodes: arguments.episodes as usize,
        seed: arguments.seed,
        threads: arguments.threads.map_or_else(one_a_core, |threads| threads as usize),
        against: arguments.against.clone(),
        examples: arguments.html.is_some(),
        command: format!("lobgym {}", command.join(" ")),
    };
    let stop = Stop::on_ctrl_c()?;
    let bar = output::timed_progress(arguments.episodes);
    let tell = |doing: &str, done: usize| {
        if bar.message() != doing {
            bar.set_message(doing.to_owned());
        }
        bar.inc(done as u64);
    };
    let found = evaluation::perform(&request, stop.flag(), &tell)?;
    bar.finish_and_clear();
    if found.episodes() == 0 {
        return Err(Failure::Abandoned);
    }
    output::report(&found.table(), &found.json()?, arguments.json.as_ref())?;
    for warning in found.warnings() {
        eprintln!("warning: {warning}");
    }
    if let Some(path) = &arguments.html {
        output::write_file(path, &found.html()?)?;
        eprintln!("report: {}", path.display());
    }
    if found.interrupted() { Err(Failure::Interrupted) } else { Ok(()) }
}

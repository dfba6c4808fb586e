//! `lobgym paper`: a paper broker, and what its ledger says.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gym::Settings as Keys;

use super::Failure;
use super::output::{self, JsonTarget};
use super::pace::{Pace, Speed, ending_signals, log, speed};
use super::paper_metrics::Metrics;
use super::paper_watch;
use crate::broker::{Broker, Choice, Ended, PaperConfig, Settings, Step, Summary, kill_file, money};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a ledger holds, also while its broker runs
    Status(Status),
    /// Show a ledger on the terminal, as it changes: q quits, k asks and then throws the kill switch
    Watch(paper_watch::Arguments),
    /// Switch a broker off: it cancels what is open, sells what it holds and ends
    Kill(Kill),
}

#[derive(Debug, Args)]
struct Run {
    /// A policy trained in portfolio_rebalancing, as its file or a run's directory or as policy:RUN[:decision=mode|sample], or a strategy of
    /// lobgym backtest, as in risk_parity:window=60 [default: equal_weight]
    #[arg(long, value_name = "RUN|STRATEGY")]
    policy: Option<Choice>,
    /// Money at the start [default: 1000000]
    #[arg(long, value_name = "MONEY")]
    capital: Option<f64>,
    /// How many assets [default: 10]
    #[arg(long, value_name = "N")]
    assets: Option<usize>,
    /// Steps a second, or max
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: Speed,
    /// End when the ledger has so many steps [default: when it is told to]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// The ledger, an SQLite file; one that is there goes on where it ended
    #[arg(long, value_name = "FILE", default_value = "paper.db")]
    db: PathBuf,
    /// Of the market [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Serve figures for Prometheus at http://127.0.0.1:PORT/metrics; 0 takes a free port and the log says which
    #[arg(long, value_name = "PORT")]
    metrics: Option<u16>,
    /// A YAML file with a section `paper` (docs/paper.md)
    #[arg(long, value_name = "FILE.yaml")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Status {
    /// The ledger
    #[arg(long, value_name = "FILE", default_value = "paper.db")]
    db: PathBuf,
    /// Write the same as JSON, amounts in cents (docs/paper.md); - is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Debug, Args)]
struct Kill {
    /// The ledger
    #[arg(long, value_name = "FILE", default_value = "paper.db")]
    db: PathBuf,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        None => trade(&arguments.run),
        Some(Command::Status(Status { db, json })) => {
            let summary = Summary::of(db)?;
            output::report(&summary.text(), &summary, json.as_ref())
        }
        Some(Command::Watch(arguments)) => paper_watch::run(arguments),
        Some(Command::Kill(Kill { db })) => kill(db),
    }
}

fn kill(db: &Path) -> Result<(), Failure> {
    // A typing mistake must not look like success.
    Summary::of(db)?;
    let file = kill_file(db);
    output::write_file(&file, "")?;
    output::print(&format!("kill switch on; it is off again once {} is removed\n", file.display()))
}

fn settings(arguments: &Run) -> Result<Settings, Failure> {
    let mut settings = Settings {
        capital: arguments.capital,
        assets: arguments.assets,
        policy: arguments.policy.clone(),
        seed: arguments.seed,
        ..Settings::default()
    };
    if let Some(path) = &arguments.config {
        let keys = Keys::read(path)?;
        settings.config = Some(PaperConfig::from_settings(&keys)?);
        settings.directory = keys.directory().to_owned();
    }
    Ok(settings)
}

fn trade(arguments: &Run) -> Result<(), Failure> {
    let stop = ending_signals()?;
    let mut broker = Broker::open(&arguments.db, &settings(arguments)?)?;
    let mut metrics =
        arguments.metrics.map(Metrics::listen).transpose().map_err(|source| Failure::Output {
            path: format!("127.0.0.1:{}", arguments.metrics.unwrap_or_default()).into(),
            source,
        })?;
    if let Some(metrics) = &metrics {
        log(&[("event", "metrics".to_owned()), ("url", format!("http://{}/metrics", metrics.address()))]);
    }
    let holdings = broker.holdings();
    log(&[
        ("event", "start".to_owned()),
        ("db", arguments.db.display().to_string()),
        ("step", broker.steps().to_string()),
        ("assets", broker.market().assets().to_string()),
        ("capital", money(holdings.capital)),
    ]);
    let mut pace = Pace::new(arguments.speed);
    let reason = loop {
        if arguments.steps.is_some_and(|steps| broker.steps() >= steps) {
            break "steps";
        }
        if !pace.wait(&stop) {
            break "signal";
        }
        match broker.step()? {
            Ok(step) => {
                if let Some(metrics) = &mut metrics {
                    metrics.show(&step, &broker);
                }
                report(&step, broker.holdings().capital, &mut pace);
            }
            Err(Ended::Prices) => break "prices_end",
            Err(Ended::Killed) => break "killed",
        }
    };
    log(&[
        ("event", "stop".to_owned()),
        ("reason", reason.to_owned()),
        ("step", broker.steps().to_string()),
        ("cash", money(broker.holdings().cash)),
    ]);
    if reason == "killed" {
        let file = kill_file(&arguments.db);
        eprintln!("the kill switch is on and nothing is held; remove {} to trade again", file.display());
    }
    Ok(())
}

fn report(step: &Step, capital: i64, pace: &mut Pace) {
    for refused in &step.refused {
        log(&[
            ("event", "refused".to_owned()),
            ("step", step.step.to_string()),
            ("asset", refused.asset.map_or_else(|| "all".to_owned(), |asset| asset.to_string())),
            ("rule", refused.refusal.rule.name().to_owned()),
            ("found", refused.refusal.found.to_string()),
            ("limit", refused.refusal.limit.to_string()),
        ]);
    }
    if !pace.speaks() {
        return;
    }
    log(&[
        ("event", "step".to_owned()),
        ("step", step.step.to_string()),
        ("nav", money(step.nav)),
        ("profit", money(step.nav - capital)),
        ("cash", money(step.cash)),
        ("fills", step.fills.to_string()),
        ("turnover", money(step.turnover)),
        ("refused", step.refused.len().to_string()),
        ("cancelled", step.cancelled.to_string()),
        ("decision_us", format!("{:.1}", step.decision.as_secs_f64() * 1e6)),
    ]);
}

//! `lobgym paper`: a paper broker, and what its ledger says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use gym::Settings as Keys;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Failure;
use super::output::{self, JsonTarget};
use super::paper_metrics::Metrics;
use super::paper_watch;
use crate::broker::{Broker, Choice, Ended, PaperConfig, Settings, Step, Summary, kill_file, money};

/// Between looks at the signals while a step is waited for.
const WATCH: Duration = Duration::from_millis(20);

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

/// How fast steps follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    Max,
    /// Steps a second.
    Paced(f64),
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 1e-6 => Ok(Speed::Paced(rate)),
        _ => Err("legal: steps a second, at least 0.000001, or max".to_owned()),
    }
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
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // A second signal ends at once: the ledger bears it.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop)).map_err(signals)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(signals)?;
    }
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

fn signals(source: std::io::Error) -> Failure {
    Failure::Signal(ctrlc::Error::System(source))
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

/// A line of `key=value` on standard error; values with spaces are quoted.
fn log(fields: &[(&str, String)]) {
    let field = |(key, value): &(&str, String)| {
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
        if plain { format!("{key}={value}") } else { format!("{key}={value:?}") }
    };
    // A log that nobody reads any more is no reason to end.
    let _ = writeln!(std::io::stderr(), "{}", fields.iter().map(field).collect::<Vec<_>>().join(" "));
}

/// When the next step is due, and whether the last is to be told of.
struct Pace {
    interval: Option<Duration>,
    due: Instant,
    told: Option<Instant>,
}

impl Pace {
    fn new(speed: Speed) -> Self {
        let interval = match speed {
            Speed::Max => None,
            Speed::Paced(rate) => Some(Duration::from_secs_f64(1.0 / rate)),
        };
        Self { interval, due: Instant::now(), told: None }
    }

    /// Waits for the next step; false if a signal came first.
    fn wait(&mut self, stop: &AtomicBool) -> bool {
        loop {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            let Some(interval) = self.interval else { return true };
            let now = Instant::now();
            if now >= self.due {
                // A step that took too long delays those after it: none are made up for in a rush.
                self.due = (self.due + interval).max(now);
                return true;
            }
            std::thread::sleep((self.due - now).min(WATCH));
        }
    }

    /// Ten lines a second are enough.
    fn speaks(&mut self) -> bool {
        let now = Instant::now();
        let speaks = self.told.is_none_or(|told| now - told >= Duration::from_millis(100));
        if speaks {
            self.told = Some(now);
        }
        speaks
    }
}

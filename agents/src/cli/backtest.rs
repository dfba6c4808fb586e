//! `lobgym backtest`: strategies of portfolios over prices, forward in time.

use std::path::PathBuf;

use clap::Args;
use gym::Settings;

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::backtest::{Backtest, BacktestConfig};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A YAML file with sections `env` and `backtest` (config/backtest/default.yaml shows how)
    #[arg(value_name = "FILE.yaml")]
    config: PathBuf,
    /// Change a setting, as in env.transaction_cost=0.002 or backtest.seed=1; the value is YAML. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write the results as JSON (docs/backtest.md); - is standard output, and the table then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Write a self-contained report
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut settings = Settings::read(&arguments.config)?;
    for assignment in &arguments.set {
        settings.set(assignment)?;
    }
    let backtest = Backtest::new(BacktestConfig::from_settings(&settings)?)?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::timed_progress(backtest.tracks() as u64);
    bar.set_message("tracks");
    let found = backtest.run(stop.flag(), &|| bar.inc(1));
    bar.finish_and_clear();
    let command: Vec<String> = std::env::args().skip(1).collect();
    let found = found?.asked_by(format!("lobgym {}", command.join(" ")));
    output::report(&found.table(), &found.json()?, arguments.json.as_ref())?;
    if let Some(path) = &arguments.html {
        output::write_file(path, &found.html())?;
        eprintln!("report: {}", path.display());
    }
    Ok(())
}

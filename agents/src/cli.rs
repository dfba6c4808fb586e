//! The command line: the tree of subcommands, and what their endings mean to a shell.
//!
//! One file a subcommand. Each takes its arguments and a [`Stop`], and returns a [`Failure`] if it did not do
//! its work.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod backtest;
mod bench;
mod bench_decide;
mod bench_env;
mod calibrate;
mod calibrate_impact;
mod compare;
mod dashboard;
mod data;
mod data_replay;
mod direction;
mod env_args;
mod episode;
mod estimate;
mod evaluate;
mod failure;
mod growth;
mod hand_over;
mod latency;
mod live;
mod market_args;
mod memory;
#[cfg(not(feature = "torch"))]
mod missing;
mod output;
mod pace;
mod paper;
mod paper_metrics;
mod paper_watch;
mod plot;
mod policy;
mod serve;
mod simulate;
mod stationary;
mod stop;
mod trade;
#[cfg(feature = "torch")]
mod train;
mod tune;

pub use failure::Failure;
pub use stop::Stop;

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 failure, 2 wrong usage or a subcommand that this build lacks, 130 after Ctrl-C.
Results go to standard output, progress and errors to standard error.";

/// An exact limit order book, and the markets and agents around it.
#[derive(Debug, Parser)]
#[command(name = "lobgym", version, about, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play strategies of portfolios over prices, forward in time
    Backtest(backtest::Arguments),
    /// Measure the order book and the environments
    #[command(subcommand)]
    Bench(bench::Command),
    /// Compare execution strategies over the same simulated sessions
    Compare(compare::Arguments),
    /// Run a market to its mean book shape and write it as an order-flow file
    Stationary(stationary::Arguments),
    /// Play a market's sessions: events and book snapshots as files, and the market's statistics
    Simulate(simulate::Arguments),
    /// Play an episode of market making under a rule or a trained policy: a picture and its figures
    Episode(episode::Arguments),
    /// Evaluate policies over the same sessions of an environment
    Evaluate(evaluate::Arguments),
    /// Look into trained policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Estimate a flow's parameters from market data, with standard errors
    Calibrate(calibrate::Arguments),
    /// Measure what meta-orders cost in a market, and fit impact models to it
    CalibrateImpact(calibrate_impact::Arguments),
    /// Say what an order is expected to cost before it is traded
    Estimate(estimate::Arguments),
    /// Look into files of market data, check and convert them
    #[command(subcommand)]
    Data(data::Command),
    /// Trade simulated prices on paper: a broker with risk limits and a ledger that survives crashes
    Paper(paper::Arguments),
    /// Trade one asset on paper, on bars of a file or as they come: rules and trained policies, with a journal and a kill switch
    Trade(trade::Arguments),
    /// Train an agent: a run's directory with metrics, checkpoints and the policy
    #[cfg(feature = "torch")]
    Train(train::Arguments),
    /// Search hyperparameters of a training (runs the Python package: docs/tuning.md)
    Tune(hand_over::Arguments),
    /// Collect an exchange's messages and bars into a store (runs the Python package: docs/live.md)
    Collect(hand_over::Arguments),
    /// Serve a recording as the exchange would (runs the Python package: docs/live.md)
    ReplayFeed(hand_over::Arguments),
    /// Look into a store of ticks, or export it (runs the Python package: docs/live.md)
    Store(hand_over::Arguments),
    /// Add to bars the probability that the price will be higher (runs the Python package: docs/direction.md)
    Direction(hand_over::Arguments),
    /// Collect, train and trade over HTTP (runs the Python package: docs/serve.md)
    Serve(hand_over::Arguments),
    /// Print the server's settings and where each came from (runs the Python package: docs/serve.md)
    Settings(hand_over::Arguments),
    /// See trainings, comparisons, markets and traders in a browser (runs the Python package: docs/dashboard.md)
    Dashboard(hand_over::Arguments),
    /// Train an agent (needs a build with libtorch: docs/training.md)
    #[cfg(not(feature = "torch"))]
    Train(missing::Anything),
}

/// Runs the command that `arguments` spell (the first is the program's name) and returns its exit code: 0, 1,
/// 2 or 130.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints each to its stream. If that stream is closed,
            // nobody reads.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let result = match cli.command {
        Command::Backtest(arguments) => backtest::run(&arguments),
        Command::Bench(command) => bench::run(command),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Stationary(arguments) => stationary::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Episode(arguments) => episode::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Policy(command) => policy::run(&command),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::CalibrateImpact(arguments) => calibrate_impact::run(&arguments),
        Command::Estimate(arguments) => estimate::run(&arguments),
        Command::Data(command) => data::run(&command),
        Command::Paper(arguments) => paper::run(&arguments),
        Command::Trade(arguments) => trade::run(&arguments),
        #[cfg(feature = "torch")]
        Command::Train(arguments) => train::run(&arguments),
        Command::Tune(given) => tune::PACKAGE.run(&given.arguments),
        Command::Collect(given) => live::COLLECT.run(&given.arguments),
        Command::ReplayFeed(given) => live::REPLAY_FEED.run(&given.arguments),
        Command::Store(given) => live::STORE.run(&given.arguments),
        Command::Direction(given) => direction::PACKAGE.run(&given.arguments),
        Command::Serve(given) => serve::SERVE.run(&given.arguments),
        Command::Settings(given) => serve::SETTINGS.run(&given.arguments),
        Command::Dashboard(given) => dashboard::PACKAGE.run(&given.arguments),
        #[cfg(not(feature = "torch"))]
        Command::Train(_) => Err(missing::train()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lobgym: {failure}");
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_tree_is_consistent() {
        Cli::command().debug_assert();
    }
}

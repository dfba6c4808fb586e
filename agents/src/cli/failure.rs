//! How a subcommand can end other than well.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use lob::ParameterError;
use lob::data::NpzError;
use lob::flow::MarketConfigError;
use lobgym_benches::file::FileError;
use lobgym_benches::measure::MeasureError;
use thiserror::Error;

use crate::backtest::BacktestError;
use crate::broker::BrokerError;
use crate::env_rate::RateError;
use crate::evaluation::EvaluateError;
use crate::execution::EpisodeError;
use crate::impact::CalibrationError;
use crate::market_making::QuotingError;
use crate::policy::PolicyError;
use crate::simulate::SimulateError;
use crate::trader::TradeError;

/// Why a subcommand did not do all of its work.
#[derive(Debug, Error)]
pub enum Failure {
    /// The arguments contradict each other, or ask for what this build lacks. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Ctrl-C: what was finished has been printed. Exit code 130.
    #[error("interrupted; what was finished is printed")]
    Interrupted,
    /// Ctrl-C, where a part of the work says nothing: nothing was printed or written. Exit code 130.
    #[error("interrupted; nothing is printed or written")]
    Abandoned,
    /// A message file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An engine could not be measured.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// A market configuration cannot be used.
    #[error(transparent)]
    Market(#[from] MarketConfigError),
    /// An `.npz` file could not be read or written.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// A file of market data could not be read.
    #[error("{}: {source}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: lob::data::market::ReadError,
    },
    /// A file of market data was read, but is not sound.
    #[error("not sound: {0}")]
    Unsound(String),
    /// A parameter is not legal. Exit code 2.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A result could not be written.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("standard output: {0}")]
    Stdout(io::Error),
    /// A result could not be put into JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A plot could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// The handler for Ctrl-C could not be installed.
    #[error("Ctrl-C handler: {0}")]
    Signal(#[from] ctrlc::Error),
    /// Settings of an environment are not legal. Exit code 2.
    #[error(transparent)]
    Config(#[from] gym::ConfigError),
    /// An environment could not be measured.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// An environment did not do what it was asked.
    #[error(transparent)]
    Env(#[from] gym::EnvError),
    /// An episode could not be played under quotes.
    #[error(transparent)]
    Quoting(#[from] QuotingError),
    /// A picture could not be made.
    #[error("picture: {0}")]
    Picture(#[from] png::EncodingError),
    /// A latency model cannot be used.
    #[error(transparent)]
    Latency(#[from] lob::sim::LatencyError),
    /// A session could not be run.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// A policy cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Ctrl-C in a training: a checkpoint is written. Exit code 130.
    #[cfg(feature = "torch")]
    #[error("interrupted; the checkpoint is written, and the same command with --resume --out {} goes on", .0.display())]
    Suspended(PathBuf),
    /// A training could not begin or stopped. Exit code 2 where its settings are the reason.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Train(#[from] crate::rl::TrainError),
    /// A market's impact could not be measured.
    #[error(transparent)]
    Calibration(CalibrationError),
    /// A paper broker could not go on. Exit code 2 where its settings are the reason.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A trader on paper could not begin or go on. Exit code 2 for its settings.
    #[error(transparent)]
    Trade(#[from] TradeError),
    /// Our engines made other trades than the reference book.
    #[error("not exact: {0}; the trades differ from those of the reference book")]
    NotExact(String),
}

impl From<EvaluateError> for Failure {
    fn from(error: EvaluateError) -> Self {
        match error {
            EvaluateError::Parameter(error) => Self::Parameter(error),
            EvaluateError::Config(error) => Self::Config(error),
            EvaluateError::Quoting(error) => Self::Quoting(error),
            EvaluateError::Policy(error) => Self::Policy(error),
            EvaluateError::Env(error) => Self::Env(error),
            EvaluateError::Episode(error) => Self::Episode(error),
            EvaluateError::Latency(error) => Self::Latency(error),
        }
    }
}

impl From<BacktestError> for Failure {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Parameter(error) => Self::Parameter(error),
            BacktestError::Config(error) => Self::Config(error),
            BacktestError::Policy(error) => Self::Policy(error),
            BacktestError::Env(error) => Self::Env(error),
            BacktestError::Stopped => Self::Abandoned,
        }
    }
}

impl From<CalibrationError> for Failure {
    fn from(error: CalibrationError) -> Self {
        match error {
            CalibrationError::Parameter(error) => Self::Parameter(error),
            CalibrationError::Plot(problem) => Self::Plot(problem),
            CalibrationError::Stopped => Self::Abandoned,
            error => Self::Calibration(error),
        }
    }
}

impl From<SimulateError> for Failure {
    fn from(error: SimulateError) -> Self {
        match error {
            SimulateError::Parameter(error) => Self::Parameter(error),
            SimulateError::Latency(error) => Self::Latency(error),
            SimulateError::Npz(error) => Self::Npz(error),
            SimulateError::Output { path, source } => Self::Output { path, source },
            SimulateError::Plot(problem) => Self::Plot(problem),
            SimulateError::Stopped => Self::Abandoned,
        }
    }
}

impl Failure {
    /// What the shell is told: 2 for wrong usage, 130 after Ctrl-C, else 1.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Parameter(_) => 2,
            Self::Config(error)
            | Self::Rate(RateError::Config(error))
            | Self::Quoting(QuotingError::Config(error))
                if is_wrong_usage(error) =>
            {
                2
            }
            Self::Broker(BrokerError::Config(error)) if is_wrong_usage(error) => 2,
            Self::Trade(error) if error.is_usage() => 2,
            Self::Broker(BrokerError::Parameter(_) | BrokerError::Policy(PolicyError::Misfit { .. })) => 2,
            Self::Quoting(QuotingError::Parameter(_)) => 2,
            Self::Policy(PolicyError::Misfit { .. })
            | Self::Episode(EpisodeError::Policy(PolicyError::Misfit { .. })) => 2,
            Self::Interrupted | Self::Abandoned => 130,
            #[cfg(feature = "torch")]
            Self::Suspended(_) => 130,
            #[cfg(feature = "torch")]
            Self::Train(error) if error.is_usage() => 2,
            _ => 1,
        })
    }
}

/// A key or value that is not legal, where it was typed or in a file; as opposed to a file that cannot be read.
fn is_wrong_usage(error: &gym::ConfigError) -> bool {
    use gym::ConfigError;
    matches!(error, ConfigError::Parameter(_) | ConfigError::InFile { .. } | ConfigError::Yaml { .. })
}

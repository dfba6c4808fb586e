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
    /// A latency model cannot be used.
    #[error(transparent)]
    Latency(#[from] lob::sim::LatencyError),
    /// A session could not be run.
    #[error(transparent)]
    Episode(#[from] crate::execution::EpisodeError),
    /// Our engines made other trades than the reference book.
    #[error("not exact: {0}; the trades differ from those of the reference book")]
    NotExact(String),
}

impl Failure {
    /// What the shell is told: 2 for wrong usage, 130 after Ctrl-C, else 1.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Parameter(_) => 2,
            Self::Interrupted | Self::Abandoned => 130,
            _ => 1,
        })
    }
}

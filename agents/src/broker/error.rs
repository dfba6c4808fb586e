//! Why a paper broker cannot go on.

use std::io;
use std::path::PathBuf;

use gym::ConfigError;
use lob::ParameterError;
use thiserror::Error;

use crate::policy::PolicyError;

/// Why a paper broker cannot begin or go on.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// A setting that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Settings or a file of prices that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A policy that cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The ledger's database.
    #[error("{}: {problem}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        problem: rusqlite::Error,
    },
    /// A file.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// Somebody else has the ledger.
    #[error("{} is in use by another paper broker; stop that one, or name another file with --db", .0.display())]
    Locked(PathBuf),
    /// The ledger is none, or of another version, or contradicts itself.
    #[error("{}: {problem}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Money beyond what 64 bits of cents hold.
    #[error(
        "{0} is beyond 92,000,000,000,000,000 in money: the prices or the capital are too large to account for"
    )]
    Overflow(&'static str),
    /// A step's outcome is not what the ledger says was decided.
    #[error(
        "step {step}: the market gives another price than the order {order} was written with; were files changed?"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The order.
        order: String,
    },
}

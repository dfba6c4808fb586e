//! `lobgym policy`: what trained policies are.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::output::{self, JsonTarget};
use crate::policy::{Inspection, POLICY_FILE, PolicyFile};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what a policy file is and needs: format, network, observation, action, environment, training
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// A policy's file, or the directory of a run of `lobgym train`
    #[arg(value_name = "FILE|RUN")]
    path: PathBuf,
    /// Write the same as JSON (docs/training.md); - is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// Runs it.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Inspect(Inspect { path, json }) = command;
    let policy = PolicyFile::open(path)?;
    let file = if path.is_dir() { path.join(POLICY_FILE) } else { path.clone() };
    let inspection = Inspection::new(&file, &policy);
    output::report(&inspection.text(), &inspection, json.as_ref())
}

//! Subcommands that need Python or torch: the bare binary says where they are.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Failure;

/// What the installed package adds to the bare binary.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train an agent (needs the Python package)
    Train(Anything),
    /// Search hyperparameters (needs the Python package)
    Tune(Anything),
    /// Serve policies (needs the Python package)
    Serve(Anything),
    /// Watch runs in a browser (needs the Python package)
    Dashboard(Anything),
    /// Record market data (needs the Python package)
    Collect(Anything),
}

/// Whatever follows is for the installed package to understand.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

/// Says what to install.
pub(super) fn run(command: &Command) -> Failure {
    let name = match command {
        Command::Train(_) => "train",
        Command::Tune(_) => "tune",
        Command::Serve(_) => "serve",
        Command::Dashboard(_) => "dashboard",
        Command::Collect(_) => "collect",
    };
    Failure::Usage(format!(
        "`{name}` needs Python, which this binary is built without. Install the package, in the repository:\n  \
         python3 -m venv .venv && .venv/bin/pip install .\nthen run: .venv/bin/lobgym {name}"
    ))
}

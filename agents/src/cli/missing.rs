//! Subcommands that need Python or torch: the bare binary says where they are.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Failure;

/// What the installed package adds to the bare binary.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train an agent (needs a build with libtorch: docs/training.md)
    #[cfg(not(feature = "torch"))]
    Train(Anything),
    /// Serve policies (needs the Python package)
    Serve(Anything),
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
        #[cfg(not(feature = "torch"))]
        Command::Train(_) => return train(),
        Command::Serve(_) => "serve",
    };
    Failure::Usage(format!(
        "`{name}` needs Python, which this binary is built without. Install the package, in the repository:\n  \
         python3 -m venv .venv && .venv/bin/pip install .\nthen run: .venv/bin/lobgym {name}"
    ))
}

#[cfg(not(feature = "torch"))]
fn train() -> Failure {
    Failure::Usage(
        "`train` needs libtorch, which this binary is built without. Install torch 2.11.0 (unless your Python environment has it) and build \
         with it, in the repository:\n  \
         python3 -m venv .venv && . .venv/bin/activate && pip install torch==2.11.0\n  \
         LIBTORCH_USE_PYTORCH=1 cargo build --release -p agents --features torch\n\
         then run: target/release/lobgym train"
            .to_owned(),
    )
}

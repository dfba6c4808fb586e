//! A subcommand that needs libtorch: a build without it says where it is.

use std::ffi::OsString;

use clap::Args;

use super::Failure;

/// Whatever follows is for the build with libtorch to understand.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

/// Says what to install.
pub(super) fn train() -> Failure {
    Failure::Usage(
        "`train` needs libtorch, which this binary is built without. Install torch 2.11.0 (unless your Python environment has it) and build \
         with it, in the repository:\n  \
         python3 -m venv .venv && . .venv/bin/activate && pip install torch==2.11.0\n  \
         LIBTORCH_USE_PYTORCH=1 cargo build --release -p agents --features torch\n\
         then run: target/release/lobgym train"
            .to_owned(),
    )
}

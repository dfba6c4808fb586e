//! The command `lobgym`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agents::cli::run(std::env::args_os())
}

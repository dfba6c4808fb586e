//! `lobgym tune`: hands over to the Python package, which searches hyperparameters with Optuna.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;

use super::Failure;

/// What the package's own command understands; `lobgym tune --help` shows its help.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// The module that searches.
const MODULE: &str = "lobgym.tuning";

/// Runs the search in the first Python that has the package. Where that is possible, the search replaces this process: Ctrl-C and exit
/// codes are its own.
///
/// # Errors
/// [`Failure::Usage`] if no Python has the package, with those that were tried.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut tried = Vec::new();
    for python in candidates() {
        let Some(problem) = lacks_package(&python) else {
            let mut command = Command::new(&python);
            command.arg("-m").arg(MODULE).args(&arguments.arguments);
            return Err(hand_over(&mut command, &python));
        };
        tried.push(format!("{}: {problem}", python.display()));
    }
    Err(Failure::Usage(format!(
        "`tune` needs a Python that has lobgym with Optuna and the learners; tried:\n  {}\n\
         Install the package, in the repository, and make its environment the active one (docs/tuning.md):\n  \
         python3 -m venv .venv && . .venv/bin/activate && pip install '.[agents,tune]'",
        tried.join("\n  ")
    )))
}

/// The active virtual environment's Python, then the one on the path.
fn candidates() -> Vec<PathBuf> {
    let inside = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let active = std::env::var_os("VIRTUAL_ENV").map(|directory| PathBuf::from(directory).join(inside));
    active.into_iter().chain([PathBuf::from("python3")]).collect()
}

/// Why this Python cannot search, if so.
fn lacks_package(python: &PathBuf) -> Option<String> {
    let find = format!("import {MODULE}");
    let mut probe = Command::new(python);
    probe.args(["-c", &find]).stdin(Stdio::null());
    match probe.output() {
        Err(error) => Some(error.to_string()),
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Some(text.trim_end().lines().next_back().unwrap_or("it ended without a word").to_owned())
        }
    }
}

/// Lets the command take this process's place; returns only if it cannot.
#[cfg(unix)]
fn hand_over(command: &mut Command, python: &std::path::Path) -> Failure {
    use std::os::unix::process::CommandExt;
    Failure::Output { path: python.to_owned(), source: command.exec() }
}

/// Waits for the command and ends as it ended; returns only if it cannot be run.
#[cfg(not(unix))]
fn hand_over(command: &mut Command, python: &std::path::Path) -> Failure {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(source) => Failure::Output { path: python.to_owned(), source },
    }
}

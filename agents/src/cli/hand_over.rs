//! Handing a subcommand over to the Python package, in the first Python that has what it needs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::Failure;

/// Where the package looks for this program.
const BINARY: &str = "LOBGYM_BINARY";

/// Whatever follows is for the package to understand; `lobgym NAME --help` shows its help.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(super) arguments: Vec<OsString>,
}

/// A subcommand of the package.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    /// As this binary calls it.
    pub(super) name: &'static str,
    /// What `python -m` runs, with the arguments that come before those given.
    pub(super) module: &'static str,
    pub(super) before: &'static [&'static str],
    /// The modules without which it does not work.
    pub(super) imports: &'static str,
    /// What a Python must have, in words; the extras that bring it; and the page about it.
    pub(super) needs: &'static str,
    pub(super) extras: &'static str,
    pub(super) page: &'static str,
}

impl Package {
    /// Runs the subcommand in the first Python that has the package. Where that is possible, it replaces this process: Ctrl-C and exit
    /// codes are its own.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no Python has the package, with those that were tried.
    pub(super) fn run(self, arguments: &[OsString]) -> Result<(), Failure> {
        let mut tried = Vec::new();
        for python in candidates() {
            let Some(problem) = lacks(&python, self.imports) else {
                let mut command = Command::new(&python);
                command.arg("-m").arg(self.module).args(self.before).args(arguments);
                // The package starts this very program, wherever it lies, unless another one is named.
                if let (None, Ok(program)) = (std::env::var_os(BINARY), std::env::current_exe()) {
                    command.env(BINARY, program);
                }
                return Err(replace_by(&mut command, &python));
            };
            tried.push(format!("{}: {problem}", python.display()));
        }
        Err(Failure::Usage(format!(
            "`{}` needs a Python that has {}; tried:\n  {}\n\
             Install the package, in the repository, and make its environment the active one ({}):\n  \
             python3 -m venv .venv && . .venv/bin/activate && pip install '.[{}]'",
            self.name,
            self.needs,
            tried.join("\n  "),
            self.page,
            self.extras
        )))
    }
}

/// The active virtual environment's Python, the one of a `.venv` here, then the one on the path.
fn candidates() -> Vec<PathBuf> {
    let inside = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let active = std::env::var_os("VIRTUAL_ENV").map(|directory| PathBuf::from(directory).join(inside));
    let here = Some(Path::new(".venv").join(inside)).filter(|python| python.exists());
    active.into_iter().chain(here).chain([PathBuf::from("python3")]).collect()
}

/// Why this Python cannot run the subcommand, if so.
fn lacks(python: &Path, imports: &str) -> Option<String> {
    let mut probe = Command::new(python);
    probe.args(["-c", &format!("import {imports}")]).stdin(Stdio::null());
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
fn replace_by(command: &mut Command, python: &Path) -> Failure {
    use std::os::unix::process::CommandExt;
    Failure::Output { path: python.to_owned(), source: command.exec() }
}

/// Waits for the command and ends as it ended; returns only if it cannot be run.
#[cfg(not(unix))]
fn replace_by(command: &mut Command, python: &Path) -> Failure {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(source) => Failure::Output { path: python.to_owned(), source },
    }
}

//! Where results go: tables to standard output, JSON and plots to files that appear whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lobgym_benches::atomic::{write_atomically, write_text};
use serde::Serialize;

use super::Failure;
pub(super) use crate::report::plain_table as table;

/// Where `--json` points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonTarget {
    /// `-`: standard output; tables then go to standard error.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl JsonTarget {
    /// For clap.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the path is empty; legal: a file, or - for standard output".to_owned()),
            "-" => Ok(Self::Stdout),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// Prints the table for people, and the JSON where it was asked for.
pub(super) fn report(
    table: &str,
    value: &impl Serialize,
    target: Option<&JsonTarget>,
) -> Result<(), Failure> {
    let json = || Ok::<_, Failure>(serde_json::to_string_pretty(value)? + "\n");
    match target {
        None => print(table),
        Some(JsonTarget::Stdout) => {
            eprint!("{table}");
            print(&json()?)
        }
        Some(JsonTarget::File(path)) => {
            print(table)?;
            write_file(path, &json()?)
        }
    }
}

/// Writes a file atomically.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    write_text(path, text).map_err(|source| Failure::Output { path: path.to_owned(), source })
}

/// Writes a file of bytes atomically.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_atomically(path, |writer| writer.write_all(bytes))
        .map_err(|source| Failure::Output { path: path.to_owned(), source })
}

/// Prints to standard output. A reader that has gone (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
        _ => Ok(()),
    }
}

/// A progress bar on standard error, in plain characters; invisible unless that is a terminal.
pub(super) fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:30}] {pos}/{len} {msg}") {
        bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
    }
    bar
}

/// A progress bar on standard error that also tells the time left; invisible unless that is a terminal.
pub(super) fn timed_progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}, {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A progress bar over bytes of a file, or a spinner where their number is not known.
pub(super) fn bytes_progress(length: Option<u64>) -> ProgressBar {
    let Some(length) = length else { return spinner("reading".to_owned()) };
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {bytes}/{total_bytes}, {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A spinner on standard error for work of unknown length.
pub(super) fn spinner(message: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Bytes in mebibytes.
pub(super) fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)))
}

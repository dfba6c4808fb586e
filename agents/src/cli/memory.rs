//! `lobgym bench memory`, hidden: the process of its own in which `bench latency` measures an engine's
//! memory.

use std::io;
use std::process::{Command, Stdio};

use clap::Args;
use lobgym_benches::engines::EngineId;
use lobgym_benches::message::Stream;
use lobgym_benches::{file, measure};

use super::{Failure, output};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The engine
    engine: EngineId,
}

/// Reads a stream from standard input; prints the bytes, or `unknown` where the system does not tell.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = measure::peak_memory(arguments.engine, io::stdin().lock(), "standard input")?;
    let text = bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string());
    output::print(&format!("{text}\n"))
}

/// Runs this program again as `bench memory` and feeds it the stream. `None` if anything is in the way: a
/// missing figure must not cost the others.
pub(super) fn probe(engine: EngineId, stream: &Stream) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().ok()?)
        .args(["bench", "memory", engine.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // The pipe closes when this block ends, which is what the child waits for; the child is waited for either
    // way.
    let written = child.stdin.take().map(|mut pipe| file::write_to(&mut pipe, stream));
    let output = child.wait_with_output().ok()?;
    written?.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

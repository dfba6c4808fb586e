//! `lobgym bench`: measure the order book.

use clap::Subcommand;

use super::{Failure, growth, latency, memory};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Time, exactness and memory of the book on a message stream, beside a yardstick and other crates
    Latency(latency::Arguments),
    /// Time a message as the book grows from 100 to 1,000,000 live orders
    Growth(growth::Arguments),
    /// Peak memory of one engine on the stream on standard input (run by `bench latency`)
    #[command(hide = true)]
    Memory(memory::Arguments),
}

/// Runs one.
pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Latency(arguments) => latency::run(&arguments),
        Command::Growth(arguments) => growth::run(&arguments),
        Command::Memory(arguments) => memory::run(&arguments),
    }
}

//! `lobgym bench`: measure the order book and the environments.

use clap::Subcommand;

use super::{Failure, bench_decide, bench_env, growth, latency, memory};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Time, exactness and memory of the book on a message stream, beside a yardstick and other crates
    Latency(latency::Arguments),
    /// Time a message as the book grows from 100 to 1,000,000 live orders
    Growth(growth::Arguments),
    /// Steps a second of environments, and their memory
    Env(bench_env::Arguments),
    /// Time from prices to orders of a paper broker
    Decide(bench_decide::Arguments),
    /// Peak memory of one engine on the stream on standard input (run by `bench latency`)
    #[command(hide = true)]
    Memory(memory::Arguments),
}

/// Runs one.
pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Latency(arguments) => latency::run(&arguments),
        Command::Growth(arguments) => growth::run(&arguments),
        Command::Env(arguments) => bench_env::run(&arguments),
        Command::Decide(arguments) => bench_decide::run(&arguments),
        Command::Memory(arguments) => memory::run(&arguments),
    }
}

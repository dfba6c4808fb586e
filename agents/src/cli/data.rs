//! `lobgym data`: look into files of market data, check and convert them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lob::data::market::{self, MarketReader, ReadOptions, Step};

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::data::{self, Survey, SurveyError};

/// What can be done with a file.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell a file's format, instruments, times and events
    Info(SurveyArgs),
    /// Replay a file and count everything that does not fit; exit code 1 if it is not sound
    Check(SurveyArgs),
}

/// The file, and how it is read.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// The file; its format and compression are told by its content
    file: PathBuf,
    /// End at the first damaged record instead of counting it and passing over
    #[arg(long)]
    strict: bool,
    /// Tick size [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    tick: Option<Step>,
    /// Lot size [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    lot: Option<Step>,
    /// Only these instruments [default: all]
    #[arg(long, value_name = "SYMBOL,...", value_delimiter = ',')]
    symbols: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct SurveyArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Write everything as JSON (docs/cli.md); - is standard output, and the tables then go to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// Runs one.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Info(arguments) => {
            let survey = survey(&arguments.input)?;
            output::report(&data::render_info(&survey), &survey, arguments.json.as_ref())
        }
        Command::Check(arguments) => {
            let survey = survey(&arguments.input)?;
            output::report(&data::render_check(&survey), &survey, arguments.json.as_ref())?;
            let unsound = survey.unsound();
            if unsound.is_empty() { Ok(()) } else { Err(Failure::Unsound(unsound.join("; "))) }
        }
    }
}

impl InputArgs {
    fn open(&self) -> Result<Box<dyn MarketReader>, Failure> {
        let options = ReadOptions {
            strict: self.strict,
            tick: self.tick,
            lot: self.lot,
            symbols: self.symbols.clone(),
        };
        market::open(&self.file, &options).map_err(|error| self.failure(error))
    }

    fn failure(&self, source: market::ReadError) -> Failure {
        Failure::Data { path: self.file.clone(), source }
    }
}

fn survey(input: &InputArgs) -> Result<Survey, Failure> {
    let mut reader = input.open()?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::bytes_progress(reader.progress().1);
    let name = input.file.display().to_string();
    let survey = data::survey(&name, reader.as_mut(), stop.flag(), &|done, _| bar.set_position(done));
    bar.finish_and_clear();
    survey.map_err(|error| match error {
        SurveyError::Read(source) => input.failure(source),
        SurveyError::Stopped => Failure::Abandoned,
    })
}

//! `lobgym data`: look into files of market data, check and convert them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lob::Nanos;
use lob::data::market::{self, MarketReader, ReadOptions, Step};
use serde::Serialize;

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::data::{self, Conversion, ConvertError, Survey, SurveyError};

/// What can be done with a file.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell a file's format, instruments, times and events
    Info(SurveyArgs),
    /// Replay a file and count everything that does not fit; exit code 1 if it is not sound
    Check(SurveyArgs),
    /// Write one instrument's events as an npz file that the hftbacktest package plays
    Convert(ConvertArgs),
    /// Write one instrument's bars as a CSV file: prices of trades, volume, best quotes
    Bars(BarsArgs),
    /// Play a file's book: watch it, or quote in it and see every order's fate
    Replay(super::data_replay::ReplayArgs),
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
    /// LOBSTER's order-book file that belongs to the messages; - for none [default: the file beside them that is named so]
    #[arg(long, value_name = "FILE")]
    orderbook: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SurveyArgs {
    #[command(flatten)]
    input: InputArgs,
    /// List stretches of time without any event from this many seconds on
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    gap: Nanos,
    /// Write everything as JSON (docs/cli.md); - is standard output, and the tables then go to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    input: InputArgs,
    /// The file to write: .npz for lobgym and hftbacktest, .parquet for data frames (docs/data_format.md, "Market events")
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write what was done as JSON (docs/cli.md); - is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Debug, Args)]
pub(super) struct BarsArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Length of a bar, s
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    interval: Nanos,
    /// The CSV file to write (docs/cli.md, "lobgym data bars")
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,
}

/// Runs one.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Info(arguments) => {
            let survey = survey(arguments)?;
            output::report(&data::render_info(&survey), &survey, arguments.json.as_ref())
        }
        Command::Check(arguments) => {
            let survey = survey(arguments)?;
            output::report(&data::render_check(&survey), &survey, arguments.json.as_ref())?;
            let unsound = survey.unsound();
            if unsound.is_empty() { Ok(()) } else { Err(Failure::Unsound(unsound.join("; "))) }
        }
        Command::Convert(arguments) => convert(arguments),
        Command::Bars(arguments) => bars(arguments),
        Command::Replay(arguments) => super::data_replay::run(arguments),
    }
}

impl InputArgs {
    fn open(&self) -> Result<Box<dyn MarketReader>, Failure> {
        let options = ReadOptions {
            strict: self.strict,
            tick: self.tick,
            lot: self.lot,
            symbols: self.symbols.clone(),
            orderbook: self.orderbook(),
        };
        market::open(&self.file, &options).map_err(|error| self.failure(error))
    }

    /// The order-book file: the one that is named, or the one that lies beside the messages.
    fn orderbook(&self) -> Option<PathBuf> {
        match &self.orderbook {
            Some(none) if none.as_os_str() == "-" => None,
            Some(path) => Some(path.clone()),
            None => market::orderbook_beside(&self.file),
        }
    }

    fn failure(&self, source: market::ReadError) -> Failure {
        Failure::Data { path: self.file.clone(), source }
    }
}

/// What `data convert` did.
#[derive(Debug, Serialize)]
struct Converted {
    schema_version: u32,
    file: String,
    out: String,
    format: &'static str,
    symbol: String,
    tick: String,
    lot: String,
    events: u64,
    damaged: u64,
    records: u64,
    split_records: u64,
    local_shift_ns: u64,
}

fn convert(arguments: &ConvertArgs) -> Result<(), Failure> {
    let extension = arguments.out.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let target = match extension {
        "npz" => data::Target::Npz,
        "parquet" => data::Target::Parquet,
        _ => {
            let out = arguments.out.display();
            let text = format!("--out is {out}; legal: a file that ends in .npz or .parquet");
            return Err(Failure::Usage(text));
        }
    };
    let input = &arguments.input;
    let mut reader = input.open()?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::bytes_progress(reader.progress().1);
    let source = input.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let provenance = [
        ("tool", "lobgym data convert"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("source", &source),
        ("format", reader.format().name()),
    ];
    let progress = |done| bar.set_position(done);
    let done = data::convert(reader.as_mut(), &arguments.out, target, &provenance, stop.flag(), &progress);
    bar.finish_and_clear();
    let Conversion { events, written } = done.map_err(|error| not_converted(error, input, &arguments.out))?;
    let instrument = &reader.instruments()[0];
    let converted = Converted {
        schema_version: 1,
        file: input.file.display().to_string(),
        out: arguments.out.display().to_string(),
        format: reader.format().name(),
        symbol: instrument.symbol.clone(),
        tick: instrument.tick.to_string(),
        lot: instrument.lot.to_string(),
        events,
        damaged: reader.tally().damaged,
        records: written.records,
        split_records: written.split,
        local_shift_ns: written.local_shift,
    };
    let mut text = format!(
        "{}: {} events of {} (tick {}, lot {}) as {} records",
        converted.out, converted.events, converted.symbol, converted.tick, converted.lot, converted.records
    );
    if converted.split_records > 0 {
        text += &format!(
            ", {} of them split by the exchange's and the receiver's order",
            converted.split_records
        );
    }
    if converted.local_shift_ns > 0 {
        text += &format!(
            "\nlocal stamps are shifted by {:.6} s, so that nothing is received before it is sent",
            converted.local_shift_ns as f64 / 1e9
        );
    }
    if converted.damaged > 0 {
        text += &format!("\n{} damaged records were passed over", converted.damaged);
    }
    output::report(&(text + "\n"), &converted, arguments.json.as_ref())
}

fn not_converted(error: ConvertError, input: &InputArgs, out: &Path) -> Failure {
    let file = input.file.display();
    match error {
        ConvertError::Read(source) => input.failure(source),
        ConvertError::Npz(error) => error.into(),
        ConvertError::Table(source) => Failure::Output { path: out.to_owned(), source },
        ConvertError::Stopped => Failure::Abandoned,
        ConvertError::Empty => Failure::Unsound(format!("{file} holds no events (or none of --symbols)")),
        ConvertError::Several([one, other]) => Failure::Usage(format!(
            "{file} holds several instruments ({one}, {other}, ...); choose one by --symbols"
        )),
    }
}

fn bars(arguments: &BarsArgs) -> Result<(), Failure> {
    let input = &arguments.input;
    let mut reader = input.open()?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::bytes_progress(reader.progress().1);
    let progress = |done| bar.set_position(done);
    let done =
        data::write_bars(reader.as_mut(), &arguments.out, arguments.interval.0, stop.flag(), &progress);
    bar.finish_and_clear();
    let written = done.map_err(|error| not_converted(error, input, &arguments.out))?;
    let mut text = format!(
        "{}: {} bars of {}, {} of them without a trade; {} trades, {} events",
        arguments.out.display(),
        written.bars,
        reader.instruments()[0].symbol,
        written.empty,
        written.trades,
        written.events
    );
    if written.misfits > 0 {
        text += &format!("\n{} events did not fit the book: `lobgym data check` says which", written.misfits);
    }
    output::print(&(text + "\n"))
}

/// A time in seconds, above zero.
fn seconds(text: &str) -> Result<Nanos, String> {
    let nanos = Step::power_of_ten(-9).parse_size(text.as_bytes()).ok().filter(|&nanos| nanos > 0);
    nanos.map(Nanos).ok_or_else(|| "legal: a number of seconds > 0, to the nanosecond".to_owned())
}

fn survey(arguments: &SurveyArgs) -> Result<Survey, Failure> {
    let input = &arguments.input;
    let mut reader = input.open()?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::bytes_progress(reader.progress().1);
    let name = input.file.display().to_string();
    let orderbook = input.orderbook().map(|path| path.display().to_string());
    let survey =
        data::survey(&name, orderbook.as_deref(), arguments.gap, reader.as_mut(), stop.flag(), &|done, _| {
            bar.set_position(done)
        });
    bar.finish_and_clear();
    survey.map_err(|error| match error {
        SurveyError::Read(source) => input.failure(source),
        SurveyError::Stopped => Failure::Abandoned,
    })
}

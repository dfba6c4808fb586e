//! `lobgym calibrate`: a flow's parameters from market data.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lob::calibration::Span;
use lob::data::market::{ReadOptions, Step};

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::calibration::{self, CalibrateError, Data, FlowKind, Request};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Market data: orders (level 3), or levels and trades (level 2); format and compression are told by the content
    events: PathBuf,
    /// The order-flow file to write, with standard errors and provenance
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// The market to write, for environments and --config
    #[arg(long, value_name = "FILE.yaml")]
    market: Option<PathBuf>,
    /// What is estimated
    #[arg(long, value_enum, default_value_t = Kind::Flow)]
    flow: Kind,
    /// Do not estimate the Hawkes flow beside flow or noise, into the same file
    #[arg(long)]
    without_hawkes: bool,
    /// Tell bids from asks in the reference flow, whose sides are mirror images otherwise: what they differ in becomes a drift of the price
    #[arg(long)]
    sides_apart: bool,
    /// Queues on each side of the queue-reactive flow
    #[arg(long, value_name = "N", default_value_t = 5)]
    queues: usize,
    /// A tick of the model, in ticks of the instrument [default: 1, or what makes the mean spread 2.5 where it is above 4]
    #[arg(long, value_name = "TICKS")]
    grid: Option<u64>,
    /// A lot of the model, in the instrument's unit (0.01, say) [default: half the median limit order, roughly]
    #[arg(long, value_name = "SIZE")]
    lot: Option<f64>,
    /// Distances that are observed, in ticks of the model [default: what holds 95% of the limit orders, 10 to 100]
    #[arg(long, value_name = "N")]
    levels: Option<usize>,
    /// Begin so long after the first event, s; what is before only builds the book
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    from: f64,
    /// End so long after the first event, s [default: the end of the file]
    #[arg(long, value_name = "SECONDS")]
    until: Option<f64>,
    /// Estimate a time of day: its period, s, and the equal parts of it
    #[arg(long, value_name = "SECONDS,PARTS", value_parser = profile)]
    profile: Option<(f64, usize)>,
    /// End at the first damaged record instead of counting it and passing over
    #[arg(long)]
    strict: bool,
    /// Tick size of the instrument [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    instrument_tick: Option<Step>,
    /// Lot size of the instrument [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    instrument_lot: Option<Step>,
    /// Only this instrument, where the file holds several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Seed of the simulated session that the data is compared with
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write a self-contained report: the data against the calibrated markets
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Write everything as JSON (docs/calibration.md); - is standard output, and the tables then go to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// The flow that is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The reference flow; it reacts to imbalance if the data does
    Flow,
    /// The reference flow without a reaction
    Noise,
    /// The queue-reactive flow: a --market, no --out
    #[value(name = "queue_reactive")]
    QueueReactive,
    /// The Hawkes flow, by maximum likelihood
    Hawkes,
}

fn profile(text: &str) -> Result<(f64, usize), String> {
    let parsed =
        text.split_once(',').and_then(|(period, parts)| Some((period.parse().ok()?, parts.parse().ok()?)));
    parsed.ok_or_else(|| "legal: a period in seconds and a number of parts, such as 86400,24".to_owned())
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let ending = |path: &Option<PathBuf>, option: &str, legal: &str| {
        let wrong = path.as_ref().filter(|path| path.extension().is_none_or(|extension| extension != legal));
        wrong.map_or(Ok(()), |path| {
            let text = format!("--{option} is {}; legal: a file that ends in .{legal}", path.display());
            Err(Failure::Usage(text))
        })
    };
    ending(&arguments.out, "out", "npz")?;
    ending(&arguments.market, "market", "yaml")?;
    if arguments.flow == Kind::QueueReactive && arguments.out.is_some() {
        let text = "--out holds the parameters of flow, noise and hawkes only; legal with queue_reactive: --market FILE.yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let request = Request {
        data: Data {
            path: arguments.events.clone(),
            options: ReadOptions {
                strict: arguments.strict,
                tick: arguments.instrument_tick,
                lot: arguments.instrument_lot,
                symbols: arguments.symbol.iter().cloned().collect(),
                ..ReadOptions::default()
            },
            span: Span { from: arguments.from, until: arguments.until.unwrap_or(f64::INFINITY) },
        },
        flow: match arguments.flow {
            Kind::Flow => FlowKind::Tactical,
            Kind::Noise => FlowKind::Noise,
            Kind::QueueReactive => FlowKind::QueueReactive(arguments.queues),
            Kind::Hawkes => FlowKind::Hawkes,
        },
        sides_apart: arguments.sides_apart,
        hawkes: !arguments.without_hawkes && arguments.flow != Kind::QueueReactive,
        grid: arguments.grid,
        lot: arguments.lot,
        levels: arguments.levels,
        profile: arguments.profile,
        seed: arguments.seed,
        command: spelled(arguments),
    };
    let stop = Stop::on_ctrl_c()?;
    let length = std::fs::metadata(&arguments.events).ok().map(|metadata| metadata.len());
    let bar = output::bytes_progress(length);
    let progress = |_pass: usize, bytes: u64| bar.set_position(bytes);
    let calibrated = calibration::calibrate(&request, stop.flag(), &progress);
    bar.finish_and_clear();
    let calibrated = calibrated?;
    let yaml = calibrated.market_config().to_yaml().map_err(Failure::Usage)?;
    if stop.requested() {
        return Err(Failure::Abandoned);
    }
    if let Some(path) = &arguments.out {
        calibrated.write_npz(path)?;
    }
    if let Some(path) = &arguments.market {
        output::write_file(path, &(heading(&calibrated, path) + &yaml))?;
    }
    let report = calibrated.report();
    if let Some(path) = &arguments.html {
        output::write_file(path, &calibration::report_html(&report))?;
    }
    let text = format!("{}\n{}", calibration::render(&calibrated), calibration::verdict_table(&report));
    output::report(&text, &calibrated, arguments.json.as_ref())
}

/// The command with all that decides its result; folders stay here.
fn spelled(arguments: &Arguments) -> String {
    let file =
        arguments.events.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("lobgym calibrate {file}");
    let flow =
        arguments.flow.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut add = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!(" --{option} {value}");
        }
    };
    add("flow", Some(flow));
    add("queues", (arguments.flow == Kind::QueueReactive).then(|| arguments.queues.to_string()));
    add("grid", arguments.grid.map(|value| value.to_string()));
    add("lot", arguments.lot.map(|value| value.to_string()));
    add("levels", arguments.levels.map(|value| value.to_string()));
    add("from", (arguments.from > 0.0).then(|| arguments.from.to_string()));
    add("until", arguments.until.map(|value| value.to_string()));
    add("profile", arguments.profile.map(|(period, parts)| format!("{period},{parts}")));
    add("instrument-tick", arguments.instrument_tick.map(|value| value.to_string()));
    add("instrument-lot", arguments.instrument_lot.map(|value| value.to_string()));
    add("symbol", arguments.symbol.clone());
    if arguments.sides_apart {
        text += " --sides-apart";
    }
    if arguments.without_hawkes {
        text += " --without-hawkes";
    }
    text
}

/// Where the market comes from, as comments.
fn heading(calibrated: &calibration::Calibrated, path: &Path) -> String {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("# {name}: a flow calibrated to market data (docs/calibration.md).\n");
    for (key, value) in calibrated.provenance() {
        text += &format!("# {key}: {value}\n");
    }
    text
}

impl From<CalibrateError> for Failure {
    fn from(error: CalibrateError) -> Self {
        match error {
            CalibrateError::Data { path, source } => Self::Data { path, source },
            CalibrateError::Io { path, source } => Self::Output { path, source },
            CalibrateError::Several { .. } => Self::Usage(error.to_string()),
            CalibrateError::Unfit { .. } => Self::Unsound(error.to_string()),
            CalibrateError::Parameter(error) => Self::Parameter(error),
            CalibrateError::Stopped => Self::Abandoned,
        }
    }
}

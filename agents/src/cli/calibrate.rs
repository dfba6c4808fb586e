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
    #[arg(long, value_enum, default_value_t = Flow::Flow)]
    flow: Flow,
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
    /// Write everything as JSON (docs/calibration.md); - is standard output, and the tables then go to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// The flow that is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Flow {
    /// The reference flow; it reacts to imbalance if the data does
    Flow,
    /// The reference flow without a reaction
    Noise,
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
    let request = Request {
        data: Data {
            path: arguments.events.clone(),
            options: ReadOptions {
                strict: arguments.strict,
                tick: arguments.instrument_tick,
                lot: arguments.instrument_lot,
                symbols: arguments.symbol.iter().cloned().collect(),
            },
            span: Span { from: arguments.from, until: arguments.until.unwrap_or(f64::INFINITY) },
        },
        flow: match arguments.flow {
            Flow::Flow => FlowKind::Tactical,
            Flow::Noise => FlowKind::Noise,
        },
        grid: arguments.grid,
        lot: arguments.lot,
        levels: arguments.levels,
        profile: arguments.profile,
        seed: arguments.seed,
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
    if let (Some(path), Some(params)) = (&arguments.out, calibrated.params()) {
        params.to_npz_with_errors(path, &calibrated.provenance(), &calibrated.errors)?;
    }
    if let Some(path) = &arguments.market {
        output::write_file(path, &(heading(&calibrated, path) + &yaml))?;
    }
    output::report(&calibration::render(&calibrated), &calibrated, arguments.json.as_ref())
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

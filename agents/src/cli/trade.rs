//! `lobgym trade`: one asset on paper, on bars of a file or as they come.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use gym::prices::{BarColumns, RawBar, TickBarsConfig, usual_interval_seconds};

use lob::ParameterError;

use super::Failure;
use super::env_args::EnvSource;
use super::output::{self, JsonTarget};
use super::pace::{Pace, Speed, WATCH, ending_signals, log, speed};
use crate::trader::{
    Ending, Entry, Record, TradeError, TradeRun, TradeSettings, TradeStatus, TraderEntrant, kill_file,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a session stands at, also while its trader is at work
    Status(Status),
    /// Switch a trader off: it sells what it holds and ends
    Kill(Kill),
}

#[derive(Debug, Args)]
struct Run {
    /// Who trades: policy:RUN, lowrider, buy_and_hold, random or cash, with options as in lowrider:reluctance=20:spacing=0.005
    #[arg(long, value_name = "POLICY", required = true)]
    policy: Option<TraderEntrant>,
    /// The bars: CSV or Parquet (docs/environments/trader.md)
    #[arg(long, value_name = "FILE", required = true)]
    bars: Option<PathBuf>,
    /// Wait for further lines of the CSV file, as `lobgym collect --bars-file` writes them; what it has already is seen, not traded on
    #[arg(long)]
    follow: bool,
    /// With --follow: trade on what the file has already, too
    #[arg(long, requires = "follow")]
    from_start: bool,
    /// The session's directory; one that is there goes on where it ended
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// Bars a second, or max; with --follow they come when they come
    #[arg(long, default_value = "max", value_parser = speed)]
    speed: Speed,
    /// End when the session has so many bars [default: when the bars end, or when it is told to]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// What a policy that draws its actions draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Sell everything and end once more than this share of the capital is lost
    #[arg(long, value_name = "SHARE")]
    max_loss: Option<f64>,
    #[command(flatten)]
    source: EnvSource,
}

#[derive(Debug, Args)]
struct Status {
    /// The session's directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Write the same as JSON (docs/trade.md); - is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

#[derive(Debug, Args)]
struct Kill {
    /// The session's directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Some(Command::Status(Status { directory, json })) => {
            let status = TradeStatus::of(directory)?;
            output::report(&status.text(), &status, json.as_ref())
        }
        Some(Command::Kill(Kill { directory })) => {
            // A typing mistake must not look like success.
            TradeStatus::of(directory)?;
            let file = kill_file(directory);
            output::write_file(&file, "")?;
            output::print("kill switch on: the trader sells everything and ends\n")
        }
        None => {
            let Run { policy: Some(policy), bars: Some(bars), out: Some(out), .. } = &arguments.run else {
                unreachable!("clap requires them where there is no subcommand")
            };
            trade(&arguments.run, policy, bars, out)
        }
    }
}

fn trade(arguments: &Run, policy: &TraderEntrant, file: &Path, out: &Path) -> Result<(), Failure> {
    let stop = ending_signals()?;
    let env = arguments.source.resolve_for_trader(policy)?;
    let mut settings = TradeSettings {
        policy: policy.clone(),
        env,
        bars: file.to_owned(),
        seed: arguments.seed,
        max_loss: arguments.max_loss,
        interval_seconds: 1.0,
        first_ns: i64::MIN,
    };
    let columns = columns_of(&settings);
    let mut bars = if arguments.follow {
        Bars::Growing(Box::new(Growing::open(file, columns, &stop)?))
    } else {
        Bars::Whole(columns.read(Path::new(""))?.into_iter())
    };
    let mut known = bars.known()?;
    if arguments.follow && !arguments.from_start {
        settings.first_ns = known.last().map_or(i64::MIN, |bar| bar.time_ns);
    }
    if arguments.follow && !out.join(Record::FILE).exists() {
        // What a bar's length is, two of them say; a session keeps it.
        wait_for_two(&mut bars, &mut known, file, &stop)?;
    }
    settings.interval_seconds = usual_interval_seconds(known.iter().map(|bar| bar.time_ns)).unwrap_or(1.0);
    let mut run = TradeRun::open(out, &settings)?;
    log(&[
        ("event", "start".to_owned()),
        ("policy", policy.to_string()),
        ("bars", file.display().to_string()),
        ("out", out.display().to_string()),
    ]);
    let ending = play(&mut run, &mut bars, known, arguments, &stop)?;
    log(&[
        ("event", "stop".to_owned()),
        ("reason", ending.name().to_owned()),
        ("step", run.steps().to_string()),
    ]);
    drop(run);
    output::print(&TradeStatus::of(out)?.text())
}

/// Waits until two bars are there.
fn wait_for_two(
    bars: &mut Bars,
    known: &mut Vec<RawBar>,
    file: &Path,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    if known.len() < 2 {
        let what = format!("two bars in {}", file.display());
        log(&[("event", "waiting".to_owned()), ("for", what)]);
    }
    while known.len() < 2 {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::Abandoned);
        }
        known.extend(bars.next(stop)?);
    }
    Ok(())
}

/// Bars to the end, whatever ends them.
fn play(
    run: &mut TradeRun,
    bars: &mut Bars,
    known: Vec<RawBar>,
    arguments: &Run,
    stop: &AtomicBool,
) -> Result<Ending, Failure> {
    let mut pace = Pace::new(arguments.speed);
    let mut known = known.into_iter();
    // Bars that come slowly are told one by one, others by a bar of progress.
    let tells_bars = arguments.follow || arguments.speed != Speed::Max;
    let progress = if tells_bars { None } else { Some(output::timed_progress(known.len() as u64)) };
    let mut told = false;
    loop {
        if run.is_killed() && !run.is_catching_up() {
            run.kill()?;
            return Ok(Ending::Killed);
        }
        if arguments.steps.is_some_and(|steps| run.steps() >= steps) && !run.is_catching_up() {
            run.end(Ending::Steps)?;
            return Ok(Ending::Steps);
        }
        let bar = match known.next() {
            Some(bar) => Some(bar),
            None => bars.next(stop)?,
        };
        let Some(bar) = bar else {
            let ending = if stop.load(Ordering::Relaxed) { Ending::Stopped } else { Ending::BarsEnd };
            if arguments.follow && ending == Ending::BarsEnd {
                // Nothing new yet: the switches are looked at again.
                continue;
            }
            if let Some(field) = run.lacking().filter(|_| ending == Ending::BarsEnd) {
                let found = format!(
                    "{} without {field}",
                    arguments.bars.as_deref().unwrap_or(Path::new("")).display()
                );
                return Err(ParameterError::new("bars", found, "bars with all that the features need").into());
            }
            run.end(ending)?;
            return Ok(ending);
        };
        if !run.is_catching_up() && !pace.wait(stop) {
            run.end(Ending::Stopped)?;
            return Ok(Ending::Stopped);
        }
        let catching_up = run.is_catching_up();
        let (entry, ending) = run.bar(&bar)?;
        if let Some(field) = run.lacking().filter(|_| arguments.follow && !told) {
            log(&[("event", "waiting".to_owned()), ("for", format!("the first bar with {field}"))]);
            told = true;
        }
        if let Some(progress) = &progress {
            progress.inc(1);
        }
        if let Some(entry) = entry.filter(|_| tells_bars && !catching_up) {
            report(&entry, &mut pace);
        }
        if let Some(ending) = ending {
            return Ok(ending);
        }
    }
}

fn report(entry: &Entry, pace: &mut Pace) {
    if entry.traded == 0.0 && !pace.speaks() {
        return;
    }
    log(&[
        ("event", "bar".to_owned()),
        ("step", entry.step.to_string()),
        ("close", entry.close.to_string()),
        ("action", entry.action.clone()),
        ("traded", entry.traded.to_string()),
        ("position", entry.position.to_string()),
        ("equity", format!("{:.2}", entry.equity)),
        ("realised", format!("{:.2}", entry.realised_profit)),
    ]);
}

fn columns_of(settings: &TradeSettings) -> TickBarsConfig {
    let mut columns = match &settings.env.task {
        gym::config::Task::Trader(config) => config.bars.as_ref().map(|source| source.bars()),
        _ => None,
    }
    .unwrap_or_default();
    columns.file.clone_from(&settings.bars);
    columns
}

/// Where bars come from.
enum Bars {
    Whole(std::vec::IntoIter<RawBar>),
    Growing(Box<Growing>),
}

impl Bars {
    /// What there is at the beginning.
    fn known(&mut self) -> Result<Vec<RawBar>, TradeError> {
        match self {
            Self::Whole(bars) => Ok(bars.by_ref().collect()),
            Self::Growing(growing) => {
                let mut known = Vec::new();
                while let Some(bar) = growing.read()? {
                    known.push(bar);
                }
                Ok(known)
            }
        }
    }

    /// The next bar; nothing if there is none, or none after a while of waiting.
    fn next(&mut self, stop: &AtomicBool) -> Result<Option<RawBar>, TradeError> {
        let Self::Growing(growing) = self else { return Ok(None) };
        for _ in 0..5 {
            if let Some(bar) = growing.read()? {
                return Ok(Some(bar));
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(WATCH);
        }
        Ok(None)
    }
}

/// A CSV file that grows.
struct Growing {
    path: PathBuf,
    reader: BufReader<File>,
    header: String,
    columns: BarColumns,
    line: u64,
    /// Where the next line begins.
    at: u64,
}

impl Growing {
    /// Opens the file, and waits for it and its header to be there.
    fn open(path: &Path, config: TickBarsConfig, stop: &AtomicBool) -> Result<Self, Failure> {
        let io = |problem| TradeError::Io { path: path.to_owned(), problem };
        let mut told = false;
        loop {
            match File::open(path) {
                Ok(file) => {
                    let mut reader = BufReader::new(file);
                    let mut header = String::new();
                    reader.read_line(&mut header).map_err(io)?;
                    if header.ends_with('\n') {
                        let columns = BarColumns::of_header(&header, &config)?;
                        let at = header.len() as u64;
                        return Ok(Self { path: path.to_owned(), reader, header, columns, line: 1, at });
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error).into()),
            }
            if !told {
                log(&[("event", "waiting".to_owned()), ("for", path.display().to_string())]);
                told = true;
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Failure::Abandoned);
            }
            std::thread::sleep(WATCH);
        }
    }

    /// The next whole line's bar, if there is one.
    fn read(&mut self) -> Result<Option<RawBar>, TradeError> {
        let path = self.path.clone();
        let io = move |problem| TradeError::Io { path, problem };
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.reader.read_line(&mut line);
            let length = match read {
                Ok(length) => length,
                Err(problem) => return Err(io(problem)),
            };
            if !line.ends_with('\n') {
                // A part of a line, or nothing: it will be read from its beginning.
                if length > 0 {
                    self.reader.seek(SeekFrom::Start(self.at)).map_err(io)?;
                }
                return Ok(None);
            }
            self.at += length as u64;
            self.line += 1;
            if !line.trim().is_empty() {
                return Ok(Some(self.columns.read_line(&self.header, line.trim_end(), self.line)?));
            }
        }
    }
}

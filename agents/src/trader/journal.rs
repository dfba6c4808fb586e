//! What a trader on paper did: a file of JSON lines that only grows, from which it goes on after any ending.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gym::ConfigError;
use lob::ParameterError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::policy::PolicyError;

/// Why a trader on paper could not begin or go on.
#[derive(Debug, Error)]
pub enum TradeError {
    /// A file that cannot be read or written.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// A number or name that is not legal, or a bar that cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Settings of the environment, or a file that they name.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A policy that cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Somebody else writes there.
    #[error("{}: another trader is at work here; end it, or name another directory", .0.display())]
    Locked(PathBuf),
    /// A session that cannot be gone on with.
    #[error("{}: {problem}", path.display())]
    Over {
        /// The journal.
        path: PathBuf,
        /// Why, and the way out.
        problem: String,
    },
}

impl TradeError {
    /// True if the settings or arguments are the reason.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Parameter(_) | Self::Over { .. })
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |problem| Self::Io { path: path.to_owned(), problem }
    }
}

/// How a session ended. Of those that a signal ended there may be none: nothing is lost by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// There are no more bars.
    BarsEnd,
    /// As many decisions were made as were asked for.
    Steps,
    /// A signal.
    Stopped,
    /// The kill switch; everything was sold.
    Killed,
    /// The position was liquidated.
    Liquidated,
    /// More was lost than may be; everything was sold.
    LossLimit,
}

impl Ending {
    /// Its name in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::BarsEnd => "bars_end",
            Self::Steps => "steps",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Liquidated => "liquidated",
            Self::LossLimit => "loss_limit",
        }
    }

    /// Whether a session may go on after it.
    pub fn may_go_on(self) -> bool {
        matches!(self, Self::BarsEnd | Self::Steps | Self::Stopped)
    }
}

/// A bar of a session, as a line of the journal. Money, units, and money a unit; sums are since the session began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1.
    pub step: u64,
    /// When the bar began, ns since 1970.
    pub time_ns: i64,
    /// Its last price.
    pub close: f64,
    /// The best bid at its end.
    pub bid: f64,
    /// The best ask.
    pub ask: f64,
    /// `hold`, `buy`, `sell`, `liquidated`, `kill` or `loss_limit`.
    pub action: String,
    /// Units traded at its open, < 0 sold.
    pub traded: f64,
    /// What they were traded at; 0 where nothing was.
    pub price: f64,
    /// Fees of the trade.
    pub fee: f64,
    /// What spread and impact cost.
    pub impact: f64,
    /// Paid for holding, since the bar before.
    pub funding: f64,
    /// Units held at its end.
    pub position: f64,
    /// Money at its end.
    pub cash: f64,
    /// Money and the position's value at the last price.
    pub equity: f64,
    /// Sum of what closed positions brought, after all costs.
    pub realised_profit: f64,
    /// What the open position would bring at the last price.
    pub unrealised_profit: f64,
    /// Where the open position ends even, costs included; none without one.
    pub average_price: Option<f64>,
    /// Sum of the fees.
    pub fees: f64,
    /// Sum of what spread and impact cost.
    pub slippage: f64,
    /// Sum of what holding cost.
    pub funding_paid: f64,
    /// Trades.
    pub fills: u64,
    /// Positions opened.
    pub cycles: u64,
    /// Of those closed, how many brought a profit.
    pub won: u64,
    /// How far the equity is below its highest, a share of that.
    pub drawdown: f64,
    /// The largest so far.
    pub max_drawdown: f64,
    /// Bars at whose end the equity was below its highest.
    pub steps_under_water: u64,
    /// What is wished for the next bar: probabilities of hold, buy and sell, of policies that have them.
    pub probabilities: Option<Vec<f32>>,
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Settings { settings: Map<String, Value> },
    Ending { ending: Ending },
    Entry(Box<Entry>),
}

/// What a journal says.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// How the session was begun.
    pub settings: Map<String, Value>,
    /// Its bars.
    pub entries: Vec<Entry>,
    /// How it ended last, if it did not simply stop.
    pub ending: Option<Ending>,
    /// Bytes of whole lines.
    whole: u64,
}

impl Record {
    /// Name of the file in a session's directory.
    pub const FILE: &str = "session.jsonl";

    /// Reads the journal of a session's directory; a last line that is not whole does not count.
    ///
    /// # Errors
    /// [`TradeError::Io`], or [`TradeError::Over`] with the line that is none.
    pub fn read(directory: &Path) -> Result<Self, TradeError> {
        let path = directory.join(Self::FILE);
        let text = std::fs::read(&path).map_err(TradeError::io(&path))?;
        let mut record = Self::default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        record.whole = whole as u64;
        for (index, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(Line::Settings { settings }) if index == 0 => record.settings = settings,
                Ok(Line::Ending { ending }) if index > 0 => record.ending = Some(ending),
                Ok(Line::Entry(entry)) if index > 0 => {
                    record.entries.push(*entry);
                    record.ending = None;
                }
                _ => {
                    let problem = format!("line {} is none of a trader's journal", index + 1);
                    return Err(TradeError::Over { path, problem });
                }
            }
        }
        Ok(record)
    }
}

/// The journal of a session that is at work: nobody else writes to it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Held as long as the trader lives; the system lets go of it however that ends.
    _lock: File,
}

/// The file that is locked while a trader is at work.
fn lock_file(directory: &Path) -> PathBuf {
    directory.join("lock")
}

/// The file that is a session's kill switch: it is on while the file exists.
pub fn kill_file(directory: &Path) -> PathBuf {
    directory.join("kill")
}

/// Whether a trader is at work in a directory.
pub fn is_running(directory: &Path) -> bool {
    match OpenOptions::new().write(true).open(lock_file(directory)) {
        Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

impl Journal {
    /// Opens a directory's journal, or begins one with these settings; what there is of an earlier session comes with it.
    ///
    /// # Errors
    /// [`TradeError::Locked`]; [`TradeError::Over`] for a session of other settings, or one that cannot go on.
    pub fn open(directory: &Path, settings: &Map<String, Value>) -> Result<(Self, Record), TradeError> {
        std::fs::create_dir_all(directory).map_err(TradeError::io(directory))?;
        let lock_path = lock_file(directory);
        let lock = File::create(&lock_path).map_err(TradeError::io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => TradeError::Locked(directory.to_owned()),
            TryLockError::Error(problem) => TradeError::Io { path: lock_path, problem },
        })?;
        let path = directory.join(Record::FILE);
        let mut record = match Record::read(directory) {
            Err(TradeError::Io { problem, .. }) if problem.kind() == io::ErrorKind::NotFound => {
                Record::default()
            }
            other => other?,
        };
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(TradeError::io(&path))?;
        // What a crash left of a line was never told to anybody.
        file.set_len(record.whole).map_err(TradeError::io(&path))?;
        if record.settings.is_empty() {
            record.settings.clone_from(settings);
            let line = Line::Settings { settings: settings.clone() };
            append(&mut file, &line).map_err(TradeError::io(&path))?;
        }
        for (key, value) in settings {
            let before = record.settings.get(key).unwrap_or(&Value::Null);
            // When it began, and with which version, was decided then.
            if before != value && !matches!(key.as_str(), "first_ns" | "version") {
                let problem = format!(
                    "{key} was {before}, now it is {value}; a session goes on with the settings that it was begun with: name another directory"
                );
                return Err(TradeError::Over { path, problem });
            }
        }
        if let Some(ending) = record.ending.filter(|ending| !ending.may_go_on()) {
            let problem = format!("the session is over ({}); name another directory", ending.name());
            return Err(TradeError::Over { path, problem });
        }
        Ok((Self { path, file, _lock: lock }, record))
    }

    /// Appends a bar.
    ///
    /// # Errors
    /// [`TradeError::Io`].
    pub fn enter(&mut self, entry: &Entry) -> Result<(), TradeError> {
        append(&mut self.file, entry).map_err(TradeError::io(&self.path))
    }

    /// Appends how the session ended.
    ///
    /// # Errors
    /// [`TradeError::Io`].
    pub fn end(&mut self, ending: Ending) -> Result<(), TradeError> {
        let line: Line = Line::Ending { ending };
        append(&mut self.file, &line).and_then(|()| self.file.sync_data()).map_err(TradeError::io(&self.path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// One write a line: a crash leaves whole lines and at most a part of the last.
fn append(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

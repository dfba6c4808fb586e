//! What is replayed, and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::recording::Recording;
use super::{FeedLevel, History, HistoryError, QueueEstimate};
use crate::Price;
use crate::data::market::{ReadOptions, Step, orderbook_beside};
use crate::flow::{MAX_LEVELS, Opening, OpeningBook, Profile, Shape};
use crate::parameter::{ParameterError, integer, non_negative, positive};

/// What becomes of the lots that an agent's order took out of history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenLiquidity {
    /// They are back with the next historical event, and history goes on as it did: no impact. Too good for large and for quick orders.
    #[default]
    Restored,
    /// They stay away: what history does to them later finds only what is left, and a historical order finds what agents have left of the
    /// other side. Nobody in history reacts, so that prices come back as fast as history refills them.
    Consumed,
}

/// Which of the episodes are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All.
    #[default]
    All,
    /// Those that end before the split.
    Train,
    /// Those that begin at the split or after it.
    Test,
}

/// When episodes begin, in seconds from the first event of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starts {
    /// Every so many seconds.
    Every(f64),
    /// At these times.
    At(Vec<f64>),
}

/// A market of recorded events. Times are seconds from the file's first event.
///
/// A session plays the episode that its seed draws, each of the [`starts`](Self::starts) with the same chance; t = 0 is its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayParams {
    /// Market data of any format that is read (`docs/market_data.md`); a relative path starts at the configuration's directory.
    pub file: PathBuf,
    /// Which instrument, where the file has several.
    #[serde(default)]
    pub symbol: Option<String>,
    /// Tick size, as a decimal number; otherwise that of the file, or inferred.
    #[serde(default)]
    pub tick: Option<String>,
    /// Lot size of the file's quantities, likewise.
    #[serde(default)]
    pub lot: Option<String>,
    /// Lots of the file in one lot of the market, 1 or more: with 1e-8 BTC in the file and 10,000,000 here, agents trade in 0.1 BTC.
    /// What rests is rounded, to one lot at least.
    #[serde(default = "one")]
    pub lot_multiple: u64,
    /// What becomes of lots that agents take.
    #[serde(default)]
    pub taken_liquidity: TakenLiquidity,
    /// How places in queues are estimated from level-2 data, `logarithmic` unless said otherwise; with level-3 data they are exact.
    #[serde(default)]
    pub queue: Option<QueueEstimate>,
    /// Nothing before this is played.
    #[serde(default)]
    pub from_seconds: f64,
    /// Nothing after this is played; the end of the file unless said otherwise.
    #[serde(default)]
    pub until_seconds: Option<f64>,
    /// How long an episode may last, from its start.
    pub episode_seconds: f64,
    /// When episodes begin; one after the other unless said otherwise.
    #[serde(default)]
    pub starts: Option<Starts>,
    /// Which of them are played.
    #[serde(default)]
    pub part: Part,
    /// Share of the time that is for training: the split lies there.
    #[serde(default = "most")]
    pub train_share: f64,
    /// How long before t = 0 a session begins.
    #[serde(default = "quarter_minute")]
    pub lead_in_seconds: f64,
    /// Levels that observations are scaled by: the mean book over the time for training.
    #[serde(default = "thirty")]
    pub levels: usize,
    /// The mean book, once the file has been read.
    #[serde(skip, default = "unread")]
    pub(crate) opening: Opening,
    /// Always flat: the time of day is in the data.
    #[serde(skip, default = "flat")]
    pub(crate) profile: Profile,
    /// What was read.
    #[serde(skip)]
    read: Option<Recording>,
}

const fn one() -> u64 {
    1
}

const fn most() -> f64 {
    0.7
}

const fn quarter_minute() -> f64 {
    15.0
}

const fn thirty() -> usize {
    30
}

const fn flat() -> Profile {
    Profile::Flat
}

fn unread() -> Opening {
    Opening { book: OpeningBook::Live, ..Opening::reference(Shape::noise()) }
}

impl PartialEq for ReplayParams {
    fn eq(&self, other: &Self) -> bool {
        let key = |params: &Self| {
            let Self { symbol, tick, lot, lot_multiple, taken_liquidity, queue, .. } = params.clone();
            (params.file.clone(), symbol, tick, lot, lot_multiple, taken_liquidity, queue)
        };
        let times = |params: &Self| {
            let Self { from_seconds, until_seconds, episode_seconds, starts, part, .. } = params.clone();
            (from_seconds, until_seconds, episode_seconds, starts, part)
        };
        key(self) == key(other)
            && times(self) == times(other)
            && (self.train_share, self.lead_in_seconds, self.levels)
                == (other.train_share, other.lead_in_seconds, other.levels)
            && (&self.opening, &self.profile) == (&other.opening, &other.profile)
    }
}

impl ReplayParams {
    /// A file played from its beginning to its end in episodes of so many seconds; everything else as the defaults are.
    pub fn new(file: impl Into<PathBuf>, episode_seconds: f64) -> Self {
        Self {
            file: file.into(),
            symbol: None,
            tick: None,
            lot: None,
            lot_multiple: 1,
            taken_liquidity: TakenLiquidity::default(),
            queue: None,
            from_seconds: 0.0,
            until_seconds: None,
            episode_seconds,
            starts: None,
            part: Part::All,
            train_share: most(),
            lead_in_seconds: quarter_minute(),
            levels: thirty(),
            opening: unread(),
            profile: Profile::Flat,
            read: None,
        }
    }

    /// Checks every field. Does not open the file.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.step("tick", self.tick.as_deref())?;
        self.step("lot", self.lot.as_deref())?;
        integer("lot_multiple", self.lot_multiple, 1..=1_000_000_000_000_u64)?;
        self.queue.unwrap_or_default().validate().map_err(|error| error.within("queue"))?;
        non_negative("from_seconds", self.from_seconds)?;
        if let Some(until) = self.until_seconds
            && !(until.is_finite() && until > self.from_seconds)
        {
            let legal = format!("a finite number above from_seconds, {}", self.from_seconds);
            return Err(ParameterError::new("until_seconds", until, legal));
        }
        positive("episode_seconds", self.episode_seconds)?;
        match &self.starts {
            Some(Starts::Every(seconds)) => positive("starts.every", *seconds)?,
            Some(Starts::At(times)) => {
                if times.is_empty() {
                    return Err(ParameterError::new("starts.at", "an empty list", "one time or more"));
                }
                for (index, &time) in times.iter().enumerate() {
                    non_negative(&format!("starts.at[{index}]"), time)?;
                }
            }
            None => {}
        }
        if !(self.train_share > 0.0 && self.train_share < 1.0) {
            return Err(ParameterError::new("train_share", self.train_share, "a number above 0 and below 1"));
        }
        non_negative("lead_in_seconds", self.lead_in_seconds)?;
        integer("levels", self.levels, 1..=MAX_LEVELS)?;
        if self.opening.book != OpeningBook::Live {
            let legal = "live: the book at the start is history's";
            return Err(ParameterError::new("opening.book", "frozen", legal));
        }
        if self.profile != Profile::Flat {
            let legal = "flat: the time of day is in the data";
            return Err(ParameterError::new("profile", "a profile", legal));
        }
        Ok(())
    }

    fn step(&self, key: &str, text: Option<&str>) -> Result<Option<Step>, ParameterError> {
        let parse = |text: &str| {
            let legal = "a decimal number above 0, such as 0.01";
            text.parse().map_err(|_| ParameterError::new(key, format!("{text:?}"), legal))
        };
        text.map(parse).transpose()
    }

    /// Reads the file, a relative path from `directory`, and cuts it into episodes. A message file of LOBSTER is read with the order-book file
    /// that lies beside it, if there is one.
    ///
    /// # Errors
    /// What is wrong with the file or a field.
    pub fn load(&mut self, directory: &Path) -> Result<(), HistoryError> {
        self.validate()?;
        let path = directory.join(&self.file);
        let history = History::read(
            &path,
            &ReadOptions { orderbook: orderbook_beside(&path), ..self.read_options()? },
        )?;
        self.play(history)
    }

    /// How the file is read.
    ///
    /// # Errors
    /// If `tick` or `lot` is no size.
    pub fn read_options(&self) -> Result<ReadOptions, ParameterError> {
        Ok(ReadOptions {
            tick: self.step("tick", self.tick.as_deref())?,
            lot: self.step("lot", self.lot.as_deref())?,
            symbols: self.symbol.iter().cloned().collect(),
            ..ReadOptions::default()
        })
    }

    /// Plays this history instead of the file's.
    ///
    /// # Errors
    /// What is not legal for it.
    pub fn play(&mut self, history: History) -> Result<(), HistoryError> {
        self.validate()?;
        if history.level() == FeedLevel::Orders && self.queue.is_some() {
            let legal = "none: the file has orders, so that places in queues are exact";
            return Err(ParameterError::new("queue", "a model", legal).into());
        }
        let starts = self.cut(&history)?;
        self.opening = self.mean_book(&history)?;
        self.read = Some(Recording { history: Arc::new(history), starts: starts.into() });
        Ok(())
    }

    /// What was read.
    ///
    /// # Errors
    /// If nothing was.
    pub(super) fn recording(&self) -> Result<&Recording, ParameterError> {
        let missing = || {
            ParameterError::new(
                "file",
                self.file.display(),
                "a file that has been read: see ReplayParams::load",
            )
        };
        self.read.as_ref().ok_or_else(missing)
    }

    /// What is played, once it has been read.
    pub fn history(&self) -> Option<&History> {
        self.read.as_ref().map(|recording| &*recording.history)
    }

    /// Episodes that are played, once the file has been read.
    pub fn episodes(&self) -> usize {
        self.read.as_ref().map_or(0, |recording| recording.starts.len())
    }
}

/// Prices of history stay within what a configuration may name.
pub(super) fn in_range(price: Price) -> bool {
    price.0.unsigned_abs() <= crate::flow::MAX_PRICE as u64
}

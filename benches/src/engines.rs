//! Everything that is compared: one file an engine, behind one small trait.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::message::{Message, Summary, Trade};

pub mod lob_external;
pub mod lob_handles;
#[cfg(feature = "peers")]
pub mod lobster;
#[cfg(feature = "peers")]
pub mod matchcore;
#[cfg(feature = "peers")]
pub mod orderbook_rs;
pub mod yardstick;

/// A book under measurement, driven through the API that its users call.
pub trait Engine: Sized {
    /// An empty book, sized for a stream. Done before the clock starts.
    ///
    /// # Errors
    /// [`Unsuited`] if this engine cannot replay such a stream at all.
    fn new(stream: &Summary) -> Result<Self, Unsuited>;

    /// Applies one message and returns the lots traded, which it learns from what the engine reports: a
    /// caller who does not look at the results has no use for an order book.
    fn apply(&mut self, message: &Message) -> u64;

    /// The same, and appends the trades by the ids of the stream. Not timed.
    fn apply_recording(&mut self, message: &Message, trades: &mut Vec<Trade>);
}

/// A stream that an engine cannot replay.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{engine} cannot replay this stream: {field} is {found}; legal: {legal}")]
pub struct Unsuited {
    /// The engine.
    pub engine: EngineId,
    /// What it stumbles over.
    pub field: &'static str,
    /// What the stream has.
    pub found: String,
    /// What the engine can do.
    pub legal: String,
}

/// The peers have unsigned prices.
#[cfg(feature = "peers")]
fn require_positive_prices(engine: EngineId, stream: &Summary) -> Result<(), Unsuited> {
    match stream.prices {
        Some((low, _)) if low.0 < 1 => Err(Unsuited {
            engine,
            field: "lowest price",
            found: low.0.to_string(),
            legal: "at least 1".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// How callers name orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// By their own 64-bit ids, which the engine looks up.
    ExternalIds,
    /// By what the engine handed out, or by dense numbers that it uses as they are.
    Handles,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExternalIds => "external-ids",
            Self::Handles => "handles",
        })
    }
}

/// An engine in one mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineId {
    /// The naive array ladder: the floor.
    Yardstick,
    /// `lob::OrderBook`, orders named by handles.
    LobHandles,
    /// `lob::ExternalBook`, orders named by the caller's ids.
    LobExternal,
    /// The crate matchcore.
    Matchcore,
    /// The crate lobster.
    Lobster,
    /// The crate orderbook-rs.
    OrderbookRs,
}

impl EngineId {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 6] = [
        Self::Yardstick,
        Self::LobHandles,
        Self::LobExternal,
        Self::Matchcore,
        Self::Lobster,
        Self::OrderbookRs,
    ];
    /// What is measured without `--peers`.
    pub const OWN: [Self; 3] = [Self::Yardstick, Self::LobHandles, Self::LobExternal];

    /// How it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yardstick => "yardstick",
            Self::LobHandles => "lob-handles",
            Self::LobExternal => "lob-external",
            Self::Matchcore => "matchcore",
            Self::Lobster => "lobster",
            Self::OrderbookRs => "orderbook-rs",
        }
    }

    /// The engine, as reports name it; the mode tells its two ways of use apart.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::LobHandles | Self::LobExternal => "lob",
            other => other.name(),
        }
    }

    /// How orders are named.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Yardstick | Self::LobHandles => Mode::Handles,
            _ => Mode::ExternalIds,
        }
    }

    /// True for the crates that need the cargo feature `peers`.
    pub const fn is_peer(self) -> bool {
        matches!(self, Self::Matchcore | Self::Lobster | Self::OrderbookRs)
    }

    /// True if this build contains it.
    pub const fn is_built(self) -> bool {
        !self.is_peer() || cfg!(feature = "peers")
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineId {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|id| id.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|id| id.name()).collect();
            format!("engine is {name}; legal: {}", names.join(", "))
        })
    }
}

/// Runs `$body` with `$engine` standing for the type of the engine `$id`, or evaluates `$absent` if this
/// build does not contain it.
macro_rules! with_engine {
    ($id:expr, $engine:ident => $body:expr, $absent:expr) => {
        match $id {
            $crate::engines::EngineId::Yardstick => {
                type $engine = $crate::engines::yardstick::Yardstick;
                $body
            }
            $crate::engines::EngineId::LobHandles => {
                type $engine = $crate::engines::lob_handles::LobHandles;
                $body
            }
            $crate::engines::EngineId::LobExternal => {
                type $engine = $crate::engines::lob_external::LobExternal;
                $body
            }
            #[cfg(feature = "peers")]
            $crate::engines::EngineId::Matchcore => {
                type $engine = $crate::engines::matchcore::Matchcore;
                $body
            }
            #[cfg(feature = "peers")]
            $crate::engines::EngineId::Lobster => {
                type $engine = $crate::engines::lobster::Lobster;
                $body
            }
            #[cfg(feature = "peers")]
            $crate::engines::EngineId::OrderbookRs => {
                type $engine = $crate::engines::orderbook_rs::OrderbookRs;
                $body
            }
            #[cfg(not(feature = "peers"))]
            _ => $absent,
        }
    };
}
pub(crate) use with_engine;

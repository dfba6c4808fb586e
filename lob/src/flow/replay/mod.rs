//! History as an order flow: recorded events drive the book, and agents' orders stand in it with places of their own.
//!
//! What is recorded is followed by a [`FeedBook`](crate::FeedBook), *history*; the market's book holds the crowd's lots as history has them,
//! and the agents' orders between them. Who stands ahead of an agent's order is exact where the data has orders (level 3), and estimated by a
//! [`QueueEstimate`] where it has levels (level 2). What the rules are, and which way each is biased, is written down in `docs/replay.md`.

mod agents;
mod config;
mod flow;
mod history;
mod levels;
mod orders;
mod queue;
mod recording;

pub use config::{Part, ReplayParams, Starts, TakenLiquidity};
pub use flow::ReplayFlow;
pub(crate) use history::WINDOW;
pub use history::{BookBefore, FeedLevel, History, HistoryError};
pub use queue::{QueueEstimate, QueueState};

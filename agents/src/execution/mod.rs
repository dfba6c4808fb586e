//! The execution task: trade a number of lots within a time, and what that cost.

mod entrant;
mod episode;
mod policy;
mod shortfall;
mod trader;

pub use entrant::{Candidate, Entrant};
pub use episode::{Arena, Episode, EpisodeError, ExampleStep, FillRecord, Play, Player};
pub use policy::{ExecutionPolicy, PolicyTrader};
pub use shortfall::{Outcome, Shadow};
pub use trader::Trader;

/// The task, its definition shared with the environment of the same name.
pub use gym::envs::execution::Task;

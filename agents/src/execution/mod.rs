//! The execution task: trade a number of lots within a time, and what that cost.

mod episode;
mod shortfall;
mod trader;

pub use episode::{Arena, Episode, EpisodeError, ExampleStep, FillRecord};
pub use shortfall::{Outcome, Shadow};
pub use trader::Trader;

/// The task, its definition shared with the environment of the same name.
pub use gym::envs::execution::Task;

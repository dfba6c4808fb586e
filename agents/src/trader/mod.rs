//! Who trades one asset: rules, trained policies, and a rule whose lots a policy scales.
//!
//! [`TraderEntrant`] names one, [`TraderMind`] plays it in a [`Session`](gym::envs::trader::Session) of the environment
//! [`Trader`](gym::envs::Trader), wherever its bars come from. [`TradeRun`] is a session on paper, on bars as they come: its journal
//! ([`Record`]) is all its state, [`TradeStatus`] what that stands at.

mod entrant;
mod journal;
mod lowrider;
mod rules;
mod run;
mod status;

pub use entrant::{Decided, TraderEntrant, TraderMind};
pub use journal::{Ending, Entry, Journal, Record, TradeError, is_running, kill_file};
pub use lowrider::{Lowrider, LowriderSettings};
pub use rules::Rule;
pub use run::{TradeRun, TradeSettings};
pub use status::TradeStatus;

//! A paper broker: simulated prices, a policy's targets, risk limits, and a ledger that no crash makes wrong.
//!
//! - [`Broker`] is the loop: prices, targets, risk, orders, fills, net asset value; [`PaperConfig`] its settings.
//! - [`Market`] has the prices, [`Venue`] what trading costs.
//! - [`Targets`] says what to hold: a strategy of backtests as [`RuleTargets`], or a trained policy as [`PolicyTargets`]; [`Choice`] names one.
//! - [`RiskLimits`] are the limits and [`check_targets`] the first of the checks.
//! - [`Rehearsal`] times decisions.
//! - [`Ledger`] keeps everything in one SQLite file; [`Summary`] is what it says of itself, [`Glance`] that and what was last.
//!
//! Money is in integer cents, quantities in whole shares, so that sums are exact.

mod choice;
mod config;
mod crash;
mod error;
mod glance;
mod ledger;
mod market;
mod plan;
mod rehearsal;
mod risk;
mod rule;
mod run;
mod schema;
mod summary;
mod targets;

pub use choice::Choice;
pub use config::PaperConfig;
pub use error::BrokerError;
pub use glance::{Glance, Pace, RecentOrder, RecentRefusal};
pub use ledger::{Ledger, Opening, State};
pub use market::{Execution, Market, Venue};
pub use plan::{Holdings, Order, Plan, Reason, Refused};
pub use rehearsal::{Rehearsal, Rehearsed};
pub use risk::{Account, Intent, Refusal, RiskLimits, Rule, check_targets};
pub use rule::RuleTargets;
pub use run::{Broker, Ended, Settings, Step, kill_file};
pub(crate) use summary::money;
pub use summary::{Position, Summary};
pub use targets::{PolicyTargets, Targets, View};

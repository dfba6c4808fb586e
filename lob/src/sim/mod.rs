//! The event-driven simulator: a market, who acts in it, and when.

mod desk;
mod latency;
mod market;
mod queue;
mod simulator;
mod strategic;

pub use desk::{Command, Desk, DeskOrder, News, Report, Ticket};
pub use latency::{Delay, DelaySampler, Latency, LatencyConfig, LatencyError, LatencyModel};
pub use market::{AgentFill, CROWD, FIRST_AGENT, INITIAL, Market, OrderTally, STRATEGIC};
pub use queue::{AGENT_PRIORITY, EventQueue, Participant};
pub use simulator::{DeskId, SimRng, Simulator, derive_seed};
pub use strategic::StrategicTrader;

//! Who decides, and the command `lobgym`.
//!
//! [`cli`] is the command line: `lobgym bench latency` and its siblings. The binary is a thin wrapper around
//! [`cli::run`], so that other front ends can forward to the same code. [`report`] shows a comparison of execution strategies, as a page
//! and as tables.

pub mod backtest;
pub mod baselines;
pub mod broker;
pub mod calibration;
pub mod cli;
pub mod compare;
pub mod data;
pub mod env_rate;
pub mod evaluate;
pub mod evaluation;
pub mod execution;
pub mod impact;
pub mod market_making;
pub mod policy;
pub mod portfolio;
pub mod report;
pub mod rl;
pub mod sharing;
pub mod simulate;
pub mod statistics;
pub mod trader;

/// Writes a text file that appears whole or not at all.
pub use lobgym_benches::atomic::write_text;

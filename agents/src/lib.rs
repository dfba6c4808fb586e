//! Who decides, and the command `lobgym`.
//!
//! [`cli`] is the command line: `lobgym bench latency` and its siblings. The binary is a thin wrapper around
//! [`cli::run`], so that other front ends can forward to the same code. [`report`] shows a comparison of execution strategies, as a page
//! and as tables.

pub mod baselines;
pub mod cli;
pub mod evaluate;
pub mod execution;
pub mod report;
pub mod statistics;

//! Each rule of `docs/matching.md` once, with the events it gives. Every request goes to the engine and to the reference.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod amend;
mod cancel;
mod expire;
mod handles;
mod iceberg;
mod immediate;
mod priority;
mod refusals;
mod scene;
mod self_trade;
mod triggers;
mod views;

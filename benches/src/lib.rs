//! How the order book is measured: message streams, the books that replay them, and the clocks.
//!
//! - [`message`] and [`file`](mod@file): what a stream consists of and how it is stored;
//! - [`workload`]: the seeded generator;
//! - [`naive`]: the book that defines what is right; [`engines`]: everything that is compared;
//! - [`measure`]: throughput, latency, exactness and memory of one engine; [`session`]: several engines, interleaved;
//! - [`report`]: what comes out, with its serde schema.
//!
//! Every engine is driven through the API that its users call. See `docs/performance.md` for the method.

pub mod atomic;
pub mod clock;
pub mod engines;
pub mod file;
pub mod measure;
pub mod message;
pub mod naive;
pub mod report;
pub mod session;
pub mod workload;

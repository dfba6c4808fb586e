//! What the cross-crate tests share: a second, deliberately naive implementation of `docs/matching.md`, and the
//! machinery that runs it next to the engine and compares the two after every request.
//!
//! - [`reference`](mod@reference): the naive book.
//! - [`program`]: requests in symbolic form, decoded from bytes (fuzzing) or built by strategies (proptest).
//! - [`pair`]: engine and reference side by side; any difference panics with the requests that led to it.
//! - [`drive`](mod@drive): one entry point from a byte string to a comparison, for the fuzz target and its harness.
//! - [`ledger`]: conservation of lots, from events alone.
//! - [`workload`]: an endless stream of mixed requests for the soak, allocation and drift tests.
//! - [`random`]: seeded numbers.
//! - [`allocator`]: a global allocator that counts.

pub mod allocator;
pub mod drive;
pub mod ledger;
pub mod pair;
pub mod program;
pub mod random;
pub mod reference;
pub mod tally;
pub mod views;
pub mod workload;

pub use drive::drive;
pub use pair::Pair;
pub use reference::Reference;
pub use tally::Tally;

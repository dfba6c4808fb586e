//! One engine on one stream: how fast, how long for a single message, how right, how large.

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::{self, Clock};
use crate::engines::{Engine, EngineId, Unsuited, with_engine};
use crate::file::{FileError, Reader};
use crate::message::{Stream, TradeDigest, Trades};

/// Why an engine could not be measured.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The engine cannot replay such a stream.
    #[error(transparent)]
    Unsuited(#[from] Unsuited),
    /// This build lacks the engine.
    #[error(
        "engine {0} is not part of this build; build with: cargo build --release -p agents --features peers"
    )]
    NotBuilt(EngineId),
    /// The stream could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The wall time of one replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// Nanoseconds a message.
    pub ns_per_message: f64,
    /// Lots traded, modulo 2^64.
    pub volume: u64,
}

/// Percentiles of the time that single messages took, in nanoseconds, the clock's own cost included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the messages took at most this.
    pub p50: u64,
    /// 99% did.
    pub p99: u64,
    /// 99.9% did.
    pub p99_9: u64,
    /// All did.
    pub max: u64,
}

/// Replays a stream on a fresh book and times all messages after the first `untimed` ones together. The book
/// is built before the clock starts and dropped after it has stopped.
///
/// # Errors
/// [`MeasureError::Unsuited`] and [`MeasureError::NotBuilt`].
pub fn replay(id: EngineId, stream: &Stream, untimed: usize) -> Result<Replay, MeasureError> {
    with_engine!(id, E => Ok(replay_on::<E>(stream, untimed)?), Err(MeasureError::NotBuilt(id)))
}

#[inline(never)]
fn replay_on<E: Engine>(stream: &Stream, untimed: usize) -> Result<Replay, Unsuited> {
    let mut engine = E::new(stream.summary())?;
    let (before, timed) = stream.messages().split_at(untimed.min(stream.messages().len()));
    let mut volume = 0_u64;
    for message in before {
        volume = volume.wrapping_add(engine.apply(message));
    }
    let start = Instant::now();
    for message in timed {
        volume = volume.wrapping_add(engine.apply(message));
    }
    let elapsed = start.elapsed();
    black_box(&mut engine);
    Ok(Replay { ns_per_message: elapsed.as_nanos() as f64 / timed.len().max(1) as f64, volume })
}

/// Replays a stream on a fresh book with a clock reading before and after each message.
///
/// # Errors
/// [`MeasureError::Unsuited`] and [`MeasureError::NotBuilt`].
pub fn latency(id: EngineId, stream: &Stream, clock: &Clock) -> Result<Latency, MeasureError> {
    with_engine!(id, E => Ok(latency_on::<E>(stream, clock)?), Err(MeasureError::NotBuilt(id)))
}

#[inline(never)]
fn latency_on<E: Engine>(stream: &Stream, clock: &Clock) -> Result<Latency, Unsuited> {
    let mut engine = E::new(stream.summary())?;
    // Raw readings go into memory that is there already, four bytes a message: the histogram's own memory
    // would push the engine's out of the cache between messages.
    let mut readings = vec![u32::MAX; stream.messages().len()];
    let epoch = Instant::now();
    for (message, reading) in stream.messages().iter().zip(&mut readings) {
        let start = clock::now(epoch);
        let volume = engine.apply(message);
        let end = clock::now(epoch);
        black_box(volume);
        *reading = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
    }
    // One nanosecond to a minute: more than a u32 of ticks can be.
    let mut histogram =
        Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are legal");
    for &reading in &readings {
        histogram.saturating_record(clock.nanoseconds(u64::from(reading)));
    }
    Ok(Latency {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        p99_9: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    })
}

/// Replays a stream on a fresh book and condenses its trades. Not timed.
///
/// # Errors
/// [`MeasureError::Unsuited`] and [`MeasureError::NotBuilt`].
pub fn trades(id: EngineId, stream: &Stream) -> Result<Trades, MeasureError> {
    with_engine!(id, E => Ok(trades_on::<E>(stream)?), Err(MeasureError::NotBuilt(id)))
}

fn trades_on<E: Engine>(stream: &Stream) -> Result<Trades, Unsuited> {
    let mut engine = E::new(stream.summary())?;
    let mut digest = TradeDigest::default();
    let mut trades = Vec::new();
    for message in stream.messages() {
        trades.clear();
        engine.apply_recording(message, &mut trades);
        digest.update(&trades);
    }
    Ok(digest.finish())
}

/// Replays a stream that is read on the way, and returns by how many bytes the resident memory of this
/// process peaked above where it was before the book was built; `None` where the system does not tell (it
/// takes Linux's /proc).
///
/// Run it in a process that does nothing else: memory that an earlier book has given back to the allocator
/// but not to the system would not be counted again.
///
/// # Errors
/// Everything in [`MeasureError`].
pub fn peak_memory(id: EngineId, source: impl Read, name: &str) -> Result<Option<u64>, MeasureError> {
    with_engine!(id, E => peak_memory_on::<E>(source, name), Err(MeasureError::NotBuilt(id)))
}

fn peak_memory_on<E: Engine>(source: impl Read, name: &str) -> Result<Option<u64>, MeasureError> {
    let mut reader = Reader::new(source, name)?;
    let summary = *reader.summary();
    // The first message makes the reader allocate its buffer, which is not the engine's.
    let first = reader.next().transpose()?;
    let before = status_bytes("VmRSS:");
    let mut engine = E::new(&summary)?;
    for message in first.into_iter().map(Ok).chain(reader) {
        black_box(engine.apply(&message?));
    }
    let peak = status_bytes("VmHWM:");
    black_box(&mut engine);
    Ok(peak.zip(before).map(|(peak, before)| peak.saturating_sub(before)))
}

/// A field of /proc/self/status, in bytes.
fn status_bytes(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

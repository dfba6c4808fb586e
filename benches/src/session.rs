//! Several engines on one stream in one process, interleaved: run 1 of each, run 2 of each, and so on, so
//! that a machine that slows down or speeds up does so for all of them. Ratios are taken within a round and
//! then their median.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::engines::EngineId;
use crate::measure::{self, Latency, MeasureError};
use crate::message::{Stream, Trades};
use crate::report::{EngineResult, Spread};

/// What is about to be done; for progress displays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The un-timed pass that condenses all trades.
    Trades(EngineId),
    /// Throughput run `n`, from 1.
    Run(EngineId, u32),
    /// A pass with a clock reading around each message.
    Latency(EngineId),
    /// The pass in a process of its own that shows how much memory it takes.
    Memory(EngineId),
}

/// Measures an engine's peak memory in another process; `None` if it cannot be known.
pub type MemoryProbe<'a> = dyn Fn(EngineId) -> Option<u64> + 'a;

/// A set of engines to measure on one stream.
pub struct Session<'a> {
    /// The stream's name in reports.
    pub workload: &'a str,
    /// The stream.
    pub stream: &'a Stream,
    /// What the reference book makes of it.
    pub reference: Trades,
    /// The engines, in the order of each round.
    pub engines: &'a [EngineId],
    /// Throughput runs of each engine.
    pub runs: u32,
    /// For latencies.
    pub clock: &'a Clock,
    /// For peak memory; `None` leaves it out.
    pub memory: Option<&'a MemoryProbe<'a>>,
    /// When it turns true, the current pass is finished and no other is started.
    pub stop: &'a AtomicBool,
}

impl Session<'_> {
    /// Passes in all, for progress displays.
    pub fn steps(&self) -> u64 {
        let passes = u64::from(self.runs) + LATENCY_PASSES as u64 + 1 + u64::from(self.memory.is_some());
        passes * self.engines.len() as u64
    }

    /// Measures. Engines whose throughput was measured at least once are in the result, even if it was
    /// stopped.
    ///
    /// # Errors
    /// [`MeasureError`] of the first engine that cannot be measured.
    pub fn run(&self, mut progress: impl FnMut(Step)) -> Result<Vec<EngineResult>, MeasureError> {
        let stopped = || self.stop.load(Ordering::Relaxed);
        let count = self.engines.len();
        let mut trades: Vec<Option<Trades>> = vec![None; count];
        for (slot, &id) in trades.iter_mut().zip(self.engines) {
            if stopped() {
                break;
            }
            progress(Step::Trades(id));
            *slot = Some(measure::trades(id, self.stream)?);
        }
        let mut times = vec![Vec::new(); count];
        for run in 1..=self.runs {
            for (times, &id) in times.iter_mut().zip(self.engines) {
                if stopped() {
                    break;
                }
                progress(Step::Run(id, run));
                times.push(measure::replay(id, self.stream, 0)?.ns_per_message);
            }
        }
        let mut latencies = vec![Vec::new(); count];
        for _ in 0..LATENCY_PASSES {
            for (latencies, &id) in latencies.iter_mut().zip(self.engines) {
                if stopped() {
                    break;
                }
                progress(Step::Latency(id));
                latencies.push(measure::latency(id, self.stream, self.clock)?);
            }
        }
        let mut memory = vec![None; count];
        if let Some(probe) = self.memory {
            for (memory, &id) in memory.iter_mut().zip(self.engines) {
                if stopped() {
                    break;
                }
                progress(Step::Memory(id));
                *memory = probe(id);
            }
        }
        let yardstick = self.engines.iter().position(|&id| id == EngineId::Yardstick);
        let results = self.engines.iter().enumerate().filter_map(|(index, &id)| {
            let trades = trades[index]?;
            let ns_per_message = Spread::of(&times[index])?;
            Some(EngineResult {
                engine: id.engine().to_owned(),
                mode: id.mode(),
                workload: self.workload.to_owned(),
                messages: self.stream.summary().messages,
                runs: times[index].len() as u32,
                ns_per_message,
                messages_per_second: 1e9 / ns_per_message.median,
                ratio_to_yardstick: yardstick
                    .and_then(|yardstick| median_ratio(&times[index], &times[yardstick])),
                latency_ns: median_latency(&latencies[index]),
                trades: trades.count,
                traded_volume: trades.volume,
                trades_digest: format!("{:016x}", trades.digest),
                exact: trades == self.reference,
                peak_memory_bytes: memory[index],
            })
        });
        Ok(results.collect())
    }
}

/// Latency passes of each engine; each percentile is the median over them.
const LATENCY_PASSES: usize = 3;

/// The median of the ratios of runs in the same round.
pub fn median_ratio(times: &[f64], yardstick: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = times.iter().zip(yardstick).map(|(time, yardstick)| time / yardstick).collect();
    Spread::of(&ratios).map(|spread| spread.median)
}

fn median_latency(passes: &[Latency]) -> Option<Latency> {
    let median = |percentile: fn(&Latency) -> u64| {
        let mut values: Vec<u64> = passes.iter().map(percentile).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    Some(Latency {
        p50: median(|latency| latency.p50)?,
        p99: median(|latency| latency.p99)?,
        p99_9: median(|latency| latency.p99_9)?,
        max: median(|latency| latency.max)?,
    })
}

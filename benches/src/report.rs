//! What a measurement says. `docs/cli.md` documents the JSON that these types make; fields are added, never
//! renamed.

use serde::{Deserialize, Serialize};

use crate::engines::Mode;
use crate::measure::Latency;
use crate::workload::Composition;

/// The version of the JSON: rises when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Median, least and most over the runs of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle value, or the mean of the two middle ones.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { median, min, max })
    }
}

/// One engine in one mode on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineResult {
    /// "yardstick", "lob", or the name of a peer's crate.
    pub engine: String,
    /// How orders are named.
    pub mode: Mode,
    /// "mixed", "small" or "file".
    pub workload: String,
    /// Messages in the stream.
    pub messages: u64,
    /// Runs behind the figures.
    pub runs: u32,
    /// Nanoseconds a message.
    pub ns_per_message: Spread,
    /// Messages a second, from the median.
    pub messages_per_second: f64,
    /// The median over the rounds of this engine's time to the yardstick's in the same round; `None` if the
    /// yardstick was not measured.
    pub ratio_to_yardstick: Option<f64>,
    /// Percentiles of single messages, clock included, in nanoseconds; `None` if interrupted before.
    pub latency_ns: Option<Latency>,
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub traded_volume: u64,
    /// XXH3 of all trades in order, as 16 hexadecimal digits.
    pub trades_digest: String,
    /// True if the trades are those of the naive reference book.
    pub exact: bool,
    /// By how much the memory of a process peaks that replays the stream with this engine, in bytes; `None`
    /// where the system does not tell or the measurement was not made.
    pub peak_memory_bytes: Option<u64>,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadInfo {
    /// "mixed", "small" or "file".
    pub workload: String,
    /// The generator's seed; `None` for a file.
    pub seed: Option<u64>,
    /// Messages.
    pub messages: u64,
    /// Trades of the reference book.
    pub trades: u64,
    /// Lots that the reference book trades.
    pub traded_volume: u64,
    /// XXH3 of the reference book's trades, as 16 hexadecimal digits.
    pub trades_digest: String,
    /// What the generator made; `None` for a file.
    pub composition: Option<Composition>,
}

/// A figure that was promised, and what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What is promised.
    pub name: String,
    /// The workload it was measured on.
    pub workload: String,
    /// The measured value.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// True if the value may be at most the limit, false if at least.
    pub at_most: bool,
    /// True if it holds.
    pub met: bool,
}

impl Bar {
    fn new(name: &str, workload: &str, value: f64, limit: f64, at_most: bool) -> Self {
        let met = if at_most { value <= limit } else { value >= limit };
        Self { name: name.to_owned(), workload: workload.to_owned(), value, limit, at_most, met }
    }
}

/// Everything `lobgym bench latency` measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// False if it was interrupted: what is there was measured in full.
    pub complete: bool,
    /// The clock behind single latencies.
    pub clock: String,
    /// What each single latency includes, in nanoseconds.
    pub clock_overhead_ns: f64,
    /// The streams.
    pub workloads: Vec<WorkloadInfo>,
    /// One entry an engine and mode and workload.
    pub results: Vec<EngineResult>,
    /// The promises, as far as they were measured.
    pub bars: Vec<Bar>,
}

/// Compares results with what is promised: on the mixed workload at most 1.2 times the yardstick with handles
/// and 1.6 with external ids, p99.9 at most 450 ns, at least 4 times as fast as matchcore, exact; and on the
/// small one no slower than on the mixed one.
pub fn bars(results: &[EngineResult]) -> Vec<Bar> {
    let mut bars = Vec::new();
    let lob = |mode, workload: &str| {
        results
            .iter()
            .find(|result| result.engine == "lob" && result.mode == mode && result.workload == workload)
    };
    for mode in [Mode::Handles, Mode::ExternalIds] {
        let limit = if mode == Mode::Handles { 1.2 } else { 1.6 };
        for result in results.iter().filter(|result| result.engine == "lob" && result.mode == mode) {
            if let Some(ratio) = result.ratio_to_yardstick {
                let name = format!("lob {mode}: time / yardstick");
                bars.push(Bar::new(&name, &result.workload, ratio, limit, true));
            }
            if let Some(latency) = &result.latency_ns {
                let name = format!("lob {mode}: p99.9 in ns, clock included");
                bars.push(Bar::new(&name, &result.workload, latency.p99_9 as f64, 450.0, true));
            }
            let matchcore =
                results.iter().find(|other| other.engine == "matchcore" && other.workload == result.workload);
            if let Some(matchcore) = matchcore {
                let name = format!("lob {mode}: matchcore's time / time");
                let value = matchcore.ns_per_message.median / result.ns_per_message.median;
                bars.push(Bar::new(&name, &result.workload, value, 4.0, false));
            }
        }
        if let (Some(mixed), Some(small)) = (lob(mode, "mixed"), lob(mode, "small")) {
            let name = format!("lob {mode}: time on small / time on mixed");
            let value = small.ns_per_message.median / mixed.ns_per_message.median;
            bars.push(Bar::new(&name, "small", value, 1.0, true));
        }
    }
    bars
}

/// The cost of a message at one size of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrowthPoint {
    /// Live orders before the clock starts.
    pub live_orders: u64,
    /// Live orders on average while it runs.
    pub average_live_orders: f64,
    /// "yardstick" or "lob".
    pub engine: String,
    /// How orders are named.
    pub mode: Mode,
    /// Nanoseconds a message.
    pub ns_per_message: Spread,
    /// The median over the rounds of the ratio to the yardstick in the same round.
    pub ratio_to_yardstick: Option<f64>,
}

/// Everything `lobgym bench growth` measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrowthReport {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// False if it was interrupted.
    pub complete: bool,
    /// The generator's seed.
    pub seed: u64,
    /// Timed messages a run.
    pub messages: u64,
    /// Runs a point.
    pub runs: u32,
    /// One entry a size and engine.
    pub results: Vec<GrowthPoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_takes_the_middle() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]).map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn bars_read_the_right_way_round() {
        assert!(Bar::new("", "", 1.2, 1.2, true).met);
        assert!(!Bar::new("", "", 3.9, 4.0, false).met);
    }
}

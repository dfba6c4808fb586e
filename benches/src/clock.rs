//! Clocks fine enough to time one message.
//!
//! On x86-64 with an invariant time-stamp counter: `lfence; rdtsc; lfence`, calibrated to nanoseconds.
//! Elsewhere the monotonic clock of the standard library. Either way the cost of reading the clock is
//! measured and reported, because percentiles of single messages include it.

use std::time::Instant;

/// Turns ticks of [`now`] into nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    nanoseconds_per_tick: f64,
    overhead_ns: f64,
}

/// What [`now`] reads, in words.
pub const SOURCE: &str = if cfg!(target_arch = "x86_64") { "lfence + rdtsc" } else { "std::time::Instant" };

/// Ticks since some moment. Earlier instructions have finished, later ones have not started.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn now(_epoch: Instant) -> u64 {
    use std::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has both instructions, and neither touches memory.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// Ticks since some moment: nanoseconds since `epoch`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn now(epoch: Instant) -> u64 {
    epoch.elapsed().as_nanos() as u64
}

impl Clock {
    /// Measures the length of a tick over 50 ms, and the clock's own cost.
    pub fn calibrate() -> Self {
        let epoch = Instant::now();
        let (start, first) = (Instant::now(), now(epoch));
        while start.elapsed().as_millis() < 50 {
            std::hint::spin_loop();
        }
        let (ticks, elapsed) = (now(epoch).saturating_sub(first), start.elapsed());
        let nanoseconds_per_tick = elapsed.as_nanos() as f64 / (ticks.max(1)) as f64;

        let mut costs: Vec<u64> = (0..100_001)
            .map(|_| {
                let start = now(epoch);
                now(epoch).saturating_sub(start)
            })
            .collect();
        costs.sort_unstable();
        let overhead_ns = costs[costs.len() / 2] as f64 * nanoseconds_per_tick;
        Self { nanoseconds_per_tick, overhead_ns }
    }

    /// The median of two readings with nothing in between, in nanoseconds: what every single latency
    /// includes.
    pub fn overhead_ns(&self) -> f64 {
        self.overhead_ns
    }

    /// Ticks in nanoseconds, rounded.
    pub fn nanoseconds(&self, ticks: u64) -> u64 {
        (ticks as f64 * self.nanoseconds_per_tick).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_clock() {
        let clock = Clock::calibrate();
        let epoch = Instant::now();
        let (start, first) = (Instant::now(), now(epoch));
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (ticks, elapsed) = (now(epoch) - first, start.elapsed().as_nanos() as f64);
        let ratio = clock.nanoseconds(ticks) as f64 / elapsed;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
        assert!(clock.overhead_ns() < 10_000.0);
    }
}

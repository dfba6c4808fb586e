//! How fast a paper broker or trader goes, when it ends, and what it says meanwhile.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::Failure;

/// Between looks at the signals while a step is waited for.
pub(super) const WATCH: Duration = Duration::from_millis(20);

/// How fast steps follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Speed {
    Max,
    /// Steps a second.
    Paced(f64),
}

pub(super) fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 1e-6 => Ok(Speed::Paced(rate)),
        _ => Err("legal: steps a second, at least 0.000001, or max".to_owned()),
    }
}

/// Becomes true at the first SIGTERM or SIGINT. A second one ends the process at once.
pub(super) fn ending_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop)).map_err(signals)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(signals)?;
    }
    Ok(stop)
}

fn signals(source: std::io::Error) -> Failure {
    Failure::Signal(ctrlc::Error::System(source))
}

/// A line of `key=value` on standard error; values with spaces are quoted.
pub(super) fn log(fields: &[(&str, String)]) {
    let field = |(key, value): &(&str, String)| {
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
        if plain { format!("{key}={value}") } else { format!("{key}={value:?}") }
    };
    // A log that nobody reads any more is no reason to end.
    let _ = writeln!(std::io::stderr(), "{}", fields.iter().map(field).collect::<Vec<_>>().join(" "));
}

/// When the next step is due, and whether the last is to be told of.
pub(super) struct Pace {
    interval: Option<Duration>,
    due: Instant,
    told: Option<Instant>,
}

impl Pace {
    pub(super) fn new(speed: Speed) -> Self {
        let interval = match speed {
            Speed::Max => None,
            Speed::Paced(rate) => Some(Duration::from_secs_f64(1.0 / rate)),
        };
        Self { interval, due: Instant::now(), told: None }
    }

    /// Waits for the next step; false if a signal came first.
    pub(super) fn wait(&mut self, stop: &AtomicBool) -> bool {
        loop {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            let Some(interval) = self.interval else { return true };
            let now = Instant::now();
            if now >= self.due {
                // A step that took too long delays those after it: none are made up for in a rush.
                self.due = (self.due + interval).max(now);
                return true;
            }
            std::thread::sleep((self.due - now).min(WATCH));
        }
    }

    /// Ten lines a second are enough.
    pub(super) fn speaks(&mut self) -> bool {
        let now = Instant::now();
        let speaks = self.told.is_none_or(|told| now - told >= Duration::from_millis(100));
        if speaks {
            self.told = Some(now);
        }
        speaks
    }
}

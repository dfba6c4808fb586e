//! Places at which tests end the process, to see what a restart makes of it.

/// Names the variable: the number of the place, counted from 1 in the order in which they are reached, at which the process aborts.
#[cfg(debug_assertions)]
const VARIABLE: &str = "LOBGYM_PAPER_CRASH";

/// A place. Builds without debug assertions know none.
#[cfg(debug_assertions)]
pub(super) fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static REACHED: AtomicU64 = AtomicU64::new(0);
    static LAST: OnceLock<Option<u64>> = OnceLock::new();
    let last = LAST.get_or_init(|| std::env::var(VARIABLE).ok()?.parse().ok());
    if let Some(last) = last
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *last
    {
        eprintln!("crash point: {name}");
        std::process::abort();
    }
}

/// A place. Builds without debug assertions know none.
#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn point(_name: &str) {}

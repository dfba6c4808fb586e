//! Long native calls that Ctrl-C can end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors;

/// How often Python is asked whether a signal has come. Its handlers run then.
const POLL: Duration = Duration::from_millis(50);

/// Does `work` on another thread, without the interpreter's lock, while this one looks out for signals.
///
/// When a signal's handler raises (Ctrl-C: `KeyboardInterrupt`), the flag that `work` was given is set; `work` should look at it a few
/// times a second and return early. What it returns then is dropped and the handler's exception raised. As ever in Python, signals are
/// handled on the main thread only: elsewhere, the call runs to its end.
///
/// # Errors
/// The handler's exception; `lobgym.InternalError` if `work` panics.
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    run_watched(py, work, |_| Ok(()))
}

/// The same, with something to do on this thread, with the interpreter's lock, whenever signals are looked for: to tell of progress. An
/// exception of `watch` ends the work as a signal's does.
///
/// # Errors
/// As [`run`], and what `watch` raises.
pub(crate) fn run_watched<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&AtomicBool) -> T + Send,
    mut watch: impl FnMut(Python<'_>) -> PyResult<()>,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Nothing is ever sent: the channel closes when the work is over, whichever way it ends.
        let (open, mut over) = channel::<()>();
        let flag = &stop;
        let worker = scope.spawn(move || {
            let _open = open;
            work(flag)
        });
        let mut interrupted = None;
        loop {
            let over = &mut over;
            if py.detach(move || over.recv_timeout(POLL)) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            if interrupted.is_none()
                && let Err(exception) = py.check_signals().and_then(|()| watch(py))
            {
                stop.store(true, Ordering::Relaxed);
                interrupted = Some(exception);
            }
        }
        let outcome = py.detach(move || worker.join());
        match interrupted {
            Some(exception) => Err(exception),
            None => outcome.map_err(|panic| errors::panicked(&*panic)),
        }
    })
}

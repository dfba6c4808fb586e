//! Long native calls that Ctrl-C can end.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
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
pub fn run<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    run_watched(py, work, |_| Ok(()))
}

/// The same, with something to do on this thread, with the interpreter's lock, whenever signals are looked for: to tell of progress. An
/// exception of `watch` ends the work as a signal's does.
///
/// # Errors
/// As [`run`], and what `watch` raises.
pub fn run_watched<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&AtomicBool) -> T + Send,
    mut watch: impl FnMut(Python<'_>) -> PyResult<()>,
) -> PyResult<T> {
    run_served(py, |stop, _: Sender<Infallible>| work(stop), |py, _| watch(py))
}

/// The same, where `work` sends messages to this thread: `serve` is called for each as soon as it comes, and with none whenever signals
/// are looked for. Once the work has been asked to stop, messages are dropped.
///
/// # Errors
/// As [`run`], and what `serve` raises.
pub fn run_served<T: Send, M: Send>(
    py: Python<'_>,
    work: impl FnOnce(&AtomicBool, Sender<M>) -> T + Send,
    mut serve: impl FnMut(Python<'_>, Option<M>) -> PyResult<()>,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The channel closes when the work is over, whichever way it ends.
        let (sender, mut messages) = channel::<M>();
        let flag = &stop;
        let worker = scope.spawn(move || work(flag, sender));
        let mut interrupted = None;
        loop {
            let messages = &mut messages;
            let message = match py.detach(move || messages.recv_timeout(POLL)) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if interrupted.is_none()
                && let Err(exception) = py.check_signals().and_then(|()| serve(py, message))
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

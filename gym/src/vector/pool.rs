//! Threads that wait for a piece of work, do it together with the caller, and wait again.
//!
//! Scoped threads of `crossbeam::thread` would do the same without unsafe code, but are spawned anew for every batch: tens of
//! microseconds, while 1,024 steps of the cheapest environment take a hundred (`cargo bench --bench environments`, group `pool`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};

/// What is to be done for each number below `count`. Only sent while [`Pool::run`] waits for its end.
struct Errand {
    work: *const (dyn Fn(usize) + Sync),
    count: usize,
}

// SAFETY: `work` points to something `Sync`, so that it may be called from another thread; how long it lives is `Pool::run`'s promise.
unsafe impl Send for Errand {}

type Outcome = Result<(), Box<dyn Any + Send>>;

/// Waiting threads; the caller is one more.
pub(super) struct Pool {
    errands: Vec<Sender<Errand>>,
    outcomes: Receiver<Outcome>,
    next: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads` threads, the caller's included.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let helpers = threads.saturating_sub(1);
        let (outcome, outcomes) = bounded(helpers.max(1));
        let next = Arc::new(AtomicUsize::new(0));
        let mut pool = Self { errands: Vec::new(), outcomes, next, threads: Vec::new() };
        for index in 0..helpers {
            let (sender, receiver) = bounded::<Errand>(1);
            let (outcome, next) = (outcome.clone(), Arc::clone(&pool.next));
            let serve = move || {
                for errand in receiver {
                    // SAFETY: `run` neither returns nor unwinds before this errand's outcome has been received, and what `work` points to
                    // is borrowed by `run` for that long.
                    let work = unsafe { &*errand.work };
                    if outcome.send(take_turns(work, &next, errand.count)).is_err() {
                        break;
                    }
                }
            };
            pool.threads.push(std::thread::Builder::new().name(format!("env-{}", index + 1)).spawn(serve)?);
            pool.errands.push(sender);
        }
        Ok(pool)
    }

    /// Threads, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.errands.len() + 1
    }

    /// Calls `work` once with each number below `count`, on any of the threads, and returns when all calls have.
    ///
    /// # Panics
    /// If a call does; the others are finished first.
    pub(super) fn run(&mut self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let helpers = self.errands.len().min(count.saturating_sub(1));
        self.next.store(0, Ordering::Relaxed);
        // SAFETY: this only forgets the lifetime of the borrow. Every errand that is sent is waited for below, before `run` ends in any
        // way: nothing between the first `send` and the last `recv` unwinds, as `take_turns` catches what `work` throws.
        let work_for_ever = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(
                work,
            )
        };
        let mut sent = 0;
        for errands in &self.errands[..helpers] {
            // A thread that is gone does no harm: the others take its turns.
            sent += usize::from(errands.send(Errand { work: work_for_ever, count }).is_ok());
        }
        let mut outcome = take_turns(work, &self.next, count);
        for _ in 0..sent {
            // The threads hold the other end until their errands' channels are closed, which is when the pool is dropped.
            match self.outcomes.recv() {
                Ok(theirs) => outcome = outcome.and(theirs),
                Err(_) => std::process::abort(),
            }
        }
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.errands.clear();
        for thread in self.threads.drain(..) {
            // What a thread panicked with has been passed on by `run`.
            let _ = thread.join();
        }
    }
}

/// Does whatever nobody has begun yet.
fn take_turns(work: &(dyn Fn(usize) + Sync), next: &AtomicUsize, count: usize) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            work(index);
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_number_is_done_once() {
        for threads in [1, 2, 5] {
            let mut pool = Pool::new(threads).unwrap();
            assert_eq!(pool.threads(), threads);
            for count in [0, 1, 2, 7, 64] {
                let counts: Vec<Mutex<u32>> = (0..count).map(|_| Mutex::new(0)).collect();
                pool.run(count, &|index| *counts[index].lock().unwrap() += 1);
                assert!(counts.into_iter().all(|count| count.into_inner().unwrap() == 1));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let mut pool = Pool::new(3).unwrap();
        let done = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(10, &|index| {
                assert!(index != 4, "four");
                done.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(result.is_err());
        pool.run(10, &|_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert!(done.into_inner() >= 10);
    }
}

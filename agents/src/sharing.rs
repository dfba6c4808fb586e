//! Episodes shared out to threads, with results that do not depend on how many there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Episodes that a worker takes at a time: enough to make handing them out cheap, few enough to end together.
pub const CHUNK: usize = 16;

/// Threads where nobody says how many: one a core.
pub fn one_a_core() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Plays episodes `0..episodes` on `threads` threads and returns the results of each [`CHUNK`] of them, in their order.
///
/// `worker` makes what a thread needs; what it returns plays one episode and adds to its chunk's result, which starts at its default. A
/// chunk is one thread's work, in order: sums within it, merged in the chunks' order, are the same bits for any number of threads.
/// `progress` is told how many episodes have been finished since it was last told. After `stop` is set, the chunks that are finished
/// without a gap from the first one are returned.
///
/// # Errors
/// That of the first episode with one.
pub fn share_out<T, E, W>(
    episodes: usize,
    threads: usize,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize) + Sync),
    worker: impl Fn() -> Result<W, E> + Sync,
) -> Result<Vec<T>, E>
where
    T: Default + Send,
    E: Send,
    W: FnMut(usize, &mut T) -> Result<(), E>,
{
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let finished: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let work = || -> Result<(), (usize, E)> {
        let mut play = worker().map_err(|error| (0, error))?;
        while !stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
            let first = next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= episodes {
                break;
            }
            let last = (first + CHUNK).min(episodes);
            let mut result = T::default();
            for episode in first..last {
                if stop.load(Ordering::Relaxed) {
                    // The rest of the chunk would be a gap.
                    return Ok(());
                }
                play(episode, &mut result).map_err(|error| (episode, error))?;
            }
            progress(last - first);
            finished.lock().unwrap_or_else(PoisonError::into_inner).push((first, result));
        }
        Ok(())
    };
    crossbeam::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, episodes.div_ceil(CHUNK).max(1)) {
            scope.spawn(|_| {
                if let Err((episode, error)) = work() {
                    failed.store(true, Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    // The same failure is reported for any number of threads, as far as they got to it.
                    if failure.as_ref().is_none_or(|(first, _)| episode < *first) {
                        *failure = Some((episode, error));
                    }
                }
            });
        }
    })
    .expect("a worker returns its errors and does not panic");
    if let Some((_, error)) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut chunks = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    chunks.sort_unstable_by_key(|&(first, _)| first);
    let gapless = chunks.into_iter().enumerate().take_while(|(index, (first, _))| *first == index * CHUNK);
    Ok(gapless.map(|(_, (_, result))| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Play = fn(usize, &mut Vec<usize>) -> Result<(), String>;

    fn shared(threads: usize, stop: &AtomicBool, play: Play) -> Result<Vec<Vec<usize>>, String> {
        share_out(40, threads, stop, &|_| {}, || Ok(play))
    }

    #[test]
    fn chunks_come_in_order_for_any_number_of_threads() {
        let play: Play = |episode, chunk| {
            chunk.push(episode);
            Ok(())
        };
        for threads in [1, 3, 100] {
            let chunks = shared(threads, &AtomicBool::new(false), play).unwrap();
            assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
            assert_eq!(chunks.concat(), (0..40).collect::<Vec<_>>());
        }
        assert_eq!(shared(2, &AtomicBool::new(true), play).unwrap(), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn the_first_failure_is_reported() {
        let play: Play = |episode, _| if episode < 20 { Ok(()) } else { Err(format!("episode {episode}")) };
        assert_eq!(shared(1, &AtomicBool::new(false), play), Err("episode 20".to_owned()));
    }
}

//! The evaluation at the end of a training.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::run::{Observer, RunOptions};
use super::settings::RunConfig;
use crate::evaluation::{EvaluateError, Request, perform, usual_policies};
use crate::policy::PolicyReference;

/// Name of what the evaluation found: what `lobgym evaluate RUN --json` writes.
pub(super) const EVALUATION: &str = "evaluation.json";

/// Between two words to the observer.
const PAUSE: Duration = Duration::from_millis(100);

/// Evaluates a run's policy beside the environment's usual ones. None if the observer ended it.
pub(super) fn assess(
    run: &RunConfig,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Option<String>, EvaluateError> {
    let (episodes, seed) = (run.common.evaluation_episodes as usize, run.common.seed);
    let own = PolicyReference::new(&options.directory);
    let request = Request {
        env: run.env.clone(),
        policies: [own.to_string()].into_iter().chain(usual_policies(&run.env)).collect(),
        grid: false,
        episodes,
        seed,
        threads: options.threads.clamp(1, 1024),
        against: None,
        examples: false,
        command: format!("lobgym evaluate {} --episodes {episodes} --seed {seed}", own.path.display()),
    };
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let found = std::thread::scope(|scope| {
        // The observer may belong to this thread, so that the work is done by another.
        let work = scope.spawn(|| {
            perform(&request, &stop, &|_, finished| {
                done.fetch_add(finished, Ordering::Relaxed);
            })
        });
        while !work.is_finished() {
            if !observer.evaluating(done.load(Ordering::Relaxed), episodes) {
                stop.store(true, Ordering::Relaxed);
            }
            std::thread::sleep(PAUSE);
        }
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if found.interrupted() {
        return Ok(None);
    }
    // Finite numbers, texts and lists: there is nothing that could not be written.
    Ok(found.json().and_then(|value| serde_json::to_string_pretty(&value)).ok().map(|text| text + "\n"))
}

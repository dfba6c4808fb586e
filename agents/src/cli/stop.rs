//! Ctrl-C: finish the pass that is running, print what is finished, exit 130.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Failure;

/// Becomes true at the first Ctrl-C. A second one ends the process at once.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A stop that Ctrl-C triggers.
    ///
    /// # Errors
    /// [`Failure::Signal`] if the handler cannot be installed.
    pub fn on_ctrl_c() -> Result<Self, Failure> {
        let stop = Self::default();
        let flag = stop.clone();
        ctrlc::set_handler(move || {
            if flag.0.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("\nlobgym: finishing the current pass; Ctrl-C again ends at once");
        })?;
        Ok(stop)
    }

    /// True once Ctrl-C was pressed.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for code that knows no command line.
    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

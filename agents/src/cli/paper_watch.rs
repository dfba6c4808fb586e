//! `lobgym paper watch`: a ledger on a terminal, while its broker runs or later.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Failure;
use super::output;
use crate::broker::{Glance, kill_file};
use crate::report::{PaperScreen, Wish};

/// Between looks at the keys and signals.
const WATCH: Duration = Duration::from_millis(50);

/// Between looks at the ledger, at least; one that takes long to read is read less often.
const LOOK: Duration = Duration::from_millis(250);

/// Of the time, reading takes no more than one part in so many.
const PARTS: u32 = 10;

/// Exit code when the terminal is closed: 128 and the signal's number, as a shell has it.
const HUNG_UP: i32 = 128 + SIGHUP;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The ledger
    #[arg(long, value_name = "FILE", default_value = "paper.db")]
    db: PathBuf,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let db = &arguments.db;
    let screen = PaperScreen::new(Glance::of(db)?);
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "watch needs a terminal for input and output; lobgym paper status --db {} prints the same figures",
            db.display()
        )));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let signals = |source| Failure::Signal(ctrlc::Error::System(source));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(signals)?;
    }
    // The terminal is gone: there is nothing to restore, and asking it for keys would never return.
    let always = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGHUP, HUNG_UP, always).map_err(signals)?;
    // It also restores the terminal if a panic ends the process.
    let mut terminal = ratatui::try_init().map_err(Failure::Stdout)?;
    let watched = watch(&mut terminal, screen, db, &stop);
    ratatui::try_restore().map_err(Failure::Stdout)?;
    watched
}

fn watch(
    terminal: &mut DefaultTerminal,
    mut screen: PaperScreen,
    db: &Path,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut due = Instant::now() + LOOK;
    let mut changed = true;
    while !stop.load(Ordering::Relaxed) {
        if changed {
            terminal.draw(|frame| screen.draw(frame)).map_err(Failure::Stdout)?;
        }
        changed = event::poll(WATCH).map_err(Failure::Stdout)?;
        if changed && let Event::Key(key) = event::read().map_err(Failure::Stdout)? {
            match screen.press(key) {
                Wish::Nothing => {}
                Wish::Quit => break,
                Wish::Kill => match output::write_file(&kill_file(db), "") {
                    Ok(()) => {
                        due = Instant::now();
                        screen.say(format!("remove {} to trade again", kill_file(db).display()));
                    }
                    Err(error) => screen.say(error.to_string()),
                },
            }
        }
        let now = Instant::now();
        if now >= due {
            screen.show(Glance::of(db));
            due = Instant::now() + LOOK.max(now.elapsed() * PARTS);
            changed = true;
        }
    }
    Ok(())
}

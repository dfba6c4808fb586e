//! The files of a run.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lobgym_benches::atomic::{write_atomically, write_text};
use serde_json::{Map, Value, json};

use super::events::EventFile;
use super::rollout::Finished;

/// What a run's directory holds; `docs/training.md` lists it.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    metrics: fs::File,
    episodes: Option<fs::File>,
    events: EventFile,
    header: Vec<String>,
}

/// Name of the resolved settings.
pub const CONFIG: &str = "config.yaml";
/// Name of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Name of the metrics.
pub const METRICS: &str = "metrics.csv";
/// Name of the log of episodes.
pub const EPISODES: &str = "episodes.csv";

impl RunDirectory {
    /// Makes the directory and writes what is known before training: settings and origin. `first` is the update and the step that
    /// training starts from; metrics and episodes of later ones, left by a run that was killed, are dropped. `episode_columns` are the names of
    /// the numbers that are noted of episodes; without any there is no log of them.
    ///
    /// # Errors
    /// The path and what the system says of it.
    pub fn open(
        path: &Path,
        config: &Map<String, Value>,
        origin: &Map<String, Value>,
        first: (u64, u64),
        episode_columns: &[String],
    ) -> Result<Self, (PathBuf, io::Error)> {
        let at = |name: &str| path.join(name);
        fs::create_dir_all(path).map_err(|error| (path.to_owned(), error))?;
        let text = serde_saphyr::to_string(config).map_err(|error| (at(CONFIG), io::Error::other(error)))?;
        write_text(&at(CONFIG), &text).map_err(|error| (at(CONFIG), error))?;
        let text = serde_json::to_string_pretty(origin).map_err(|error| (at("run.json"), error.into()))?;
        write_text(&at("run.json"), &(text + "\n")).map_err(|error| (at("run.json"), error))?;
        let header = keep_metrics(&at(METRICS), first.0).map_err(|error| (at(METRICS), error))?;
        let metrics = fs::OpenOptions::new().append(true).open(at(METRICS));
        let metrics = metrics.map_err(|error| (at(METRICS), error))?;
        let episodes =
            open_episodes(&at(EPISODES), first.0, episode_columns).map_err(|error| (at(EPISODES), error))?;
        let events = EventFile::create(path, first.1).map_err(|error| (path.to_owned(), error))?;
        Ok(Self { path: path.to_owned(), metrics, episodes, events, header })
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Appends the numbers of an update. The first call fixes the columns.
    ///
    /// # Errors
    /// What the system says.
    pub fn log(&mut self, step: u64, numbers: &[(&str, f64)]) -> io::Result<()> {
        if self.header.is_empty() {
            self.header = numbers.iter().map(|(name, _)| (*name).to_owned()).collect();
            writeln!(self.metrics, "{}", self.header.join(","))?;
        }
        // Empty where there is no number: before the first episode has ended there is no mean of episodes.
        let cell = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
        let row: Vec<String> = numbers.iter().map(|(_, value)| cell(*value)).collect();
        writeln!(self.metrics, "{}", row.join(","))?;
        self.events.write(step, numbers.iter().filter(|(_, value)| value.is_finite()).copied())
    }

    /// Appends the episodes of an update that were noted.
    ///
    /// # Errors
    /// What the system says.
    pub fn log_episodes(&mut self, update: u64, finished: &[Finished]) -> io::Result<()> {
        let Some(file) = &mut self.episodes else { return Ok(()) };
        let mut rows = String::new();
        for episode in finished {
            let Some(record) = &episode.record else { continue };
            let start = [update, record.environment as u64, record.episode, episode.steps];
            start.iter().for_each(|number| write!(rows, "{number},").expect("strings take everything"));
            write!(rows, "{}", episode.total).expect("strings take everything");
            for number in &record.numbers {
                rows.push(',');
                if number.is_finite() {
                    write!(rows, "{number}").expect("strings take everything");
                }
            }
            rows.push('\n');
        }
        // At once: a reader sees whole rows.
        file.write_all(rows.as_bytes())
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.metrics.flush()?;
        self.events.flush()
    }
}

/// `runs/NAME-N` with the first number that is free: where a training goes that was not told where to go.
pub fn free_directory(name: &str) -> PathBuf {
    let path = |number: u64| PathBuf::from(format!("runs/{name}-{number}"));
    (1..).map(path).find(|path| !path.exists()).unwrap_or_else(|| path(0))
}

/// Where this version comes from, for `run.json` and policies.
pub fn code_version() -> String {
    match option_env!("LOBGYM_COMMIT") {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What `run.json` says.
pub fn origin(seed: u64, device: &str, threads: usize) -> Map<String, Value> {
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let Value::Object(map) = json!({
        "code_version": code_version(),
        "libtorch": "2.11.0",
        "seed": seed,
        "device": device,
        "threads": threads,
        "started_unix_seconds": started.map_or(0, |time| time.as_secs()),
    }) else {
        unreachable!("braces make a map")
    };
    map
}

/// Leaves rows of updates up to `last` in a metrics file, or makes an empty one; returns its header.
fn keep_metrics(path: &Path, last: u64) -> io::Result<Vec<String>> {
    let text = if last > 0 && path.exists() { fs::read_to_string(path)? } else { String::new() };
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let early = |line: &&str| {
        let update = line.split(',').next().and_then(|cell| cell.parse::<u64>().ok());
        update.is_some_and(|update| update <= last)
    };
    write_atomically(path, |file| -> io::Result<()> {
        if !header.is_empty() {
            writeln!(file, "{header}")?;
        }
        for line in lines.filter(early) {
            writeln!(file, "{line}")?;
        }
        Ok(())
    })?;
    Ok(header.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The log of episodes with rows of updates up to `last`; none if nothing is noted.
fn open_episodes(path: &Path, last: u64, columns: &[String]) -> io::Result<Option<fs::File>> {
    if columns.is_empty() && !path.exists() {
        return Ok(None);
    }
    let kept = keep_metrics(path, last)?.join(",");
    if columns.is_empty() {
        return Ok(None);
    }
    let names = ["update", "environment", "episode", "steps", "return"].into_iter().map(str::to_owned);
    let header = names.chain(columns.iter().map(|name| cell(name))).collect::<Vec<_>>().join(",");
    if !kept.is_empty() && kept != header {
        let problem =
            "its columns are those of another version or environment; move it away to go on without its rows";
        return Err(io::Error::other(problem));
    }
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    if kept.is_empty() {
        writeln!(file, "{header}")?;
    }
    Ok(Some(file))
}

/// A name as a cell: in quotes where it has something that separates cells or rows.
fn cell(name: &str) -> String {
    if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

//! `lobgym train`: learn a policy.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use gym::Settings;
use indicatif::{HumanDuration, ProgressBar};

use super::output;
use super::{Failure, Stop};
use crate::report::{RunLog, run_html};
use crate::rl::directory::free_directory;
use crate::rl::{Observer, Outcome, Report, RunConfig, RunOptions, TrainError, train};
use crate::sharing::one_a_core;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to train: a file with the sections env and train, as in config/train/
    config: PathBuf,
    /// Change a setting, as in --set train.steps=200000 or --set env.lots=60
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The run's directory [default: runs/NAME-N, the first that there is not]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on from the checkpoint in --out
    #[arg(long, requires = "out")]
    resume: bool,
    /// Train so many runs with seeds train.seed, train.seed + 1, ..., in directories seed-N, and compare them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Where tensors live
    #[arg(long, value_enum, default_value = "cpu")]
    device: Device,
    /// Threads that play and compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Device {
    Cpu,
    Cuda,
}

/// Trains.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut settings = Settings::read(&arguments.config).map_err(TrainError::from)?;
    for assignment in &arguments.set {
        settings.set(assignment).map_err(TrainError::from)?;
    }
    let run = RunConfig::from_settings(&settings).map_err(TrainError::from)?;
    let device = match arguments.device {
        Device::Cpu => tch::Device::Cpu,
        Device::Cuda if tch::Cuda::is_available() => tch::Device::Cuda(0),
        Device::Cuda => {
            return Err(Failure::Usage(
                "--device is cuda; legal here: cpu, as libtorch finds no CUDA device".to_owned(),
            ));
        }
    };
    let threads = arguments.threads.map_or_else(one_a_core, usize::from);
    let directory = arguments.out.clone().unwrap_or_else(|| {
        let name = arguments.config.file_stem().map_or_else(|| "run".into(), |name| name.to_string_lossy());
        free_directory(&name)
    });
    let stop = Stop::on_ctrl_c()?;
    let mut outcomes = Vec::new();
    for index in 0..arguments.seeds {
        let mut run = run.clone();
        run.common.seed = run.common.seed.wrapping_add(index);
        let directory = if arguments.seeds == 1 {
            directory.clone()
        } else {
            directory.join(format!("seed-{}", run.common.seed))
        };
        let options = RunOptions { directory: directory.clone(), resume: arguments.resume, device, threads };
        if arguments.seeds > 1 && arguments.resume && !directory.exists() {
            // The run before this one was interrupted.
            let outcome = one(&run, &RunOptions { resume: false, ..options }, &stop)?;
            outcomes.push((run.common.seed, outcome));
            continue;
        }
        outcomes.push((run.common.seed, one(&run, &options, &stop)?));
    }
    let page = directory.join("report.html");
    output::write_file(&page, &report(&directory, &outcomes, &run)?)?;
    eprintln!("report: {}", page.display());
    output::print(&summary(&outcomes))
}

/// The learning curves of all runs.
fn report(directory: &Path, outcomes: &[(u64, Outcome)], run: &RunConfig) -> Result<String, Failure> {
    let several = outcomes.len() > 1;
    let log = |(seed, _): &(u64, Outcome)| {
        let name = format!("seed {seed}");
        let place = if several { directory.join(format!("seed-{seed}")) } else { directory.to_owned() };
        RunLog::read(&place, name).map_err(|source| Failure::Output { path: place, source })
    };
    let logs: Vec<RunLog> = outcomes.iter().map(log).collect::<Result<_, _>>()?;
    Ok(run_html(run, &logs))
}

fn one(run: &RunConfig, options: &RunOptions, stop: &Stop) -> Result<Outcome, Failure> {
    let mut watcher = Watcher::new(options, stop);
    let outcome = train(run, options, &mut watcher);
    watcher.bar.finish_and_clear();
    let outcome = outcome?;
    if outcome.complete { Ok(outcome) } else { Err(Failure::Suspended(options.directory.clone())) }
}

/// A progress bar on a terminal, a line now and then elsewhere.
struct Watcher<'a> {
    stop: &'a Stop,
    bar: ProgressBar,
    plain: bool,
    started: Instant,
    first_steps: Option<u64>,
    said: Option<Instant>,
    evaluating: bool,
}

/// Between two lines where there is no terminal.
const SILENCE: Duration = Duration::from_secs(5);

impl<'a> Watcher<'a> {
    fn new(options: &RunOptions, stop: &'a Stop) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain { ProgressBar::hidden() } else { output::timed_progress(0) };
        eprintln!("training in {}", options.directory.display());
        Self { stop, bar, plain, started: Instant::now(), first_steps: None, said: None, evaluating: false }
    }
}

impl Observer for Watcher<'_> {
    fn updated(&mut self, report: &Report<'_>) -> bool {
        let mut text = format!("{:.0} steps/s", report.steps_per_second);
        if let Some(mean) = report.mean_return {
            text.push_str(&format!(", return {mean:.3}"));
        }
        for name in ["policy_loss", "value_loss", "loss"] {
            if let Some((_, value)) = report.metrics.iter().find(|(other, _)| *other == name) {
                text.push_str(&format!(", {} {value:.4}", name.replace('_', " ")));
            }
        }
        if self.plain {
            let last = report.update == report.updates || self.stop.requested();
            if last || self.said.is_none_or(|said| said.elapsed() >= SILENCE) {
                let first = *self.first_steps.get_or_insert(report.steps);
                let done = (report.steps - first) as f64 / self.started.elapsed().as_secs_f64();
                let left = (report.total_steps - report.steps) as f64 / done;
                let left = if left.is_finite() { Duration::from_secs_f64(left) } else { Duration::ZERO };
                let left = HumanDuration(left);
                eprintln!("{}/{} steps, {text}, {left} left", report.steps, report.total_steps);
                self.said = Some(Instant::now());
            }
        } else {
            self.bar.set_length(report.total_steps);
            self.bar.set_message(text);
            if self.first_steps.is_none() {
                self.first_steps = Some(report.steps);
                self.bar.reset_eta();
            }
            self.bar.set_position(report.steps);
        }
        !self.stop.requested()
    }

    fn evaluating(&mut self, done: usize, total: usize) -> bool {
        if self.plain {
            if !std::mem::replace(&mut self.evaluating, true) {
                eprintln!("evaluating the policy over {total} sessions");
            }
        } else {
            self.bar.set_length(total as u64);
            self.bar.set_message("sessions of evaluation");
            self.bar.set_position(done as u64);
        }
        !self.stop.requested()
    }
}

/// What was trained, in words; with several seeds the interquartile mean of their final returns and an interval.
fn summary(outcomes: &[(u64, Outcome)]) -> String {
    let mut text = String::new();
    for (seed, outcome) in outcomes {
        let mean = outcome.mean_return.map_or_else(|| "none".to_owned(), |mean| format!("{mean:.4}"));
        let path = outcome.policy.as_deref().unwrap_or(Path::new("-"));
        text.push_str(&format!("seed {seed}: mean return {mean}, policy {}\n", path.display()));
    }
    let returns: Vec<f64> = outcomes.iter().filter_map(|(_, outcome)| outcome.mean_return).collect();
    if returns.len() > 1 {
        let (low, high) = crate::rl::seeds::bootstrap_interval(&returns, 0.95, 0);
        let mean = crate::rl::seeds::interquartile_mean(&returns);
        text.push_str(&format!(
            "{} seeds: interquartile mean {mean:.4}, 95% bootstrap interval {low:.4} to {high:.4}\n",
            returns.len()
        ));
    }
    text
}

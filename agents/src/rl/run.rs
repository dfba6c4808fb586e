//! A training from its settings to its policy.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gym::config::{ConfigError, Task};
use gym::envs::trader::FeatureScaling;
use gym::{AnyEnv, Env};
use lobgym_benches::atomic::write_text;
use serde_json::{Map, Value};
use tch::Device;
use thiserror::Error;

use super::actor_critic::ActorCritic;
use super::assessment::{EVALUATION, assess};
use super::checkpoint::State;
use super::directory::{CHECKPOINT, CONFIG, RunDirectory, code_version, origin};
use super::dqn::Dqn;
use super::learner::{LearnError, Learner, Progress, Setting};
use super::ppo::Ppo;
use super::reinforce::Reinforce;
use super::settings::{AlgorithmSettings, RunConfig};
use crate::evaluation::EvaluateError;
use crate::evaluation::can_evaluate;
use crate::policy::{
    ActionRecord, ComponentRecord, FORMAT, POLICY_FILE, PolicyError, PolicyFile, PolicyHeader,
};

/// How a training is run; nothing here changes what is learned, but for the last bits that another device or number of threads rounds
/// differently.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run's directory.
    pub directory: PathBuf,
    /// Go on from the checkpoint there.
    pub resume: bool,
    /// Where tensors live.
    pub device: Device,
    /// Threads that play, and that libtorch computes with.
    pub threads: usize,
}

/// Where a training is, after each update.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Updates made.
    pub update: u64,
    /// Updates to be made in all.
    pub updates: u64,
    /// Environment steps made.
    pub steps: u64,
    /// Environment steps to be made in all.
    pub total_steps: u64,
    /// Of this update.
    pub steps_per_second: f64,
    /// Mean total reward of the last 100 episodes; none before the first has ended.
    pub mean_return: Option<f64>,
    /// Numbers of the update, by name.
    pub metrics: &'a [(&'static str, f64)],
}

/// Who watches a training.
pub trait Observer {
    /// Called now and then while the finished policy is evaluated, with the sessions done and their number. `false` ends the evaluation; the
    /// training is complete all the same.
    fn evaluating(&mut self, _done: usize, _total: usize) -> bool {
        true
    }

    /// Called after each update. `false` ends training: a checkpoint is written, and the run can be resumed.
    fn updated(&mut self, report: &Report<'_>) -> bool;
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Updates made, those before a resume included.
    pub updates: u64,
    /// Environment steps made.
    pub steps: u64,
    /// False if the observer ended it.
    pub complete: bool,
    /// Mean total reward of the last 100 episodes.
    pub mean_return: Option<f64>,
    /// The policy's file, if training is complete.
    pub policy: Option<PathBuf>,
    /// The evaluation's file, if there is one.
    pub evaluation: Option<PathBuf>,
}

/// Why a training could not begin or stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Settings that are not legal.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The algorithm's own failures.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A file that cannot be written.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// A policy that cannot be written.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy is written, but could not be evaluated.
    #[error(
        "training is complete and its policy is written, but it could not be evaluated: {0}; train.evaluation_episodes=0 leaves that out"
    )]
    Evaluation(#[from] EvaluateError),
    /// A directory that has a run already.
    #[error("{}: there is a run already; go on with it by --resume, or name another directory", .0.display())]
    Exists(PathBuf),
    /// A checkpoint that cannot be gone on from.
    #[error("{}: {problem}", path.display())]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

impl TrainError {
    /// True if the settings or arguments are the reason.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Config(_) | Self::Exists(_) | Self::Resume { .. } | Self::Learn(LearnError::Parameter(_))
        )
    }
}

/// Episodes whose mean is reported.
const RECENT: usize = 100;

/// Trains, or goes on training, evaluates the policy where its environment has an evaluation, and writes the run's files.
///
/// # Errors
/// [`TrainError`]. What was written before stays.
pub fn train(
    run: &RunConfig,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let run = &normalised(run, options)?;
    let mut outcome = train_in(&AnyEnv::new(&run.env)?, run, options, observer)?;
    if outcome.complete && run.common.evaluation_episodes > 0 && can_evaluate(&run.env) {
        let path = options.directory.join(EVALUATION);
        let found = assess(run, options, observer)?;
        if let Some(text) = found {
            write_text(&path, &text).map_err(|problem| TrainError::Io { path: path.clone(), problem })?;
            outcome.evaluation = Some(path);
        }
    }
    Ok(outcome)
}

/// With what the features of a trader's bars are normalised by, fitted once: the policy keeps it with its settings, and a training that goes on
/// takes it from its checkpoint.
fn normalised(run: &RunConfig, options: &RunOptions) -> Result<RunConfig, TrainError> {
    let mut run = run.clone();
    let Task::Trader(task) = &mut run.env.task else { return Ok(run) };
    let Some(scaling) = &task.normalisation else { return Ok(run) };
    let method = scaling.method();
    let saved = options.resume.then(|| State::read(&options.directory.join(CHECKPOINT)).ok()).flatten();
    let saved = saved.and_then(|state| {
        let kept = state.header.get("config")?.get("env")?.get("normalisation")?.clone();
        serde_json::from_value::<Option<FeatureScaling>>(kept).ok()?
    });
    match saved.filter(|saved| saved.method() == method) {
        Some(saved) => task.normalisation = Some(saved),
        None => *task = task.fitted(&run.env.directory)?,
    }
    Ok(run)
}

/// The same in any environment, without the evaluation; `run.env` is only recorded, but for its limit of steps.
///
/// # Errors
/// [`TrainError`]. What was written before stays.
pub fn train_in<E: Env + 'static>(
    env: &E,
    run: &RunConfig,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let threads = options.threads.max(1);
    // Batches are spread over threads whole (`gradient`); libtorch's own would only be in the way.
    tch::set_num_threads(1);
    let setting = Setting { run, env, device: options.device, threads };
    let mut learner = new_learner(&setting)?;
    let per_update = learner.steps_per_update();
    let updates = run.common.steps.div_ceil(per_update);
    let mut progress = Progress { update: 0, updates };
    let mut recent = VecDeque::new();

    let checkpoint = options.directory.join(CHECKPOINT);
    let config = run.to_map();
    if options.resume {
        let refuse = |problem: String| TrainError::Resume { path: checkpoint.clone(), problem };
        let state = State::read(&checkpoint).map_err(refuse)?;
        progress.update = check_header(&state.header, &config).map_err(refuse)?;
        learner.restore(&state).map_err(|error| refuse(error.to_string()))?;
        recent.extend(state.f64s("recent").map_err(|error| refuse(error.to_string()))?);
    } else if options.directory.join(CONFIG).exists() {
        return Err(TrainError::Exists(options.directory.clone()));
    }
    let io_error = |(path, problem)| TrainError::Io { path, problem };
    let origin = origin(run.common.seed, &format!("{:?}", options.device), threads);
    let first = (progress.update, progress.update * per_update);
    let columns = learner.episode_columns();
    let opened = RunDirectory::open(&options.directory, &config, &origin, first, columns);
    let mut directory = opened.map_err(io_error)?;

    let mut complete = true;
    let started = Instant::now();
    while progress.update < updates {
        let begun = Instant::now();
        let update = learner.update(progress)?;
        progress.update += 1;
        for episode in &update.finished {
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(episode.total);
        }
        let steps = progress.update * per_update;
        let steps_per_second = per_update as f64 / begun.elapsed().as_secs_f64().max(1e-9);
        let mean_return = mean(&recent);
        let finished = update.finished.len() as f64;
        let mean_steps = update.finished.iter().map(|episode| episode.steps as f64).sum::<f64>() / finished;
        let mut row: Vec<(&str, f64)> = vec![
            ("update", progress.update as f64),
            ("steps", steps as f64),
            ("episodes", finished),
            ("return_mean", mean_return.unwrap_or(f64::NAN)),
            ("episode_steps", mean_steps),
        ];
        row.extend(update.metrics.iter().copied());
        row.push(("steps_per_second", steps_per_second));
        row.push(("seconds", started.elapsed().as_secs_f64()));
        let wrote = directory
            .log(steps, &row)
            .and_then(|()| directory.log_episodes(progress.update, &update.finished));
        wrote.map_err(|problem| TrainError::Io { path: options.directory.clone(), problem })?;
        let report = Report {
            update: progress.update,
            updates,
            steps,
            total_steps: updates * per_update,
            steps_per_second,
            mean_return,
            metrics: &update.metrics,
        };
        complete = observer.updated(&report) || progress.update == updates;
        let interval = run.common.checkpoint_updates;
        let due = interval > 0 && progress.update.is_multiple_of(interval);
        if due || !complete || progress.update == updates {
            let flushed = directory.flush();
            flushed.map_err(|problem| TrainError::Io { path: options.directory.clone(), problem })?;
            let state = checkpoint_of(&*learner, &config, progress, &recent);
            let wrote = state.write(&checkpoint);
            wrote.map_err(|problem| TrainError::Io { path: checkpoint.clone(), problem })?;
        }
        if !complete {
            break;
        }
    }
    let mut policy = None;
    if complete {
        let path = directory.file(POLICY_FILE);
        write_policy(&mut *learner, run, env, progress, &path)?;
        policy = Some(path);
    }
    Ok(Outcome {
        updates: progress.update,
        steps: progress.update * per_update,
        complete,
        mean_return: mean(&recent),
        policy,
        evaluation: None,
    })
}

fn new_learner<E: Env + 'static>(setting: &Setting<'_, E>) -> Result<Box<dyn Learner>, LearnError> {
    Ok(match &setting.run.algorithm {
        AlgorithmSettings::Ppo(own) => Box::new(Ppo::new(setting, own)?),
        AlgorithmSettings::ActorCritic(own) => Box::new(ActorCritic::new(setting, own)?),
        AlgorithmSettings::Reinforce(own) => Box::new(Reinforce::new(setting, own)?),
        AlgorithmSettings::Dqn(own) => Box::new(Dqn::new(setting, own)?),
    })
}

fn mean(recent: &VecDeque<f64>) -> Option<f64> {
    (!recent.is_empty()).then(|| recent.iter().sum::<f64>() / recent.len() as f64)
}

fn checkpoint_of(
    learner: &dyn Learner,
    config: &Map<String, Value>,
    progress: Progress,
    recent: &VecDeque<f64>,
) -> State {
    let mut state = State::default();
    learner.save(&mut state);
    state.put_f64s("recent", recent.iter().copied().collect());
    state.header.insert("format".into(), FORMAT.into());
    state.header.insert("code_version".into(), code_version().into());
    state.header.insert("update".into(), progress.update.into());
    state.header.insert("config".into(), config.clone().into());
    state
}

/// Updates made by the training that wrote the header, if it is this one.
fn check_header(header: &Map<String, Value>, config: &Map<String, Value>) -> Result<u64, String> {
    let number = |key: &str| header.get(key).and_then(Value::as_u64);
    match number("format") {
        Some(format) if format == u64::from(FORMAT) => {}
        other => return Err(format!("its format is {other:?}; legal: {FORMAT}")),
    }
    let saved = header.get("config").and_then(Value::as_object).ok_or("its settings are missing")?;
    for section in ["env", "train"] {
        let (Some(Value::Object(saved)), Some(Value::Object(here))) =
            (saved.get(section), config.get(section))
        else {
            return Err(format!("its section {section} is missing"));
        };
        // How the result is looked at may change.
        for (key, value) in
            here.iter().filter(|(key, _)| !["evaluation_episodes", "episode_log"].contains(&key.as_str()))
        {
            let before = saved.get(key).unwrap_or(&Value::Null);
            if before != value {
                return Err(format!(
                    "{section}.{key} was {before}, now it is {value}; a resumed training keeps its settings"
                ));
            }
        }
    }
    number("update").ok_or_else(|| "its update is missing".to_owned())
}

fn write_policy(
    learner: &mut dyn Learner,
    run: &RunConfig,
    env: &impl Env,
    progress: Progress,
    path: &Path,
) -> Result<(), TrainError> {
    // What the last rollout played with, where a deviation is annealed.
    let last = Progress { update: progress.update.saturating_sub(1), ..progress };
    let (policy, parameters) = learner.policy(last)?;
    let mut training = run.to_map().remove("train").and_then(|train| train.as_object().cloned());
    let training = training.get_or_insert_default();
    training.insert("updates".into(), progress.update.into());
    let header = PolicyHeader {
        format: FORMAT,
        code_version: code_version(),
        network: policy.network.spec().clone(),
        head: policy.head.clone(),
        observation: ComponentRecord::of(env.observation_space()),
        action: ActionRecord::of(env.action_space()),
        normalisation_limit: policy.normaliser.as_ref().map(|normaliser| normaliser.limit()),
        env: run.env.to_map(),
        training: training.clone(),
    };
    PolicyFile { header, policy, parameters }.write(path)?;
    Ok(())
}

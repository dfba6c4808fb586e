//! How many steps a second an environment makes, and how much memory it takes.
//!
//! Measured through [`gym::VecEnv`], as users call it: actions are checked, observations, rewards and flags are written into the caller's
//! arrays, episodes that end are followed by new ones within the step, infos are off. Actions are drawn beforehand.

use std::time::{Duration, Instant};

use gym::{Action, AnyEnv, Autoreset, ConfigError, Env, EnvConfig, EnvError, Space, StepBuffers, VecEnv};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// Batches of actions that are used in turn: one action for ever would let an environment settle where nothing happens.
const ACTION_BATCHES: usize = 16;

/// Seed of the environments and of the actions.
const SEED: u64 = 0;

/// Part of a run's time that is played before the first run, for caches and for books to fill.
const WARM_UP: f64 = 0.25;

/// Why an environment could not be measured.
#[derive(Debug, Error)]
pub enum RateError {
    /// Its settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
}

/// Steps a second, over the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepsPerSecond {
    /// The middle run, or the mean of the two in the middle.
    pub median: f64,
    /// The slowest.
    pub min: f64,
    /// The fastest.
    pub max: f64,
}

impl StepsPerSecond {
    /// Of these runs; `None` without any.
    pub fn of(runs: &[f64]) -> Option<Self> {
        let mut runs = runs.to_vec();
        runs.sort_unstable_by(f64::total_cmp);
        let middle = runs.len() / 2;
        let median = match runs.len() {
            0 => return None,
            n if n % 2 == 1 => runs[middle],
            _ => (runs[middle - 1] + runs[middle]) / 2.0,
        };
        Some(Self { median, min: runs[0], max: runs[runs.len() - 1] })
    }
}

/// One line of results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// The environment.
    pub env: String,
    /// Threads that stepped it.
    pub threads: usize,
    /// Environments in the batch.
    pub num_envs: usize,
    /// Through which door: `native` here, `python` where Python measures the same.
    pub front: String,
    /// What was measured.
    pub steps_per_second: StepsPerSecond,
    /// All settings, the environment's and the batch's.
    pub settings: Map<String, Value>,
}

/// The least steps a second on one core that the project asks of an environment at [`bench_settings`].
pub fn bar(name: &str) -> Option<f64> {
    match name {
        "market_making" => Some(1.5e6),
        "execution" => Some(8e4),
        "model_market_making" => Some(1e7),
        "multi_asset_trading" | "portfolio_rebalancing" => Some(1e6),
        _ => None,
    }
}

/// The settings an environment is measured at: its defaults, except that market making decides every 0.1 s in `noise`.
///
/// # Errors
/// [`ConfigError::Parameter`] if there is no environment or configuration of that name.
pub fn bench_settings(name: &str) -> Result<Map<String, Value>, ConfigError> {
    let mut map = EnvConfig::named_settings(name)?;
    if name == "market_making" {
        map.insert("market".into(), "noise".into());
        map.insert("step_seconds".into(), 0.1.into());
    }
    Ok(map)
}

enum Actions {
    Continuous(Vec<Vec<f32>>),
    Discrete(Vec<Vec<i64>>),
}

impl Actions {
    fn draw(space: &Space, num_envs: usize) -> Self {
        let mut rng = SimRng::seed_from_u64(SEED);
        let mut choice = |choices: usize| (uniform(&mut rng) * choices as f64) as i64;
        let rows = |mut row: Box<dyn FnMut() -> Vec<i64> + '_>| {
            (0..ACTION_BATCHES).map(|_| (0..num_envs).flat_map(|_| row()).collect()).collect()
        };
        match space {
            Space::Discrete(choices) => Self::Discrete(rows(Box::new(|| vec![choice(choices.len())]))),
            Space::MultiDiscrete(lists) => Self::Discrete(rows(Box::new(|| {
                lists.iter().map(|(_, choices)| choice(choices.len())).collect()
            }))),
            Space::Box(space) => {
                let mut draw = |low: f32, high: f32| {
                    // A number without bounds is drawn from the unit interval's neighbourhood.
                    let (low, high) = (f64::from(low.max(-1e3)), f64::from(high.min(1e3)));
                    (low + uniform(&mut rng) * (high - low)) as f32
                };
                let batch = |_| {
                    let rows = (0..num_envs).flat_map(|_| space.components());
                    rows.map(|component| draw(component.low, component.high)).collect()
                };
                Self::Continuous((0..ACTION_BATCHES).map(batch).collect())
            }
        }
    }

    fn batch(&self, index: usize) -> Action<'_> {
        match self {
            Self::Continuous(batches) => Action::Continuous(&batches[index % ACTION_BATCHES]),
            Self::Discrete(batches) => Action::Discrete(&batches[index % ACTION_BATCHES]),
        }
    }
}

/// A batch under measurement. Several can be measured in turn, so that what else the machine does hits all of them alike.
pub struct Meter {
    env: VecEnv<AnyEnv>,
    settings: Map<String, Value>,
    name: &'static str,
    actions: Actions,
    observations: Vec<f32>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    batches: usize,
    runs: Vec<f64>,
}

impl Meter {
    /// `num_envs` environments on `threads` threads (0: as many as are worth it), reset and ready.
    ///
    /// # Errors
    /// Settings that are not legal.
    pub fn new(config: &EnvConfig, num_envs: usize, threads: usize) -> Result<Self, RateError> {
        let autoreset = Autoreset::SameStep;
        let env = AnyEnv::new(config)?;
        let mut env = VecEnv::new(env, num_envs, config.max_episode_steps(), threads, autoreset)?;
        let mut settings = config.to_map();
        settings.insert("autoreset".into(), "same_step".into());
        settings.insert("seed".into(), SEED.into());
        let mut observations = vec![0.0; num_envs * env.env().observation_space().len()];
        env.reset(None, None, &mut observations, None)?;
        Ok(Self {
            actions: Actions::draw(env.env().action_space(), num_envs),
            env,
            settings,
            name: config.name(),
            observations,
            rewards: vec![0.0; num_envs],
            terminated: vec![false; num_envs],
            truncated: vec![false; num_envs],
            batches: 0,
            runs: Vec::new(),
        })
    }

    /// One step of every environment.
    ///
    /// # Errors
    /// [`EnvError::Session`] where an episode cannot begin.
    pub fn step(&mut self) -> Result<(), EnvError> {
        self.batches += 1;
        self.env.step(
            self.actions.batch(self.batches),
            StepBuffers {
                observations: &mut self.observations,
                rewards: &mut self.rewards,
                terminated: &mut self.terminated,
                truncated: &mut self.truncated,
                infos: None,
                final_observations: None,
                final_infos: None,
            },
        )
    }

    /// Steps for about `seconds`, at least once; the first run is preceded by a warm-up.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(&mut self, seconds: f64) -> Result<(), EnvError> {
        if self.runs.is_empty() {
            self.play(seconds * WARM_UP)?;
        }
        let rate = self.play(seconds)?;
        self.runs.push(rate);
        Ok(())
    }

    /// Steps a second.
    fn play(&mut self, seconds: f64) -> Result<f64, EnvError> {
        let time = Duration::from_secs_f64(seconds.clamp(0.0, 1e6));
        let start = Instant::now();
        let first = self.batches;
        loop {
            self.step()?;
            let elapsed = start.elapsed();
            if elapsed >= time {
                let steps = (self.batches - first) * self.env.num_envs();
                return Ok(steps as f64 / elapsed.as_secs_f64());
            }
        }
    }

    /// The environment's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the runs so far came to; `None` before the first.
    pub fn rates(&self) -> Option<Rates> {
        Some(Rates {
            env: self.name.to_owned(),
            threads: self.env.threads(),
            num_envs: self.env.num_envs(),
            front: "native".to_owned(),
            steps_per_second: StepsPerSecond::of(&self.runs)?,
            settings: self.settings.clone(),
        })
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("env", &self.env).field("runs", &self.runs).finish_non_exhaustive()
    }
}

/// Measures one environment: `repetitions` runs (at least one) of `seconds` each.
///
/// # Errors
/// Settings that are not legal, or a session that cannot be played.
pub fn measure(
    config: &EnvConfig,
    num_envs: usize,
    threads: usize,
    repetitions: usize,
    seconds: f64,
) -> Result<Rates, RateError> {
    let mut meter = Meter::new(config, num_envs, threads)?;
    for _ in 0..repetitions.max(1) {
        meter.run(seconds)?;
    }
    Ok(meter.rates().expect("a run was made"))
}

/// What `num_envs` environments add to this process's resident memory, in bytes, after a few steps on one thread; `None` where the system
/// does not tell (it takes Linux). Exact only in a process that has freed little before.
///
/// # Errors
/// Settings that are not legal, or a session that cannot be played.
pub fn memory_growth(config: &EnvConfig, num_envs: usize) -> Result<Option<u64>, RateError> {
    const STEPS: usize = 20;
    let before = resident_bytes();
    let mut meter = Meter::new(config, num_envs, 1)?;
    for _ in 0..STEPS {
        meter.step()?;
    }
    let after = resident_bytes();
    Ok(before.zip(after).map(|(before, after)| after.saturating_sub(before)))
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(StepsPerSecond::of(&[]), None);
        assert_eq!(
            StepsPerSecond::of(&[3.0, 1.0, 2.0]),
            Some(StepsPerSecond { median: 2.0, min: 1.0, max: 3.0 })
        );
        assert_eq!(StepsPerSecond::of(&[3.0, 1.0]), Some(StepsPerSecond { median: 2.0, min: 1.0, max: 3.0 }));
    }

    #[test]
    fn a_measurement_says_what_was_measured() {
        let config = EnvConfig::named("model_market_making").unwrap();
        let rates = measure(&config, 10, 2, 3, 0.001).unwrap();
        assert_eq!((rates.env.as_str(), rates.threads, rates.num_envs), ("model_market_making", 2, 10));
        assert!(rates.steps_per_second.min > 0.0 && rates.steps_per_second.max < 1e9);
        assert_eq!(rates.settings["autoreset"], "same_step");
        assert_eq!(rates.settings["arrival_rate"], 140.0);
    }

    #[test]
    fn memory_grows_with_the_environments() {
        let config = EnvConfig::named("model_market_making").unwrap();
        if let Some(bytes) = memory_growth(&config, 100_000).unwrap() {
            assert!(bytes > 100_000 * std::mem::size_of::<AnyEnv>() as u64 / 2, "{bytes}");
        }
    }
}

//! Many environments side by side.

mod pool;

use std::sync::Mutex;

use pool::Pool;
use serde::{Deserialize, Serialize};

use crate::env::{Action, Env, EnvError, Step};
use crate::episodes::{Episodes, check_length};

/// When an environment whose episode has ended begins the next one. The names are Gymnasium's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autoreset {
    /// At the next step: its action is ignored, its reward is 0, its observation the first of the new episode.
    #[default]
    NextStep,
    /// Within the same step: the observation is already the first of the new episode; the last one of the old is kept apart.
    SameStep,
    /// Never: it must be reset by name.
    Disabled,
}

/// Where a batch's results go; the caller's, contiguous, row-major. `n` environments, observations of `d` numbers, `k` infos.
#[derive(Debug)]
pub struct StepBuffers<'a> {
    /// `f32[n, d]`
    pub observations: &'a mut [f32],
    /// `f64[n]`
    pub rewards: &'a mut [f64],
    /// `bool[n]`
    pub terminated: &'a mut [bool],
    /// `bool[n]`
    pub truncated: &'a mut [bool],
    /// `f64[n, k]`, if wanted.
    pub infos: Option<&'a mut [f64]>,
    /// `f32[n, d]`, if wanted: with [`Autoreset::SameStep`] the last observation of an episode that ended, written only then.
    pub final_observations: Option<&'a mut [f32]>,
    /// `f64[n, k]`, if wanted: likewise.
    pub final_infos: Option<&'a mut [f64]>,
}

/// A batch of environments on worker threads.
///
/// Environment `i` has a seed of its own and does exactly what it would do alone ([`Episodes`]): neither the number of threads nor the
/// other environments change a bit of its results. A batch is split into a few blocks a thread; whoever is free takes the next one.
pub struct VecEnv<E> {
    lanes: Vec<Episodes<E>>,
    pool: Pool,
    autoreset: Autoreset,
    /// Environments in a block.
    block: usize,
    observation_len: usize,
    action_len: usize,
    info_len: usize,
}

/// Waking a thread costs about this, in nanoseconds: a thread should have more to do than that.
const THREAD_WORK_NS: u64 = 50_000;

/// Blocks for each thread: more balance better, fewer cost less.
const BLOCKS_PER_THREAD: usize = 4;

impl<E: Env> VecEnv<E> {
    /// `num_envs` copies of an environment. `threads` of 0 takes as many as the machine has and the batch is worth. Seeds are 0, 1, 2, ...
    /// until [`reset`](Self::reset) gives others.
    ///
    /// # Errors
    /// [`EnvError::Parameter`] for `num_envs` 0 or threads that cannot be started.
    pub fn new(
        env: E,
        num_envs: usize,
        max_episode_steps: Option<u64>,
        threads: usize,
        autoreset: Autoreset,
    ) -> Result<Self, EnvError> {
        if num_envs == 0 {
            return Err(lob::ParameterError::new("num_envs", 0, "an integer of 1 or more").into());
        }
        let worth = (num_envs as u64).saturating_mul(env.step_cost_ns()) / THREAD_WORK_NS;
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { machine.min(worth.max(1) as usize) } else { threads }.min(num_envs);
        let pool = Pool::new(threads).map_err(|error| {
            lob::ParameterError::new("threads", threads, format!("fewer threads: {error}"))
        })?;
        let blocks = if threads == 1 { 1 } else { threads * BLOCKS_PER_THREAD };
        let (observation_len, action_len) = (env.observation_space().len(), env.action_space().len());
        let info_len = env.info_names().len();
        let first = Episodes::new(env, max_episode_steps);
        let mut lanes = Vec::new();
        lanes.try_reserve_exact(num_envs).map_err(|error| {
            lob::ParameterError::new("num_envs", num_envs, format!("fewer environments: {error}"))
        })?;
        for seed in 0..num_envs {
            lanes.push(first.clone());
            lanes[seed].set_seed(seed as u64);
        }
        let block = num_envs.div_ceil(blocks);
        Ok(Self { lanes, pool, autoreset, block, observation_len, action_len, info_len })
    }

    /// How many environments.
    pub fn num_envs(&self) -> usize {
        self.lanes.len()
    }

    /// Threads that step them, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// When ended episodes are followed by new ones.
    pub fn autoreset(&self) -> Autoreset {
        self.autoreset
    }

    /// One of the environments, for its spaces and names.
    pub fn env(&self) -> &E {
        self.lanes[0].env()
    }

    /// The environments with their episodes: to look into, or to copy for a [`restore`](Self::restore).
    pub fn lanes(&self) -> &[Episodes<E>] {
        &self.lanes
    }

    /// The environments with their episodes, to put one back that was copied before.
    pub fn lanes_mut(&mut self) -> &mut [Episodes<E>] {
        &mut self.lanes
    }

    /// Puts copies of [`lanes`](Self::lanes) back: the same future from there.
    ///
    /// # Errors
    /// [`EnvError::Buffer`] if there are more or fewer.
    pub fn restore(&mut self, lanes: &[Episodes<E>]) -> Result<(), EnvError> {
        check_length("state", lanes.len(), self.lanes.len())?;
        self.lanes.clone_from_slice(lanes);
        Ok(())
    }

    /// Begins episodes: of all environments, or of those marked in `mask`. `seeds` gives environment `i` the seed `seeds[i]`; without them
    /// each goes on with its next episode. Rows that are not reset are left alone.
    ///
    /// # Errors
    /// [`EnvError::Buffer`]; [`EnvError::Session`] of the first environment that could not begin (the others have).
    pub fn reset(
        &mut self,
        seeds: Option<&[u64]>,
        mask: Option<&[bool]>,
        observations: &mut [f32],
        infos: Option<&mut [f64]>,
    ) -> Result<(), EnvError> {
        let n = self.lanes.len();
        let (d, k, block) = (self.observation_len, self.info_len, self.block);
        check_length("observations", observations.len(), n * d)?;
        check_optional("infos", infos.as_deref().map(<[f64]>::len), n * k)?;
        check_optional("seed", seeds.map(<[u64]>::len), n)?;
        check_optional("reset_mask", mask.map(<[bool]>::len), n)?;
        let mut infos = chunks(infos, block * k);
        let views = self.lanes.chunks_mut(block).zip(observations.chunks_mut(block * d));
        let views = views.map(|(lanes, observations)| Mutex::new(Some((lanes, observations, infos.next()))));
        let views: Vec<_> = views.collect();
        let failure = FirstFailure::default();
        self.pool.run(views.len(), &|index| {
            let Some((lanes, observations, mut infos)) = take(&views[index]) else { return };
            for (offset, lane) in lanes.iter_mut().enumerate() {
                let row = index * block + offset;
                if mask.is_some_and(|mask| !mask[row]) {
                    continue;
                }
                let observation = &mut observations[offset * d..(offset + 1) * d];
                if let Err(error) = lane.reset(seeds.map(|seeds| seeds[row]), observation) {
                    failure.note(row, error);
                }
                if let Some(infos) = &mut infos {
                    lane.env().write_info(&mut infos[offset * k..(offset + 1) * k]);
                }
            }
        });
        failure.into_result()
    }

    /// One step of each environment. `actions` has theirs one after the other.
    ///
    /// # Errors
    /// [`EnvError::Action`], [`EnvError::NotReset`], [`EnvError::Ended`] (only without autoreset) and [`EnvError::Buffer`], before anything
    /// is done; [`EnvError::Session`] of the first environment whose next episode could not begin, when all steps have been taken.
    pub fn step(&mut self, actions: Action<'_>, buffers: StepBuffers<'_>) -> Result<(), EnvError> {
        let n = self.lanes.len();
        let (d, a, k, block) = (self.observation_len, self.action_len, self.info_len, self.block);
        let autoreset = self.autoreset;
        self.env().action_space().check(actions)?;
        check_length("actions", actions.len(), n * a)?;
        check_length("observations", buffers.observations.len(), n * d)?;
        check_length("rewards", buffers.rewards.len(), n)?;
        check_length("terminated", buffers.terminated.len(), n)?;
        check_length("truncated", buffers.truncated.len(), n)?;
        check_optional("infos", buffers.infos.as_deref().map(<[f64]>::len), n * k)?;
        check_optional("final_observations", buffers.final_observations.as_deref().map(<[f32]>::len), n * d)?;
        check_optional("final_infos", buffers.final_infos.as_deref().map(<[f64]>::len), n * k)?;
        for (row, lane) in self.lanes.iter().enumerate() {
            if !(autoreset == Autoreset::NextStep && lane.has_ended()) {
                lane.ready().map_err(|error| error.in_row(row))?;
            }
        }
        let mut infos = chunks(buffers.infos, block * k);
        let mut final_observations = chunks(buffers.final_observations, block * d);
        let mut final_infos = chunks(buffers.final_infos, block * k);
        let rows = self.lanes.chunks_mut(block).zip(buffers.observations.chunks_mut(block * d));
        let flags = buffers.terminated.chunks_mut(block).zip(buffers.truncated.chunks_mut(block));
        let views = rows.zip(buffers.rewards.chunks_mut(block).zip(flags)).map(
            |((lanes, observations), (rewards, (terminated, truncated)))| {
                Mutex::new(Some(Block {
                    lanes,
                    out: StepBuffers {
                        observations,
                        rewards,
                        terminated,
                        truncated,
                        infos: infos.next(),
                        final_observations: final_observations.next(),
                        final_infos: final_infos.next(),
                    },
                }))
            },
        );
        let views: Vec<_> = views.collect();
        let failure = FirstFailure::default();
        self.pool.run(views.len(), &|index| {
            let Some(Block { lanes, out }) = take(&views[index]) else { return };
            let mut out = out;
            for (offset, lane) in lanes.iter_mut().enumerate() {
                let row = index * block + offset;
                let (numbers, info) = (offset * d..(offset + 1) * d, offset * k..(offset + 1) * k);
                let observation = &mut out.observations[numbers.clone()];
                let mut step = Step::default();
                let mut begins = lane.has_ended();
                if !begins {
                    step = lane.advance(actions.slice(row * a, a), observation);
                    if step.is_last() && autoreset == Autoreset::SameStep {
                        begins = true;
                        if let Some(last) = &mut out.final_observations {
                            last[numbers].copy_from_slice(observation);
                        }
                        if let Some(last) = &mut out.final_infos {
                            lane.env().write_info(&mut last[info.clone()]);
                        }
                    }
                }
                if begins && let Err(error) = lane.reset(None, observation) {
                    failure.note(row, error);
                }
                if let Some(infos) = &mut out.infos {
                    lane.env().write_info(&mut infos[info]);
                }
                out.rewards[offset] = step.reward;
                out.terminated[offset] = step.terminated;
                out.truncated[offset] = step.truncated;
            }
        });
        failure.into_result()
    }
}

impl<E> std::fmt::Debug for VecEnv<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("VecEnv");
        text.field("num_envs", &self.lanes.len()).field("threads", &self.pool.threads());
        text.field("autoreset", &self.autoreset).finish_non_exhaustive()
    }
}

/// A thread's share of a batch.
struct Block<'a, E> {
    lanes: &'a mut [Episodes<E>],
    out: StepBuffers<'a>,
}

fn take<T>(view: &Mutex<Option<T>>) -> Option<T> {
    view.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
}

/// Pieces of a buffer that may not be there.
fn chunks<T>(buffer: Option<&mut [T]>, len: usize) -> impl Iterator<Item = &mut [T]> {
    // An empty buffer is cut into no pieces, of whatever length.
    buffer.map(|buffer| buffer.chunks_mut(len.max(1))).into_iter().flatten()
}

fn check_optional(name: &'static str, found: Option<usize>, legal: usize) -> Result<(), EnvError> {
    found.map_or(Ok(()), |found| check_length(name, found, legal))
}

/// The failure with the lowest row, whichever thread met one first.
#[derive(Default)]
struct FirstFailure(Mutex<Option<(usize, EnvError)>>);

impl FirstFailure {
    fn note(&self, row: usize, error: EnvError) {
        let mut first = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if first.as_ref().is_none_or(|(other, _)| row < *other) {
            *first = Some((row, error));
        }
    }

    fn into_result(self) -> Result<(), EnvError> {
        match self.0.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((row, error)) => Err(error.in_row(row)),
            None => Ok(()),
        }
    }
}

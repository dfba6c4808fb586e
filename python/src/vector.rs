//! A batch of environments.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use gym::{AnyEnv, Autoreset, Env as _, EnvConfig, EnvError, StepBuffers};
use lob::ParameterError;
use numpy::{PyArray1, PyArray3};
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::batch::{Batch, Layout};
use crate::config;
use crate::errors::{self, BusyError, ClosedError};
use crate::interrupt;
use crate::render;
use crate::space::{self, Actions};
use crate::state::State;

/// So many environments are reset between two looks at signals: sessions with a live opening book take milliseconds each.
const RESETS_AT_ONCE: usize = 256;

/// A batch of environments on worker threads. `lobgym.VectorEnv` is it with Gymnasium's manners.
#[pyclass(frozen, module = "lobgym._core")]
pub(crate) struct VecEnv {
    batch: Mutex<Option<Batch>>,
    config: Arc<EnvConfig>,
    layout: Layout,
    action_space: gym::Space,
    action_shape: Vec<usize>,
    observation_components: Vec<(String, String, f32, f32)>,
    threads: usize,
    /// Worker threads do not survive `os.fork()`.
    process: u32,
}

impl VecEnv {
    fn lock(&self) -> PyResult<MutexGuard<'_, Option<Batch>>> {
        if std::process::id() != self.process {
            return Err(PyRuntimeError::new_err(
                "this batch was made before os.fork() and its threads are in the other process; make one in this process",
            ));
        }
        match self.batch.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(BusyError::new_err(
                "another thread is in a call of this batch; give each thread its own (fork() copies one)",
            )),
        }
    }

    /// Unlike a call that Rust refused, one that panicked closes the batch: nobody knows where it stands then.
    fn settle<T>(slot: &mut Option<Batch>, outcome: PyResult<Result<T, EnvError>>) -> PyResult<T> {
        match outcome {
            Ok(outcome) => outcome.map_err(|error| errors::env(&error)),
            Err(panic) => {
                *slot = None;
                Err(panic)
            }
        }
    }

    fn make(py: Python<'_>, config: Arc<EnvConfig>, options: Options) -> PyResult<Self> {
        let Options { num_envs, threads, autoreset, reuse_buffers, with_infos, picture_size } = options;
        let made = py.detach(|| {
            errors::guarded(|| -> Result<_, PyErr> {
                let env = AnyEnv::new(&config).map_err(|error| errors::config(&error))?;
                let env = gym::VecEnv::new(env, num_envs, config.max_episode_steps, threads, autoreset);
                env.map_err(|error| errors::env(&error))
            })
        });
        let env = made??;
        let layout = Layout::new(py, &env, with_infos, reuse_buffers)?;
        let batch = errors::guarded(|| Batch::new(py, env, &layout, picture_size))?;
        let first = batch.env.env();
        Ok(Self {
            action_space: first.action_space().clone(),
            action_shape: space::action_shape(first.action_space(), Some(num_envs)),
            observation_components: space::components(first.observation_space()),
            threads: batch.env.threads(),
            process: std::process::id(),
            batch: Mutex::new(Some(batch)),
            layout,
            config,
        })
    }
}

impl VecEnv {
    /// The name, the components of an observation, and the action space of one environment.
    pub(crate) fn spaces(&self) -> (&'static str, &[space::Row], &gym::Space) {
        (self.config.name(), &self.observation_components, &self.action_space)
    }
}

/// What a batch is made with, besides its environment.
#[derive(Clone, Copy)]
struct Options {
    num_envs: usize,
    threads: usize,
    autoreset: Autoreset,
    reuse_buffers: bool,
    with_infos: bool,
    picture_size: Option<(usize, usize)>,
}

fn open(slot: &mut Option<Batch>) -> PyResult<&mut Batch> {
    slot.as_mut().ok_or_else(|| ClosedError::new_err("these environments have been closed; make others"))
}

fn illegal(key: &str, value: impl std::fmt::Display, legal: impl Into<String>) -> PyErr {
    PyValueError::new_err(ParameterError::new(key, value, legal).to_string())
}

#[pymethods]
impl VecEnv {
    /// `num_envs` environments `name` with the settings of `config`, overridden by `settings`. `threads` of 0: as many as the machine has
    /// and the batch is worth. `autoreset`: `next_step`, `same_step` or `disabled`.
    #[new]
    #[pyo3(signature = (
        name, num_envs, config=None, settings=None, *,
        threads=0, autoreset="next_step", reuse_buffers=false, infos=true, picture_size=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        name: &str,
        num_envs: usize,
        config: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
        threads: usize,
        autoreset: &str,
        reuse_buffers: bool,
        infos: bool,
        picture_size: Option<(usize, usize)>,
    ) -> PyResult<Self> {
        let autoreset = match autoreset {
            "next_step" => Autoreset::NextStep,
            "same_step" => Autoreset::SameStep,
            "disabled" => Autoreset::Disabled,
            _ => {
                return Err(illegal(
                    "autoreset",
                    format!("{autoreset:?}"),
                    "one of next_step, same_step, disabled",
                ));
            }
        };
        let config = config::resolve(name, config, settings)?;
        let options =
            Options { num_envs, threads, autoreset, reuse_buffers, with_infos: infos, picture_size };
        Self::make(py, Arc::new(config), options)
    }

    /// Begins episodes, of all environments or of those that `mask` marks: the first of `seeds[i]`, or the next one where there is none.
    /// Returns (observations, infos). Ctrl-C leaves some environments reset and others not.
    #[pyo3(signature = (seeds=None, mask=None))]
    fn reset<'py>(
        &self,
        py: Python<'py>,
        seeds: Option<Vec<Option<u64>>>,
        mask: Option<Vec<bool>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        let n = self.layout.num_envs;
        open(&mut slot)?;
        for (name, len) in
            [("seed", seeds.as_ref().map(Vec::len)), ("reset_mask", mask.as_ref().map(Vec::len))]
        {
            if let Some(len) = len
                && len != n
            {
                return Err(illegal(
                    name,
                    format!("a list of {len}"),
                    format!("one for each of {n} environments"),
                ));
            }
        }
        // Rows apart from each other, so that all threads have some of each turn's.
        let turns = n.div_ceil(RESETS_AT_ONCE);
        for (turn, with_seed) in (0..turns).flat_map(|turn| [(turn, true), (turn, false)]) {
            let has_seed = |row: usize| seeds.as_ref().is_some_and(|seeds| seeds[row].is_some());
            let is_due = |row: usize| {
                row % turns == turn
                    && has_seed(row) == with_seed
                    && mask.as_ref().is_none_or(|mask| mask[row])
            };
            let due: Vec<bool> = (0..n).map(is_due).collect();
            if !due.contains(&true) {
                continue;
            }
            let numbers: Option<Vec<u64>> = seeds
                .as_ref()
                .filter(|_| with_seed)
                .map(|seeds| seeds.iter().map(|seed| seed.unwrap_or_default()).collect());
            let Batch { env, buffers, .. } = open(&mut slot)?;
            let mut arrays = buffers.lock(py)?;
            let StepBuffers { observations, infos, .. } = arrays.views()?;
            let outcome = py.detach(|| {
                errors::guarded(|| env.reset(numbers.as_deref(), Some(&due), observations, infos))
            });
            drop(arrays);
            Self::settle(&mut slot, outcome)?;
            py.check_signals()?;
        }
        let batch = open(&mut slot)?;
        batch.look();
        batch.reset_results(py, &self.layout, mask.as_deref())
    }

    /// One step of each. Returns (observations, rewards, terminations, truncations, infos).
    fn step<'py>(&self, py: Python<'py>, actions: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        let Batch { env, buffers, .. } = open(&mut slot)?;
        let actions = Actions::read(actions, &self.action_shape, self.action_space.is_continuous())?;
        let view = actions.view()?;
        let mut arrays = buffers.lock(py)?;
        let buffers = arrays.views()?;
        let outcome = py.detach(|| errors::guarded(|| env.step(view, buffers)));
        drop(arrays);
        Self::settle(&mut slot, outcome)?;
        let batch = open(&mut slot)?;
        batch.look();
        batch.step_results(py, &self.layout)
    }

    /// Takes `steps` steps with the same actions in a native loop, to time it; Ctrl-C ends it. Returns the sum of all rewards and how
    /// many episodes ended.
    fn rollout<'py>(&self, py: Python<'py>, actions: &Bound<'py, PyAny>, steps: u64) -> PyResult<(f64, u64)> {
        let mut slot = self.lock()?;
        let Batch { env, buffers, .. } = open(&mut slot)?;
        let actions = Actions::read(actions, &self.action_shape, self.action_space.is_continuous())?;
        let view = actions.view()?;
        let mut arrays = buffers.lock(py)?;
        let buffers = arrays.views()?;
        let outcome = interrupt::run(py, |stop: &AtomicBool| {
            let StepBuffers { observations, rewards, terminated, truncated, mut infos, .. } = buffers;
            let (mut sum, mut ended) = (0.0, 0);
            for _ in 0..steps {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let out = StepBuffers {
                    observations: &mut *observations,
                    rewards: &mut *rewards,
                    terminated: &mut *terminated,
                    truncated: &mut *truncated,
                    infos: infos.as_deref_mut(),
                    final_observations: None,
                    final_infos: None,
                };
                env.step(view, out)?;
                sum += rewards.iter().sum::<f64>();
                let flags = terminated.iter().zip(truncated.iter());
                ended += flags.filter(|&(&terminated, &truncated)| terminated || truncated).count() as u64;
            }
            Ok((sum, ended))
        });
        drop(arrays);
        // An interruption stops between two steps.
        match outcome {
            Err(error) if !error.is_instance_of::<errors::InternalError>(py) => Err(error),
            outcome => Self::settle(&mut slot, outcome),
        }
    }

    /// A copy that stands where this one stands and has the same future, with threads of its own.
    fn fork(&self, py: Python<'_>) -> PyResult<Self> {
        let mut slot = self.lock()?;
        let batch = open(&mut slot)?;
        let options = Options {
            num_envs: self.layout.num_envs,
            threads: self.threads,
            autoreset: batch.env.autoreset(),
            reuse_buffers: self.layout.reuse_buffers,
            with_infos: self.layout.with_infos,
            picture_size: batch.picture_size,
        };
        let copy = Self::make(py, Arc::clone(&self.config), options)?;
        let observations = batch.observations(py)?;
        {
            let mut other = copy.lock()?;
            let other = open(&mut other)?;
            other.put(py, None, batch.env.lanes(), &observations)?;
        }
        Ok(copy)
    }

    /// Where all of them stand, or number `index`.
    #[pyo3(signature = (index=None))]
    fn save_state(&self, py: Python<'_>, index: Option<usize>) -> PyResult<State> {
        let mut slot = self.lock()?;
        let batch = open(&mut slot)?;
        let observations = batch.observations(py)?;
        let config = Arc::clone(&self.config);
        Ok(match index {
            None => State { config, lanes: batch.env.lanes().to_vec(), observations },
            Some(index) => {
                let row = self.row(index)?;
                let d = self.layout.observation_len;
                let observations = observations[row * d..(row + 1) * d].to_vec();
                State { config, lanes: vec![batch.env.lanes()[row].clone()], observations }
            }
        })
    }

    /// Puts all of them, or number `index`, back to where they stood. Returns (observations, infos) of then.
    #[pyo3(signature = (state, index=None))]
    fn restore_state<'py>(
        &self,
        py: Python<'py>,
        state: &Bound<'py, State>,
        index: Option<usize>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        let batch = open(&mut slot)?;
        let state = state.get();
        let row = index.map(|index| self.row(index)).transpose()?;
        state.check(&self.config, if row.is_some() { 1 } else { self.layout.num_envs })?;
        batch.put(py, row, &state.lanes, &state.observations)?;
        batch.look();
        batch.reset_results(py, &self.layout, None)
    }

    /// The ladders as text, in colours if wanted.
    #[pyo3(signature = (*, colour=false))]
    fn ansi(&self, colour: bool) -> PyResult<Vec<String>> {
        let mut slot = self.lock()?;
        let lanes = open(&mut slot)?.env.lanes();
        Ok(lanes.iter().map(|lane| render::ansi(&lane.env().scene(), colour)).collect())
    }

    /// The pictures so far, u8[height, width, 3] each; none unless `picture_size` was given.
    fn rgb<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray3<u8>>>> {
        let mut slot = self.lock()?;
        open(&mut slot)?.pictures.iter_mut().map(|picture| picture.array(py)).collect()
    }

    /// Ends the threads and frees everything. Further calls raise `lobgym.ClosedError`, but for this one.
    fn close(&self) -> PyResult<()> {
        *self.lock()? = None;
        Ok(())
    }

    /// True after `close()`.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.lock()?.is_none())
    }

    /// All settings with their values, defaults included.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        config::to_dict(py, &self.config.to_map())
    }

    /// How many environments.
    #[getter]
    fn num_envs(&self) -> usize {
        self.layout.num_envs
    }

    /// Threads that step them, the caller's included.
    #[getter]
    fn threads(&self) -> usize {
        self.threads
    }

    /// Number of each one's running episode under its seed, from 0; -1 before the first: i64[num_envs].
    #[getter]
    fn episodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let mut slot = self.lock()?;
        let lanes = open(&mut slot)?.env.lanes();
        let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1);
        Ok(PyArray1::from_vec(py, lanes.iter().map(|lane| number(lane.episode())).collect()))
    }

    /// Names of the infos.
    #[getter]
    fn info_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.layout.info_names.iter().map(|(name, _)| name))
    }

    /// Shape of one environment's observation.
    #[getter]
    fn observation_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.layout.observation_shape)
    }

    /// One environment's observation index by index: name, unit, low, high.
    #[getter]
    fn observation_components(&self) -> Vec<(String, String, f32, f32)> {
        self.observation_components.clone()
    }

    /// One environment's action space: kind (`box`, `discrete`, `multi_discrete`), shape, components of a box, choices of a discrete one.
    #[getter]
    #[allow(clippy::type_complexity, reason = "a tuple that the stub spells out")]
    fn action_description<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        &'static str,
        Bound<'py, PyTuple>,
        Vec<(String, String, f32, f32)>,
        Vec<(String, Vec<String>)>,
    )> {
        let (kind, shape, components, choices) = space::describe(&self.action_space);
        Ok((kind, PyTuple::new(py, shape)?, components, choices))
    }

    fn __repr__(&self) -> String {
        format!("VecEnv({}, num_envs={}, threads={})", self.config.name(), self.layout.num_envs, self.threads)
    }
}

impl VecEnv {
    fn row(&self, index: usize) -> PyResult<usize> {
        let n = self.layout.num_envs;
        if index < n {
            Ok(index)
        } else {
            Err(PyIndexError::new_err(format!("index is {index}; legal: 0 to {}", n - 1)))
        }
    }
}

//! One environment.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use gym::{AnyEnv, Env as _, EnvConfig, EnvError, Episodes, Step};
use numpy::{PyArray1, PyArray3, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::config;
use crate::errors::{self, BusyError, ClosedError};
use crate::render::{self, Picture};
use crate::space::{self, Actions};
use crate::state::State;

/// What is there until it is closed.
struct Live {
    episodes: Episodes<AnyEnv>,
    observation: Vec<f32>,
    info: Vec<f64>,
    picture: Option<Picture>,
}

impl Live {
    fn new(episodes: Episodes<AnyEnv>, observation: Vec<f32>, picture_size: Option<(usize, usize)>) -> Self {
        let info = vec![0.0; episodes.env().info_names().len()];
        let picture = picture_size.map(|(width, height)| Picture::new(width, height));
        let mut live = Self { episodes, observation, info, picture };
        if live.episodes.episode().is_some() {
            live.look();
        }
        live
    }

    /// Brings infos and picture up to date.
    fn look(&mut self) {
        self.episodes.env().write_info(&mut self.info);
        if let Some(picture) = &mut self.picture {
            if self.episodes.steps() == 0 {
                picture.clear();
            }
            picture.push(&self.episodes.env().scene());
        }
    }
}

/// One environment with its episodes. `lobgym.Env` is it with Gymnasium's manners.
#[pyclass(frozen, module = "lobgym._core")]
pub(crate) struct Env {
    live: Mutex<Option<Live>>,
    config: Arc<EnvConfig>,
    info_names: Vec<Py<PyString>>,
    observation_shape: Vec<usize>,
    observation_components: Vec<(String, String, f32, f32)>,
    action_space: gym::Space,
    action_shape: Vec<usize>,
    picture_size: Option<(usize, usize)>,
}

impl Env {
    fn with(
        py: Python<'_>,
        config: Arc<EnvConfig>,
        live: Live,
        picture_size: Option<(usize, usize)>,
    ) -> Self {
        let env = live.episodes.env();
        Self {
            info_names: env.info_names().iter().map(|name| PyString::intern(py, name).unbind()).collect(),
            observation_shape: env.observation_space().shape().to_vec(),
            observation_components: space::components(env.observation_space()),
            action_space: env.action_space().clone(),
            action_shape: space::action_shape(env.action_space(), None),
            live: Mutex::new(Some(live)),
            config,
            picture_size,
        }
    }

    fn lock(&self) -> PyResult<MutexGuard<'_, Option<Live>>> {
        match self.live.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(BusyError::new_err(
                "another thread is in a call of this environment; give each thread its own (fork() copies one)",
            )),
        }
    }

    /// Does `work` without the interpreter's lock. A panic closes the environment: nobody knows where it stands then.
    fn act<T: Send>(
        &self,
        py: Python<'_>,
        slot: &mut Option<Live>,
        work: impl FnOnce(&mut Live) -> Result<T, EnvError> + Send,
    ) -> PyResult<T> {
        let live = open(slot)?;
        match py.detach(|| errors::guarded(|| work(live))) {
            Ok(outcome) => outcome.map_err(|error| errors::env(&error)),
            Err(panic) => {
                *slot = None;
                Err(panic)
            }
        }
    }

    fn observation<'py>(&self, py: Python<'py>, live: &Live) -> PyResult<Bound<'py, PyAny>> {
        let flat = PyArray1::from_slice(py, &live.observation);
        if self.observation_shape.len() == 1 {
            return Ok(flat.into_any());
        }
        let shaped: Bound<'py, PyArrayDyn<f32>> = flat.reshape(self.observation_shape.clone())?;
        Ok(shaped.into_any())
    }

    fn info<'py>(&self, py: Python<'py>, live: &Live) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        for (name, value) in self.info_names.iter().zip(&live.info) {
            info.set_item(name, value)?;
        }
        Ok(info)
    }
}

impl Env {
    /// Its name, the components of its observation, and its action space.
    pub(crate) fn spaces(&self) -> (&'static str, &[space::Row], &gym::Space) {
        (self.config.name(), &self.observation_components, &self.action_space)
    }
}

fn open<T>(slot: &mut Option<T>) -> PyResult<&mut T> {
    slot.as_mut().ok_or_else(|| ClosedError::new_err("this environment has been closed; make another one"))
}

#[pymethods]
impl Env {
    /// The environment `name` with the settings of `config`, overridden by `settings`. With `picture_size` (width, height in pixels) it
    /// keeps the picture that `rgb()` gives.
    #[new]
    #[pyo3(signature = (name, config=None, settings=None, *, picture_size=None))]
    fn new(
        py: Python<'_>,
        name: &str,
        config: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
        picture_size: Option<(usize, usize)>,
    ) -> PyResult<Self> {
        let config = config::resolve(name, config, settings)?;
        let make = || -> Result<Live, PyErr> {
            let env = AnyEnv::new(&config).map_err(|error| errors::config(&error))?;
            let observation = vec![0.0; env.observation_space().len()];
            Ok(Live::new(Episodes::new(env, config.max_episode_steps), observation, picture_size))
        };
        let live = py.detach(|| errors::guarded(make))??;
        Ok(Self::with(py, Arc::new(config), live, picture_size))
    }

    /// Begins the first episode of `seed`, or the next one. Returns (observation, info).
    #[pyo3(signature = (seed=None))]
    fn reset<'py>(&self, py: Python<'py>, seed: Option<u64>) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        self.act(py, &mut slot, |live| {
            live.episodes.reset(seed, &mut live.observation)?;
            live.look();
            Ok(())
        })?;
        let live = open(&mut slot)?;
        (self.observation(py, live)?, self.info(py, live)?).into_pyobject(py)
    }

    /// Acts. Returns (observation, reward, terminated, truncated, info).
    fn step<'py>(&self, py: Python<'py>, action: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        open(&mut slot)?;
        let action = Actions::read(action, &self.action_shape, self.action_space.is_continuous())?;
        let view = action.view()?;
        let Step { reward, terminated, truncated } = self.act(py, &mut slot, |live| {
            let step = live.episodes.step(view, &mut live.observation)?;
            live.look();
            Ok(step)
        })?;
        let live = open(&mut slot)?;
        (self.observation(py, live)?, reward, terminated, truncated, self.info(py, live)?).into_pyobject(py)
    }

    /// A copy that stands where this one stands and has the same future.
    fn fork(&self, py: Python<'_>) -> PyResult<Self> {
        let mut slot = self.lock()?;
        let size = self.picture_size;
        let live = self.act(py, &mut slot, |live| {
            Ok(Live::new(live.episodes.clone(), live.observation.clone(), size))
        })?;
        Ok(Self::with(py, Arc::clone(&self.config), live, size))
    }

    /// Where it stands.
    fn save_state(&self, py: Python<'_>) -> PyResult<State> {
        let mut slot = self.lock()?;
        let config = Arc::clone(&self.config);
        self.act(py, &mut slot, |live| {
            Ok(State { config, lanes: vec![live.episodes.clone()], observations: live.observation.clone() })
        })
    }

    /// Puts it back to where it stood. Returns (observation, info) of then.
    fn restore_state<'py>(
        &self,
        py: Python<'py>,
        state: &Bound<'py, State>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = self.lock()?;
        let state = state.get();
        open(&mut slot)?;
        state.check(&self.config, 1)?;
        let size = self.picture_size;
        self.act(py, &mut slot, |live| {
            *live = Live::new(state.lanes[0].clone(), state.observations.clone(), size);
            Ok(())
        })?;
        let live = open(&mut slot)?;
        (self.observation(py, live)?, self.info(py, live)?).into_pyobject(py)
    }

    /// The ladder as text, in colours if wanted.
    #[pyo3(signature = (*, colour=false))]
    fn ansi(&self, py: Python<'_>, colour: bool) -> PyResult<String> {
        let mut slot = self.lock()?;
        self.act(py, &mut slot, |live| Ok(render::ansi(&live.episodes.env().scene(), colour)))
    }

    /// The picture so far: u8[height, width, 3]. `None` unless `picture_size` was given.
    fn rgb<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray3<u8>>>> {
        let mut slot = self.lock()?;
        open(&mut slot)?.picture.as_mut().map(|picture| picture.array(py)).transpose()
    }

    /// Frees everything. Further calls raise `lobgym.ClosedError`, but for this one.
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

    /// Number of the running episode under its seed, from 0; `None` before the first.
    #[getter]
    fn episode(&self) -> PyResult<Option<u64>> {
        Ok(open(&mut *self.lock()?)?.episodes.episode())
    }

    /// Steps of the episode so far.
    #[getter]
    fn steps(&self) -> PyResult<u64> {
        Ok(open(&mut *self.lock()?)?.episodes.steps())
    }

    /// Names of the infos.
    #[getter]
    fn info_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.info_names)
    }

    /// Shape of the observation's array.
    #[getter]
    fn observation_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.observation_shape)
    }

    /// The observation index by index: name, unit, low, high.
    #[getter]
    fn observation_components(&self) -> Vec<(String, String, f32, f32)> {
        self.observation_components.clone()
    }

    /// The action space: kind (`box`, `discrete`, `multi_discrete`), shape, components of a box, choices of a discrete one.
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
        format!("Env({})", self.config.name())
    }
}

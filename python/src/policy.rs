//! Trained policies, without libtorch.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agents::policy::{ActionRecord, ComponentRecord, Decision, POLICY_FILE, PolicyBatch, PolicyFile};
use gym::{Action, Component, Space};
use lob::sim::SimRng;
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rand::SeedableRng;
use serde_json::Value;

use crate::arguments::illegal;
use crate::env::Env;
use crate::space::{Description, Row};
use crate::vector::VecEnv;
use crate::{config, errors};

/// What decisions change: room for numbers, and chance.
struct Moving {
    batch: PolicyBatch,
    rng: SimRng,
}

/// A policy from a file. `lobgym.Policy` is it with Gymnasium's spaces.
#[pyclass(frozen, module = "lobgym._core", name = "Policy")]
pub(crate) struct PyPolicy {
    file: PolicyFile,
    path: PathBuf,
    /// Components of the observation and, where it is a box, of the action.
    observation: Vec<Row>,
    action: Vec<Row>,
    moving: Mutex<Moving>,
}

fn rows(records: &[ComponentRecord]) -> Vec<Row> {
    let row = |record: &ComponentRecord| {
        let (low, high) = (record.low.unwrap_or(f32::NEG_INFINITY), record.high.unwrap_or(f32::INFINITY));
        (record.name.clone(), record.unit.clone(), low, high)
    };
    records.iter().map(row).collect()
}

/// Numbers as a contiguous array of 32-bit floats.
fn floats<'py>(key: &str, value: &Bound<'py, PyAny>, legal: &str) -> PyResult<PyReadonlyArrayDyn<'py, f32>> {
    let direct = |array: &Bound<'py, PyArrayDyn<f32>>| {
        let fits = array.is_c_contiguous() && array.is_aligned();
        if fits { array.try_readonly().ok() } else { None }
    };
    if let Ok(array) = value.cast::<PyArrayDyn<f32>>()
        && let Some(array) = direct(array)
    {
        return Ok(array);
    }
    let numpy = value.py().import("numpy")?;
    let array = numpy.call_method1("asarray", (value,)).map_err(|problem| illegal(key, problem, legal))?;
    let dtype = array.getattr("dtype")?;
    if !"fiub".contains(&dtype.getattr("kind")?.extract::<String>()?) {
        return Err(illegal(key, format_args!("of dtype {dtype}"), legal));
    }
    let options = PyDict::new(value.py());
    options.set_item("order", "C")?;
    let array = array.call_method("astype", ("float32",), Some(&options))?.cast_into::<PyArrayDyn<f32>>()?;
    direct(&array).ok_or_else(|| illegal(key, "being written by another call", legal))
}

/// Which rows begin an episode: all the same, or an array of shape (rows,).
fn starts(value: Option<&Bound<'_, PyAny>>, rows: usize) -> PyResult<Vec<bool>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(vec![false; rows]) };
    if let Ok(all) = value.extract::<bool>() {
        return Ok(vec![all; rows]);
    }
    let legal = format!("None, or booleans of shape ({rows},)");
    let list = value.call_method0("tolist").unwrap_or_else(|_| value.clone());
    let list: Vec<bool> =
        list.extract().map_err(|_| illegal("episode_start", value.repr_or_type(), &legal))?;
    if list.len() == rows {
        Ok(list)
    } else {
        Err(illegal("episode_start", format_args!("of {} values", list.len()), &legal))
    }
}

/// An object in a message, whatever its `repr()` does.
trait Shown {
    fn repr_or_type(&self) -> String;
}

impl Shown for Bound<'_, PyAny> {
    fn repr_or_type(&self) -> String {
        self.repr().map_or_else(|_| format!("a {}", self.get_type()), |text| text.to_string())
    }
}

impl PyPolicy {
    fn moving(&self) -> MutexGuard<'_, Moving> {
        // After a panic nothing is left half-way that the next call would not set.
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn window(&self) -> usize {
        self.file.policy.network.spec().window
    }

    fn shape(&self, rows: &str) -> String {
        format!("numbers of shape ({rows}{},)", self.observation.len())
    }
}

#[pymethods]
impl PyPolicy {
    /// The policy of a file, or of the run in a directory. Actions that are not deterministic are drawn with `seed`.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, seed: u64) -> PyResult<Self> {
        let path = if path.is_dir() { path.join(POLICY_FILE) } else { path };
        let read = py.detach(|| errors::guarded(|| PolicyFile::read(&path)))?;
        let file = read.map_err(|error| errors::policy(&error))?;
        let action = match &file.header.action {
            ActionRecord::Box { components } => rows(components),
            ActionRecord::Discrete { .. } | ActionRecord::MultiDiscrete { .. } => Vec::new(),
        };
        let moving = Moving { batch: PolicyBatch::default(), rng: SimRng::seed_from_u64(seed) };
        let observation = rows(&file.header.observation);
        Ok(Self { file, path, observation, action, moving: Mutex::new(moving) })
    }

    /// Chooses actions. Returns (action, state).
    #[pyo3(signature = (observation, state=None, episode_start=None, deterministic=true))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        observation: &Bound<'py, PyAny>,
        state: Option<&Bound<'py, PyAny>>,
        episode_start: Option<&Bound<'py, PyAny>>,
        deterministic: bool,
    ) -> PyResult<(Bound<'py, PyAny>, Py<PyAny>)> {
        let columns = self.observation.len();
        let legal = || format!("{} or (n, {columns})", self.shape(""));
        let array = floats("observation", observation, &legal())?;
        let rows = match *array.shape() {
            [width] if width == columns => None,
            [rows, width] if width == columns => Some(rows),
            _ => {
                let found = PyTuple::new(py, array.shape())?.repr()?;
                return Err(illegal("observation", format_args!("of shape {found}"), &legal()));
            }
        };
        let numbers = array.as_slice()?;
        if numbers.iter().any(|x| x.is_nan()) {
            return Err(illegal("observation", "NaN in places", "numbers"));
        }
        let count = rows.unwrap_or(1);
        let shape = [count, self.window(), columns];
        let before = self.state(state, shape)?;
        let starts = starts(episode_start, count)?;
        let decision = if deterministic { Decision::Mode } else { Decision::Sample };
        let before = before.as_ref().map(|array| array.as_slice()).transpose()?;
        // The lock is taken without the interpreter's, or two threads could wait for each other.
        let (values, windows) = py.detach(|| {
            errors::guarded(|| {
                let moving = &mut *self.moving();
                let (policy, batch) = (&self.file.policy, &mut moving.batch);
                batch.begin(policy, count);
                if let Some(before) = before {
                    batch.windows_mut().copy_from_slice(before);
                    let each = batch.windows_mut().chunks_exact_mut(shape[1] * columns);
                    each.zip(&starts).filter(|(_, start)| **start).for_each(|(window, _)| window.fill(0.0));
                }
                let values = match batch.act(policy, numbers, decision, &mut moving.rng) {
                    Action::Continuous(values) => Values::Floats(values.to_vec()),
                    Action::Discrete(values) => Values::Choices(values.to_vec()),
                };
                (values, if shape[1] > 1 { batch.windows().to_vec() } else { Vec::new() })
            })
        })?;
        let next = if self.window() > 1 {
            let windows = PyArray1::from_vec(py, windows).reshape(shape)?;
            PyTuple::new(py, [windows])?.into_any().unbind()
        } else {
            // As Stable-Baselines3's policies without memory do.
            state.map_or_else(|| py.None(), |state| state.clone().unbind())
        };
        Ok((self.actions(py, values, rows)?, next))
    }

    /// Refuses an environment that it cannot act in.
    fn fits(&self, env: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, observation, action) = if let Ok(env) = env.cast::<Env>() {
            env.get().spaces()
        } else if let Ok(env) = env.cast::<VecEnv>() {
            env.get().spaces()
        } else {
            return Err(PyTypeError::new_err(format!(
                "env is {}; legal: an environment of lobgym",
                env.repr_or_type()
            )));
        };
        let record = |(name, unit, low, high): &Row| {
            ComponentRecord::from(&Component::new(name.clone(), unit.clone(), *low, *high))
        };
        let observation: Vec<_> = observation.iter().map(record).collect();
        self.file.header.fits_spaces(&observation, action, name).map_err(|error| errors::policy(&error))
    }

    /// Where it comes from and what it needs.
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match serde_json::to_value(&self.file.header) {
            Ok(Value::Object(map)) => config::to_dict(py, &map),
            other => Err(PyValueError::new_err(format!("the header is no map: {other:?}"))),
        }
    }

    /// The file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Shape of the observation's array.
    #[getter]
    fn observation_shape(&self) -> (usize,) {
        (self.observation.len(),)
    }

    /// The observation index by index: name, unit, low, high.
    #[getter]
    fn observation_components(&self) -> Vec<Row> {
        self.observation.clone()
    }

    /// The action space, as `Env.action_description`.
    #[getter]
    #[allow(clippy::type_complexity, reason = "a tuple that the stub spells out")]
    fn action_description<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(&'static str, Bound<'py, PyTuple>, Vec<Row>, Vec<(String, Vec<String>)>)> {
        let (kind, shape, components, choices): Description = match &self.file.header.action {
            ActionRecord::Box { .. } => ("box", vec![self.action.len()], self.action.clone(), Vec::new()),
            ActionRecord::Discrete { choices } => crate::space::describe(&Space::Discrete(choices.clone())),
            ActionRecord::MultiDiscrete { lists } => {
                crate::space::describe(&Space::MultiDiscrete(lists.clone()))
            }
        };
        Ok((kind, PyTuple::new(py, shape)?, components, choices))
    }

    fn __repr__(&self) -> String {
        format!("Policy({:?})", self.path)
    }
}

/// Actions, one after the other.
enum Values {
    Floats(Vec<f32>),
    Choices(Vec<i64>),
}

impl PyPolicy {
    /// What was seen before: `None`, an array, or a tuple that has it alone.
    fn state<'py>(
        &self,
        state: Option<&Bound<'py, PyAny>>,
        shape: [usize; 3],
    ) -> PyResult<Option<PyReadonlyArrayDyn<'py, f32>>> {
        let Some(state) = state.filter(|state| self.window() > 1 && !state.is_none()) else {
            return Ok(None);
        };
        let [rows, window, columns] = shape;
        let legal = format!(
            "None, or what the last predict() returned: (numbers of shape ({rows}, {window}, {columns}),)"
        );
        let inner = match state.cast::<PyTuple>() {
            Ok(tuple) if tuple.len() == 1 => tuple.get_item(0)?,
            Ok(tuple) => return Err(illegal("state", format_args!("a tuple of {}", tuple.len()), &legal)),
            Err(_) => state.clone(),
        };
        let array = floats("state", &inner, &legal)?;
        if array.shape() == shape {
            return Ok(Some(array));
        }
        let found = PyTuple::new(state.py(), array.shape())?.repr()?;
        Err(illegal("state", format_args!("of shape {found}"), &legal))
    }

    /// Actions as an array, cut to their bounds: of one caller, or of `rows`.
    fn actions<'py>(
        &self,
        py: Python<'py>,
        values: Values,
        rows: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let scalar = matches!(self.file.header.action, ActionRecord::Discrete { .. });
        let width = (!scalar).then(|| self.file.policy.head.action_len());
        let shape: Vec<usize> = rows.into_iter().chain(width).collect();
        Ok(match values {
            Values::Floats(mut values) => {
                for action in values.chunks_exact_mut(self.action.len()) {
                    for (value, (_, _, low, high)) in action.iter_mut().zip(&self.action) {
                        *value = value.max(*low).min(*high);
                    }
                }
                PyArray1::from_vec(py, values).reshape(shape)?.into_any()
            }
            Values::Choices(values) => PyArray1::from_vec(py, values).reshape(shape)?.into_any(),
        })
    }
}

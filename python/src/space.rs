//! Spaces as Python is told of them, and actions as Python gives them.

use gym::{Action, BoxSpace, EnvError, Space};
use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::{self, InvalidAction};

/// Name, unit, low, high.
pub(crate) type Row = (String, String, f32, f32);

/// Components of a box, index by index.
pub(crate) fn components(space: &BoxSpace) -> Vec<Row> {
    let row = |part: &gym::Component| (part.name.clone(), part.unit.clone(), part.low, part.high);
    space.components().iter().map(row).collect()
}

/// What Python builds Gymnasium's space of: kind, shape, components of a box, choices of a discrete one.
pub(crate) type Description = (&'static str, Vec<usize>, Vec<Row>, Vec<(String, Vec<String>)>);

/// An action space.
pub(crate) fn describe(space: &Space) -> Description {
    match space {
        Space::Box(space) => ("box", space.shape().to_vec(), components(space), Vec::new()),
        Space::Discrete(choices) => {
            ("discrete", Vec::new(), Vec::new(), vec![("action".to_owned(), choices.clone())])
        }
        Space::MultiDiscrete(choices) => ("multi_discrete", vec![choices.len()], Vec::new(), choices.clone()),
    }
}

/// The shape of one action's array, or of that of `num_envs` actions.
pub(crate) fn action_shape(space: &Space, num_envs: Option<usize>) -> Vec<usize> {
    let own = match space {
        Space::Box(space) => space.shape().to_vec(),
        Space::Discrete(_) => Vec::new(),
        Space::MultiDiscrete(choices) => vec![choices.len()],
    };
    num_envs.into_iter().chain(own).collect()
}

/// Actions in contiguous memory of the right type: the caller's own array where that is so already.
pub(crate) enum Actions<'py> {
    Floats(PyReadonlyArrayDyn<'py, f32>),
    Integers(PyReadonlyArrayDyn<'py, i64>),
    Choice([i64; 1]),
}

impl<'py> Actions<'py> {
    /// Takes `actions`, which must have `shape`; anything that NumPy makes numbers of is converted.
    pub(crate) fn read(actions: &Bound<'py, PyAny>, shape: &[usize], continuous: bool) -> PyResult<Self> {
        if continuous {
            if let Ok(array) = actions.cast::<PyArrayDyn<f32>>()
                && let Some(array) = direct(array, shape)
            {
                return Ok(Self::Floats(array));
            }
            let array = converted(actions, shape, "float32", "fiub", "numbers")?;
            let array = array.cast_into::<PyArrayDyn<f32>>()?;
            direct(&array, shape).map(Self::Floats).ok_or_else(unreadable)
        } else {
            if shape.is_empty()
                && let Ok(choice) = actions.extract::<i64>()
            {
                return Ok(Self::Choice([choice]));
            }
            if let Ok(array) = actions.cast::<PyArrayDyn<i64>>()
                && let Some(array) = direct(array, shape)
            {
                return Ok(Self::Integers(array));
            }
            let array = converted(actions, shape, "int64", "iub", "integers")?;
            let array = array.cast_into::<PyArrayDyn<i64>>()?;
            direct(&array, shape).map(Self::Integers).ok_or_else(unreadable)
        }
    }

    /// The numbers, one action after the other.
    pub(crate) fn view(&self) -> PyResult<Action<'_>> {
        Ok(match self {
            Self::Floats(array) => Action::Continuous(array.as_slice()?),
            Self::Integers(array) => Action::Discrete(array.as_slice()?),
            Self::Choice(choice) => Action::Discrete(choice),
        })
    }
}

fn direct<'py, T: numpy::Element>(
    array: &Bound<'py, PyArrayDyn<T>>,
    shape: &[usize],
) -> Option<PyReadonlyArrayDyn<'py, T>> {
    let fits = array.shape() == shape && array.is_c_contiguous() && array.is_aligned();
    if fits { array.try_readonly().ok() } else { None }
}

fn unreadable() -> PyErr {
    InvalidAction::new_err("the action's array is being written by another call; pass a copy")
}

/// A fresh contiguous array of `dtype`, if what is given has `shape` and a dtype of one of `kinds`.
fn converted<'py>(
    actions: &Bound<'py, PyAny>,
    shape: &[usize],
    dtype: &str,
    kinds: &str,
    numbers: &str,
) -> PyResult<Bound<'py, PyAny>> {
    static NUMPY: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let py = actions.py();
    let legal = format!("{numbers} of shape {}", PyTuple::new(py, shape)?.repr()?);
    let refuse = |value: String, index: usize| {
        errors::env(&EnvError::Action { row: 0, index, value, legal: legal.clone() })
    };
    let numpy = NUMPY.get_or_try_init(py, || py.import("numpy").map(Bound::unbind))?.bind(py);
    let array =
        numpy.call_method1("asarray", (actions,)).map_err(|problem| refuse(problem.to_string(), 0))?;
    let found: Vec<usize> = array.getattr("shape")?.extract()?;
    if found != shape {
        let found = PyTuple::new(py, found)?.repr()?;
        return Err(InvalidAction::new_err(format!("action has shape {found}; legal: {legal}")));
    }
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    if !kinds.contains(&kind) {
        let dtype = array.getattr("dtype")?.str()?;
        return Err(InvalidAction::new_err(format!("action has dtype {dtype}; legal: {legal}")));
    }
    let options = PyDict::new(py);
    options.set_item("order", "C")?;
    array.call_method("astype", (dtype,), Some(&options))
}

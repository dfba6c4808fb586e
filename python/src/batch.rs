//! A batch's memory: NumPy arrays that Rust writes, and what Python gets of them.

use gym::{AnyEnv, Env as _, Episodes, StepBuffers, VecEnv};
use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadwriteArray1, PyReadwriteArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice, PyString, PyTuple};

use crate::render::Picture;

/// What is known before the first step.
pub(crate) struct Layout {
    pub(crate) num_envs: usize,
    pub(crate) observation_len: usize,
    pub(crate) observation_shape: Vec<usize>,
    /// Each info's name, and that of the mask that says which environments have it.
    pub(crate) info_names: Vec<(Py<PyString>, Py<PyString>)>,
    /// `[:, j]`
    columns: Vec<Py<PyTuple>>,
    pub(crate) with_infos: bool,
    pub(crate) reuse_buffers: bool,
    same_step: bool,
}

impl Layout {
    pub(crate) fn new(
        py: Python<'_>,
        env: &VecEnv<AnyEnv>,
        with_infos: bool,
        reuse_buffers: bool,
    ) -> PyResult<Self> {
        let names = env.env().info_names();
        let name = |name: &&str| {
            let mask = format!("_{name}");
            (PyString::intern(py, name).unbind(), PyString::intern(py, &mask).unbind())
        };
        let column = |index: usize| Ok((PySlice::full(py), index).into_pyobject(py)?.unbind());
        let space = env.env().observation_space();
        Ok(Self {
            num_envs: env.num_envs(),
            observation_len: space.len(),
            observation_shape: space.shape().to_vec(),
            info_names: names.iter().map(name).collect(),
            columns: (0..names.len()).map(column).collect::<PyResult<_>>()?,
            with_infos,
            reuse_buffers,
            same_step: env.autoreset() == gym::Autoreset::SameStep,
        })
    }
}

/// Environments, the arrays that they write into, and pictures if wanted.
pub(crate) struct Batch {
    pub(crate) env: VecEnv<AnyEnv>,
    pub(crate) buffers: Buffers,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) picture_size: Option<(usize, usize)>,
}

/// The arrays. They are the batch's own: a caller gets copies, or the arrays themselves if it asked for buffers to be reused.
pub(crate) struct Buffers {
    observations: Py<PyArray2<f32>>,
    rewards: Py<PyArray1<f64>>,
    terminated: Py<PyArray1<bool>>,
    truncated: Py<PyArray1<bool>>,
    infos: Option<Py<PyArray2<f64>>>,
    /// Only with same-step autoreset, likewise.
    final_observations: Option<Vec<f32>>,
    final_infos: Option<Vec<f64>>,
}

impl Buffers {
    fn new(py: Python<'_>, layout: &Layout) -> Self {
        let (n, d, k) = (layout.num_envs, layout.observation_len, layout.info_names.len());
        Self {
            observations: PyArray2::zeros(py, [n, d], false).unbind(),
            rewards: PyArray1::zeros(py, n, false).unbind(),
            terminated: PyArray1::zeros(py, n, false).unbind(),
            truncated: PyArray1::zeros(py, n, false).unbind(),
            infos: layout.with_infos.then(|| PyArray2::zeros(py, [n, k], false).unbind()),
            final_observations: layout.same_step.then(|| vec![0.0; n * d]),
            final_infos: (layout.same_step && layout.with_infos).then(|| vec![0.0; n * k]),
        }
    }

    /// The arrays, for Rust to write.
    pub(crate) fn lock<'py>(&mut self, py: Python<'py>) -> PyResult<Locked<'_, 'py>> {
        let infos = self.infos.as_ref().map(|infos| infos.bind(py).try_readwrite());
        Ok(Locked {
            observations: self.observations.bind(py).try_readwrite()?,
            rewards: self.rewards.bind(py).try_readwrite()?,
            terminated: self.terminated.bind(py).try_readwrite()?,
            truncated: self.truncated.bind(py).try_readwrite()?,
            infos: infos.transpose()?,
            final_observations: self.final_observations.as_deref_mut(),
            final_infos: self.final_infos.as_deref_mut(),
        })
    }
}

/// The arrays while Rust writes them.
pub(crate) struct Locked<'a, 'py> {
    observations: PyReadwriteArray2<'py, f32>,
    rewards: PyReadwriteArray1<'py, f64>,
    terminated: PyReadwriteArray1<'py, bool>,
    truncated: PyReadwriteArray1<'py, bool>,
    infos: Option<PyReadwriteArray2<'py, f64>>,
    final_observations: Option<&'a mut [f32]>,
    final_infos: Option<&'a mut [f64]>,
}

impl Locked<'_, '_> {
    pub(crate) fn views(&mut self) -> PyResult<StepBuffers<'_>> {
        Ok(StepBuffers {
            observations: self.observations.as_slice_mut()?,
            rewards: self.rewards.as_slice_mut()?,
            terminated: self.terminated.as_slice_mut()?,
            truncated: self.truncated.as_slice_mut()?,
            infos: self.infos.as_mut().map(|infos| infos.as_slice_mut()).transpose()?,
            final_observations: self.final_observations.as_deref_mut(),
            final_infos: self.final_infos.as_deref_mut(),
        })
    }
}

impl Batch {
    pub(crate) fn new(
        py: Python<'_>,
        env: VecEnv<AnyEnv>,
        layout: &Layout,
        picture_size: Option<(usize, usize)>,
    ) -> Self {
        let picture = |(width, height)| (0..layout.num_envs).map(|_| Picture::new(width, height)).collect();
        let pictures = picture_size.map(picture).unwrap_or_default();
        Self { env, buffers: Buffers::new(py, layout), pictures, picture_size }
    }

    /// Brings the pictures up to date.
    pub(crate) fn look(&mut self) {
        for (picture, lane) in self.pictures.iter_mut().zip(self.env.lanes()) {
            if lane.steps() == 0 {
                picture.clear();
            }
            picture.push(&lane.env().scene());
        }
    }

    /// A copy of what all of them see.
    pub(crate) fn observations(&mut self, py: Python<'_>) -> PyResult<Vec<f32>> {
        Ok(self.buffers.lock(py)?.views()?.observations.to_vec())
    }

    /// Puts copies of environments in the place of all of them, or of number `row`.
    pub(crate) fn put(
        &mut self,
        py: Python<'_>,
        row: Option<usize>,
        lanes: &[Episodes<AnyEnv>],
        observations: &[f32],
    ) -> PyResult<()> {
        let mut locked = self.buffers.lock(py)?;
        let views = locked.views()?;
        let (first, d) = (row.unwrap_or(0), observations.len() / lanes.len());
        self.env.lanes_mut()[first..first + lanes.len()].clone_from_slice(lanes);
        views.observations[first * d..first * d + observations.len()].copy_from_slice(observations);
        if let Some(infos) = views.infos {
            let k = infos.len() / self.env.num_envs();
            for (index, lane) in lanes.iter().enumerate().filter(|(_, lane)| lane.episode().is_some()) {
                lane.env().write_info(&mut infos[(first + index) * k..(first + index + 1) * k]);
            }
        }
        Ok(())
    }

    /// (observations, infos), the infos of the environments in `mask`.
    pub(crate) fn reset_results<'py>(
        &self,
        py: Python<'py>,
        layout: &Layout,
        mask: Option<&[bool]>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let infos = PyDict::new(py);
        match (mask, &self.buffers.infos) {
            (_, None) => {}
            (None, Some(_)) => self.add_infos(py, layout, &infos)?,
            (Some(mask), Some(values)) => {
                let values = values.bind(py).try_readonly()?;
                add_marked(py, layout, &infos, values.as_slice()?, mask)?;
            }
        }
        (self.seen(py, layout)?, infos).into_pyobject(py)
    }

    /// (observations, rewards, terminations, truncations, infos).
    pub(crate) fn step_results<'py>(
        &self,
        py: Python<'py>,
        layout: &Layout,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let infos = PyDict::new(py);
        let (terminated, truncated) = (self.buffers.terminated.bind(py), self.buffers.truncated.bind(py));
        if let Some(last) = &self.buffers.final_observations {
            let terminated = terminated.try_readonly()?;
            let truncated = truncated.try_readonly()?;
            let flags = terminated.as_slice()?.iter().zip(truncated.as_slice()?);
            let ended: Vec<bool> = flags.map(|(&terminated, &truncated)| terminated || truncated).collect();
            if ended.contains(&true) {
                self.add_final(py, layout, &infos, last, &ended)?;
            }
        }
        self.add_infos(py, layout, &infos)?;
        let observations = self.seen(py, layout)?;
        let rewards = self.buffers.rewards.bind(py);
        if layout.reuse_buffers {
            (observations, rewards, terminated, truncated, infos).into_pyobject(py)
        } else {
            (observations, copy(rewards)?, copy(terminated)?, copy(truncated)?, infos).into_pyobject(py)
        }
    }

    fn seen<'py>(&self, py: Python<'py>, layout: &Layout) -> PyResult<Bound<'py, PyAny>> {
        let own = self.buffers.observations.bind(py);
        let array = if layout.reuse_buffers {
            own.clone()
        } else {
            let values = own.try_readonly()?;
            PyArray1::from_slice(py, values.as_slice()?).reshape([layout.num_envs, layout.observation_len])?
        };
        if layout.observation_shape.len() == 1 {
            return Ok(array.into_any());
        }
        let shape: Vec<usize> =
            std::iter::once(layout.num_envs).chain(layout.observation_shape.clone()).collect();
        let array: Bound<'py, PyArrayDyn<f32>> = array.reshape(shape)?;
        Ok(array.into_any())
    }

    /// Every environment's infos: columns of one array, and one mask for all.
    fn add_infos(&self, py: Python<'_>, layout: &Layout, infos: &Bound<'_, PyDict>) -> PyResult<()> {
        let Some(own) = &self.buffers.infos else { return Ok(()) };
        let own = own.bind(py);
        let array = if layout.reuse_buffers {
            own.clone()
        } else {
            let values = own.try_readonly()?;
            PyArray1::from_slice(py, values.as_slice()?)
                .reshape([layout.num_envs, layout.info_names.len()])?
        };
        let mask = PyArray1::from_vec(py, vec![true; layout.num_envs]);
        for ((name, mask_name), column) in layout.info_names.iter().zip(&layout.columns) {
            infos.set_item(name, array.get_item(column)?)?;
            infos.set_item(mask_name, &mask)?;
        }
        Ok(())
    }

    /// What episodes ended with: `final_obs`, an array of arrays and `None`s, and `final_info`, infos of its own.
    fn add_final(
        &self,
        py: Python<'_>,
        layout: &Layout,
        infos: &Bound<'_, PyDict>,
        last: &[f32],
        ended: &[bool],
    ) -> PyResult<()> {
        let mask = PyArray1::from_slice(py, ended);
        let rows = last.chunks(layout.observation_len).zip(ended).map(|(row, &ended)| {
            if !ended {
                return Ok(py.None());
            }
            let row: Bound<'_, PyArrayDyn<f32>> =
                PyArray1::from_slice(py, row).reshape(layout.observation_shape.clone())?;
            Ok(row.into_any().unbind())
        });
        let rows = rows.collect::<PyResult<Vec<Py<PyAny>>>>()?;
        infos.set_item("final_obs", PyArray1::from_vec(py, rows))?;
        infos.set_item("_final_obs", &mask)?;
        if let Some(values) = &self.buffers.final_infos {
            let info = PyDict::new(py);
            add_marked(py, layout, &info, values, ended)?;
            infos.set_item("final_info", info)?;
            infos.set_item("_final_info", &mask)?;
        }
        Ok(())
    }
}

/// The infos of marked environments; 0 for the others, as Gymnasium has it.
fn add_marked(
    py: Python<'_>,
    layout: &Layout,
    infos: &Bound<'_, PyDict>,
    values: &[f64],
    marked: &[bool],
) -> PyResult<()> {
    if !marked.contains(&true) {
        return Ok(());
    }
    let k = layout.info_names.len();
    let mask = PyArray1::from_slice(py, marked);
    for (index, (name, mask_name)) in layout.info_names.iter().enumerate() {
        let column = marked.iter().enumerate();
        let column = column.map(|(row, &marked)| if marked { values[row * k + index] } else { 0.0 });
        infos.set_item(name, PyArray1::from_vec(py, column.collect()))?;
        infos.set_item(mask_name, &mask)?;
    }
    Ok(())
}

fn copy<'py, T: numpy::Element>(array: &Bound<'py, PyArray1<T>>) -> PyResult<Bound<'py, PyArray1<T>>> {
    Ok(PyArray1::from_slice(array.py(), array.try_readonly()?.as_slice()?))
}

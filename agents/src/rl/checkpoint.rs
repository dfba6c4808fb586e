//! The state of a training in a file.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use lobgym_benches::atomic::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use super::learner::LearnError;
use crate::policy::Moments;
use crate::policy::pack;

/// The key of the header in a checkpoint's `__metadata__`.
const HEADER: &str = "lobgym_checkpoint";

/// Named arrays and a header: all that the rest of a training depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Settings and counters.
    pub header: Map<String, Value>,
    arrays: BTreeMap<String, Array>,
}

#[derive(Clone, Debug, PartialEq)]
enum Array {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U64(Vec<u64>),
}

/// Reading an array of one type.
macro_rules! access {
    ($put:ident, $get:ident, $variant:ident, $type:ty) => {
        /// Keeps an array.
        pub fn $put(&mut self, name: &str, values: Vec<$type>) {
            self.arrays.insert(name.to_owned(), Array::$variant(values));
        }

        /// An array that was kept.
        ///
        /// # Errors
        /// [`LearnError::State`] if there is none of that name and type.
        pub fn $get(&self, name: &str) -> Result<Vec<$type>, LearnError> {
            match self.arrays.get(name) {
                Some(Array::$variant(values)) => Ok(values.clone()),
                _ => Err(LearnError::State(format!("the checkpoint lacks {name}"))),
            }
        }
    };
}

impl State {
    access!(put_f32s, f32s, F32, f32);
    access!(put_f64s, f64s, F64, f64);
    access!(put_u64s, u64s, U64, u64);

    /// Keeps a tensor of 32-bit floats.
    pub fn put_tensor(&mut self, name: &str, tensor: &Tensor) {
        let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
        let mut values = vec![0.0_f32; tensor.numel()];
        let len = values.len();
        tensor.copy_data(&mut values, len);
        self.put_f32s(name, values);
    }

    /// A tensor that was kept, with `like`'s shape.
    ///
    /// # Errors
    /// [`LearnError::State`] if it is missing or has another size.
    pub fn tensor(&self, name: &str, like: &Tensor) -> Result<Tensor, LearnError> {
        let values = self.f32s(name)?;
        if values.len() != like.numel() {
            let problem =
                format!("{name} has {} numbers in the checkpoint, here {}", values.len(), like.numel());
            return Err(LearnError::State(problem));
        }
        Ok(Tensor::from_slice(&values).view(&like.size()[..]).to_device(like.device()))
    }

    /// Keeps running moments.
    pub fn put_moments(&mut self, name: &str, moments: &Moments) {
        self.put_f64s(&format!("{name}.count"), vec![moments.count]);
        self.put_f64s(&format!("{name}.mean"), moments.mean.clone());
        self.put_f64s(&format!("{name}.squares"), moments.squares.clone());
    }

    /// Running moments that were kept.
    ///
    /// # Errors
    /// [`LearnError::State`] if something is missing.
    pub fn moments(&self, name: &str) -> Result<Moments, LearnError> {
        let count = self.f64s(&format!("{name}.count"))?;
        Ok(Moments {
            count: count.first().copied().unwrap_or_default(),
            mean: self.f64s(&format!("{name}.mean"))?,
            squares: self.f64s(&format!("{name}.squares"))?,
        })
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let tensors: Vec<_> = self.arrays.iter().map(|(name, array)| array.to_bytes(name)).collect();
        let header = serde_json::to_string(&self.header)?;
        let metadata = HashMap::from([(HEADER.to_owned(), header)]);
        let bytes = pack(&tensors, metadata).map_err(std::io::Error::other)?;
        write_atomically(path, |file| file.write_all(&bytes))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let damaged = |error: safetensors::SafeTensorError| format!("no checkpoint: {error}");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(HEADER));
        let text = text.ok_or("no checkpoint: its header is missing")?;
        let header = serde_json::from_str(text).map_err(|error| format!("its header: {error}"))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let arrays = tensors.iter().map(|(name, view)| {
            let array = Array::from_bytes(view.dtype(), view.data());
            array.map(|array| (name.to_owned(), array)).ok_or(format!("{name} is of an unknown type"))
        });
        Ok(Self { header, arrays: arrays.collect::<Result<_, _>>()? })
    }
}

impl Array {
    fn to_bytes(&self, name: &str) -> (String, Dtype, Vec<usize>, Vec<u8>) {
        let (dtype, len, bytes) = match self {
            Self::F32(values) => {
                (Dtype::F32, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
            }
            Self::F64(values) => {
                (Dtype::F64, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
            }
            Self::U64(values) => {
                (Dtype::U64, values.len(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
            }
        };
        (name.to_owned(), dtype, vec![len], bytes)
    }

    fn from_bytes(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        let eights = || bytes.as_chunks::<8>().0.iter().copied();
        Some(match dtype {
            Dtype::F32 => {
                Self::F32(bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect())
            }
            Dtype::F64 => Self::F64(eights().map(f64::from_le_bytes).collect()),
            Dtype::U64 => Self::U64(eights().map(u64::from_le_bytes).collect()),
            _ => return None,
        })
    }
}

//! Policies in files: safetensors with one JSON header.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gym::{Env, Space};
use lob::ParameterError;
use lobgym_benches::atomic::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::spaces::first_difference;
use super::{ActionRecord, ComponentRecord, Head, Moments, Network, NetworkSpec, Normaliser, Policy};

/// The format that this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// A run's policy, in the run's directory.
pub const POLICY_FILE: &str = "policy.safetensors";

/// The key of the header in the file's `__metadata__`.
const HEADER: &str = "lobgym_policy";

/// Why a policy file cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// It cannot be read or written.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// It is no policy, a damaged one, or of a format that this version does not read.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out where there is one.
        problem: String,
    },
    /// It does not suit the environment.
    #[error("the policy does not fit the environment {environment}: {problem}")]
    Misfit {
        /// The environment's name, or a dash.
        environment: String,
        /// What differs.
        problem: String,
    },
}

/// Everything about a policy but its numbers: the JSON header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyHeader {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// The version of this library that wrote it.
    pub code_version: String,
    /// The network.
    pub network: NetworkSpec,
    /// What its outputs mean.
    pub head: Head,
    /// The observation it was trained on, number by number.
    pub observation: Vec<ComponentRecord>,
    /// The action it was trained to give.
    pub action: ActionRecord,
    /// Where normalised observations are cut; none if observations are not normalised.
    pub normalisation_limit: Option<f32>,
    /// The environment's settings, as [`gym::EnvConfig::to_map`] has them.
    pub env: Map<String, Value>,
    /// How it was trained, for people.
    pub training: Map<String, Value>,
}

impl PolicyHeader {
    /// Whether the policy can act in an environment: the same observation and action, number by number.
    ///
    /// # Errors
    /// [`PolicyError::Misfit`] with the first difference.
    pub fn fits(&self, env: &impl Env, name: &str) -> Result<(), PolicyError> {
        self.fits_spaces(&ComponentRecord::of(env.observation_space()), env.action_space(), name)
    }

    /// The same, of what is known of an environment.
    ///
    /// # Errors
    /// [`PolicyError::Misfit`] with the first difference.
    pub fn fits_spaces(
        &self,
        observation: &[ComponentRecord],
        action: &Space,
        name: &str,
    ) -> Result<(), PolicyError> {
        let problem = first_difference("observation", &self.observation, observation)
            .or_else(|| self.action.mismatch(&ActionRecord::of(action)));
        match problem {
            None => Ok(()),
            Some(problem) => Err(PolicyError::Misfit { environment: name.to_owned(), problem }),
        }
    }
}

/// A policy with its origin.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// Where it comes from and what it needs.
    pub header: PolicyHeader,
    /// What acts.
    pub policy: Policy,
    /// The network's parameters, `f32[n]`, in the order of [`NetworkSpec::parameters`].
    pub parameters: Vec<f32>,
}

impl PolicyFile {
    /// Writes the file, whole or not at all. The same policy gives the same bytes.
    ///
    /// # Errors
    /// [`PolicyError::Io`], [`PolicyError::Content`].
    pub fn write(&self, path: &Path) -> Result<(), PolicyError> {
        let content = |problem: String| PolicyError::Content { path: path.to_owned(), problem };
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut rest = &self.parameters[..];
        for (name, shape) in self.header.network.parameters() {
            let (head, tail) = rest.split_at(shape.iter().product());
            tensors.push((name, Dtype::F32, shape, bytes_f32(head)));
            rest = tail;
        }
        if !self.policy.deviation.is_empty() {
            let deviation = &self.policy.deviation;
            tensors.push(("deviation".into(), Dtype::F32, vec![deviation.len()], bytes_f32(deviation)));
        }
        if let Some(normaliser) = &self.policy.normaliser {
            let Moments { count, mean, squares } = normaliser.moments();
            for (name, values) in [("count", &vec![*count]), ("mean", mean), ("squares", squares)] {
                let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
                tensors.push((format!("normaliser.{name}"), Dtype::F64, vec![values.len()], bytes));
            }
        }
        let header = serde_json::to_string(&self.header).map_err(|error| content(error.to_string()))?;
        let bytes = pack(&tensors, HashMap::from([(HEADER.to_owned(), header)])).map_err(content)?;
        let write = |file: &mut std::io::BufWriter<std::fs::File>| std::io::Write::write_all(file, &bytes);
        write_atomically(path, write).map_err(|problem| PolicyError::Io { path: path.to_owned(), problem })
    }

    /// Reads a file; every number and shape is checked.
    ///
    /// # Errors
    /// [`PolicyError::Io`], [`PolicyError::Content`].
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let bytes =
            std::fs::read(path).map_err(|problem| PolicyError::Io { path: path.to_owned(), problem })?;
        Self::from_bytes(&bytes).map_err(|problem| PolicyError::Content { path: path.to_owned(), problem })
    }

    /// Reads a policy's file, or the policy of a run's directory.
    ///
    /// # Errors
    /// [`PolicyError::Io`], [`PolicyError::Content`].
    pub fn open(path: &Path) -> Result<Self, PolicyError> {
        if !path.is_dir() {
            return Self::read(path);
        }
        let file = path.join(POLICY_FILE);
        if !file.exists() {
            let problem = format!("no {POLICY_FILE} here; a run has one when its training is complete");
            return Err(PolicyError::Content { path: path.to_owned(), problem });
        }
        Self::read(&file)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|error| format!("no safetensors file: {error}"))?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(HEADER));
        let text = text.ok_or(format!("no policy: its metadata lack {HEADER}"))?;
        let header = parse_header(text)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensor = |name: &str, dtype: Dtype, shape: &[usize]| {
            let view = tensors.tensor(name).map_err(|_| format!("the tensor {name} is missing"))?;
            if view.dtype() != dtype || view.shape() != shape {
                let found = format!("{:?}{:?}", view.dtype(), view.shape());
                return Err(format!("{name} is {found}; legal: {dtype:?}{shape:?}"));
            }
            Ok(view.data().to_vec())
        };
        let f32s = |name: &str, shape: &[usize]| -> Result<Vec<f32>, String> {
            let bytes = tensor(name, Dtype::F32, shape)?;
            let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
            check_finite(name, values.iter().all(|x| x.is_finite()))?;
            Ok(values)
        };
        let f64s = |name: &str, len: usize| -> Result<Vec<f64>, String> {
            let bytes = tensor(name, Dtype::F64, &[len])?;
            let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|x| f64::from_le_bytes(*x)).collect();
            check_finite(name, values.iter().all(|x| x.is_finite()))?;
            Ok(values)
        };
        let mut parameters = Vec::new();
        for (name, shape) in header.network.parameters() {
            parameters.extend(f32s(&name, &shape)?);
        }
        let deviation = match header.head.deviations() {
            0 => Vec::new(),
            n => f32s("deviation", &[n])?,
        };
        let normaliser = match header.normalisation_limit {
            None => None,
            Some(limit) => {
                let columns = header.network.observation;
                let moments = Moments {
                    count: f64s("normaliser.count", 1)?[0],
                    mean: f64s("normaliser.mean", columns)?,
                    squares: f64s("normaliser.squares", columns)?,
                };
                Some(Normaliser::new(moments, limit))
            }
        };
        let mut network = Network::new(header.network.clone()).map_err(|error| error.to_string())?;
        network.set(&parameters);
        let policy = Policy { network, head: header.head.clone(), deviation, normaliser };
        Ok(Self { header, policy, parameters })
    }
}

fn check_finite(name: &str, finite: bool) -> Result<(), String> {
    if finite { Ok(()) } else { Err(format!("{name} has a number that is not finite")) }
}

fn parse_header(text: &str) -> Result<PolicyHeader, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("its header: {error}"))?;
    match value.get("format").and_then(Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            return Err(format!(
                "format is {format}; legal: {FORMAT}. Use the version of lobgym that wrote it, or train it again"
            ));
        }
        None => return Err("its header has no format".to_owned()),
    }
    let header: PolicyHeader =
        serde_json::from_value(value).map_err(|error| format!("its header: {error}"))?;
    header.network.validate().map_err(|error: ParameterError| format!("its header: {error}"))?;
    let (outputs, observation) = (header.head.outputs(), header.observation.len());
    if header.network.outputs != outputs {
        return Err(format!(
            "the network has {} outputs; legal: {outputs}, the head's",
            header.network.outputs
        ));
    }
    if header.network.observation != observation {
        return Err(format!("the network sees {} numbers; legal: {observation}", header.network.observation));
    }
    if !header.action.suits(&header.head) {
        return Err("its head does not give the actions that it records".to_owned());
    }
    Ok(header)
}

fn bytes_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Puts tensors (name, type, shape, bytes) and metadata of at most one key, so that the bytes have one order, into a file's content.
pub(crate) fn pack(
    tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, String> {
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect();
    let views = views.map_err(|error| error.to_string())?;
    safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

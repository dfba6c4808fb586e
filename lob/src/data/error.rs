//! What is wrong with an `.npz` file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::ParameterError;

/// A file that cannot be used: which one, which array of it, and why.
#[derive(Debug, Error)]
#[error("{}{}: {problem}", path.display(), key.as_ref().map(|key| format!(": key `{key}`")).unwrap_or_default())]
pub struct NpzError {
    /// The file.
    pub path: PathBuf,
    /// The array, where the problem is with one.
    pub key: Option<String>,
    /// What is wrong with it; part of the message already, so not repeated as a source.
    pub problem: Box<NpzProblem>,
}

impl NpzError {
    /// An error about a whole file.
    pub fn file(path: &Path, problem: NpzProblem) -> Self {
        Self { path: path.to_owned(), key: None, problem: Box::new(problem) }
    }

    /// An error about one array.
    pub fn key(path: &Path, key: &str, problem: NpzProblem) -> Self {
        Self { path: path.to_owned(), key: Some(key.to_owned()), problem: Box::new(problem) }
    }
}

/// Why a file, or an array of it, cannot be used.
#[derive(Debug, Error)]
pub enum NpzProblem {
    /// The operating system said no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a byte in it.
    #[error("the file is empty; expected a zip archive of .npy arrays, as numpy.savez writes it")]
    Empty,
    /// Not a zip archive, or one that was cut off.
    #[error(
        "not a zip archive, or a truncated one ({0}); expected an archive of .npy arrays, as numpy.savez writes it"
    )]
    NotZip(String),
    /// More entries than any such file has.
    #[error("the archive has {found} entries; at most {limit} are read")]
    TooManyEntries {
        /// Entries declared.
        found: usize,
        /// Entries accepted.
        limit: usize,
    },
    /// Two arrays of one name: which is meant cannot be told.
    #[error("the archive has two entries of the same name")]
    DuplicateKey,
    /// An array that was asked for is not there.
    #[error("missing; expected {expected} (the file has: {})", list(present))]
    Missing {
        /// What should be there.
        expected: String,
        /// Which arrays are.
        present: Vec<String>,
    },
    /// An array that means nothing here.
    #[error("unknown; legal keys: {}", list(legal))]
    Unknown {
        /// Which keys mean something.
        legal: Vec<String>,
    },
    /// The bytes of the array cannot be had: bad checksum, truncated or broken compression, encryption.
    #[error("cannot be unpacked: {0}")]
    Unpack(String),
    /// Not an `.npy` array.
    #[error("not an .npy array: {0}")]
    Header(String),
    /// Larger than the reader's limit.
    #[error("declares {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Bytes declared, or read until the limit was passed.
        bytes: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// An array of Python objects: reading it would run what is in it.
    #[error("holds pickled Python objects, which are never read; expected {expected}")]
    Pickled {
        /// What should be there.
        expected: String,
    },
    /// A type of element that does not fit.
    #[error("has dtype {found}; expected {expected}")]
    Dtype {
        /// The type, as NumPy writes it.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A shape that does not fit.
    #[error("has shape {}; expected {expected}", tuple(found))]
    Shape {
        /// The shape.
        found: Vec<u64>,
        /// What should be there.
        expected: String,
    },
    /// Fewer or more bytes than dtype and shape say.
    #[error("dtype {dtype} and shape {} need {needed} bytes, the array has {found}", tuple(shape))]
    Length {
        /// The type, as NumPy writes it.
        dtype: String,
        /// The shape.
        shape: Vec<u64>,
        /// What they need, in bytes; too many to count where it says so.
        needed: String,
        /// What is there, in bytes.
        found: u64,
    },
    /// A value that is not legal.
    #[error("element {index} (counted from 0, row by row) is {value}; expected {expected}")]
    Value {
        /// Position in C order.
        index: usize,
        /// The value.
        value: String,
        /// What should be there.
        expected: String,
    },
    /// Values that can be read but not used together.
    #[error("{0}")]
    Parameter(#[from] ParameterError),
}

/// A shape as Python writes it.
pub(super) fn tuple(shape: &[u64]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Keys in a message: a file may have thousands, a reader wants some.
fn list(keys: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut text = keys.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text += &format!(", and {} more", keys.len() - SHOWN);
    }
    if text.is_empty() { "nothing".into() } else { text }
}

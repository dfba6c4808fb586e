//! Writing `.npz` archives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use npyz::{DType, Field, TypeStr, WriteOptions, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{NpzError, NpzProblem};

/// Writes an `.npz` archive: all of it, or nothing.
///
/// Arrays go to a temporary file in the same directory, which takes the final name in [`finish`](Self::finish); a reader sees the
/// old file or the new one. Dropped before that, it leaves nothing behind. Entries are stored without compression
/// and without a time: the same arrays give the same bytes.
#[derive(Debug)]
pub struct NpzWriter {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` once finished.
    archive: Option<ZipWriter<BufWriter<File>>>,
    keys: Vec<String>,
}

/// Tells temporary files of one process apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

impl NpzWriter {
    /// Begins an archive that will be `path`.
    ///
    /// # Errors
    /// If the temporary file next to it cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, NpzError> {
        let path = path.as_ref().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}.{unique}.tmp", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(|error| NpzError::file(&path, error.into()))?;
        let archive = Some(ZipWriter::new(BufWriter::new(file)));
        Ok(Self { path, temporary, archive, keys: Vec::new() })
    }

    /// Adds an array of `<f8` in C order.
    ///
    /// # Errors
    /// If the key is there already, the shape does not have as many elements as `data`, or writing fails.
    pub fn array_f64(&mut self, key: &str, shape: &[usize], data: &[f64]) -> Result<(), NpzError> {
        let bytes = data.iter().flat_map(|value| value.to_le_bytes());
        self.entry(key, "<f8", shape, data.len(), bytes)
    }

    /// Adds an array of `<i8` in C order.
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn array_i64(&mut self, key: &str, shape: &[usize], data: &[i64]) -> Result<(), NpzError> {
        let bytes = data.iter().flat_map(|value| value.to_le_bytes());
        self.entry(key, "<i8", shape, data.len(), bytes)
    }

    /// Adds one float, of shape ().
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn scalar_f64(&mut self, key: &str, value: f64) -> Result<(), NpzError> {
        self.array_f64(key, &[], &[value])
    }

    /// Adds one integer, of shape ().
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn scalar_i64(&mut self, key: &str, value: i64) -> Result<(), NpzError> {
        self.array_i64(key, &[], &[value])
    }

    /// Adds one boolean, of shape () and dtype `|b1`.
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn scalar_bool(&mut self, key: &str, value: bool) -> Result<(), NpzError> {
        self.entry(key, "|b1", &[], 1, [u8::from(value)])
    }

    /// Adds one string, of shape () and dtype `<U`.
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn string(&mut self, key: &str, value: &str) -> Result<(), NpzError> {
        self.text(key, &[], &[value])
    }

    /// Adds a list of strings, of dtype `<U`.
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn strings(&mut self, key: &str, values: &[&str]) -> Result<(), NpzError> {
        self.text(key, &[values.len()], values)
    }

    /// Adds a one-dimensional structured array of `count` records, whose fields (name, dtype) follow each other without padding. `fill`
    /// appends the bytes of some more records to the buffer each time it is called, and returns false when there are no more.
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64); [`NpzProblem::Shape`] if `fill` gives more or fewer bytes than `count` records have.
    pub fn records(
        &mut self,
        key: &str,
        fields: &[(&str, &str)],
        count: u64,
        fill: &mut dyn FnMut(&mut Vec<u8>) -> bool,
    ) -> Result<(), NpzError> {
        let fail = |problem| NpzError::key(&self.path, key, problem);
        if self.keys.iter().any(|present| present == key) {
            return Err(fail(NpzProblem::DuplicateKey));
        }
        let mut dtypes = Vec::with_capacity(fields.len());
        for &(name, text) in fields {
            let dtype: TypeStr =
                text.parse().map_err(|error| fail(NpzProblem::Header(format!("dtype {text}: {error}"))))?;
            dtypes.push(Field { name: name.to_owned(), dtype: DType::new_scalar(dtype) });
        }
        let dtype = DType::Record(dtypes);
        let needed = (dtype.num_bytes().unwrap_or(0) as u64).saturating_mul(count);
        let Some(archive) = self.archive.as_mut() else { return Ok(()) };
        let mut written = 0_u64;
        let done = (|| -> io::Result<()> {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            archive.start_file(format!("{key}.npy"), options.large_file(needed >= 1 << 31))?;
            let header = WriteOptions::new_header_only().dtype(dtype).shape(&[count]);
            header.writer(&mut *archive).write_header_only()?;
            let mut buffer = Vec::new();
            loop {
                buffer.clear();
                let more = fill(&mut buffer);
                written += buffer.len() as u64;
                archive.write_all(&buffer)?;
                if !more {
                    return Ok(());
                }
            }
        })();
        done.map_err(|error| fail(error.into()))?;
        if written != needed {
            let expected = format!("{needed} bytes of records, not {written}");
            return Err(fail(NpzProblem::Shape { found: vec![count], expected }));
        }
        self.keys.push(key.to_owned());
        Ok(())
    }

    /// Writes the archive's directory, flushes everything to the disk and gives the file its name.
    ///
    /// # Errors
    /// If any of that fails; the old file, if there was one, is then still there.
    pub fn finish(mut self) -> Result<(), NpzError> {
        let Some(archive) = self.archive.take() else { return Ok(()) };
        let done = (|| -> io::Result<()> {
            let file = archive.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&self.temporary, &self.path)
        })();
        if done.is_err() {
            // Nothing more can be done about a temporary file that will not go.
            let _ = fs::remove_file(&self.temporary);
        }
        done.map_err(|error| NpzError::file(&self.path, error.into()))
    }

    fn text(&mut self, key: &str, shape: &[usize], values: &[&str]) -> Result<(), NpzError> {
        // NumPy has no strings of width 0.
        let width = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).max(1);
        let bytes = values.iter().flat_map(|value| {
            value.chars().map(u32::from).chain(std::iter::repeat(0)).take(width).flat_map(u32::to_le_bytes)
        });
        self.entry(key, &format!("<U{width}"), shape, values.len(), bytes)
    }

    fn entry(
        &mut self,
        key: &str,
        dtype: &str,
        shape: &[usize],
        count: usize,
        bytes: impl IntoIterator<Item = u8>,
    ) -> Result<(), NpzError> {
        let fail = |problem| NpzError::key(&self.path, key, problem);
        if self.keys.iter().any(|present| present == key) {
            return Err(fail(NpzProblem::DuplicateKey));
        }
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        if shape.iter().product::<u64>() != count as u64 {
            return Err(fail(NpzProblem::Shape { found: shape, expected: format!("{count} elements") }));
        }
        let dtype: TypeStr =
            dtype.parse().map_err(|error| fail(NpzProblem::Header(format!("dtype {dtype}: {error}"))))?;
        let Some(archive) = self.archive.as_mut() else { return Ok(()) };
        let written = (|| -> io::Result<()> {
            // Sizes beyond 4 GiB need the long form, which must be chosen before the bytes are known.
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            let large = count.saturating_mul(8) >= 1 << 30;
            archive.start_file(format!("{key}.npy"), options.large_file(large))?;
            let dtype = DType::new_scalar(dtype);
            WriteOptions::new_header_only()
                .dtype(dtype)
                .shape(&shape)
                .writer(&mut *archive)
                .write_header_only()?;
            let mut buffer = Vec::with_capacity(1 << 16);
            for byte in bytes {
                buffer.push(byte);
                if buffer.len() == 1 << 16 {
                    archive.write_all(&buffer)?;
                    buffer.clear();
                }
            }
            archive.write_all(&buffer)
        })();
        written.map_err(|error| fail(error.into()))?;
        self.keys.push(key.to_owned());
        Ok(())
    }
}

impl Drop for NpzWriter {
    fn drop(&mut self) {
        if let Some(archive) = self.archive.take() {
            drop(archive);
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

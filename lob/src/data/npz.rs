//! Reading `.npz` archives.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use npyz::{DType, Endianness, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::array::{Array, Dim, Domain, RawArray, describe, shape_fits, to_c_order};
use super::header::{self, Member};
use super::{NpzError, NpzProblem};

/// The largest array read unless another limit is given, in bytes after decompression.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// The most entries an archive may have.
const MAX_ENTRIES: usize = 4096;

/// An open `.npz` archive: arrays by key, read and checked one at a time.
///
/// Every method that reads an array names, where it fails, the file, the key and what was expected. Accepted element types:
/// where a float is expected, `f8`, `f4` (widened, exactly) and integers and booleans no larger than 2^53 (exact); where an
/// integer is expected, integers of any width whose values fit; where a string is expected, `U` and (UTF-8) `S`. Either
/// byte order, C and Fortran order. Arrays of Python objects are refused unread. Memory is bounded by the limit
/// on an array's size, whatever the archive declares.
#[derive(Debug)]
pub struct NpzFile {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    keys: Vec<String>,
    max_bytes: u64,
}

impl NpzFile {
    /// Opens an archive whose arrays have at most [`DEFAULT_MAX_BYTES`] each.
    ///
    /// # Errors
    /// If the file cannot be read, is empty, is no zip archive, is truncated, or has two entries of one name.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NpzError> {
        Self::open_with_limit(path, DEFAULT_MAX_BYTES)
    }

    /// Opens an archive whose arrays have at most `max_bytes` bytes each after decompression.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_limit(path: impl AsRef<Path>, max_bytes: u64) -> Result<Self, NpzError> {
        let path = path.as_ref().to_owned();
        let fail = |problem| NpzError::file(&path, problem);
        let file = File::open(&path).map_err(|error| fail(error.into()))?;
        if file.metadata().map_err(|error| fail(error.into()))?.len() == 0 {
            return Err(fail(NpzProblem::Empty));
        }
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| fail(not_zip(error)))?;
        if archive.len() > MAX_ENTRIES {
            return Err(fail(NpzProblem::TooManyEntries { found: archive.len(), limit: MAX_ENTRIES }));
        }
        if archive.has_duplicate_names() {
            return Err(fail(NpzProblem::DuplicateKey));
        }
        let mut keys = Vec::with_capacity(archive.len());
        for name in archive.file_names() {
            // Like NumPy, whatever is not called .npy is not an array.
            let name = name.map_err(|error| fail(not_zip(error)))?;
            if let Some(key) = name.strip_suffix(".npy") {
                keys.push(key.to_owned());
            }
        }
        Ok(Self { path, archive, keys, max_bytes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys in the order of the archive.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// True if there is an array of this name.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.iter().any(|present| present == key)
    }

    /// Checks that every key satisfies `legal`; `examples` lists the legal ones for the message.
    ///
    /// # Errors
    /// [`NpzProblem::Unknown`] for the first that does not.
    pub fn refuse_unknown(&self, examples: &[&str], legal: impl Fn(&str) -> bool) -> Result<(), NpzError> {
        match self.keys.iter().find(|key| !legal(key)) {
            None => Ok(()),
            Some(key) => {
                let legal = examples.iter().map(|&key| key.to_owned()).collect();
                Err(self.fail(key, NpzProblem::Unknown { legal }))
            }
        }
    }

    /// An array of floats.
    ///
    /// # Errors
    /// If the key is missing, or dtype, shape, or any value is not as expected.
    pub fn array_f64(&mut self, key: &str, dims: &[Dim], domain: Domain) -> Result<Array<f64>, NpzError> {
        let expected = describe(&format!("float64 ({domain})"), dims);
        let (member, bytes) = self.member(key, &expected)?;
        let array = floats(&member, &bytes, dims, &expected).map_err(|problem| self.fail(key, problem))?;
        match array.data.iter().position(|&value| !domain.accepts(value)) {
            None => Ok(array),
            Some(index) => {
                let value = array.data[index].to_string();
                Err(self.fail(key, NpzProblem::Value { index, value, expected: domain.to_string() }))
            }
        }
    }

    /// An array of integers, each within `range`.
    ///
    /// # Errors
    /// If the key is missing, or dtype, shape, or any value is not as expected.
    pub fn array_i64(
        &mut self,
        key: &str,
        dims: &[Dim],
        range: RangeInclusive<i64>,
    ) -> Result<Array<i64>, NpzError> {
        let legal = format!("from {} to {}", range.start(), range.end());
        let expected = describe(&format!("int64 ({legal})"), dims);
        let (member, bytes) = self.member(key, &expected)?;
        let array = integers(&member, &bytes, dims, &expected).map_err(|problem| self.fail(key, problem))?;
        match array.data.iter().position(|&v| i64::try_from(v).map_or(true, |v| !range.contains(&v))) {
            Some(index) => {
                let (value, expected) = (array.data[index].to_string(), format!("an integer {legal}"));
                Err(self.fail(key, NpzProblem::Value { index, value, expected }))
            }
            None => Ok(Array {
                shape: array.shape,
                data: array.data.into_iter().map(|value| value as i64).collect(),
            }),
        }
    }

    /// One float: an array of shape ().
    ///
    /// # Errors
    /// As [`array_f64`](Self::array_f64).
    pub fn scalar_f64(&mut self, key: &str, domain: Domain) -> Result<f64, NpzError> {
        Ok(self.array_f64(key, &[], domain)?.data[0])
    }

    /// One integer within `range`: an array of shape ().
    ///
    /// # Errors
    /// As [`array_i64`](Self::array_i64).
    pub fn scalar_i64(&mut self, key: &str, range: RangeInclusive<i64>) -> Result<i64, NpzError> {
        Ok(self.array_i64(key, &[], range)?.data[0])
    }

    /// One boolean: an array of shape () and dtype `|b1`.
    ///
    /// # Errors
    /// If the key is missing, or dtype or shape is not as expected.
    pub fn scalar_bool(&mut self, key: &str) -> Result<bool, NpzError> {
        let expected = describe("bool", &[]);
        let (member, bytes) = self.member(key, &expected)?;
        let (kind, _, _) = scalar_type(&member, &expected).map_err(|problem| self.fail(key, problem))?;
        if kind != TypeChar::Bool {
            return Err(self.fail(key, wrong_dtype(&member, &expected)));
        }
        check_shape(&member, &[], &expected).map_err(|problem| self.fail(key, problem))?;
        Ok(bytes[member.start] != 0)
    }

    /// One string: an array of shape ().
    ///
    /// # Errors
    /// If the key is missing, dtype or shape is not as expected, or the text is no Unicode.
    pub fn string(&mut self, key: &str) -> Result<String, NpzError> {
        let mut strings = self.text(key, &[])?;
        Ok(strings.pop().unwrap_or_default())
    }

    /// A list of strings: an array of one dimension.
    ///
    /// # Errors
    /// As [`string`](Self::string).
    pub fn strings(&mut self, key: &str) -> Result<Vec<String>, NpzError> {
        self.text(key, &[Dim::Any])
    }

    /// An array of any element type but Python objects, as it is stored.
    ///
    /// # Errors
    /// If the key is missing, or the array is not a well-formed `.npy` file within the size limit.
    pub fn raw(&mut self, key: &str) -> Result<RawArray, NpzError> {
        let (member, bytes) = self.member(key, "an array")?;
        Ok(header::raw(&member, &bytes))
    }

    fn text(&mut self, key: &str, dims: &[Dim]) -> Result<Vec<String>, NpzError> {
        let expected = describe("unicode string", dims);
        let (member, bytes) = self.member(key, &expected)?;
        texts(&member, &bytes[member.start..], dims, &expected).map_err(|problem| self.fail(key, problem))
    }

    /// The checked header of an array, and all its bytes.
    fn member(&mut self, key: &str, expected: &str) -> Result<(Member, Vec<u8>), NpzError> {
        let bytes = self.unpack(key, expected)?;
        let member = header::parse(&bytes, expected).map_err(|problem| self.fail(key, problem))?;
        Ok((member, bytes))
    }

    fn unpack(&mut self, key: &str, expected: &str) -> Result<Vec<u8>, NpzError> {
        if !self.contains(key) {
            let present = self.keys.clone();
            return Err(self.fail(key, NpzProblem::Missing { expected: expected.to_owned(), present }));
        }
        let unpacked = (|| {
            let unreadable = |error: zip::result::ZipError| NpzProblem::Unpack(error.to_string());
            let mut entry = self.archive.by_name(&format!("{key}.npy")).map_err(unreadable)?;
            let limit = self.max_bytes;
            if entry.size() > limit {
                return Err(NpzProblem::TooLarge { bytes: entry.size(), limit });
            }
            // The declared size may lie: the buffer grows with what arrives, up to the limit. Reading to the end checks the checksum.
            let mut bytes = Vec::new();
            (&mut entry)
                .take(limit + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| NpzProblem::Unpack(error.to_string()))?;
            if bytes.len() as u64 > limit {
                return Err(NpzProblem::TooLarge { bytes: bytes.len() as u64, limit });
            }
            Ok(bytes)
        })();
        unpacked.map_err(|problem| self.fail(key, problem))
    }

    fn fail(&self, key: &str, problem: NpzProblem) -> NpzError {
        NpzError::key(&self.path, key, problem)
    }
}

fn not_zip(error: zip::result::ZipError) -> NpzProblem {
    match error {
        zip::result::ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            NpzProblem::Io(error)
        }
        other => NpzProblem::NotZip(other.to_string()),
    }
}

fn wrong_dtype(member: &Member, expected: &str) -> NpzProblem {
    NpzProblem::Dtype { found: member.header.dtype().descr(), expected: expected.to_owned() }
}

fn check_shape(member: &Member, dims: &[Dim], expected: &str) -> Result<(), NpzProblem> {
    let shape = member.header.shape();
    if shape_fits(dims, shape) {
        return Ok(());
    }
    Err(NpzProblem::Shape { found: shape.to_vec(), expected: expected.to_owned() })
}

/// Kind, size field and byte order of an array whose type is not structured.
fn scalar_type(member: &Member, expected: &str) -> Result<(TypeChar, u64, Endianness), NpzProblem> {
    match member.header.dtype() {
        DType::Plain(plain) => Ok((plain.type_char(), plain.size_field(), plain.endianness())),
        _ => Err(wrong_dtype(member, expected)),
    }
}

/// Elements of type `T`, in C order, each through `convert`.
fn elements<T, U: Copy>(
    member: &Member,
    bytes: &[u8],
    convert: impl Fn(T) -> U,
) -> Result<Array<U>, NpzProblem>
where
    T: npyz::Deserialize,
{
    // The header has been checked against the number of bytes: the library reads exactly as many elements as are there.
    let file = NpyFile::with_header(member.header.clone(), &bytes[member.start..]);
    let data: Vec<T> = file.into_vec().map_err(|error| NpzProblem::Unpack(error.to_string()))?;
    let shape: Vec<usize> = member.header.shape().iter().map(|&n| n as usize).collect();
    let data: Vec<U> = data.into_iter().map(convert).collect();
    let data = match member.header.order() {
        Order::Fortran if shape.len() > 1 => to_c_order(&shape, &data),
        _ => data,
    };
    Ok(Array { shape, data })
}

fn integers(member: &Member, bytes: &[u8], dims: &[Dim], expected: &str) -> Result<Array<i128>, NpzProblem> {
    let (kind, size, _) = scalar_type(member, expected)?;
    let read = match (kind, size) {
        (TypeChar::Int, 1) => elements(member, bytes, |v: i8| i128::from(v)),
        (TypeChar::Int, 2) => elements(member, bytes, |v: i16| i128::from(v)),
        (TypeChar::Int, 4) => elements(member, bytes, |v: i32| i128::from(v)),
        (TypeChar::Int, 8) => elements(member, bytes, |v: i64| i128::from(v)),
        (TypeChar::Uint, 1) => elements(member, bytes, |v: u8| i128::from(v)),
        (TypeChar::Uint, 2) => elements(member, bytes, |v: u16| i128::from(v)),
        (TypeChar::Uint, 4) => elements(member, bytes, |v: u32| i128::from(v)),
        (TypeChar::Uint, 8) => elements(member, bytes, |v: u64| i128::from(v)),
        _ => Err(wrong_dtype(member, expected)),
    };
    check_shape(member, dims, expected)?;
    read
}

fn floats(member: &Member, bytes: &[u8], dims: &[Dim], expected: &str) -> Result<Array<f64>, NpzProblem> {
    /// Up to here every integer is a float.
    const EXACT: i128 = 1 << 53;
    let (kind, size, _) = scalar_type(member, expected)?;
    match (kind, size) {
        (TypeChar::Float, 4 | 8) => check_shape(member, dims, expected)?,
        (TypeChar::Int | TypeChar::Uint, _) => {
            let array = integers(member, bytes, dims, expected)?;
            if let Some(index) = array.data.iter().position(|value| value.abs() > EXACT) {
                let expected = "an integer that a float64 holds exactly (at most 2^53)".to_owned();
                return Err(NpzProblem::Value { index, value: array.data[index].to_string(), expected });
            }
            let data = array.data.into_iter().map(|value| value as f64).collect();
            return Ok(Array { shape: array.shape, data });
        }
        _ => return Err(wrong_dtype(member, expected)),
    }
    if size == 4 {
        elements(member, bytes, |v: f32| f64::from(v))
    } else {
        elements(member, bytes, |v: f64| v)
    }
}

fn texts(member: &Member, data: &[u8], dims: &[Dim], expected: &str) -> Result<Vec<String>, NpzProblem> {
    let (kind, size, order) = scalar_type(member, expected)?;
    if !matches!(kind, TypeChar::UnicodeStr | TypeChar::ByteStr) {
        return Err(wrong_dtype(member, expected));
    }
    check_shape(member, dims, expected)?;
    let count: u64 = member.header.shape().iter().product();
    let wide = kind == TypeChar::UnicodeStr;
    let item = size as usize * if wide { 4 } else { 1 };
    if item == 0 {
        // Any number of empty strings needs no bytes at all: the length check says nothing.
        return match count {
            0 => Ok(Vec::new()),
            1 => Ok(vec![String::new()]),
            _ => Err(wrong_dtype(member, expected)),
        };
    }
    let decode = |item: &[u8]| {
        let text = if wide { unicode(item, order) } else { String::from_utf8(item.to_vec()).ok() };
        text.map(|text| text.trim_end_matches('\0').to_owned())
    };
    let mut strings = Vec::new();
    for (index, item) in data.chunks_exact(item).enumerate() {
        let Some(text) = decode(item) else {
            let value = "not valid Unicode".to_owned();
            return Err(NpzProblem::Value { index, value, expected: "text".to_owned() });
        };
        strings.push(text);
    }
    Ok(strings)
}

/// UTF-32 as NumPy stores it.
fn unicode(item: &[u8], order: Endianness) -> Option<String> {
    item.chunks_exact(4)
        .map(|code| {
            let code = [code[0], code[1], code[2], code[3]];
            let big = order == Endianness::Big;
            char::from_u32(if big { u32::from_be_bytes(code) } else { u32::from_le_bytes(code) })
        })
        .collect()
}

//! Bars from Parquet files.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use lob::ParameterError;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::{Cell, Row, Source, footer};

/// What a file begins with.
const MAGIC: &[u8] = b"PAR1";

/// More cells than this, a gigabyte of numbers, are a mistake, or a small file that claims to be a large one.
const MAX_CELLS: u64 = 1 << 27;

/// Rows that are asked for at a time: memory grows with what a file has, not with what it claims.
const BATCH: usize = 1 << 16;

const DAY_NANOS: i128 = 86_400_000_000_000;

/// Julian day of 1970-01-01.
const JULIAN_EPOCH: i128 = 2_440_588;

/// Whether these bytes are meant as a Parquet file.
pub(super) fn is_meant(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A file whose columns are known.
pub(super) struct File {
    reader: SerializedFileReader<Bytes>,
    columns: Vec<Column>,
}

/// A column as its file describes it.
struct Column {
    name: String,
    /// Where its values are, if they are numbers, times or text and not a structure of several.
    leaf: Option<usize>,
}

/// How stored values are to be read.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Unsigned,
    /// Times of so many nanoseconds a unit since 1970.
    Time(i128),
    /// Whole numbers of `10^-scale`.
    Decimal(i32),
    Text,
}

/// A column of a row group.
struct Chunk {
    values: Values,
    /// 0 for a row without a value; empty if every row has one.
    levels: Vec<i16>,
    next: usize,
}

enum Values {
    Numbers(Vec<f64>),
    Times(Vec<i128>),
    Texts(Vec<ByteArray>),
}

fn damaged(problem: impl std::fmt::Display) -> ParameterError {
    ParameterError::new("the file", format_args!("damaged: {problem}"), "a complete Parquet file")
}

/// Runs a part of the reader. It asserts some of what it reads instead of checking it (of files with a few flipped bits about three in a
/// thousand meet that): a panic there says that the file is damaged, and must not end whoever asked for prices. Nothing that could be left
/// half done is used again.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParameterError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(damaged),
        Err(_) => Err(damaged("its parts contradict each other")),
    }
}

impl File {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Self, ParameterError> {
        if !is_meant(&bytes) {
            let legal = "a Parquet file, which begins with PAR1; prices: { csv: ... } reads text";
            let found = if std::str::from_utf8(&bytes).is_ok() { "text" } else { "in no known format" };
            return Err(ParameterError::new("the file", found, legal));
        }
        footer::check(&bytes).map_err(damaged)?;
        guarded(|| {
            let reader = SerializedFileReader::new(Bytes::from(bytes))?;
            let schema = reader.metadata().file_metadata().schema_descr();
            let leaf_of = |root: usize| {
                (0..schema.num_columns()).find(|&leaf| {
                    schema.get_column_root_idx(leaf) == root && schema.column(leaf).max_rep_level() == 0
                })
            };
            let fields = schema.root_schema().get_fields().iter().enumerate();
            let columns = fields.map(|(root, field)| Column {
                name: field.name().to_owned(),
                leaf: if field.is_primitive() { leaf_of(root) } else { None },
            });
            let columns = columns.collect();
            Ok(Self { reader, columns })
        })
    }

    /// The column of a row group, as cells.
    fn chunk(&self, group: usize, column: usize, rows: usize) -> Result<Chunk, ParameterError> {
        let Column { name, leaf } = &self.columns[column];
        let refused = |found: &str| {
            let legal = "numbers, decimals, dates, timestamps or text";
            ParameterError::new(format!("column {name}"), found, legal)
        };
        let Some(leaf) = *leaf else { return Err(refused("a structure")) };
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let kind = kind(&schema.column(leaf)).map_err(refused)?;
        guarded(|| {
            let reader = self.reader.get_row_group(group)?.get_column_reader(leaf)?;
            read(reader, kind, rows)
        })
    }
}

/// What the values of a column are, or what they are that no price or stamp can be.
fn kind(column: &ColumnDescriptor) -> Result<Kind, &'static str> {
    let (physical, logical, converted) =
        (column.physical_type(), column.logical_type_ref(), column.converted_type());
    if let Some(LogicalType::Timestamp(time)) = logical {
        return Ok(Kind::Time(match time.unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        }));
    }
    match (physical, logical, converted) {
        (_, Some(LogicalType::Decimal(_)), _) | (_, _, ConvertedType::DECIMAL) => {
            Ok(Kind::Decimal(column.type_scale()))
        }
        (Type::INT32, Some(LogicalType::Date), _) | (Type::INT32, _, ConvertedType::DATE) => {
            Ok(Kind::Time(DAY_NANOS))
        }
        (_, Some(LogicalType::Time(_)), _)
        | (_, _, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => Err("times without a date"),
        (_, _, ConvertedType::TIMESTAMP_MILLIS) => Ok(Kind::Time(1_000_000)),
        (_, _, ConvertedType::TIMESTAMP_MICROS) => Ok(Kind::Time(1_000)),
        (
            Type::INT32 | Type::INT64,
            _,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
        ) => Ok(Kind::Unsigned),
        (Type::INT96, _, _) => Ok(Kind::Time(1)),
        (Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE, _, _) => Ok(Kind::Number),
        (Type::BYTE_ARRAY, None | Some(LogicalType::String | LogicalType::Enum), _) => Ok(Kind::Text),
        (Type::BOOLEAN, _, _) => Err("true or false"),
        _ => Err("bytes"),
    }
}

fn read(reader: ColumnReader, kind: Kind, rows: usize) -> Result<Chunk, ParquetError> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => {
            whole(reader, kind, rows, |value| i128::from(*value), |value| i128::from(*value as u32))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            whole(reader, kind, rows, |value| i128::from(*value), |value| i128::from(*value as u64))
        }
        ColumnReader::Int96ColumnReader(reader) => {
            chunk(reader, rows, |values| Ok(Values::Times(values.iter().map(nanos).collect())))
        }
        ColumnReader::FloatColumnReader(reader) => chunk(reader, rows, |values| {
            Ok(Values::Numbers(values.iter().map(|&value| f64::from(value)).collect()))
        }),
        ColumnReader::DoubleColumnReader(reader) => chunk(reader, rows, |values| Ok(Values::Numbers(values))),
        ColumnReader::ByteArrayColumnReader(reader) => chunk(reader, rows, |values| match kind {
            Kind::Decimal(scale) => decimals(values.iter().map(ByteArray::data), scale),
            _ => Ok(Values::Texts(values)),
        }),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => chunk(reader, rows, |values| match kind {
            Kind::Decimal(scale) => decimals(values.iter().map(|value| value.data()), scale),
            _ => Err(ParquetError::General("bytes of a fixed length that are no decimals".into())),
        }),
        ColumnReader::BoolColumnReader(_) => Err(ParquetError::General("true or false".into())),
    }
}

/// A column of whole numbers, whatever they stand for.
fn whole<T: DataType>(
    reader: ColumnReaderImpl<T>,
    kind: Kind,
    rows: usize,
    signed: impl Fn(&T::T) -> i128,
    unsigned: impl Fn(&T::T) -> i128,
) -> Result<Chunk, ParquetError> {
    chunk(reader, rows, |values| {
        Ok(match kind {
            Kind::Time(nanos) => Values::Times(values.iter().map(|value| signed(value) * nanos).collect()),
            Kind::Decimal(scale) => Values::Numbers(
                values.iter().map(|value| decimal(signed(value), scale)).collect::<Result<_, _>>()?,
            ),
            Kind::Unsigned => Values::Numbers(values.iter().map(|value| unsigned(value) as f64).collect()),
            Kind::Number | Kind::Text => {
                Values::Numbers(values.iter().map(|value| signed(value) as f64).collect())
            }
        })
    })
}

/// The values of a column of one row group, which must be as many as the row group says.
fn chunk<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    turn: impl FnOnce(Vec<T::T>) -> Result<Values, ParquetError>,
) -> Result<Chunk, ParquetError> {
    let (mut values, mut levels, mut done) = (Vec::new(), Vec::new(), 0);
    while done < rows {
        let (records, _, _) =
            reader.read_records((rows - done).min(BATCH), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::EOF(format!("a column has {done} of {rows} rows")));
        }
        done += records;
    }
    let present = levels.iter().filter(|&&level| level > 0).count();
    let wanted = if levels.is_empty() { rows } else { present };
    if values.len() != wanted || !(levels.is_empty() || levels.len() == rows) {
        return Err(ParquetError::General(format!("a column has {} values for {rows} rows", values.len())));
    }
    Ok(Chunk { values: turn(values)?, levels, next: 0 })
}

/// The timestamps of Impala and older Spark: nanoseconds of a Julian day.
fn nanos(value: &Int96) -> i128 {
    let [low, high, day] = [0, 1, 2].map(|index| value.data()[index]);
    let of_day = i128::from((u64::from(high) << 32 | u64::from(low)) as i64);
    (i128::from(day as i32) - JULIAN_EPOCH) * DAY_NANOS + of_day
}

/// The nearest float to `whole x 10^-scale`, through text: dividing by a power of ten would round twice.
fn decimal(whole: i128, scale: i32) -> Result<f64, ParquetError> {
    let number = format!("{whole}e{}", -i64::from(scale)).parse();
    number.map_err(|_| ParquetError::General(format!("a decimal of scale {scale}")))
}

/// Decimals as big-endian whole numbers in two's complement.
fn decimals<'v>(values: impl Iterator<Item = &'v [u8]>, scale: i32) -> Result<Values, ParquetError> {
    let numbers = values.map(|bytes| {
        if bytes.is_empty() || bytes.len() > 16 {
            return Err(ParquetError::General(format!("a decimal of {} bytes, not 1 to 16", bytes.len())));
        }
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        decimal(bytes.iter().fold(sign, |whole: i128, &byte| whole << 8 | i128::from(byte)), scale)
    });
    Ok(Values::Numbers(numbers.collect::<Result<_, _>>()?))
}

impl Chunk {
    /// The next row's cell, or none if it is text that is not UTF-8.
    fn cell(&mut self, row: usize) -> Option<Cell<'_>> {
        if self.levels.get(row) == Some(&0) {
            return Some(Cell::Missing);
        }
        let index = self.next;
        self.next += 1;
        Some(match &self.values {
            Values::Numbers(values) => Cell::Number(values[index]),
            Values::Times(values) => Cell::Time(values[index]),
            Values::Texts(values) => Cell::Text(std::str::from_utf8(values[index].data()).ok()?.trim()),
        })
    }
}

impl Source for File {
    const PLACE: &'static str = "row";
    const NAMES: &'static str = "the columns";

    fn names(&mut self) -> Result<Vec<String>, ParameterError> {
        Ok(self.columns.iter().map(|column| column.name.clone()).collect())
    }

    /// pandas stores a frame's index behind its columns and says so in the file.
    fn index(&self, names: &[String]) -> usize {
        let said = self.reader.metadata().file_metadata().key_value_metadata();
        let said = said.into_iter().flatten().find(|pair| pair.key == "pandas");
        let pandas = said.and_then(|pair| pair.value.as_deref());
        let pandas: Option<serde_json::Value> = pandas.and_then(|text| serde_json::from_str(text).ok());
        let of = |value: &serde_json::Value| {
            let [index] = value["index_columns"].as_array()?.as_slice() else { return None };
            names.iter().position(|name| Some(name.as_str()) == index.as_str())
        };
        pandas.as_ref().and_then(of).unwrap_or(0)
    }

    fn rows(&mut self, columns: &[usize], each: &mut Row<'_>) -> Result<(), ParameterError> {
        let metadata = self.reader.metadata();
        let rows_of = |group: usize| {
            let rows = metadata.row_group(group).num_rows();
            usize::try_from(rows).map_err(|_| damaged(format_args!("{rows} rows")))
        };
        let mut cells = 0_u64;
        for group in 0..metadata.num_row_groups() {
            cells = cells.saturating_add((rows_of(group)? as u64).saturating_mul(columns.len() as u64));
        }
        if cells > MAX_CELLS {
            let legal = format!("at most {MAX_CELLS} cells of stamps and prices");
            return Err(ParameterError::new("the file", format_args!("{cells} cells"), legal));
        }
        let mut before = 0;
        for group in 0..metadata.num_row_groups() {
            let rows = rows_of(group)?;
            let chunks = columns.iter().map(|&column| self.chunk(group, column, rows));
            let mut chunks = chunks.collect::<Result<Vec<_>, _>>()?;
            for row in 0..rows {
                let place = before + row as u64 + 1;
                let mut cells = Vec::with_capacity(columns.len());
                for (chunk, &column) in chunks.iter_mut().zip(columns) {
                    cells.push(chunk.cell(row).ok_or_else(|| {
                        let key = format!("row {place}, {}", self.columns[column].name);
                        ParameterError::new(key, "no UTF-8", "text in UTF-8")
                    })?);
                }
                each(place, &cells)?;
            }
            before += rows as u64;
        }
        Ok(())
    }
}

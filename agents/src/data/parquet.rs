//! Market events as a Parquet file, for pandas, Polars and DuckDB.

use std::io::{self, Write};
use std::sync::Arc;

use lob::Side;
use lob::data::market::{Instrument, MarketEvent};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// Columns: docs/data_format.md, "Market events as Parquet".
const SCHEMA: &str = "message events {
    required int64 exchange_time_ns;
    required int64 local_time_ns;
    required binary kind (STRING);
    optional binary side (STRING);
    required double price;
    required double quantity;
    required int64 id (INTEGER(64, false));
    required int64 reference (INTEGER(64, false));
    required int32 flags;
}";

/// Events of a row group: what is held back, 56 bytes each.
const GROUP: usize = 1 << 17;

/// Writes the events of one instrument as they come, prices and quantities in the units of the market. Memory: one row group of 131,072
/// events and its columns, some 20 MiB.
pub struct ParquetEvents<W: Write + Send> {
    file: SerializedFileWriter<W>,
    instrument: Instrument,
    waiting: Vec<MarketEvent>,
}

impl<W: Write + Send> std::fmt::Debug for ParquetEvents<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetEvents").field("instrument", &self.instrument).finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetEvents<W> {
    /// Begins a file; `provenance` goes to its metadata beside symbol, tick and lot size.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn new(writer: W, instrument: &Instrument, provenance: &[(&str, &str)]) -> io::Result<Self> {
        let (tick, lot) = (instrument.tick.to_string(), instrument.lot.to_string());
        let own = [("symbol", instrument.symbol.as_str()), ("tick_size", &tick), ("lot_size", &lot)];
        let entries = own.iter().chain(provenance);
        let metadata =
            entries.map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(metadata))
            .build();
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(io::Error::other)?);
        let file =
            SerializedFileWriter::new(writer, schema, Arc::new(properties)).map_err(io::Error::other)?;
        Ok(Self { file, instrument: instrument.clone(), waiting: Vec::new() })
    }

    /// Takes the next events.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn push(&mut self, mut events: &[MarketEvent]) -> io::Result<()> {
        while !events.is_empty() {
            let (now, later) = events.split_at(events.len().min(GROUP - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            events = later;
            if self.waiting.len() == GROUP {
                self.group().map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and the end of the file.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.group().map_err(io::Error::other)?;
        }
        self.file.close().map_err(io::Error::other)?;
        Ok(())
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        let (part, instrument) = (&self.waiting, &self.instrument);
        let mut group = self.file.next_row_group()?;
        let integers = |of: &dyn Fn(&MarketEvent) -> u64| -> Vec<i64> {
            part.iter().map(|event| of(event).cast_signed()).collect()
        };
        column::<Int64Type, _>(&mut group, &integers(&|event| event.exchange_time.0), None)?;
        column::<Int64Type, _>(&mut group, &integers(&|event| event.local_time.0), None)?;
        let kinds: Vec<ByteArray> = part.iter().map(|event| ByteArray::from(event.kind.name())).collect();
        column::<ByteArrayType, _>(&mut group, &kinds, None)?;
        let sides = part.iter().filter_map(|event| event.side);
        let sides: Vec<ByteArray> =
            sides.map(|side| ByteArray::from(if side == Side::Buy { "bid" } else { "ask" })).collect();
        let known: Vec<i16> = part.iter().map(|event| i16::from(event.side.is_some())).collect();
        column::<ByteArrayType, _>(&mut group, &sides, Some(&known))?;
        let prices: Vec<f64> = part.iter().map(|event| instrument.tick.value(event.price.0)).collect();
        column::<DoubleType, _>(&mut group, &prices, None)?;
        let quantities = part.iter().map(|event| instrument.lot.value(event.quantity.0.cast_signed()));
        column::<DoubleType, _>(&mut group, &quantities.collect::<Vec<f64>>(), None)?;
        column::<Int64Type, _>(&mut group, &integers(&|event| event.id), None)?;
        column::<Int64Type, _>(&mut group, &integers(&|event| event.reference), None)?;
        let flags: Vec<i32> = part.iter().map(|event| i32::from(event.flags)).collect();
        column::<Int32Type, _>(&mut group, &flags, None)?;
        group.close()?;
        self.waiting.clear();
        Ok(())
    }
}

/// The next column; `known` says which rows have a value, if not all.
fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    known: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns".to_owned()));
    };
    writer.typed::<T>().write_batch(values, known, None)?;
    writer.close()
}

//! From one file of market data to another, event by event.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use lob::data::NpzError;
use lob::data::market::{EventsWriter, Instrument, MarketEvent, MarketReader, ReadError, WrittenEvents};
use lobgym_benches::atomic::write_atomically;

use super::ParquetEvents;

/// What a conversion writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The layout of hftbacktest.
    Npz,
    /// A table.
    Parquet,
}

/// Why a conversion did not come to its end; nothing was written then.
#[derive(Debug)]
pub enum ConvertError {
    /// The file that is read.
    Read(ReadError),
    /// It has no events.
    Empty,
    /// It has several instruments: two of them.
    Several([String; 2]),
    /// The npz file.
    Npz(NpzError),
    /// The table.
    Table(io::Error),
    /// It was asked to stop.
    Stopped,
}

impl From<io::Error> for ConvertError {
    fn from(error: io::Error) -> Self {
        Self::Table(error)
    }
}

impl From<NpzError> for ConvertError {
    fn from(error: NpzError) -> Self {
        Self::Npz(error)
    }
}

/// What a conversion wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Events read.
    pub events: u64,
    /// What became of them.
    pub written: WrittenEvents,
}

/// Takes some events of an instrument.
pub(super) type Take<'a> = dyn FnMut(&Instrument, &[MarketEvent]) -> Result<(), ConvertError> + 'a;

/// Tells `take` of all events of a file with one instrument; how many there were.
///
/// # Errors
/// [`ConvertError`]: what cannot be read, no event at all, a second instrument, a stop; or what `take` says.
pub(super) fn each_event(
    reader: &mut dyn MarketReader,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
    take: &mut Take<'_>,
) -> Result<u64, ConvertError> {
    let mut count = 0;
    let mut events = Vec::new();
    loop {
        events.clear();
        let more = reader.read(&mut events).map_err(ConvertError::Read)?;
        // Instruments are numbered as they come: the first with events is the one, unless another comes too.
        if let Some(other) = events.iter().find(|event| event.instrument != 0) {
            let symbol = |index: usize| reader.instruments()[index].symbol.clone();
            return Err(ConvertError::Several([symbol(0), symbol(usize::from(other.instrument))]));
        }
        if let Some(instrument) = reader.instruments().first().filter(|_| !events.is_empty()) {
            take(instrument, &events)?;
        }
        count += events.len() as u64;
        if stop.load(Ordering::Relaxed) {
            return Err(ConvertError::Stopped);
        }
        progress(reader.progress().0);
        if !more {
            return if count == 0 { Err(ConvertError::Empty) } else { Ok(count) };
        }
    }
}

/// Reads all events of a file with one instrument and writes them to `path`, which appears whole or not at all. Memory does not grow with
/// the file, but for the orders that rest.
///
/// # Errors
/// [`ConvertError`].
pub fn convert(
    reader: &mut dyn MarketReader,
    path: &Path,
    target: Target,
    provenance: &[(&str, &str)],
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Conversion, ConvertError> {
    let mut count = 0;
    let mut stream = |reader: &mut dyn MarketReader, take: &mut Take<'_>| {
        count = each_event(reader, stop, progress, take)?;
        Ok::<_, ConvertError>(())
    };
    let written = match target {
        Target::Npz => {
            let mut writer = EventsWriter::create(path)?;
            stream(reader, &mut |_, events| Ok(writer.push(events)?))?;
            let instrument = reader.instruments().first().ok_or(ConvertError::Empty)?;
            writer
                .finish(instrument, provenance, &mut || !stop.load(Ordering::Relaxed))?
                .ok_or(ConvertError::Stopped)?
        }
        Target::Parquet => {
            write_atomically(path, |file| {
                let (mut file, mut table) = (Some(file), None);
                stream(reader, &mut |instrument, events| {
                    // At the first events, when the instrument is known.
                    if let Some(file) = file.take() {
                        table = Some(ParquetEvents::new(file, instrument, provenance)?);
                    }
                    table.as_mut().map_or(Ok(()), |table| Ok(table.push(events)?))
                })?;
                table.map_or(Ok(()), |table| Ok::<_, ConvertError>(table.finish()?))
            })?;
            WrittenEvents { records: count, split: 0, local_shift: 0 }
        }
    };
    Ok(Conversion { events: count, written })
}

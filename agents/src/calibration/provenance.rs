//! Where calibrated parameters come from.

use std::io::Read;
use std::path::Path;

use lob::calibration::Grid;
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3Default;

use super::{CalibrateError, Data, Shown};
use crate::data::civil;

/// The data behind a calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Name of the file, without its folder.
    pub file: String,
    /// XXH3-64 of its bytes, as 16 hexadecimal digits.
    pub digest: String,
    /// Name of its format.
    pub format: &'static str,
    /// As the feed calls the instrument.
    pub symbol: String,
    /// Price of one tick of the instrument.
    pub tick: String,
    /// Size of one lot of the instrument.
    pub lot: String,
    /// Price of one tick of the model.
    pub model_tick: f64,
    /// Size of one lot of the model.
    pub model_lot: f64,
    /// Days of the first and the last event, UTC; empty where the format has no date.
    pub dates: String,
    /// What was watched, in seconds since the first event.
    pub from: f64,
    /// Its end.
    pub until: f64,
    /// Damaged records that were passed over.
    pub damaged: u64,
}

impl Source {
    pub(super) fn new(data: &Data, shown: &Shown, grid: Grid) -> Result<Self, CalibrateError> {
        let name = data.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let instrument = &shown.instrument;
        let steps = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let (first, last) = (date(shown.stamps.0), date(shown.stamps.1));
        let dates = match (first, last) {
            (Some(first), Some(last)) if first == last => first,
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => String::new(),
        };
        Ok(Self {
            file: name.unwrap_or_default(),
            digest: digest(&data.path)?,
            format: shown.format,
            symbol: instrument.symbol.clone(),
            tick: instrument.tick.to_string(),
            lot: instrument.lot.to_string(),
            model_tick: instrument.tick.value(steps(grid.ticks)),
            model_lot: instrument.lot.value(steps(grid.lot)),
            dates,
            from: data.span.from,
            until: data.span.from + shown.tally.seconds,
            damaged: shown.damaged,
        })
    }
}

/// The digest of a file's bytes.
fn digest(path: &Path) -> Result<String, CalibrateError> {
    let failed = |source| CalibrateError::Io { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Xxh3Default::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(format!("{:016x}", hash.digest())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// The day of a stamp in nanoseconds since 1970, as YYYY-MM-DD; `None` for stamps of the first day of that scale, which are since midnight.
pub fn date(stamp: u64) -> Option<String> {
    let days = i64::try_from(stamp / 86_400_000_000_000).ok().filter(|&days| days > 0)?;
    let (year, month, day) = civil(days);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_their_day() {
        let day = 86_400_000_000_000;
        assert_eq!(date(1_430_438_404_518_000_000).as_deref(), Some("2015-05-01"));
        assert_eq!(date(951_782_400_000_000_000).as_deref(), Some("2000-02-29"));
        assert_eq!(date(day).as_deref(), Some("1970-01-02"));
        assert_eq!(date(day - 1), None);
    }
}

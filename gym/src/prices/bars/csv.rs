//! Bars from CSV text.

use lob::ParameterError;

use super::{Cell, Row, Source};

/// CSV text: comma separated, quotes as in RFC 4180, the first line the names of the columns.
pub(super) struct Text<'a> {
    reader: csv::Reader<&'a [u8]>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the first column's name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { reader: csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes()) }
    }
}

fn malformed(error: &csv::Error) -> ParameterError {
    let line = error.position().map_or(1, csv::Position::line);
    ParameterError::new(
        format!("line {line}"),
        error,
        "comma-separated fields, as many as the first line has",
    )
}

impl Source for Text<'_> {
    const PLACE: &'static str = "line";
    const NAMES: &'static str = "line 1";

    fn names(&mut self) -> Result<Vec<String>, ParameterError> {
        let header = self.reader.headers().map_err(|error| malformed(&error))?;
        Ok(header.iter().map(str::to_owned).collect())
    }

    fn rows(&mut self, columns: &[usize], each: &mut Row<'_>) -> Result<(), ParameterError> {
        let mut record = csv::StringRecord::new();
        // Bars keep nothing of the text: cells of a line live until the next.
        while self.reader.read_record(&mut record).map_err(|error| malformed(&error))? {
            let line = record.position().map_or(0, csv::Position::line);
            let cells: Vec<Cell<'_>> = columns.iter().map(|&column| Cell::Text(&record[column])).collect();
            each(line, &cells)?;
        }
        Ok(())
    }
}

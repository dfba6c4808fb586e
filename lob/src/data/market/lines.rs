//! Lines of a text, one at a time, with their place.

use memchr::memchr;

use super::reader::{Damage, Position, ReadError, Tally};
use super::{Input, ReadOptions};

/// The longest line that is read: a snapshot of 5,000 levels a side has 300 KiB.
const MAX_LINE: usize = 8 << 20;

/// The lines of an input, with the policy for damaged ones.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) input: Input,
    pub(super) tally: Tally,
    strict: bool,
    /// What a line is called in errors.
    unit: &'static str,
    /// Place of the line that `next` returned last.
    position: Position,
    /// Bytes to consume before the next line.
    pending: usize,
    /// Bytes of the line, without its end.
    length: usize,
}

impl Lines {
    pub(super) fn new(input: Input, options: &ReadOptions) -> Self {
        Self {
            input,
            tally: Tally::default(),
            strict: options.strict,
            unit: "line",
            position: Position::default(),
            pending: 0,
            length: 0,
        }
    }

    /// The same, called `unit` in errors.
    pub(super) fn called(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The number of the line that [`advance`](Self::advance) found, from 1.
    pub(super) fn record(&self) -> u64 {
        self.position.record
    }

    /// The line that [`advance`](Self::advance) found, without its end.
    #[inline]
    pub(super) fn line(&self) -> &[u8] {
        let line = &self.input.available()[..self.length];
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Counts the current line as damaged, or fails if none is tolerated.
    #[cold]
    pub(super) fn damaged(&mut self, reason: impl Into<String>) -> Result<(), ReadError> {
        let damage = Damage { position: self.position, reason: reason.into() };
        if self.strict {
            return Err(ReadError::Damaged { damage, unit: self.unit });
        }
        self.tally.damage(damage);
        Ok(())
    }

    /// Takes the first line out of the count of records: it is a header.
    pub(super) fn is_header(&mut self) {
        self.tally.records -= 1;
    }

    /// Passes over the rest of a line that is too long.
    fn skip_line(&mut self) -> Result<(), ReadError> {
        loop {
            let available = self.input.available();
            if let Some(end) = memchr(b'\n', available) {
                self.input.consume(end + 1);
                return Ok(());
            }
            let count = available.len();
            self.input.consume(count);
            let more = self.input.more();
            if !more.map_err(|error| ReadError::io(&self.input, error))? {
                return Ok(());
            }
        }
    }

    /// Finds the next line; false at the end. [`line`](Self::line) then returns it.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            self.input.consume(std::mem::take(&mut self.pending));
            let mut searched = 0;
            let length = loop {
                let available = self.input.available();
                if let Some(end) = memchr(b'\n', &available[searched..]) {
                    break Some(searched + end);
                }
                searched = available.len();
                if searched > MAX_LINE {
                    break None;
                }
                let more = self.input.more();
                if !more.map_err(|error| ReadError::io(&self.input, error))? {
                    if searched == 0 {
                        return Ok(false);
                    }
                    break Some(searched);
                }
            };
            self.position = Position { byte: self.input.offset(), record: self.position.record + 1 };
            self.tally.records += 1;
            match length {
                Some(length) => {
                    self.pending = (length + 1).min(self.input.available().len());
                    self.length = length;
                    return Ok(true);
                }
                None => {
                    self.damaged(format!("longer than {MAX_LINE} bytes, the most that is read"))?;
                    self.skip_line()?;
                }
            }
        }
    }
}

//! TensorBoard's event files: scalars by step.
//!
//! A file is a row of records: length u64, its checksum, the bytes of an `Event` message, their checksum. The messages need four fields,
//! so they are encoded here: `Event { wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5, session_log = 7 }`,
//! `Summary { value = 1 }`, `Summary.Value { tag = 1, simple_value = 2 (float) }`, `SessionLog { status = 1 }`. The crates that write
//! such files (tboard, tensorboard-rs) want a protobuf compiler at build time or a picture library, and have not moved for years.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    file: BufWriter<File>,
}

impl EventFile {
    /// A new file in `directory`. Readers drop what other files there have for steps from `first_step` on.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(directory: &Path, first_step: u64) -> io::Result<Self> {
        let name = format!("events.out.tfevents.{}.lobgym.{}", now() as u64, std::process::id());
        let mut new = Self { file: BufWriter::new(File::create(directory.join(name))?) };
        let mut version = event(now(), 0);
        bytes_field(&mut version, 3, b"brain.Event:2");
        new.record(&version)?;
        // SessionLog { status: START }
        let mut start = event(now(), first_step);
        bytes_field(&mut start, 7, &[0x08, 0x01]);
        new.record(&start)?;
        Ok(new)
    }

    /// Writes numbers of one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn write<'a>(
        &mut self,
        step: u64,
        scalars: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut entry = Vec::new();
            bytes_field(&mut entry, 1, tag.as_bytes());
            entry.push(2 << 3 | 5);
            entry.extend((value as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &entry);
        }
        let mut message = event(now(), step);
        bytes_field(&mut message, 5, &summary);
        self.record(&message)
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn record(&mut self, message: &[u8]) -> io::Result<()> {
        let len = (message.len() as u64).to_le_bytes();
        self.file.write_all(&len)?;
        self.file.write_all(&masked_checksum(&len).to_le_bytes())?;
        self.file.write_all(message)?;
        self.file.write_all(&masked_checksum(message).to_le_bytes())
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn event(wall_time: f64, step: u64) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend(wall_time.to_le_bytes());
    message.push(2 << 3);
    varint(&mut message, step);
    message
}

fn bytes_field(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// CRC-32C, turned and shifted as the record format wants it.
fn masked_checksum(bytes: &[u8]) -> u32 {
    let crc = checksum(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            // The Castagnoli polynomial, lowest bit first.
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // RFC 3720, appendix B.4, and the check value of the polynomial's catalogue entry.
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn records_are_framed_and_hold_the_scalars() {
        let directory = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(directory.path(), 0).unwrap();
        events.write(300, [("loss", 0.5), ("return", -2.0)]).unwrap();
        events.flush().unwrap();
        let path = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(path).unwrap();
        let mut messages = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_checksum(&rest[..8]).to_le_bytes());
            let message = &rest[12..12 + len];
            assert_eq!(rest[12 + len..16 + len], masked_checksum(message).to_le_bytes());
            messages.push(message.to_vec());
            rest = &rest[16 + len..];
        }
        assert_eq!(messages.len(), 3);
        assert!(messages[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        // step 300 as a varint, then the summary with both values.
        assert_eq!(messages[2][9..12], [0x10, 0xac, 0x02]);
        let tail = b"\x2a\x1c\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f\x0a\x0d\x0a\x06return\x15\0\0\0\xc0";
        assert_eq!(messages[2][12..], tail[..]);
    }
}

//! The envelope of what is written to disk: magic, version, length, checksum, payload.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes before the payload: magic (8), version (4), payload length (8), checksum (8).
pub(crate) const HEADER: usize = 28;

/// Why an envelope cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes end inside the header.
    #[error("ends at byte {found}, inside the header of {HEADER} bytes")]
    Header {
        /// Bytes there are.
        found: usize,
    },
    /// The first eight bytes are not those of this kind of data.
    #[error("bytes 0..8 are {found:?}, not {expected:?}: this is another kind of file")]
    Magic {
        /// What is there.
        found: [u8; 8],
        /// What should be.
        expected: [u8; 8],
    },
    /// Written by another version.
    #[error("bytes 8..12 name format version {found}; this program reads version {supported}")]
    Version {
        /// The version named.
        found: u32,
        /// The version that can be read.
        supported: u32,
    },
    /// The payload is shorter or longer than the header says.
    #[error("bytes 12..20 promise a payload of {expected} bytes; {found} follow the header")]
    Length {
        /// Bytes promised.
        expected: u64,
        /// Bytes there are.
        found: usize,
    },
    /// The payload is not what was written.
    #[error("payload at bytes {HEADER}..{end} has checksum {found:016x}, not {expected:016x}: it is damaged")]
    Checksum {
        /// Where the payload ends.
        end: usize,
        /// The payload's checksum.
        found: u64,
        /// The checksum in the header.
        expected: u64,
    },
}

/// Puts a payload into an envelope.
pub(crate) fn wrap(magic: &[u8; 8], version: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// What a header says: the length and the checksum of the payload.
pub(crate) fn header(magic: &[u8; 8], version: u32, bytes: &[u8]) -> Result<(u64, u64), FrameError> {
    let Some(header) = bytes.get(..HEADER) else {
        return Err(FrameError::Header { found: bytes.len() });
    };
    let field = |from: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&header[from..from + 8]);
        number
    };
    if &field(0) != magic {
        return Err(FrameError::Magic { found: field(0), expected: *magic });
    }
    let found = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    if found != version {
        return Err(FrameError::Version { found, supported: version });
    }
    Ok((u64::from_le_bytes(field(12)), u64::from_le_bytes(field(20))))
}

/// Opens an envelope that fills `bytes`.
pub(crate) fn unwrap<'a>(magic: &[u8; 8], version: u32, bytes: &'a [u8]) -> Result<&'a [u8], FrameError> {
    let (length, checksum) = header(magic, version, bytes)?;
    let payload = &bytes[HEADER..];
    if payload.len() as u64 != length {
        return Err(FrameError::Length { expected: length, found: payload.len() });
    }
    check(payload, checksum)?;
    Ok(payload)
}

/// Compares a payload with its checksum.
pub(crate) fn check(payload: &[u8], expected: u64) -> Result<(), FrameError> {
    let found = xxh3_64(payload);
    if found != expected {
        return Err(FrameError::Checksum { end: HEADER + payload.len(), found, expected });
    }
    Ok(())
}

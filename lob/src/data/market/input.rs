//! Bytes of a file: unpacked by what they are, in bounded memory, with a look ahead.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::unpack;

/// How a file is compressed, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, any number of members.
    Gzip,
    /// xz, any number of streams.
    Xz,
    /// Zstandard, any number of frames.
    Zstd,
    /// Deflate, inside a zip archive.
    Deflate,
}

impl Compression {
    /// By the magic numbers of RFC 1952, of the .xz format and of RFC 8878 (skippable frames included).
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }
}

/// The bytes of a file or of memory, unpacked. Memory: one buffer, as large as the largest record or look ahead asked for,
/// and the window of the compression (at most 128 MiB, whatever the file declares).
pub struct Input {
    source: Box<dyn Read + Send>,
    compression: Compression,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Unpacked bytes before `buffer[start]`.
    offset: u64,
    ended: bool,
    /// An error that reading met: the decompression may take itself for ended afterwards, so it is met again.
    failed: Option<(io::ErrorKind, String)>,
    packed: Arc<AtomicU64>,
    packed_length: Option<u64>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("compression", &self.compression).field("offset", &self.offset).finish()
    }
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

const BUFFER: usize = 256 << 10;

impl Input {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read, or is compressed in a way that this build cannot unpack.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
        Self::new(file, length)
    }

    /// Reads from memory.
    ///
    /// # Errors
    /// If the bytes are compressed in a way that this build cannot unpack.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> io::Result<Self> {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self::new(Cursor::new(bytes), Some(length))
    }

    /// Reads from anywhere; `length`, in bytes as they are packed, is for progress only.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(source: impl Read + Send + 'static, length: Option<u64>) -> io::Result<Self> {
        let packed = Arc::new(AtomicU64::new(0));
        let mut source = Counted { inner: source, count: packed.clone() };
        let mut head = Vec::new();
        (&mut source).take(6).read_to_end(&mut head)?;
        let compression = Compression::detect(&head);
        let source = unpack::reader(compression, Cursor::new(head).chain(source))?;
        Ok(Self { compression, packed, ..Self::unpacked(source, length) })
    }

    /// Reads bytes that are what they are, whatever they begin with.
    pub(super) fn unpacked(source: impl Read + Send + 'static, length: Option<u64>) -> Self {
        Self {
            source: Box::new(source),
            compression: Compression::None,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
            failed: None,
            packed: Arc::new(AtomicU64::new(0)),
            packed_length: length,
        }
    }

    /// How the bytes are compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes read so far, as they are packed: for progress.
    pub fn packed_position(&self) -> u64 {
        self.packed.load(Ordering::Relaxed)
    }

    /// All bytes, as they are packed, if known.
    pub fn packed_length(&self) -> Option<u64> {
        self.packed_length
    }

    /// Unpacked bytes consumed so far.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes at hand, without reading.
    #[inline]
    pub fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes `count` of the bytes at hand.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until at least `count` bytes are at hand or the end is reached, and returns what is at hand.
    ///
    /// # Errors
    /// What the system or the unpacking says.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && self.more()? {}
        Ok(self.available())
    }

    /// Reads more, growing the buffer if it is full; false at the end.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn more(&mut self) -> io::Result<bool> {
        if let Some((kind, text)) = &self.failed {
            return Err(io::Error::new(*kind, text.clone()));
        }
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some((error.kind(), error.to_string()));
                    return Err(error);
                }
            }
        }
    }
}

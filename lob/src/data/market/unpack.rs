//! Decompression, with the memory that a file may claim bounded.

use std::io::{self, Read};

use super::input::Compression;

/// The largest window of a compressed stream, in bytes; `xz -9` uses 64 MiB, `zstd --ultra -22` 128 MiB.
#[cfg(any(feature = "xz", feature = "zstd"))]
const MAX_WINDOW: u64 = 128 << 20;

pub(super) fn reader(
    compression: Compression,
    packed: impl Read + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    match compression {
        Compression::None | Compression::Deflate => Ok(Box::new(packed)),
        // Its window is 32 KiB by definition.
        Compression::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(packed))),
        Compression::Xz => xz(packed),
        Compression::Zstd => zstd(packed),
    }
}

#[cfg(feature = "xz")]
fn xz(packed: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let buffered = io::BufReader::with_capacity(64 << 10, packed);
    // The limit counts the decoder's tables too.
    let limit = (MAX_WINDOW >> 10) as u32 + 1024;
    Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(buffered, true, limit)))
}

#[cfg(not(feature = "xz"))]
fn xz(_: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Err(lacking("xz"))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Err(lacking("zstd"))
}

#[cfg(not(all(feature = "xz", feature = "zstd")))]
fn lacking(feature: &str) -> io::Error {
    let text =
        format!("compressed by {feature}, which this build of lob lacks: enable its feature `{feature}`");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(feature = "zstd")]
fn zstd(packed: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW);
    let source = io::BufReader::with_capacity(64 << 10, packed);
    Ok(Box::new(Frames { decoder, source, open: false }))
}

/// The frames of a Zstandard file, one after the other, each checked against its checksum if it has one.
#[cfg(feature = "zstd")]
struct Frames<R: Read> {
    decoder: ruzstd::decoding::FrameDecoder,
    source: io::BufReader<R>,
    open: bool,
}

#[cfg(feature = "zstd")]
impl<R: Read> Frames<R> {
    /// Opens the next frame; false at the end of the file.
    fn next(&mut self) -> io::Result<bool> {
        use std::io::BufRead;

        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
            }
        }
    }
}

#[cfg(feature = "zstd")]
impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
        loop {
            if self.open && self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.open && !self.decoder.is_finished() {
                // A block unpacks to at most 128 KiB, so that a bomb is read as slowly as anything else.
                let decoded = self.decoder.decode_blocks(&mut self.source, UptoBlocks(1));
                decoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
                continue;
            }
            if self.open {
                self.open = false;
                let stored = self.decoder.get_checksum_from_data();
                if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "zstd: the frame's checksum is wrong",
                    ));
                }
            }
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}

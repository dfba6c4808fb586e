//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file under a temporary name beside `path` and renames it, so that an interrupted or failed run
/// leaves no half-written file and an existing one stays as it was.
///
/// # Errors
/// Whatever `write` returns, and the errors of creating, writing, syncing and renaming.
pub fn write_atomically<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = temporary_name(path)?;
    let result = write_and_rename(path, &temporary, write);
    if result.is_err() {
        // The first error is the one to report; a temporary file that was never created cannot be removed.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write_and_rename<E: From<io::Error>>(
    path: &Path,
    temporary: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(temporary)?);
    write(&mut writer)?;
    let file = writer.into_inner().map_err(|error| E::from(error.into_error()))?;
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    Ok(())
}

/// `.NAME.PID.tmp` in the directory of `path`: a rename is atomic within one file system only.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(temporary))
}

/// Writes `text` atomically; see [`write_atomically`].
///
/// # Errors
/// The errors of creating, writing, syncing and renaming.
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    write_atomically(path, |writer| writer.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_text(&path, "old").unwrap();
        let result: io::Result<()> = write_atomically(&path, |writer| {
            writer.write_all(b"half")?;
            Err(io::Error::other("stopped"))
        });
        assert!(result.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

//! One column of numbers from a CSV file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{DEFAULT_MAX_BYTES, Domain};

/// A CSV file, or a value in it, that cannot be used.
#[derive(Debug, Error)]
#[error("{}{}: {problem}", path.display(), line.map(|line| format!(": line {line}")).unwrap_or_default())]
pub struct CsvError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, where the problem is in one.
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// Reads a column of a comma-separated file whose first line names the columns. Quotes mean nothing: this is for plain numbers.
///
/// # Errors
/// If the file cannot be read, is empty or too large, has no such column or no values, or a value is no number in `domain`.
pub fn read_csv_column(path: impl AsRef<Path>, column: &str, domain: Domain) -> Result<Vec<f64>, CsvError> {
    let path = path.as_ref();
    let fail = |line: Option<usize>, problem: String| CsvError { path: path.to_owned(), line, problem };
    let text = read(path).map_err(|error| fail(None, error.to_string()))?;
    let mut lines = text.lines().enumerate();
    let names: Vec<&str> =
        lines.next().map(|(_, line)| line.split(',').map(str::trim).collect()).unwrap_or_default();
    let Some(position) = names.iter().position(|&name| name == column) else {
        let problem = format!("no column `{column}`; the first line has: {}", names.join(", "));
        return Err(fail(Some(1), problem));
    };
    let mut values = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let field = line.split(',').nth(position).map(str::trim).unwrap_or_default();
        match field.parse::<f64>() {
            Ok(value) if domain.accepts(value) => values.push(value),
            _ => {
                let problem = format!("column `{column}` is {field:?}; expected {domain}");
                return Err(fail(Some(index + 1), problem));
            }
        }
    }
    if values.is_empty() {
        return Err(fail(None, format!("column `{column}` has no values; expected at least one")));
    }
    Ok(values)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(DEFAULT_MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > DEFAULT_MAX_BYTES {
        return Err(io::Error::other(format!(
            "larger than {DEFAULT_MAX_BYTES} bytes, the most that is read"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_and_errors_name_the_line() {
        let path = std::env::temp_dir().join(format!("lob-csv-{}.csv", std::process::id()));
        let read = |text: &str, column: &str| {
            std::fs::write(&path, text).unwrap();
            let read = read_csv_column(&path, column, Domain::NonNegative).map_err(|error| error.to_string());
            std::fs::remove_file(&path).unwrap();
            read
        };
        assert_eq!(read("a, b\r\n1, 2\r\n\n3,4e0\n", "b"), Ok(vec![2.0, 4.0]));
        assert!(
            read("a,b\n1,2\n", "c").unwrap_err().contains("line 1: no column `c`; the first line has: a, b")
        );
        assert!(
            read("a,b\n1,2\n3\n", "b").unwrap_err().contains("line 3: column `b` is \"\"; expected a finite")
        );
        assert!(read("a\n-1\n", "a").unwrap_err().contains("line 2: column `a` is \"-1\""));
        assert!(read("a\nnan\n", "a").unwrap_err().contains("line 2"));
        assert!(read("a\n", "a").unwrap_err().contains("no values"));
        assert!(read("", "a").unwrap_err().contains("no column"));
    }
}

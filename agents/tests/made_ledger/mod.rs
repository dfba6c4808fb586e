//! Runs of the paper broker, and what their ledgers hold.
#![allow(dead_code, reason = "not every test has use for everything")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use rusqlite::types::Value;

/// `lobgym paper`, as fast as it goes.
pub(crate) fn paper(db: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    command.args(["paper", "--speed", "max", "--db"]).arg(db).args(more);
    command.stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Runs it; it must succeed.
pub(crate) fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs it; it must be refused. Returns the exit code and what was said.
pub(crate) fn refused(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A file of settings with this section `paper`.
pub(crate) fn settings(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("paper.yaml");
    std::fs::write(&path, format!("paper: {{ {text} }}\n")).unwrap();
    path
}

/// Every row of a query.
pub(crate) fn query(db: &Path, sql: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open(db).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap()
}

/// One whole number of a query.
pub(crate) fn number(db: &Path, sql: &str) -> i64 {
    whole(&query(db, sql)[0][0])
}

/// A whole number of a row.
pub(crate) fn whole(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        other => panic!("{other:?} is no whole number"),
    }
}

/// Every row of a table in the order of its key.
pub(crate) fn rows(db: &Path, table: &str, key: &str) -> Vec<Vec<Value>> {
    query(db, &format!("SELECT * FROM {table} ORDER BY {key}"))
}

/// The tables that follow from settings and seed, with their keys.
pub(crate) const KEYS: [(&str, &str); 6] = [
    ("orders", "rowid"),
    ("fills", "rowid"),
    ("nav", "step"),
    ("rejections", "id"),
    ("positions", "asset"),
    ("account", "id"),
];

/// All of their rows.
pub(crate) fn everything(db: &Path) -> Vec<Vec<Vec<Value>>> {
    KEYS.iter().map(|(table, key)| rows(db, table, key)).collect()
}

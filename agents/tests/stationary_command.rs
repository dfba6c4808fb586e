//! `lobgym stationary` as a shell sees it: exit codes, output streams, the file.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::process::{Command, Output, Stdio};

use lob::data::NpzWriter;
use lob::flow::{Shape, read_provenance};

fn stationary(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .arg("stationary")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn path(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

const SMALL: [&str; 4] = ["--sessions", "4", "--seconds", "200"];

#[test]
fn the_file_is_a_shape_with_its_provenance() {
    let directory = tempfile::tempdir().unwrap();
    for (market, book) in [("noise", None), ("flow", Some("live")), ("hawkes", Some("frozen"))] {
        let out = path(&directory, "shape.npz");
        let mut arguments = [&SMALL[..], &["--market", market, "--out", &out]].concat();
        arguments.extend(book.iter().flat_map(|book| ["--book", book]));
        let output = stationary(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.contains("standard error") && table.contains("4 sessions"), "{table}");
        let shape = Shape::from_npz(&out, 30).unwrap();
        assert_eq!((shape.bidv.len(), shape.askv.len()), (50, 50));
        assert!(shape.bidv[0] > 0.0 && shape.askv[0] > 0.0, "{shape:?}");
        let live = book == Some("live");
        assert_eq!(shape.bidv_live.as_ref(), live.then_some(&shape.bidv));
        assert_eq!(shape.askv_live.as_ref(), live.then_some(&shape.askv));
        let provenance = read_provenance(&out).unwrap();
        assert_eq!(provenance["tool"], "lobgym stationary");
        assert!(provenance["command"].contains(&format!("--market {market}")), "{provenance:?}");
        assert_eq!(provenance["horizon"], "time average from 100 s to 200 s of a session");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn the_file_depends_on_the_seed_alone_and_compare_takes_it() {
    let directory = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: &str, threads: &str| {
        let out = path(&directory, name);
        let options = ["--seed", seed, "--threads", threads, "--start", "market", "--out", &out];
        let output = stationary(&[&SMALL[..], &options].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        std::fs::read(out).unwrap()
    };
    let bytes = run("a.npz", "7", "1");
    assert!(bytes == run("b.npz", "7", "2"));
    assert!(bytes != run("c.npz", "8", "1"));
    let output = Command::new(env!("CARGO_BIN_EXE_lobgym"))
        .args(["compare", "--episodes", "5", "--strategies", "sl", "--flow", &path(&directory, "a.npz")])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn wrong_usage_exits_2_and_says_what_is_legal() {
    let directory = tempfile::tempdir().unwrap();
    let out = path(&directory, "shape.npz");
    for (arguments, value, legal) in [
        (&["--market", "noize"][..], "noize", "queue_reactive"),
        (&["--sessions", "1"], "1", "2..=1000000"),
        (&["--seconds", "0"], "0", "above 0"),
        (&["--interval", "soon"], "soon", "above 0"),
        (&["--start", "fat"], "fat", "thin, market"),
        (&["--seconds", "200", "--burn-in", "200"], "--burn-in 200", "at most --seconds 200"),
    ] {
        let output = stationary(&[arguments, &["--out", &out]].concat());
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{arguments:?}: {message}");
        assert!(message.contains(value) && message.contains(legal), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = stationary(&SMALL);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--out"), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn unusable_files_exit_1_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (text, half, out) =
        (path(&directory, "text.npz"), path(&directory, "half.npz"), path(&directory, "out.npz"));
    std::fs::write(&text, "not an archive\n").unwrap();
    let mut file = NpzWriter::create(&half).unwrap();
    file.array_f64("askv", &[30], &[1.0; 30]).unwrap();
    file.finish().unwrap();
    for (flow, name, detail) in [(&text, "text.npz", "zip"), (&half, "half.npz", "bidv")] {
        let output = stationary(&[&SMALL[..], &["--flow", flow, "--out", &out]].concat());
        let message = stderr(&output);
        assert_eq!(code(&output), 1, "{message}");
        assert!(message.contains(name) && message.contains(detail), "{message}");
    }
    let out = path(&directory, "no/such/directory.npz");
    let output = stationary(&[&SMALL[..], &["--out", &out]].concat());
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no/such/directory.npz"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_nothing_and_exits_130() {
    let directory = tempfile::tempdir().unwrap();
    let out = path(&directory, "shape.npz");
    // On a machine that is slow to start it, the program is given longer.
    for wait in [300, 1_500, 6_000] {
        let child = Command::new(env!("CARGO_BIN_EXE_lobgym"))
            .args(["stationary", "--sessions", "1000000", "--out", &out])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        let output = child.wait_with_output().unwrap();
        if wait < 6_000 && output.status.code().is_none() {
            continue;
        }
        assert_eq!(code(&output), 130, "{}", stderr(&output));
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        return;
    }
}

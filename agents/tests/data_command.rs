//! `lobgym data`: what a shell sees.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: no ../shared/data/{name} beside the repository");
        return None;
    }
    Some(path)
}

const ROWS: &str = "id,timestamp,exchange.timestamp,price,volume,action,direction\n\
    1,10000,10000,5.01,7,created,bid\n\
    2,10001,10000,5.03,7,created,ask\n\
    2,10002,10000,5.03,3,changed,ask\n\
    3,10003,9000,5.05,7,deleted,ask\n";

fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_sound_file_is_described_checked_and_converted() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory, "events", ROWS);
    let info = lobgym(&["data", "info", &input]);
    let shown = text(&info.stdout);
    assert_eq!(info.status.code(), Some(0), "{}", text(&info.stderr));
    assert!(
        shown.contains("Bitstamp order events") && shown.contains("tick 0.01 (inferred from 4 numbers)"),
        "{shown}"
    );

    let check = lobgym(&["data", "check", &input, "--json", "-"]);
    assert_eq!(check.status.code(), Some(0));
    let json: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(json["records"], 4);
    assert_eq!(json["instruments"][0]["events"]["execute"], 1);
    let causes = json["mismatches"].as_array().unwrap();
    let counted =
        causes.iter().filter(|cause| cause["count"] == 1).map(|cause| cause["cause"].as_str().unwrap());
    assert_eq!(counted.collect::<Vec<_>>(), ["deleted_before_file"]);
    assert!(text(&check.stderr).contains("Sound."));

    let out = directory.path().join("events.npz");
    let convert = lobgym(&["data", "convert", &input, "--out", out.to_str().unwrap()]);
    assert_eq!(convert.status.code(), Some(0), "{}", text(&convert.stderr));
    let back = lobgym(&["data", "info", out.to_str().unwrap(), "--json", "-"]);
    let json: Value = serde_json::from_slice(&back.stdout).unwrap();
    assert_eq!(json["format"], "hftbacktest");
    assert_eq!(json["instruments"][0]["events"]["execute"], 1);
    assert_eq!(json["instruments"][0]["best_ask"], serde_json::json!([5.03, 3e-8]));

    let table = directory.path().join("events.parquet");
    let convert = lobgym(&["data", "convert", &input, "--out", table.to_str().unwrap()]);
    assert_eq!(convert.status.code(), Some(0), "{}", text(&convert.stderr));
    let reader = SerializedFileReader::new(std::fs::File::open(&table).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(metadata.iter().any(|entry| entry.key == "tick_size" && entry.value.as_deref() == Some("0.01")));
    let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    let execution: Vec<&String> = rows.iter().filter(|row| row.contains("\"execute\"")).collect();
    let [execution] = execution.as_slice() else { panic!("{rows:?}") };
    for part in ["side: \"ask\"", "price: 5.03", "id: 2,", "exchange_time_ns: 10002000000"] {
        assert!(execution.contains(part), "{part}: {execution}");
    }
    // Nothing but the files that were asked for.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn damage_is_located_and_makes_check_fail() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory, "events", &(ROWS.to_owned() + "4,x,10000,5.05,7,created,ask\n"));
    let check = lobgym(&["data", "check", &input]);
    assert_eq!(check.status.code(), Some(1));
    assert!(text(&check.stdout).contains("timestamp is \"x\"; legal: an integer"), "{}", text(&check.stdout));
    assert!(text(&check.stderr).contains("not sound: 1 damaged records"), "{}", text(&check.stderr));
    assert_eq!(lobgym(&["data", "info", &input]).status.code(), Some(0));
    let strict = lobgym(&["data", "info", &input, "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(text(&strict.stderr).contains("line 6, byte 193: timestamp is"), "{}", text(&strict.stderr));
    assert!(strict.stdout.is_empty());
}

#[test]
fn an_order_book_file_beside_the_messages_is_found_and_compared() {
    let directory = tempfile::tempdir().unwrap();
    let messages = "34200.1,1,5,10,1000000,1\n34200.2,4,3,4,1000100,-1\n34300.3,1,6,1,999900,1\n";
    let rows = "1000100,9,1000000,10,9999999999,0,-9999999999,0\n\
        1000100,5,1000000,10,9999999999,0,-9999999999,0\n\
        1000100,5,1000000,10,9999999999,0,999900,1\n";
    let input = file(&directory, "X_message_2.csv", messages);
    let orderbook = file(&directory, "X_orderbook_2.csv", rows);
    let check = lobgym(&["data", "check", &input, "--json", "-"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    let json: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(json["orderbook"]["file"], orderbook.as_str());
    assert_eq!((&json["orderbook"]["rows"], &json["orderbook"]["agreeing_rows"]), (&3.into(), &3.into()));
    // 100.1 s pass between the second and the third message.
    assert_eq!(json["silences"]["count"], 1);
    assert!(text(&check.stderr).contains("09:30:00.200000000 to 09:31:40.300000000 (100.100 s)"));
    let none = lobgym(&["data", "check", &input, "--gap", "100.2", "--orderbook", "-", "--json", "-"]);
    let json: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!((&json["orderbook"], &json["silences"]["count"]), (&Value::Null, &0.into()));

    let wrong = file(&directory, "other.csv", &rows.replace("100,5,", "100,6,"));
    let check = lobgym(&["data", "check", &input, "--orderbook", &wrong]);
    assert_eq!(check.status.code(), Some(1));
    let shown = text(&check.stderr);
    assert!(shown.contains("1 levels of the order-book file that contradict the messages"), "{shown}");
    let shown = text(&check.stdout);
    assert!(shown.contains("1  persists") && shown.contains("1  size_differs"), "{shown}");
}

/// What becomes of `lobgym data convert` when Ctrl-C comes while it writes: its exit code, or `None` if it was done before.
#[cfg(unix)]
fn interrupted(input: &str, out: &Path) -> Option<i32> {
    use std::time::{Duration, Instant};
    let folder = out.parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
    command.args(["data", "convert", input, "--out", out.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    // The temporary file is there: it has begun to write, and listens.
    while std::fs::read_dir(folder).unwrap().count() == 0 && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < limit, "it does not begin");
        std::thread::sleep(Duration::from_millis(2));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    kill.unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > limit {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (!out.exists()).then(|| status.code().unwrap())
}

#[cfg(unix)]
#[test]
fn an_interrupted_conversion_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    // Seconds of work: 400,000 orders whose stamps go back and forth.
    let mut lines = ROWS.lines().next().unwrap().to_owned() + "\n";
    for id in 0..400_000_u64 {
        let time = 10_000_000 + id - id * 7919 % 50;
        lines += &format!("{id},{time},10000,5.0{},7,created,bid\n", id % 10);
    }
    let input = file(&directory, "events", &lines);
    for name in ["events.npz", "events.parquet"] {
        let folder = directory.path().join(name.replace('.', "_"));
        std::fs::create_dir(&folder).unwrap();
        let code = interrupted(&input, &folder.join(name));
        assert_eq!(code, Some(130), "{name}: done before it could be interrupted");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn stamps_out_of_order_are_located() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory, "events", &(ROWS.to_owned() + "4,9000,9000,5.00,1,created,bid\n"));
    let check = lobgym(&["data", "check", &input]);
    let shown = text(&check.stdout);
    assert!(shown.contains("event 4  local 00:00:09.000000000"), "{shown}");
    assert!(shown.contains("1.002000000 s before an earlier event's, in records 1 to 5"), "{shown}");
}

#[test]
fn what_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = file(&directory, "garbage", "What is this?\n");
    let missing = directory.path().join("missing");
    for (arguments, code, expected) in [
        (vec!["data", "info", &garbage], 1, "of no known format"),
        (vec!["data", "info", missing.to_str().unwrap()], 1, "No such file"),
        (vec!["data", "info", &garbage, "--gap", "0"], 2, "legal: a number of seconds > 0"),
        (vec!["data", "info", &garbage, "--tick", "0"], 2, "legal: a decimal number > 0"),
        (
            vec!["data", "convert", &garbage, "--out", "x.csv"],
            2,
            "legal: a file that ends in .npz or .parquet",
        ),
        (vec!["data", "convert", &garbage, "--out", "x.npz"], 1, "of no known format"),
    ] {
        let output = lobgym(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn real_samples_are_sound() {
    for name in [
        "bitstamp_l3_btcusd_2015-05-01.csv.xz",
        "binance_spot_btcusdt_20240808.gz",
        "binance_usdm_btcusdt_20240808.gz",
        "databento_mbp10_v3.dbn.zst",
    ] {
        let Some(path) = sample(name) else { return };
        let output = lobgym(&["data", "check", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        assert!(text(&output.stdout).ends_with("Sound.\n"), "{name}");
    }
}

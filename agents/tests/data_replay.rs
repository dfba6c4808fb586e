//! `lobgym data replay`: what a shell sees.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn lobgym(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobgym")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Five seconds: both sides of 7 lots; the ask trades 4 of them, then a later one of 5 behind it; the bid goes.
const ROWS: &str = "id,timestamp,exchange.timestamp,price,volume,action,direction\n\
    1,10000,10000,5.01,7,created,bid\n\
    2,10000,10000,5.03,7,created,ask\n\
    3,11000,11000,5.03,5,created,ask\n\
    2,12000,10000,5.03,3,changed,ask\n\
    2,13000,10000,5.03,0,deleted,ask\n\
    3,14000,11000,5.03,2,changed,ask\n\
    4,14000,14000,5.00,9,created,bid\n\
    1,15000,10000,5.01,7,deleted,bid\n";

fn file(directory: &tempfile::TempDir) -> String {
    let path = directory.path().join("orders.csv");
    std::fs::write(&path, ROWS).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_book_is_shown_as_it_stands_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory);
    let shown = lobgym(&["data", "replay", &input, "--until", "2.5"]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let lines: Vec<String> = text(&shown.stdout)
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lines, ["ask 5.03 0.00000008", "bid 5.01 0.00000007"]);
    let end = lobgym(&["data", "replay", &input, "--json", "-"]);
    let json: Value = serde_json::from_slice(&end.stdout).unwrap();
    assert_eq!((json["best_bid"][0].as_f64(), json["best_ask"][0].as_f64()), (Some(5.0), Some(5.03)));
    assert_eq!(json["quotes"], Value::Null);
}

#[test]
fn quotes_are_filled_in_the_order_of_the_queue() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory);
    let orders = directory.path().join("orders_out.csv");
    let arguments = [
        "data",
        "replay",
        &input,
        "--quote",
        "0",
        "--size",
        "2",
        "--json",
        "-",
        "--orders",
        orders.to_str().unwrap(),
    ];
    let played = lobgym(&arguments);
    assert!(played.status.success(), "{}", text(&played.stderr));
    // The ask joined behind the first order and before the second: the second's execution at 4 s fills it.
    let rows = std::fs::read_to_string(&orders).unwrap();
    assert_eq!(
        rows,
        "number,sent_ns,side,price,lots,filled,filled_ns,outcome\n\
         0,10100000000,buy,5.01,2,0,,cancelled\n\
         1,10100000000,sell,5.03,2,2,14000000000,filled\n\
         2,14100000000,sell,5.03,2,0,,cancelled\n\
         3,15000000000,buy,5,2,0,,cancelled\n"
    );
    let json: Value = serde_json::from_slice(&played.stdout).unwrap();
    let quotes = &json["quotes"];
    assert_eq!((quotes["bought"].as_u64(), quotes["sold"].as_u64()), (Some(0), Some(2)));
    assert_eq!((quotes["position"].as_i64(), quotes["fills"].as_u64()), (Some(-2), Some(1)));
    assert!(text(&played.stderr).contains("bought 0 lots, sold 2, holding -2"), "{}", text(&played.stderr));
}

#[test]
fn wrong_arguments_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let input = file(&directory);
    for (more, expected) in [
        (&["--from", "9"][..], "--from is 9 and --until 5.000; legal: 0 <= from < until <= 5.000 s"),
        (&["--speed", "0"], "--speed: legal is a finite number above 0"),
        (&["--quote", "1", "--size", "0"], "size is 0; legal: an integer from 1"),
        (&["--quote", "1", "--every", "0"], "every is 0; legal: a number of seconds"),
        (&["--quote", "1", "--order-latency=-1"], "order.constant.seconds is -1"),
        (&["--quote", "1", "--queue", "logarithmic"], "queue is a model; legal: none"),
        (&["--tick", "x"], "tick is \"x\"; legal: a decimal number above 0"),
        (&["--size", "3"], "--quote"),
    ] {
        let output = lobgym(&[&["data", "replay", &input], more].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        assert!(said.contains(expected), "{more:?}: {said}");
    }
    let output = lobgym(&["data", "replay", "no such file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no such file"));
}

//! Message files: what is written is read back, and what is damaged is refused with its place.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use lobgym_benches::file::{self, FileError, HEADER_BYTES, RECORD_BYTES, Reader};
use lobgym_benches::message::{Message, Stream};
use lobgym_benches::workload::{Workload, generate};
use proptest::prelude::*;

fn sample() -> (Stream, Vec<u8>) {
    let (stream, _) = generate(&Workload::Small.recipe(), 11, 300);
    let mut bytes = Vec::new();
    file::write_to(&mut bytes, &stream).unwrap();
    (stream, bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Message>, FileError> {
    Reader::new(bytes, "sample.msg")?.collect()
}

fn with(bytes: &[u8], offset: usize, field: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + field.len()].copy_from_slice(field);
    bytes
}

#[test]
fn a_file_survives_the_round_trip() {
    let (stream, bytes) = sample();
    assert_eq!(bytes.len(), HEADER_BYTES + 300 * RECORD_BYTES);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sample.msg");
    file::write(&path, &stream).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(file::read(&path).unwrap(), stream);
}

#[test]
fn an_empty_stream_is_legal() {
    let mut bytes = Vec::new();
    file::write_to(&mut bytes, &Stream::new(Vec::new())).unwrap();
    assert_eq!(parse(&bytes).unwrap(), []);
}

#[test]
fn header_faults_are_named() {
    let (_, bytes) = sample();
    for (offset, field, expected) in [
        (0, &b"\x93NUMPY\x01\0"[..], "byte 0: magic"),
        (8, &2_u32.to_le_bytes(), "byte 8: version is 2; legal: 1"),
        (12, &64_u32.to_le_bytes(), "byte 12: record_size is 64; legal: 32"),
        (24, &301_u64.to_le_bytes(), "byte 24: orders is 301; legal: at most 300"),
        (24, &0_u64.to_le_bytes(), "byte 24: orders is 0; legal: "),
        (32, &1_i64.to_le_bytes(), "byte 32: min_price is 1; legal: "),
        (40, &(-1_i64).to_le_bytes(), "byte 40: max_price is -1; legal: at least min_price"),
        (48, &0_u64.to_le_bytes(), "byte 48: checksum is 0x0000000000000000; legal: 0x"),
        (56, &1_u64.to_le_bytes(), "byte 56: reserved is 1; legal: 0"),
    ] {
        let message = parse(&with(&bytes, offset, field)).unwrap_err().to_string();
        assert!(message.starts_with("sample.msg: header, ") && message.contains(expected), "{message}");
    }
}

#[test]
fn record_faults_are_named() {
    let (stream, bytes) = sample();
    let find = |wanted: fn(&Message) -> bool| stream.messages().iter().position(wanted).unwrap();
    let limit = find(|message| matches!(message, Message::Limit { .. }));
    let market = find(|message| matches!(message, Message::Market { .. }));
    let cancel = find(|message| matches!(message, Message::Cancel { .. }));
    for (record, offset, field, expected) in [
        (limit, 0, &[9_u8][..], "kind is 9; legal: 0 (limit), 1 (market) or 2 (cancel)"),
        (limit, 1, &[2], "side is 2; legal: 0 (buy) or 1 (sell)"),
        (limit, 2, &[0, 1], "reserved is 256; legal: 0"),
        (limit, 8, &777_u64.to_le_bytes(), "id is 777; legal: "),
        (limit, 24, &0_u64.to_le_bytes(), "quantity is 0; legal: at least 1"),
        (market, 16, &5_u64.to_le_bytes(), "price is 5; legal: 0 in a market order"),
        (cancel, 1, &[1], "side is 1; legal: 0 in a cancel"),
        (cancel, 4, &1_u32.to_le_bytes(), "owner is 1; legal: 0 in a cancel"),
        (cancel, 8, &9999_u64.to_le_bytes(), "id is 9999; legal: an order before it: below "),
        (cancel, 16, &5_u64.to_le_bytes(), "price is 5; legal: 0 in a cancel"),
        (cancel, 24, &5_u64.to_le_bytes(), "quantity is 5; legal: 0 in a cancel"),
    ] {
        let at = HEADER_BYTES + record * RECORD_BYTES + offset;
        let message = parse(&with(&bytes, at, field)).unwrap_err().to_string();
        let expected = format!("sample.msg: record {record}, byte {at}: {expected}");
        assert!(message.starts_with(&expected), "{message}\n{expected}");
    }
}

#[test]
fn wrong_lengths_are_named() {
    let (_, bytes) = sample();
    let message = parse(&bytes[..40]).unwrap_err().to_string();
    assert_eq!(message, "sample.msg: ends at byte 40, inside the header; legal: 64 bytes");
    let message = parse(&bytes[..HEADER_BYTES + 5 * RECORD_BYTES + 7]).unwrap_err().to_string();
    assert_eq!(message, "sample.msg: ends at byte 231, inside record 5; legal: 9664 bytes");
    let mut long = bytes;
    long.push(0);
    let message = parse(&long).unwrap_err().to_string();
    assert!(message.contains("goes on after byte 9664"), "{message}");
}

#[test]
fn a_reader_stops_after_an_error() {
    let (_, bytes) = sample();
    let bytes = with(&bytes, HEADER_BYTES, &[9]);
    let mut reader = Reader::new(&bytes[..], "sample.msg").unwrap();
    assert!(reader.next().is_some_and(|message| message.is_err()));
    assert!(reader.next().is_none());
}

#[test]
fn a_header_that_promises_too_much_allocates_nothing_for_it() {
    let (_, bytes) = sample();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.msg");
    std::fs::write(&path, with(&bytes, 16, &(u64::MAX / 64).to_le_bytes())).unwrap();
    assert!(matches!(file::read(&path), Err(FileError::Truncated { .. })));
}

proptest! {
    #[test]
    fn any_single_damaged_byte_is_noticed(offset in 0..9664_usize, flip in 1..=255_u8) {
        let (_, mut bytes) = sample();
        bytes[offset] ^= flip;
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn garbage_never_panics(tail in prop::collection::vec(any::<u8>(), 0..300), keep in 0..200_usize) {
        let (_, bytes) = sample();
        let garbage = [&bytes[..keep], &tail[..]].concat();
        prop_assert!(parse(&garbage).is_err());
    }
}

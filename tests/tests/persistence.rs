//! Damaged snapshots and journals are refused with an error that says where; none brings the process down.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;

use lob::{
    BookConfig, JournalError, JournalReader, JournalWriter, OrderBook, Request, Snapshot, SnapshotError,
};
use lobgym_tests::random::SplitMix;
use lobgym_tests::workload::{Shape, Workload};
use xxhash_rust::xxh3::xxh3_64;

/// A book with some of everything, and the requests that made it.
fn book_and_requests(count: usize) -> (OrderBook, Vec<Request>) {
    let shape = Shape { live: 60, owners: 4, wobble_milliticks: 500, trend_milliticks: 0 };
    let mut book = OrderBook::new(BookConfig { max_owners: 4, ..BookConfig::default() }).unwrap();
    let mut workload = Workload::new(shape, 11);
    let (mut requests, mut events) = (Vec::new(), Vec::new());
    while requests.len() < count {
        let request = workload.request();
        requests.push(request);
        events.clear();
        let _ = book.apply(request, &mut events);
        workload.observe(&book, &events);
    }
    (book, requests)
}

fn journal_of(config: &BookConfig, requests: &[Request]) -> Vec<u8> {
    let mut writer = JournalWriter::new(Vec::new(), config).unwrap();
    requests.iter().for_each(|request| writer.record(request).unwrap());
    writer.into_inner()
}

fn open(bytes: &[u8]) -> Result<OrderBook, SnapshotError> {
    OrderBook::restore(&Snapshot::from_bytes(bytes)?)
}

/// Reads a whole journal: how many sound records, and what stopped it.
fn read(bytes: &[u8]) -> (usize, Option<JournalError>) {
    let reader = match JournalReader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (0, Some(error)),
    };
    let mut sound = 0;
    for record in reader {
        match record {
            Ok(_) => sound += 1,
            Err(error) => return (sound, Some(error)),
        }
    }
    (sound, None)
}

fn says_where(message: &str) -> bool {
    let place = ["byte", "header", "version", "magic", "payload", "record", "snapshot"];
    place.iter().any(|word| message.contains(word)) && message.chars().any(|c| c.is_ascii_digit())
}

#[test]
fn snapshot_with_any_byte_changed_is_refused_with_the_place() {
    let bytes = book_and_requests(400).0.snapshot().to_bytes();
    assert!(open(&bytes).is_ok());
    for index in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[index] ^= flip;
            let error = open(&damaged).expect_err("damage passed");
            assert!(says_where(&error.to_string()), "byte {index}: {error}");
        }
    }
}

#[test]
fn snapshot_cut_short_or_with_bytes_appended_is_refused_with_the_place() {
    let bytes = book_and_requests(400).0.snapshot().to_bytes();
    for length in 0..bytes.len() {
        let error = open(&bytes[..length]).expect_err("a part passed");
        assert!(says_where(&error.to_string()), "{length} bytes: {error}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(says_where(&open(&longer).expect_err("an appended byte passed").to_string()));
}

/// Magic, version, length, checksum: the checksum comes last before the payload.
const HEADER: usize = 28;

/// Bytes that were changed on purpose, not by accident: the checksum fits, the content need not.
#[test]
fn snapshot_with_forged_content_is_refused_or_sound() {
    let (book, requests) = book_and_requests(400);
    let bytes = book.snapshot().to_bytes();
    let mut random = SplitMix::new(5);
    let (mut refused, mut sound) = (0, 0);
    for round in 0..60_000 {
        let mut forged = bytes.clone();
        for _ in 0..=random.below(3) {
            let index = HEADER + random.below((bytes.len() - HEADER) as u64) as usize;
            forged[index] = match random.below(3) {
                0 => forged[index] ^ (1 << random.below(8)),
                1 => random.number() as u8,
                _ => forged[HEADER + random.below((bytes.len() - HEADER) as u64) as usize],
            };
        }
        let checksum = xxh3_64(&forged[HEADER..]).to_le_bytes();
        forged[HEADER - 8..HEADER].copy_from_slice(&checksum);
        match open(&forged) {
            Err(error) => {
                assert!(says_where(&error.to_string()), "{error}");
                refused += 1;
            }
            Ok(mut book) => {
                book.check_invariants().unwrap_or_else(|broken| panic!("round {round}: {broken}"));
                // Sound is what goes on without trouble, not what looks so.
                let mut events = Vec::new();
                for &request in &requests[..20] {
                    let _ = book.apply(request, &mut events);
                }
                sound += 1;
            }
        }
    }
    println!("{refused} refused, {sound} sound");
    assert!(refused > 10_000 && sound > 1_000);
}

#[test]
fn journal_with_any_byte_changed_is_refused_at_the_record_that_was_hit() {
    let (book, requests) = book_and_requests(150);
    let header = journal_of(book.config(), &[]).len();
    let ends: Vec<usize> =
        (0..=requests.len()).map(|count| journal_of(book.config(), &requests[..count]).len()).collect();
    let bytes = journal_of(book.config(), &requests);
    for index in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[index] ^= flip;
            let (sound, error) = read(&damaged);
            let error = error.expect("damage passed");
            assert!(says_where(&error.to_string()), "byte {index}: {error}");
            let hit = ends.iter().filter(|&&end| end <= index).count().saturating_sub(1);
            assert_eq!(sound, if index < header { 0 } else { hit }, "byte {index}: {error}");
            match error {
                JournalError::Torn { record, offset } | JournalError::Damaged { record, offset, .. } => {
                    assert_eq!((record as usize, offset as usize), (hit, ends[hit]), "byte {index}");
                }
                _ => assert!(index < header, "byte {index}: {error}"),
            }
        }
    }
}

#[test]
fn torn_journal_tail_loses_the_last_record_alone() {
    let (book, requests) = book_and_requests(150);
    let ends: BTreeSet<usize> =
        (0..=requests.len()).map(|count| journal_of(book.config(), &requests[..count]).len()).collect();
    let bytes = journal_of(book.config(), &requests);
    let header = *ends.first().unwrap();
    for length in 0..bytes.len() {
        let (sound, error) = read(&bytes[..length]);
        if ends.contains(&length) {
            // Between records nothing shows that there were more.
            assert!(error.is_none(), "{length} bytes: {error:?}");
        } else if length < header {
            assert!(says_where(&error.expect("part of a header passed").to_string()));
        } else {
            let error = error.expect("part of a record passed");
            let before = ends.range(..length).count() - 1;
            assert_eq!(sound, before, "{length} bytes: {error}");
            assert!(
                matches!(error, JournalError::Torn { record, .. } if record == before as u64),
                "{error:?}"
            );
        }
    }
}

#[test]
fn journal_replays_to_the_same_digest_and_snapshot() {
    let (book, requests) = book_and_requests(5_000);
    let bytes = journal_of(book.config(), &requests);
    let replayed = JournalReader::new(bytes.as_slice()).unwrap().replay().unwrap();
    assert_eq!(replayed.digest(), book.digest());
    assert_eq!(replayed.snapshot(), book.snapshot());
}

#[test]
fn restored_book_has_the_same_future() {
    let (mut book, requests) = book_and_requests(5_000);
    let mut restored = open(&book.snapshot().to_bytes()).unwrap();
    let mut fork = book.clone();
    assert_eq!(restored.digest(), book.digest());
    let (mut events, mut again, mut forked) = (Vec::new(), Vec::new(), Vec::new());
    for &request in &requests {
        let expected = book.apply(request, &mut events);
        assert_eq!(restored.apply(request, &mut again), expected);
        assert_eq!(fork.apply(request, &mut forked), expected);
    }
    assert_eq!(again, events);
    assert_eq!(forked, events);
    assert_eq!((restored.digest(), fork.digest()), (book.digest(), book.digest()));
}

#[test]
fn fork_leaves_the_original_alone() {
    let (book, requests) = book_and_requests(1_000);
    let (digest, snapshot) = (book.digest(), book.snapshot());
    let mut fork = book.clone();
    let mut events = Vec::new();
    for &request in &requests {
        let _ = fork.apply(request, &mut events);
    }
    assert_ne!(fork.digest(), digest);
    assert_eq!((book.digest(), book.snapshot()), (digest, snapshot));
}

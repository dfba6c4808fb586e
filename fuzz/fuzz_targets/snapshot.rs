//! Any bytes as the payload of a snapshot and of a journal: an error or a sound book, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lob::{JournalReader, OrderBook, Snapshot};
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|payload: &[u8]| {
    // A checksum that fits, or nearly every input would end there.
    let mut bytes = b"LOBSNAP\0".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(xxh3_64(payload).to_le_bytes());
    bytes.extend(payload);
    if let Ok(snapshot) = Snapshot::from_bytes(&bytes)
        && let Ok(book) = OrderBook::restore(&snapshot)
    {
        if let Err(broken) = book.check_invariants() {
            panic!("a snapshot was restored to an unsound book: {broken}");
        }
        assert_eq!(OrderBook::restore(&book.snapshot()).map(|again| again.digest()).ok(), Some(book.digest()));
    }
    if let Ok(reader) = JournalReader::new(payload) {
        let _ = reader.replay();
    }
});

//! Market data made to break readers: whatever the bytes, a reader ends with an error that has a place, or with a count; never by a panic, and
//! never with more memory than its format allows.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod market_streams;

use lob::data::market::{Input, Inspector, MarketEvent, ReadError, ReadOptions, open, open_input};
use proptest::prelude::*;

use market_streams::{bitstamp, dbn, gzip, itch, sound};

/// Reads and replays; returns events and damages, or the error.
fn devour(bytes: Vec<u8>, strict: bool) -> Result<(usize, u64), ReadError> {
    let given = ReadOptions { strict, ..ReadOptions::default() };
    let input = Input::from_bytes(bytes).map_err(|error| ReadError::File(error.to_string()))?;
    let mut reader = open_input(input, &given)?;
    let (mut inspector, mut events, mut count) = (Inspector::new(), Vec::<MarketEvent>::new(), 0);
    loop {
        events.clear();
        let more = reader.read(&mut events)?;
        events.iter().for_each(|event| inspector.see(event));
        count += events.len();
        if !more {
            break;
        }
    }
    for instrument in 0..reader.instruments().len() {
        if let Some(book) = inspector.book(instrument) {
            book.check_invariants().unwrap();
        }
    }
    inspector.finish();
    Ok((count, reader.tally().damaged))
}

#[test]
fn the_streams_are_sound_before_they_are_damaged() {
    for (name, bytes) in sound() {
        let (events, damaged) = devour(bytes, true).unwrap();
        assert!(events >= 28 && damaged == 0, "{name}: {events} events, {damaged} damaged");
    }
}

#[test]
fn truncation_at_every_offset_ends_in_an_error_or_a_shorter_stream() {
    for (name, bytes) in sound() {
        let (whole, _) = devour(bytes.clone(), false).unwrap();
        let mut errors = 0;
        for cut in 0..bytes.len() {
            match devour(bytes[..cut].to_vec(), false) {
                Ok((events, damaged)) => assert!(events <= whole && damaged <= 1, "{name} cut at {cut}"),
                Err(error) => {
                    errors += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        let binary = matches!(name, "itch" | "dbn");
        assert!(!binary || errors * 2 > bytes.len(), "{name}: {errors} of {}", bytes.len());
        let packed = gzip(&bytes);
        for cut in (10..packed.len()).step_by(3) {
            let error = devour(packed[..cut].to_vec(), false).unwrap_err();
            assert!(!error.to_string().is_empty(), "{name}");
        }
    }
}

#[test]
fn bombs_and_endless_lines_end_within_bounded_memory() {
    // 64 MiB of one line that never ends, in 64 KiB.
    let bomb = gzip(&vec![b'1'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert!(devour(bomb, false).is_err());
    // Behind a sound header it is a line that is too long: counted, and passed over.
    let mut text = bitstamp();
    text.extend(vec![b'1'; 32 << 20]);
    text.extend(b"\n99,20000,20000,5.00,7,created,bid\n");
    let (events, damaged) = devour(gzip(&text), false).unwrap();
    assert_eq!((events, damaged), (41, 1));
    let error = devour(gzip(&text), true).unwrap_err().to_string();
    assert!(error.contains("longer than 8388608 bytes"), "{error}");
}

#[test]
fn huge_lengths_are_refused_unread() {
    let mut metadata = dbn();
    metadata[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(devour(metadata, false).unwrap_err().to_string().contains("at most 67108864 are read"));
    let mut message = itch();
    message[0..2].copy_from_slice(&u16::MAX.to_be_bytes());
    assert!(devour(message, false).is_err());
    // xz and zstd that ask for windows of gigabytes.
    let xz = [
        0xfd, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, 0, 0x21, 1, 40, 0, 0, 0, 0xc9,
        0x9f, 0x1b, 0x18,
    ];
    assert!(devour(xz.to_vec(), false).is_err());
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0];
    assert!(devour(zstd.to_vec(), false).is_err());
}

#[test]
fn sizes_at_the_edge_of_integers_do_not_overflow_a_book() {
    let level = |price: &str, size: &str| {
        format!("1 {{\"lastUpdateId\":1,\"bids\":[[\"{price}\",\"{size}\"]],\"asks\":[]}}\n")
    };
    let head = "1 {\"stream\":\"x\",\"data\":{\"e\":\"trade\",\"E\":1,\"s\":\"X\",\"t\":1,\"p\":\"1\",\"q\":\"1\",\"T\":1,\"m\":true}}\n";
    for (price, size, damaged) in [
        ("999999999999999999", "1", 0),
        ("9223372036854775808", "1", 1),
        ("1", "999999999999999999", 0),
        ("1", "9223372036854775808", 1),
        ("-1", "1", 0),
        ("1", "-1", 1),
        ("NaN", "1", 1),
        ("1", "1e9", 1),
    ] {
        let text = head.to_owned() + &level(price, size);
        let (_, found) = devour(text.into_bytes(), false).unwrap();
        assert_eq!(found, damaged, "{price} {size}");
    }
    let mut rows = String::from("id,timestamp,exchange.timestamp,price,volume,action,direction\n");
    for id in 0..4 {
        rows += &format!("{id},10000,10000,5.00,999999999999999999,created,bid\n");
    }
    assert_eq!(devour(rows.into_bytes(), false).unwrap(), (4, 0));
}

#[test]
fn damaged_npz_is_refused() {
    use lob::data::market::{Instrument, Kind, Origin, Step, write_events};
    let path = std::env::temp_dir().join(format!("lob-hostile-{}.npz", std::process::id()));
    let instrument = Instrument {
        symbol: "X".into(),
        tick: Step::ONE,
        tick_origin: Origin::Given,
        lot: Step::ONE,
        lot_origin: Origin::Given,
    };
    let event = MarketEvent::new(Kind::Trade, lob::Nanos(1), lob::Nanos(2));
    write_events(&path, &instrument, &[event; 50], &[]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut reader = open(&path, &ReadOptions { strict: true, ..ReadOptions::default() })?;
        let mut events = Vec::new();
        while reader.read(&mut events)? {}
        Ok::<_, ReadError>(events.len())
    };
    assert_eq!(read(&bytes).unwrap(), 50);
    for cut in (0..bytes.len()).step_by(37) {
        assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    // Within the records a flipped bit is found by the checksum at the latest.
    for at in (200..3000).step_by(61) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(read(&flipped).is_err(), "flipped at {at}");
    }
    std::fs::remove_file(&path).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_never_panic(which in 0..5_usize, flips in prop::collection::vec((any::<u16>(), any::<u8>()), 1..12), strict: bool, packed: bool) {
        let mut bytes = sound()[which].1.clone();
        if packed {
            bytes = gzip(&bytes);
        }
        for (at, value) in flips {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        let _ = devour(bytes, strict);
    }

    #[test]
    fn garbage_never_panics(magic in 0..6_usize, body in prop::collection::vec(any::<u8>(), 0..600)) {
        let magics: [&[u8]; 6] = [b"", b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"DBN\x03", b"\x00\x0cS"];
        let mut bytes = magics[magic].to_vec();
        bytes.extend(body);
        let _ = devour(bytes, false);
    }
}

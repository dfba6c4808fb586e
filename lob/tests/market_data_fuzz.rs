//! A mutation fuzzer of the readers that needs no tool: streams of every format, and the beginnings of the real samples, are flipped, cut,
//! spliced and stuffed with huge numbers, then read. Whatever comes out, it is an error with a place or a count: never a panic, and never
//! more memory than the format allows.
//!
//! `make fuzz` runs it for ten minutes; `LOBGYM_FUZZ_SECONDS` and `LOBGYM_FUZZ_SEED` choose how long and which inputs. A failure prints the seed of
//! its input: `LOBGYM_FUZZ_SEED=... LOBGYM_FUZZ_SECONDS=0` reads that one input again.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod market_streams;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lob::data::market::{
    EventsWriter, Input, Inspector, MarketEvent, MarketReader, ReadError, ReadOptions, open, open_input,
};
use market_streams::memory::Peak;
use market_streams::{gzip, sound};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

#[global_allocator]
static MEMORY: Peak = Peak::new();

/// What a decompressor may hold: the largest window that is accepted, and its tables. Everything else is small beside it.
const PACKED_LIMIT: usize = 320 << 20;
/// A line of 8 MiB in a buffer that doubles, and a book.
const PLAIN_LIMIT: usize = 96 << 20;

/// Bytes taken from the beginning of a real sample.
const HEAD: usize = 24 << 10;

struct Seed {
    name: String,
    bytes: Vec<u8>,
}

/// Constructed streams, and what there is of real ones: unpacked beginnings, and packed files as they are.
fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = sound().map(|(name, bytes)| Seed { name: name.to_owned(), bytes }).into();
    seeds.push(Seed { name: "npz".to_owned(), bytes: npz() });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    for name in [
        "bitstamp_l3_btcusd_2015-05-01.csv.xz",
        "binance_spot_btcusdt_20240808.gz",
        "binance_usdm_btcusdt_20240808.gz",
        "databento_mbo_v3.dbn.zst",
        "databento_mbp10_v3.dbn.zst",
    ] {
        let Ok(packed) = std::fs::read(folder.join(name)) else { continue };
        let mut input = Input::from_bytes(packed.clone()).unwrap();
        let bytes = input.peek(HEAD).unwrap();
        seeds
            .push(Seed { name: format!("{name}, unpacked"), bytes: bytes[..bytes.len().min(HEAD)].to_vec() });
        seeds.push(Seed { name: name.to_owned(), bytes: packed[..packed.len().min(HEAD)].to_vec() });
    }
    seeds
}

fn npz() -> Vec<u8> {
    let path = temporary("seed");
    let bytes = market_streams::bitstamp();
    let mut reader = open_input(Input::from_bytes(bytes).unwrap(), &ReadOptions::default()).unwrap();
    let mut events = Vec::new();
    while reader.read(&mut events).unwrap() {}
    let mut writer = EventsWriter::create(&path).unwrap();
    writer.push(&events).unwrap();
    writer.finish(&reader.instruments()[0], &[], &mut || true).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lob-fuzz-{name}-{}", std::process::id()))
}

/// Texts that numbers are replaced by.
const TEXTS: [&[u8]; 14] = [
    b"99999999999999999999999",
    b"9223372036854775807",
    b"18446744073709551615",
    b"4611686018427387905",
    b"-1",
    b"-9223372036854775808",
    b"NaN",
    b"inf",
    b"1e308",
    b"0.0000000000000000000000001",
    b"",
    b"0",
    b"\"",
    b"]}",
];

/// Damages bytes in one way.
fn mutate(random: &mut Xoshiro256PlusPlus, bytes: &mut Vec<u8>, other: &[u8]) {
    if bytes.is_empty() {
        bytes.extend_from_slice(other);
        return;
    }
    let length = bytes.len();
    let at = random.random_range(0..length);
    let span = random.random_range(0..64_usize.min(length - at) + 1);
    match random.random_range(0..11) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random_range(0..=255),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..at + span)),
        4 => {
            let copy = bytes[at..at + span].to_vec();
            let times = random.random_range(1..20);
            (0..times).for_each(|_| drop(bytes.splice(at..at, copy.iter().copied())));
        }
        5 => {
            // The beginning of one stream, the end of another.
            let from = random.random_range(0..other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => {
            let number = [0, 1, 0x7f, 0x80, 0xff, u64::MAX, 1 << 31, 1 << 63, u64::MAX >> 1]
                [random.random_range(0..9)];
            let width = [1, 2, 4, 8][random.random_range(0..4)].min(length - at);
            let little = number.to_le_bytes();
            bytes[at..at + width].copy_from_slice(&little[..width]);
            if random.random_range(0..2) == 0 {
                bytes[at..at + width].reverse();
            }
        }
        7 | 8 => {
            // A number, where there is one.
            let begin = (at..length).find(|&i| bytes[i].is_ascii_digit()).unwrap_or(at);
            let end = (begin..length).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(length);
            let text = TEXTS[random.random_range(0..TEXTS.len())];
            bytes.splice(begin..end, text.iter().copied());
        }
        9 => {
            // A line, or a stretch, that goes on and on.
            let fill = [b'1', b'[', b' ', 0, 0xff][random.random_range(0..5)];
            let count = [100, 5_000, 70_000][random.random_range(0..3)];
            bytes.splice(at..at, std::iter::repeat_n(fill, count));
        }
        _ => {
            let to = random.random_range(0..length);
            bytes.swap(at, to);
        }
    }
}

/// Reads everything and replays it.
fn devour(reader: &mut dyn MarketReader) -> Result<(), ReadError> {
    let (mut inspector, mut events) = (Inspector::new(), Vec::<MarketEvent>::new());
    loop {
        events.clear();
        let more = reader.read(&mut events)?;
        assert!(events.len() < 1 << 20, "{} events at once", events.len());
        events.iter().for_each(|event| inspector.see(event));
        if !more {
            break;
        }
    }
    for instrument in 0..reader.instruments().len() {
        if let Some(book) = inspector.book(instrument) {
            book.check_invariants().unwrap();
        }
    }
    for (instrument, summary) in reader.instruments().iter().zip(inspector.finish()) {
        // What reports compute of it.
        for (price, lots) in summary.best.into_iter().flatten() {
            let _ = (instrument.tick.value(price), instrument.lot.value(lots.cast_signed()));
        }
    }
    Ok(())
}

/// One input, made of its seed alone.
fn trial(seeds: &[Seed], seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let first = random.random_range(0..seeds.len());
    let second = random.random_range(0..seeds.len());
    let mut bytes = seeds[first].bytes.clone();
    for _ in 0..random.random_range(1..6) {
        mutate(&mut random, &mut bytes, &seeds[second].bytes);
    }
    let mut packed =
        bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"\xfd7z") || bytes.starts_with(b"\x28\xb5");
    if random.random_range(0..8) == 0 {
        // A bomb behind it, packed once or twice, and damaged again.
        if random.random_range(0..4) == 0 {
            bytes.extend(std::iter::repeat_n(b'7', 12 << 20));
        }
        packed = true;
        bytes = gzip(&bytes);
        if random.random_range(0..2) == 0 {
            mutate(&mut random, &mut bytes, &seeds[second].bytes);
        } else if random.random_range(0..2) == 0 {
            bytes = gzip(&bytes);
        }
    }
    let options = ReadOptions {
        strict: random.random_range(0..4) == 0,
        symbols: if random.random_range(0..4) == 0 { vec!["TEST".to_owned()] } else { Vec::new() },
        ..ReadOptions::default()
    };
    let length = bytes.len() as u64;
    let before = MEMORY.begin();
    let result = if bytes.starts_with(b"PK") {
        let path = temporary("input");
        std::fs::write(&path, &bytes).unwrap();
        let result = open(&path, &options).and_then(|mut reader| devour(reader.as_mut()));
        std::fs::remove_file(&path).unwrap();
        result
    } else {
        let input = Input::from_bytes(bytes).map_err(|error| ReadError::File(error.to_string()));
        input.and_then(|input| open_input(input, &options)).and_then(|mut reader| devour(reader.as_mut()))
    };
    let most = MEMORY.most() - before;
    let limit = if packed { PACKED_LIMIT } else { PLAIN_LIMIT };
    assert!(most <= limit, "{most} bytes of memory for {length} bytes, packed: {packed}");
    match result {
        Ok(()) => {}
        Err(ReadError::Io { byte, .. }) => assert!(packed || byte <= length),
        Err(ReadError::Damaged { damage, .. }) => {
            assert!(packed || damage.position.byte <= length, "byte {} of {length}", damage.position.byte);
            assert!(!damage.reason.is_empty());
        }
        Err(ReadError::File(text)) => assert!(!text.is_empty()),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Tries one input after the other, at least one.
fn fuzz(first: u64, time: Duration) {
    let (seeds, begin) = (seeds(), Instant::now());
    let mut seed = first;
    loop {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| trial(&seeds, seed))) {
            let names: Vec<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
            eprintln!("LOBGYM_FUZZ_SEED={seed} LOBGYM_FUZZ_SECONDS=0 gives this input again (of {names:?})");
            std::panic::resume_unwind(panic);
        }
        seed = seed.wrapping_add(1);
        if begin.elapsed() >= time {
            break;
        }
    }
    eprintln!(
        "{} inputs from seed {first} on, in {:.0} s",
        seed.wrapping_sub(first),
        begin.elapsed().as_secs_f64()
    );
}

#[test]
fn mutated_files_end_in_an_error_or_a_count_within_bounded_memory() {
    fuzz(1, Duration::from_secs(3));
}

#[test]
#[ignore = "ten minutes: make fuzz"]
fn mutated_files_for_long() {
    let seconds = number("LOBGYM_FUZZ_SECONDS").unwrap_or(600);
    fuzz(number("LOBGYM_FUZZ_SEED").unwrap_or(1_000_000), Duration::from_secs(seconds));
}

//! How fast market data is read and replayed from memory on one core: messages a second of ITCH, DBN and Binance's raw feed, each with the
//! book, and a SIMD JSON parser alone on the same lines.
//!
//! Binance needs ../shared/data/binance_usdm_btcusdt_20240808.gz beside the repository; without it, it is left out.

use std::hint::black_box;
use std::path::Path;

use lob::FeedBook;
use lob::data::market::{Input, MarketEvent, ReadOptions, Step, apply_all, open_input};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const MESSAGES: usize = 4_000_000;
const LIVE: usize = 20_000;
const ROUNDS: usize = 5;

/// One message of a made-up day: numbers grow, orders lie within 40 ticks of a price that wanders.
enum Message {
    Add { id: u64, buy: bool, price: u32, shares: u32 },
    Delete { id: u64, left: u32 },
    Reduce { id: u64, shares: u32 },
    Execute { id: u64, shares: u32 },
    Replace { old: u64, id: u64, price: u32, shares: u32 },
}

/// A stream that keeps about [`LIVE`] orders: 45% new, 36% deleted, 6% executed, 3% reduced, 10% replaced.
fn messages(count: usize) -> Vec<Message> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let (mut live, mut next, mut mid): (Vec<(u64, bool, u32)>, u64, u32) = (Vec::new(), 1000, 10_000);
    let mut made = Vec::with_capacity(count);
    while made.len() < count {
        let draw = random.next_u64();
        let (dice, pick) = (draw % 100, (draw >> 8) as usize);
        if dice == 0 {
            mid = (mid + (draw >> 40) as u32 % 3).saturating_sub(1).clamp(5_000, 15_000);
        }
        let (buy, distance, shares) =
            (draw >> 20 & 1 == 0, 1 + (draw >> 24) as u32 % 40, 100 + (draw >> 32) as u32 % 400);
        let price = if buy { mid - distance } else { mid + distance };
        if live.len() < LIVE || dice < 45 {
            next += 1 + (draw >> 50) % 3;
            live.push((next, buy, shares));
            made.push(Message::Add { id: next, buy, price, shares });
            continue;
        }
        let at = pick % live.len();
        let (id, buy, left) = live[at];
        match dice {
            45..=80 => {
                live.swap_remove(at);
                made.push(Message::Delete { id, left });
            }
            81..=89 => {
                let part = (left / 2).max(1);
                made.push(if dice < 87 {
                    Message::Execute { id, shares: part }
                } else {
                    Message::Reduce { id, shares: part }
                });
                if part == left {
                    live.swap_remove(at);
                } else {
                    live[at].2 -= part;
                }
            }
            _ => {
                next += 1;
                live[at] = (next, buy, shares);
                let price = if buy { mid - distance } else { mid + distance };
                made.push(Message::Replace { old: id, id: next, price, shares });
            }
        }
    }
    made
}

fn itch(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (time, message) in messages.iter().enumerate() {
        let kind = match message {
            Message::Add { .. } => b'A',
            Message::Delete { .. } => b'D',
            Message::Reduce { .. } => b'X',
            Message::Execute { .. } => b'E',
            Message::Replace { .. } => b'U',
        };
        let start = bytes.len();
        bytes.extend([0, 0, kind, 0, 1, 0, 0]);
        bytes.extend(&(34_200_000_000_000 + time as u64).to_be_bytes()[2..]);
        match *message {
            Message::Add { id, buy, price, shares } => {
                bytes.extend(id.to_be_bytes());
                bytes.push(if buy { b'B' } else { b'S' });
                bytes.extend(shares.to_be_bytes());
                bytes.extend(b"TEST    ");
                bytes.extend((price * 100).to_be_bytes());
            }
            Message::Delete { id, .. } => bytes.extend(id.to_be_bytes()),
            Message::Reduce { id, shares } => {
                bytes.extend(id.to_be_bytes());
                bytes.extend(shares.to_be_bytes());
            }
            Message::Execute { id, shares } => {
                bytes.extend(id.to_be_bytes());
                bytes.extend(shares.to_be_bytes());
                bytes.extend(time.to_be_bytes());
            }
            Message::Replace { old, id, price, shares } => {
                bytes.extend(old.to_be_bytes());
                bytes.extend(id.to_be_bytes());
                bytes.extend(shares.to_be_bytes());
                bytes.extend((price * 100).to_be_bytes());
            }
        }
        let length = (bytes.len() - start - 2) as u16;
        bytes[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }
    bytes
}

/// The same as MBO: a replacement becomes a modification under the old number.
fn dbn(messages: &[Message]) -> Vec<u8> {
    let mut bytes = b"DBN\x03".to_vec();
    let metadata = metadata();
    bytes.extend((metadata.len() as u32).to_le_bytes());
    bytes.extend(metadata);
    let mut names = std::collections::HashMap::new();
    let mut sides = std::collections::HashMap::new();
    for (time, message) in messages.iter().enumerate() {
        let time = 1_700_000_000_000_000_000 + time as u64;
        let (id, action, side, price, size) = match *message {
            Message::Add { id, buy, price, shares } => {
                sides.insert(id, buy);
                (id, b'A', buy, price, shares)
            }
            Message::Delete { id, left } => (id, b'C', true, 0, left),
            Message::Reduce { id, shares } | Message::Execute { id, shares } => (id, b'C', true, 0, shares),
            Message::Replace { old, id, price, shares } => {
                let first = names.remove(&old).unwrap_or(old);
                names.insert(id, first);
                (first, b'M', true, price, shares)
            }
        };
        let first = names.get(&id).copied().unwrap_or(id);
        let side = sides.get(&first).copied().unwrap_or(side);
        bytes.extend([14, 0xa0, 2, 0]);
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(time.to_le_bytes());
        bytes.extend(first.to_le_bytes());
        bytes.extend((i64::from(price) * 10_000_000).to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend([128, 0, action, if side { b'B' } else { b'A' }]);
        bytes.extend(time.to_le_bytes());
        bytes.extend(0_i32.to_le_bytes());
        bytes.extend((time as u32).to_le_bytes());
    }
    bytes
}

/// The header of DBN version 3, behind its length: no symbols, raw symbols to instrument numbers.
fn metadata() -> Vec<u8> {
    let mut bytes = b"XNAS.ITCH\0\0\0\0\0\0\0".to_vec();
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend([1, 0, 0]);
    bytes.extend(71_u16.to_le_bytes());
    bytes.resize(100, 0);
    // Length of definitions, then four counts: symbols, partly resolved, unresolved, mappings.
    bytes.extend([0; 4 * 5]);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Seconds that this thread has had a core: what else runs on the machine does not count.
fn clock() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse::<u64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds as f64 / 1e9)
}

static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);

/// Reads and replays; returns records, events, problems and seconds.
fn replay(bytes: &[u8], tick: Option<Step>, with_book: bool) -> (u64, usize, u64, f64) {
    let input = Input::from_bytes(bytes).expect("plain bytes need no unpacking");
    let options = ReadOptions { tick, ..ReadOptions::default() };
    let start = clock();
    let mut reader = open_input(input, &options).expect("the stream is sound");
    let mut book = FeedBook::new(4096);
    let (mut events, mut count, mut problems) = (Vec::<MarketEvent>::new(), 0, 0);
    loop {
        events.clear();
        let more = reader.read(&mut events).expect("the stream is sound");
        count += events.len();
        if with_book {
            apply_all(&mut book, &events, |_, _| problems += 1);
        }
        black_box(&events);
        if !more {
            break;
        }
    }
    black_box(&book);
    let seconds = clock() - start;
    (reader.tally().records, count, problems, seconds)
}

fn report(name: &str, bytes: &[u8], tick: Option<Step>) -> f64 {
    let mut best = [f64::INFINITY; 2];
    let mut shown = (0, 0);
    for _ in 0..ROUNDS {
        for (with_book, best) in [false, true].into_iter().zip(&mut best) {
            let (records, events, problems, seconds) = replay(bytes, tick, with_book);
            assert!(problems == 0, "{problems} events of {name} do not fit the book");
            shown = (records, events);
            *best = best.min(seconds);
        }
    }
    let rate = |seconds: f64| shown.0 as f64 / seconds / 1e6;
    println!(
        "{name:<14} {:>9} records {:>9} events  read {:>7.2} M/s  read + book {:>7.2} M/s  (best of {ROUNDS})",
        shown.0,
        shown.1,
        rate(best[0]),
        rate(best[1])
    );
    best[1]
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let made = messages(MESSAGES);
    report("ITCH", &itch(&made), Some(Step::power_of_ten(-2)));
    report("DBN (MBO)", &dbn(&made), None);
    drop(made);
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/binance_usdm_btcusdt_20240808.gz");
    let Ok(mut input) = Input::open(&path) else {
        println!("skipped: no ../shared/data/binance_usdm_btcusdt_20240808.gz beside the repository");
        return;
    };
    let text = input.peek(usize::MAX).expect("the sample is sound").to_vec();
    let ours = report("Binance USD-M", &text, None);
    let mut best = f64::INFINITY;
    let mut buffers = simd_json::Buffers::default();
    for _ in 0..ROUNDS {
        let mut lines: Vec<Vec<u8>> = text
            .split(|&byte| byte == b'\n')
            .filter(|line| line.len() > 20)
            .map(|line| line[20..].to_vec())
            .collect();
        let start = clock();
        for line in &mut lines {
            black_box(
                simd_json::to_tape_with_buffers(line, &mut buffers).expect("the sample is sound").0.len(),
            );
        }
        best = best.min(clock() - start);
    }
    let lines = text.iter().filter(|&&byte| byte == b'\n').count() as f64;
    println!(
        "simd-json alone (tape, no numbers out of texts): {:.2} M lines/s; read + book takes {:.2} times as long",
        lines / best / 1e6,
        ours / best
    );
}

//! LOBSTER's two files side by side: a made-up market is written as both, as LOBSTER does, and read back; then one of them is damaged.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use lob::data::market::{
    BookAgreement, Inspector, Kind, MarketEvent, ReadError, ReadOptions, Summary, open, orderbook_beside,
};
use rand::RngExt;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

const LEVELS: usize = 5;

/// Orders of one side by price and arrival: number and lots.
type Queue = BTreeMap<i64, Vec<(u64, u64)>>;

/// A market around 100.00: bids below, asks from there on, in cents; prices are kept as distances, so that the first is the best.
struct Market {
    sides: [Queue; 2],
    next: u64,
    random: Xoshiro256PlusPlus,
}

fn cents(side: usize, distance: i64) -> i64 {
    if side == 0 { 10_000 - distance } else { 10_000 + distance }
}

impl Market {
    fn row(&self) -> String {
        let level = |side: usize, n: usize| {
            let empty = if side == 0 { -9_999_999_999 } else { 9_999_999_999 };
            let found = self.sides[side].iter().nth(n);
            found.map_or((empty, 0), |(&distance, orders)| {
                (cents(side, distance) * 100, orders.iter().map(|order| order.1).sum())
            })
        };
        let both = (0..LEVELS).flat_map(|n| [level(1, n), level(0, n)]);
        both.map(|(price, size)| format!("{price},{size}")).collect::<Vec<_>>().join(",")
    }

    /// The deepest distance in view.
    fn view(&self, side: usize) -> i64 {
        self.sides[side].keys().nth(LEVELS - 1).copied().unwrap_or(i64::MAX)
    }

    /// Something happens: type, number, size, distance, side, and whether it is in view.
    fn step(&mut self) -> (u8, u64, u64, i64, usize, bool) {
        let side = self.random.random_range(0..2);
        let before = self.view(side);
        let orders: usize = self.sides[side].values().map(Vec::len).sum();
        let (kind, id, size, distance);
        if orders < 30 || self.random.random_range(0..100) < 45 {
            (kind, id, size, distance) =
                (1, self.next, self.random.random_range(1..50), self.random.random_range(1..25));
            self.next += 1;
            self.sides[side].entry(distance).or_default().push((id, size));
        } else {
            let execute = self.random.random_range(0..3) == 0;
            let levels = self.sides[side].len();
            let level = if execute { 0 } else { self.random.random_range(0..levels) };
            let (&at, queue) = self.sides[side].iter_mut().nth(level).unwrap();
            let place = if execute { 0 } else { self.random.random_range(0..queue.len()) };
            let left = queue[place].1;
            let part = self.random.random_range(1..=left);
            (id, distance) = (queue[place].0, at);
            (kind, size) = if execute {
                (4, part)
            } else if part < left {
                (2, part)
            } else {
                (3, left)
            };
            queue[place].1 -= size;
            if queue[place].1 == 0 {
                queue.remove(place);
            }
            if self.sides[side][&at].is_empty() {
                self.sides[side].remove(&at);
            }
        }
        (kind, id, size, distance, side, distance <= before.max(self.view(side)))
    }
}

/// Message and order-book file of a market that has gone on for a while before.
fn made(messages: usize) -> (Vec<String>, Vec<String>) {
    let mut market =
        Market { sides: [Queue::new(), Queue::new()], next: 1, random: Xoshiro256PlusPlus::seed_from_u64(3) };
    for _ in 0..2_000 {
        let _ = market.step();
    }
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    let mut time = 34_200_000_000_000_u64;
    while lines.len() < messages {
        time += 1_000_000;
        let (kind, id, size, distance, side, in_view) = market.step();
        if !in_view {
            continue;
        }
        let direction = if side == 0 { 1 } else { -1 };
        let (seconds, price) = (time / 1_000_000_000, cents(side, distance) * 100);
        lines.push(format!("{seconds}.{:09},{kind},{id},{size},{price},{direction}", time % 1_000_000_000));
        rows.push(market.row());
        if lines.len() % 50 == 0 {
            // A hidden order trades: the book stays as it is.
            lines.push(format!("{seconds}.{:09},5,0,7,1000050,1", time % 1_000_000_000));
            rows.push(market.row());
        }
    }
    (lines, rows)
}

struct Read {
    events: Vec<MarketEvent>,
    agreement: BookAgreement,
    causes: BTreeMap<&'static str, u64>,
    summary: Summary,
    damaged: usize,
}

struct Pair {
    folder: PathBuf,
}

impl Pair {
    fn write(name: &str, lines: &[String], rows: &[String]) -> Self {
        let folder = std::env::temp_dir().join(format!("lob-lobster-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = |lines: &[String]| {
            lines.iter().fold(String::new(), |mut text, line| {
                writeln!(text, "{line}").unwrap();
                text
            })
        };
        std::fs::write(folder.join("X_2012-06-21_message_5.csv"), text(lines)).unwrap();
        std::fs::write(folder.join("X_2012-06-21_orderbook_5.csv"), text(rows)).unwrap();
        Self { folder }
    }

    fn read(&self, strict: bool) -> Result<Read, ReadError> {
        let messages = self.folder.join("X_2012-06-21_message_5.csv");
        let orderbook = orderbook_beside(&messages);
        assert!(orderbook.is_some());
        let mut reader = open(messages, &ReadOptions { strict, orderbook, ..ReadOptions::default() })?;
        let (mut events, mut inspector) = (Vec::new(), Inspector::new());
        while reader.read(&mut events)? {}
        events.iter().for_each(|event| inspector.see(event));
        let (agreement, damages) = reader.orderbook().unwrap();
        let causes = reader.causes().into_iter().map(|cause| (cause.name, cause.count)).collect();
        let damaged = damages.len();
        Ok(Read { events, agreement, causes, summary: inspector.finish().pop().unwrap(), damaged })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_pair_agrees_line_by_line_and_the_first_line_is_the_book_that_the_messages_begin_with() {
    let (lines, rows) = made(4_000);
    let read = Pair::write("sound", &lines, &rows).read(true).unwrap();
    let agreement = read.agreement;
    assert_eq!((agreement.rows, agreement.agreeing_rows), (lines.len() as u64, lines.len() as u64));
    assert_eq!((agreement.levels, agreement.seeded, agreement.contradictions()), (5, 10, 0));
    // The market goes on where nobody looks, and levels come back other than they went.
    assert!(agreement.revealed > 0 && agreement.changed_out_of_view > 50, "{agreement:?}");
    assert_eq!(
        (read.causes["never_added"], read.causes["too_many"], read.summary.problems.total()),
        (0, 0, 0)
    );
    assert!(read.causes["from_before"] > 20, "{:?}", read.causes);
    assert_eq!(read.causes["off_tick_trade"], 4_000 / 50);
    assert_eq!(read.events[0].kind, Kind::SnapshotBegin);
    let end = read.events.iter().position(|event| event.kind == Kind::SnapshotEnd).unwrap();
    assert!((10..=11).contains(&end), "{end}");
    // Whoever follows the events has the last line's book; hidden orders trade at half a cent, which is no tick.
    let last: Vec<i64> = rows.last().unwrap().split(',').map(|field| field.parse().unwrap()).collect();
    let best = |at: usize| Some((last[at] / 100, last[at + 1].cast_unsigned()));
    assert_eq!(read.summary.best, [best(2), best(0)]);
}

#[test]
fn the_same_messages_without_the_order_book_file_name_orders_that_nobody_added() {
    let (lines, _) = made(500);
    let bytes = lines.join("\n");
    let input = lob::data::market::Input::from_bytes(bytes).unwrap();
    let mut reader = lob::data::market::open_input(input, &ReadOptions::default()).unwrap();
    let mut events = Vec::new();
    while reader.read(&mut events).unwrap() {}
    assert!(reader.orderbook().is_none());
    assert!(reader.causes().iter().any(|cause| cause.name == "never_added" && cause.count > 20));
}

#[test]
fn a_wrong_size_in_one_line_is_one_contradiction() {
    let (lines, mut rows) = made(1_000);
    let mut fields: Vec<String> = rows[500].split(',').map(str::to_owned).collect();
    fields[3] = (fields[3].parse::<u64>().unwrap() + 1).to_string();
    rows[500] = fields.join(",");
    let agreement = Pair::write("size", &lines, &rows).read(false).unwrap().agreement;
    assert_eq!((agreement.size_differs, agreement.contradictions(), agreement.persists), (1, 1, 0));
    assert_eq!(agreement.agreeing_rows + 1, agreement.rows);
}

#[test]
fn a_message_that_is_missing_from_the_book_is_found_where_it_is_missing() {
    let (mut lines, rows) = made(1_000);
    // A new order at the best price, in view: its line becomes unreadable.
    let best = |row: &str| row.split(',').nth(2).map(str::to_owned);
    let at = (300..1_000).find(|&at| {
        let fields: Vec<&str> = lines[at].split(',').collect();
        fields[1] == "1" && fields[5] == "1" && Some(fields[4].to_owned()) == best(&rows[at - 1])
    });
    let at = at.unwrap();
    lines[at] = "damaged".to_owned();
    let read = Pair::write("message", &lines, &rows).read(false).unwrap();
    let agreement = read.agreement;
    assert_eq!(agreement.rows, lines.len() as u64);
    assert!(agreement.size_differs >= 1, "{agreement:?}");
    // It is a contradiction once, and the same one for as long as the order rests.
    assert!(agreement.contradictions() <= 4, "{agreement:?}");
    assert_eq!(agreement.rows - agreement.agreeing_rows, agreement.contradictions() + agreement.persists);
}

#[test]
fn a_line_that_cannot_be_read_is_counted_and_located_and_the_next_one_compared() {
    let (lines, mut rows) = made(600);
    rows[0] = "x".to_owned();
    rows[100] = rows[100].replacen(',', ",-", 2);
    rows[200] = rows[200].split(',').take(16).collect::<Vec<_>>().join(",");
    rows[300] += ",";
    let pair = Pair::write("line", &lines, &rows);
    let read = pair.read(false).unwrap();
    assert_eq!((read.agreement.damaged_rows, read.damaged), (4, 4));
    assert_eq!((read.agreement.contradictions(), read.agreement.persists), (0, 0));
    assert_eq!(read.agreement.rows, lines.len() as u64 - 4);
    let error = pair.read(true).err().unwrap().to_string();
    assert!(error.starts_with("line of the order-book file 1, byte 0: ask price \"x\""), "{error}");
}

#[test]
fn files_of_different_lengths_are_told() {
    let (lines, rows) = made(300);
    let read = Pair::write("short", &lines, &rows[..250]).read(false).unwrap();
    assert_eq!((read.agreement.messages_without_row, read.agreement.rows), (lines.len() as u64 - 250, 250));
    let read = Pair::write("long", &lines[..250], &rows).read(false).unwrap();
    assert_eq!((read.agreement.rows_without_message, read.agreement.rows), (lines.len() as u64 - 250, 250));
    assert_eq!(read.agreement.contradictions(), 0);
}

#[test]
fn other_formats_have_no_order_book_file() {
    let (lines, rows) = made(10);
    let pair = Pair::write("other", &lines, &rows);
    let orderbook = orderbook_beside(&pair.folder.join("X_2012-06-21_message_5.csv"));
    let csv = "id,timestamp,exchange.timestamp,price,volume,action,direction\n1,1,1,5.00,7,created,bid\n";
    let path = pair.folder.join("other.csv");
    std::fs::write(&path, csv).unwrap();
    let error = open(&path, &ReadOptions { orderbook, ..ReadOptions::default() }).err().unwrap();
    assert!(error.to_string().contains("belongs to messages of LOBSTER"), "{error}");
    assert_eq!(orderbook_beside(&path), None);
}

//! Market data: the real samples, and files made to be wrong.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use lob::data::market::{
    Compression, Format, Input, Inspector, Kind, MarketEvent, MarketReader, ReadError, ReadOptions, Step,
    Summary, apply, apply_all, open, open_input, write_events,
};
use lob::{FeedBook, Price, Quantity, Side};

/// A real sample, where it is.
fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: no ../shared/data/{name} beside the repository");
        return None;
    }
    Some(path)
}

fn read_all(reader: &mut dyn MarketReader) -> Result<Vec<MarketEvent>, ReadError> {
    let mut events = Vec::new();
    while reader.read(&mut events)? {}
    Ok(events)
}

fn inspect(reader: &mut dyn MarketReader) -> Vec<Summary> {
    let mut inspector = Inspector::new();
    read_all(reader).unwrap().iter().for_each(|event| inspector.see(event));
    inspector.finish()
}

fn causes(reader: &dyn MarketReader) -> Vec<(&'static str, u64)> {
    let causes = reader.causes().into_iter().filter(|cause| cause.count > 0);
    causes.map(|cause| (cause.name, cause.count)).collect()
}

fn text_reader(text: &str, options: &ReadOptions) -> Result<Box<dyn MarketReader>, ReadError> {
    open_input(Input::from_bytes(text.as_bytes()).unwrap(), options)
}

#[test]
fn bitstamp_sample_is_accounted_for_event_by_event() {
    let Some(path) = sample("bitstamp_l3_btcusd_2015-05-01.csv.xz") else { return };
    let mut reader = open(path, &ReadOptions::default()).unwrap();
    assert_eq!((reader.format(), reader.compression()), (Format::Bitstamp, Compression::Xz));
    let summary = inspect(reader.as_mut()).pop().unwrap();
    assert_eq!((reader.tally().records, reader.tally().damaged), (50_414, 0));
    assert_eq!(reader.instruments()[0].tick.to_string(), "0.01");
    assert_eq!(
        causes(reader.as_ref()),
        [
            ("changed_before_file", 3),
            ("deleted_before_file", 179),
            ("deleted_never_created", 5),
            ("changed_after_delete", 1),
            ("deleted_twice", 21),
            ("created_after_delete", 5),
            ("repriced", 36),
        ]
    );
    // The file has 24,894 creations, 602 changes and 24,918 deletions.
    let count = |kind| summary.count(kind);
    assert_eq!(count(Kind::Add), 24_894 - 5 + 3);
    assert_eq!(count(Kind::Modify), 36);
    assert_eq!(count(Kind::Execute) + count(Kind::Delete), (602 - 3 - 1 - 36) + (24_918 - 179 - 5 - 21));
    assert_eq!(summary.problems.total(), 0);
    assert!(summary.crossed.longest_nanoseconds < 1_000_000_000, "{:?}", summary.crossed);
}

const BITSTAMP_HEADER: &str = "id,timestamp,exchange.timestamp,price,volume,action,direction\n";

#[test]
fn bitstamp_mismatches_are_counted_under_their_cause() {
    let text = BITSTAMP_HEADER.to_owned()
        + "1,10000,10000,5.00,7,created,bid\n\
           1,10001,10000,5.00,4,changed,bid\n\
           1,10002,10000,5.00,9,changed,bid\n\
           1,10003,10000,5.01,9,changed,bid\n\
           1,10004,10000,5.01,9,changed,ask\n\
           1,10005,10000,5.01,9,changed,ask\n\
           1,10006,10000,5.01,3,created,ask\n\
           1,10007,10000,5.01,2,deleted,ask\n\
           2,10008,9000,5.02,2,changed,ask\n\
           3,10009,10000,5.02,2,changed,ask\n\
           2,10010,9000,5.02,0,deleted,ask\n\
           4,10011,10011,5.03,2,created,bid\n\
           4,10012,10011,5.03,0,changed,bid\n\
           4,10013,10011,5.03,0,deleted,bid\n";
    let mut reader = text_reader(&text, &ReadOptions::default()).unwrap();
    let events = read_all(reader.as_mut()).unwrap();
    let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
    use Kind::*;
    assert_eq!(
        kinds,
        [
            Add, Execute, Modify, Modify, Delete, Add, Unchanged, Delete, Add, Delete, Add, Add, Execute,
            Add, Execute, Unchanged
        ]
    );
    assert_eq!(
        causes(reader.as_ref()),
        [
            ("changed_before_file", 1),
            ("changed_never_created", 1),
            ("created_twice", 1),
            ("repriced", 1),
            ("grown", 1),
            ("side_changed", 1),
            ("left_differs", 1),
        ]
    );
    let mut inspector = Inspector::new();
    events.iter().for_each(|event| inspector.see(event));
    let book = inspector.book(0).unwrap();
    book.check_invariants().unwrap();
    assert_eq!(book.order_count(), 1);
    assert_eq!(book.best(Side::Sell), Some((Price(502), Quantity(2))));
}

#[test]
fn damaged_lines_are_located_and_skipped_or_fatal() {
    let text = BITSTAMP_HEADER.to_owned()
        + "1,10000,10000,5.00,7,created,bid\r\n\
           2,x,10000,5.00,7,created,bid\n\
           3,10000,10000,5.001,7,created,bid\n\
           4,10000,10000,nan,7,created,bid\n\
           5,10000,10000,-5.00,7,created,bid\n\
           6,10000,10000,5.00,-7,created,bid\n\
           7,10000,10000,5.00,99999999999999999999,created,bid\n\
           8,99999999999999999,10000,5.00,7,created,bid\n\
           9,10000,10000,5.00,7,made,bid\n\
           10,10000,10000,5.00,7,created\n\
           11,10000,10000,5.00,7,created,bid,1\n\
           12,10000,10000,5.00,0,created,bid\n\
           13,10001,10000,5.00,7,created,bid";
    let given = ReadOptions { tick: Some("0.01".parse().unwrap()), ..ReadOptions::default() };
    let mut reader = text_reader(&text, &given).unwrap();
    assert_eq!(read_all(reader.as_mut()).unwrap().len(), 2);
    let tally = reader.tally();
    assert_eq!((tally.records, tally.damaged), (13, 11));
    let damage = &tally.damages[0];
    assert_eq!((damage.position.record, damage.position.byte), (3, 96));
    assert!(damage.reason.contains("timestamp is \"x\"; legal: an integer"), "{}", damage.reason);
    assert!(tally.damages[1].reason.contains("\"5.001\" is no whole number of steps of 0.01"));

    let strict = ReadOptions { strict: true, ..given };
    let error = read_all(text_reader(&text, &strict).unwrap().as_mut()).unwrap_err().to_string();
    assert!(error.starts_with("line 3, byte 96: timestamp"), "{error}");
}

#[test]
fn binance_samples_agree_with_their_quotes() {
    for (name, format, tick, lot) in [
        ("binance_spot_btcusdt_20240808.gz", Format::BinanceSpot, "0.01", "0.000001"),
        ("binance_usdm_btcusdt_20240808.gz", Format::BinanceUsdm, "0.1", "0.001"),
    ] {
        let Some(path) = sample(name) else { return };
        let mut reader = open(path, &ReadOptions::default()).unwrap();
        assert_eq!((reader.format(), reader.compression()), (format, Compression::Gzip));
        let summary = inspect(reader.as_mut()).pop().unwrap();
        let tally = reader.tally();
        let instrument = &reader.instruments()[0];
        assert_eq!((instrument.tick.to_string(), instrument.lot.to_string()), (tick.into(), lot.into()));
        assert_eq!((tally.damaged, tally.ignored), (0, 0));
        assert_eq!(summary.problems.total(), 0);
        assert_eq!((summary.crossed.spells, summary.locked.spells, summary.stale.spells), (0, 0, 0));
        let quotes = summary.quotes.unwrap();
        eprintln!("{name}: {:?} {:?} {quotes:?}", summary.kinds, causes(reader.as_ref()));
        assert_eq!((quotes.same_update_differs, quotes.unexplained, quotes.too_late), (0, 0, 0));
        // The figures of an independent replay in Python.
        let expected = if format == Format::BinanceSpot {
            assert_eq!(tally.records, 41_249);
            [28_040, 564, 189, 2_510, 651, 9, 1, 8]
        } else {
            assert_eq!(tally.records, 93_954);
            [66_089, 629, 153, 5_467, 1_384, 0, 33, 23]
        };
        let found = [
            quotes.quotes,
            quotes.same_update_agrees,
            quotes.equals_earlier,
            quotes.equals_later,
            quotes.sides_of_both,
            quotes.after_last_update,
            quotes.before_book,
            quotes.came_and_went + quotes.uncovered,
        ];
        assert_eq!(found, expected, "{quotes:?}");
        let rest = quotes.quotes - quotes.compared() - quotes.after_last_update - quotes.before_book;
        assert_eq!(rest, quotes.while_stale);
    }
}

/// A spot feed of one level a side, the update numbers being chosen.
fn spot(lines: &[&str]) -> Vec<MarketEvent> {
    let options = ReadOptions {
        tick: Some("0.01".parse().unwrap()),
        lot: Some("0.1".parse::<Step>().unwrap()),
        ..ReadOptions::default()
    };
    let text: String = lines.iter().enumerate().map(|(i, line)| format!("{} {line}\n", 1000 + i)).collect();
    let mut reader = text_reader(&text, &options).unwrap();
    let events = read_all(reader.as_mut()).unwrap();
    assert_eq!(reader.tally().damaged, 0, "{:?}", reader.tally());
    events
}

fn diff(first: u64, last: u64, bid: &str) -> String {
    format!(
        "{{\"stream\":\"x@depth\",\"data\":{{\"e\":\"depthUpdate\",\"E\":7,\"s\":\"X\",\"U\":{first},\"u\":{last},\"b\":[[\"1.00\",\"{bid}\"]],\"a\":[]}}}}"
    )
}

#[test]
fn binance_gap_makes_the_book_stale_until_a_snapshot() {
    let snapshot = |id: u64| {
        format!("{{\"lastUpdateId\":{id},\"bids\":[[\"1.00\",\"9.0\"]],\"asks\":[[\"2.00\",\"9.0\"]]}}")
    };
    let lines = [
        diff(1, 5, "1.0"),
        snapshot(4),
        diff(6, 7, "2.0"),
        diff(9, 9, "3.0"),
        diff(10, 11, "4.0"),
        snapshot(9),
        diff(12, 12, "5.0"),
    ];
    let events = spot(&lines.each_ref().map(String::as_str));
    let mut inspector = Inspector::new();
    let mut states = Vec::new();
    for event in &events {
        inspector.see(event);
        if event.has(MarketEvent::LAST) {
            let bid = inspector.book(0).unwrap().best(Side::Buy).map(|(_, lots)| lots.0);
            states.push((event.kind, event.id, inspector.is_stale(0), bid));
        }
    }
    use Kind::*;
    assert_eq!(
        states,
        [
            (SnapshotEnd, 4, false, Some(90)),
            (Level, 5, false, Some(10)),
            (Level, 7, false, Some(20)),
            (Gap, 0, true, Some(20)),
            (SnapshotEnd, 9, false, Some(90)),
            (Level, 11, false, Some(40)),
            (Level, 12, false, Some(50)),
        ]
    );
}

#[test]
fn binance_gaps_injected_into_the_sample_are_all_found() {
    let Some(path) = sample("binance_usdm_btcusdt_20240808.gz") else { return };
    let mut input = Input::open(path).unwrap();
    let text = String::from_utf8(input.peek(usize::MAX).unwrap().to_vec()).unwrap();
    let is_depth = |line: &&str| line.contains("depthUpdate");
    let snapshot = text.lines().find(|line| line.contains("lastUpdateId")).unwrap();
    // Without depth updates 1000, 2000 and 2001 (one gap); the snapshot's text comes again with a number that fits behind the first.
    let (mut depth, mut broken) = (0, String::new());
    for line in text.lines() {
        if is_depth(&line) {
            depth += 1;
            if [1000, 2000, 2001].contains(&depth) {
                continue;
            }
        }
        broken += line;
        broken.push('\n');
        if is_depth(&line) && depth == 1500 {
            let last: u64 = line.split("\"u\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
            let stamp = line.split(' ').next().unwrap();
            let levels = &snapshot[snapshot.find(",\"bids\"").unwrap()..];
            broken += &format!("{stamp} {{\"lastUpdateId\":{last}{levels}\n");
        }
    }
    let mut reader = text_reader(&broken, &ReadOptions::default()).unwrap();
    let summary = inspect(reader.as_mut()).pop().unwrap();
    let found = causes(reader.as_ref());
    assert!(found.contains(&("gap", 2)), "{found:?}");
    assert_eq!(summary.stale.spells, 2);
    let quotes = summary.quotes.unwrap();
    assert!(quotes.while_stale > 10_000, "{quotes:?}");
    // The book of an old snapshot's levels contradicts the quotes: the check tells.
    assert!(quotes.same_update_differs > 0);
}

#[test]
fn binance_lines_of_another_shape_say_the_same() {
    let exact = [
        r#"{"stream":"x","data":{"e":"depthUpdate","E":7,"T":6,"s":"X","U":1,"u":2,"pu":0,"b":[["1.00","2.0"]],"a":[["2.00","3.0"]]}}"#,
        r#"{"stream":"x","data":{"e":"bookTicker","u":5,"s":"X","b":"1.00","B":"2.0","a":"2.00","A":"3.0","T":6,"E":7}}"#,
        r#"{"stream":"x","data":{"e":"trade","E":7,"T":6,"s":"X","t":8,"p":"1.50","q":"0.5","X":"MARKET","m":true}}"#,
        r#"{"lastUpdateId":1,"E":7,"T":6,"bids":[["1.00","2.0"]],"asks":[["2.00","3.0"]]}"#,
    ];
    let loose = [
        r#"{"data": {"s":"X", "a":[["2.00","3.0"]], "b":[["1.00","2.0"]], "pu":0, "u":2, "U":1, "T":6, "E":7, "e":"depthUpdate"}, "stream":"x"}"#,
        r#"{ "e":"bookTicker","s":"X","u":5,"a":"2.00","A":"3.0","b":"1.00","B":"2.0","E":7,"T":6 }"#,
        r#"{"stream":"x","data":{"e":"trade","E":7,"T":6,"s":"X","t":8,"p":"1.50","q":"0.5","b":1,"a":2,"m":true,"new":null}}"#,
        r#"{"bids":[["1.00","2.0"]],"asks":[["2.00","3.0"]],"T":6,"lastUpdateId":1}"#,
    ];
    let (exact, loose) = (spot(&exact), spot(&loose));
    assert_eq!(exact.len(), 9);
    assert_eq!(exact, loose);
}

/// A file in the system's directory for such, gone when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("lob-market-{}-{name}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn events_come_back_from_the_npz_as_they_were() {
    for name in ["binance_spot_btcusdt_20240808.gz", "bitstamp_l3_btcusd_2015-05-01.csv.xz"] {
        let Some(path) = sample(name) else { return };
        let mut reader = open(path, &ReadOptions::default()).unwrap();
        let events = read_all(reader.as_mut()).unwrap();
        let file = Temporary::new(&format!("{name}.npz"));
        let written = write_events(&file.0, &reader.instruments()[0], &events, &[("tool", "test")]).unwrap();
        let mut back = open(&file.0, &ReadOptions { strict: true, ..ReadOptions::default() }).unwrap();
        assert_eq!(back.format(), Format::HftBacktest);
        let mut restored = read_all(back.as_mut()).unwrap();
        assert_eq!(back.instruments()[0].tick, reader.instruments()[0].tick);
        assert_eq!(back.tally().records, written.records);
        for event in &mut restored {
            event.local_time.0 -= written.local_shift;
        }
        assert_eq!(restored.len(), events.len());
        let differs = restored.iter().zip(&events).position(|(a, b)| a != b);
        assert_eq!(differs.map(|at| (restored[at], events[at])), None);
    }
}

const LOBSTER: &str = "34200.017459617,5,0,1,2238200,-1\n\
    34200.189607670,1,11885113,21,2238100,1\n\
    34200.189607671,1,11885114,10,2238100,1\n\
    34200.3,4,11885113,5,2238100,1\n\
    34200.4,2,11885113,6,2238100,1\n\
    34200.5,3,11885113,10,2238100,1\n\
    34200.6,3,99,10,2238100,1\n\
    34200.7,4,98,10,2238300,-1\n\
    34201,7,0,0,-1,-1\n\
    34202,4,11885114,11,2238100,1\n\
    34203,2,11885114,0,2238100,1\n\
    34203,1,5,1,2238150,1\n\
    x\n";

#[test]
fn lobster_messages_become_events() {
    let given = ReadOptions { tick: Some("0.01".parse().unwrap()), ..ReadOptions::default() };
    let mut reader = text_reader(LOBSTER, &given).unwrap();
    assert_eq!(reader.format(), Format::Lobster);
    let events = read_all(reader.as_mut()).unwrap();
    use Kind::*;
    let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Trade, Add, Add, Execute, Reduce, Delete, Trade, Execute]);
    assert_eq!(events[0].exchange_time.0, 34_200_017_459_617);
    assert_eq!((events[1].price, events[1].side), (Price(22_381), Some(Side::Buy)));
    assert_eq!(events[7].quantity, Quantity(10));
    assert_eq!(causes(reader.as_ref()), [("never_added", 2), ("too_many", 1)]);
    let tally = reader.tally();
    assert_eq!((tally.records, tally.ignored, tally.damaged), (13, 1, 3));
    // The tick of 0.005 divides all prices.
    let reader = text_reader(LOBSTER, &ReadOptions::default()).unwrap();
    assert_eq!(reader.instruments()[0].tick.to_string(), "0.005");
}

/// A stream of ITCH messages.
#[derive(Default)]
struct Itch(Vec<u8>);

impl Itch {
    fn message(&mut self, kind: u8, locate: u16, time: u64, fields: &[&[u8]]) {
        let length: usize = 11 + fields.iter().map(|field| field.len()).sum::<usize>();
        self.0.extend((length as u16).to_be_bytes());
        self.0.push(kind);
        self.0.extend(locate.to_be_bytes());
        self.0.extend([0, 0]);
        self.0.extend(&time.to_be_bytes()[2..]);
        fields.iter().for_each(|field| self.0.extend_from_slice(field));
    }

    fn add(&mut self, locate: u16, id: u64, side: u8, shares: u32, stock: &[u8; 8], price: u32) {
        let fields: [&[u8]; 5] =
            [&id.to_be_bytes(), &[side], &shares.to_be_bytes(), stock, &price.to_be_bytes()];
        self.message(b'A', locate, 34_200_000_000_000, &fields);
    }
}

fn itch() -> Vec<u8> {
    let mut stream = Itch::default();
    let one = |id: u64| id.to_be_bytes();
    stream.message(b'S', 0, 1, &[b"O"]);
    stream.add(7, 100, b'B', 50, b"AAPL    ", 1_900_000);
    stream.add(9, 101, b'S', 60, b"MSFT    ", 4_000_000);
    stream.add(7, 102, b'S', 70, b"AAPL    ", 1_900_100);
    stream.message(b'E', 7, 2, &[&one(100), &20_u32.to_be_bytes(), &one(5)]);
    stream.message(
        b'C',
        7,
        3,
        &[&one(100), &5_u32.to_be_bytes(), &one(6), b"Y", &1_899_900_u32.to_be_bytes()],
    );
    stream.message(b'X', 7, 4, &[&one(100), &5_u32.to_be_bytes()]);
    stream.message(b'U', 7, 5, &[&one(102), &one(103), &30_u32.to_be_bytes(), &1_900_200_u32.to_be_bytes()]);
    stream.message(
        b'P',
        7,
        6,
        &[&one(0), b"B", &9_u32.to_be_bytes(), b"AAPL    ", &1_900_050_u32.to_be_bytes(), &one(7)],
    );
    stream.message(b'D', 7, 7, &[&one(100)]);
    stream.0
}

#[test]
fn itch_messages_become_events() {
    let options = ReadOptions { symbols: vec!["AAPL".into()], ..ReadOptions::default() };
    let mut reader = open_input(Input::from_bytes(itch()).unwrap(), &options).unwrap();
    assert_eq!(reader.format(), Format::Itch);
    let events = read_all(reader.as_mut()).unwrap();
    use Kind::*;
    let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Add, Add, Execute, Execute, Reduce, Replace, Trade, Delete]);
    assert_eq!(reader.tally().ignored, 2);
    assert_eq!(reader.instruments().len(), 1);
    let mut inspector = Inspector::new();
    events.iter().for_each(|event| inspector.see(event));
    let book = inspector.book(0).unwrap();
    assert_eq!(book.order_count(), 1);
    assert_eq!(book.best(Side::Sell), Some((Price(1_900_200), Quantity(30))));
    assert_eq!(inspector.finish()[0].problems.total(), 0);
    let mut all = open_input(Input::from_bytes(itch()).unwrap(), &ReadOptions::default()).unwrap();
    assert_eq!(read_all(all.as_mut()).unwrap().len(), 9);
    assert_eq!(all.instruments().len(), 2);
}

#[test]
fn applying_events_together_gives_the_same_book() {
    let Some(path) = sample("bitstamp_l3_btcusd_2015-05-01.csv.xz") else { return };
    let events = read_all(open(path, &ReadOptions::default()).unwrap().as_mut()).unwrap();
    let (mut one, mut all, mut problems) = (FeedBook::new(256), FeedBook::new(4096), 0);
    let fitting = events.iter().filter(|event| apply(&mut one, event).is_ok()).count();
    apply_all(&mut all, &events, |_, _| problems += 1);
    assert_eq!(problems, events.len() - fitting);
    for side in Side::BOTH {
        assert_eq!(one.levels(side).collect::<Vec<_>>(), all.levels(side).collect::<Vec<_>>());
    }
    assert!(one.order_count() > 100);
}

#[test]
fn databento_samples_are_read() {
    let Some(path) = sample("databento_mbo_v3.dbn.zst") else { return };
    let mut reader = open(path, &ReadOptions::default()).unwrap();
    assert_eq!((reader.format(), reader.compression()), (Format::Dbn, Compression::Zstd));
    let events = read_all(reader.as_mut()).unwrap();
    eprintln!("{events:?} {:?} {:?}", reader.instruments(), reader.tally());
    assert_eq!((reader.tally().records, reader.tally().damaged), (2, 0));
    assert_eq!(events.len(), 2);
    let Some(path) = sample("databento_mbp10_v3.dbn.zst") else { return };
    let mut reader = open(path, &ReadOptions::default()).unwrap();
    let summary = inspect(reader.as_mut()).pop().unwrap();
    assert_eq!((reader.tally().records, reader.tally().damaged, summary.problems.total()), (2, 0, 0));
    assert!(summary.best[0].unwrap().0 < summary.best[1].unwrap().0, "{summary:?}");
}

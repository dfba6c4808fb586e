//! DBN as Databento's own encoder writes it: flags that say something of the book, one level or ten, a stamp behind each record.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::os::raw::c_char;

use dbn::encode::dbn::Encoder;
use dbn::encode::{DbnEncodable, EncodeRecord};
use dbn::{
    BidAskPair, FlagSet, MboMsg, Mbp1Msg, MetadataBuilder, RecordHeader, SType, Schema, UNDEF_PRICE,
    WithTsOut, flags, rtype,
};
use lob::data::market::{Input, Inspector, Kind, MarketEvent, MarketReader, ReadOptions, open_input};
use lob::{Price, Quantity, Side};

fn bytes_of<R: DbnEncodable>(schema: Schema, ts_out: bool, records: &[R]) -> Vec<u8> {
    let metadata = MetadataBuilder::new()
        .dataset("XNAS.ITCH".to_owned())
        .schema(Some(schema))
        .start(0)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .ts_out(ts_out)
        .build();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &metadata).unwrap();
    records.iter().for_each(|record| encoder.encode_record(record).unwrap());
    bytes
}

fn encoded<R: DbnEncodable>(schema: Schema, ts_out: bool, records: &[R]) -> Box<dyn MarketReader> {
    let bytes = bytes_of(schema, ts_out, records);
    let options = ReadOptions { tick: Some("1".parse().unwrap()), ..ReadOptions::default() };
    open_input(Input::from_bytes(bytes).unwrap(), &options).unwrap()
}

fn mbo(time: u64, action: u8, order_id: u64, price: i64, raw: u8) -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 2, 5, time),
        order_id,
        price: if price == 0 { UNDEF_PRICE } else { price * 1_000_000_000 },
        size: 3,
        flags: FlagSet::new(raw),
        channel_id: 0,
        action: action as c_char,
        side: b'B' as c_char,
        ts_recv: time + 100,
        ts_in_delta: 0,
        sequence: time as u32,
    }
}

fn mbp1(time: u64, bid: i64, raw: u8) -> Mbp1Msg {
    let level = BidAskPair {
        bid_px: bid * 1_000_000_000,
        ask_px: UNDEF_PRICE,
        bid_sz: 7,
        ask_sz: 0,
        bid_ct: 1,
        ask_ct: 0,
    };
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 2, 5, time),
        price: bid * 1_000_000_000,
        size: 7,
        action: b'A' as c_char,
        side: b'B' as c_char,
        flags: FlagSet::new(raw),
        depth: 0,
        ts_recv: time + 100,
        ts_in_delta: 0,
        sequence: time as u32,
        levels: [level],
    }
}

/// Kinds of all events, after which of them the book is stale, and the causes that were counted.
fn follow(mut reader: Box<dyn MarketReader>) -> (Vec<Kind>, Vec<bool>, u64, Inspector) {
    let (mut events, mut inspector) = (Vec::<MarketEvent>::new(), Inspector::new());
    while reader.read(&mut events).unwrap() {}
    let mut stale = Vec::new();
    for event in &events {
        inspector.see(event);
        stale.push(inspector.is_stale(0));
    }
    assert_eq!(reader.tally().damaged, 0);
    let bad = reader.causes().iter().find(|cause| cause.name == "maybe_bad_book").unwrap().count;
    (events.iter().map(|event| event.kind).collect(), stale, bad, inspector)
}

const LAST: u8 = flags::LAST;
const BAD: u8 = flags::MAYBE_BAD_BOOK;
const SNAPSHOT: u8 = flags::SNAPSHOT;

#[test]
fn a_bad_book_is_stale_until_the_end_of_a_snapshot() {
    use Kind::*;
    let records = [
        mbo(1, b'A', 10, 5, LAST),
        mbo(2, b'A', 11, 6, LAST | BAD),
        mbo(3, b'A', 12, 7, LAST | BAD),
        mbo(4, b'A', 13, 8, LAST),
        mbo(5, b'R', 0, 0, SNAPSHOT),
        mbo(6, b'A', 20, 5, SNAPSHOT),
        mbo(7, b'A', 21, 4, SNAPSHOT | LAST),
        mbo(8, b'C', 20, 5, LAST),
    ];
    let (kinds, stale, bad, inspector) = follow(encoded(Schema::Mbo, false, &records));
    assert_eq!(kinds, [Add, Gap, Add, Add, Add, SnapshotBegin, Add, Add, SnapshotEnd, Reduce]);
    assert_eq!(stale, [false, true, true, true, true, true, true, true, false, false]);
    assert_eq!(bad, 2);
    let book = inspector.book(0).unwrap();
    assert_eq!((book.best(Side::Buy), book.order_count()), (Some((Price(4), Quantity(3))), 1));
    let summary = inspector.finish().pop().unwrap();
    assert_eq!((summary.stale.spells, summary.problems.total()), (1, 0));
}

#[test]
fn a_clearing_ends_a_stale_book_and_the_snapshot_behind_it_may_begin_or_end_without_its_flag() {
    use Kind::*;
    let records = [
        mbo(1, b'A', 10, 5, LAST | BAD),
        mbo(2, b'R', 0, 0, LAST),
        // The clearing was not flagged as a snapshot, the orders are.
        mbo(3, b'A', 20, 5, SNAPSHOT),
        mbo(4, b'A', 21, 4, SNAPSHOT),
        mbo(5, b'A', 22, 4, LAST),
        // A clearing that is part of the trouble ends nothing.
        mbo(6, b'R', 0, 0, LAST | BAD),
        mbo(7, b'A', 30, 9, LAST),
    ];
    let (kinds, stale, _, inspector) = follow(encoded(Schema::Mbo, false, &records));
    let expected = [
        Gap,
        Add,
        SnapshotBegin,
        SnapshotEnd,
        Clear,
        SnapshotBegin,
        Add,
        Add,
        SnapshotEnd,
        Add,
        Gap,
        Clear,
        Add,
    ];
    assert_eq!(kinds, expected);
    let expected = [true, true, true, false, false, false, false, false, false, false, true, true, true];
    assert_eq!(stale, expected);
    assert_eq!(inspector.book(0).unwrap().order_count(), 1);
}

#[test]
fn one_level_is_read_as_ten_are_and_is_in_step_again_with_the_next_sound_record() {
    use Kind::*;
    let records = [
        mbp1(1, 5, LAST),
        mbp1(2, 6, LAST),
        mbp1(3, 6, LAST | BAD),
        mbp1(4, 7, LAST | BAD),
        mbp1(5, 7, LAST),
        mbp1(6, 7, LAST),
    ];
    let (kinds, stale, bad, inspector) = follow(encoded(Schema::Mbp1, false, &records));
    let expected =
        [Level, Level, Level, Gap, Unchanged, Level, Level, SnapshotBegin, Level, SnapshotEnd, Unchanged];
    assert_eq!(kinds, expected);
    assert_eq!(stale.iter().filter(|&&stale| stale).count(), 6);
    assert_eq!((bad, stale.last()), (2, Some(&false)));
    assert_eq!(inspector.book(0).unwrap().best(Side::Buy), Some((Price(7), Quantity(7))));
}

#[test]
fn a_stamp_behind_each_record_is_passed_over() {
    let plain = [mbo(1, b'A', 10, 5, LAST), mbo(2, b'C', 10, 5, LAST)];
    let stamped = plain.clone().map(|record| WithTsOut::new(record, 9_999));
    let read = |mut reader: Box<dyn MarketReader>| {
        let mut events = Vec::new();
        while reader.read(&mut events).unwrap() {}
        events
    };
    let events = read(encoded(Schema::Mbo, true, &stamped));
    assert_eq!(events.len(), 2);
    assert_eq!(events, read(encoded(Schema::Mbo, false, &plain)));
}

#[test]
fn an_order_flagged_as_the_best_price_is_all_of_its_side() {
    use Kind::*;
    const TOB: u8 = LAST | flags::TOB;
    let ask = |record: MboMsg| MboMsg { side: b'A' as c_char, ..record };
    let records = [
        mbo(1, b'A', 1, 5, TOB),
        ask(mbo(2, b'A', 2, 9, TOB)),
        mbo(3, b'A', 3, 4, TOB),
        mbo(4, b'A', 4, 6, TOB),
        // No price: the side is empty.
        ask(mbo(5, b'A', 5, 0, TOB)),
    ];
    let (kinds, _, _, inspector) = follow(encoded(Schema::Mbo, false, &records));
    assert_eq!(kinds, [Clear, Add, Clear, Add, Clear, Add, Clear, Add, Clear]);
    let book = inspector.book(0).unwrap();
    assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), [(Price(6), Quantity(3))]);
    assert_eq!(book.best(Side::Sell), None);
    assert_eq!(inspector.finish()[0].problems.total(), 0);
}

#[test]
fn a_change_of_an_unknown_order_adds_it() {
    let records = [mbo(1, b'A', 10, 5, LAST), mbo(2, b'M', 11, 6, LAST), mbo(3, b'C', 11, 6, LAST)];
    let (_, _, _, inspector) = follow(encoded(Schema::Mbo, false, &records));
    assert_eq!(inspector.book(0).unwrap().best(Side::Buy), Some((Price(5), Quantity(3))));
    assert_eq!(inspector.finish()[0].problems.total(), 0);
}

#[test]
fn trades_between_ticks_are_counted_and_tell_no_tick() {
    let half = |time: u64, action: u8| MboMsg { price: 5_500_000_000, ..mbo(time, action, 10, 5, LAST) };
    let records = [mbo(1, b'A', 10, 5, LAST), half(2, b'T'), mbo(3, b'T', 0, 5, LAST)];
    let mut given = encoded(Schema::Mbo, false, &records);
    let mut events = Vec::new();
    while given.read(&mut events).unwrap() {}
    let counted = given.causes().iter().find(|cause| cause.name == "off_tick_trade").map(|cause| cause.count);
    assert_eq!((events.len(), given.tally().damaged, counted), (2, 0, Some(1)));
    let bytes = bytes_of(Schema::Mbo, false, &records);
    let mut inferred = open_input(Input::from_bytes(bytes).unwrap(), &ReadOptions::default()).unwrap();
    inferred.read(&mut events).unwrap();
    assert_eq!(inferred.instruments()[0].tick.to_string(), "5");
}

//! What the events of a feed are in the words of a flow: docs/calibration.md, "From a feed to a flow".

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::calibration::FlowEventKind::{self, Cancel, Limit, Market};
use lob::calibration::{BookState, FlowEvent, Grid, MarketSource, Observer, Span, Tally};
use lob::data::market::{Kind, MarketEvent};
use lob::{Nanos, Price, Quantity, Side};

type Seen = (f64, FlowEventKind, Side, u32, u64);

/// Writes down what it sees, and the best prices before it.
#[derive(Default)]
struct Recorder {
    events: Vec<Seen>,
    bests: Vec<[Option<i64>; 2]>,
    valid: Vec<bool>,
    end: f64,
}

impl Observer for Recorder {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        assert!(before.since <= event.time, "{before:?} {event:?}");
        if let [Some(bid), Some(ask)] = before.best {
            assert!(bid < ask, "{before:?}");
        }
        self.events.push((event.time, event.kind, event.side, event.distance, event.lots));
        self.bests.push(before.best.map(|price| price.map(|price| price.0)));
        self.valid.push(before.valid);
    }

    fn end(&mut self, _: BookState<'_>, time: f64) {
        self.end = time;
    }
}

fn at(millis: u64, kind: Kind) -> MarketEvent {
    let time = Nanos(1_000_000_000_000 + millis * 1_000_000);
    MarketEvent { flags: MarketEvent::LAST, ..MarketEvent::new(kind, time, time) }
}

fn order(millis: u64, kind: Kind, id: u64, side: Side, price: i64, lots: u64) -> MarketEvent {
    MarketEvent { id, side: Some(side), price: Price(price), quantity: Quantity(lots), ..at(millis, kind) }
}

fn play(grid: Grid, span: Span, events: &[MarketEvent]) -> (Recorder, Tally) {
    let mut source = MarketSource::new(grid, span).unwrap();
    let mut recorder = Recorder::default();
    events.iter().for_each(|event| source.see(event, &mut [&mut recorder]));
    source.end(&mut [&mut recorder]);
    (recorder, *source.tally())
}

/// Bids of 5 at 100 and 99, asks of 5 at 102 and 103; the first four rows of what is seen.
fn book() -> Vec<MarketEvent> {
    vec![
        order(0, Kind::Add, 1, Side::Buy, 100, 5),
        order(0, Kind::Add, 2, Side::Sell, 102, 5),
        order(0, Kind::Add, 3, Side::Buy, 99, 5),
        order(0, Kind::Add, 4, Side::Sell, 103, 5),
    ]
}

/// What is seen beyond the book.
fn after_book(recorder: &Recorder) -> &[Seen] {
    let book = recorder.events.iter().take_while(|event| event.0 == 0.0).count();
    &recorder.events[book..]
}

#[test]
fn orders_become_limits_cancellations_and_market_orders() {
    let mut events = book();
    events.extend([
        order(1000, Kind::Add, 5, Side::Buy, 101, 3),
        order(2000, Kind::Reduce, 5, Side::Buy, 101, 1),
        order(3000, Kind::Modify, 4, Side::Sell, 103, 9),
        order(4000, Kind::Delete, 3, Side::Buy, 99, 5),
        order(5000, Kind::Modify, 5, Side::Buy, 98, 2),
        order(6000, Kind::Execute, 1, Side::Buy, 100, 5),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    let expected = [
        (1.0, Limit, Side::Buy, 1, 3),
        (2.0, Cancel, Side::Buy, 1, 1),
        (3.0, Limit, Side::Sell, 2, 4),
        (4.0, Cancel, Side::Buy, 3, 5),
        (5.0, Cancel, Side::Buy, 1, 2),
        (5.0, Limit, Side::Buy, 4, 2),
        (6.0, Market, Side::Sell, 0, 5),
    ];
    assert_eq!(after_book(&recorder), expected);
    assert_eq!(recorder.end, 6.0);
    // The very first order finds no other side to be counted from.
    assert_eq!((tally.one_sided, tally.shown), (1, [[0, 1], [3, 3], [3, 0]]));
}

#[test]
fn an_order_that_is_created_before_it_trades_is_one_market_order_and_its_rest_a_limit_order() {
    let mut events = book();
    events.extend([
        order(1000, Kind::Add, 9, Side::Buy, 102, 8),
        order(1003, Kind::Execute, 2, Side::Sell, 102, 5),
        order(1004, Kind::Execute, 9, Side::Buy, 102, 5),
        order(2000, Kind::Reduce, 9, Side::Buy, 102, 1),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    let expected =
        [(1.003, Market, Side::Buy, 0, 5), (1.004, Limit, Side::Buy, 1, 3), (2.0, Cancel, Side::Buy, 1, 1)];
    assert_eq!(after_book(&recorder), expected);
    assert_eq!((tally.marketable, tally.never_rested), (1, 0));
    assert!(recorder.valid.iter().skip(1).all(|&valid| valid), "the book never counts as crossed");
}

#[test]
fn executions_of_one_stamp_and_side_are_one_market_order_seen_with_the_book_before() {
    let mut events = book();
    events.extend([
        order(1000, Kind::Execute, 2, Side::Sell, 102, 5),
        order(1000, Kind::Execute, 4, Side::Sell, 103, 2),
        order(1001, Kind::Execute, 4, Side::Sell, 103, 1),
        order(1001, Kind::Execute, 1, Side::Buy, 100, 1),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    let expected =
        [(1.0, Market, Side::Buy, 0, 7), (1.001, Market, Side::Buy, 0, 1), (1.001, Market, Side::Sell, 0, 1)];
    assert_eq!(after_book(&recorder), expected);
    assert_eq!(recorder.bests[3], [Some(100), Some(102)]);
    assert_eq!(recorder.bests[4], [Some(100), Some(103)]);
    assert_eq!(tally.merged, 1);
}

#[test]
fn an_order_that_stays_crossed_makes_the_time_invalid() {
    let mut events = book();
    events.extend([
        order(1000, Kind::Add, 9, Side::Buy, 102, 8),
        order(1500, Kind::Reduce, 1, Side::Buy, 100, 1),
        order(2500, Kind::Reduce, 1, Side::Buy, 100, 1),
        order(2600, Kind::Reduce, 1, Side::Buy, 100, 1),
        order(2700, Kind::Delete, 9, Side::Buy, 102, 8),
        order(2800, Kind::Reduce, 1, Side::Buy, 100, 1),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    assert_eq!(recorder.valid[3..], [true, true, false, true]);
    assert_eq!((tally.never_rested, tally.invalid), (1, 1 + u64::from(!recorder.valid[0])));
}

#[test]
fn the_grid_rounds_prices_apart_and_sizes_to_lots() {
    let mut events = book();
    events.push(order(1000, Kind::Add, 5, Side::Buy, 97, 29));
    events.push(order(2000, Kind::Execute, 2, Side::Sell, 102, 1));
    let grid = Grid { ticks: 5, lot: 10, levels: 10 };
    let (recorder, _) = play(grid, Span::ALL, &events);
    // The ask at 102 stands at 21 x 5, the bid at 97 at 19 x 5.
    assert_eq!(after_book(&recorder), [(1.0, Limit, Side::Buy, 2, 3), (2.0, Market, Side::Buy, 0, 1)]);
}

#[test]
fn what_happens_before_the_span_builds_the_book_only() {
    let mut events = book();
    events.push(order(1000, Kind::Add, 5, Side::Buy, 98, 1));
    events.push(order(3000, Kind::Add, 6, Side::Buy, 97, 1));
    events.push(order(9000, Kind::Add, 7, Side::Buy, 96, 1));
    let (recorder, tally) = play(Grid::own(10), Span { from: 2.0, until: 8.0 }, &events);
    assert_eq!(recorder.events, [(3.0, Limit, Side::Buy, 5, 1)]);
    assert_eq!(recorder.bests, [[Some(100), Some(102)]]);
    assert_eq!((tally.seconds, recorder.end), (6.0, 8.0));
}

fn level(millis: u64, side: Side, price: i64, lots: u64, last: bool) -> MarketEvent {
    let flags = if last { MarketEvent::LAST } else { 0 };
    MarketEvent { flags, ..order(millis, Kind::Level, 0, side, price, lots) }
}

fn trade(millis: u64, side: Side, price: i64, lots: u64) -> MarketEvent {
    order(millis, Kind::Trade, 0, side, price, lots)
}

/// A snapshot: bids of 5 at 100 and 99, asks of 5 at 102 and 103.
fn snapshot() -> Vec<MarketEvent> {
    let levels = [(Side::Buy, 100), (Side::Buy, 99), (Side::Sell, 102), (Side::Sell, 103)];
    let mut events = vec![at(0, Kind::SnapshotBegin)];
    events.extend(levels.map(|(side, price)| level(0, side, price, 5, false)));
    events.push(at(0, Kind::SnapshotEnd));
    events
}

#[test]
fn a_level_changes_by_trades_first_and_by_orders_for_the_rest() {
    let mut events = snapshot();
    events.extend([
        trade(40, Side::Buy, 102, 2),
        trade(40, Side::Buy, 102, 1),
        // 5 - 3 = 2 are expected: one more was withdrawn.
        level(100, Side::Sell, 102, 1, false),
        // Trades took 4 of 5, 2 are there: one has come.
        level(100, Side::Buy, 100, 2, false),
        // More where nothing traded.
        level(100, Side::Buy, 101, 7, true),
        // This trade was before the update and arrives after it.
        trade(90, Side::Sell, 100, 4),
        trade(150, Side::Sell, 101, 7),
        // Nothing but the trade.
        level(200, Side::Buy, 101, 0, true),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    let expected = [
        (0.04, Market, Side::Buy, 0, 3),
        (0.09, Market, Side::Sell, 0, 4),
        (0.1, Cancel, Side::Sell, 2, 1),
        (0.1, Limit, Side::Buy, 2, 1),
        (0.1, Limit, Side::Buy, 1, 7),
        (0.15, Market, Side::Sell, 0, 7),
    ];
    assert_eq!(recorder.events, expected);
    assert!(recorder.valid.iter().all(|&valid| valid));
    assert_eq!((tally.crossed, tally.came_and_went), (0, 0));
}

#[test]
fn lots_that_came_and_were_traded_between_updates_are_a_limit_order() {
    let mut events = snapshot();
    events.extend([
        trade(50, Side::Buy, 101, 4),
        level(100, Side::Sell, 101, 0, true),
        // More than there was: 2 have come in between.
        trade(150, Side::Buy, 102, 7),
        level(200, Side::Sell, 102, 0, true),
    ]);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    let expected = [
        (0.05, Market, Side::Buy, 0, 4),
        (0.1, Limit, Side::Sell, 1, 4),
        (0.15, Market, Side::Buy, 0, 7),
        (0.2, Limit, Side::Sell, 2, 2),
    ];
    assert_eq!(recorder.events, expected);
    assert_eq!(tally.came_and_went, 2);
}

#[test]
fn a_gap_makes_the_book_stale_until_the_next_snapshot() {
    let mut events = snapshot();
    events.push(level(100, Side::Buy, 98, 1, true));
    events.push(at(200, Kind::Gap));
    events.push(level(300, Side::Buy, 97, 1, true));
    events.extend(
        snapshot()
            .into_iter()
            .map(|event| MarketEvent { exchange_time: Nanos(event.exchange_time.0 + 400_000_000), ..event }),
    );
    events.push(level(500, Side::Buy, 96, 1, true));
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    assert_eq!(recorder.events, [(0.1, Limit, Side::Buy, 4, 1), (0.5, Limit, Side::Buy, 6, 1)]);
    assert!((tally.valid_seconds - 0.2).abs() < 1e-9, "{}", tally.valid_seconds);
}

#[test]
fn a_feed_of_levels_without_snapshots_begins_with_its_first_message() {
    let events = [
        level(0, Side::Buy, 100, 5, false),
        level(0, Side::Sell, 102, 5, true),
        level(1000, Side::Buy, 101, 3, true),
        trade(2000, Side::Buy, 102, 2),
        level(3000, Side::Sell, 102, 3, true),
    ];
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    assert_eq!(recorder.events, [(1.0, Limit, Side::Buy, 1, 3), (2.0, Market, Side::Buy, 0, 2)]);
    assert_eq!(tally.valid_seconds, 3.0);
    let mut source = MarketSource::new(Grid::own(10), Span::ALL).unwrap();
    events.iter().for_each(|event| source.see(event, &mut []));
    source.end(&mut []);
    source.check().unwrap();
    // But not where it begins with a gap.
    let gap = [at(0, Kind::Gap)].into_iter().chain(events);
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &gap.collect::<Vec<_>>());
    assert_eq!((recorder.events.len(), tally.valid_seconds), (0, 0.0));
}

#[test]
fn trades_of_no_lots_are_no_market_orders() {
    let events = [snapshot(), vec![trade(500, Side::Sell, 0, 0), trade(900, Side::Buy, 102, 1)]].concat();
    let (recorder, tally) = play(Grid::own(10), Span::ALL, &events);
    assert_eq!(recorder.events.iter().filter(|event| event.1 == Market).count(), 1);
    assert_eq!(tally.unusable_trades, 1);
}

#[test]
fn data_that_lacks_something_says_what() {
    let check = |events: &[MarketEvent]| {
        let mut source = MarketSource::new(Grid::own(10), Span::ALL).unwrap();
        events.iter().for_each(|event| source.see(event, &mut []));
        source.end(&mut []);
        source.check().map_err(|error| error.to_string())
    };
    let lacks = |events: &[MarketEvent], what: &str| {
        let message = check(events).unwrap_err();
        assert!(message.starts_with(&format!("events is {what}; legal: ")), "{message}");
    };
    lacks(&[], "an empty list");
    lacks(&[trade(0, Side::Buy, 5, 1)], "without orders or levels");
    lacks(
        &[order(0, Kind::Add, 1, Side::Buy, 5, 1), at(9, Kind::Unchanged)],
        "a book that never had two sides",
    );
    let mut levels = snapshot();
    levels.push(level(100, Side::Buy, 98, 1, true));
    lacks(&levels, "levels without trades");
    let mut orders = book();
    orders.push(order(100, Kind::Delete, 4, Side::Sell, 103, 5));
    lacks(&orders, "without trades");
    orders.push(order(200, Kind::Execute, 1, Side::Buy, 100, 1));
    assert_eq!(check(&orders), Ok(()));
}

//! Small files that ask for much memory do not get it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod market_streams;

use lob::data::market::{
    Input, Inspector, Instrument, Kind, MarketEvent, Origin, ReadOptions, Step, open_input,
};
use lob::flow::History;
use lob::{Nanos, Price, Quantity, Side};
use market_streams::memory::Peak;

#[global_allocator]
static MEMORY: Peak = Peak::new();

const MIB: usize = 1 << 20;

/// The most bytes in use while `work` runs.
fn most<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = MEMORY.begin();
    let done = work();
    (MEMORY.most() - before, done)
}

fn add(time: u64, id: u64) -> MarketEvent {
    let event = MarketEvent::new(Kind::Add, Nanos(time), Nanos(time));
    let side = if id.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let price = Price(if side == Side::Buy { 99 } else { 101 });
    MarketEvent { id, side: Some(side), price, quantity: Quantity(5), flags: MarketEvent::LAST, ..event }
}

/// ITCH: one order for each of the first `codes` locate codes.
fn many_instruments(codes: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for code in 0..codes {
        let mut message = vec![b'A'];
        message.extend(code.to_be_bytes());
        message.extend([0; 8]);
        message.extend((u64::from(code) + 1).to_be_bytes());
        message.push(b'B');
        message.extend(10_u32.to_be_bytes());
        message.extend(format!("S{code:<7}").as_bytes());
        message.extend(10_000_u32.to_be_bytes());
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(&message);
    }
    bytes
}

/// Reads and replays; returns events and damages.
fn devour(bytes: Vec<u8>) -> (usize, u64) {
    let mut reader = open_input(Input::from_bytes(bytes).unwrap(), &ReadOptions::default()).unwrap();
    let (mut inspector, mut events, mut count) = (Inspector::new(), Vec::<MarketEvent>::new(), 0);
    loop {
        events.clear();
        let more = reader.read(&mut events).unwrap();
        events.iter().for_each(|event| inspector.see(event));
        count += events.len();
        if !more {
            return (count, reader.tally().damaged);
        }
    }
}

#[test]
fn small_files_do_not_take_much_memory() {
    // Order numbers far apart: a replay keeps 64 books of them, each with two windows of 128 KiB.
    let instrument = Instrument {
        symbol: "X".into(),
        tick: Step::ONE,
        tick_origin: Origin::Given,
        lot: Step::ONE,
        lot_origin: Origin::Given,
    };
    let events: Vec<MarketEvent> =
        (0..300).map(|i| add(i, if i.is_multiple_of(2) { i } else { (1 << 31) + i })).collect();
    let (bytes, history) = most(|| History::new(instrument, events).unwrap());
    assert_eq!(history.events().len(), 300);
    assert!(bytes < 40 * MIB, "order numbers far apart: {bytes} bytes");
    drop(history);

    // As many instruments as NASDAQ has.
    let file = many_instruments(11_000);
    let (bytes, done) = most(|| devour(file));
    assert_eq!(done, (11_000, 0));
    assert!(bytes < 96 * MIB, "11,000 instruments: {bytes} bytes");

    // Updates without levels that wait for a snapshot that never comes.
    let trade = "1 {\"stream\":\"x\",\"data\":{\"e\":\"trade\",\"E\":1,\"s\":\"X\",\"t\":1,\"p\":\"1.5\",\"q\":\"0.5\",\"m\":true}}\n";
    let mut text = trade.to_owned();
    for i in 0..1_000_000 {
        text += &format!(
            "1 {{\"stream\":\"\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":{i},\"u\":{i},\"b\":[],\"a\":[]}}}}\n"
        );
    }
    let packed = market_streams::gzip(text.as_bytes());
    drop(text);
    let (bytes, done) = most(|| devour(packed));
    assert_eq!(done, (1, 0));
    assert!(bytes < 96 * MIB, "updates that wait: {bytes} bytes");

    // JSON whose values take many times the memory of their text, in the first lines and behind them.
    for bomb in ["{\"\":0},", "[],", "0,", "[\"\",\"\"],"] {
        let list = bomb.repeat((8 * MIB - 100) / bomb.len());
        for place in ["", "\"data\":", "\"b\":", "\"x\":"] {
            let line = if place.is_empty() {
                format!("1 [{}0]\n", list)
            } else {
                format!("1 {{\"e\":\"depthUpdate\",\"s\":\"X\",{place}[{list}0]}}\n")
            };
            let text = trade.to_owned() + &line + &trade.repeat(3);
            let packed = market_streams::gzip(text.as_bytes());
            drop((text, line));
            let (bytes, (events, _)) = most(|| devour(packed));
            assert_eq!(events, 4);
            assert!(bytes < 96 * MIB, "{place}{bomb}: {bytes} bytes");
        }
    }
}

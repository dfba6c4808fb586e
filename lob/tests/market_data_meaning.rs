//! What feeds say that is not what it seems: placeholders, sides that mean nothing, crosses, fills that are announced before they happen.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::io::Write;

use lob::data::market::{Input, Inspector, Kind, MarketEvent, MarketReader, ReadOptions, open, open_input};
use lob::{Price, Quantity, Side};

fn options(tick: Option<&str>, strict: bool) -> ReadOptions {
    ReadOptions { strict, tick: tick.map(|tick| tick.parse().unwrap()), ..ReadOptions::default() }
}

fn reader(bytes: &[u8], options: &ReadOptions) -> Box<dyn MarketReader> {
    open_input(Input::from_bytes(bytes).unwrap(), options).unwrap()
}

fn events(reader: &mut dyn MarketReader) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    while reader.read(&mut events).unwrap() {}
    events
}

fn causes(reader: &dyn MarketReader) -> Vec<(&'static str, u64)> {
    let causes = reader.causes().into_iter().filter(|cause| cause.count > 0);
    causes.map(|cause| (cause.name, cause.count)).collect()
}

#[test]
fn binance_trades_that_are_none_of_the_market_are_counted_and_no_events() {
    let line = |p: &str, q: &str, of: &str| {
        format!(
            "1 {{\"stream\":\"x\",\"data\":{{\"e\":\"trade\",\"E\":7,\"T\":6,\"s\":\"X\",\"t\":8,\"p\":\"{p}\",\"q\":\"{q}\"{of},\"m\":true}}}}\n"
        )
    };
    let text = line("1.50", "0.5", ",\"X\":\"MARKET\"")
        + &line("0", "0", ",\"X\":\"NA\"")
        + &line("1.50", "0.5", ",\"X\":\"INSURANCE_FUND\"")
        // In another order of fields, and without lots.
        + "1 {\"data\":{\"X\":\"ADL\",\"e\":\"trade\",\"E\":7,\"s\":\"X\",\"t\":8,\"q\":\"0.5\",\"p\":\"1.50\",\"m\":true}}\n"
        + &line("1.50", "0.0", "");
    let mut reader = reader(text.as_bytes(), &options(None, true));
    let events = events(reader.as_mut());
    assert_eq!(events.iter().map(|event| event.price).collect::<Vec<_>>(), [Price(3)]);
    assert_eq!(causes(reader.as_ref()), [("no_trade", 4)]);
}

fn itch_message(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![kind, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    fields.iter().for_each(|field| message.extend(*field));
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

/// An order of 10 at 1.00, a hidden trade and a cross, at prices in units of 0.0001.
fn itch(hidden: u32, cross: u32) -> Vec<u8> {
    let order =
        [&1_u64.to_be_bytes()[..], b"B", &10_u32.to_be_bytes(), b"TEST    ", &10_000_u32.to_be_bytes()];
    let mut bytes = itch_message(b'A', &order);
    let trade = [
        &0_u64.to_be_bytes()[..],
        b"B",
        &4_u32.to_be_bytes(),
        b"TEST    ",
        &hidden.to_be_bytes(),
        &7_u64.to_be_bytes(),
    ];
    bytes.extend(itch_message(b'P', &trade));
    let crossing =
        [&900_u64.to_be_bytes()[..], b"TEST    ", &cross.to_be_bytes(), &8_u64.to_be_bytes(), b"O"];
    bytes.extend(itch_message(b'Q', &crossing));
    bytes
}

#[test]
fn itch_does_not_say_who_met_a_hidden_order() {
    let mut reader = reader(&itch(10_000, 10_000), &options(None, true));
    let trades: Vec<MarketEvent> =
        events(reader.as_mut()).into_iter().filter(|event| event.kind == Kind::Trade).collect();
    let seen: Vec<_> =
        trades.iter().map(|trade| (trade.side, trade.quantity.0, trade.has(MarketEvent::HIDDEN))).collect();
    assert_eq!(seen, [(None, 4, true), (None, 900, false)]);
}

#[test]
fn the_end_of_an_itch_session_ends_the_file() {
    let mut bytes = itch(10_000, 10_000);
    bytes.extend([0, 0]);
    let mut sound = reader(&bytes, &options(None, true));
    assert_eq!((events(sound.as_mut()).len(), sound.tally().damaged), (3, 0));
    assert!(!sound.read(&mut Vec::new()).unwrap(), "it stays ended");
    bytes.extend(itch(10_000, 10_000));
    let mut longer = reader(&bytes, &options(None, false));
    assert_eq!((events(longer.as_mut()).len(), longer.tally().damaged), (3, 1));
}

#[test]
fn lobster_hidden_trades_and_crosses_have_no_side_and_tell_no_tick() {
    let text = "34200.1,1,11,20,1000000,1\n\
                34200.2,1,12,20,1000200,-1\n\
                34200.3,5,0,7,1000050,1\n\
                34200.4,5,0,6,1000000,1\n\
                34200.5,6,-1,500,1000000,-1\n\
                34200.6,4,99,3,1000200,-1\n\
                34200.7,7,-1,0,-1,-1\n";
    let mut plain = reader(text.as_bytes(), &options(None, true));
    let found = events(plain.as_mut());
    assert_eq!(plain.instruments()[0].tick.to_string(), "0.02");
    let trades: Vec<_> = found
        .iter()
        .filter(|event| event.kind == Kind::Trade)
        .map(|trade| (trade.side, trade.quantity.0, trade.has(MarketEvent::HIDDEN)))
        .collect();
    // The last is of a visible order from before the file.
    assert_eq!(trades, [(None, 6, true), (None, 500, false), (Some(Side::Buy), 3, false)]);
    assert_eq!(causes(plain.as_ref()), [("never_added", 1), ("off_tick_trade", 1)]);
    // An order between two ticks is damage still.
    let mut off = reader(b"1.0,1,11,20,1000050,1\n", &options(Some("0.01"), false));
    assert_eq!((events(off.as_mut()).len(), off.tally().damaged), (0, 1));
}

/// A file of the package hftbacktest, in the manner of its converters.
fn npz(name: &str, rows: &[(u64, u64, f64, f64, u64)]) -> std::path::PathBuf {
    const FIELDS: &str = "[('ev','<u8'),('exch_ts','<i8'),('local_ts','<i8'),('px','<f8'),('qty','<f8'),('order_id','<u8'),('ival','<i8'),('fval','<f8')]";
    let mut header = format!("{{'descr': {FIELDS}, 'fortran_order': False, 'shape': ({},), }}", rows.len());
    let padding = 64 - (10 + header.len() + 1) % 64;
    header += &" ".repeat(padding);
    header.push('\n');
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    for &(ev, time, price, lots, id) in rows {
        // `ival` has the flags of Databento.
        let both = 1 << 31 | 1 << 30;
        for word in [ev | both, time, time, price.to_bits(), lots.to_bits(), id, 128, 0] {
            array.extend(word.to_le_bytes());
        }
    }
    let path = std::env::temp_dir().join(format!("lob-meaning-{name}-{}.npz", std::process::id()));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("data.npy", stored).unwrap();
    archive.write_all(&array).unwrap();
    archive.finish().unwrap();
    path
}

#[test]
fn fills_of_the_package_announce_what_its_cancellations_take_out() {
    const BUY: u64 = 1 << 29;
    const SELL: u64 = 1 << 28;
    let [trade, add, cancel, fill] = [2, 10, 11, 13];
    let path = npz(
        "orders",
        &[
            (add | BUY, 1, 100.0, 10.0, 1),
            (add | SELL, 2, 100.5, 5.0, 2),
            (trade | SELL, 3, 100.0, 4.0, 0),
            (fill | BUY, 3, 100.0, 4.0, 1),
            (cancel | BUY, 3, 100.0, 4.0, 1),
            (cancel | BUY, 4, 100.0, 1.0, 1),
            (trade | BUY, 5, 0.0, 0.0, 0),
            // What says no number takes all of it.
            (cancel | SELL, 6, 0.0, 0.0, 2),
        ],
    );
    let mut reader = open(&path, &options(None, true)).unwrap();
    let found = events(reader.as_mut());
    std::fs::remove_file(&path).unwrap();
    use Kind::*;
    let kinds: Vec<Kind> = found.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Add, Add, Trade, Unchanged, Execute, Reduce, Delete]);
    let mut inspector = Inspector::new();
    found.iter().for_each(|event| inspector.see(event));
    let book = inspector.book(0).unwrap();
    assert_eq!(book.best(Side::Buy).map(|best| best.1), Some(Quantity(5)));
    assert_eq!(book.best(Side::Sell), None);
    assert_eq!(inspector.finish()[0].problems.total(), 0);
}

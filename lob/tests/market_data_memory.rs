//! Converting takes as much memory for many events as for few.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod market_streams;

use lob::data::market::{EventsWriter, Instrument, Kind, MarketEvent, Origin, Step};
use lob::{Nanos, Price, Quantity, Side};
use market_streams::memory::Peak;

#[global_allocator]
static MEMORY: Peak = Peak::new();

/// Level updates whose exchange stamps are late by turns, so that both orders have to be sorted, with an hour's delay now and then.
fn event(i: u64) -> MarketEvent {
    let exchange = 10_000_000_000_000 + i * 1_000 - i * 7_919 % 50_000;
    let delay = if i % 100_000 == 99_999 { 3_600_000_000_000 } else { 60_000 + i * 104_729 % 50_000 };
    MarketEvent {
        price: Price(1_000 + (i % 64) as i64),
        quantity: Quantity(i % 9),
        side: Some(Side::Buy),
        flags: MarketEvent::LAST,
        ..MarketEvent::new(Kind::Level, Nanos(exchange), Nanos(exchange + delay))
    }
}

#[test]
fn ten_times_as_many_events_take_no_more_memory() {
    let path = std::env::temp_dir().join(format!("lob-memory-{}.npz", std::process::id()));
    let instrument = Instrument {
        symbol: "X".into(),
        tick: Step::ONE,
        tick_origin: Origin::Given,
        lot: Step::ONE,
        lot_origin: Origin::Given,
    };
    let mut batch = Vec::with_capacity(1_000);
    let mut peaks = Vec::new();
    for count in [300_000_u64, 3_000_000] {
        let before = MEMORY.begin();
        let mut writer = EventsWriter::create(&path).unwrap();
        for first in (0..count).step_by(1_000) {
            batch.clear();
            batch.extend((first..first + 1_000).map(event));
            writer.push(&batch).unwrap();
        }
        let written = writer.finish(&instrument, &[("tool", "test")], &mut || true).unwrap().unwrap();
        assert!(written.records >= count && written.split > count / 10, "{written:?}");
        peaks.push(MEMORY.most() - before);
    }
    std::fs::remove_file(&path).unwrap();
    eprintln!("most bytes in use: {peaks:?}");
    // All 3,000,000 would be 360 MB.
    assert!(peaks[1] < 40 << 20 && peaks[1] < peaks[0] + (8 << 20), "{peaks:?}");
}

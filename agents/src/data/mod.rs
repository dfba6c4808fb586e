//! Market data files: what is in one, whether it is sound, and its events in another format.

mod bars;
mod clock;
mod convert;
mod parquet;
mod render;
mod replay;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use lob::Nanos;
use lob::data::market::{
    BookAgreement, BookProblems, Damage, Inspector, Kind, MarketReader, QuoteAgreement, ReadError, Spells,
    Summary,
};
use serde::Serialize;

pub use bars::{BarsWritten, write_bars};
use clock::Clock;
pub use clock::{OutOfOrder, Silence, Silences};
pub use convert::{Conversion, ConvertError, Target, convert};
pub use parquet::ParquetEvents;
pub(crate) use render::civil;
pub use render::{render_check, render_info};
pub use replay::{Outcome, Played, PlayedOrder, QuotePlan, play};

/// Nanoseconds in a second.
pub(crate) const NANOS: f64 = 1e9;

/// What a file of market data holds: docs/cli.md, "lobgym data".
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// 1.
    pub schema_version: u32,
    /// The file.
    pub file: String,
    /// Name of its format.
    pub format: &'static str,
    /// The same in words.
    pub format_description: &'static str,
    /// How it is compressed.
    pub compression: &'static str,
    /// Lines or records.
    pub records: u64,
    /// Records that mean nothing to a book.
    pub ignored: u64,
    /// Records that could not be read.
    pub damaged: u64,
    /// Where the first of them are, and what is wrong with them.
    pub damages: Vec<DamageAt>,
    /// Records that do not fit what came before, by cause.
    pub mismatches: Vec<Mismatch>,
    /// The order-book file beside the messages, if there is one.
    pub orderbook: Option<Orderbook>,
    /// Stretches of time without any event.
    pub silences: Silences,
    /// The first events whose stamps are out of order; `instruments` has how many there are.
    pub out_of_order: Vec<OutOfOrder>,
    /// By instrument, those without an event left out.
    pub instruments: Vec<InstrumentSurvey>,
}

/// An order-book file, compared with the book that the messages build.
#[derive(Clone, Debug, Serialize)]
pub struct Orderbook {
    /// The file.
    pub file: String,
    /// How it agrees.
    #[serde(flatten)]
    pub agreement: BookAgreement,
    /// Its first damaged lines.
    pub damages: Vec<DamageAt>,
}

/// A damaged record.
#[derive(Clone, Debug, Serialize)]
pub struct DamageAt {
    /// Line or record, from 1.
    pub record: u64,
    /// Bytes before it, unpacked.
    pub byte: u64,
    /// What is wrong.
    pub reason: String,
}

/// Records that do not fit what came before.
#[derive(Clone, Debug, Serialize)]
pub struct Mismatch {
    /// Name of the cause.
    pub cause: &'static str,
    /// What it means, and what is done.
    pub meaning: &'static str,
    /// Records.
    pub count: u64,
}

/// The events of one instrument.
#[derive(Clone, Debug, Serialize)]
pub struct InstrumentSurvey {
    /// As the feed calls it.
    pub symbol: String,
    /// Tick size.
    pub tick: String,
    /// Where it comes from.
    pub tick_origin: String,
    /// Lot size.
    pub lot: String,
    /// Where it comes from.
    pub lot_origin: String,
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// First and last exchange stamp, ns.
    pub exchange_time: Option<(u64, u64)>,
    /// First and last local stamp, ns.
    pub local_time: Option<(u64, u64)>,
    /// Events with an exchange stamp before an earlier event's.
    pub exchange_time_backwards: u64,
    /// Events with a local stamp before an earlier event's.
    pub local_time_backwards: u64,
    /// Events whose local stamp precedes their exchange stamp.
    pub received_before_sent: u64,
    /// Missing messages: times during which the book was stale.
    pub stale: Spells,
    /// True if it still was at the end: no snapshot came any more.
    pub stale_at_end: bool,
    /// Best bid above best ask.
    pub crossed: Spells,
    /// Best bid equal to best ask.
    pub locked: Spells,
    /// Events that did not fit the book.
    pub book_problems: BookProblems,
    /// Orders at the end.
    pub resting_orders: u64,
    /// The most orders at one time.
    pub most_orders: u64,
    /// Best bid at the end: price and size.
    pub best_bid: Option<(f64, f64)>,
    /// Best ask at the end: price and size.
    pub best_ask: Option<(f64, f64)>,
    /// Announced best prices against the book.
    pub quotes: Option<QuoteAgreement>,
}

/// Why a survey did not come to its end.
#[derive(Debug)]
pub enum SurveyError {
    /// The file.
    Read(ReadError),
    /// It was asked to stop.
    Stopped,
}

/// Reads all of a file, and replays it; `orderbook` is what the order-book file that the reader was given is called, and `gap` is from when on
/// time without an event is listed.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(
    file: &str,
    orderbook: Option<&str>,
    gap: Nanos,
    reader: &mut dyn MarketReader,
    stop: &AtomicBool,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Survey, SurveyError> {
    let (mut inspector, mut events, mut clock) = (Inspector::new(), Vec::new(), Clock::new(gap));
    loop {
        events.clear();
        let records = reader.tally().records;
        let more = reader.read(&mut events).map_err(SurveyError::Read)?;
        events.iter().for_each(|event| inspector.see(event));
        clock.see(&events, (records + 1, reader.tally().records));
        if stop.load(Ordering::Relaxed) {
            return Err(SurveyError::Stopped);
        }
        let (done, all) = reader.progress();
        progress(done, all);
        if !more {
            break;
        }
    }
    let tally = reader.tally();
    let summaries = inspector.finish();
    let instruments = reader.instruments().iter().zip(&summaries).map(|(instrument, summary)| {
        let money = |side: usize| {
            summary.best[side]
                .map(|(price, lots)| (instrument.tick.value(price), instrument.lot.value(lots as i64)))
        };
        InstrumentSurvey {
            symbol: instrument.symbol.clone(),
            tick: instrument.tick.to_string(),
            tick_origin: instrument.tick_origin.to_string(),
            lot: instrument.lot.to_string(),
            lot_origin: instrument.lot_origin.to_string(),
            events: by_kind(summary),
            exchange_time: summary.exchange_time,
            local_time: summary.local_time,
            exchange_time_backwards: summary.exchange_time_backwards,
            local_time_backwards: summary.local_time_backwards,
            received_before_sent: summary.received_before_sent,
            stale: summary.stale,
            stale_at_end: summary.stale_at_end,
            crossed: summary.crossed,
            locked: summary.locked,
            book_problems: summary.problems,
            resting_orders: summary.resting_orders,
            most_orders: summary.most_orders,
            best_bid: money(0),
            best_ask: money(1),
            quotes: summary.quotes,
        }
    });
    let (silences, out_of_order) = clock.finish();
    let orderbook = reader.orderbook().map(|(agreement, damages)| Orderbook {
        file: orderbook.unwrap_or_default().to_owned(),
        agreement,
        damages: located(damages),
    });
    Ok(Survey {
        schema_version: 1,
        file: file.to_owned(),
        format: reader.format().name(),
        format_description: reader.format().description(),
        compression: reader.compression().name(),
        records: tally.records,
        ignored: tally.ignored,
        damaged: tally.damaged,
        damages: located(&tally.damages),
        mismatches: (reader.causes().into_iter())
            .map(|cause| Mismatch { cause: cause.name, meaning: cause.meaning, count: cause.count })
            .collect(),
        orderbook,
        silences,
        out_of_order,
        instruments: instruments.filter(|instrument| !instrument.events.is_empty()).collect(),
    })
}

fn located(damages: &[Damage]) -> Vec<DamageAt> {
    let damages = damages.iter().map(|damage| DamageAt {
        record: damage.position.record,
        byte: damage.position.byte,
        reason: damage.reason.clone(),
    });
    damages.collect()
}

fn by_kind(summary: &Summary) -> BTreeMap<&'static str, u64> {
    let counts = Kind::ALL.into_iter().map(|kind| (kind.name(), summary.count(kind)));
    counts.filter(|&(_, count)| count > 0).collect()
}

impl Survey {
    /// Records that do not fit what came before.
    pub fn mismatched(&self) -> u64 {
        self.mismatches.iter().map(|mismatch| mismatch.count).sum()
    }

    /// What makes the file unsound, in words: damaged records, events that do not fit the book, quotes that contradict it, a book
    /// that stays stale to the end. Other named mismatches are what feeds do, and leave the book right once the next snapshot has come.
    pub fn unsound(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                reasons.push(format!("{count} {what}"));
            }
        };
        add(self.damaged, "damaged records");
        if let Some(Orderbook { agreement, .. }) = &self.orderbook {
            add(agreement.damaged_rows, "damaged lines of the order-book file");
            add(agreement.contradictions(), "levels of the order-book file that contradict the messages");
            add(agreement.messages_without_row, "messages behind the end of the order-book file");
            add(agreement.rows_without_message, "lines of the order-book file behind the last message");
        }
        for instrument in &self.instruments {
            let symbol = &instrument.symbol;
            // Orders that rest when a file begins are usual, and nothing is wrong with the book afterwards.
            let problems = &instrument.book_problems;
            add(
                problems.total() - problems.unknown_order,
                &format!("events of {symbol} that do not fit the book"),
            );
            add(u64::from(instrument.stale_at_end), &format!("gap in {symbol} that no snapshot ends"));
            if let Some(quotes) = &instrument.quotes {
                add(
                    quotes.same_update_differs,
                    &format!("quotes of {symbol} that differ from the update they share a number with"),
                );
                add(quotes.unexplained, &format!("quotes of {symbol} that no state of the book explains"));
            }
        }
        reasons
    }
}

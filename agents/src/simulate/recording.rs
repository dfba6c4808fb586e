//! A session's events and book snapshots, as files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lob::data::NpzWriter;
use lob::flow::FlowConfig;
use lob::sim::derive_seed;
use lob::{Event, Handle, Owner, Price, Quantity, Side};

use lobgym_benches::atomic::write_text;

use super::SimulateError;
use super::session::{Sides, bare_simulator};

/// Names of the event kinds; their places are the numbers in the `.npz`.
pub const EVENT_KINDS: [&str; 8] =
    ["accepted", "rejected", "trade", "cancelled", "amended", "triggered", "expired", "replenished"];

/// A file whose ending says its format.
#[derive(Clone, Debug)]
pub enum Target {
    /// NumPy arrays.
    Npz(PathBuf),
    /// Text with a header line.
    Csv(PathBuf),
}

impl Target {
    /// The file of a path, by its ending.
    ///
    /// # Errors
    /// What is legal.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Ok(Self::Npz(path)),
            Some("csv") => Ok(Self::Csv(path)),
            _ => Err("legal: a file that ends in .npz or .csv".to_owned()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Npz(path) | Self::Csv(path) => path,
        }
    }
}

/// What is recorded of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Every event, in order, from the opening book on.
    pub events: Vec<RecordedEvent>,
    /// The book at 0, `interval`, 2 `interval`, ... seconds.
    pub snapshots: Vec<Snapshot>,
    /// Levels of the snapshots.
    pub levels: usize,
}

/// An event as it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordedEvent {
    /// When, in seconds.
    pub time: f64,
    /// What.
    pub event: Event,
    /// The side of the order that it is about; of a trade, the incoming one's.
    pub side: Option<Side>,
}

/// The book at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When, in seconds.
    pub time: f64,
    /// The best bid.
    pub bid: Option<Price>,
    /// The best ask.
    pub ask: Option<Price>,
    /// Visible lots at the best, one tick behind it, ...; bids, asks.
    pub lots: [Vec<Quantity>; 2],
}

/// One event as a row of a file. What its kind does not have is `None`.
struct EventRow {
    time: f64,
    kind: usize,
    owner: Option<Owner>,
    side: Option<Side>,
    price: Option<Price>,
    quantity: Option<Quantity>,
    handle: Option<Handle>,
    maker_owner: Option<Owner>,
    maker_handle: Option<Handle>,
}

/// Plays session 0 once more, and writes down everything.
pub(super) fn record(
    flow: &FlowConfig,
    seed: u64,
    seconds: f64,
    interval: f64,
    levels: usize,
    stopped: &dyn Fn() -> bool,
) -> Result<Recording, SimulateError> {
    let mut sim = bare_simulator(flow)?;
    sim.reset(derive_seed(seed, 0));
    let (mut events, mut snapshots, mut sides) = (Vec::new(), Vec::new(), Sides::default());
    let last = (seconds / interval * (1.0 + 1e-12)).floor() as u64;
    for index in 0..=last + 1 {
        if stopped() {
            return Err(SimulateError::Stopped);
        }
        let time = if index > last { seconds } else { (index as f64 * interval).min(seconds) };
        sim.run_until(time);
        let log = sim.market_mut().take_log();
        events.extend(log.into_iter().map(|(time, event)| RecordedEvent {
            time,
            event,
            side: sides.follow(&event),
        }));
        if index > last {
            break;
        }
        let book = sim.market().book();
        let mut lots = [vec![Quantity::ZERO; levels], vec![Quantity::ZERO; levels]];
        for (side, lots) in [Side::Buy, Side::Sell].into_iter().zip(&mut lots) {
            book.depth_from_own_best(side, lots);
        }
        snapshots.push(Snapshot { time, bid: book.best_bid(), ask: book.best_ask(), lots });
    }
    Ok(Recording { events, snapshots, levels })
}

fn row(&RecordedEvent { time, event, side }: &RecordedEvent) -> EventRow {
    let about = |kind, owner, handle, price, quantity| EventRow {
        time,
        kind,
        owner: Some(owner),
        side,
        price,
        quantity,
        handle: Some(handle),
        maker_owner: None,
        maker_handle: None,
    };
    match event {
        Event::Accepted { handle, owner, price, quantity, .. } => {
            about(0, owner, handle, price, Some(quantity))
        }
        Event::Rejected { owner, .. } => EventRow {
            time,
            kind: 1,
            owner,
            side,
            price: None,
            quantity: None,
            handle: None,
            maker_owner: None,
            maker_handle: None,
        },
        Event::Trade { maker, taker, maker_owner, taker_owner, price, quantity, .. } => EventRow {
            maker_owner: Some(maker_owner),
            maker_handle: Some(maker),
            ..about(2, taker_owner, taker, Some(price), Some(quantity))
        },
        Event::Cancelled { handle, owner, quantity, .. } => about(3, owner, handle, None, Some(quantity)),
        Event::Amended { handle, owner, price, quantity, .. } => {
            about(4, owner, handle, price, Some(quantity))
        }
        Event::Triggered { handle, owner } => about(5, owner, handle, None, None),
        Event::Expired { handle, owner, quantity } => about(6, owner, handle, None, Some(quantity)),
        Event::Replenished { handle, owner, visible } => about(7, owner, handle, None, Some(visible)),
    }
}

/// An empty cell for what is not there.
fn cell(value: Option<impl std::fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn price_or_nan(price: Option<Price>) -> f64 {
    price.map_or(f64::NAN, |price| price.0 as f64)
}

fn write(path: &Path, text: &str) -> Result<(), SimulateError> {
    write_text(path, text).map_err(|source| SimulateError::Output { path: path.to_owned(), source })
}

impl Recording {
    /// Writes the events: docs/data_format.md, "Session events".
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn write_events(&self, target: &Target) -> Result<(), SimulateError> {
        match target {
            Target::Csv(path) => write(path, &self.events_csv()),
            Target::Npz(path) => self.events_npz(path),
        }
    }

    /// Writes the snapshots: docs/data_format.md, "Book snapshots".
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn write_snapshots(&self, target: &Target) -> Result<(), SimulateError> {
        match target {
            Target::Csv(path) => write(path, &self.snapshots_csv()),
            Target::Npz(path) => self.snapshots_npz(path),
        }
    }

    fn events_csv(&self) -> String {
        let mut text = "time,kind,owner,side,price,quantity,handle,maker_owner,maker_handle\n".to_owned();
        for row in self.events.iter().map(row) {
            let (kind, side) = (EVENT_KINDS[row.kind], cell(row.side.map(side_name)));
            let owners = [row.owner, row.maker_owner].map(|owner| cell(owner.map(|owner| owner.0)));
            let handles = [row.handle, row.maker_handle].map(|handle| cell(handle.map(Handle::to_bits)));
            let price = cell(row.price.map(|price| price.0));
            let quantity = cell(row.quantity.map(|quantity| quantity.0));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{},{kind},{},{side},{price},{quantity},{},{},{}",
                row.time, owners[0], handles[0], owners[1], handles[1]
            );
        }
        text
    }

    fn events_npz(&self, path: &Path) -> Result<(), SimulateError> {
        let shape = [self.events.len()];
        let rows: Vec<EventRow> = self.events.iter().map(row).collect();
        let integers = |of: &dyn Fn(&EventRow) -> Option<i64>| -> Vec<i64> {
            rows.iter().map(|row| of(row).unwrap_or(-1)).collect()
        };
        let floats = |of: &dyn Fn(&EventRow) -> f64| -> Vec<f64> { rows.iter().map(of).collect() };
        let bits = |handle: Handle| handle.to_bits().cast_signed();
        let mut file = NpzWriter::create(path)?;
        file.scalar_i64("format_version", 1)?;
        file.array_f64("time", &shape, &floats(&|row| row.time))?;
        file.array_i64("kind", &shape, &integers(&|row| Some(row.kind as i64)))?;
        file.strings("kinds", &EVENT_KINDS)?;
        file.array_i64("owner", &shape, &integers(&|row| row.owner.map(|owner| i64::from(owner.0))))?;
        file.array_i64("side", &shape, &integers(&|row| row.side.map(|side| side.index() as i64)))?;
        file.array_f64("price", &shape, &floats(&|row| price_or_nan(row.price)))?;
        let quantity = |row: &EventRow| row.quantity.map(|lots| lots.0.cast_signed());
        file.array_i64("quantity", &shape, &integers(&quantity))?;
        file.array_i64("handle", &shape, &integers(&|row| row.handle.map(bits)))?;
        let maker_owner = |row: &EventRow| row.maker_owner.map(|owner| i64::from(owner.0));
        file.array_i64("maker_owner", &shape, &integers(&maker_owner))?;
        file.array_i64("maker_handle", &shape, &integers(&|row| row.maker_handle.map(bits)))?;
        Ok(file.finish()?)
    }

    fn snapshots_csv(&self) -> String {
        let mut text = "time,best_bid,best_ask".to_owned();
        for side in ["bid", "ask"] {
            for level in 0..self.levels {
                let _ = write!(text, ",{side}_lots_{level}");
            }
        }
        text.push('\n');
        for snapshot in &self.snapshots {
            let [bid, ask] = [snapshot.bid, snapshot.ask].map(|price| cell(price.map(|price| price.0)));
            let _ = write!(text, "{},{bid},{ask}", snapshot.time);
            for lots in snapshot.lots.iter().flatten() {
                let _ = write!(text, ",{}", lots.0);
            }
            text.push('\n');
        }
        text
    }

    fn snapshots_npz(&self, path: &Path) -> Result<(), SimulateError> {
        let shape = [self.snapshots.len()];
        let floats = |of: &dyn Fn(&Snapshot) -> f64| -> Vec<f64> { self.snapshots.iter().map(of).collect() };
        let lots = |side: Side| -> Vec<i64> {
            let lots = self.snapshots.iter().flat_map(|snapshot| &snapshot.lots[side.index()]);
            lots.map(|lots| lots.0.cast_signed()).collect()
        };
        let mut file = NpzWriter::create(path)?;
        file.scalar_i64("format_version", 1)?;
        file.array_f64("time", &shape, &floats(&|snapshot| snapshot.time))?;
        file.array_f64("best_bid", &shape, &floats(&|snapshot| price_or_nan(snapshot.bid)))?;
        file.array_f64("best_ask", &shape, &floats(&|snapshot| price_or_nan(snapshot.ask)))?;
        let shape = [self.snapshots.len(), self.levels];
        file.array_i64("bid_lots", &shape, &lots(Side::Buy))?;
        file.array_i64("ask_lots", &shape, &lots(Side::Sell))?;
        Ok(file.finish()?)
    }
}

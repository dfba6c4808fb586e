//! Bars of market data: prices of trades, volume, and the best quotes, by time.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use lob::data::market::{Instrument, Kind, MarketEvent, MarketReader, Step, apply};
use lob::{FeedBook, Price, Side};
use lobgym_benches::atomic::write_atomically;
use serde::Serialize;

use super::ConvertError;
use super::convert::each_event;

/// A pause of more intervals than this has no bars.
const LONGEST_PAUSE: u64 = 10_000;

/// Names of the columns: those of `lobgym collect --bars-file`.
const COLUMNS: &str =
    "start_ns,open,high,low,close,volume,trades,quotes,spread,imbalance,bid,bid_size,ask,ask_size,complete";

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BarsWritten {
    /// Bars.
    pub bars: u64,
    /// Of them, those without a trade.
    pub empty: u64,
    /// Trades in them.
    pub trades: u64,
    /// Events read.
    pub events: u64,
    /// Events that did not fit the book: `lobgym data check` says which.
    pub misfits: u64,
}

/// The best quote: price and size of bid and ask, in the instrument's units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Quote {
    price: [f64; 2],
    size: [f64; 2],
    spread: f64,
}

/// A bar in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Bar {
    prices: Option<[f64; 4]>,
    volume: f64,
    trades: u64,
    quotes: u64,
    /// Integrals over the time with a known quote, ns, of spread and imbalance.
    quoted_ns: u64,
    spread: f64,
    imbalance: f64,
}

/// Makes bars of one instrument's events and writes each once it is over.
struct Maker<'a, W> {
    out: W,
    interval_ns: u64,
    tick: Step,
    lot: Step,
    book: FeedBook,
    /// Whether the feed names the orders that trade; its notices of trades are then of hidden ones, or said twice.
    by_order: bool,
    /// Orders that crossed the book as they came, the latest last, as feeds show them that name both sides of a trade; and how many lots of the other
    /// side have traded since without theirs having been told, or the other way round.
    crossed: Vec<(u64, i64)>,
    bar: Bar,
    /// When the bar began; none before the first event.
    start: Option<u64>,
    /// When the first event was: the first bar is whole only if that was its beginning.
    first: u64,
    now: u64,
    quote: Option<Quote>,
    written: &'a mut BarsWritten,
}

impl<W: Write> Maker<'_, W> {
    fn take(&mut self, events: &[MarketEvent]) -> io::Result<()> {
        for event in events {
            self.advance(event.exchange_time.0)?;
            self.written.events += 1;
            self.by_order |= matches!(event.kind, Kind::Add | Kind::Execute);
            let price = match event.kind {
                Kind::Execute => self.executed(event),
                Kind::Trade if !self.by_order => Some(event.price),
                _ => None,
            };
            if let (Kind::Add, Some(side)) = (event.kind, event.side)
                && self.crosses(side, event.price)
            {
                self.crossed.push((event.id, 0));
            }
            if let Some(price) = price {
                self.trade(self.tick.value(price.0), self.lot.value(event.quantity.0 as i64));
            }
            self.written.misfits += u64::from(apply(&mut self.book, event).is_err());
            if !self.crossed.is_empty() && matches!(event.kind, Kind::Delete | Kind::Execute | Kind::Reduce) {
                let Self { book, crossed, .. } = self;
                crossed.retain(|(id, _)| book.order(*id).is_some());
            }
            if event.has(MarketEvent::LAST) {
                self.look();
            }
        }
        Ok(())
    }

    fn crosses(&self, side: Side, price: Price) -> bool {
        self.book.best_price(side.opposite()).is_some_and(|best| match side {
            Side::Buy => price >= best,
            Side::Sell => price <= best,
        })
    }

    /// The price of an execution, if it is of an order that rested: the one that came to it trades at that price as well, whatever its own limit.
    fn executed(&mut self, event: &MarketEvent) -> Option<Price> {
        let order = self.book.order(event.id);
        // The order may be gone afterwards, and with it the price of an execution that does not say it.
        let price = if event.has(MarketEvent::UNPRICED) { order?.price } else { event.price };
        let side = order.map(|order| order.side).or(event.side);
        let lots = event.quantity.0 as i64;
        if let Some(place) = self.crossed.iter().position(|(id, _)| *id == event.id) {
            let is_latest = place + 1 == self.crossed.len();
            let crosses = is_latest && order.is_some_and(|order| self.crosses(order.side, order.price));
            let (_, balance) = &mut self.crossed[place];
            if *balance > 0 || crosses {
                *balance -= lots;
                return None;
            }
        }
        for (id, balance) in &mut self.crossed {
            let other = self.book.order(*id).map(|order| order.side);
            if other.is_some() && other != side {
                *balance += lots;
            }
        }
        Some(price)
    }

    fn trade(&mut self, price: f64, size: f64) {
        let bar = &mut self.bar;
        bar.prices = Some(match bar.prices {
            None => [price; 4],
            Some([open, high, low, _]) => [open, high.max(price), low.min(price), price],
        });
        bar.volume += size;
        bar.trades += 1;
        self.written.trades += 1;
    }

    fn look(&mut self) {
        let best = [Side::Buy, Side::Sell].map(|side| self.book.best(side));
        let quote = match best {
            // While it is crossed, a trade is on its way.
            [Some(bid), Some(ask)] if bid.0 >= ask.0 => self.quote,
            [Some(bid), Some(ask)] => Some(Quote {
                price: [bid.0, ask.0].map(|price| self.tick.value(price.0)),
                spread: self.tick.value(ask.0.0 - bid.0.0),
                size: [bid.1, ask.1].map(|quantity| self.lot.value(quantity.0 as i64)),
            }),
            _ => None,
        };
        if quote != self.quote {
            self.bar.quotes += 1;
            self.quote = quote;
        }
    }

    /// Time goes on to `time`, ns; stamps that go back are of the time before.
    fn advance(&mut self, time: u64) -> io::Result<()> {
        let aligned = time - time % self.interval_ns;
        let Some(mut start) = self.start else {
            (self.start, self.first, self.now) = (Some(aligned), time, time);
            return Ok(());
        };
        if time <= self.now {
            return Ok(());
        }
        let pause = aligned.saturating_sub(start) / self.interval_ns;
        while start < aligned {
            self.pass(start + self.interval_ns);
            self.write(start, start >= self.first)?;
            start = if pause > LONGEST_PAUSE { aligned } else { start + self.interval_ns };
        }
        self.start = Some(start);
        self.now = self.now.max(start);
        self.pass(time);
        Ok(())
    }

    /// The quote stands until `time`.
    fn pass(&mut self, time: u64) {
        let passed = time.saturating_sub(self.now);
        if let Some(Quote { size: [demand, supply], spread, .. }) = self.quote {
            let bar = &mut self.bar;
            bar.quoted_ns += passed;
            bar.spread += spread * passed as f64;
            bar.imbalance += (demand - supply) / (demand + supply) * passed as f64;
        }
        self.now = self.now.max(time);
    }

    fn write(&mut self, start: u64, complete: bool) -> io::Result<()> {
        let bar = std::mem::take(&mut self.bar);
        self.written.bars += 1;
        self.written.empty += u64::from(bar.trades == 0);
        write!(self.out, "{start}")?;
        let cell = |out: &mut W, value: Option<f64>| match value {
            Some(value) => write!(out, ",{}", rounded(value)),
            None => write!(out, ","),
        };
        for index in 0..4 {
            cell(&mut self.out, bar.prices.map(|prices| prices[index]))?;
        }
        write!(self.out, ",{},{},{}", rounded(bar.volume), bar.trades, bar.quotes)?;
        let mean = |sum: f64| (bar.quoted_ns > 0).then(|| sum / bar.quoted_ns as f64);
        for value in [mean(bar.spread), mean(bar.imbalance)] {
            cell(&mut self.out, value)?;
        }
        for side in 0..2 {
            cell(&mut self.out, self.quote.map(|quote| quote.price[side]))?;
            cell(&mut self.out, self.quote.map(|quote| quote.size[side]))?;
        }
        writeln!(self.out, ",{complete}")
    }

    /// The last bar, which may not be over.
    fn finish(mut self) -> io::Result<()> {
        if let Some(start) = self.start {
            self.write(start, false)?;
        }
        self.out.flush()
    }
}

/// Lots are decimal, volumes their sums and the others means over times: what they have beyond 10 significant digits is rounding.
fn rounded(value: f64) -> f64 {
    format!("{value:.9e}").parse().unwrap_or(value)
}

/// Reads all events of a file with one instrument and writes bars of `interval_ns` to a CSV file, which appears whole or not at all. Bars begin
/// at multiples of the interval; a bar without a trade has no prices; quotes are the best at its end, spread and imbalance means over the time
/// with a known quote; the first and the last bar are of what was seen of them (`complete` is false).
///
/// # Errors
/// [`ConvertError`].
pub fn write_bars(
    reader: &mut dyn MarketReader,
    path: &Path,
    interval_ns: u64,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<BarsWritten, ConvertError> {
    let mut written = BarsWritten::default();
    write_atomically(path, |file| -> Result<(), ConvertError> {
        let mut out = BufWriter::new(file);
        writeln!(out, "{COLUMNS}")?;
        let (mut out, mut maker) = (Some(out), None);
        let mut told = Some(&mut written);
        each_event(reader, stop, progress, &mut |instrument, events| {
            // At the first events, when the instrument is known.
            if let (Some(out), Some(written)) = (out.take(), told.take()) {
                maker = Some(maker_of(out, instrument, interval_ns, written));
            }
            maker.as_mut().map_or(Ok(()), |maker| Ok(maker.take(events)?))
        })?;
        maker.map_or(Ok(()), |maker| Ok(maker.finish()?))
    })?;
    Ok(written)
}

fn maker_of<'a, W: Write>(
    out: W,
    instrument: &Instrument,
    interval_ns: u64,
    written: &'a mut BarsWritten,
) -> Maker<'a, W> {
    Maker {
        out,
        interval_ns,
        tick: instrument.tick,
        lot: instrument.lot,
        book: FeedBook::new(1024),
        crossed: Vec::new(),
        by_order: false,
        bar: Bar::default(),
        start: None,
        first: 0,
        now: 0,
        quote: None,
        written,
    }
}

#[cfg(test)]
mod tests {
    use lob::{Nanos, Quantity};

    use super::*;

    #[test]
    fn bars_are_what_their_events_say() {
        let mut written = BarsWritten::default();
        let mut out = Vec::new();
        let instrument = Instrument {
            symbol: "X".into(),
            tick: Step::new(5, -1).unwrap(),
            lot: Step::power_of_ten(-1),
            tick_origin: lob::data::market::Origin::Given,
            lot_origin: lob::data::market::Origin::Given,
        };
        let event = |time: u64, kind, side, price, quantity| MarketEvent {
            price: Price(price),
            quantity: Quantity(quantity),
            side: Some(side),
            flags: MarketEvent::LAST,
            ..MarketEvent::new(kind, Nanos(time), Nanos(time))
        };
        {
            let mut maker = maker_of(&mut out, &instrument, 10, &mut written);
            maker
                .take(&[
                    event(20, Kind::Level, Side::Buy, 100, 30),
                    event(20, Kind::Level, Side::Sell, 102, 10),
                    event(23, Kind::Trade, Side::Buy, 102, 4),
                    MarketEvent { flags: 0, ..event(25, Kind::Level, Side::Sell, 102, 0) },
                    event(25, Kind::Level, Side::Sell, 104, 10),
                    event(26, Kind::Trade, Side::Sell, 100, 6),
                    // A stamp that goes back is of the time before.
                    event(24, Kind::Trade, Side::Sell, 101, 1),
                    event(45, Kind::Trade, Side::Buy, 104, 2),
                ])
                .unwrap();
            maker.finish().unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // 5 ns with a spread of 1, 5 with one of 2.
        assert_eq!(lines[0], "20,51,51,50,50.5,1.1,3,2,1.5,0.5,50,3,52,1,true");
        assert_eq!(lines[1], "30,,,,,0,0,0,2,0.5,50,3,52,1,true");
        assert_eq!(lines[2], "40,52,52,52,52,0.2,1,0,2,0.5,50,3,52,1,false");
        assert_eq!((written.bars, written.empty, written.trades, written.misfits), (3, 1, 4, 0));
    }

    #[test]
    fn a_feed_that_names_both_sides_of_a_trade_has_it_once_at_the_price_of_the_one_that_rested() {
        let mut written = BarsWritten::default();
        let mut out = Vec::new();
        let instrument = Instrument {
            symbol: "X".into(),
            tick: Step::power_of_ten(0),
            lot: Step::power_of_ten(0),
            tick_origin: lob::data::market::Origin::Given,
            lot_origin: lob::data::market::Origin::Given,
        };
        let event = |kind, id, side, price, quantity| MarketEvent {
            id,
            price: Price(price),
            quantity: Quantity(quantity),
            side: Some(side),
            flags: MarketEvent::LAST,
            ..MarketEvent::new(kind, Nanos(3), Nanos(3))
        };
        {
            let mut maker = maker_of(&mut out, &instrument, 10, &mut written);
            maker
                .take(&[
                    event(Kind::Add, 1, Side::Buy, 98, 9),
                    event(Kind::Add, 2, Side::Sell, 100, 4),
                    event(Kind::Add, 3, Side::Sell, 101, 5),
                    // Buys up to 120: takes 4 at 100 and 3 at 101, and rests with 2 more.
                    event(Kind::Add, 4, Side::Buy, 120, 9),
                    event(Kind::Execute, 2, Side::Sell, 100, 4),
                    event(Kind::Execute, 4, Side::Buy, 120, 4),
                    event(Kind::Execute, 4, Side::Buy, 120, 3),
                    event(Kind::Execute, 3, Side::Sell, 101, 3),
                    event(Kind::Delete, 3, Side::Sell, 101, 0),
                    // Now it is the one that rests.
                    event(Kind::Add, 5, Side::Sell, 110, 1),
                    event(Kind::Execute, 4, Side::Buy, 120, 1),
                    event(Kind::Execute, 5, Side::Sell, 110, 1),
                ])
                .unwrap();
            maker.finish().unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        let bar: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(bar[1..7], ["100", "120", "100", "120", "8", "3"], "{text}");
    }
}

//! `lobgym data replay`: play a file's book, watch it, quote in it.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use lob::data::market::{Instrument, ReadOptions, apply, orderbook_beside};
use lob::flow::{BookBefore, History, HistoryError, QueueEstimate, ReplayParams, Starts, TakenLiquidity};
use lob::{FeedBook, ParameterError, Side};
use serde::Serialize;

use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::data::{NANOS, Played, QuotePlan, play};

/// Estimates of places in queues, as options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QueueName {
    /// What is withdrawn was behind
    RiskAverse,
    /// From ahead and behind in proportion
    Proportional,
    /// By the logarithms of what is ahead and behind
    Logarithmic,
}

/// What becomes of lots that agents take, as an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TakenName {
    /// They are back with the next event
    Restored,
    /// They stay away
    Consumed,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The file; its format and compression are told by its content
    file: PathBuf,
    /// Tick size [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    tick: Option<String>,
    /// Lot size [default: what the format says, or inferred]
    #[arg(long, value_name = "SIZE")]
    lot: Option<String>,
    /// Which instrument, where the file has several
    #[arg(long)]
    symbol: Option<String>,
    /// Where to begin, in seconds from the first event
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    from: f64,
    /// Where to end, in seconds from the first event [default: the end of the file]
    #[arg(long, value_name = "SECONDS")]
    until: Option<f64>,
    /// How fast a terminal shows it: 1 is real time [default: as fast as possible, and only the end is shown]
    #[arg(long, value_name = "FACTOR", conflicts_with = "quote")]
    speed: Option<f64>,
    /// Levels of each side that are shown
    #[arg(long, default_value_t = 10)]
    levels: usize,
    /// Quote a bid and an ask this many ticks behind the best prices, post only, and tell what became of every order
    #[arg(long, value_name = "TICKS", allow_negative_numbers = true)]
    quote: Option<i64>,
    /// Lots of each quote
    #[arg(long, value_name = "LOTS", default_value_t = 1, requires = "quote")]
    size: u64,
    /// Seconds between two looks at the market
    #[arg(long, value_name = "SECONDS", default_value_t = 0.1, requires = "quote")]
    every: f64,
    /// Lots held, long or short, at which a side stops quoting [default: no limit]
    #[arg(long, value_name = "LOTS", requires = "quote")]
    limit: Option<u64>,
    /// From the sending of an order to its arrival, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, requires = "quote")]
    order_latency: f64,
    /// From an event in the book to its report, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, requires = "quote")]
    report_latency: f64,
    /// How places in queues are estimated from level-2 data; with orders (level 3) they are exact [default: logarithmic]
    #[arg(long, value_enum, requires = "quote")]
    queue: Option<QueueName>,
    /// What becomes of lots of history that meet ours
    #[arg(long, value_enum, default_value_t = TakenName::Restored, requires = "quote")]
    taken: TakenName,
    /// Write every order as CSV
    #[arg(long, value_name = "FILE.csv", requires = "quote")]
    orders: Option<PathBuf>,
    /// Write the result as JSON; - is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// What `data replay` says.
#[derive(Debug, Serialize)]
struct Replayed {
    schema_version: u32,
    file: String,
    symbol: String,
    tick: String,
    lot: String,
    from_seconds: f64,
    until_seconds: f64,
    events: usize,
    best_bid: Option<(f64, f64)>,
    best_ask: Option<(f64, f64)>,
    quotes: Option<Played>,
}

/// Runs it.
pub(super) fn run(arguments: &ReplayArgs) -> Result<(), Failure> {
    let mut params = ReplayParams::new(&arguments.file, 1.0);
    params.symbol.clone_from(&arguments.symbol);
    params.tick.clone_from(&arguments.tick);
    params.lot.clone_from(&arguments.lot);
    params.validate().map_err(usage)?;
    if arguments.speed.is_some_and(|speed| !(speed.is_finite() && speed > 0.0)) {
        return Err(Failure::Usage("--speed: legal is a finite number above 0".to_owned()));
    }
    let stop = Stop::on_ctrl_c()?;
    let spinner = output::spinner(format!("reading {}", arguments.file.display()));
    let options = ReadOptions { orderbook: orderbook_beside(&arguments.file), ..params.read_options()? };
    let history = History::read(&arguments.file, &options).map_err(|error| failure(arguments, error))?;
    spinner.finish_and_clear();
    let (first, last) = history.span();
    let length = (last - first) as f64 / NANOS;
    let until = arguments.until.unwrap_or(length).min(length);
    if !(arguments.from >= 0.0 && arguments.from < until) {
        let text = format!(
            "--from is {} and --until {until:.3}; legal: 0 <= from < until <= {length:.3} s",
            arguments.from
        );
        return Err(Failure::Usage(text));
    }
    let instrument = history.instrument().clone();
    let stamp = |seconds: f64| first + (seconds * NANOS) as u64;
    let book = show(arguments, &history, [stamp(arguments.from), stamp(until)], &stop)?;
    let money = |side| {
        let (price, lots) = book.best(side)?;
        Some((instrument.tick.value(price.0), instrument.lot.value(lots.0.cast_signed())))
    };
    let mut replayed = Replayed {
        schema_version: 1,
        file: arguments.file.display().to_string(),
        symbol: instrument.symbol.clone(),
        tick: instrument.tick.to_string(),
        lot: instrument.lot.to_string(),
        from_seconds: arguments.from,
        until_seconds: until,
        events: history.events().len(),
        best_bid: money(Side::Buy),
        best_ask: money(Side::Sell),
        quotes: None,
    };
    let mut text = format!(
        "{}, {} (tick {}, lot {}): {:.3} s to {until:.3} s of {length:.3} s\n",
        replayed.file, replayed.symbol, replayed.tick, replayed.lot, arguments.from
    );
    match arguments.quote {
        None => text += &ladder(&book, &instrument, arguments.levels),
        Some(offset_ticks) => {
            let plan = QuotePlan {
                offset_ticks,
                lots: arguments.size,
                every_seconds: arguments.every,
                limit_lots: arguments.limit,
                order_latency_seconds: arguments.order_latency,
                report_latency_seconds: arguments.report_latency,
            };
            params.queue = arguments.queue.map(|queue| match queue {
                QueueName::RiskAverse => QueueEstimate::RiskAverse,
                QueueName::Proportional => QueueEstimate::Proportional,
                QueueName::Logarithmic => QueueEstimate::Logarithmic,
            });
            params.taken_liquidity = match arguments.taken {
                TakenName::Restored => TakenLiquidity::Restored,
                TakenName::Consumed => TakenLiquidity::Consumed,
            };
            params.lead_in_seconds = 0.0;
            params.until_seconds = Some(until);
            params.episode_seconds = until - arguments.from;
            params.starts = Some(Starts::At(vec![arguments.from]));
            params.play(history).map_err(|error| failure(arguments, error))?;
            let bar = output::timed_progress(1_000);
            let progress = |share: f64| bar.set_position((share * 1_000.0) as u64);
            let played = play(params, plan, stop.flag(), &progress).map_err(usage)?;
            bar.finish_and_clear();
            let Some(played) = played else { return Err(Failure::Abandoned) };
            if let Some(path) = &arguments.orders {
                output::write_file(path, &played.csv())?;
            }
            text += &summary(&played, &instrument);
            replayed.quotes = Some(played);
        }
    }
    output::report(&text, &replayed, arguments.json.as_ref())
}

fn usage(error: ParameterError) -> Failure {
    Failure::Usage(error.to_string())
}

fn failure(arguments: &ReplayArgs, error: HistoryError) -> Failure {
    match error {
        HistoryError::Read { problem, .. } => Failure::Data { path: arguments.file.clone(), source: problem },
        error => Failure::Usage(error.to_string()),
    }
}

/// Plays history between two stamps and returns the book at the end; shows it on the way where that was asked for and somebody watches.
fn show(
    arguments: &ReplayArgs,
    history: &History,
    [from, until]: [u64; 2],
    stop: &Stop,
) -> Result<FeedBook, Failure> {
    /// Pictures a second.
    const RATE: f64 = 10.0;
    let BookBefore { mut next, mut book, .. } = history.book_before(from);
    let watched = arguments.speed.filter(|_| std::io::stdout().is_terminal());
    let step = watched.map_or(until - from, |speed| (speed / RATE * NANOS) as u64).max(1);
    let begin = Instant::now();
    let (mut now, mut shown) = (from, 0_u32);
    loop {
        now = now.saturating_add(step).min(until);
        while let Some(event) = history.events().get(next)
            && event.exchange_time.0 <= now
        {
            let _ = apply(&mut book, event);
            next += 1;
        }
        if watched.is_some() {
            shown += 1;
            let seconds = (now - history.span().0) as f64 / NANOS;
            let picture = ladder(&book, history.instrument(), arguments.levels);
            // Clears the screen and begins at its upper left corner.
            output::print(&format!("\x1b[2J\x1b[H{seconds:.1} s\n{picture}"))?;
            let due = Duration::from_secs_f64(f64::from(shown) / RATE);
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        if stop.requested() {
            return Err(Failure::Abandoned);
        }
        if now >= until {
            return Ok(book);
        }
    }
}

/// Both sides of a book, asks above bids.
fn ladder(book: &FeedBook, instrument: &Instrument, levels: usize) -> String {
    const WIDTH: usize = 40;
    let take = |side| book.levels(side).take(levels).collect::<Vec<_>>();
    let (bids, asks) = (take(Side::Buy), take(Side::Sell));
    let most = bids.iter().chain(&asks).map(|(_, lots)| lots.0).max().unwrap_or(1).max(1);
    let mut text = String::new();
    let rows = (asks.iter().rev().map(|level| ("ask", level))).chain(bids.iter().map(|level| ("bid", level)));
    for (side, (price, lots)) in rows {
        let bar = "#".repeat((lots.0 as f64 / most as f64 * WIDTH as f64).ceil() as usize);
        let (price, size) = (instrument.tick.value(price.0), instrument.lot.value(lots.0.cast_signed()));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{side} {price:>14} {size:>16}  {bar}");
    }
    text
}

fn summary(played: &Played, instrument: &Instrument) -> String {
    let Played { plan, bought, sold, position, pnl, fills, last_mid, orders, .. } = played;
    let mut text = format!(
        "{} orders of {} lots, {} ticks behind the best prices; {fills} fills\n",
        orders.len(),
        plan.lots,
        plan.offset_ticks
    );
    let _ = writeln!(text, "bought {bought} lots, sold {sold}, holding {position} at {last_mid}");
    let _ = writeln!(text, "P&L {pnl:.6} in the quote currency of {}, without fees", instrument.symbol);
    text
}

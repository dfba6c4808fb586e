//! A recorded market played with a pair of passive quotes in it, order by order.

use std::sync::atomic::{AtomicBool, Ordering};

use lob::data::market::{MarketEvent, apply};
use lob::flow::{Flow, FlowConfig, ReplayParams};
use lob::sim::{Command, Delay, LatencyConfig, News, Simulator, Ticket};
use lob::{BookConfig, FeedBook, NewOrder, Owner, ParameterError, Price, Quantity, Side};
use serde::Serialize;

use crate::data::NANOS;

/// What is quoted: a bid and an ask, each `offset_ticks` behind the best price of its side as it has been received, looked at every
/// `every_seconds`. A quote that still stands where it should stays; otherwise it is cancelled and a new one is sent, post only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QuotePlan {
    /// Ticks behind the best price, 0 or more; below 0, ahead of it.
    pub offset_ticks: i64,
    /// Lots of each quote.
    pub lots: u64,
    /// Time between two looks, s.
    pub every_seconds: f64,
    /// Lots held, long or short, at which a side stops quoting.
    pub limit_lots: Option<u64>,
    /// From the sending of an order to its arrival, s.
    pub order_latency_seconds: f64,
    /// From an event in the book to its report, s.
    pub report_latency_seconds: f64,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All of it traded.
    Filled,
    /// It was cancelled, perhaps after trading in part.
    Cancelled,
    /// It would have crossed when it arrived.
    Rejected,
}

/// One order of the plan. Stamps are of the file's clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PlayedOrder {
    /// From 0, in the order of sending.
    pub number: u32,
    /// When it was sent.
    pub sent_ns: u64,
    /// Which side.
    pub side: Side,
    /// In units of the instrument.
    pub price: f64,
    /// Lots of the market.
    pub lots: u64,
    /// Lots that traded.
    pub filled: u64,
    /// When the last of them did.
    pub filled_ns: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What quoting brought.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// What was quoted.
    pub plan: QuotePlan,
    /// Lots bought and sold.
    pub bought: u64,
    /// Lots sold.
    pub sold: u64,
    /// Lots held at the end.
    pub position: i64,
    /// Money received less money paid.
    pub cash: f64,
    /// The mid price at the end.
    pub last_mid: f64,
    /// Cash and position at the last mid.
    pub pnl: f64,
    /// Fills in part or in full.
    pub fills: u64,
    /// All orders.
    #[serde(skip)]
    pub orders: Vec<PlayedOrder>,
}

/// What has been received by a time: history in the order of local stamps. Stamps are shifted if anything would be received before
/// it happened, as `lobgym data convert` does.
struct Received<'a> {
    events: Vec<&'a MarketEvent>,
    shift: u64,
    next: usize,
    book: FeedBook,
}

impl<'a> Received<'a> {
    fn new(events: &'a [MarketEvent]) -> Self {
        let early = events.iter().map(|event| event.exchange_time.0.saturating_sub(event.local_time.0)).max();
        let mut events: Vec<&MarketEvent> = events.iter().collect();
        events.sort_by_key(|event| event.local_time);
        Self { events, shift: early.unwrap_or(0), next: 0, book: FeedBook::new(1024) }
    }

    fn at(&mut self, stamp: u64) -> &FeedBook {
        while let Some(event) = self.events.get(self.next)
            && event.local_time.0.saturating_add(self.shift) <= stamp
        {
            // What does not fit is counted by `lobgym data check`.
            let _ = apply(&mut self.book, event);
            self.next += 1;
        }
        &self.book
    }
}

/// Plays the one episode of a recorded market whose file has been read. `None` if it was stopped.
///
/// # Errors
/// What is not legal.
pub fn play(
    params: ReplayParams,
    plan: QuotePlan,
    stop: &AtomicBool,
    progress: &dyn Fn(f64),
) -> Result<Option<Played>, ParameterError> {
    let delay = |seconds: f64| match seconds {
        0.0 => Delay::None,
        seconds => Delay::Constant { seconds },
    };
    let latency = LatencyConfig {
        order: delay(plan.order_latency_seconds),
        report: delay(plan.report_latency_seconds),
    };
    latency.validate()?;
    let legal_step = plan.every_seconds.is_finite() && plan.every_seconds >= 1e-6;
    if !legal_step {
        return Err(ParameterError::new("every", plan.every_seconds, "a number of seconds from 1e-6 on"));
    }
    lob::parameter::integer("size", plan.lots, 1..=1_000_000_000)?;
    let (seconds, multiple) = (params.episode_seconds, params.lot_multiple);
    let latency = latency.compile(".").map_err(|error| ParameterError::new("latency", error, "a delay"))?;
    let mut simulator = Simulator::new(&FlowConfig::Replay(Box::new(params)), BookConfig::default())?;
    let desk = simulator.add_desk(latency);
    simulator.reset(0);
    let Flow::Replay(flow) = simulator.flow() else {
        return Err(ParameterError::new("market", "another flow", "a replayed one"));
    };
    let (origin, instrument) = (flow.origin(), flow.history().instrument().clone());
    let history = flow.history().events().to_vec();
    let mut received = Received::new(&history);
    let mut log = Log::default();
    let steps = (seconds / plan.every_seconds) as u64;
    let stamp = |time: f64| origin.saturating_add_signed((time * NANOS).round() as i64);
    for step in 1..=steps {
        let now = step as f64 * plan.every_seconds;
        simulator.run_until(now);
        log.read(&mut simulator, desk, &stamp);
        let book = received.at(stamp(now));
        for side in Side::BOTH {
            let sign = if side == Side::Buy { 1 } else { -1 };
            let best = book.best_price(side);
            let room = plan.limit_lots.is_none_or(|limit| sign * log.position < limit.cast_signed());
            let price = best.map(|best| Price(best.0 - sign * plan.offset_ticks)).filter(|_| room);
            let mut stands = false;
            for order in simulator.desk(desk).orders().to_vec() {
                if order.side != side || log.leaving(order.ticket) {
                    continue;
                }
                if price.is_some() && order.price == price {
                    stands = true;
                } else {
                    simulator.send(desk, Command::Cancel(order.ticket));
                    log.leave(order.ticket);
                }
            }
            if let Some(price) = price.filter(|_| !stands) {
                let quote = NewOrder::limit(Owner(0), side, price, Quantity(plan.lots)).post_only();
                simulator.submit(desk, quote);
                log.sent(stamp(now), side, instrument.tick.value(price.0), plan.lots);
            }
        }
        if step % 256 == 0 {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            progress(now / seconds);
        }
    }
    for order in simulator.desk(desk).orders().to_vec() {
        simulator.send(desk, Command::Cancel(order.ticket));
    }
    simulator.settle(desk);
    log.read(&mut simulator, desk, &stamp);
    let book = received.at(u64::MAX);
    let price = |side| book.best_price(side).map_or(0.0, |price| instrument.tick.value(price.0));
    // Halves of decimal ticks, without what floats leave behind them.
    let last_mid = (f64::midpoint(price(Side::Buy), price(Side::Sell)) * NANOS).round() / NANOS;
    let unit = instrument.lot.to_f64() * multiple as f64;
    let Log { orders, bought, sold, position, cash, fills, .. } = log;
    let cash = cash * unit;
    let pnl = cash + position as f64 * unit * last_mid;
    Ok(Some(Played { plan, bought, sold, position, cash, last_mid, pnl, fills, orders }))
}

/// What has been sent and reported.
#[derive(Default)]
struct Log {
    orders: Vec<PlayedOrder>,
    leaving: Vec<bool>,
    bought: u64,
    sold: u64,
    position: i64,
    /// Price x lots.
    cash: f64,
    fills: u64,
}

impl Log {
    fn sent(&mut self, sent_ns: u64, side: Side, price: f64, lots: u64) {
        let number = self.orders.len() as u32;
        let outcome = Outcome::Cancelled;
        self.orders.push(PlayedOrder {
            number,
            sent_ns,
            side,
            price,
            lots,
            filled: 0,
            filled_ns: None,
            outcome,
        });
        self.leaving.push(false);
    }

    fn leaving(&self, ticket: Ticket) -> bool {
        self.leaving[ticket.0 as usize]
    }

    fn leave(&mut self, ticket: Ticket) {
        self.leaving[ticket.0 as usize] = true;
    }

    fn read(&mut self, simulator: &mut Simulator, desk: lob::sim::DeskId, stamp: &dyn Fn(f64) -> u64) {
        for report in simulator.desk_mut(desk).take_reports() {
            let Some(order) = report.ticket.and_then(|ticket| self.orders.get_mut(ticket.0 as usize)) else {
                continue;
            };
            match report.news {
                News::Filled { quantity, .. } => {
                    order.filled += quantity.0;
                    order.filled_ns = Some(stamp(report.at));
                    if order.filled >= order.lots {
                        order.outcome = Outcome::Filled;
                    }
                    self.fills += 1;
                    let lots = quantity.0 as f64;
                    match order.side {
                        Side::Buy => {
                            self.bought += quantity.0;
                            self.position += quantity.0.cast_signed();
                            self.cash -= order.price * lots;
                        }
                        Side::Sell => {
                            self.sold += quantity.0;
                            self.position -= quantity.0.cast_signed();
                            self.cash += order.price * lots;
                        }
                    }
                }
                // A refused cancellation names an order that has gone before.
                News::Rejected(lob::RejectReason::WouldCross) => order.outcome = Outcome::Rejected,
                _ => {}
            }
        }
    }
}

impl Played {
    /// All orders as CSV: number, sent_ns, side, price, lots, filled, filled_ns, outcome.
    pub fn csv(&self) -> String {
        let mut text = "number,sent_ns,side,price,lots,filled,filled_ns,outcome\n".to_owned();
        for order in &self.orders {
            let PlayedOrder { number, sent_ns, price, lots, filled, .. } = order;
            let side = if order.side == Side::Buy { "buy" } else { "sell" };
            let filled_ns = order.filled_ns.map_or_else(String::new, |stamp| stamp.to_string());
            let outcome = match order.outcome {
                Outcome::Filled => "filled",
                Outcome::Cancelled => "cancelled",
                Outcome::Rejected => "rejected",
            };
            text += &format!("{number},{sent_ns},{side},{price},{lots},{filled},{filled_ns},{outcome}\n");
        }
        text
    }
}

//! A simulated market in front of observers.

use hashbrown::HashMap;
use rand::SeedableRng;

use super::FlowEventKind::{Cancel, Limit, Market};
use super::stage::{Span, Stage};
use super::{BookState, FlowEvent, Grid, Observer, QueueReactiveEstimator, Tally};
use crate::flow::{FlowConfig, OrderFlow, QueueReactiveFlow, QueueReactiveParams};
use crate::parameter::{ParameterError, positive};
use crate::sim::{CROWD, Market as SimulatedMarket, SimRng, Simulator, derive_seed};
use crate::{BookConfig, Event, Handle, NewOrder, Owner, Price, Side};

/// How a simulated market is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulationWatch {
    /// Seed of the session.
    pub seed: u64,
    /// Length of the session in seconds from the first event of the flow, above 0.
    pub seconds: f64,
    /// What happens before, in seconds, only builds the book.
    pub burn_in: f64,
    /// The window, in ticks from the opposite best.
    pub levels: usize,
    /// Only what the crowd does is shown; the strategic trader's orders change the book unseen.
    pub crowd_only: bool,
}

/// One request, as its events tell it.
#[derive(Clone, Copy, Debug)]
struct Request {
    time: f64,
    owner: Owner,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// An order that arrived: what has traded, and what is left of it where it rests.
    Order { handle: Handle, side: Side, price: Option<Price>, traded: u64, left: u64 },
    /// Lots withdrawn at a price.
    Cancel { side: Side, price: Price, lots: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    side: Side,
    price: Price,
    lots: u64,
}

/// Plays a session of a market and shows it to observers.
///
/// # Errors
/// What is not legal in the market or the watch.
pub fn watch_simulation(
    market: &FlowConfig,
    watch: &SimulationWatch,
    observers: &mut [&mut dyn Observer],
) -> Result<Tally, ParameterError> {
    positive("seconds", watch.seconds)?;
    let grid = Grid::own(watch.levels);
    grid.validate()?;
    let span = Span { from: watch.burn_in, until: watch.seconds };
    span.validate()?;
    let mut sim = Simulator::new(market, BookConfig { window_levels: 256, ..BookConfig::default() })?;
    sim.market_mut().keep_log(true);
    sim.reset(watch.seed);
    let begin = sim.market().now();
    let mut log = LogSource::new(grid, span, begin, watch.crowd_only);
    for (_, event) in sim.market_mut().take_log() {
        log.open(&event);
    }
    log.stage.set_stale(0.0, false);
    // In pieces, so that the log stays short.
    let pieces = (watch.seconds / 10.0).ceil().max(1.0);
    let mut piece = 0.0;
    while piece < pieces {
        piece += 1.0;
        sim.run_until(begin + watch.seconds * (piece / pieces));
        for (time, event) in sim.market_mut().take_log() {
            log.see(time, &event, observers);
        }
    }
    log.finish(observers);
    log.stage.end(observers, watch.seconds);
    Ok(log.stage.tally)
}

/// Plays a queue-reactive market and shows it to its estimator, which is told the reference price, and to other observers; redrawn queues are
/// not shown as events. The window must reach over all queues and the spread.
///
/// # Errors
/// What is not legal in the parameters or the watch.
pub fn watch_queue_reactive(
    params: &QueueReactiveParams,
    watch: &SimulationWatch,
    estimator: &mut QueueReactiveEstimator,
    others: &mut [&mut dyn Observer],
) -> Result<Tally, ParameterError> {
    let mut all = Both { estimator, others };
    positive("seconds", watch.seconds)?;
    let grid = Grid::own(watch.levels);
    grid.validate()?;
    let span = Span { from: watch.burn_in, until: watch.seconds };
    span.validate()?;
    let mut flow = QueueReactiveFlow::new(params)?;
    let mut market = SimulatedMarket::new(BookConfig { window_levels: 256, ..BookConfig::default() })
        .map_err(|error| ParameterError::new("book", error, "see the message"))?;
    market.keep_log(true);
    market.clear(0.0);
    let centre = params.opening.centre;
    for (distance, &volume) in params.opening.volumes().iter().enumerate() {
        let distance = distance as i64;
        let bid = NewOrder::limit(CROWD, Side::Buy, Price(centre.best_bid.0 - distance), volume);
        let ask = NewOrder::limit(CROWD, Side::Sell, Price(centre.best_ask.0 + distance), volume);
        for order in [bid, ask] {
            let _accepted_as_the_prices_were_checked = market.submit(order);
        }
    }
    let mut log = LogSource::new(grid, span, 0.0, true);
    market.take_log().iter().for_each(|(_, event)| log.open(event));
    log.stage.set_stale(0.0, false);
    let mut rng = SimRng::seed_from_u64(derive_seed(watch.seed, 0));
    let first_bid = |flow: &QueueReactiveFlow| (flow.reference_price() - 0.5).round() as i64;
    let queues = params.queues() as i64;
    let mut now = 0.0;
    let mut twice_mid = None;
    while now <= watch.seconds {
        market.set_now(now);
        let reference = first_bid(&flow);
        all.estimator.set_reference(Price(reference));
        let wait = flow.act(&mut market, &mut rng);
        log.to_show = 1;
        // Whether the mid has moved over an empty queue: known once the event itself is, before the queues are redrawn.
        let (mut moved, mut redrawn) = (None, false);
        for (time, event) in market.take_log() {
            let price = match event {
                Event::Cancelled { handle, .. } => log.resting.get(&handle).map(|resting| resting.price.0),
                _ => None,
            };
            log.see(time, &event, &mut [&mut all]);
            if log.to_show == 0 {
                let moved = *moved.get_or_insert_with(|| log.move_over_nothing(reference, twice_mid));
                // A move takes out the queue that it leaves behind; a redrawn book loses the others too.
                let far = if moved > 0 { reference + 1 - queues } else { reference + queues };
                redrawn |= price.is_some_and(|price| price != far);
            }
        }
        log.finish(&mut [&mut all]);
        let moved = moved.unwrap_or_else(|| log.move_over_nothing(reference, twice_mid));
        let followed = first_bid(&flow) != reference;
        if moved != 0 && now >= watch.burn_in {
            all.estimator.count_reference(followed, followed && redrawn);
        }
        if let (Some(bid), Some(ask)) = (market.book().best_bid(), market.book().best_ask()) {
            twice_mid = Some(bid.0 + ask.0);
        }
        now += wait;
    }
    log.stage.end(&mut [&mut all], watch.seconds);
    Ok(log.stage.tally)
}

/// An estimator and others, as one observer.
struct Both<'a, 'b> {
    estimator: &'a mut QueueReactiveEstimator,
    others: &'a mut [&'b mut dyn Observer],
}

impl Observer for Both<'_, '_> {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        self.estimator.event(before, event);
        self.others.iter_mut().for_each(|other| other.event(before, event));
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.estimator.end(last, time);
        self.others.iter_mut().for_each(|other| other.end(last, time));
    }
}

/// Follows a market's log.
struct LogSource {
    stage: Stage,
    begin: f64,
    crowd_only: bool,
    resting: HashMap<Handle, Resting>,
    request: Option<Request>,
    /// Lots that the request has taken from resting orders.
    taken: Vec<(Side, Price, u64)>,
    /// Requests that are still to be shown.
    to_show: u64,
}

impl LogSource {
    fn new(grid: Grid, span: Span, begin: f64, crowd_only: bool) -> Self {
        Self {
            stage: Stage::new(grid, span),
            begin,
            crowd_only,
            resting: HashMap::new(),
            request: None,
            taken: Vec::new(),
            to_show: u64::MAX,
        }
    }

    /// An order of the opening book.
    fn open(&mut self, event: &Event) {
        if let Event::Accepted { handle, side, price: Some(price), quantity, .. } = *event {
            self.resting.insert(handle, Resting { side, price, lots: quantity.0 });
            self.stage.change(side, price, quantity.0, 0);
        }
    }

    fn see(&mut self, time: f64, event: &Event, observers: &mut [&mut dyn Observer]) {
        let time = time - self.begin;
        match *event {
            Event::Accepted { handle, owner, side, price, quantity } => {
                self.finish(observers);
                let what = What::Order { handle, side, price, traded: 0, left: quantity.0 };
                self.request = Some(Request { time, owner, what });
            }
            Event::Trade { maker, quantity, .. } => {
                if let Some(Request { what: What::Order { traded, left, .. }, .. }) = &mut self.request {
                    *traded += quantity.0;
                    *left = left.saturating_sub(quantity.0);
                }
                // The book is changed once the whole request is known, as it was before is what is shown.
                if let Some(resting) = self.resting.get_mut(&maker) {
                    resting.lots -= quantity.0.min(resting.lots);
                    self.taken.push((resting.side, resting.price, quantity.0));
                    if resting.lots == 0 {
                        self.resting.remove(&maker);
                    }
                }
            }
            Event::Cancelled { handle, owner, quantity, .. } => {
                self.cancel(time, handle, owner, quantity.0, observers)
            }
            Event::Amended { handle, owner, quantity, .. } => {
                self.finish_order(observers);
                let less =
                    self.resting.get(&handle).map_or(0, |resting| resting.lots.saturating_sub(quantity.0));
                self.cancel(time, handle, owner, less, observers);
            }
            Event::Rejected { .. }
            | Event::Triggered { .. }
            | Event::Expired { .. }
            | Event::Replenished { .. } => {}
        }
    }

    /// `lots` of an order were withdrawn.
    fn cancel(
        &mut self,
        now: f64,
        handle: Handle,
        by: Owner,
        gone: u64,
        observers: &mut [&mut dyn Observer],
    ) {
        if let Some(Request { time, what: What::Order { handle: incoming, left, .. }, .. }) =
            &mut self.request
            && (*time, *incoming) == (now, handle)
        {
            // The rest of an order that found nothing more to trade with.
            *left = left.saturating_sub(gone);
            return;
        }
        self.finish_order(observers);
        let Some(resting) = self.resting.get_mut(&handle) else { return };
        let (at_side, at_price) = (resting.side, resting.price);
        resting.lots -= gone.min(resting.lots);
        if resting.lots == 0 {
            self.resting.remove(&handle);
        }
        // One cancellation may take lots out of several orders at its price.
        if let Some(Request { time, owner, what: What::Cancel { side, price, lots } }) = &mut self.request
            && (*time, *owner, *side, *price) == (now, by, at_side, at_price)
        {
            *lots += gone;
            return;
        }
        self.finish(observers);
        let what = What::Cancel { side: at_side, price: at_price, lots: gone };
        self.request = Some(Request { time: now, owner: by, what });
    }

    /// The direction in which the mid has moved while the first queue ahead is empty; 0 if it has not.
    fn move_over_nothing(&self, first_bid: i64, twice_mid: Option<i64>) -> i64 {
        let book = &self.stage.book;
        let (Some(bid), Some(ask), Some(before)) = (book.best(Side::Buy), book.best(Side::Sell), twice_mid)
        else {
            return 0;
        };
        let moved = (bid.0 + ask.0 - before).signum();
        let is_empty = match moved {
            1 => ask.0 > first_bid + 1,
            -1 => bid.0 < first_bid,
            _ => false,
        };
        if is_empty { moved } else { 0 }
    }

    /// What follows is about orders that rest: the order that arrived before has come to rest as well.
    fn finish_order(&mut self, observers: &mut [&mut dyn Observer]) {
        if matches!(self.request, Some(Request { what: What::Order { .. }, .. })) {
            self.finish(observers);
        }
    }

    /// The request is known in full: shows it and carries it out.
    fn finish(&mut self, observers: &mut [&mut dyn Observer]) {
        let Some(Request { time, owner, what }) = self.request.take() else { return };
        let stage = &mut self.stage;
        let is_shown = self.to_show > 0 && (owner == CROWD || !self.crowd_only);
        self.to_show = self.to_show.saturating_sub(1);
        if !is_shown {
            stage.skip(time);
        }
        let mut show = |stage: &mut Stage, kind, side, price, lots| {
            if is_shown && lots > 0 {
                stage.show(observers, time, (kind, side), price, lots);
            }
        };
        match what {
            What::Order { handle, side, price, traded, left } => {
                show(stage, Market, side, Price(0), traded);
                for (side, price, lots) in self.taken.drain(..) {
                    stage.change(side, price, 0, lots);
                }
                if let Some(price) = price.filter(|_| left > 0) {
                    show(stage, Limit, side, price, left);
                    stage.change(side, price, left, 0);
                    self.resting.insert(handle, Resting { side, price, lots: left });
                }
            }
            What::Cancel { side, price, lots } => {
                show(stage, Cancel, side, price, lots);
                stage.change(side, price, 0, lots);
            }
        }
    }
}

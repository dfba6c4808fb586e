//! A simulated market in front of observers.

use hashbrown::HashMap;

use super::FlowEventKind::{Cancel, Limit, Market};
use super::stage::{Span, Stage};
use super::{Grid, Observer, Tally};
use crate::flow::FlowConfig;
use crate::parameter::{ParameterError, positive};
use crate::sim::{CROWD, Simulator};
use crate::{BookConfig, Event, Handle, Owner, Price, Side};

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

/// Follows a market's log.
struct LogSource {
    stage: Stage,
    begin: f64,
    crowd_only: bool,
    resting: HashMap<Handle, Resting>,
    request: Option<Request>,
    /// Lots that the request has taken from resting orders.
    taken: Vec<(Side, Price, u64)>,
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
        let is_shown = owner == CROWD || !self.crowd_only;
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

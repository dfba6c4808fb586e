//! The queue-reactive flow's tables from what is seen of a market.

use serde::Serialize;

use super::{BookState, Estimate, FlowEvent, FlowEventKind, Observer};
use crate::flow::{
    Centre, MAX_QUEUES, MAX_TABLE, Opening, OpeningBook, Profile, QueueModel, QueueReactiveParams,
    ReferencePrice, SecondQueue, Shape,
};
use crate::parameter::{ParameterError, integer, length};
use crate::{Price, Side};

/// The fewest departures that an entry of a table rests on.
const FEWEST: u64 = 10;

/// What is estimated, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueReactiveSettings {
    /// Queues on each side.
    pub queues: usize,
    /// Lots of one unit at each queue; `None` for the mean size of the events there, which takes a look of its own
    /// ([`QueueReactiveEstimator::unit_lots`]).
    pub unit_lots: Option<Vec<u64>>,
}

impl QueueReactiveSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        integer("queues", self.queues, 1..=MAX_QUEUES)?;
        if let Some(units) = &self.unit_lots {
            length("unit_lots", units.len(), self.queues..=self.queues)?;
            for (index, &lots) in units.iter().enumerate() {
                integer(&format!("unit_lots[{index}]"), lots, 1..=crate::flow::MAX_SIZE)?;
            }
        }
        Ok(())
    }
}

/// Events and time of one queue at one size.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Seconds at this size, both sides together; and those in which a market order could reach the queue.
    time: f64,
    reachable: f64,
    /// Market orders, limit orders, cancellations.
    events: [u64; 3],
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.time += other.time;
        self.reachable += other.reachable;
        self.events.iter_mut().zip(other.events).for_each(|(sum, more)| *sum += more);
    }

    fn departures(&self) -> u64 {
        self.events[0] + self.events[2]
    }

    /// Rate and standard error of one kind of event. With no event the error is that of one.
    fn rate(&self, kind: usize) -> (f64, f64) {
        let time = if kind == 0 { self.reachable } else { self.time };
        if time <= 0.0 {
            return (0.0, f64::NAN);
        }
        (self.events[kind] as f64 / time, (self.events[kind].max(1) as f64).sqrt() / time)
    }
}

/// A table under construction: cells by size in units.
type Cells = Vec<Cell>;

/// Estimates the queue-reactive flow ([`QueueReactiveParams`]) as section 2 of Huang, Lehalle and Rosenbaum does: events of a kind at a
/// queue of a size, over the time that the queue had that size; both sides together.
///
/// The reference price is the mid where the spread is odd; where it is even, of the two prices half a tick from the mid the one closer
/// to the last reference price, as in the paper. Who knows it, as in a simulated market, says so by [`set_reference`](Self::set_reference).
#[derive(Clone, Debug)]
pub struct QueueReactiveEstimator {
    settings: QueueReactiveSettings,
    units: Vec<u64>,
    cells: Vec<Cells>,
    /// Queue 2 while queue 1 of its side is empty.
    second: Cells,
    /// Lots and number of the events at each queue.
    sizes: Vec<(f64, u64)>,
    /// Lots x seconds at each queue, both sides.
    lots: Vec<f64>,
    seconds: f64,
    known: bool,
    /// Price of the first bid queue.
    first_bid: Option<i64>,
    twice_mid: f64,
    last_twice_mid: Option<i64>,
    /// The direction of a change of the mid over an empty queue that is not decided yet, and the first bid queue then.
    pending: Option<(i64, i64)>,
    /// Changes of the mid over an empty queue, and how often the reference price followed; moves that redrew the book.
    opportunities: u64,
    followed: u64,
    redrawn: u64,
}

impl QueueReactiveEstimator {
    /// An estimator that has seen nothing.
    ///
    /// # Errors
    /// The setting that is not legal, by name.
    pub fn new(settings: QueueReactiveSettings) -> Result<Self, ParameterError> {
        settings.validate()?;
        let queues = settings.queues;
        Ok(Self {
            units: settings.unit_lots.clone().unwrap_or_else(|| vec![1; queues]),
            cells: vec![Cells::new(); queues],
            second: Cells::new(),
            sizes: vec![(0.0, 0); queues],
            lots: vec![0.0; queues],
            seconds: 0.0,
            known: false,
            first_bid: None,
            twice_mid: 0.0,
            last_twice_mid: None,
            pending: None,
            opportunities: 0,
            followed: 0,
            redrawn: 0,
            settings,
        })
    }

    /// From here on the first bid queue stands at this price.
    pub fn set_reference(&mut self, first_bid: Price) {
        self.known = true;
        self.first_bid = Some(first_bid.0);
    }

    /// The mid changed over an empty queue; whether the reference price `followed`, and whether the book was `redrawn` then.
    pub fn count_reference(&mut self, followed: bool, redrawn: bool) {
        self.opportunities += 1;
        self.followed += u64::from(followed);
        self.redrawn += u64::from(redrawn);
    }

    /// The mean size of the events at each queue, at least 1: the units to look again with.
    pub fn unit_lots(&self) -> Vec<u64> {
        let mean = |&(lots, events): &(f64, u64)| {
            if events > 0 { (lots / events as f64).round().max(1.0) } else { 1.0 }
        };
        self.sizes.iter().map(|size| mean(size) as u64).collect()
    }

    /// Lots of a queue (from 0) of a side.
    fn queue_lots(state: &BookState<'_>, bests: [i64; 2], side: Side, first_bid: i64, queue: usize) -> u64 {
        let queue = queue as i64;
        let distance = match side {
            Side::Buy => bests[1] - (first_bid - queue),
            Side::Sell => first_bid + 1 + queue - bests[0],
        };
        let index = usize::try_from(distance - 1).ok();
        index.and_then(|index| state.depth[side.index()].get(index)).copied().unwrap_or(0)
    }

    /// The price of the first bid queue by the rule of the paper.
    fn reference(&self, [bid, ask]: [i64; 2]) -> i64 {
        if (ask - bid) % 2 != 0 {
            return (bid + ask - 1) / 2;
        }
        let middle = (bid + ask) / 2;
        // Half a tick below the mid, or above it.
        let (low, high) = (middle - 1, middle);
        match self.first_bid {
            Some(last) if (last - high).abs() < (last - low).abs() => high,
            _ => low,
        }
    }

    /// Follows the mid, where nobody says what the reference price is.
    fn follow(&mut self, state: &BookState<'_>, bests: [i64; 2]) {
        let first_bid = self.reference(bests);
        let before = self.first_bid.unwrap_or(first_bid);
        let twice_mid = bests[0] + bests[1];
        let moved = self.last_twice_mid.map_or(0, |last| (twice_mid - last).signum());
        if let Some((direction, from)) = self.pending
            && (bests[1] - bests[0]) % 2 != 0
        {
            // The spread is odd again: either around a new price or around the old one.
            self.count_reference((first_bid - from).signum() == direction, false);
            self.pending = None;
        }
        if moved != 0 && self.pending.is_none() && first_bid == before {
            let ahead = if moved > 0 { Side::Sell } else { Side::Buy };
            if Self::queue_lots(state, bests, ahead, before, 0) == 0 {
                self.pending = Some((moved, before));
            }
        } else if moved != 0 && self.pending.is_none() && self.last_twice_mid.is_some() {
            self.count_reference(true, false);
        }
        self.last_twice_mid = Some(twice_mid);
        self.first_bid = Some(first_bid);
    }

    /// Counts the time that a state lasted. Returns the best prices if it is one that counts.
    fn see(&mut self, state: &BookState<'_>, until: f64) -> Option<[i64; 2]> {
        let ([Some(bid), Some(ask)], true) = (state.best, state.valid) else {
            if !self.known {
                (self.last_twice_mid, self.pending) = (None, None);
            }
            return None;
        };
        let bests = [bid.0, ask.0];
        if !self.known {
            self.follow(state, bests);
        }
        let first_bid = self.first_bid?;
        let seconds = (until - state.since).max(0.0);
        self.seconds += seconds;
        self.twice_mid += seconds * (bests[0] + bests[1]) as f64;
        for side in Side::BOTH {
            let mut nearer_empty = true;
            for queue in 0..self.settings.queues {
                let lots = Self::queue_lots(state, bests, side, first_bid, queue);
                self.lots[queue] += seconds * lots as f64;
                let cell = self.cell(queue, lots, nearer_empty);
                cell.time += seconds;
                cell.reachable += if nearer_empty { seconds } else { 0.0 };
                nearer_empty &= lots == 0;
            }
        }
        Some(bests)
    }

    /// The cell of a queue of so many lots.
    fn cell(&mut self, queue: usize, lots: u64, nearer_empty: bool) -> &mut Cell {
        let units =
            usize::try_from(lots.div_ceil(self.units[queue])).unwrap_or(usize::MAX).min(MAX_TABLE - 1);
        let cells = if queue == 1 && nearer_empty { &mut self.second } else { &mut self.cells[queue] };
        if cells.len() <= units {
            cells.resize(units + 1, Cell::default());
        }
        &mut cells[units]
    }
}

impl Observer for QueueReactiveEstimator {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        let Some(bests) = self.see(&before, event.time) else { return };
        let Some(first_bid) = self.first_bid else { return };
        // A market order takes from the other side's best.
        let (side, price) = match event.kind {
            FlowEventKind::Market => (event.side.opposite(), bests[event.side.opposite().index()]),
            FlowEventKind::Limit | FlowEventKind::Cancel => match event.side {
                Side::Buy => (Side::Buy, bests[1] - i64::from(event.distance)),
                Side::Sell => (Side::Sell, bests[0] + i64::from(event.distance)),
            },
        };
        let queue = match side {
            Side::Buy => first_bid - price,
            Side::Sell => price - first_bid - 1,
        };
        let Some(queue) = usize::try_from(queue).ok().filter(|&queue| queue < self.settings.queues) else {
            return;
        };
        let size = &mut self.sizes[queue];
        *size = (size.0 + event.lots as f64, size.1 + 1);
        let lots = |queue| Self::queue_lots(&before, bests, side, first_bid, queue);
        let nearer_empty = (0..queue).all(|nearer| lots(nearer) == 0);
        let here = lots(queue);
        self.cell(queue, here, nearer_empty).events[event.kind as usize] += 1;
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

/// The queue-reactive flow as estimated.
#[derive(Clone, Debug, Serialize)]
pub struct QueueReactiveFit {
    /// The parameters, ready to be simulated.
    #[serde(skip)]
    pub params: QueueReactiveParams,
    /// Every estimate with its standard error. The last entry of a table stands for all larger sizes as well.
    pub estimates: Vec<Estimate>,
}

/// One queue's tables with their errors, in the order limit, cancel, market.
struct Tables {
    rates: [Vec<(f64, f64)>; 3],
    events: [Vec<u64>; 3],
}

impl QueueReactiveEstimator {
    /// The estimates of everything seen so far.
    ///
    /// # Errors
    /// A queue that nothing is known of, or whose arrivals outrun its departures at every size.
    pub fn fit(&self) -> Result<QueueReactiveFit, ParameterError> {
        let mut estimates = Vec::new();
        let mut tables: [Vec<Vec<f64>>; 3] = Default::default();
        for (queue, cells) in self.cells.iter().enumerate() {
            // What queue 2 does while queue 1 is empty is of its own; where it never was, both are the same.
            let of_queue = entries(cells).ok_or_else(|| {
                let value = format!("too few at queue {} or more arriving than leaving", queue + 1);
                ParameterError::new(
                    "events",
                    value,
                    "queues that fill and empty; try fewer queues, or a coarser grid",
                )
            })?;
            of_queue.estimates(&format!("[{queue}]"), "", &mut estimates);
            for (all, rates) in tables.iter_mut().zip(&of_queue.rates) {
                all.push(rates.iter().map(|rate| rate.0).collect());
            }
        }
        let [limit, cancel, market] = tables;
        let second = match entries(&self.second) {
            Some(second) if self.settings.queues > 1 => {
                second.estimates("", "second_if_first_empty.", &mut estimates);
                let [limit, cancel, market] =
                    second.rates.map(|rates| rates.iter().map(|rate| rate.0).collect());
                SecondQueue { limit, cancel, market }
            }
            _ => {
                let queue = 1.min(self.settings.queues - 1);
                SecondQueue {
                    limit: limit[queue].clone(),
                    cancel: cancel[queue].clone(),
                    market: market[queue].clone(),
                }
            }
        };
        let mut probability = |name: &str, count: u64, of: u64| {
            let p = if of > 0 { count as f64 / of as f64 } else { 0.0 };
            let error = if of > 0 { (p * (1.0 - p) / of as f64).sqrt() } else { f64::NAN };
            estimates.push(Estimate::new(format!("reference_price.{name}"), p, error, of));
            p
        };
        let reference_price = ReferencePrice {
            theta: probability("theta", self.followed, self.opportunities),
            theta_reinit: probability("theta_reinit", self.redrawn, self.followed),
        };
        let mid = if self.seconds > 0.0 { self.twice_mid / self.seconds / 2.0 } else { 0.0 };
        let best_bid = Price((mid - 0.5).round() as i64);
        let shape: Vec<f64> = self.lots.iter().map(|lots| lots / (2.0 * self.seconds)).collect();
        let params = QueueReactiveParams {
            model: if self.settings.queues > 1 { QueueModel::ModelIia } else { QueueModel::ModelI },
            unit_lots: self.units.clone(),
            limit,
            cancel,
            market,
            second_if_first_empty: second,
            reference_price,
            opening: Opening {
                book: OpeningBook::Live,
                centre: Centre { best_bid, best_ask: Price(best_bid.0 + 1) },
                levels: self.settings.queues,
                lead_in_seconds: 15.0,
                shape: Shape { bidv: shape.clone(), askv: shape, bidv_live: None, askv_live: None },
            },
            profile: Profile::Flat,
        };
        params.validate()?;
        Ok(QueueReactiveFit { params, estimates })
    }
}

impl Tables {
    fn estimates(&self, queue: &str, prefix: &str, estimates: &mut Vec<Estimate>) {
        for ((kind, rates), events) in ["limit", "cancel", "market"].iter().zip(&self.rates).zip(&self.events)
        {
            for (n, (&(value, error), &count)) in rates.iter().zip(events).enumerate() {
                estimates.push(Estimate::new(format!("{prefix}{kind}{queue}[{n}]"), value, error, count));
            }
        }
    }
}

/// The entries of a queue's tables: one a size up to the largest with departures enough, which stands for all larger sizes as well and must
/// see more depart than arrive. A size that is too rare takes larger ones in until there are enough. `None` if there is no such table.
fn entries(cells: &[Cell]) -> Option<Tables> {
    let together = |from: usize, until: usize, is_enough: &dyn Fn(&Cell) -> bool| {
        let mut sum = Cell::default();
        for cell in &cells[from..until] {
            sum.add(cell);
            if is_enough(&sum) {
                break;
            }
        }
        sum
    };
    // Events of a moment without length say nothing of a rate.
    let departures = |cell: &Cell| cell.departures() >= FEWEST && cell.rate(0).0 + cell.rate(2).0 > 0.0;
    let largest = cells.iter().rposition(departures).filter(|&largest| largest > 0)?;
    let is_stable = |tail: &Cell| tail.rate(1).0 < tail.rate(0).0 + tail.rate(2).0;
    let never = |_: &Cell| false;
    let last = (1..=largest).rev().find(|&last| is_stable(&together(last, cells.len(), &never)))?;
    let entry = |n: usize, kind: usize| {
        let sum = match (n == last, kind) {
            (true, _) => together(n, cells.len(), &never),
            (false, 1) => together(n, cells.len(), &|sum| sum.events[1] > 0),
            (false, _) => together(n, cells.len(), &departures),
        };
        // Nothing can be taken out of an empty queue: where the data seems to say otherwise, that is rounding.
        let rate = if n == 0 && kind != 1 { (0.0, f64::NAN) } else { sum.rate(kind) };
        (rate, if n == 0 && kind != 1 { cells[n].events[kind] } else { sum.events[kind] })
    };
    let table = |kind: usize| (0..=last).map(|n| entry(n, kind)).unzip::<_, _, Vec<_>, Vec<_>>();
    let [(limit, limits), (cancel, cancels), (market, markets)] = [table(1), table(2), table(0)];
    (limit[0].0 > 0.0)
        .then_some(Tables { rates: [limit, cancel, market], events: [limits, cancels, markets] })
}

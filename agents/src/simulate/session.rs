//! Playing sessions for their statistics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lob::flow::FlowConfig;
use lob::sim::{CROWD, DeskId, LatencyConfig, Simulator, derive_seed};
use lob::{BookConfig, CancelReason, Event, Handle, NewOrder, Owner, Quantity, Side};

use super::SimulateError;
use crate::statistics::{Autocorrelation, Moments, changes, count_values, response};

/// Samples of the book a second.
pub(super) const SAMPLES_PER_SECOND: usize = 10;
/// Lags of the volatility signature, in samples: 0.1 to 300 s.
pub(super) const SIGNATURE_LAGS: [usize; 7] = [1, 5, 10, 50, 150, 600, 3000];
/// Longest lag of the autocorrelations.
pub(super) const LONGEST_LAG: usize = 20;
/// Sizes of the market orders whose effect is measured, in lots.
pub(super) const PROBE_LOTS: [u64; 4] = [1, 5, 10, 20];
/// When their effect is measured, in samples after the order: 0 to 60 s.
pub(super) const PROBE_TIMES: [usize; 5] = [0, 10, 50, 150, 600];
/// Levels of the book's dense window: few, as the book is copied for each probe.
const WINDOW_LEVELS: usize = 256;
/// Samples between two looks at Ctrl-C.
const STOP_SAMPLES: usize = 100;

/// Kinds of the crowd's events, the first index of [`Sums::events`].
pub(super) const KINDS: [&str; 3] = ["market", "limit", "cancel"];

/// What is to be played.
pub(super) struct Plan<'a> {
    pub(super) flow: &'a FlowConfig,
    pub(super) seed: u64,
    pub(super) sessions: usize,
    /// Length of a session in samples.
    pub(super) samples: usize,
    /// Distances of the depth profile.
    pub(super) levels: usize,
    pub(super) threads: usize,
}

/// The sums of one session, or of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Samples of the book.
    pub(super) samples: u64,
    /// Samples at each spread, in ticks; those with an empty side are in none.
    pub(super) spreads: BTreeMap<u64, u64>,
    /// Sums of visible lots by side, at distance 1, 2, ... from the opposite best; of the samples with two sides.
    pub(super) depth: [Vec<f64>; 2],
    /// Changes of the mid, by lag.
    pub(super) signature: Vec<Moments>,
    /// Changes of the mid over 1 s.
    pub(super) returns: Autocorrelation,
    /// Signs of market orders, in their order.
    pub(super) signs: Autocorrelation,
    /// Effect of a market order, by size and time; in ticks.
    pub(super) impact: Vec<Vec<Moments>>,
    /// The crowd's events by kind and side.
    pub(super) events: [[u64; 2]; 3],
    /// Times between the crowd's events, in seconds.
    pub(super) gaps: Vec<f64>,
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.samples += other.samples;
        for (ticks, count) in other.spreads {
            *self.spreads.entry(ticks).or_insert(0) += count;
        }
        for (all, more) in self.depth.iter_mut().zip(&other.depth) {
            all.resize(more.len(), 0.0);
            all.iter_mut().zip(more).for_each(|(all, more)| *all += more);
        }
        merge_moments(&mut self.signature, &other.signature);
        self.returns.merge(&other.returns);
        self.signs.merge(&other.signs);
        self.impact.resize(other.impact.len(), Vec::new());
        for (all, more) in self.impact.iter_mut().zip(&other.impact) {
            merge_moments(all, more);
        }
        for (all, more) in self.events.iter_mut().flatten().zip(other.events.iter().flatten()) {
            *all += more;
        }
        self.gaps.extend(other.gaps);
    }
}

fn merge_moments(all: &mut Vec<Moments>, more: &[Moments]) {
    all.resize(more.len(), Moments::default());
    all.iter_mut().zip(more).for_each(|(all, more)| all.merge(more));
}

/// A simulator for statistics: with an agent who can act at once.
fn simulator(flow: &FlowConfig) -> Result<(Simulator, DeskId), SimulateError> {
    let mut sim = bare_simulator(flow)?;
    let desk = sim.add_desk(LatencyConfig::default().compile("")?);
    Ok((sim, desk))
}

/// A simulator without agents that keeps its events.
pub(super) fn bare_simulator(flow: &FlowConfig) -> Result<Simulator, SimulateError> {
    let book = BookConfig { window_levels: WINDOW_LEVELS, ..BookConfig::default() };
    let mut sim = Simulator::new(flow, book)?;
    sim.market_mut().keep_log(true);
    Ok(sim)
}

/// Sides of the orders in a session, as its events tell them.
#[derive(Clone, Debug, Default)]
pub struct Sides(HashMap<Handle, Side>);

impl Sides {
    /// The side of the order that the event is about (the incoming one's, of a trade).
    pub fn follow(&mut self, event: &Event) -> Option<Side> {
        match *event {
            Event::Accepted { handle, side, .. } => {
                self.0.insert(handle, side);
                Some(side)
            }
            Event::Trade { maker, maker_left, aggressor, .. } => {
                if maker_left.0 == 0 {
                    self.0.remove(&maker);
                }
                Some(aggressor)
            }
            Event::Cancelled { handle, left, .. } if left.0 == 0 => self.0.remove(&handle),
            Event::Expired { handle, .. } => self.0.remove(&handle),
            Event::Cancelled { handle, .. }
            | Event::Amended { handle, .. }
            | Event::Triggered { handle, .. }
            | Event::Replenished { handle, .. } => self.0.get(&handle).copied(),
            Event::Rejected { .. } => None,
        }
    }
}

/// Counts the events of a session.
#[derive(Default)]
struct Counter {
    sides: Sides,
    events: [[u64; 2]; 3],
    signs: Vec<f64>,
    gaps: Vec<f64>,
    /// Time of the crowd's latest event.
    latest: Option<f64>,
    /// Time of the crowd's latest cancellation: one may take lots out of several orders.
    cancelled_at: Option<f64>,
}

impl Counter {
    fn count(&mut self, time: f64, event: &Event) {
        let side = self.sides.follow(event);
        let kind = match *event {
            Event::Accepted { price: None, side, owner, .. } => {
                self.signs.push(sign(side));
                (owner == CROWD).then_some(0)
            }
            Event::Accepted { owner: CROWD, .. } => Some(1),
            // The crowd amends an order only to withdraw a part of it.
            Event::Cancelled { owner: CROWD, reason: CancelReason::Requested, .. }
            | Event::Amended { owner: CROWD, .. } => {
                (self.cancelled_at.replace(time) != Some(time)).then_some(2)
            }
            _ => None,
        };
        if let (Some(kind), Some(side)) = (kind, side) {
            self.events[kind][side.index()] += 1;
            if let Some(latest) = self.latest.replace(time) {
                self.gaps.push(time - latest);
            }
        }
    }
}

/// +1 for buying, -1 for selling.
fn sign(side: Side) -> f64 {
    match side {
        Side::Buy => 1.0,
        Side::Sell => -1.0,
    }
}

/// Time of a sample, in seconds.
fn time_of(sample: usize) -> f64 {
    sample as f64 / SAMPLES_PER_SECOND as f64
}

fn mid(sim: &Simulator) -> f64 {
    sim.market().book().mid().unwrap_or(f64::NAN)
}

/// What a probe saw, until the session has gone on to say what would have been.
struct Probe {
    size: usize,
    sample: usize,
    side: Side,
    mids: Vec<f64>,
}

/// Plays one session. `None` if it was stopped.
fn play(plan: &Plan<'_>, sim: &mut Simulator, desk: DeskId, index: usize, stop: &AtomicBool) -> Option<Sums> {
    let probe_times: Vec<usize> =
        PROBE_TIMES.into_iter().filter(|&samples| samples <= plan.samples).collect();
    // The probes of a session follow each other without overlap.
    let probe_every = probe_times.last().copied().unwrap_or(0).max(1);
    let mut counter = Counter::default();
    let mut mids = Vec::with_capacity(plan.samples + 1);
    let mut spreads = Vec::with_capacity(plan.samples);
    let mut depth = [vec![0.0; plan.levels], vec![0.0; plan.levels]];
    let mut lots = vec![Quantity::ZERO; plan.levels];
    let mut probes = Vec::new();

    sim.reset(derive_seed(plan.seed, index as u64));
    sim.run_until(0.0);
    for (_, event) in sim.market_mut().take_log() {
        counter.sides.follow(&event);
    }
    for sample in 0..=plan.samples {
        if sample % STOP_SAMPLES == 0 && stop.load(Ordering::Relaxed) {
            return None;
        }
        sim.run_until(time_of(sample));
        for (time, event) in sim.market_mut().take_log() {
            counter.count(time, &event);
        }
        mids.push(mid(sim));
        if sample == plan.samples {
            break;
        }
        let book = sim.market().book();
        if let Some(spread) = book.spread() {
            spreads.push(spread);
            for (side, sums) in [Side::Buy, Side::Sell].into_iter().zip(&mut depth) {
                book.depth_from_opposite_best(side, &mut lots);
                sums.iter_mut().zip(&lots).for_each(|(sum, lots)| *sum += lots.0 as f64);
            }
        }
        if sample % probe_every == 0 && sample + probe_every <= plan.samples {
            let side = if (index + sample / probe_every).is_multiple_of(2) { Side::Buy } else { Side::Sell };
            for (size, lots) in PROBE_LOTS.into_iter().enumerate() {
                let mut fork = sim.clone();
                fork.market_mut().keep_log(false);
                fork.submit(desk, NewOrder::market(Owner(0), side, Quantity(lots)));
                let after = |&samples: &usize| {
                    fork.run_until(time_of(sample + samples));
                    mid(&fork)
                };
                let mids = probe_times.iter().map(after).collect();
                probes.push(Probe { size, sample, side, mids });
            }
        }
    }

    let mut impact = vec![vec![Moments::default(); probe_times.len()]; PROBE_LOTS.len()];
    for probe in &probes {
        let without: Vec<f64> = probe_times.iter().map(|after| mids[probe.sample + after]).collect();
        let responses = response(sign(probe.side), &probe.mids, &without);
        impact[probe.size].iter_mut().zip(responses).for_each(|(moments, ticks)| moments.add(ticks));
    }
    let seconds: Vec<f64> = mids.iter().copied().step_by(SAMPLES_PER_SECOND).collect();
    let returns: Vec<f64> = changes(&seconds, 1).collect();
    let lags = SIGNATURE_LAGS.into_iter().filter(|&lag| lag <= plan.samples);
    Some(Sums {
        samples: plan.samples as u64,
        spreads: count_values(&spreads),
        depth,
        signature: lags.map(|lag| Moments::of(changes(&mids, lag))).collect(),
        returns: Autocorrelation::of(&returns, LONGEST_LAG),
        signs: Autocorrelation::of(&counter.signs, LONGEST_LAG),
        impact,
        events: counter.events,
        gaps: counter.gaps,
    })
}

/// Plays all sessions and adds their sums in the order of the sessions. `progress` is called after each.
pub(super) fn play_all(
    plan: &Plan<'_>,
    stop: &AtomicBool,
    progress: &(dyn Fn() + Sync),
) -> Result<Sums, SimulateError> {
    let next = AtomicUsize::new(0);
    let played: Mutex<Vec<Option<Sums>>> = Mutex::new(vec![None; plan.sessions]);
    let work = || -> Result<(), SimulateError> {
        let (mut sim, desk) = simulator(plan.flow)?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= plan.sessions {
                return Ok(());
            }
            let sums = play(plan, &mut sim, desk, index, stop).ok_or(SimulateError::Stopped)?;
            played.lock().unwrap_or_else(|poisoned| poisoned.into_inner())[index] = Some(sums);
            progress();
        }
    };
    let threads = plan.threads.clamp(1, plan.sessions.max(1));
    let results: Vec<Result<(), SimulateError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.into_iter().collect::<Result<(), SimulateError>>()?;
    let mut all = Sums::default();
    for sums in played.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_iter().flatten() {
        all.merge(sums);
    }
    Ok(all)
}

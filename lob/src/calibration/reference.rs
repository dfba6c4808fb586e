//! The reference flow's parameters from what is seen of a market.

mod fit;

use super::reaction::Pressures;
use super::sizes::Sizes;
use super::{BookState, FlowEvent, FlowEventKind, Observer};
use crate::Price;
use crate::flow::{MAX_LEVELS, WaitingTime};
use crate::parameter::{ParameterError, integer, positive};

pub use fit::ReferenceFit;

/// Batches of time that the shape's standard errors come from: between this many and twice as many.
const BATCHES: usize = 32;

/// The first length of a batch in seconds.
const FIRST_BATCH: f64 = 1.0;

/// What is estimated, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceSettings {
    /// The window: distances 1 to this.
    pub levels: usize,
    /// Which state an event's following waiting time belongs to. Markets are observed as [`WaitingTime::AfterEffect`]; a simulated flow of
    /// [`WaitingTime::BeforeEffect`] gives its parameters back under that only.
    pub waiting_time: WaitingTime,
    /// Decays of the imbalance that are tried, per tick, increasing; empty for no reaction.
    pub decays: Vec<f64>,
    /// Which kinds of event may react: market orders, limit orders, cancellations.
    pub may_react: [bool; 3],
    /// Estimate a time of day: period in seconds, and equal parts of it.
    pub profile: Option<(f64, usize)>,
}

impl ReferenceSettings {
    /// The settings for a market: imbalance looked for at decays from 0.02 to 6 per tick, no time of day.
    pub fn new(levels: usize) -> Self {
        let decays = (0..15).map(|i| 0.02 * 1.5f64.powi(i)).collect();
        Self { levels, waiting_time: WaitingTime::AfterEffect, decays, may_react: [true; 3], profile: None }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        integer("levels", self.levels, 1..=MAX_LEVELS)?;
        let mut before = 0.0;
        for (index, &decay) in self.decays.iter().enumerate() {
            if !(decay > before && decay.is_finite()) {
                let legal = format!("a finite number above {before} (decays increase)");
                return Err(ParameterError::new(format!("decays[{index}]"), decay, legal));
            }
            before = decay;
        }
        if let Some((period, parts)) = self.profile {
            positive("profile.period_seconds", period)?;
            integer("profile.parts", parts, 1..=1000)?;
        }
        Ok(())
    }
}

/// What intensities are measured against, in one part of the day.
#[derive(Clone, Debug)]
struct Exposure {
    /// Seconds.
    time: f64,
    /// Lots x seconds by side and distance.
    lots: [Vec<f64>; 2],
    /// The same, times the pressure that concerns a side: upwards (first), downwards; by decay.
    pressed_time: Vec<[f64; 2]>,
    /// Lots of a side x seconds x the pressure that concerns their cancellation.
    pressed_lots: Vec<[Vec<f64>; 2]>,
    /// Events by kind and side.
    events: [[u64; 2]; 3],
}

/// The state that a waiting time belongs to.
#[derive(Clone, Debug, Default)]
struct Held {
    depth: [Vec<u64>; 2],
    /// Up, down, by decay.
    pressure: Vec<[f64; 2]>,
    /// Since when, if it counts.
    since: Option<f64>,
}

/// Time averages over a stretch of time.
#[derive(Clone, Debug)]
struct Batch {
    time: f64,
    lots: [Vec<f64>; 2],
}

/// Estimates the reference flow ([`FlowParams`](crate::flow::FlowParams)) from a market's events.
///
/// Memory does not grow with the number of events. Cost of an event: the window times the number of decays.
#[derive(Clone, Debug)]
pub struct ReferenceEstimator {
    settings: ReferenceSettings,
    parts: Vec<Exposure>,
    /// Limit orders by side and distance; cancellations likewise.
    placed: [Vec<u64>; 2],
    cancelled: [Vec<u64>; 2],
    sizes: [Sizes; 3],
    /// By decay and kind.
    pressures: Vec<[Pressures; 3]>,
    held: Held,
    pressure: Vec<[f64; 2]>,
    batches: Vec<Batch>,
    batch_seconds: f64,
    /// Integral of the mid (twice, in ticks) and of the spread over time.
    twice_mid: f64,
    spread: f64,
    valid_seconds: f64,
}

impl ReferenceEstimator {
    /// An estimator that has seen nothing.
    ///
    /// # Errors
    /// The setting that is not legal, by name.
    pub fn new(settings: ReferenceSettings) -> Result<Self, ParameterError> {
        settings.validate()?;
        let levels = settings.levels;
        let zeros = || [vec![0.0; levels], vec![0.0; levels]];
        let counts = || [vec![0; levels], vec![0; levels]];
        let decays = settings.decays.len();
        let part = Exposure {
            time: 0.0,
            lots: zeros(),
            pressed_time: vec![[0.0; 2]; decays],
            pressed_lots: vec![zeros(); decays],
            events: [[0; 2]; 3],
        };
        let pressures = || [Pressures::new(), Pressures::new(), Pressures::new()];
        Ok(Self {
            parts: vec![part; settings.profile.map_or(1, |(_, parts)| parts)],
            placed: counts(),
            cancelled: counts(),
            sizes: [Sizes::default(), Sizes::default(), Sizes::default()],
            pressures: (0..decays).map(|_| pressures()).collect(),
            held: Held {
                depth: [vec![0; levels], vec![0; levels]],
                pressure: vec![[0.0; 2]; decays],
                since: None,
            },
            pressure: vec![[0.0; 2]; decays],
            batches: Vec::new(),
            batch_seconds: FIRST_BATCH,
            twice_mid: 0.0,
            spread: 0.0,
            valid_seconds: 0.0,
            settings,
        })
    }

    /// The part of the day of a time, and where it ends.
    fn part(&self, time: f64) -> (usize, f64) {
        let Some((period, parts)) = self.settings.profile else { return (0, f64::INFINITY) };
        let length = period / parts as f64;
        let count = (time / length).floor();
        (count.rem_euclid(parts as f64) as usize, (count + 1.0) * length)
    }

    /// Counts a stretch of time spent in the held state.
    fn expose(&mut self, mut from: f64, until: f64) {
        while from < until {
            let (part, end) = self.part(from);
            let to = until.min(end);
            // Rounding may leave a part of no length.
            let seconds = (to - from).max(f64::MIN_POSITIVE);
            let exposure = &mut self.parts[part];
            exposure.time += seconds;
            for side in 0..2 {
                add(&mut exposure.lots[side], &self.held.depth[side], seconds);
                for (decay, pressure) in self.held.pressure.iter().enumerate() {
                    if pressure[side] > 0.0 {
                        exposure.pressed_time[decay][side] += pressure[side] * seconds;
                        // Pressure upwards makes asks be cancelled.
                        let other = 1 - side;
                        let pressed = &mut exposure.pressed_lots[decay][other];
                        add(pressed, &self.held.depth[other], pressure[side] * seconds);
                    }
                }
            }
            from = if to > from { to } else { until };
        }
    }

    /// Time averages: of the book as it was from `since` to `until`.
    fn average(&mut self, state: &BookState<'_>, bests: [Price; 2], until: f64) {
        let seconds = until - state.since;
        if seconds <= 0.0 {
            return;
        }
        self.valid_seconds += seconds;
        self.twice_mid += seconds * (bests[0].0 + bests[1].0) as f64;
        self.spread += seconds * (bests[1].0 - bests[0].0) as f64;
        let levels = self.settings.levels;
        let batch = loop {
            let index = ((self.valid_seconds / self.batch_seconds) as usize).max(1) - 1;
            if index < 2 * BATCHES {
                break index;
            }
            // Twice as long, half as many.
            self.batch_seconds *= 2.0;
            let pairs = self.batches.chunks(2).map(|pair| {
                let mut sum = pair[0].clone();
                for other in &pair[1..] {
                    sum.time += other.time;
                    for side in 0..2 {
                        sum.lots[side].iter_mut().zip(&other.lots[side]).for_each(|(sum, lots)| *sum += lots);
                    }
                }
                sum
            });
            self.batches = pairs.collect();
        };
        while self.batches.len() <= batch {
            self.batches.push(Batch { time: 0.0, lots: [vec![0.0; levels], vec![0.0; levels]] });
        }
        let batch = &mut self.batches[batch];
        batch.time += seconds;
        for side in 0..2 {
            add(&mut batch.lots[side], state.depth[side], seconds);
        }
    }

    /// Reads the pressures of a state, by decay.
    fn read_pressure(&mut self, state: &BookState<'_>, bests: [Price; 2]) {
        let own_best = (bests[1].0 - bests[0].0).max(1) as usize - 1;
        for (pressure, &decay) in self.pressure.iter_mut().zip(&self.settings.decays) {
            let factor = libm::exp(-decay);
            let [bids, asks] = state.depth.map(|depth| {
                let levels = depth.get(own_best..).unwrap_or_default();
                levels.iter().rev().fold(0.0, |sum, &lots| sum * factor + lots as f64)
            });
            let imbalance = if bids + asks > 0.0 { (bids - asks) / (bids + asks) } else { 0.0 };
            *pressure = [imbalance.max(0.0), (-imbalance).max(0.0)];
        }
    }

    fn hold(&mut self, state: &BookState<'_>, since: f64) {
        for side in 0..2 {
            let depth = &mut self.held.depth[side];
            let length = depth.len().min(state.depth[side].len());
            depth[..length].copy_from_slice(&state.depth[side][..length]);
        }
        self.held.pressure.copy_from_slice(&self.pressure);
        self.held.since = Some(since);
    }

    fn count(&mut self, before: &BookState<'_>, event: &FlowEvent) {
        let (kind, side) = (event.kind as usize, event.side.index());
        let index = (event.distance as usize).wrapping_sub(1);
        let (part, _) = self.part(event.time);
        // A size that takes all there is may have asked for more.
        let cut_short = match event.kind {
            FlowEventKind::Limit => {
                let Some(count) = self.placed[side].get_mut(index) else { return };
                *count += 1;
                false
            }
            FlowEventKind::Cancel => {
                let Some(count) = self.cancelled[side].get_mut(index) else { return };
                *count += 1;
                event.lots >= before.depth[side][index]
            }
            FlowEventKind::Market => event.lots >= before.depth[1 - side].iter().sum(),
        };
        self.parts[part].events[kind][side] += 1;
        self.sizes[kind].see(event.lots, cut_short);
        let concerned = if event.kind == FlowEventKind::Cancel { 1 - side } else { side };
        for (pressures, pressure) in self.pressures.iter_mut().zip(&self.pressure) {
            pressures[kind].see(pressure[concerned]);
        }
    }

    /// What a state with its following stretch of time, from its `since` to `until`, adds.
    fn see_state(&mut self, state: &BookState<'_>, until: f64) -> bool {
        let bests = match state.best {
            [Some(bid), Some(ask)] if state.valid => [bid, ask],
            _ => {
                if let (Some(since), true) = (self.held.since.take(), state.valid) {
                    self.expose(since, until);
                }
                return false;
            }
        };
        self.average(state, bests, until);
        self.read_pressure(state, bests);
        match self.settings.waiting_time {
            WaitingTime::AfterEffect => {
                self.hold(state, state.since);
                self.expose(state.since, until);
            }
            WaitingTime::BeforeEffect => {
                if let Some(since) = self.held.since {
                    self.expose(since, until);
                }
            }
        }
        true
    }
}

/// Adds lots times a factor.
fn add(sums: &mut [f64], lots: &[u64], factor: f64) {
    sums.iter_mut().zip(lots).for_each(|(sum, &lots)| *sum += lots as f64 * factor);
}

impl Observer for ReferenceEstimator {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        if self.see_state(&before, event.time) {
            self.count(&before, event);
            if self.settings.waiting_time == WaitingTime::BeforeEffect {
                self.hold(&before, event.time);
            }
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see_state(&last, time);
        self.held.since = None;
    }
}

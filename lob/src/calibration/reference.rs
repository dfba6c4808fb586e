//! The reference flow's parameters from what is seen of a market.

use serde::Serialize;

use super::reaction::{self, KindReaction, Pressures, ReactionFit, Stream};
use super::sizes::{SizeFit, Sizes};
use super::{BookState, Estimate, FlowEvent, FlowEventKind, Observer};
use crate::flow::{
    CancellationRule, Centre, EmptySide, EventSizes, FlowParams, Imbalance, MAX_LEVELS, Opening, OpeningBook,
    PerSide, Profile, Shape, StandardErrors, WaitingTime,
};
use crate::parameter::{ParameterError, integer, positive};
use crate::{Price, Side};

/// Batches of time that the shape's standard errors come from: between this many and twice as many.
const BATCHES: usize = 32;

/// The first length of a batch in seconds.
const FIRST_BATCH: f64 = 1.0;

/// Rounds of estimating the profile and everything else in turn.
const ROUNDS: usize = 30;

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
    /// Estimate a time of day: period in seconds, and equal parts of it.
    pub profile: Option<(f64, usize)>,
}

impl ReferenceSettings {
    /// The settings for a market: imbalance looked for at decays from 0.02 to 6 per tick, no time of day.
    pub fn new(levels: usize) -> Self {
        let decays = (0..15).map(|i| 0.02 * 1.5f64.powi(i)).collect();
        Self { levels, waiting_time: WaitingTime::AfterEffect, decays, profile: None }
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

/// Estimates the reference flow ([`FlowParams`]) from a market's events.
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

/// The reference flow as estimated.
#[derive(Clone, Debug, Serialize)]
pub struct ReferenceFit {
    /// The parameters, ready to be simulated.
    #[serde(skip)]
    pub params: FlowParams,
    /// Every estimate with its standard error.
    pub estimates: Vec<Estimate>,
    /// Gain and decay, if anything reacts.
    pub reaction: Option<ReactionFit>,
    /// Each kind of event alone.
    pub kinds: Option<[KindReaction; 3]>,
    /// Seconds in which the book was valid and had two sides.
    pub valid_seconds: f64,
    /// Time-weighted mean spread, in ticks of the model.
    pub mean_spread: f64,
}

impl ReferenceEstimator {
    /// The estimates of everything seen so far.
    ///
    /// # Errors
    /// What is missing: no valid time, no market, limit or cancel events, a side without limit orders.
    pub fn fit(&self) -> Result<ReferenceFit, ParameterError> {
        let lacks = |value: String, legal: &str| Err(ParameterError::new("events", value, legal));
        if self.valid_seconds <= 0.0 || self.parts.iter().map(|part| part.time).sum::<f64>() <= 0.0 {
            return lacks("without time in which the book had two sides".to_owned(), "a two-sided book");
        }
        let kinds = ["market orders", "limit orders", "cancellations"];
        let mut sizes = Vec::new();
        for (name, of_kind) in kinds.iter().zip(&self.sizes) {
            let Some(fit) = of_kind.fit() else {
                return lacks(format!("without {name}"), "market orders, limit orders and cancellations");
            };
            sizes.push(fit);
        }
        for side in Side::BOTH {
            if self.placed[side.index()].iter().all(|&count| count == 0) {
                let name = ["buy", "sell"][side.index()];
                return lacks(format!("without limit orders to {name}"), "limit orders of both sides");
            }
        }
        Ok(self.assemble(&sizes))
    }

    /// The streams, with the parts of the day weighted by their activity.
    fn streams(&self, activity: &[f64]) -> Vec<Stream> {
        let decays = self.settings.decays.len();
        let sum = |value: &dyn Fn(&Exposure) -> f64| -> f64 {
            self.parts.iter().zip(activity).map(|(part, weight)| weight * value(part)).sum()
        };
        let mut streams = Vec::new();
        for kind in 0..2 {
            for side in 0..2 {
                let events = self.parts.iter().map(|part| part.events[kind][side]).sum::<u64>() as f64;
                let reacting = (0..decays).map(|decay| sum(&|part| part.pressed_time[decay][side])).collect();
                streams.push(Stream { kind, events, exposure: sum(&|part| part.time), reacting });
            }
        }
        for side in 0..2 {
            for (k, &count) in self.cancelled[side].iter().enumerate() {
                let reacting =
                    (0..decays).map(|decay| sum(&|part| part.pressed_lots[decay][side][k])).collect();
                let exposure = sum(&|part| part.lots[side][k]);
                streams.push(Stream { kind: 2, events: count as f64, exposure, reacting });
            }
        }
        streams
    }

    /// The activity of each part of the day that the events in it call for, given everything else; its time-weighted mean is 1.
    fn activity(&self, streams: &[Stream], reaction: Option<&ReactionFit>) -> Vec<f64> {
        let rates: Vec<f64> = streams.iter().map(|stream| rate(stream, reaction).0).collect();
        let total: f64 = self.parts.iter().map(|part| part.time).sum();
        let levels = self.settings.levels;
        let of_part = |part: &Exposure| {
            let gain =
                |kind: usize| reaction.filter(|fit| fit.reacts(kind)).map_or(0.0, |fit| fit.gain.value);
            let mut expected = 0.0;
            for side in 0..2 {
                let pressed =
                    reaction.map_or(0.0, |fit| fit.reacting(|decay| part.pressed_time[decay][side]));
                for kind in 0..2 {
                    expected += rates[2 * kind + side] * (part.time + gain(kind) * pressed);
                }
                for k in 0..levels {
                    let pressed =
                        reaction.map_or(0.0, |fit| fit.reacting(|decay| part.pressed_lots[decay][side][k]));
                    expected += rates[4 + side * levels + k] * (part.lots[side][k] + gain(2) * pressed);
                }
            }
            let events: u64 = part.events.iter().flatten().sum();
            if expected > 0.0 { events as f64 / expected } else { 1.0 }
        };
        let raw: Vec<f64> = self.parts.iter().map(of_part).collect();
        let mean =
            self.parts.iter().zip(&raw).map(|(part, activity)| part.time * activity).sum::<f64>() / total;
        raw.iter().map(|activity| activity / mean).collect()
    }

    fn assemble(&self, sizes: &[SizeFit]) -> ReferenceFit {
        let mut activity = vec![1.0; self.parts.len()];
        let mut streams = self.streams(&activity);
        let fit_reaction = |streams: &[Stream]| {
            let (kinds, reaction) = reaction::fit(&self.settings.decays, streams, &self.pressures);
            ((!self.settings.decays.is_empty()).then_some(kinds), reaction)
        };
        let (mut kinds, mut reaction) = fit_reaction(&streams);
        if self.settings.profile.is_some() {
            for _ in 0..ROUNDS {
                let next = self.activity(&streams, reaction.as_ref());
                let change = next.iter().zip(&activity).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                activity = next;
                streams = self.streams(&activity);
                (kinds, reaction) = fit_reaction(&streams);
                if change < 1e-9 {
                    break;
                }
            }
        }
        let mut estimates = Vec::new();
        let levels = self.settings.levels;
        let names = ["buy", "sell"];
        let reaction_of = reaction.as_ref();
        let market_intensity = [0, 1].map(|side| {
            let (value, error) = rate(&streams[side], reaction_of);
            let name = format!("market_intensity.{}", names[side]);
            estimates.push(Estimate::new(name, value, error, streams[side].events as u64));
            value
        });
        let mut by_distance = |key: &str, counts: &[Vec<u64>; 2], stream: &dyn Fn(usize, usize) -> Stream| {
            [0, 1].map(|side| {
                let of_distance = |k: usize| {
                    let (value, error) = rate(&stream(side, k), reaction_of);
                    let name = format!("{key}.{}[{k}]", names[side]);
                    estimates.push(Estimate::new(name, value, error, counts[side][k]));
                    value
                };
                (0..levels).map(of_distance).collect::<Vec<f64>>()
            })
        };
        let limit = by_distance("limit_intensity", &self.placed, &|side, k| Stream {
            events: self.placed[side][k] as f64,
            ..streams[2 + side].clone()
        });
        let cancel = by_distance("cancel_intensity", &self.cancelled, &|side, k| {
            streams[4 + side * levels + k].clone()
        });
        if let Some(fit) = &reaction {
            estimates.extend([fit.decay.clone(), fit.gain.clone()]);
        }
        for (kind, fit) in ["market", "limit", "cancel"].iter().zip(sizes) {
            let events = self.sizes[estimates_kind(kind)].events();
            estimates.push(Estimate::new(format!("size.{kind}.mean"), fit.mean, fit.mean_error, events));
            for (index, (&p, &error)) in fit.probabilities.iter().zip(&fit.standard_errors).enumerate() {
                estimates.push(Estimate::new(
                    format!("size.{kind}.empirical.weights[{index}]"),
                    p,
                    error,
                    events,
                ));
            }
        }
        let profile = self.profile(&activity, &mut estimates);
        let shape = self.shape(&mut estimates);
        let mid = self.twice_mid / self.valid_seconds / 2.0;
        let best_bid = Price((mid - 0.5).round() as i64);
        let pair = |[buy, sell]: [Vec<f64>; 2]| PerSide { buy, sell };
        let total: u64 = self.parts.iter().flat_map(|part| part.events.iter().flatten()).sum();
        let params = FlowParams {
            market_intensity: PerSide { buy: market_intensity[0], sell: market_intensity[1] },
            limit_intensity: pair(limit),
            cancel_intensity: pair(cancel),
            scale: 1.0,
            imbalance: reaction.as_ref().map_or(Imbalance::None, |fit| Imbalance::Linear {
                decay: fit.decay.value,
                gain: fit.gain.value,
                market: fit.reacts(0),
                limit: fit.reacts(1),
                cancel: fit.reacts(2),
            }),
            size: EventSizes {
                market: sizes[0].distribution(),
                limit: sizes[1].distribution(),
                cancel: sizes[2].distribution(),
            },
            cancellation: CancellationRule::RandomOrder,
            waiting_time: self.settings.waiting_time,
            opening: Opening {
                book: OpeningBook::Live,
                centre: Centre { best_bid, best_ask: Price(best_bid.0 + 1) },
                levels,
                // The time of some thousand events, in which the opening book forgets that it has no gaps.
                lead_in_seconds: (1000.0 * self.valid_seconds / total.max(1) as f64)
                    .clamp(15.0, 600.0)
                    .round(),
                shape: shape.clone(),
            },
            profile,
            empty_side: EmptySide {
                delay_seconds: 1e-6,
                bid_price: best_bid,
                bid_lots: (shape.bidv.iter().copied().fold(0.0, f64::max).round() as u64)
                    .clamp(1, crate::flow::MAX_SIZE),
            },
        };
        let mean_spread = self.spread / self.valid_seconds;
        ReferenceFit { params, estimates, reaction, kinds, valid_seconds: self.valid_seconds, mean_spread }
    }

    fn profile(&self, activity: &[f64], estimates: &mut Vec<Estimate>) -> Profile {
        let Some((period_seconds, parts)) = self.settings.profile else { return Profile::Flat };
        let events = |part: &Exposure| part.events.iter().flatten().sum::<u64>();
        let total: u64 = self.parts.iter().map(events).sum();
        for (index, (part, &value)) in self.parts.iter().zip(activity).enumerate() {
            let count = events(part);
            // Shares of a total: a part that has all events has no error.
            let relative = (1.0 / count.max(1) as f64 - 1.0 / total.max(1) as f64).max(0.0).sqrt();
            let name = format!("profile.piecewise_constant.multipliers[{index}]");
            estimates.push(Estimate::new(name, value, value * relative, count));
        }
        Profile::PiecewiseConstant {
            period_seconds,
            normalised: false,
            times: (0..parts).map(|part| part as f64 * period_seconds / parts as f64).collect(),
            multipliers: activity.to_vec(),
        }
    }

    /// The time-weighted mean lots by distance; standard errors from batches of time.
    fn shape(&self, estimates: &mut Vec<Estimate>) -> Shape {
        let total: f64 = self.batches.iter().map(|batch| batch.time).sum();
        let batches = self.batches.len() as f64;
        let [bidv, askv] = [0, 1].map(|side| {
            let of_distance = |k: usize| {
                let mean = self.batches.iter().map(|batch| batch.lots[side][k]).sum::<f64>() / total;
                let spread = |batch: &Batch| (batch.lots[side][k] - mean * batch.time).powi(2);
                let squares = self.batches.iter().map(spread).sum::<f64>();
                let error = if batches > 1.0 {
                    (squares * batches / (batches - 1.0)).sqrt() / total
                } else {
                    f64::NAN
                };
                estimates.push(Estimate::new(
                    format!("{}[{k}]", ["bidv", "askv"][side]),
                    mean,
                    error,
                    batches as u64,
                ));
                mean
            };
            (0..self.settings.levels).map(of_distance).collect::<Vec<f64>>()
        });
        Shape { bidv, askv, bidv_live: None, askv_live: None }
    }
}

fn estimates_kind(kind: &str) -> usize {
    ["market", "limit", "cancel"].iter().position(|&name| name == kind).unwrap_or(0)
}

/// Intensity and standard error of a stream: events over exposure. With no event the error is that of one.
fn rate(stream: &Stream, reaction: Option<&ReactionFit>) -> (f64, f64) {
    let (exposure, relative) = reaction.map_or((stream.exposure, 0.0), |fit| fit.exposure(stream));
    if exposure <= 0.0 {
        return (0.0, f64::NAN);
    }
    let value = stream.events / exposure;
    let counting = stream.events.max(1.0).sqrt() / exposure;
    (value, counting.hypot(value * relative))
}

impl ReferenceFit {
    /// The standard errors by key of the order-flow file.
    pub fn standard_errors(&self) -> StandardErrors {
        let mut errors = StandardErrors::new();
        for estimate in self.estimates.iter().filter(|estimate| !estimate.name.ends_with(".mean")) {
            // Estimates of one array follow one another in its order.
            let key = estimate.name.split('[').next().unwrap_or_default();
            errors.entry(key.to_owned()).or_default().push(estimate.standard_error);
        }
        errors
    }

    /// Settings for another look at the same events, with decays closer to the likeliest; `None` if nothing reacts.
    pub fn closer(&self, settings: &ReferenceSettings) -> Option<ReferenceSettings> {
        let decays = self.reaction.as_ref()?.closer()?;
        Some(ReferenceSettings { decays, ..settings.clone() })
    }
}

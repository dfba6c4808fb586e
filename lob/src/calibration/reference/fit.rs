//! From what was counted to the parameters.

use serde::Serialize;

use super::super::Estimate;
use super::super::reaction::{self, KindReaction, ReactionFit, Stream};
use super::super::sizes::SizeFit;
use super::{Batch, Exposure, ReferenceEstimator, ReferenceSettings};
use crate::flow::{
    CancellationRule, Centre, EmptySide, EventSizes, FlowParams, Imbalance, Opening, OpeningBook, PerSide,
    Profile, Shape, StandardErrors,
};
use crate::parameter::ParameterError;
use crate::{Price, Side};

/// Rounds of estimating the profile and everything else in turn.
const ROUNDS: usize = 30;

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
            let (kinds, reaction) =
                reaction::fit(&self.settings.decays, self.settings.may_react, streams, &self.pressures);
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
        for ((kind, fit), seen) in ["market", "limit", "cancel"].iter().zip(sizes).zip(&self.sizes) {
            let events = seen.events();
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

    /// Takes both sides for mirror images of each other, as Huang, Lehalle & Rosenbaum (section 2.2) do: their events are counted together. What the sides
    /// of a few hours differ in makes a simulated price drift for ever.
    pub fn pool_sides(&mut self) {
        let params = &mut self.params;
        for (key, rates) in [
            ("limit_intensity", &mut params.limit_intensity),
            ("cancel_intensity", &mut params.cancel_intensity),
        ] {
            for index in 0..rates.buy.len().min(rates.sell.len()) {
                let names = ["buy", "sell"].map(|side| format!("{key}.{side}[{index}]"));
                if let Some(rate) = pool(&mut self.estimates, &names, pooled_rate) {
                    (rates.buy[index], rates.sell[index]) = (rate, rate);
                }
            }
        }
        let names = ["buy", "sell"].map(|side| format!("market_intensity.{side}"));
        if let Some(rate) = pool(&mut self.estimates, &names, pooled_rate) {
            params.market_intensity = PerSide::both(rate);
        }
        let shape = &mut params.opening.shape;
        for index in 0..shape.bidv.len().min(shape.askv.len()) {
            let names = ["bidv", "askv"].map(|side| format!("{side}[{index}]"));
            let mean = |pair: [&Estimate; 2]| {
                let [a, b] = pair.map(|one| one.standard_error);
                (
                    f64::midpoint(pair[0].value, pair[1].value),
                    a.hypot(b) / 2.0,
                    pair[0].events.max(pair[1].events),
                )
            };
            if let Some(lots) = pool(&mut self.estimates, &names, mean) {
                (shape.bidv[index], shape.askv[index]) = (lots, lots);
            }
        }
    }

    /// Settings for another look at the same events, with decays closer to the likeliest; `None` if nothing reacts.
    pub fn closer(&self, settings: &ReferenceSettings) -> Option<ReferenceSettings> {
        let decays = self.reaction.as_ref()?.closer()?;
        Some(ReferenceSettings { decays, ..settings.clone() })
    }
}

/// Gives two estimates the value, standard error and events that `together` makes of them. Returns the value.
fn pool(
    estimates: &mut [Estimate],
    names: &[String; 2],
    together: impl Fn([&Estimate; 2]) -> (f64, f64, u64),
) -> Option<f64> {
    let find = |name: &String| estimates.iter().position(|estimate| estimate.name == *name);
    let [first, second] = [find(&names[0])?, find(&names[1])?];
    let (value, standard_error, events) = together([&estimates[first], &estimates[second]]);
    for index in [first, second] {
        let estimate = &mut estimates[index];
        (estimate.value, estimate.standard_error, estimate.events) = (value, standard_error, events);
    }
    Some(value)
}

/// All events over all exposure. The exposure of a rate without events is that of its standard error, which is one event's.
fn pooled_rate(pair: [&Estimate; 2]) -> (f64, f64, u64) {
    let exposure =
        pair.map(
            |rate| {
                if rate.events > 0 { rate.events as f64 / rate.value } else { 1.0 / rate.standard_error }
            },
        );
    let exposure = exposure.map(|exposure| if exposure.is_finite() { exposure } else { 0.0 });
    let [a, b] = [0, 1].map(|side| {
        let error = pair[side].standard_error * exposure[side];
        if error.is_finite() { error } else { 0.0 }
    });
    let (events, all) = (pair[0].events + pair[1].events, exposure[0] + exposure[1]);
    let of = |number: f64| if all > 0.0 { number / all } else { 0.0 };
    let error = if events == 0 { 1.0 } else { a.hypot(b) };
    (of(events as f64), of(error), events)
}

//! Parameters of the reference market's flow: Poisson noise traders, tactical or not.

use serde::{Deserialize, Serialize};

use super::opening::by_distance;
use super::{EmptySide, Opening, PerSide, Profile, Shape, SizeDistribution};
use crate::parameter::{ParameterError, Validity, non_negative, positive, probability};

/// A Poisson order flow whose intensities depend on the distance from the opposite best price, on the lots resting there
/// and, for tactical traders, on the book's imbalance.
///
/// Source: P. Cheridito, M. Weiss, *Reinforcement Learning for Trade Execution with Market Impact*, arXiv 2507.06345; the presets
/// [`noise`](Self::noise) and [`tactical`](Self::tactical) are its markets to the last digit. Every intensity is multiplied
/// by [`scale`](Self::scale), by the reaction to imbalance and by the [`profile`](Self::profile).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowParams {
    /// Market orders per second.
    pub market_intensity: PerSide<f64>,
    /// Limit orders per second at distance 1, 2, ... ticks from the opposite best; further out 0.
    pub limit_intensity: PerSide<Vec<f64>>,
    /// Cancellations per second and resting lot (anyone's) at distance 1, 2, ... ticks from the opposite best; further out 0.
    pub cancel_intensity: PerSide<Vec<f64>>,
    /// Multiplies all intensities.
    pub scale: f64,
    /// How intensities react to the book's imbalance.
    pub imbalance: Imbalance,
    /// How large events are.
    pub size: EventSizes,
    /// Which of their orders the traders cancel.
    pub cancellation: CancellationRule,
    /// Which state of the book the waiting time is drawn from.
    pub waiting_time: WaitingTime,
    /// The book at the start.
    pub opening: Opening,
    /// Time of day.
    pub profile: Profile,
    /// What happens when a side is empty.
    pub empty_side: EmptySide,
}

/// How intensities react to the imbalance `I = (B - A) / (B + A)`, `B = sum_j exp(-decay j) v_bid(j)` over all levels of the
/// window, j = 0, 1, ... ticks from the best bid, `A` likewise for the asks; `I = 0` if both are 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Imbalance {
    /// Not at all: noise traders.
    None,
    /// Tactical traders: with `p = gain max(0, I)` and `n = gain max(0, -I)`, market buys, limit bids and cancellations of asks are
    /// multiplied by `1 + p`; market sells, limit asks and cancellations of bids by `1 + n`.
    Linear {
        /// Decay of a level's weight per tick from the own best; 0 or more.
        decay: f64,
        /// Strength; 0 or more.
        gain: f64,
        /// Market orders react.
        market: bool,
        /// Limit orders react.
        limit: bool,
        /// Cancellations react.
        cancel: bool,
    },
}

impl Imbalance {
    /// The tactical traders of the reference: decay 0.65, gain 2, everything reacts.
    pub const fn tactical() -> Self {
        Self::Linear { decay: 0.65, gain: 2.0, market: true, limit: true, cancel: true }
    }

    /// Weight of each of `levels` levels from the own best; empty if nothing reacts. The same bits on every machine.
    pub fn weights(&self, levels: usize) -> Vec<f64> {
        match self {
            Self::None => Vec::new(),
            Self::Linear { decay, .. } => (0..levels).map(|j| libm::exp(-decay * j as f64)).collect(),
        }
    }

    fn validate(&self) -> Validity {
        match self {
            Self::None => Ok(()),
            Self::Linear { decay, gain, .. } => {
                non_negative("imbalance.linear.decay", *decay)?;
                non_negative("imbalance.linear.gain", *gain)
            }
        }
    }
}

/// The size distribution of each kind of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSizes {
    /// Of market orders.
    pub market: SizeDistribution,
    /// Of limit orders.
    pub limit: SizeDistribution,
    /// Of cancellations: the lots asked for, before it is known what is there.
    pub cancel: SizeDistribution,
}

impl EventSizes {
    /// The reference market's: the same half-normal one for all.
    pub const fn reference() -> Self {
        let size = SizeDistribution::reference;
        Self { market: size(), limit: size(), cancel: size() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        for (key, size) in [("market", &self.market), ("limit", &self.limit), ("cancel", &self.cancel)] {
            size.validate().map_err(|error| error.within(key))?;
        }
        Ok(())
    }
}

/// Which of the traders' own orders at the drawn price a cancellation takes its lots out of.
///
/// In each case the last order touched shrinks in place and keeps its priority, and if less than the drawn size is there, what is
/// there goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancellationRule {
    /// The last in the queue first: the reference market.
    NewestFirst,
    /// The first in the queue first.
    OldestFirst,
    /// One order after the other at random, each with a probability proportional to its lots.
    RandomOrder,
}

/// Which state of the book the waiting time after an event is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingTime {
    /// The state that the event itself was drawn from: the reference market.
    BeforeEffect,
    /// The state that the event left behind: the exact simulation of the Markov chain.
    AfterEffect,
}

/// Distances beyond 13 have intensity 0.
const LIMIT: [f64; 13] =
    [0.2842, 0.5255, 0.2971, 0.2307, 0.0826, 0.0682, 0.0631, 0.0481, 0.0462, 0.0321, 0.0178, 0.0015, 0.0001];
const CANCEL: [f64; 13] = [
    0.08636, 0.04635, 0.01487, 0.01096, 0.00402, 0.00341, 0.00311, 0.00237, 0.00233, 0.00178, 0.00127,
    0.00012, 0.00001,
];

impl FlowParams {
    /// The market `noise` of the reference.
    pub fn noise() -> Self {
        Self {
            market_intensity: PerSide::both(0.1237),
            limit_intensity: PerSide::both(LIMIT.to_vec()),
            cancel_intensity: PerSide::both(CANCEL.to_vec()),
            scale: 1.0,
            imbalance: Imbalance::None,
            size: EventSizes::reference(),
            cancellation: CancellationRule::NewestFirst,
            waiting_time: WaitingTime::BeforeEffect,
            opening: Opening::reference(Shape::noise()),
            profile: Profile::Flat,
            empty_side: EmptySide::reference(),
        }
    }

    /// The market `flow` of the reference: noise at 0.85 of its intensity that reacts to imbalance.
    pub fn tactical() -> Self {
        Self {
            scale: 0.85,
            imbalance: Imbalance::tactical(),
            opening: Opening::reference(Shape::tactical()),
            ..Self::noise()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        non_negative("market_intensity.buy", self.market_intensity.buy)?;
        non_negative("market_intensity.sell", self.market_intensity.sell)?;
        self.opening.validate().map_err(|error| error.within("opening"))?;
        let levels = self.opening.levels;
        by_distance("limit_intensity.buy", &self.limit_intensity.buy, levels)?;
        by_distance("limit_intensity.sell", &self.limit_intensity.sell, levels)?;
        by_distance("cancel_intensity.buy", &self.cancel_intensity.buy, levels)?;
        by_distance("cancel_intensity.sell", &self.cancel_intensity.sell, levels)?;
        for (key, list) in [("buy", &self.limit_intensity.buy), ("sell", &self.limit_intensity.sell)] {
            let sum: f64 = list.iter().sum();
            if !(sum > 0.0 && sum.is_finite()) {
                // Without limit orders a side runs dry and the flow stops.
                let value = format_args!("a list with sum {sum}");
                return Err(ParameterError::new(format!("limit_intensity.{key}"), value, "a finite sum > 0"));
            }
        }
        positive("scale", self.scale)?;
        self.imbalance.validate()?;
        self.size.validate().map_err(|error| error.within("size"))?;
        self.profile.validate().map_err(|error| error.within("profile"))?;
        self.empty_side.validate().map_err(|error| error.within("empty_side"))
    }
}

/// The strategic trader of the reference: from the start of the flow, every `period_seconds`, a market order and then a limit
/// order one tick inside the spread (a seller at best bid + 1, a buyer at best ask - 1, read before its market order).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategicParams {
    /// Time between its actions in seconds, above 0.
    pub period_seconds: f64,
    /// Size of each market order in lots; 0 for none.
    pub market_lots: u64,
    /// Size of each limit order in lots; 0 for none.
    pub limit_lots: u64,
    /// Probability that it is a seller, drawn at each reset.
    pub seller_probability: f64,
}

impl StrategicParams {
    /// The reference market's: 3 s, 1 lot, 2 lots, 1/2.
    pub const fn reference() -> Self {
        Self { period_seconds: 3.0, market_lots: 1, limit_lots: 2, seller_probability: 0.5 }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        positive("period_seconds", self.period_seconds)?;
        crate::parameter::integer("market_lots", self.market_lots, 0..=super::MAX_SIZE)?;
        crate::parameter::integer("limit_lots", self.limit_lots, 0..=super::MAX_SIZE)?;
        probability("seller_probability", self.seller_probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_legal() {
        FlowParams::noise().validate().unwrap();
        FlowParams::tactical().validate().unwrap();
        StrategicParams::reference().validate().unwrap();
    }

    #[test]
    fn the_tactical_market_differs_from_noise_where_the_reference_says() {
        let expected = FlowParams {
            scale: 0.85,
            imbalance: Imbalance::Linear { decay: 0.65, gain: 2.0, market: true, limit: true, cancel: true },
            opening: Opening::reference(Shape::tactical()),
            ..FlowParams::noise()
        };
        assert_eq!(FlowParams::tactical(), expected);
        assert_eq!(Imbalance::tactical().weights(30).len(), 30);
        assert_eq!(Imbalance::tactical().weights(30)[0], 1.0);
        assert!((Imbalance::tactical().weights(30)[2] - (-1.3f64).exp()).abs() < 1e-15);
    }

    type Spoil = fn(&mut FlowParams);

    #[test]
    fn every_field_is_checked_and_named() {
        let cases: [(&str, Spoil); 14] = [
            ("market_intensity.buy", |p| p.market_intensity.buy = -1.0),
            ("market_intensity.sell", |p| p.market_intensity.sell = f64::NAN),
            ("limit_intensity.buy[3]", |p| p.limit_intensity.buy[3] = f64::INFINITY),
            ("limit_intensity.sell", |p| p.limit_intensity.sell.clear()),
            ("limit_intensity.sell", |p| p.limit_intensity.sell.fill(0.0)),
            ("cancel_intensity.buy", |p| p.cancel_intensity.buy = vec![0.1; 31]),
            ("cancel_intensity.sell[0]", |p| p.cancel_intensity.sell[0] = -0.1),
            ("scale", |p| p.scale = 0.0),
            ("imbalance.linear.decay", |p| {
                p.imbalance =
                    Imbalance::Linear { decay: -1.0, gain: 2.0, market: true, limit: true, cancel: true };
            }),
            ("size.limit.constant.lots", |p| p.size.limit = SizeDistribution::Constant { lots: 0 }),
            ("opening.lead_in_seconds", |p| p.opening.lead_in_seconds = -1.0),
            ("opening.shape.bidv", |p| p.opening.shape.bidv.truncate(29)),
            ("profile.piecewise_constant.period_seconds", |p| {
                p.profile = Profile::PiecewiseConstant {
                    period_seconds: 0.0,
                    normalised: false,
                    times: vec![0.0],
                    multipliers: vec![1.0],
                };
            }),
            ("empty_side.bid_lots", |p| p.empty_side.bid_lots = 0),
        ];
        for (key, spoil) in cases {
            let mut params = FlowParams::noise();
            spoil(&mut params);
            assert_eq!(params.validate().unwrap_err().key, key);
        }
    }

    #[test]
    fn strategic_fields_are_checked() {
        let bad = StrategicParams { seller_probability: 1.5, ..StrategicParams::reference() };
        assert_eq!(
            bad.validate().unwrap_err().to_string(),
            "seller_probability is 1.5; legal: a number from 0 to 1"
        );
    }
}

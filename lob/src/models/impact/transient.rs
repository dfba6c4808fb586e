//! Transient impact: every trade pushes the price, and the push decays.

use serde::{Deserialize, Serialize};

use super::temporary::linear;
use super::{Conditions, ImpactModel, MetaOrder, TradeCost, elapsed, priced};
use crate::parameter::{ParameterError, Validity, non_negative, positive};

/// How a push decays, with `t` in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// `exp(-t / seconds)`, the resilience of Obizhaeva & Wang.
    Exponential {
        /// Time in which a push falls to 1/e; > 0.
        seconds: f64,
    },
    /// `(t + shift_seconds)^-exponent`, the propagator of Bouchaud et al.
    PowerLaw {
        /// Its power, above 0 and below 1.
        exponent: f64,
        /// What keeps it finite at once; >= 0.
        #[serde(default)]
        shift_seconds: f64,
    },
}

/// Transient impact: while an order trades, it pushes the price by `coefficient x volatility x participation^exponent` a second, and each
/// push decays by itself: `displacement(t) = sum of pushes x decay(t - their time)`.
///
/// Sources: A. A. Obizhaeva & J. Wang, "Optimal trading strategy and supply/demand dynamics", Journal of Financial Markets 16 (2013) 1-32
/// (exponential); J.-P. Bouchaud, Y. Gefen, M. Potters & M. Wyart, "Fluctuations and response in financial markets", Quantitative
/// Finance 4 (2004) 176-190 (propagator); J. Gatheral, "No-dynamic-arbitrage and market impact", Quantitative Finance 10 (2010) 749-759
/// (the form used here, and which pairs of impact and decay allow a profit from round trips).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransientParams {
    /// Push a second at participation 1 in units of the volatility of a second; >= 0. In 1/sqrt(s) for exponential decay, in
    /// `s^(g - 1/2)` for a power law with exponent g.
    pub coefficient: f64,
    /// Power of the participation; above 0, at most 1.
    #[serde(default = "linear")]
    pub exponent: f64,
    /// How pushes decay.
    pub decay: Decay,
    /// What crossing the spread costs, a fraction of the price; >= 0.
    #[serde(default)]
    pub half_spread: f64,
}

impl TransientParams {
    pub(super) fn validate(&self) -> Validity {
        non_negative("coefficient", self.coefficient)?;
        non_negative("half_spread", self.half_spread)?;
        let power = self.exponent;
        if !(power > 0.0 && power <= 1.0) {
            return Err(ParameterError::new("exponent", power, "a number above 0, at most 1"));
        }
        match self.decay {
            Decay::Exponential { seconds } => {
                positive("decay.exponential.seconds", seconds)?;
                if power != 1.0 {
                    let legal =
                        "1 with exponential decay: any other lets round trips earn money (Gatheral 2010)";
                    return Err(ParameterError::new("exponent", power, legal));
                }
            }
            Decay::PowerLaw { exponent, shift_seconds } => {
                if !(exponent > 0.0 && exponent < 1.0) {
                    let key = "decay.power_law.exponent";
                    return Err(ParameterError::new(key, exponent, "a number above 0 and below 1"));
                }
                non_negative("decay.power_law.shift_seconds", shift_seconds)?;
                if shift_seconds > 0.0 && power != 1.0 {
                    let legal = "1 with a decay that is finite at once (shift_seconds above 0): any other lets round trips earn money \
                                 (Gatheral 2010)";
                    return Err(ParameterError::new("exponent", power, legal));
                }
                // A fit may end on the boundary itself, an ulp off.
                if exponent + power < 1.0 - 1e-9 {
                    let legal = format!(
                        "at least {} with decay.power_law.exponent {exponent}: a sum below 1 lets round trips earn money (Gatheral 2010)",
                        1.0 - exponent
                    );
                    return Err(ParameterError::new("exponent", power, legal));
                }
            }
        }
        Ok(())
    }
}

/// Orders that a power law remembers one by one; neighbours among older ones are joined.
const MEMORY: usize = 64;

/// A push at an even rate (signed, a second) from `start` to `end` of the model's clock, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Push {
    start: f64,
    end: f64,
    rate: f64,
}

/// What is left of earlier pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Memory {
    /// An exponential forgets at the same rate whatever its age: the displacement is all there is to know.
    Displacement(f64),
    /// A power law does not. At most [`MEMORY`] pushes, oldest first.
    Pushes { now: f64, pushes: Vec<Push> },
}

/// The model of [`TransientParams`].
///
/// An order costs the same time with exponential decay whatever was traded before. With a power law it takes time in proportion to the
/// orders it remembers, at most 64: when there are more, those two neighbours become one whose common span is the shortest for their
/// age, so that old orders are known ever more roughly, which is what a power law needs of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transient {
    params: TransientParams,
    memory: Memory,
}

/// A power-law kernel and its integrals.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    exponent: f64,
    shift: f64,
}

impl Kernel {
    /// The integral of the kernel from age 0 to `age`, up to a constant.
    fn once(self, age: f64) -> f64 {
        libm::pow(age + self.shift, 1.0 - self.exponent) / (1.0 - self.exponent)
    }

    /// The integral of [`once`](Self::once), up to a linear function.
    fn twice(self, age: f64) -> f64 {
        libm::pow(age + self.shift, 2.0 - self.exponent) / ((1.0 - self.exponent) * (2.0 - self.exponent))
    }

    /// What pushes amount to at a time.
    fn displacement(self, pushes: &[Push], time: f64) -> f64 {
        pushes
            .iter()
            .map(|push| push.rate * (self.once(time - push.start) - self.once(time - push.end)))
            .sum()
    }

    /// The mean of that from `now` on for some seconds.
    fn mean_displacement(self, pushes: &[Push], now: f64, seconds: f64) -> f64 {
        let (from, to) = (now, now + seconds);
        let total: f64 = pushes
            .iter()
            .map(|push| {
                let begun = self.twice(to - push.start) - self.twice(from - push.start);
                let ended = self.twice(to - push.end) - self.twice(from - push.end);
                push.rate * (begun - ended)
            })
            .sum();
        total / seconds
    }

    /// The mean displacement by an order's own push of rate 1 while it trades.
    fn own(self, seconds: f64) -> f64 {
        (self.twice(seconds) - self.twice(0.0)) / seconds - self.once(0.0)
    }
}

/// The mean of `1 - exp(-t / decay)` for `t` from 0 to `x decay`.
fn mean_build_up(x: f64) -> f64 {
    // The difference below would cancel.
    if x < 1e-4 { x / 2.0 - x * x / 6.0 } else { 1.0 + libm::expm1(-x) / x }
}

impl Transient {
    /// # Errors
    /// The first parameter that is not legal, pairs of impact and decay that allow a profit from round trips included.
    pub fn new(params: TransientParams) -> Result<Self, ParameterError> {
        params.validate()?;
        Ok(Self::unchecked(params))
    }

    pub(super) fn unchecked(params: TransientParams) -> Self {
        let memory = match params.decay {
            Decay::Exponential { .. } => Memory::Displacement(0.0),
            // One more than is kept: an order comes in before two are joined.
            Decay::PowerLaw { .. } => Memory::Pushes { now: 0.0, pushes: Vec::with_capacity(MEMORY + 1) },
        };
        Self { params, memory }
    }

    /// Push a second, signed.
    fn rate(&self, order: &MetaOrder, conditions: &Conditions) -> f64 {
        let participation = order.participation(conditions);
        let power = match self.params.exponent {
            1.0 => participation,
            exponent => libm::pow(participation, exponent),
        };
        order.sign() * self.params.coefficient * conditions.volatility() * power
    }

    fn kernel(&self) -> Kernel {
        match self.params.decay {
            Decay::PowerLaw { exponent, shift_seconds } => Kernel { exponent, shift: shift_seconds },
            // Never asked for: the memory is of the other kind.
            Decay::Exponential { .. } => Kernel { exponent: 0.0, shift: 0.0 },
        }
    }

    fn decay_seconds(&self) -> f64 {
        match self.params.decay {
            Decay::Exponential { seconds } => seconds,
            Decay::PowerLaw { .. } => f64::INFINITY,
        }
    }
}

/// Joins the two neighbours whose common span is the shortest for its age, with the same push in all.
fn join(pushes: &mut Vec<Push>, now: f64) {
    let span =
        |index: usize| (pushes[index + 1].end - pushes[index].start) / (now - pushes[index + 1].end + 1e-9);
    // The latest order is left alone: the next one may follow at once.
    let Some(first) = (0..pushes.len().saturating_sub(2)).min_by(|&a, &b| span(a).total_cmp(&span(b))) else {
        return;
    };
    let (one, two) = (pushes[first], pushes.remove(first + 1));
    let amount = one.rate * (one.end - one.start) + two.rate * (two.end - two.start);
    pushes[first] = Push { start: one.start, end: two.end, rate: amount / (two.end - one.start) };
}

impl ImpactModel for Transient {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || {
            let (rate, seconds) = (self.rate(order, conditions), order.seconds());
            let displaced = match &self.memory {
                Memory::Displacement(now) => {
                    let decay = self.decay_seconds();
                    let build_up = mean_build_up(seconds / decay);
                    now * (1.0 - build_up) + rate * decay * build_up
                }
                Memory::Pushes { now, pushes } => {
                    let kernel = self.kernel();
                    kernel.mean_displacement(pushes, *now, seconds) + rate * kernel.own(seconds)
                }
            };
            [self.params.half_spread, 0.0, order.sign() * displaced]
        })
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        let cost = self.cost(order, conditions);
        let (rate, seconds, decay) = (self.rate(order, conditions), order.seconds(), self.decay_seconds());
        match &mut self.memory {
            Memory::Displacement(displacement) => {
                let gone = -libm::expm1(-seconds / decay);
                *displacement += (rate * decay - *displacement) * gone;
            }
            Memory::Pushes { now, pushes } => {
                let start = *now;
                *now += seconds;
                // An order too short for the clock moves nothing.
                if rate != 0.0 && *now > start {
                    pushes.push(Push { start, end: *now, rate });
                    if pushes.len() > MEMORY {
                        join(pushes, *now);
                    }
                }
            }
        }
        cost
    }

    fn wait(&mut self, seconds: f64) {
        let decay = self.decay_seconds();
        match &mut self.memory {
            Memory::Displacement(displacement) => *displacement *= libm::exp(-elapsed(seconds) / decay),
            Memory::Pushes { now, .. } => *now += elapsed(seconds),
        }
    }

    fn displacement_after(&self, seconds: f64) -> f64 {
        match &self.memory {
            Memory::Displacement(now) => now * libm::exp(-elapsed(seconds) / self.decay_seconds()),
            Memory::Pushes { now, pushes } => self.kernel().displacement(pushes, now + elapsed(seconds)),
        }
    }

    fn permanent(&self) -> f64 {
        0.0
    }

    fn reset(&mut self) {
        match &mut self.memory {
            Memory::Displacement(displacement) => *displacement = 0.0,
            Memory::Pushes { now, pushes } => {
                *now = 0.0;
                pushes.clear();
            }
        }
    }
}

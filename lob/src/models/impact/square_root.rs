//! The square-root law.

use serde::{Deserialize, Serialize};

use super::quadrature::integral;
use super::{Conditions, ImpactModel, MetaOrder, TradeCost, elapsed, priced};
use crate::parameter::{ParameterError, Validity, non_negative, positive};

/// The square-root law: an order of quantity `Q` moves the price by `y x volatility x sqrt(Q / volume)`, both of the same period (which
/// one does not matter). What has been traded so far moves it by the same law, so that without memory the order pays 2/3 of that on average.
///
/// With a memory, the law holds for the volume that is still remembered: `dE = dQ - E dt / memory`, and the price stands away by
/// `y x volatility x sqrt(|E| / volume)`. This is the limit order book of Alfonsi, Fruth & Schied with volume that comes back
/// exponentially and a depth that grows with the distance; a path of orders from rest never has a negative cost in it.
/// Without one, every order is forgotten when it ends: cutting one into `n` orders then divides its cost by `sqrt(n)`, which is
/// for single estimates, not for a learner.
///
/// Sources: N. Torre, "BARRA market impact model handbook" (1997); B. Toth et al., "Anomalous price impact and the critical nature
/// of liquidity in financial markets", Physical Review X 1 (2011) 021006; A. Alfonsi, A. Fruth & A. Schied, "Optimal execution
/// strategies in limit order books with general shape functions", Quantitative Finance 10 (2010) 143-157.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SquareRootParams {
    /// Y, a number about 1 in stock markets; >= 0.
    pub y: f64,
    /// Time in which remembered volume falls to 1/e, in seconds, > 0; none: each order stands alone.
    #[serde(default)]
    pub memory_seconds: Option<f64>,
    /// What crossing the spread costs, a fraction of the price; >= 0.
    #[serde(default)]
    pub half_spread: f64,
}

impl SquareRootParams {
    pub(super) fn validate(&self) -> Validity {
        non_negative("y", self.y)?;
        self.memory_seconds.map_or(Ok(()), |seconds| positive("memory_seconds", seconds))?;
        non_negative("half_spread", self.half_spread)
    }
}

/// The model of [`SquareRootParams`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SquareRoot {
    params: SquareRootParams,
    /// The squared displacement, with the sign of the remembered volume: volumes of orders that met different conditions add up in it.
    square: f64,
}

/// The displacement of a signed square.
fn root(square: f64) -> f64 {
    square.abs().sqrt().copysign(square)
}

impl SquareRoot {
    /// # Errors
    /// The first parameter that is not legal.
    pub fn new(params: SquareRootParams) -> Result<Self, ParameterError> {
        params.validate()?;
        Ok(Self { params, square: 0.0 })
    }

    /// What the order adds to the signed square, were nothing forgotten.
    fn push(&self, order: &MetaOrder, conditions: &Conditions) -> f64 {
        let scale = self.params.y * conditions.volatility();
        scale * scale * order.market_seconds(conditions)
    }

    /// The mean displacement while the signed square goes from `start` towards `limit = push memory / seconds`, in units of the price.
    fn mean_displacement(start: f64, push: f64, seconds: f64, memory: f64) -> f64 {
        let limit = push * memory / seconds;
        let at = |time: f64| limit + (start - limit) * libm::exp(-time / memory);
        // Where the sign changes, the root has its kink.
        let crossing = if start * limit < 0.0 { memory * libm::log1p(-start / limit) } else { 0.0 };
        let mut total = 0.0;
        for (from, to) in [(0.0, crossing.min(seconds)), (crossing.min(seconds), seconds)] {
            let mut time = from;
            while time < to {
                // After 36 memories nothing changes any more; until then pieces are short enough for the rule.
                let settled = time - from >= 36.0 * memory;
                let piece = if settled { to - time } else { (4.0 * memory).min(to - time) };
                total += if settled {
                    piece * root(at(time))
                } else {
                    let begin = time;
                    integral(piece, |t| root(at(begin + t)))
                };
                if settled {
                    break;
                }
                time += piece;
            }
        }
        total / seconds
    }
}

impl ImpactModel for SquareRoot {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        priced(order, conditions, || {
            let push = self.push(order, conditions);
            let displaced = match self.params.memory_seconds {
                None => 2.0 / 3.0 * push.abs().sqrt(),
                Some(memory) => {
                    order.sign() * Self::mean_displacement(self.square, push, order.seconds(), memory)
                }
            };
            [self.params.half_spread, 0.0, displaced]
        })
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        let cost = self.cost(order, conditions);
        if let Some(memory) = self.params.memory_seconds {
            let limit = self.push(order, conditions) * memory / order.seconds();
            // start e^-x + limit (1 - e^-x), without the difference that long memories would cancel.
            let gone = -libm::expm1(-order.seconds() / memory);
            self.square += (limit - self.square) * gone;
        }
        cost
    }

    fn wait(&mut self, seconds: f64) {
        if let Some(memory) = self.params.memory_seconds {
            self.square *= libm::exp(-elapsed(seconds) / memory);
        }
    }

    fn displacement_after(&self, seconds: f64) -> f64 {
        let memory = self.params.memory_seconds;
        memory.map_or(0.0, |memory| root(self.square * libm::exp(-elapsed(seconds) / memory)))
    }

    fn permanent(&self) -> f64 {
        0.0
    }

    fn reset(&mut self) {
        self.square = 0.0;
    }
}

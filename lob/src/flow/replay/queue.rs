//! Where an order stands in a queue of which only the total is known.

use serde::{Deserialize, Serialize};

use crate::parameter::{ParameterError, positive};

/// How the place of an agent's order in its queue is estimated from level-2 data.
///
/// A new order stands behind all that is there. Trades at its price take what is ahead of it. What else leaves the level left
/// from ahead of it or from behind it, and that is what the models differ in: with `front` lots ahead and `back` behind, the share that left from
/// behind is `f(back) / (f(back) + f(front))`.
///
/// Sources: E. Rigtorp, *Estimating order queue position* (2013); the names and the arithmetic are those of hftbacktest's
/// `RiskAdverseQueueModel` and `ProbQueueModel` with `PowerProbQueueFunc` and `LogProbQueueFunc`, so that its users find what they know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueEstimate {
    /// Everything that is withdrawn was behind, as long as that is possible: the latest fill there could be.
    RiskAverse,
    /// `f(x) = x`: from ahead and behind in proportion.
    Proportional,
    /// `f(x) = ln(1 + x)`, x in units of the instrument.
    #[default]
    Logarithmic,
    /// `f(x) = x^n`, n above 0.
    Power(f64),
}

impl QueueEstimate {
    /// Checks the exponent.
    ///
    /// # Errors
    /// If it is not above 0.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            Self::Power(n) => positive("power", *n),
            _ => Ok(()),
        }
    }

    /// The share of what was withdrawn that was behind the order; `None` for the model that does not share.
    fn share_behind(self, front: f64, back: f64) -> Option<f64> {
        let share = |f: &dyn Fn(f64) -> f64| {
            let (front, back) = (f(front), f(back));
            let share = back / (back + front);
            if share.is_infinite() { 1.0 } else { share }
        };
        match self {
            Self::RiskAverse => None,
            Self::Proportional => Some(share(&|x| x)),
            Self::Logarithmic => Some(share(&|x| libm::log(1.0 + x))),
            Self::Power(n) => Some(share(&|x| libm::pow(x, n))),
        }
    }
}

/// An order's estimated place. Quantities in units of the instrument, not in lots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueState {
    /// What stands ahead of it; below 0, what has traded beyond the queue ahead.
    pub front: f64,
    /// What has traded at its price since the level was last reported: the next report has it in.
    traded: f64,
}

impl QueueState {
    /// A new order, behind `front`.
    pub fn behind(front: f64) -> Self {
        Self { front, traded: 0.0 }
    }

    /// `quantity` trades at the order's price.
    pub fn trade(&mut self, quantity: f64) {
        self.front -= quantity;
        self.traded += quantity;
    }

    /// The level is reported to have gone from `before` to `after`.
    pub fn level(&mut self, model: QueueEstimate, before: f64, after: f64) {
        let withdrawn = before - after - self.traded;
        self.traded = 0.0;
        let back = before - self.front;
        let share = if withdrawn < 0.0 { None } else { model.share_behind(self.front, back) };
        let front = match share {
            // Nothing was withdrawn, or it was all behind.
            None => self.front,
            Some(behind) => self.front - (1.0 - behind) * withdrawn + (back - behind * withdrawn).min(0.0),
        };
        // Not NaN, which a share of nothing by nothing would be.
        self.front = if front.is_nan() { after } else { front.min(after) };
    }

    /// The level was made anew and has `there` now: no more than that can be ahead.
    pub fn cap(&mut self, there: f64) {
        self.front = self.front.min(there);
        self.traded = 0.0;
    }

    /// Lots of size `lot` that trading has reached the order with; its queue ahead is then empty.
    pub fn take_reached(&mut self, lot: f64) -> u64 {
        // As hftbacktest does: floats that should be whole lots may miss them by a hair.
        let lots = (-self.front / lot).round();
        if lots >= 1.0 {
            self.front = 0.0;
            lots as u64
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_move_an_order_forward_and_reach_it() {
        let mut order = QueueState::behind(5.0);
        order.trade(3.0);
        assert_eq!(order.take_reached(1.0), 0);
        // The report of the same trade moves it no further.
        order.level(QueueEstimate::Proportional, 5.0, 2.0);
        assert_eq!(order.front, 2.0);
        order.trade(3.0);
        assert_eq!((order.take_reached(1.0), order.front), (1, 0.0));
    }

    #[test]
    fn withdrawals_are_shared_as_the_model_says() {
        // 4 ahead, 4 behind, 2 withdrawn.
        let after = |model: QueueEstimate| {
            let mut order = QueueState::behind(4.0);
            order.level(model, 4.0, 8.0);
            assert_eq!(order.front, 4.0);
            order.level(model, 8.0, 6.0);
            order.front
        };
        assert_eq!(after(QueueEstimate::RiskAverse), 4.0);
        for model in [QueueEstimate::Proportional, QueueEstimate::Logarithmic, QueueEstimate::Power(3.0)] {
            assert_eq!(after(model), 3.0);
        }
        // 6 ahead, 2 behind, 2 withdrawn: a quarter of it, or what the logarithms say, was behind.
        let mut order = QueueState::behind(6.0);
        order.level(QueueEstimate::Proportional, 8.0, 6.0);
        assert_eq!(order.front, 4.5);
        let mut order = QueueState::behind(6.0);
        order.level(QueueEstimate::Logarithmic, 8.0, 6.0);
        let behind = 3.0_f64.ln() / (3.0_f64.ln() + 7.0_f64.ln());
        assert!((order.front - (6.0 - (1.0 - behind) * 2.0)).abs() < 1e-12);
    }

    #[test]
    fn an_order_is_never_behind_more_than_there_is() {
        for model in [QueueEstimate::RiskAverse, QueueEstimate::Proportional, QueueEstimate::Logarithmic] {
            let mut order = QueueState::behind(10.0);
            order.level(model, 10.0, 3.0);
            assert_eq!(order.front, 3.0, "{model:?}");
            order.level(model, 3.0, 0.0);
            assert_eq!(order.front, 0.0);
            order.level(model, 0.0, 0.0);
            assert_eq!(order.front, 0.0);
        }
    }
}

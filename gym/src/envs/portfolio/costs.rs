//! What it costs to change weights.

/// The cost of a trade. An impact model becomes part of a portfolio's costs by being one of these.
pub trait TradingCost {
    /// The cost as a share of the amount traded.
    ///
    /// `participation` is the amount as a share of what the market trades in the period, `volatility` the standard deviation of the asset's log
    /// growth over a period, as observed up to now.
    fn fraction(&self, participation: f64, volatility: f64) -> f64;
}

/// The same share of whatever is traded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportional {
    /// That share: 0.001 is 10 basis points.
    pub rate: f64,
}

impl TradingCost for Proportional {
    #[inline]
    fn fraction(&self, _participation: f64, _volatility: f64) -> f64 {
        self.rate
    }
}

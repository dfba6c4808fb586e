//! Distances in ticks from the opposite best price: where flows place and cancel.

use super::{SizeDistribution, SizeSampler};
use crate::parameter::ParameterError;
use crate::{Price, Side};

/// Draws a distance 1, 2, ... with probability proportional to its weight.
///
/// # Errors
/// If no weight is above 0.
pub(super) fn sampler(weights: &[f64]) -> Result<SizeSampler, ParameterError> {
    let drawn = weights.iter().enumerate().filter(|&(_, &weight)| weight > 0.0);
    let (sizes, weights) = drawn.map(|(k, &weight)| (k as u64 + 1, weight)).unzip();
    SizeSampler::new(&SizeDistribution::Empirical { sizes, weights })
}

/// The price of `side` at a distance from the opposite one of the best bid and best ask.
#[inline]
pub(super) fn price(side: Side, best: [Price; 2], distance: i64) -> Price {
    match side {
        Side::Buy => Price(best[1].0 - distance),
        Side::Sell => Price(best[0].0 + distance),
    }
}

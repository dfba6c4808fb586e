//! A paper broker's parts: what stands between a policy and a trade.
//!
//! [`RiskLimits`] are the limits and [`check_targets`] the first of the checks. Money is in integer cents, quantities in whole shares, so
//! that sums are exact.

mod risk;

pub use risk::{Account, Intent, Refusal, RiskLimits, Rule, check_targets};

//! What trading costs.

mod fee;
pub mod impact;

pub use fee::{FeeConfig, FeeModel, FeeRate, FeeTier, FeeTiers, Fill, Liquidity, OrderFees};
pub use impact::{Conditions, Impact, ImpactConfig, ImpactModel, MetaOrder, TradeCost};

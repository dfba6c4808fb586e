//! What trading costs.

mod fee;

pub use fee::{FeeConfig, FeeModel, FeeRate, Fill, Liquidity, OrderFees};

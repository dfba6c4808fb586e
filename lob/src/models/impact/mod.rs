//! What trading does to the price: one trait, one configuration, one file a model.
//!
//! # Units
//! Costs and displacements are **fractions of the price** that the caller gives in [`Conditions`]; [`Conditions::ticks`] and
//! [`TradeCost::money`] are the only places that turn them into anything else. Time is in seconds, quantities are in the caller's unit (lots,
//! shares), the same for orders and for the market's volume. [`Conditions`] hold volatility and volume **a second**; [`Conditions::over`]
//! takes those of any period, such as a trading day.
//!
//! # What a model answers
//! - [`ImpactModel::cost`]: what an order would cost against the price that there would be without any of the caller's trading;
//! - [`ImpactModel::trade`]: the same, and the model remembers the order;
//! - [`ImpactModel::displacement_after`]: how far the price stands from where it would be, now and later.
//!
//! Since costs are measured against the price without the caller, the costs of all orders of a round trip add up to what it loses. A model
//! in which some round trip has a negative sum lets a learner earn money from its own impact; [`ImpactConfig::model`] refuses the models
//! that are known to (`docs/impact.md` has the table).

mod almgren_chriss;
mod config;
mod depth;
mod permanent;
mod quadrature;
mod square_root;
mod temporary;
mod transient;

pub use almgren_chriss::{AlmgrenChriss, AlmgrenChrissParams};
#[cfg(feature = "yaml")]
pub use config::ImpactFileError;
pub use config::{Impact, ImpactConfig};
pub use depth::{BookDepth, DepthLevel, DepthParams};
pub use permanent::{Permanent, PermanentParams};
pub use square_root::{SquareRoot, SquareRootParams};
pub use temporary::{Temporary, TemporaryParams};
pub use transient::{Decay, Transient, TransientParams};

use serde::{Deserialize, Serialize};

use crate::parameter::{ParameterError, finite, non_negative, positive};

/// The market that an order meets: its price, and how much it moves and trades in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    price: f64,
    volatility: f64,
    volume: f64,
}

impl Conditions {
    /// `price` in any unit of money (or ticks) a unit of quantity; `volatility` = standard deviation of the relative price change over a
    /// second; `volume` = quantity that others trade in a second.
    ///
    /// # Errors
    /// Unless `price` and `volume` are finite and > 0 and `volatility` is finite and >= 0.
    pub fn new(price: f64, volatility: f64, volume: f64) -> Result<Self, ParameterError> {
        positive("price", price)?;
        non_negative("volatility", volatility)?;
        positive("volume", volume)?;
        Ok(Self { price, volatility, volume })
    }

    /// From the `volatility` (standard deviation of the relative price change) and the `volume` of a period, such as a trading day of 23,400 s.
    /// Variance grows with time: volatility is divided by `sqrt(period_seconds)`, volume by `period_seconds`.
    ///
    /// # Errors
    /// As [`new`](Self::new); unless `period_seconds` is finite and > 0.
    pub fn over(
        period_seconds: f64,
        price: f64,
        volatility: f64,
        volume: f64,
    ) -> Result<Self, ParameterError> {
        positive("period_seconds", period_seconds)?;
        non_negative("volatility", volatility)?;
        positive("volume", volume)?;
        Self::new(price, volatility / period_seconds.sqrt(), volume / period_seconds)
    }

    /// Money (or ticks) a unit of quantity.
    pub const fn price(&self) -> f64 {
        self.price
    }

    /// Standard deviation of the relative price change over one second.
    pub const fn volatility(&self) -> f64 {
        self.volatility
    }

    /// Quantity that is traded in one second.
    pub const fn volume(&self) -> f64 {
        self.volume
    }

    /// A fraction of the price in the price's own unit: ticks, if the price is in ticks.
    pub fn ticks(&self, fraction: f64) -> f64 {
        fraction * self.price
    }
}

/// An order that is worked at an even rate: a meta-order, or a single one with the time it is given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetaOrder {
    quantity: f64,
    seconds: f64,
}

impl MetaOrder {
    /// `quantity` > 0 buys, < 0 sells; `seconds` is how long it takes.
    ///
    /// # Errors
    /// Unless `quantity` is finite and `seconds` finite and > 0: in an instant, temporary impact would be infinite.
    pub fn new(quantity: f64, seconds: f64) -> Result<Self, ParameterError> {
        finite("quantity", quantity)?;
        positive("seconds", seconds)?;
        Ok(Self { quantity, seconds })
    }

    /// What is bought (> 0) or sold (< 0).
    pub const fn quantity(&self) -> f64 {
        self.quantity
    }

    /// How long it takes.
    pub const fn seconds(&self) -> f64 {
        self.seconds
    }

    /// +1, -1, or 0 for nothing.
    pub fn sign(&self) -> f64 {
        if self.quantity == 0.0 { 0.0 } else { self.quantity.signum() }
    }

    /// Quantity over what the market trades in a second: the seconds of market volume that the order is worth, signed.
    pub fn market_seconds(&self, conditions: &Conditions) -> f64 {
        self.quantity / conditions.volume
    }

    /// The order's rate over the market's, >= 0.
    pub fn participation(&self, conditions: &Conditions) -> f64 {
        self.quantity.abs() / (self.seconds * conditions.volume)
    }
}

/// What an order costs, in parts: fractions of the price, averaged over its quantity, positive = paid. All 0 for an order of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TradeCost {
    /// For crossing the spread.
    pub half_spread: f64,
    /// What the order's speed costs and leaves no trace of.
    pub temporary: f64,
    /// How far the price stood away while the order traded, in its direction: the order's own doing and that of earlier ones, whose part
    /// is negative if they went the other way.
    pub displaced: f64,
    /// Quantity times price, >= 0.
    pub notional: f64,
}

impl TradeCost {
    /// The whole, as a fraction of the notional.
    pub fn fraction(&self) -> f64 {
        self.half_spread + self.temporary + self.displaced
    }

    /// The whole, in money.
    pub fn money(&self) -> f64 {
        self.fraction() * self.notional
    }
}

/// A model of what orders do to the price. It remembers the orders that it was told of as far as they still matter; `Clone` forks it, and
/// it can be written down and read back with serde.
pub trait ImpactModel {
    /// What `order` would cost, now.
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost;

    /// Trades `order`: its cost, and `order.seconds()` later the model's clock.
    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost;

    /// Lets time pass without trading; less than 0 is 0.
    fn wait(&mut self, seconds: f64);

    /// How far the price will stand from where it would be without the orders so far, `seconds` from now and with no more of them: a
    /// fraction of the price, > 0 if it is higher.
    fn displacement_after(&self, seconds: f64) -> f64;

    /// How far the price stands away now.
    fn displacement(&self) -> f64 {
        self.displacement_after(0.0)
    }

    /// What of it will stay for ever.
    fn permanent(&self) -> f64;

    /// Forgets everything.
    fn reset(&mut self);
}

/// The cost of an order of nothing, or the one that `parts` computes (half spread, temporary, displaced).
fn priced(order: &MetaOrder, conditions: &Conditions, parts: impl FnOnce() -> [f64; 3]) -> TradeCost {
    if order.quantity == 0.0 {
        return TradeCost::default();
    }
    let [half_spread, temporary, displaced] = parts();
    TradeCost { half_spread, temporary, displaced, notional: order.quantity.abs() * conditions.price }
}

/// Time only goes forward.
fn elapsed(seconds: f64) -> f64 {
    if seconds > 0.0 { seconds } else { 0.0 }
}

#[cfg(test)]
mod tests;

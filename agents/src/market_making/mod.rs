//! Market making by rule: strategies that look at the mid, the inventory and the time left, and say what to quote.
//!
//! - [`Quoter`] is such a strategy: [`JoinTouch`] and [`AroundMid`] with or without inventory skew, [`AvellanedaStoikov`] and
//!   [`Symmetric`], [`Gueant`], [`FixedOffsets`] and [`RandomOffsets`]; [`Limited`] puts an inventory limit around another.
//! - [`QuotingSession`] plays episodes of an environment under one of them, with a book or without.
//! - [`estimate_fill_model`] fits what theory asks for (A, k, sigma) to a market's own flow.

mod avellaneda_stoikov;
mod fill_model;
mod gueant;
mod limited;
mod offsets;
mod picture;
mod session;
mod touch;

pub use avellaneda_stoikov::{AvellanedaStoikov, Symmetric};
pub use fill_model::{FillModel, FillModelPlan, FillRate, estimate_fill_model};
pub use gueant::Gueant;
pub use limited::Limited;
pub use offsets::{FixedOffsets, RandomOffsets};
pub use picture::picture;
pub use session::{Played, QuotingError, QuotingSession};
pub use touch::{AroundMid, JoinTouch};

use gym::Quotes;

/// What a strategy looks at before it quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Situation {
    /// Half-way between the best prices, ticks.
    pub mid: f64,
    /// Best ask minus best bid of others, ticks; `None` without a book or while a side is empty.
    pub spread: Option<f64>,
    /// Lots held; negative if sold short.
    pub inventory: f64,
    /// Until the end of the episode, s.
    pub time_left: f64,
}

/// A strategy that quotes both sides at each decision.
pub trait Quoter: Send {
    /// A new episode begins; `seed` is for those that draw.
    fn start(&mut self, _seed: u64) {}

    /// What to quote now. Offsets may be negative: beyond the mid. The environment cuts them to its own range.
    fn quotes(&mut self, situation: &Situation) -> Quotes;
}

impl<Q: Quoter + ?Sized> Quoter for Box<Q> {
    fn start(&mut self, seed: u64) {
        (**self).start(seed);
    }

    fn quotes(&mut self, situation: &Situation) -> Quotes {
        (**self).quotes(situation)
    }
}

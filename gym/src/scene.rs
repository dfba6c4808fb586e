//! What there is to be drawn of an environment at one moment.

use lob::Side;

/// A price level, or a quote where there is no book.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SceneLevel {
    /// Ticks.
    pub price: f64,
    /// Everybody's visible lots, the participant's included.
    pub lots: f64,
    /// The participant's.
    pub own: f64,
}

/// A trade of the participant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SceneFill {
    /// When, s.
    pub time: f64,
    /// What the participant did.
    pub side: Side,
    /// Ticks.
    pub price: f64,
    /// Lots.
    pub lots: f64,
    /// True if its order rested.
    pub maker: bool,
}

/// A moment of an episode, made to be looked at; [`Env::scene`](crate::Env::scene) makes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// What this is: the environment's name and market.
    pub title: String,
    /// Time, s.
    pub time: f64,
    /// When the episode ends, s.
    pub horizon: f64,
    /// Best first, as many as are worth showing; the participant's levels are among them wherever they are.
    pub bids: Vec<SceneLevel>,
    /// Likewise.
    pub asks: Vec<SceneLevel>,
    /// The participant's trades in the last step.
    pub fills: Vec<SceneFill>,
    /// Numbers to stand beside the picture: name, value, unit. `inventory` and `profit` come first where there are such.
    pub figures: Vec<(&'static str, f64, &'static str)>,
}

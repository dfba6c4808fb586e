//! Pictures of an environment: a ladder for a terminal, and a map of the book over time.
//!
//! Both are made from a [`Scene`] alone, so that every environment, with a book or without, is drawn the same way.

mod ansi;
mod axis;
mod canvas;
mod heat_map;

pub use ansi::{ANSI_LINES, ANSI_WIDTH, ansi};
pub use heat_map::HeatMap;

use crate::scene::{Scene, SceneLevel};

/// What a level holds apart from the participant's lots.
fn others(level: &SceneLevel) -> f64 {
    (level.lots - level.own).max(0.0)
}

/// The best price at which somebody else stands.
fn best_of_others(levels: &[SceneLevel]) -> Option<f64> {
    levels.iter().find(|level| others(level) > 0.0 && level.price.is_finite()).map(|level| level.price)
}

/// The price that the picture is centred on: the figure `mid` if there is one, half-way between the best prices (others' before own), the
/// only best price if one side is empty.
fn mid(scene: &Scene) -> Option<f64> {
    if let Some(&(_, mid, _)) = scene.figures.iter().find(|(name, ..)| *name == "mid")
        && mid.is_finite()
    {
        return Some(mid);
    }
    let best = |levels: &[SceneLevel]| {
        best_of_others(levels)
            .or_else(|| levels.iter().map(|level| level.price).find(|price| price.is_finite()))
    };
    match (best(&scene.bids), best(&scene.asks)) {
        (Some(bid), Some(ask)) => Some((bid + ask) / 2.0),
        (one, other) => one.or(other),
    }
}

/// A number as people write it: no trailing zeros, about four significant digits, at most two decimals.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let decimals = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

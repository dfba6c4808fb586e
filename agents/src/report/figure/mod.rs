//! The figures of a cell, each an SVG that takes its colours from the page.

mod bars;
mod curves;
mod episode;
mod forest;
mod frontier;
mod held;
mod making;
mod ridge;

pub(super) use bars::{bars, hatching};
pub(super) use curves::{Across, Curve, curves};
pub(super) use episode::episode;
pub(super) use forest::forest;
pub(super) use frontier::{Point, frontier};
pub(super) use held::held;
pub(super) use making::making;
pub(super) use ridge::{Ridge, ridge};

use maud::{Markup, html};

use super::axis::px;
use super::number::short_name;

/// Width of every figure in its own pixels.
const WIDTH: f64 = 560.0;
/// Where a plot begins that has the strategies' names on its left.
const PLOT_LEFT: f64 = 122.0;
/// Space below a plot for its axis.
const AXIS_HEIGHT: f64 = 42.0;

fn svg(height: f64, description: &str, content: &Markup) -> Markup {
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) } role="img"
            aria-label=(description) { (content) }
    }
}

/// A strategy's name left of its row, with its colour. `y` is the middle of the row. A rule's parameters go below a name that they make too long.
fn row_label(y: f64, name: &str, class: &str) -> Markup {
    let long = name.chars().count() > 16 && !name.contains("policy:");
    let parts = if long { name.split_once(':') } else { None };
    html! {
        g class=(class) {
            rect.solid x="0" y=(px(y - 5.0)) width="10" height="10" rx="2" {}
            @if let Some((rule, parameters)) = parts {
                text x="16" y=(px(y - 1.0)) { title { (name) } (short_name(rule, 17)) }
                text.parameters x="16" y=(px(y + 10.0)) { (short_name(parameters, 20)) }
            } @else {
                text x="16" y=(px(y + 4.0)) { title { (name) } (short_name(name, 16)) }
            }
        }
    }
}

/// A path through points, each reached horizontally first and then vertically.
fn steps(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    let mut drawn: Option<f64> = None;
    let mut last = None;
    for (x, y) in points {
        // Only changes: an episode has many moments, and few of them are news.
        match drawn {
            None => path = format!("M{},{}", px(x), px(y)),
            Some(level) if level != y => path += &format!("H{}V{}", px(x), px(y)),
            Some(_) => {}
        }
        drawn = Some(y);
        last = Some(x);
    }
    if let Some(x) = last {
        path += &format!("H{}", px(x));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn steps_keep_changes_and_the_end() {
        let points = [(0.0, 5.0), (1.0, 5.0), (2.0, 7.0), (3.0, 7.0)];
        assert_eq!(steps(points.into_iter()), "M0.0,5.0H2.0V7.0H3.0");
        assert_eq!(steps([].into_iter()), "");
    }
}

//! Mean profit against its deviation.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, WIDTH, svg};
use crate::report::axis::{Axis, px};
use crate::report::number::fixed;
use crate::report::palette::Palette;

const LEFT: f64 = 58.0;
const TOP: f64 = 10.0;
const HEIGHT: f64 = 290.0;

/// A policy in the plane.
pub(in crate::report) struct Point<'a> {
    /// Its name, for the colour and the tip.
    pub(in crate::report) name: &'a str,
    /// What stands beside it; nothing for one of many.
    pub(in crate::report) label: Option<String>,
    /// Deviation of the profit.
    pub(in crate::report) deviation: f64,
    /// Its mean.
    pub(in crate::report) mean: f64,
}

/// Draws the points and the efficient frontier: the policies that no other beats in both, by ascending deviation.
pub(in crate::report) fn frontier(points: &[Point<'_>], palette: &Palette) -> Markup {
    let points: Vec<&Point<'_>> =
        points.iter().filter(|point| point.deviation.is_finite() && point.mean.is_finite()).collect();
    let bottom = TOP + HEIGHT;
    let right = WIDTH - 24.0;
    let across = Axis::covering(points.iter().map(|point| point.deviation).chain([0.0]), 6, LEFT, right);
    let up = Axis::covering(points.iter().map(|point| point.mean).chain([0.0]), 6, bottom, TOP);
    let place = |point: &Point<'_>| (across.at(point.deviation), up.at(point.mean));
    let efficient = efficient(&points.iter().map(|point| (point.deviation, point.mean)).collect::<Vec<_>>());
    let corners = efficient.iter().map(|&index| place(points[index]));
    let path: String = corners
        .enumerate()
        .map(|(index, (x, y))| format!("{}{},{}", if index == 0 { "M" } else { "L" }, px(x), px(y)))
        .collect();
    let content = html! {
        (up.beside(LEFT, right, "mean P&L of an episode"))
        (across.below(TOP, bottom, "standard deviation of the P&L of an episode"))
        @if !path.is_empty() { path.frontier d=(path) {} }
        // Named ones last, so that they are on top.
        @for point in points.iter().filter(|point| point.label.is_none()) {
            @let (x, y) = place(point);
            circle.other cx=(px(x)) cy=(px(y)) r="2.6" { title { (tip(point)) } }
        }
        @for point in points.iter().filter(|point| point.label.is_some()) {
            @let (x, y) = place(point);
            g class=(palette.class(point.name)) {
                circle.solid cx=(px(x)) cy=(px(y)) r="4.5" { title { (tip(point)) } }
                text.number x=(px(x + 7.0)) y=(px(y - 5.0)) { (point.label.as_deref().unwrap_or_default()) }
            }
        }
    };
    svg(bottom + AXIS_HEIGHT, "Mean profit against its standard deviation", &content)
}

fn tip(point: &Point<'_>) -> String {
    format!("{}: {} \u{b1} {}", point.name, fixed(point.mean, 1), fixed(point.deviation, 1))
}

/// The positions of the points (deviation, mean) that no other beats in both, by ascending deviation.
fn efficient(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let ((x, y), (u, v)) = (points[a], points[b]);
        x.total_cmp(&u).then(v.total_cmp(&y))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&index| {
        let better = points[index].1 > best;
        best = best.max(points[index].1);
        better
    });
    order
}

#[cfg(test)]
mod tests {
    use super::efficient;

    #[test]
    fn the_frontier_is_what_nothing_beats_in_both() {
        let points = [(3.0, 5.0), (1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 5.0), (5.0, 9.0)];
        assert_eq!(efficient(&points), [1, 0, 5]);
        assert_eq!(efficient(&[]), [0_usize; 0]);
    }
}

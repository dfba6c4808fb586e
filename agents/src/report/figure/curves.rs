//! Numbers over the course of a training, or of time.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, WIDTH, svg};
use crate::report::axis::{Axis, px};
use crate::report::palette::Palette;

const LEFT: f64 = 66.0;
const TOP: f64 = 10.0;
const HEIGHT: f64 = 170.0;
/// More points than this are drawn as the means of equal stretches.
const POINTS: usize = 300;

/// One line: a place and a number, ascending; numbers that are not finite are left out.
#[derive(Clone, Debug)]
pub(in crate::report) struct Curve<'a> {
    /// The run, for its colour and tip.
    pub(in crate::report) name: &'a str,
    /// Its points.
    pub(in crate::report) points: Vec<(f64, f64)>,
}

/// The axis below.
#[derive(Clone, Debug)]
pub(in crate::report) struct Across {
    /// Its title.
    pub(in crate::report) title: &'static str,
    /// What is 1 on it: millions keep the numbers short.
    pub(in crate::report) unit: f64,
    /// Whether it begins at 0 at the latest.
    pub(in crate::report) from_zero: bool,
    /// Places with names instead of round numbers; empty: the numbers.
    pub(in crate::report) names: Vec<(f64, String)>,
}

impl Across {
    /// Of a training.
    pub(in crate::report) const STEPS: Self =
        Self { title: "environment steps, millions", unit: 1e6, from_zero: true, names: Vec::new() };
}

/// Draws the curves on common axes.
pub(in crate::report) fn curves(
    curves: &[Curve<'_>],
    palette: &Palette,
    title: &str,
    below: &Across,
) -> Markup {
    let bottom = TOP + HEIGHT;
    let right = WIDTH - 14.0;
    let thinned: Vec<(&str, Vec<(f64, f64)>)> =
        curves.iter().map(|curve| (curve.name, thin(&curve.points))).collect();
    let points = || thinned.iter().flat_map(|(_, points)| points);
    let zero = below.from_zero.then_some(0.0);
    let across = Axis::covering(points().map(|point| point.0 / below.unit).chain(zero), 6, LEFT, right);
    let up = Axis::covering(points().map(|point| point.1), 4, bottom, TOP);
    let content = html! {
        (up.beside(LEFT, right, title))
        @if below.names.is_empty() { (across.below(TOP, bottom, below.title)) }
        @else { (across.named(&below.names, TOP, bottom, below.title)) }
        @for (name, points) in &thinned {
            @if !points.is_empty() {
                g class=(palette.class(name)) {
                    path.line d=(path(points.iter().map(|&(x, y)| (across.at(x / below.unit), up.at(y))))) {
                        title { (name) }
                    }
                }
            }
        }
    };
    svg(bottom + AXIS_HEIGHT, &format!("{title} over {}", below.title), &content)
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let pen = |index: usize| if index == 0 { 'M' } else { 'L' };
    points.enumerate().map(|(index, (x, y))| format!("{}{},{}", pen(index), px(x), px(y))).collect()
}

/// At most [`POINTS`] points, each the mean of a stretch.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let stretch = finite.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|point| point.0).sum::<f64>() / n, part.iter().map(|point| point.1).sum::<f64>() / n)
    };
    finite.chunks(stretch).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_become_means_of_stretches() {
        let points: Vec<(f64, f64)> =
            (0..1_000).map(|index| (f64::from(index), 2.0 * f64::from(index))).collect();
        let thinned = thin(&points);
        assert_eq!(thinned.len(), 250);
        assert_eq!(thinned[0], (1.5, 3.0));
        assert_eq!(thin(&[(0.0, f64::NAN), (1.0, 5.0)]), [(1.0, 5.0)]);
        assert!(thin(&[]).is_empty());
    }
}

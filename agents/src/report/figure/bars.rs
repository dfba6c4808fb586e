//! The implementation shortfall in its parts.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, PLOT_LEFT, WIDTH, row_label, svg};
use crate::report::StrategySummary;
use crate::report::axis::{Axis, px};
use crate::report::number::signed;
use crate::report::palette::Palette;

const ROW: f64 = 27.0;
const BAR: f64 = 15.0;
/// Space above for the legend.
const TOP: f64 = 28.0;
/// Space on the right for the totals.
const NUMBERS: f64 = 66.0;

/// The parts in the order in which they are stacked; each also the class of its bars.
const PARTS: [&str; 4] = ["spread", "impact", "timing", "fees"];

fn parts(strategy: &StrategySummary) -> [f64; 4] {
    [strategy.spread_ticks, strategy.impact_ticks, strategy.timing_ticks, strategy.fees_ticks]
        .map(|part| if part.is_finite() { part } else { 0.0 })
}

/// Draws a bar a strategy: what was paid to the right of zero, what was earned to the left, and a mark at the total.
pub(in crate::report) fn bars(strategies: &[StrategySummary], palette: &Palette, decimals: usize) -> Markup {
    let bottom = TOP + ROW * strategies.len() as f64;
    let right = WIDTH - NUMBERS;
    let reach = strategies.iter().flat_map(|strategy| {
        let parts = parts(strategy);
        let sum = |sign: f64| parts.iter().filter(|part| **part * sign > 0.0).sum::<f64>();
        [sum(1.0), sum(-1.0), strategy.shortfall_ticks, 0.0]
    });
    let axis = Axis::covering(reach, 6, PLOT_LEFT, right);
    let content = html! {
        (legend())
        text.head x=(px(WIDTH)) y="14" text-anchor="end" { "total" }
        (axis.below(TOP, bottom, "implementation shortfall, ticks per lot"))
        @for (index, strategy) in strategies.iter().enumerate() {
            @let y = TOP + ROW * (index as f64 + 0.5);
            (row_label(y, &strategy.name, &palette.class(&strategy.name)))
            (stack(parts(strategy), &axis, y, decimals))
            @if strategy.shortfall_ticks.is_finite() {
                (diamond(axis.at(strategy.shortfall_ticks), y))
            }
            text.number x=(px(WIDTH)) y=(px(y + 4.0)) text-anchor="end" {
                (signed(strategy.shortfall_ticks, decimals))
            }
        }
    };
    svg(bottom + AXIS_HEIGHT, "Implementation shortfall and its parts", &content)
}

fn stack(parts: [f64; 4], axis: &Axis, y: f64, decimals: usize) -> Markup {
    let (mut paid, mut earned) = (0.0, 0.0);
    let placed = PARTS.into_iter().zip(parts).filter(|&(_, part)| part != 0.0).map(|(name, part)| {
        let end = if part > 0.0 { &mut paid } else { &mut earned };
        let from = axis.at(*end);
        *end += part;
        let to = axis.at(*end);
        (name, part, from.min(to), (to - from).abs())
    });
    html! {
        @for (name, part, left, width) in placed {
            rect class={ "part " (name) } x=(px(left)) y=(px(y - BAR / 2.0)) width=(px(width)) height=(px(BAR)) {
                title { (name) " " (signed(part, decimals)) }
            }
        }
    }
}

fn diamond(x: f64, y: f64) -> Markup {
    let y = px(y);
    html! { path.total d={ "M" (px(x)) "," (y) "m0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z" } {} }
}

fn legend() -> Markup {
    html! {
        g {
            @for (index, name) in PARTS.into_iter().enumerate() {
                @let x = PLOT_LEFT + 72.0 * index as f64;
                rect class={ "part " (name) } x=(px(x)) y="4" width="14" height="11" {}
                text x=(px(x + 19.0)) y="14" { (name) }
            }
            (diamond(PLOT_LEFT + 72.0 * 4.0 + 6.0, 9.5))
            text x=(px(PLOT_LEFT + 72.0 * 4.0 + 17.0)) y="14" { "total" }
        }
    }
}

/// The pattern of the bars of fees, once a page.
pub(in crate::report) fn hatching() -> Markup {
    html! {
        svg.definitions xmlns="http://www.w3.org/2000/svg" width="0" height="0" aria-hidden="true" {
            defs {
                pattern id="hatching" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.paper width="5" height="5" {}
                    rect.ink width="2" height="5" {}
                }
            }
        }
    }
}

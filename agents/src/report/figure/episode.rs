//! One episode: the market, the fills and what was left.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, WIDTH, steps, svg};
use crate::report::axis::{Axis, px};
use crate::report::number::fixed;
use crate::report::palette::Palette;
use crate::report::{EpisodePicture, Example};

pub(super) const LEFT: f64 = 58.0;
/// Space above for the legend.
pub(super) const TOP: f64 = 28.0;
const PRICE_HEIGHT: f64 = 170.0;
const GAP: f64 = 18.0;
const REST_HEIGHT: f64 = 64.0;
/// Radius of the largest fill.
pub(super) const LARGEST: f64 = 8.0;
/// Radius below which a fill is hard to see.
pub(super) const SMALLEST: f64 = 2.5;

/// Draws an episode, or says that there is nothing to draw.
pub(in crate::report) fn episode(example: &Example, palette: &Palette) -> Markup {
    let picture = &example.episode;
    let (right, price_bottom) = (WIDTH - 14.0, TOP + PRICE_HEIGHT);
    let (rest_top, bottom) = (price_bottom + GAP, price_bottom + GAP + REST_HEIGHT);
    let moments = picture.steps.iter().map(|step| step.0).chain(picture.fills.iter().map(|fill| fill.0));
    let (first, last) = moments
        .filter(|time| time.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(first, last), time| (first.min(time), last.max(time)));
    if first > last {
        return html! { p.note { "The example has no moments to draw." } };
    }
    let time = Axis::between(first, if last > first { last } else { first + 1.0 }, 6, LEFT, right);
    let prices =
        picture.steps.iter().flat_map(|step| [step.1, step.2]).chain(picture.fills.iter().map(|fill| fill.1));
    let price = Axis::covering(prices, 5, price_bottom - 6.0, TOP + 6.0);
    let lots = Axis::between(0.0, example.lots.max(1) as f64, 3, bottom, rest_top);
    let drawn: Vec<_> = (picture.steps.iter())
        .filter(|step| [step.0, step.1, step.2].iter().all(|value| value.is_finite()))
        .map(|&(at, bid, ask, rest)| (time.at(at), price.at(bid), price.at(ask), lots.at(rest as f64)))
        .collect();
    let rest = steps(drawn.iter().map(|step| (step.0, step.3)));
    let content = html! {
        (legend())
        (price.beside(LEFT, right, "price, ticks"))
        (lots.beside(LEFT, right, "lots left"))
        (time.below(rest_top, bottom, "time, seconds"))
        path.ask d=(steps(drawn.iter().map(|step| (step.0, step.2)))) {}
        path.bid d=(steps(drawn.iter().map(|step| (step.0, step.1)))) {}
        g class=(palette.class(&example.strategy)) {
            @if let Some(first) = drawn.first() {
                path.area d={ (rest) "V" (px(bottom)) "H" (px(first.0)) "Z" } {}
                path.line d=(rest) {}
            }
            (fills(picture, &time, &price))
        }
    };
    let description = format!("An episode of {}: prices, fills and lots left over time", example.strategy);
    svg(bottom + AXIS_HEIGHT, &description, &content)
}

/// The fills, the large ones first so that they hide nothing; a mark's area grows with its lots.
fn fills(picture: &EpisodePicture, time: &Axis, price: &Axis) -> Markup {
    let mut fills: Vec<_> =
        picture.fills.iter().filter(|fill| fill.0.is_finite() && fill.1.is_finite()).collect();
    fills.sort_by_key(|fill| std::cmp::Reverse(fill.2));
    let most = fills.iter().map(|fill| fill.2).max().unwrap_or(1).max(1) as f64;
    html! {
        @for &&(at, level, lots, maker) in &fills {
            @let radius = (LARGEST * (lots as f64 / most).sqrt()).max(SMALLEST);
            (mark(time.at(at), price.at(level), radius, maker, &format!(
                "{} s: {lots} lots at {}, {}",
                fixed(at, 2), fixed(level, 1), if maker { "passive" } else { "aggressive" },
            )))
        }
    }
}

/// A disc for a passive fill, a hollow square on its tip for an aggressive one.
pub(super) fn mark(x: f64, y: f64, radius: f64, maker: bool, description: &str) -> Markup {
    let r = px(radius * 1.15);
    html! {
        @if maker {
            circle.passive cx=(px(x)) cy=(px(y)) r=(px(radius)) { title { (description) } }
        } @else {
            path.aggressive d={ "M" (px(x)) "," (px(y)) "m0,-" (r) "l" (r) "," (r) "l-" (r) "," (r) "l-" (r) ",-" (r) "z" } {
                title { (description) }
            }
        }
    }
}

pub(super) fn legend() -> Markup {
    html! {
        path.ask d={ "M" (px(LEFT)) ",10h22" } {}
        text x=(px(LEFT + 28.0)) y="14" { "best ask" }
        path.bid d={ "M" (px(LEFT + 96.0)) ",10h22" } {}
        text x=(px(LEFT + 124.0)) y="14" { "best bid" }
        g.plain { (mark(LEFT + 200.0, 10.0, 5.0, true, "passive fill")) }
        text x=(px(LEFT + 211.0)) y="14" { "passive fill" }
        g.plain { (mark(LEFT + 302.0, 10.0, 5.0, false, "aggressive fill")) }
        text x=(px(LEFT + 313.0)) y="14" { "aggressive fill (area: lots)" }
    }
}

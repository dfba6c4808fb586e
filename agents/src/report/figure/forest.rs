//! Paired differences with their intervals around a zero line.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, PLOT_LEFT, WIDTH, row_label, svg};
use crate::report::Paired;
use crate::report::axis::{Axis, line, px};
use crate::report::number::{MISSING, fixed, signed};
use crate::report::palette::Palette;

const ROW: f64 = 27.0;
const TOP: f64 = 6.0;
/// Space on the right for the numbers.
const NUMBERS: f64 = 156.0;

/// Draws the differences on an axis with this title; `decimals` is for the numbers beside them, `labels` for the names before them where
/// they are not the strategies' own.
pub(in crate::report) fn forest(
    paired: &[Paired],
    palette: &Palette,
    decimals: usize,
    title: &str,
    labels: &[String],
) -> Markup {
    let bottom = TOP + ROW * paired.len() as f64;
    let right = WIDTH - NUMBERS;
    let values = paired.iter().flat_map(|pair| [pair.difference, pair.ci95[0], pair.ci95[1]]);
    let axis = Axis::covering(values.chain([0.0]), 5, PLOT_LEFT, right);
    // The opponent is named in the caption, unless there are several.
    let several = paired.iter().any(|pair| pair.against != paired[0].against);
    let content = html! {
        (axis.below(TOP, bottom, title))
        @for (index, pair) in paired.iter().enumerate() {
            @let y = TOP + ROW * (index as f64 + 0.5);
            @let [low, high] = pair.ci95;
            @let label = if let Some(label) = labels.get(index) { label.clone() } else if several { format!("{} \u{2212} {}", pair.name, pair.against) } else { pair.name.clone() };
            (row_label(y, &label, &palette.class(&pair.name)))
            @if [pair.difference, low, high].iter().all(|value| value.is_finite()) {
                g class=(palette.class(&pair.name)) {
                    (line([axis.at(low), y, axis.at(high), y], "interval"))
                    (line([axis.at(low), y - 4.0, axis.at(low), y + 4.0], "interval"))
                    (line([axis.at(high), y - 4.0, axis.at(high), y + 4.0], "interval"))
                    circle class=(if low > 0.0 || high < 0.0 { "solid" } else { "hollow" })
                        cx=(px(axis.at(pair.difference))) cy=(px(y)) r="4.5" {}
                }
            }
            text.number x=(px(WIDTH)) y=(px(y + 4.0)) text-anchor="end" { (interval(pair, decimals)) }
        }
    };
    svg(bottom + AXIS_HEIGHT, "Paired differences with 95% confidence intervals", &content)
}

fn interval(pair: &Paired, decimals: usize) -> String {
    if !pair.difference.is_finite() {
        return MISSING.to_owned();
    }
    let [low, high] = pair.ci95.map(|end| fixed(end, decimals));
    format!("{} [{low}, {high}]", signed(pair.difference, decimals))
}

//! How often each inventory was held.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, PLOT_LEFT, WIDTH, row_label, svg};
use crate::evaluation::Summary;
use crate::report::axis::{Axis, line, px};
use crate::report::number::fixed;
use crate::report::palette::Palette;

const ROW: f64 = 32.0;
const PEAK: f64 = 25.0;
const TOP: f64 = 12.0;

/// Draws a row of bars a policy, each to the same height: the share of the decisions at which so many lots were held, and a mark at the mean.
/// `labels` stand beside the rows.
pub(in crate::report) fn held(policies: &[&Summary], labels: &[String], palette: &Palette) -> Markup {
    let lots = policies.iter().flat_map(|policy| &policy.inventory_distribution).map(|share| share.lots);
    let reach = lots.map(i64::abs).max().unwrap_or(1).max(1) as f64 + 0.5;
    let right = WIDTH - 8.0;
    let axis = Axis::between(-reach, reach, 8, PLOT_LEFT, right);
    let bottom = TOP + ROW * policies.len() as f64 + 4.0;
    let width = (axis.at(1.0) - axis.at(0.0)).abs();
    let content = html! {
        (axis.below(TOP, bottom, "inventory at a decision, lots"))
        @for (index, (policy, label)) in policies.iter().zip(labels).enumerate() {
            @let base = TOP + ROW * (index as f64 + 1.0);
            @let most = policy.inventory_distribution.iter().map(|share| share.share).fold(0.0, f64::max);
            (row_label(base - ROW / 2.0 + 4.0, label, &palette.class(&policy.name)))
            g class=(palette.class(&policy.name)) {
                @for share in &policy.inventory_distribution {
                    @let height = PEAK * share.share / most;
                    rect.ridge x=(px(axis.at(share.lots as f64) - width / 2.0)) y=(px(base - height)) width=(px(width)) height=(px(height)) {
                        title { (share.lots) " lots: " (fixed(100.0 * share.share, 1)) "%" }
                    }
                }
                (line([PLOT_LEFT, base, right, base], "base"))
                @let mean = axis.at(policy.inventory_mean);
                (line([mean, base - 15.0, mean, base + 3.0], "mean"))
            }
        }
    };
    svg(bottom + AXIS_HEIGHT, "Distribution of the inventory", &content)
}

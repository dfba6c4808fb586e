//! The distributions of the rewards, one above the other.

use maud::{Markup, html};

use super::{AXIS_HEIGHT, PLOT_LEFT, WIDTH, row_label, svg};
use crate::report::StrategySummary;
use crate::report::axis::{Axis, line, px};
use crate::report::palette::Palette;

const ROW: f64 = 32.0;
/// A ridge may reach into the row above.
const PEAK: f64 = 38.0;
const TOP: f64 = 12.0;
const BINS: usize = 84;
/// Share of the rewards at either end that may fall outside the axis.
const TAIL: f64 = 0.001;

/// A row of the figure.
pub(in crate::report) struct Ridge<'a> {
    /// The strategy, for its colour.
    pub(in crate::report) name: &'a str,
    /// What stands beside the row.
    pub(in crate::report) label: String,
    /// Of the single episodes.
    pub(in crate::report) values: &'a [f64],
    /// Their mean.
    pub(in crate::report) mean: f64,
}

impl<'a> From<&'a StrategySummary> for Ridge<'a> {
    fn from(strategy: &'a StrategySummary) -> Self {
        Self {
            name: &strategy.name,
            label: strategy.name.clone(),
            values: &strategy.rewards,
            mean: strategy.reward_mean,
        }
    }
}

/// Draws a histogram of each row's values on a common axis with this title, each to the same height; its worst 5% darker, and its mean.
pub(in crate::report) fn ridge(rows: &[Ridge<'_>], palette: &Palette, title: &str) -> Markup {
    let sorted: Vec<Vec<f64>> = rows.iter().map(|row| sorted(row.values)).collect();
    let ends = sorted.iter().filter(|rewards| !rewards.is_empty());
    let ends = ends.flat_map(|rewards| [quantile(rewards, TAIL), quantile(rewards, 1.0 - TAIL)]);
    let axis = Axis::covering(ends, 6, PLOT_LEFT, WIDTH - 8.0);
    let bottom = TOP + ROW * rows.len() as f64 + 4.0;
    let content = html! {
        (axis.below(TOP, bottom, title))
        @for (index, (row, rewards)) in rows.iter().zip(&sorted).enumerate() {
            @let base = TOP + ROW * (index as f64 + 1.0);
            (row_label(base - ROW / 2.0 + 4.0, &row.label, &palette.class(row.name)))
            @if rewards.is_empty() {
                text.note x=(px(PLOT_LEFT + 8.0)) y=(px(base - 6.0)) { "no rewards of single episodes at hand" }
            } @else {
                g class=(palette.class(row.name)) {
                    (histogram(rewards, &axis, base))
                    (line([PLOT_LEFT, base, WIDTH - 8.0, base], "base"))
                    @if row.mean.is_finite() {
                        (line([axis.at(row.mean), base - 15.0, axis.at(row.mean), base + 3.0], "mean"))
                    }
                }
            }
        }
    };
    svg(bottom + AXIS_HEIGHT, &format!("Distribution: {title}"), &content)
}

/// The histogram of ascending rewards, standing on `base`.
fn histogram(rewards: &[f64], axis: &Axis, base: f64) -> Markup {
    let (low, high) = axis.ends();
    let width = (high - low) / BINS as f64;
    let mut counts = [0_usize; BINS];
    for &reward in rewards.iter().filter(|reward| (low..=high).contains(*reward)) {
        counts[(((reward - low) / width) as usize).min(BINS - 1)] += 1;
    }
    let most = counts.iter().max().copied().unwrap_or(0).max(1) as f64;
    let height = |count: usize| base - PEAK * count as f64 / most;
    let outline = |from: usize, to: usize| {
        let mut path = format!("M{},{}", px(axis.at(low + from as f64 * width)), px(base));
        for (bin, &count) in counts.iter().enumerate().take(to).skip(from) {
            path += &format!("V{}H{}", px(height(count)), px(axis.at(low + (bin + 1) as f64 * width)));
        }
        path + &format!("V{}Z", px(base))
    };
    // Only the bins with something in them: a line along the base would reach over the whole axis.
    let first = counts.iter().position(|&count| count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|&count| count > 0).map_or(0, |bin| bin + 1);
    let worst = ((quantile(rewards, 0.05) - low) / width).clamp(0.0, BINS as f64) as usize;
    html! {
        path.ridge d=(outline(first, last)) {}
        @if worst > first {
            path.tail d=(outline(first, worst.min(last))) {}
        }
    }
}

fn sorted(rewards: &[f64]) -> Vec<f64> {
    let mut rewards: Vec<f64> = rewards.iter().copied().filter(|reward| reward.is_finite()).collect();
    rewards.sort_unstable_by(f64::total_cmp);
    rewards
}

/// The reward below which a share of them lies; of ascending rewards, at least one.
fn quantile(rewards: &[f64], share: f64) -> f64 {
    rewards[(share * (rewards.len() - 1) as f64).round() as usize]
}

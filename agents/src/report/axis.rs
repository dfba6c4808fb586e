//! Where numbers lie in a figure.

use maud::{Markup, html};

use super::number::fixed;

/// A linear axis: values from `low` to `high` lie at pixels from `start` to `end`, which may run backwards.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    ticks: Vec<f64>,
    decimals: usize,
}

impl Axis {
    /// An axis that covers `values`, as far as they are finite, with some `count` ticks at round numbers. Its ends are the values' own,
    /// with a little room.
    pub(crate) fn covering(values: impl Iterator<Item = f64>, count: usize, start: f64, end: f64) -> Self {
        let (mut low, mut high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Equal values, or so nearly equal that ticks between them would print alike.
        let least = (low.abs().max(high.abs()) * 1e-6).max(1e-3);
        if high - low < least {
            (low, high) = (low - least, high + least);
        }
        let room = 0.04 * (high - low);
        Self::between(low - room, high + room, count, start, end)
    }

    /// An axis from `low` to `high` exactly, which must be finite and ascend.
    pub(crate) fn between(low: f64, high: f64, count: usize, start: f64, end: f64) -> Self {
        let raw = (high - low) / count.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|&step| step >= raw * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let ticks = (0..).map(|index| first + f64::from(index)).take_while(|&tick| tick <= last).take(50);
        Self { low, high, start, end, ticks: ticks.map(|tick| tick * step).collect(), decimals }
    }

    /// The pixel of a value; one beyond the ends stays at them.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.start + share * (self.end - self.start)
    }

    /// The lowest and the highest value.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Vertical grid lines from `top` to `bottom` with their numbers below, and the axis' title below these. A line at zero is drawn
    /// stronger.
    pub(crate) fn below(&self, top: f64, bottom: f64, title: &str) -> Markup {
        html! {
            g.axis {
                @for &tick in &self.ticks {
                    (line([self.at(tick), top, self.at(tick), bottom], grid_class(tick)))
                    text x=(px(self.at(tick))) y=(px(bottom + 15.0)) text-anchor="middle" { (fixed(tick, self.decimals)) }
                }
                text.title x=(px((self.start + self.end) / 2.0)) y=(px(bottom + 33.0)) text-anchor="middle" { (title) }
            }
        }
    }

    /// As [`below`](Self::below), with grid lines and names at these values alone.
    pub(crate) fn named(&self, names: &[(f64, String)], top: f64, bottom: f64, title: &str) -> Markup {
        html! {
            g.axis {
                @for (value, name) in names {
                    (line([self.at(*value), top, self.at(*value), bottom], "grid"))
                    text x=(px(self.at(*value))) y=(px(bottom + 15.0)) text-anchor="middle" { (name) }
                }
                text.title x=(px((self.start + self.end) / 2.0)) y=(px(bottom + 33.0)) text-anchor="middle" { (title) }
            }
        }
    }

    /// As [`beside`](Self::beside), with grid lines and names at these values alone.
    pub(crate) fn named_beside(&self, names: &[(f64, String)], left: f64, right: f64, title: &str) -> Markup {
        let middle = (self.start + self.end) / 2.0;
        html! {
            g.axis {
                @for (value, name) in names {
                    (line([left, self.at(*value), right, self.at(*value)], "grid"))
                    text x=(px(left - 6.0)) y=(px(self.at(*value) + 4.0)) text-anchor="end" { (name) }
                }
                text.title x="0" y="0" text-anchor="middle" transform={ "translate(12 " (px(middle)) ") rotate(-90)" } { (title) }
            }
        }
    }

    /// Horizontal grid lines from `left` to `right` with their numbers to the left, and the axis' title, turned, further left.
    pub(crate) fn beside(&self, left: f64, right: f64, title: &str) -> Markup {
        let middle = (self.start + self.end) / 2.0;
        html! {
            g.axis {
                @for &tick in &self.ticks {
                    (line([left, self.at(tick), right, self.at(tick)], "grid"))
                    text x=(px(left - 6.0)) y=(px(self.at(tick) + 4.0)) text-anchor="end" { (fixed(tick, self.decimals)) }
                }
                text.title x="0" y="0" text-anchor="middle" transform={ "translate(12 " (px(middle)) ") rotate(-90)" } { (title) }
            }
        }
    }
}

fn grid_class(tick: f64) -> &'static str {
    if tick == 0.0 { "zero" } else { "grid" }
}

/// A straight line: x1, y1, x2, y2.
pub(crate) fn line([x1, y1, x2, y2]: [f64; 4], class: &str) -> Markup {
    html! { line class=(class) x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {} }
}

/// A coordinate, to a tenth of a pixel.
pub(crate) fn px(value: f64) -> String {
    super::number::plain(value, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let axis = Axis::between(-1.13, 0.47, 5, 0.0, 160.0);
        assert_eq!(axis.ticks, [-1.0, -0.5, 0.0]);
        assert_eq!(axis.decimals, 1);
        assert_eq!(axis.at(-1.13), 0.0);
        assert_eq!(axis.at(9.0), 160.0);
        let axis = Axis::between(0.0, 150.0, 6, 0.0, 1.0);
        assert_eq!(axis.ticks, [0.0, 50.0, 100.0, 150.0]);
        assert_eq!(axis.decimals, 0);
    }

    #[test]
    fn any_values_make_an_axis() {
        for values in [&[][..], &[2.0], &[0.0, 0.0], &[f64::NAN, 1e9], &[f64::INFINITY], &[1e-12, 2e-12]] {
            let axis = Axis::covering(values.iter().copied(), 5, 0.0, 100.0);
            assert!(axis.low < axis.high && (1..=50).contains(&axis.ticks.len()), "{values:?}: {axis:?}");
            assert!(
                axis.at(values.first().copied().unwrap_or(0.0).clamp(axis.low, axis.high)).is_finite()
                    || values[0].is_nan()
            );
        }
    }
}

//! Round numbers along an axis.

/// A linear scale from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// `low` at pixel `from`, `high` at pixel `to`; a range that is empty or no range is widened to one.
    pub(super) fn new(low: f64, high: f64, from: i32, to: i32) -> Self {
        let (low, high) = if low.is_finite() && high.is_finite() && high > low {
            (low, high)
        } else {
            let centre = if low.is_finite() { low } else { 0.0 };
            let half = (centre.abs() * 1e-6).max(0.5);
            (centre - half, centre + half)
        };
        Self { low, high, from: f64::from(from), to: f64::from(to) }
    }

    /// The pixel of a value, at most one beyond the ends.
    pub(super) fn pixel(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(-1.0, 2.0);
        let (least, most) = (self.from.min(self.to) - 1.0, self.from.max(self.to) + 1.0);
        // NaN becomes 0 in the conversion: such values are sorted out before.
        (self.from + share * (self.to - self.from)).round().clamp(least, most) as i32
    }

    /// Pixels from `low` to `high`.
    pub(super) fn pixels(&self) -> f64 {
        (self.to - self.from).abs()
    }

    /// True if the value is on the axis.
    pub(super) fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values on the axis, at least `apart` pixels from one another, with their labels.
    pub(super) fn ticks(&self, apart: f64) -> Vec<(f64, String)> {
        let most = (self.pixels() / apart.max(1.0)).max(1.0);
        let least_step = (self.high - self.low) / most;
        let power = least_step.log10().floor();
        let unit = 10_f64.powf(power);
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * unit);
        let step = step.clone().find(|&step| step >= least_step * 0.999_999).unwrap_or(10.0 * unit);
        let decimals = if step >= 1.0 { 0 } else { (-step.log10().floor()).clamp(0.0, 9.0) as usize };
        let first = (self.low / step).ceil();
        // Counting, not adding: the last one is as exact as the first.
        (0..=most as u32 + 1)
            .map(|index| (first + f64::from(index)) * step)
            .take_while(|&value| value <= self.high + step * 1e-9)
            .map(|value| {
                let text = format!("{value:.decimals$}");
                (value, if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".into() } else { text })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_far_enough_apart() {
        let scale = Scale::new(993.0, 1012.0, 300, 0);
        let ticks = scale.ticks(40.0);
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["995", "1000", "1005", "1010"]);
        let labels: Vec<_> =
            Scale::new(0.0, 1.0, 0, 500).ticks(60.0).into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn an_empty_range_is_widened() {
        for (low, high) in [(3.0, 3.0), (f64::NAN, 1.0), (f64::INFINITY, f64::NEG_INFINITY), (1e15, 1e15)] {
            let scale = Scale::new(low, high, 0, 100);
            assert!((-1..=101).contains(&scale.pixel(3.0)));
            assert!(scale.ticks(10.0).len() <= 12);
        }
    }
}

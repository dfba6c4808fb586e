//! The grid that suits a market, from a first look at it.

use lob::Price;
use lob::calibration::{BookState, FlowEvent, FlowEventKind, Grid, Observer};
use serde::Serialize;

/// The window of the first look, in ticks of the instrument.
pub(super) const REACH: usize = 1024;

/// Ticks of the instrument up to which a mean spread is left as it is.
const NARROW: f64 = 4.0;

/// Ticks of the model that a wide mean spread becomes.
const SPREAD: f64 = 2.5;

/// The smaller of the median market order and the median limit order, in lots of the model.
const MEDIAN_LOTS: f64 = 2.0;

/// Share of the limit orders seen that the window is to hold.
const HELD: f64 = 0.95;

/// The fewest and the most levels that are chosen.
const LEVELS: std::ops::RangeInclusive<usize> = 10..=100;

/// Sizes are counted in so many classes an octave.
const CLASSES: f64 = 16.0;

/// A first look at a market on its own grid: what the model's is chosen by.
#[derive(Clone, Debug)]
pub struct Survey {
    seconds: f64,
    spread: f64,
    /// Of market orders, and of limit orders.
    sizes: [Vec<u64>; 2],
    distances: Vec<u64>,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            seconds: 0.0,
            spread: 0.0,
            sizes: [vec![0; 64 * CLASSES as usize], vec![0; 64 * CLASSES as usize]],
            distances: vec![0; REACH + 1],
        }
    }
}

/// A grid, and what led to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The grid.
    pub grid: Grid,
    /// Time-weighted mean spread in ticks of the instrument.
    pub mean_spread: f64,
    /// Median market order and median limit order in lots of the instrument.
    pub median_lots: [f64; 2],
    /// Distance in ticks of the instrument that holds 95% of the limit orders seen.
    pub reach: usize,
}

impl Survey {
    fn see(&mut self, state: &BookState<'_>, time: f64) {
        if let ([Some(Price(bid)), Some(Price(ask))], true) = (state.best, state.valid) {
            self.seconds += time - state.since;
            self.spread += (time - state.since) * (ask - bid) as f64;
        }
    }

    /// The grid, where `grid` (ticks), `lot` (instrument lots) and `levels` do not say.
    ///
    /// A tick of the model is one of the instrument where the mean spread is at most 4 ticks; else the 1, 2 or 5 x 10^n ticks that bring it
    /// closest to 2.5 of the model's. A lot is the 1, 2 or 5 x 10^n lots that bring the median market order or the
    /// median limit order, whichever is smaller, closest to 2. The window
    /// holds 95% of the limit orders within 1,024 ticks, and 10 to 100 levels.
    pub fn choose(&self, grid: Option<u64>, lot: Option<u64>, levels: Option<usize>) -> Choice {
        let mean_spread = if self.seconds > 0.0 { self.spread / self.seconds } else { 0.0 };
        let median =
            |sizes: &[u64]| quantile(sizes, 0.5).map_or(1.0, |class| ((class as f64 + 0.5) / CLASSES).exp2());
        let median_lots = [median(&self.sizes[0]), median(&self.sizes[1])];
        let reach = quantile(&self.distances, HELD).unwrap_or(1);
        let ticks = grid.unwrap_or(if mean_spread <= NARROW { 1 } else { nice(mean_spread / SPREAD) });
        let window = reach.div_ceil(usize::try_from(ticks.max(1)).unwrap_or(usize::MAX)) + 1;
        let grid = Grid {
            ticks,
            lot: lot.unwrap_or_else(|| nice(median_lots[0].min(median_lots[1]) / MEDIAN_LOTS)),
            levels: levels.unwrap_or(window.clamp(*LEVELS.start(), *LEVELS.end())),
        };
        Choice { grid, mean_spread, median_lots, reach }
    }
}

impl Observer for Survey {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        self.see(&before, event.time);
        if !before.valid || event.kind == FlowEventKind::Cancel {
            return;
        }
        // Sizes are whole numbers of lots, at least 1.
        let sizes = &mut self.sizes[event.kind as usize];
        let class = ((event.lots as f64).log2() * CLASSES) as usize;
        let last = sizes.len() - 1;
        sizes[class.min(last)] += 1;
        if event.kind == FlowEventKind::Limit {
            self.distances[(event.distance as usize).min(REACH)] += 1;
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

/// The first class up to which a share of the counts lies.
fn quantile(counts: &[u64], share: f64) -> Option<usize> {
    let total: u64 = counts.iter().sum();
    let mut sum = 0;
    counts.iter().position(|&count| {
        sum += count;
        total > 0 && sum as f64 >= share * total as f64
    })
}

/// The 1, 2 or 5 x 10^n nearest to a number on a logarithmic scale, at least 1.
fn nice(value: f64) -> u64 {
    let steps = (0..16).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let distance = |step: u64| (step as f64 / value.max(1e-9)).ln().abs();
    steps.min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_numbers_are_the_nearest_on_a_logarithmic_scale() {
        assert_eq!([0.2, 1.0, 1.5, 3.0, 3.3, 8.0, 12.0, 260.0].map(nice), [1, 1, 2, 2, 5, 10, 10, 200]);
    }

    #[test]
    fn a_narrow_spread_keeps_the_tick_and_a_wide_one_is_made_narrow() {
        let depth = vec![0; REACH];
        let mut survey = Survey::default();
        for (distance, lots) in [(20, 40), (40, 40), (300, 40)] {
            let best = [Some(Price(1000)), Some(Price(1030))];
            let state = BookState { since: 0.0, best, depth: [&depth, &depth], valid: true };
            let side = lob::Side::Buy;
            survey.event(state, &FlowEvent { time: 1.0, kind: FlowEventKind::Limit, side, distance, lots });
        }
        let choice = survey.choose(None, None, None);
        assert_eq!(choice.mean_spread, 30.0);
        assert_eq!(choice.grid, Grid { ticks: 10, lot: 20, levels: 31 });
        assert_eq!(survey.choose(Some(3), Some(7), Some(9)).grid, Grid { ticks: 3, lot: 7, levels: 9 });
    }
}

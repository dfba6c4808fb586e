//! The mid on a regular clock.

use std::collections::VecDeque;

use super::moments::Moments;

/// Between two samples, in seconds.
const STEP: f64 = 0.1;
/// Over how many samples changes are taken.
const LAGS: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 300, 600];
const LONGEST: usize = LAGS[LAGS.len() - 1];

/// Squared changes of the mid over several times, on a clock that runs while the book is valid.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    start: f64,
    taken: u64,
    /// Twice the mid in ticks, the latest first.
    last: VecDeque<Option<i64>>,
    squares: [Moments; LAGS.len()],
}

/// The volatility over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) seconds: f64,
    pub(super) value: Option<f64>,
    pub(super) error: Option<f64>,
    pub(super) changes: u64,
}

impl Sampled {
    pub(super) fn new() -> Self {
        Self { start: 0.0, taken: 0, last: VecDeque::new(), squares: [Moments::default(); LAGS.len()] }
    }

    /// The clock begins anew.
    pub(super) fn begin(&mut self, start: f64) {
        (self.start, self.taken) = (start, 0);
        self.last.clear();
    }

    /// The mid holds until `time`, from where the last one ended.
    pub(super) fn hold(&mut self, time: f64, mid: Option<i64>) {
        while self.start + self.taken as f64 * STEP < time {
            self.taken += 1;
            for (lag, squares) in LAGS.iter().zip(&mut self.squares) {
                if let (Some(now), Some(&Some(then))) = (mid, self.last.get(lag - 1)) {
                    let change = 0.5 * (now - then) as f64;
                    squares.add(change * change);
                }
            }
            self.last.push_front(mid);
            self.last.truncate(LONGEST);
        }
    }

    /// Root of the mean squared change over the root of its time, in ticks. Of overlapping changes only as many count towards the error
    /// as would fit beside each other.
    pub(super) fn volatility(&self) -> Vec<Scaled> {
        let of = |(&lag, squares): (&usize, &Moments)| {
            let seconds = lag as f64 * STEP;
            let mean = squares.mean();
            let value = mean.map(|mean| (mean / seconds).sqrt());
            let apart = (squares.count() as f64 / lag as f64).max(1.0);
            let relative = mean.filter(|&mean| mean > 0.0).zip(squares.deviation());
            let error = relative
                .zip(value)
                .map(|((mean, deviation), value)| 0.5 * value * deviation / mean / apart.sqrt());
            Scaled { seconds, value, error, changes: squares.count() }
        };
        LAGS.iter().zip(&self.squares).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_has_the_volatility_of_its_slope() {
        let mut sampled = Sampled::new();
        sampled.begin(5.0);
        // One tick a second.
        for index in 0..2_000_i64 {
            sampled.hold(5.0 + (index + 1) as f64 * 0.5, Some(index));
        }
        let found = sampled.volatility();
        // Over T seconds it moves T ticks: T / sqrt(T).
        for Scaled { seconds, value, .. } in found.iter().filter(|scaled| scaled.seconds >= 1.0) {
            assert!((value.unwrap() - seconds.sqrt()).abs() < 1e-6, "{seconds}: {value:?}");
        }
        sampled.begin(3_000.0);
        let before = sampled.volatility()[0].changes;
        sampled.hold(3_000.05, Some(7));
        assert_eq!(sampled.volatility()[0].changes, before, "a gap is no change");
    }
}

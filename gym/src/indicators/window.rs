//! A sliding window whose rounding does not grow with time.
//!
//! A running sum that adds the newest value and takes the oldest away keeps every rounding error it ever made. Here nothing is ever taken
//! away: values come in blocks as long as the window; at the end of a block its suffixes are aggregated, and a window is then one suffix
//! of the last block joined with what the present block has so far (van Herk 1992, Gil and Werman 1993). Each result is made of the
//! values in its window alone, by at most as many operations as there are values: its error is at most `period` roundings after any
//! number of ticks, and a value that has left the window leaves nothing behind, however large it was.
//!
//! Cost: two joins a tick, a third amortised, and `period` of them in the one tick in `period` that ends a block.

/// What values can be aggregated to; joining is associative but for rounding.
pub(super) trait Aggregate: Copy {
    /// Of no values.
    const EMPTY: Self;

    /// Of these values and the `later` ones.
    fn join(self, later: Self) -> Self;
}

/// The aggregate of the last `period` values.
#[derive(Clone, Debug)]
pub(super) struct Window<A> {
    /// Below `next` the values of the present block, from there on suffixes of the last one.
    slots: Vec<A>,
    present: A,
    next: usize,
    is_full: bool,
}

impl<A: Aggregate> Window<A> {
    /// A window of `period` values, at least 1.
    pub(super) fn new(period: usize) -> Self {
        Self { slots: vec![A::EMPTY; period], present: A::EMPTY, next: 0, is_full: false }
    }

    pub(super) fn period(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn reset(&mut self) {
        (self.present, self.next, self.is_full) = (A::EMPTY, 0, false);
    }

    /// Takes a value in; the aggregate of the window once it is full.
    pub(super) fn push(&mut self, value: A) -> Option<A> {
        self.slots[self.next] = value;
        self.present = self.present.join(value);
        self.next += 1;
        if self.next < self.slots.len() {
            return self.is_full.then(|| self.slots[self.next].join(self.present));
        }
        let mut suffix = A::EMPTY;
        for slot in self.slots.iter_mut().rev() {
            suffix = slot.join(suffix);
            *slot = suffix;
        }
        let whole = self.present;
        (self.present, self.next, self.is_full) = (A::EMPTY, 0, true);
        Some(whole)
    }
}

impl Aggregate for f64 {
    const EMPTY: Self = 0.0;

    fn join(self, later: Self) -> Self {
        self + later
    }
}

/// Sums of two things.
impl Aggregate for [f64; 2] {
    const EMPTY: Self = [0.0; 2];

    fn join(self, later: Self) -> Self {
        [self[0] + later[0], self[1] + later[1]]
    }
}

/// Number, mean and sum of squared deviations from it, joined by Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise
/// algorithm for computing sample variances": no difference of large squares, and exactly 0 where all values are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    /// How many values.
    pub(crate) count: f64,
    /// Their mean.
    pub(crate) mean: f64,
    /// Sum of their squared deviations from it.
    pub(crate) squares: f64,
}

impl Moments {
    /// Of one value.
    pub(crate) fn of(value: f64) -> Self {
        Self { count: 1.0, mean: value, squares: 0.0 }
    }
}

impl Aggregate for Moments {
    const EMPTY: Self = Self { count: 0.0, mean: 0.0, squares: 0.0 };

    fn join(self, later: Self) -> Self {
        if self.count == 0.0 {
            return later;
        }
        if later.count == 0.0 {
            return self;
        }
        let count = self.count + later.count;
        let distance = later.mean - self.mean;
        let share = later.count / count;
        Self {
            count,
            mean: self.mean + distance * share,
            squares: self.squares + later.squares + distance * distance * self.count * share,
        }
    }
}

/// Moments of any number of values.
pub(crate) fn join_all(values: impl Iterator<Item = f64>) -> Moments {
    values.map(Moments::of).fold(Moments::EMPTY, Aggregate::join)
}

/// A sum of any number of values with the rounding of about one addition: Neumaier (1974), "Rundungsfehleranalyse einiger Verfahren zur
/// Summation endlicher Summen", algorithm IV.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    pub(super) const ZERO: Self = Self { sum: 0.0, lost: 0.0 };

    pub(super) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    pub(super) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_last_values_and_nothing_else() {
        for period in 1..=9_usize {
            let mut window = Window::<f64>::new(period);
            for tick in 0..50_usize {
                let expected: usize = (tick.saturating_sub(period - 1)..=tick).map(|i| i * i).sum();
                let found = window.push((tick * tick) as f64);
                assert_eq!(found, (tick + 1 >= period).then_some(expected as f64), "{period}, {tick}");
            }
        }
    }

    #[test]
    fn a_huge_value_leaves_nothing_behind() {
        let mut window = Window::<f64>::new(3);
        for value in [1e100, 0.1, 0.2] {
            window.push(value);
        }
        assert_eq!(window.push(0.3), Some(0.1 + 0.2 + 0.3));
    }

    #[test]
    fn moments_of_equal_values_have_no_squares() {
        let mut window = Window::<Moments>::new(7);
        for _ in 0..40 {
            if let Some(moments) = window.push(Moments::of(0.1)) {
                assert_eq!(moments, Moments { count: 7.0, mean: 0.1, squares: 0.0 });
            }
        }
    }

    #[test]
    fn a_compensated_sum_keeps_what_a_plain_one_loses() {
        let mut sum = CompensatedSum::ZERO;
        for value in [1e16, 1.0, 1.0, -1e16] {
            sum.add(value);
        }
        assert_eq!(sum.value(), 2.0);
    }
}

//! Running means and variances, and observations normalised by them.

/// Mean and variance of numbers seen so far, merged exactly in any grouping.
///
/// Source: B. P. Welford, *Technometrics* 4(3), 1962; the merge is T. F. Chan, G. H. Golub & R. J. LeVeque, *Updating formulae and a
/// pairwise algorithm for computing sample variances*, 1979, equation (2.1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many rows were seen.
    pub count: f64,
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean of each column.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Nothing seen yet of rows with `columns` numbers.
    pub fn new(columns: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; columns], squares: vec![0.0; columns] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.count = 0.0;
        self.mean.fill(0.0);
        self.squares.fill(0.0);
    }

    /// Sees one row.
    pub fn push(&mut self, row: &[f32]) {
        self.count += 1.0;
        let share = 1.0 / self.count;
        for ((mean, squares), &x) in self.mean.iter_mut().zip(&mut self.squares).zip(row) {
            let delta = f64::from(x) - *mean;
            *mean += delta * share;
            *squares += delta * (f64::from(x) - *mean);
        }
    }

    /// Sees all that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let total = self.count + other.count;
        let columns = self.mean.iter_mut().zip(&mut self.squares).zip(other.mean.iter().zip(&other.squares));
        for ((mean, squares), (other_mean, other_squares)) in columns {
            let delta = other_mean - *mean;
            *mean += delta * other.count / total;
            *squares += other_squares + delta * delta * self.count * other.count / total;
        }
        self.count = total;
    }

    /// Population variance of a column; 1 before two rows were seen.
    pub fn variance(&self, column: usize) -> f64 {
        if self.count < 2.0 { 1.0 } else { self.squares[column] / self.count }
    }
}

/// Observations moved to mean 0 and variance 1, column by column, and cut to `[-limit, limit]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    moments: Moments,
    limit: f32,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// A column that hardly varies is not blown up: this is added to its variance.
const EPSILON: f64 = 1e-8;

impl Normaliser {
    /// A normaliser by these moments.
    pub fn new(moments: Moments, limit: f32) -> Self {
        let mut new = Self { moments, limit, mean: Vec::new(), scale: Vec::new() };
        new.refresh();
        new
    }

    /// What it has seen.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Where normalised values are cut.
    pub fn limit(&self) -> f32 {
        self.limit
    }

    /// Sees more, and normalises by all of it from now on.
    pub fn merge(&mut self, moments: &Moments) {
        self.moments.merge(moments);
        self.refresh();
    }

    fn refresh(&mut self) {
        let columns = self.moments.mean.len();
        self.mean.clear();
        self.mean.extend(self.moments.mean.iter().map(|mean| *mean as f32));
        self.scale.clear();
        let scale = |column| (1.0 / (self.moments.variance(column) + EPSILON).sqrt()) as f32;
        self.scale.extend((0..columns).map(scale));
    }

    /// Writes the normalised observation.
    #[inline]
    pub fn apply(&self, observation: &[f32], out: &mut [f32]) {
        let statistics = self.mean.iter().zip(&self.scale);
        for ((out, x), (mean, scale)) in out.iter_mut().zip(observation).zip(statistics) {
            *out = ((x - mean) * scale).clamp(-self.limit, self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_the_same_in_any_grouping() {
        let rows: Vec<[f32; 2]> = (0..100).map(|i| [i as f32, (i * i % 17) as f32 + 1e6]).collect();
        let mut whole = Moments::new(2);
        rows.iter().for_each(|row| whole.push(row));
        let mut merged = Moments::new(2);
        for part in [&rows[..1], &rows[1..40], &rows[40..40], &rows[40..]] {
            let mut moments = Moments::new(2);
            part.iter().for_each(|row| moments.push(row));
            merged.merge(&moments);
        }
        for column in 0..2 {
            assert!((whole.mean[column] - merged.mean[column]).abs() < 1e-9);
            assert!((whole.variance(column) - merged.variance(column)).abs() < 1e-9);
            let mean = rows.iter().map(|row| f64::from(row[column])).sum::<f64>() / 100.0;
            let variance =
                rows.iter().map(|row| (f64::from(row[column]) - mean).powi(2)).sum::<f64>() / 100.0;
            assert!((whole.variance(column) - variance).abs() < 1e-9 * variance.max(1.0));
        }
    }

    #[test]
    fn normalised_values_are_cut() {
        let mut moments = Moments::new(1);
        [[1.0], [3.0]].iter().for_each(|row| moments.push(row));
        let normaliser = Normaliser::new(moments, 5.0);
        let mut out = [0.0];
        normaliser.apply(&[3.0], &mut out);
        assert!((out[0] - 1.0).abs() < 1e-6);
        normaliser.apply(&[1e9], &mut out);
        assert_eq!(out[0], 5.0);
    }
}

//! Small dense symmetric systems.

/// A symmetric matrix of `n` rows, in full, row by row.
#[derive(Clone, Debug)]
pub(super) struct Symmetric {
    pub(super) n: usize,
    pub(super) entries: Vec<f64>,
}

impl Symmetric {
    /// All zeros.
    pub(super) fn zeros(n: usize) -> Self {
        Self { n, entries: vec![0.0; n * n] }
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.entries[row * self.n + column]
    }

    /// Adds to an entry and its mirror image.
    pub(super) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.entries[row * self.n + column] += value;
        if row != column {
            self.entries[column * self.n + row] += value;
        }
    }

    /// The rows and columns of `chosen` alone.
    pub(super) fn part(&self, chosen: &[usize]) -> Self {
        let entries = chosen.iter().flat_map(|&row| chosen.iter().map(move |&column| self.at(row, column)));
        Self { n: chosen.len(), entries: entries.collect() }
    }

    /// The Cholesky factor; the first row at which the matrix is found not to be positive definite otherwise. A pivot counts as positive
    /// only if it is more than `tolerance` of its diagonal entry.
    pub(super) fn cholesky(&self, tolerance: f64) -> Result<Cholesky, usize> {
        let n = self.n;
        let mut factor = self.entries.clone();
        for row in 0..n {
            for column in 0..=row {
                let dot: f64 = (0..column).map(|k| factor[row * n + k] * factor[column * n + k]).sum();
                let rest = factor[row * n + column] - dot;
                if row == column {
                    // Written so that NaN fails.
                    if !(rest > tolerance * self.at(row, row) && rest > 0.0 && rest.is_finite()) {
                        return Err(row);
                    }
                    factor[row * n + row] = rest.sqrt();
                } else {
                    factor[row * n + column] = rest / factor[column * n + column];
                }
            }
        }
        Ok(Cholesky { n, factor })
    }
}

/// A matrix as the product of a lower triangle and its transpose.
#[derive(Clone, Debug)]
pub(super) struct Cholesky {
    n: usize,
    /// The lower triangle; what stands above the diagonal is not used.
    factor: Vec<f64>,
}

impl Cholesky {
    /// The solution of `matrix x = b`, in place of `b`.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let n = self.n;
        for row in 0..n {
            let dot: f64 = (0..row).map(|k| self.factor[row * n + k] * b[k]).sum();
            b[row] = (b[row] - dot) / self.factor[row * n + row];
        }
        for row in (0..n).rev() {
            let dot: f64 = (row + 1..n).map(|k| self.factor[k * n + row] * b[k]).sum();
            b[row] = (b[row] - dot) / self.factor[row * n + row];
        }
    }

    /// The inverse of the matrix.
    pub(super) fn inverse(&self) -> Symmetric {
        let mut inverse = Symmetric::zeros(self.n);
        let mut column = vec![0.0; self.n];
        for index in 0..self.n {
            column.fill(0.0);
            column[index] = 1.0;
            self.solve(&mut column);
            for (row, &value) in column.iter().enumerate() {
                inverse.entries[row * self.n + index] = value;
            }
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes_its_matrix() {
        let matrix = Symmetric { n: 3, entries: vec![4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0] };
        let inverse = matrix.cholesky(0.0).unwrap().inverse();
        for row in 0..3 {
            for column in 0..3 {
                let product: f64 = (0..3).map(|k| matrix.at(row, k) * inverse.at(k, column)).sum();
                let expected = f64::from(u8::from(row == column));
                assert!((product - expected).abs() < 1e-14, "{row} {column} {product}");
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_names_its_row() {
        let matrix = Symmetric { n: 2, entries: vec![1.0, 2.0, 2.0, 1.0] };
        assert_eq!(matrix.cholesky(0.0).unwrap_err(), 1);
        let singular = Symmetric { n: 2, entries: vec![1.0, 1.0, 1.0, 1.0 + 1e-13] };
        assert_eq!(singular.cholesky(1e-10).unwrap_err(), 1);
        assert!(singular.cholesky(0.0).is_ok());
    }
}

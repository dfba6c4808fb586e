//! Normal numbers that are correlated.

use std::fmt;

use lob::ParameterError;
use lob::random::standard_normal;
use lob::sim::SimRng;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Correlations of the assets, as configured: one number for all pairs, or a matrix.
#[derive(Clone, Debug, PartialEq)]
pub enum Correlation {
    /// The same for every pair, from 0 to below 1.
    Equal(f64),
    /// A symmetric positive definite matrix with ones on its diagonal, row by row.
    Matrix(Vec<Vec<f64>>),
}

/// How correlated numbers are made of independent ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mixing {
    Independent,
    /// `own x e_i + common x e`, with one number more than there are assets.
    OneFactor {
        common: f64,
        own: f64,
    },
    /// The lower triangle of the Cholesky factor, row by row.
    Cholesky(Vec<f64>),
}

impl Correlation {
    pub(super) fn mixing(&self, key: &str, assets: usize) -> Result<Mixing, ParameterError> {
        match self {
            Self::Equal(rho) if *rho == 0.0 => Ok(Mixing::Independent),
            Self::Equal(rho) if *rho > 0.0 && *rho < 1.0 => {
                Ok(Mixing::OneFactor { common: libm::sqrt(*rho), own: libm::sqrt(1.0 - rho) })
            }
            Self::Equal(rho) => Err(ParameterError::new(key, rho, "a number from 0 to below 1, or a matrix")),
            Self::Matrix(rows) => cholesky(key, rows, assets).map(Mixing::Cholesky),
        }
    }
}

fn cholesky(key: &str, rows: &[Vec<f64>], assets: usize) -> Result<Vec<f64>, ParameterError> {
    lob::parameter::length(key, rows.len(), assets..=assets)?;
    for (i, row) in rows.iter().enumerate() {
        lob::parameter::length(&format!("{key}[{i}]"), row.len(), assets..=assets)?;
        for (j, &value) in row.iter().enumerate() {
            let at = || format!("{key}[{i}][{j}]");
            if i == j && value != 1.0 {
                return Err(ParameterError::new(at(), value, "1 on the diagonal"));
            }
            // Also refuses NaN.
            if !(-1.0..=1.0).contains(&value) {
                return Err(ParameterError::new(at(), value, "a number from -1 to 1"));
            }
            if j < i && value != rows[j][i] {
                return Err(ParameterError::new(at(), value, format!("{}, as [{j}][{i}] is", rows[j][i])));
            }
        }
    }
    let mut lower: Vec<f64> = Vec::with_capacity(assets * (assets + 1) / 2);
    let start = |row: usize| row * (row + 1) / 2;
    for i in 0..assets {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| lower[start(i) + k] * lower[start(j) + k]).sum();
            let rest = rows[i][j] - inner;
            if i == j {
                // Rounding leaves about this much of a matrix that is singular.
                if rest <= 1e-12 {
                    let found =
                        format!("a matrix whose leading {0} x {0} part is singular or indefinite", i + 1);
                    return Err(ParameterError::new(key, found, "a positive definite matrix"));
                }
                lower.push(libm::sqrt(rest));
            } else {
                lower.push(rest / lower[start(j) + j]);
            }
        }
    }
    Ok(lower)
}

impl Mixing {
    /// Standard normal numbers with these correlations, one for each asset.
    #[inline]
    pub(super) fn draw(&self, rng: &mut SimRng, out: &mut [f64]) {
        for z in out.iter_mut() {
            *z = standard_normal(rng);
        }
        match self {
            Self::Independent => {}
            Self::OneFactor { common, own } => {
                let shared = common * standard_normal(rng);
                for z in out {
                    *z = own * *z + shared;
                }
            }
            Self::Cholesky(lower) => {
                // From the last row up, so that the independent numbers a row needs are still there.
                let mut end = lower.len();
                for row in (0..out.len()).rev() {
                    let factors = &lower[end - row - 1..end];
                    end -= row + 1;
                    out[row] = factors.iter().zip(&out[..=row]).map(|(l, z)| l * z).sum();
                }
            }
        }
    }
}

impl Serialize for Correlation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Equal(rho) => rho.serialize(serializer),
            Self::Matrix(rows) => rows.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Correlation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Correlation;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, or a matrix as a list of rows")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Correlation, E> {
                Ok(Correlation::Equal(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Correlation, E> {
                Ok(Correlation::Equal(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Correlation, E> {
                Ok(Correlation::Equal(value as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Correlation, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(rows)).map(Correlation::Matrix)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

//! Arrays and what is expected of them.

use std::fmt;

/// An array in C order: the last index runs fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    /// Length of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<T>,
}

/// An array as it is stored, of any element type: for readers of structured arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawArray {
    /// The element type as NumPy writes it: `'<f8'`, or `[('ev', '<u8'), ...]`.
    pub descr: String,
    /// Bytes of one element.
    pub item_bytes: usize,
    /// Length of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// True if the first index runs fastest.
    pub fortran_order: bool,
    /// The elements: exactly as many bytes as type and shape need.
    pub bytes: Vec<u8>,
}

/// What is expected of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Any length.
    Any,
    /// At least this length.
    AtLeast(usize),
    /// This length.
    Exactly(usize),
}

impl Dim {
    fn accepts(self, found: u64) -> bool {
        match self {
            Self::Any => true,
            Self::AtLeast(least) => found >= least as u64,
            Self::Exactly(length) => found == length as u64,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::AtLeast(least) => write!(f, "{least} or more"),
            Self::Exactly(length) => write!(f, "{length}"),
        }
    }
}

/// Which floats are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// All, NaN and infinities included.
    Any,
    /// Neither NaN nor infinite.
    Finite,
    /// Finite and >= 0.
    NonNegative,
    /// Finite and > 0.
    Positive,
}

impl Domain {
    pub(super) fn accepts(self, value: f64) -> bool {
        match self {
            Self::Any => true,
            Self::Finite => value.is_finite(),
            Self::NonNegative => value.is_finite() && value >= 0.0,
            Self::Positive => value.is_finite() && value > 0.0,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any number",
            Self::Finite => "a finite number",
            Self::NonNegative => "a finite number >= 0",
            Self::Positive => "a finite number > 0",
        })
    }
}

/// Words for an expected array, used in every message about it.
pub(super) fn describe(kind: &str, dims: &[Dim]) -> String {
    match dims {
        [] => format!("one {kind} (shape ())"),
        _ => {
            let shape = dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(" x ");
            format!("an array of {kind} of shape ({shape})")
        }
    }
}

pub(super) fn shape_fits(dims: &[Dim], shape: &[u64]) -> bool {
    dims.len() == shape.len() && dims.iter().zip(shape).all(|(dim, &found)| dim.accepts(found))
}

/// Elements stored with the first index fastest, in C order.
pub(super) fn to_c_order<T: Copy>(shape: &[usize], data: &[T]) -> Vec<T> {
    // One dimension at a time: for each position in C order, where it is stored.
    let mut stored = vec![0usize];
    let mut stride = data.len();
    for &length in shape.iter().rev() {
        stride /= length.max(1);
        stored = (0..length).flat_map(|i| stored.iter().map(move |&offset| i * stride + offset)).collect();
    }
    stored.into_iter().map(|offset| data[offset]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_turned_around() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        assert_eq!(to_c_order(&[2, 3], &[1, 4, 2, 5, 3, 6]), [1, 2, 3, 4, 5, 6]);
        let shape = [2, 3, 4];
        let fortran: Vec<usize> = (0..24).collect();
        let c = to_c_order(&shape, &fortran);
        for i in 0..2 {
            for j in 0..3 {
                for k in 0..4 {
                    assert_eq!(c[(i * 3 + j) * 4 + k], i + 2 * (j + 3 * k));
                }
            }
        }
        assert_eq!(to_c_order(&[], &[7]), [7]);
        assert_eq!(to_c_order::<u8>(&[0, 3], &[]), [0u8; 0]);
    }
}

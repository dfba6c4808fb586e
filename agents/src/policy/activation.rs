//! What stands between the layers of a network.

use serde::{Deserialize, Serialize};

/// A function applied to each number. The names are torch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
    /// `x` above 0, `exp(x) - 1` below.
    Elu,
    /// `x / (1 + exp(-x))`, also called swish.
    Silu,
}

impl Activation {
    /// Applies it in place.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Tanh => values.iter_mut().for_each(|x| *x = tanh(*x)),
            Self::Relu => values.iter_mut().for_each(|x| *x = x.max(0.0)),
            Self::Elu => values.iter_mut().for_each(|x| {
                if *x < 0.0 {
                    *x = libm::expm1f(*x);
                }
            }),
            Self::Silu => values.iter_mut().for_each(|x| *x *= sigmoid(*x)),
        }
    }

    /// The gain that keeps the variance of signals through layers initialised orthogonally: the table of torch's
    /// `nn.init.calculate_gain`; 1 where it has no entry.
    pub fn gain(self) -> f64 {
        match self {
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => std::f64::consts::SQRT_2,
            Self::Elu | Self::Silu => 1.0,
        }
    }
}

/// The hyperbolic tangent, to 4 units in the last place: a quotient of polynomials, which the compiler turns into vector instructions.
///
/// Source: the minimax coefficients of Eigen's `generic_fast_tanh_float` (public since 2014), x cut to where the result is 1 in f32.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    const LIMIT: f32 = 7.905_311;
    let x = x.clamp(-LIMIT, LIMIT);
    let square = x * x;
    let p = -2.760_768_5e-16 * square + 2.000_188e-13;
    let p = p * square - 8.604_672e-11;
    let p = p * square + 5.122_297e-8;
    let p = p * square + 1.485_722_4e-5;
    let p = p * square + 6.372_619_3e-4;
    let p = p * square + 4.893_524_6e-3;
    let q = 1.198_258_4e-6 * square + 1.185_347_1e-4;
    let q = q * square + 2.268_434_7e-3;
    let q = q * square + 4.893_525e-3;
    x * p / q
}

/// `1 / (1 + exp(-x))`, as a hyperbolic tangent.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * tanh(0.5 * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_tangent_is_the_tangent() {
        let mut worst = 0.0_f64;
        for i in -200_000..=200_000 {
            let x = i as f32 * 1e-4;
            worst = worst.max((f64::from(tanh(x)) - libm::tanh(f64::from(x))).abs());
        }
        assert!(worst < 4e-7, "{worst}");
        assert!(tanh(f32::NAN).is_nan());
        assert!((tanh(f32::INFINITY) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn functions_have_their_known_values() {
        for (activation, expected) in [
            (Activation::Tanh, [-0.761_594_2, 0.462_117_16]),
            (Activation::Relu, [0.0, 0.5]),
            (Activation::Elu, [-0.632_120_55, 0.5]),
            (Activation::Silu, [-0.268_941_43, 0.311_229_67]),
        ] {
            let mut values = [-1.0, 0.5];
            activation.apply(&mut values);
            for (value, expected) in values.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-6, "{activation:?}: {value} {expected}");
            }
        }
    }
}

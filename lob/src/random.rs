//! Sampling that gives the same bits on every machine.
//!
//! Additions, multiplications and square roots are exact by IEEE 754; logarithms, exponentials and the like are not, and
//! the mathematics library of the platform may round them differently from one machine to the next. Everything here takes
//! them from [`libm`], which is the same code everywhere, so that a seed means the same market on every machine.

use rand::Rng;

mod ziggurat;

pub(crate) use ziggurat::Ziggurat;
pub use ziggurat::exponential;

/// A number strictly between 0 and 1: one of 2^52 equally spaced ones, symmetric about 1/2. One `u64`.
///
/// Never 0 or 1, so that its logarithm and its normal quantile exist.
#[inline]
pub fn open_unit<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 52) as f64;
    ((rng.next_u64() >> 12) as f64 + 0.5) * STEP
}

/// A number in [0, 1): one of 2^53 equally spaced ones. One `u64`.
#[inline]
pub fn uniform<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A standard normal number, by inversion. One `u64`. Between -8.3 and 8.3.
#[inline]
pub fn standard_normal<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    normal_quantile(open_unit(rng))
}

/// P(Z > x) for a standard normal Z, accurate in relative terms far into the tail.
pub fn normal_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The x with P(Z <= x) = `p`, to about 16 digits; NaN outside (0, 1).
///
/// Source: M. J. Wichura, *Algorithm AS 241: The percentage points of the normal distribution*, Applied Statistics 37
/// (1988), 477-484, routine PPND16.
pub fn normal_quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * horner(r, &CENTRE.0) / horner(r, &CENTRE.1);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let x = if r <= 5.0 {
        horner(r - 1.6, &MIDDLE.0) / horner(r - 1.6, &MIDDLE.1)
    } else {
        horner(r - 5.0, &FAR.0) / horner(r - 5.0, &FAR.1)
    };
    if q < 0.0 { -x } else { x }
}

/// Numerator and denominator, lowest power first.
type Rational = ([f64; 8], [f64; 8]);

const CENTRE: Rational = (
    [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
);
const MIDDLE: Rational = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);
const FAR: Rational = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[inline]
fn horner(x: f64, coefficients: &[f64; 8]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn known_quantiles() {
        assert_eq!(normal_quantile(0.5), 0.0);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-15);
        assert!((normal_quantile(1e-3) + 3.090_232_306_167_813_5).abs() < 1e-14);
        assert!((normal_quantile(1e-20) + 9.262_340_089_798_408).abs() < 1e-13);
        for p in [0.0, 1.0, -0.1, 1.1, f64::NAN] {
            assert!(normal_quantile(p).is_nan());
        }
    }

    proptest! {
        #[test]
        fn quantile_inverts_the_tail(x in 0.0..9.0f64) {
            let p = normal_tail(x);
            prop_assert!((normal_quantile(p) + x).abs() < 1e-12 * x.max(1.0));
        }
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let n = 400_000;
        let (mut normal, mut square, mut wait) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = standard_normal(&mut rng);
            normal += z;
            square += z * z;
            wait += exponential(&mut rng);
        }
        let n = f64::from(n);
        // Five standard errors of each mean: 1, sqrt(2) and 1 over sqrt(n).
        assert!((normal / n).abs() < 5.0 / n.sqrt());
        assert!((square / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((wait / n - 1.0).abs() < 5.0 / n.sqrt());
    }

    #[test]
    fn draws_keep_their_bits() {
        // Pinned: a change here changes every seeded market.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
        let bits = [
            open_unit(&mut rng).to_bits(),
            exponential(&mut rng).to_bits(),
            standard_normal(&mut rng).to_bits(),
        ];
        assert_eq!(bits, [4_605_509_828_241_559_245, 4_602_089_237_934_256_364, 4_612_005_265_344_876_405]);
    }
}

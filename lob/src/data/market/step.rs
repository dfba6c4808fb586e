//! Tick and lot sizes, and decimal numbers in units of them. No floats: what is not a whole number of steps is an error.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const POWERS: [u64; 20] = {
    let mut powers = [1_u64; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Why a text is no number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberError {
    /// No digits, or something else than digits, one point and a sign.
    #[error("is no decimal number")]
    NotDecimal,
    /// More than 18 digits, or more steps than 63 bits hold.
    #[error("has too many digits")]
    TooLarge,
    /// Between two steps.
    #[error("is no whole number of steps")]
    OffGrid,
    /// Below zero where only sizes are legal.
    #[error("is negative")]
    Negative,
}

/// A tick or lot size: `mantissa` x 10^`exponent`, in the currency or unit of the instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    mantissa: u64,
    exponent: i32,
}

impl Step {
    /// One.
    pub const ONE: Self = Self { mantissa: 1, exponent: 0 };

    /// `mantissa` x 10^`exponent`; `None` if the mantissa is 0 or the exponent is not within -18 to 18.
    pub const fn new(mut mantissa: u64, mut exponent: i32) -> Option<Self> {
        if mantissa == 0 {
            return None;
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        if exponent < -18 || exponent > 18 { None } else { Some(Self { mantissa, exponent }) }
    }

    /// 10^`exponent`, for exponents within -18 to 18.
    pub const fn power_of_ten(exponent: i32) -> Self {
        assert!(exponent >= -18 && exponent <= 18, "a step has an exponent from -18 to 18");
        Self { mantissa: 1, exponent }
    }

    /// As a float, correctly rounded.
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// `count` steps as a float: the float nearest to the exact product.
    pub fn value(self, count: i64) -> f64 {
        if self.exponent >= 0 {
            return count as f64 * (self.mantissa as f64 * POWERS[self.exponent as usize] as f64);
        }
        // A quotient of two exact floats is correctly rounded; beyond 2^53 the product itself is rounded first.
        let power = POWERS[self.exponent.unsigned_abs() as usize] as f64;
        (i128::from(count) * i128::from(self.mantissa)) as f64 / power
    }

    /// The whole number of steps nearest to `value`; `None` if there is none within a millionth of a step and 2^53 steps.
    pub fn count(self, value: f64) -> Option<i64> {
        let power = POWERS[self.exponent.unsigned_abs() as usize] as f64;
        let steps = if self.exponent < 0 { value * power } else { value / power } / self.mantissa as f64;
        let count = steps.round();
        ((steps - count).abs() <= 1e-6 && count.abs() <= (1_i64 << 53) as f64).then_some(count as i64)
    }

    /// A decimal text as a number of steps.
    ///
    /// # Errors
    /// If it is no decimal number, of more than 18 digits, or not a whole number of steps.
    #[inline]
    pub fn parse(self, text: &[u8]) -> Result<i64, NumberError> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let steps = self.parse_unsigned(text)?;
        let steps = i64::try_from(steps).map_err(|_| NumberError::TooLarge)?;
        Ok(if negative { -steps } else { steps })
    }

    /// A size: as [`parse`](Self::parse), but never negative.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`NumberError::Negative`].
    #[inline]
    pub fn parse_size(self, text: &[u8]) -> Result<u64, NumberError> {
        let steps = self.parse(text)?;
        u64::try_from(steps).map_err(|_| NumberError::Negative)
    }

    #[inline]
    fn parse_unsigned(self, text: &[u8]) -> Result<u64, NumberError> {
        let (steps, length) = self.scan(text)?;
        if length == text.len() { Ok(steps) } else { Err(NumberError::NotDecimal) }
    }

    /// Reads an unsigned decimal number at the beginning of `text`, up to the first byte that is neither digit nor point: the number in
    /// steps, and its length. Zeros behind the step's last decimal are passed over, so that usual texts need no division.
    #[inline(always)]
    pub(super) fn scan(self, text: &[u8]) -> Result<(u64, usize), NumberError> {
        let mut value = 0_u64;
        let mut at = 0;
        // Eighteen digits always fit, and leave room for a point.
        let mut room = 18;
        while let Some(digit) = digit_at(text, at) {
            if room == 0 {
                return Err(NumberError::TooLarge);
            }
            // Leading zeros take no room.
            room -= u32::from(value | digit != 0);
            value = value * 10 + digit;
            at += 1;
        }
        let whole = at;
        let mut decimals = 0;
        let wanted = -self.exponent;
        if text.get(at) == Some(&b'.') {
            at += 1;
            while decimals < wanted
                && let Some(digit) = digit_at(text, at)
            {
                if room == 0 {
                    return Err(NumberError::TooLarge);
                }
                room -= u32::from(value | digit != 0);
                value = value * 10 + digit;
                decimals += 1;
                at += 1;
            }
            let first = at;
            while let Some(digit) = digit_at(text, at) {
                if digit != 0 {
                    return Err(NumberError::OffGrid);
                }
                at += 1;
            }
            if whole == 0 && decimals == 0 && at == first {
                return Err(NumberError::NotDecimal);
            }
        } else if at == 0 {
            return Err(NumberError::NotDecimal);
        }
        let missing = wanted - decimals;
        if missing > 0 {
            let factor = POWERS.get(missing as usize).ok_or(NumberError::TooLarge)?;
            value = value.checked_mul(*factor).ok_or(NumberError::TooLarge)?;
        } else if missing < 0 {
            let factor = POWERS.get(missing.unsigned_abs() as usize).ok_or(NumberError::OffGrid)?;
            if !value.is_multiple_of(*factor) {
                return Err(NumberError::OffGrid);
            }
            value /= factor;
        }
        if self.mantissa != 1 {
            if !value.is_multiple_of(self.mantissa) {
                return Err(NumberError::OffGrid);
            }
            value /= self.mantissa;
        }
        Ok((value, at))
    }
}

#[inline(always)]
fn digit_at(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// Digits without the point, and how many of them follow it.
#[inline]
fn digits(text: &[u8]) -> Result<(u64, usize), NumberError> {
    let mut value = 0_u64;
    let mut point = None;
    for (index, &byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            if byte != b'.' || point.is_some() {
                return Err(NumberError::NotDecimal);
            }
            point = Some(index);
            continue;
        }
        // Nineteen digits always fit; more may.
        value = if index < 19 {
            value * 10 + u64::from(digit)
        } else {
            let shifted = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit)));
            shifted.ok_or(NumberError::TooLarge)?
        };
    }
    let decimals = point.map_or(0, |point| text.len() - point - 1);
    if text.len() == usize::from(point.is_some()) {
        Err(NumberError::NotDecimal)
    } else {
        Ok((value, decimals))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.to_string();
        if self.exponent >= 0 {
            return write!(f, "{digits}{}", "0".repeat(self.exponent as usize));
        }
        let decimals = self.exponent.unsigned_abs() as usize;
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        write!(f, "{whole}.{fraction}")
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let step = digits(text.as_bytes()).ok().filter(|&(_, decimals)| decimals <= 40);
        let step = step.and_then(|(digits, decimals)| Self::new(digits, -(decimals as i32)));
        step.ok_or_else(|| "legal: a decimal number > 0 such as 0.01, with at most 18 decimals".to_owned())
    }
}

/// Finds the step that a sample of numbers is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepGuess {
    /// Greatest common divisor, in units of 10^-18.
    divisor: u128,
    count: u64,
}

impl StepGuess {
    /// Takes a decimal text into account; what is no positive number is passed over.
    pub fn see(&mut self, text: &[u8]) {
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let Ok((digits, decimals @ 0..=18)) = digits(text) else { return };
        let value = u128::from(digits) * u128::from(POWERS[18 - decimals]);
        if value > 0 {
            self.count += 1;
            self.divisor = gcd(self.divisor, value);
        }
    }

    /// How many numbers it is made of.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest 1, 2, 2.5 or 5 x 10^n that divides all numbers seen; `None` before the first.
    pub fn tick(&self) -> Option<Step> {
        self.largest(&[(5, 0), (25, -1), (2, 0), (1, 0)])
    }

    /// The largest 10^n that divides all numbers seen; `None` before the first.
    pub fn lot(&self) -> Option<Step> {
        self.largest(&[(1, 0)])
    }

    fn largest(&self, shapes: &[(u64, i32)]) -> Option<Step> {
        if self.count == 0 {
            return None;
        }
        for exponent in (-18..=18).rev() {
            for &(mantissa, shift) in shapes {
                let power = exponent + shift + 18;
                let Ok(power) = u32::try_from(power) else { continue };
                if self.divisor.is_multiple_of(u128::from(mantissa) * 10_u128.pow(power)) {
                    return Step::new(mantissa, exponent + shift);
                }
            }
        }
        None
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_become_steps_exactly() {
        assert_eq!(step("0.01").parse(b"61837.63000000"), Ok(6_183_763));
        assert_eq!(step("0.00001").parse(b"3.78826000"), Ok(378_826));
        assert_eq!(step("0.25").parse(b"4500.75"), Ok(18_003));
        assert_eq!(step("0.01").parse(b"5"), Ok(500));
        assert_eq!(step("100").parse(b"1200"), Ok(12));
        assert_eq!(step("0.01").parse(b"-3.5"), Ok(-350));
        assert_eq!(step("0.000000000000000001").parse(b"0"), Ok(0));
        assert_eq!(step("0.01").parse(b"0.00000000000000000000000000"), Ok(0));
        assert_eq!(step("0.01").parse(b"000000000000000000000000.5"), Ok(50));
        assert_eq!(step("1").parse(b"999999999999999999."), Ok(999_999_999_999_999_999));
        assert_eq!(step("0.01").parse(b".5"), Ok(50));
    }

    #[test]
    fn what_is_no_number_of_steps_is_refused() {
        use NumberError::*;
        for (text, error) in [
            (&b""[..], NotDecimal),
            (b".", NotDecimal),
            (b"-", NotDecimal),
            (b"NaN", NotDecimal),
            (b"1e5", NotDecimal),
            (b"1.2.3", NotDecimal),
            (b"+1", NotDecimal),
            (b"0.001", OffGrid),
            (b"0.0000000000000000000000000001", OffGrid),
            (b"99999999999999999999999", TooLarge),
            (b"92233720368547758.08", TooLarge),
            (b"18446744073709551615", TooLarge),
            (b"1000000000000000000", TooLarge),
        ] {
            assert_eq!(step("0.01").parse(text), Err(error), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(step("0.01").parse_size(b"-0.01"), Err(Negative));
        assert_eq!(step("0.25").parse(b"0.30"), Err(OffGrid));
    }

    #[test]
    fn steps_print_as_they_are_written() {
        for text in ["0.01", "0.25", "1", "100", "0.00000001", "2.5", "12.5"] {
            assert_eq!(step(text).to_string(), text);
        }
        for text in ["0", "0.0", "", "-1", "x", "0.0000000000000000001"] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
        assert_eq!(step("0.01").value(6_183_763), 61837.63);
        assert_eq!(step("0.01").to_f64(), 0.01);
        assert_eq!(step("50").value(3), 150.0);
    }

    #[test]
    fn values_count_back_to_their_steps() {
        let tick = step("0.01");
        for count in [0, 1, 7, 6_183_763, 123_456_789] {
            assert_eq!(tick.count(tick.value(count)), Some(count));
        }
        for value in [f64::NAN, f64::INFINITY, 0.005, 1e300] {
            assert_eq!(tick.count(value), None, "{value}");
        }
    }

    #[test]
    fn steps_are_inferred_from_samples() {
        let guess = |texts: &[&str]| {
            let mut guess = StepGuess::default();
            texts.iter().for_each(|text| guess.see(text.as_bytes()));
            guess
        };
        assert_eq!(guess(&["100.25", "100.50"]).tick(), Some(step("0.25")));
        assert_eq!(guess(&["61800.20000000", "61800.30000000"]).tick(), Some(step("0.1")));
        assert_eq!(guess(&["0.00300", "0.00600"]).tick(), Some(step("0.001")));
        assert_eq!(guess(&["5", "15"]).lot(), Some(step("1")));
        assert_eq!(guess(&["0", "x"]).tick(), None);
    }
}

//! Stamps of bars: numbers, or dates and times of ISO 8601.

use std::fmt;

/// When a bar was. Stamps of one kind have an order.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Stamp {
    /// A finite number of whatever the file counts.
    Number(f64),
    /// Nanoseconds since 1970-01-01 UTC.
    Time(i128),
}

impl Stamp {
    /// Reads `1700000000`, `3.5`, `2024-02-29`, `2024-02-29 16:00`, `2024-02-29T16:00:00.25Z` or `...+01:00`.
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<f64>() {
            return number.is_finite().then_some(Self::Number(number));
        }
        time(text).map(Self::Time)
    }

    /// Whether both are numbers, or both times.
    pub fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Number(_), Self::Number(_)) | (Self::Time(_), Self::Time(_)))
    }
}

/// As [`Stamp::read`] reads it: a number, or a date, with the time of day (UTC) where that is not midnight.
impl fmt::Display for Stamp {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = match self {
            Self::Number(number) => return number.fmt(to),
            Self::Time(nanos) => nanos,
        };
        let (days, nanos) = (nanos.div_euclid(DAY_NANOS), nanos.rem_euclid(DAY_NANOS));
        let (year, month, day) = date_of(days);
        write!(to, "{year:04}-{month:02}-{day:02}")?;
        if nanos > 0 {
            let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            write!(to, "T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
            if fraction > 0 {
                write!(to, ".{}", format!("{fraction:09}").trim_end_matches('0'))?;
            }
            write!(to, "Z")?;
        }
        Ok(())
    }
}

const DAY_NANOS: i128 = 86_400_000_000_000;

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn time(text: &str) -> Option<i128> {
    if !text.is_ascii() || text.len() < 10 {
        return None;
    }
    let (date, clock) = text.split_at(10);
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    let midnight = i128::from(days_since_1970(year, month, day)) * DAY_NANOS;
    if clock.is_empty() {
        return Some(midnight);
    }
    let clock = clock.strip_prefix(['T', ' '])?;
    let (clock, offset_minutes) = match clock.find(['Z', '+', '-']) {
        None => (clock, 0),
        Some(at) if &clock[at..] == "Z" => (&clock[..at], 0),
        Some(at) => {
            let (hours, minutes) = clock[at + 1..].split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            let size = hours * 60 + minutes;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (&clock[..at], if clock[at..].starts_with('-') { -size } else { size })
        }
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            if fraction.len() > 9 {
                return None;
            }
            let scale = 10_i64.pow(9 - fraction.len() as u32);
            (digits(whole, 2)?, digits(fraction, fraction.len())? * scale)
        }
    };
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let whole = i128::from((hours * 60 + minutes - offset_minutes) * 60 + seconds);
    Some(midnight + whole * 1_000_000_000 + i128::from(fraction))
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of the Gregorian calendar, counted in eras of 400 years from 1 March 0000.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_since_1970`].
fn date_of(days: i128) -> (i128, i128, i128) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i128::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    #[test]
    fn known_times() {
        let seconds = |text| match Stamp::read(text).unwrap() {
            Stamp::Time(nanos) => nanos as f64 / 1e9,
            Stamp::Number(_) => panic!("{text} is no number"),
        };
        assert_eq!(seconds("1970-01-01"), 0.0);
        assert_eq!(seconds("2000-03-01"), 951_868_800.0);
        assert_eq!(seconds("2024-02-29T23:59:59.5Z"), 1_709_251_199.5);
        assert_eq!(seconds("2024-02-29 23:59"), 1_709_251_140.0);
        assert_eq!(seconds("2024-03-01T00:30:00+01:00"), 1_709_249_400.0);
        assert_eq!(seconds("1969-12-31"), -86_400.0);
        assert_eq!(Stamp::read("-3.5"), Some(Stamp::Number(-3.5)));
    }

    #[test]
    fn stamps_are_written_as_they_are_read() {
        for text in
            ["2024-02-29", "1969-12-31", "2000-03-01", "0001-01-01", "2024-12-31T23:59:59.25Z", "3.5", "-7"]
        {
            assert_eq!(Stamp::read(text).unwrap().to_string(), text);
        }
        for day in -800_000..800_000 {
            let (year, month, of_month) = date_of(day);
            assert_eq!(i128::from(days_since_1970(year as i64, month as i64, of_month as i64)), day);
        }
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        for text in [
            "",
            "NaN",
            "inf",
            "2023-02-29",
            "2024-13-01",
            "2024-1-01",
            "2024-01-01T24:00",
            "20240101T1",
            "x",
            "2024-01-01T10:00:00.1234567890",
            "2024-01-01Tx",
            "2024-01-01T10:00+1",
            "2024-01-01é",
        ] {
            assert_eq!(Stamp::read(text), None, "{text}");
        }
    }
}

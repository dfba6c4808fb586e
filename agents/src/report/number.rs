//! Numbers as text.

/// What stands for a number that is not finite.
pub(crate) const MISSING: &str = "\u{2013}";

/// A number with `decimals`, with a true minus sign; never "-0".
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_finite() { plain(value, decimals).replace('-', "\u{2212}") } else { MISSING.to_owned() }
}

/// The same with a plus sign if positive.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    if value > 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        format!("+{text}")
    } else {
        text
    }
}

/// The same in ASCII.
pub(crate) fn plain(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// Decimals that show two digits of the greatest standard error: at least two, at most four.
pub(crate) fn decimals(standard_errors: impl Iterator<Item = f64>) -> usize {
    let greatest = standard_errors.filter(|error| error.is_finite()).fold(0.0, f64::max);
    if greatest > 0.0 { (1.0 - greatest.log10().floor()).clamp(2.0, 4.0) as usize } else { 3 }
}

/// A whole number in groups of three digits.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cents as money, the whole part in groups of three digits.
pub(crate) fn grouped_money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", grouped(cents.unsigned_abs() / 100), cents.unsigned_abs() % 100)
}

/// A text cut to `width` characters, for a label.
fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['\u{2026}']).collect()
}

/// A strategy's name of at most `width` characters: of a policy, whose name is a path, the end, where runs differ; of another the beginning.
pub(crate) fn short_name(name: &str, width: usize) -> String {
    let length = name.chars().count();
    match name.split_once("policy:") {
        Some((before, path)) if length > width => {
            let room = width.saturating_sub(before.chars().count());
            let length = path.chars().count();
            if length <= room {
                return format!("{before}{path}");
            }
            let end: String = path.chars().skip(length - room.saturating_sub(1)).collect();
            format!("{before}\u{2026}{end}")
        }
        _ => clipped(name, width),
    }
}

/// The position of the greatest of the finite numbers, the first of equals.
pub(crate) fn best(values: impl Iterator<Item = f64>) -> Option<usize> {
    let finite = values.enumerate().filter(|(_, value)| value.is_finite());
    finite.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_negative_zero_and_nothing_not_finite() {
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(fixed(-0.0006, 3), "\u{2212}0.001");
        assert_eq!(signed(0.25, 1), "+0.2");
        assert_eq!(signed(0.0004, 3), "0.000");
        assert_eq!(plain(f64::NAN, 2), "-");
        assert_eq!(fixed(f64::INFINITY, 2), MISSING);
    }

    #[test]
    fn two_digits_of_the_greatest_standard_error() {
        assert_eq!(decimals([0.031, 0.002].into_iter()), 3);
        assert_eq!(decimals([0.9].into_iter()), 2);
        assert_eq!(decimals([1e-9, 0.0].into_iter()), 4);
        assert_eq!(decimals([0.0, f64::NAN].into_iter()), 3);
    }

    #[test]
    fn groups_clips_and_picks() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
        assert_eq!(clipped("twap-schedule", 8), "twap-sc\u{2026}");
        assert_eq!(short_name("twap-schedule", 8), "twap-sc\u{2026}");
        assert_eq!(short_name("policy:runs/a", 16), "policy:runs/a");
        assert_eq!(short_name("policy:runs/abc", 8), "runs/abc");
        assert_eq!(short_name("2 policy:runs/normal_noise_20", 12), "2 \u{2026}_noise_20");
        assert_eq!(best([f64::NAN, -2.0, -1.0, -1.0].into_iter()), Some(2));
        assert_eq!(best([f64::NAN].into_iter()), None);
    }
}

//! What indicators take and give, and which numbers are legal.

use lob::ParameterError;
use lob::parameter::Validity;

/// Numbers up to this are legal, either way: far beyond any market, and their squares and sums stay finite.
pub const LARGEST: f64 = 1e100;

/// Prices whose logarithm is taken are at least this, so that a ratio of two stays finite.
pub const SMALLEST_PRICE: f64 = 1e-100;

/// What an indicator takes in a tick.
pub trait Input: Copy {
    /// The numbers it consists of, in order.
    const NAMES: &'static [&'static str];

    /// From as many numbers as there are names.
    fn read(numbers: &[f64]) -> Self;
}

/// What an indicator gives in a tick: one number or several, all NaN while it warms up.
pub trait Output: Copy {
    /// The numbers it consists of, in order.
    const NAMES: &'static [&'static str];

    /// Into as many numbers as there are names.
    fn write(self, numbers: &mut [f64]);
}

impl Input for f64 {
    const NAMES: &'static [&'static str] = &["close"];

    fn read(numbers: &[f64]) -> Self {
        numbers[0]
    }
}

impl Output for f64 {
    const NAMES: &'static [&'static str] = &["value"];

    fn write(self, numbers: &mut [f64]) {
        numbers[0] = self;
    }
}

macro_rules! numbers {
    (input $(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident,)* }) => {
        numbers!(@struct $(#[$meta])* $name { $($(#[$field_meta])* $field,)* });

        impl Input for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read(numbers: &[f64]) -> Self {
                let mut numbers = numbers.iter().copied();
                $(let $field = numbers.next().expect("as many numbers as names");)*
                Self { $($field),* }
            }
        }
    };
    (output $(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident,)* }) => {
        numbers!(@struct $(#[$meta])* $name { $($(#[$field_meta])* $field,)* });

        impl Output for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn write(self, numbers: &mut [f64]) {
                numbers.copy_from_slice(&[$(self.$field),*]);
            }
        }

        impl $name {
            pub(super) const WARMING_UP: Self = Self { $($field: f64::NAN),* };
        }
    };
    (@struct $(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: f64,)* }
    };
}

numbers! { input
    /// A bar, as far as its range goes; money.
    Bar {
        /// Highest price.
        high,
        /// Lowest price, at most `high`.
        low,
        /// Last price.
        close,
    }
}

numbers! { input
    /// What was traded in a tick.
    Trade {
        /// Price, money a unit: of a trade, or the typical one of a bar.
        price,
        /// Units traded, 0 or more.
        volume,
        /// Any number that changes when a new session begins, such as the day.
        session,
    }
}

numbers! { input
    /// The best prices and what rests there.
    Quote {
        /// Best bid, money a unit.
        bid_price,
        /// Units there.
        bid_size,
        /// Best ask, money a unit.
        ask_price,
        /// Units there.
        ask_size,
    }
}

numbers! { output
    /// What [`Macd`](super::Macd) gives, in money.
    MacdLines {
        /// Fast average less slow average.
        line,
        /// Average of `line`.
        signal,
        /// `line` less `signal`.
        histogram,
    }
}

numbers! { output
    /// What [`Bollinger`](super::Bollinger) gives, in money.
    Bands {
        /// Mean plus so many deviations.
        upper,
        /// Mean.
        middle,
        /// Mean less so many deviations.
        lower,
    }
}

/// Any number of a sensible size.
pub(super) fn number(key: &str, value: f64) -> Validity {
    within(key, value, value.abs() <= LARGEST, "a number from -1e100 to 1e100")
}

/// A price whose logarithm is taken.
pub(super) fn positive_price(key: &str, value: f64) -> Validity {
    within(key, value, (SMALLEST_PRICE..=LARGEST).contains(&value), "a number from 1e-100 to 1e100")
}

/// A size or volume. Below the smallest, a product with a price could vanish.
pub(super) fn amount(key: &str, value: f64) -> Validity {
    let legal = value == 0.0 || (SMALLEST_PRICE..=LARGEST).contains(&value);
    within(key, value, legal, "0, or a number from 1e-100 to 1e100")
}

// Comparisons with NaN are false.
fn within(key: &str, value: f64, is_legal: bool, legal: &str) -> Validity {
    if is_legal { Ok(()) } else { Err(ParameterError::new(key, value, legal)) }
}

//! The units everything is measured in: ticks, lots, nanoseconds, and the names of orders and owners.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A price in integer ticks. Any `i64` is a legal value; a book narrows it by
/// [`BookConfig::min_price`](crate::BookConfig::min_price) and `max_price`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Price(pub i64);

/// A quantity in integer lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Quantity(pub u64);

impl Quantity {
    /// No lots at all.
    pub const ZERO: Self = Self(0);

    /// True if there is nothing here.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// A point in time, in nanoseconds since an epoch that the caller chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Nanos(pub u64);

/// Who an order belongs to. Owners are small consecutive numbers chosen by the caller; the book keeps one
/// table entry for each number up to the largest it has seen (see [`BookConfig::max_owners`](crate::BookConfig)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Owner(pub u32);

/// The side of an order, or of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Side {
    /// Bids: the highest price has priority.
    Buy = 0,
    /// Asks: the lowest price has priority.
    Sell = 1,
}

impl Side {
    /// Both sides, bids first.
    pub const BOTH: [Self; 2] = [Self::Buy, Self::Sell];

    /// The side an order of this side trades against.
    #[inline]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// 0 for bids, 1 for asks: the index into arrays that hold one entry a side.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl TryFrom<u8> for Side {
    type Error = u8;

    /// 0 is [`Side::Buy`], 1 is [`Side::Sell`]; any other code is handed back.
    fn try_from(code: u8) -> Result<Self, u8> {
        match code {
            0 => Ok(Self::Buy),
            1 => Ok(Self::Sell),
            other => Err(other),
        }
    }
}

/// The engine's name for one order: a slot in its arena and that slot's generation.
///
/// A slot is used again after its order has gone, each time with the next generation, so a handle that was kept
/// too long is refused and never reaches another order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
// One word rather than two fields: stored in two halves and read back whole, it would miss the store buffer's forwarding, which
// costs a dozen cycles a message.
pub struct Handle(u64);

impl Handle {
    #[inline]
    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self(((generation as u64) << 32) | slot as u64)
    }

    #[inline]
    pub(crate) const fn slot_number(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The handle as one number: generation in the upper 32 bits, slot in the lower.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The handle that [`to_bits`](Self::to_bits) made this number from. Any number is safe: one that names no live order
    /// is refused by the book as unknown.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The slot alone: an index for tables that run parallel to the engine's arena. Slots are small and consecutive.
    #[inline]
    pub const fn slot(self) -> usize {
        self.slot_number() as usize
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}.{})", self.slot_number(), self.generation())
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot_number(), self.generation())
    }
}

macro_rules! display_number {
    ($($name:ident $unit:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}", $unit), self.0)
            }
        }
    )*};
}
display_number!(Price " ticks", Quantity " lots", Nanos " ns", Owner "");

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handle_survives_the_round_trip_through_bits() {
        let handle = Handle::new(7, u32::MAX);
        assert_eq!(Handle::from_bits(handle.to_bits()), handle);
        assert_eq!(handle.to_string(), "7.4294967295");
    }

    #[test]
    fn side_codes_are_parsed_and_others_handed_back() {
        assert_eq!(Side::try_from(0), Ok(Side::Buy));
        assert_eq!(Side::try_from(1), Ok(Side::Sell));
        assert_eq!(Side::try_from(9), Err(9));
    }
}

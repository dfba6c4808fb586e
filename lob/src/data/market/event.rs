//! The one event that every reader produces.

use crate::{Nanos, Price, Quantity, Side};

/// What happened. The names are those of feeds; the lower-case names of [`Kind::name`] are used in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The order `id` rests with `quantity` lots at `price`, behind all others there.
    Add = 0,
    /// `quantity` lots of the order `id` are withdrawn; it keeps its place.
    Reduce = 1,
    /// The order `id` now has `quantity` lots at `price`. It keeps its place unless the price differs or the quantity has grown.
    /// With a `side`, an order that is not known is added.
    Modify = 2,
    /// The order `id` is gone without trading. `quantity`: what the feed says was left of it, 0 where it does not say.
    Delete = 3,
    /// `quantity` lots of the resting order `id` traded at `price`; `side` is the resting order's. `reference`: the trade's number, if any.
    Execute = 4,
    /// A trade that names no resting order, or one whose effect on the book comes as other events; `side` is the aggressor's, if known.
    /// Changes no book. `id`: the trade's number, 0 if it has none.
    Trade = 5,
    /// All lots at `price` on `side` are now `quantity`; 0 empties the level. `id`: the feed's update number, 0 if it has none.
    Level = 6,
    /// The best price on `side` is `price` with `quantity` lots, as the feed says; changes no book. `id`: the feed's update number.
    Best = 7,
    /// The book is empty, and what follows up to [`Kind::SnapshotEnd`] is all that is in it.
    SnapshotBegin = 8,
    /// The snapshot is complete: the book is in step with the feed again. `id`: the update number it stands for.
    SnapshotEnd = 9,
    /// The book is emptied; only `side`, if there is one; only its levels down to `price`, if [`MarketEvent::BOUNDED`] is set.
    Clear = 10,
    /// Messages are missing: from here to the next [`Kind::SnapshotEnd`] the book is stale.
    Gap = 11,
    /// The feed says something about the order or update `id` that changes nothing.
    Unchanged = 12,
    /// The order `reference` is replaced by the order `id` of `quantity` lots at `price`, behind all others there. `side` may be `None`: the
    /// replaced order's.
    Replace = 13,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Add,
        Self::Reduce,
        Self::Modify,
        Self::Delete,
        Self::Execute,
        Self::Trade,
        Self::Level,
        Self::Best,
        Self::SnapshotBegin,
        Self::SnapshotEnd,
        Self::Clear,
        Self::Gap,
        Self::Unchanged,
        Self::Replace,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Reduce => "reduce",
            Self::Modify => "modify",
            Self::Delete => "delete",
            Self::Execute => "execute",
            Self::Trade => "trade",
            Self::Level => "level",
            Self::Best => "best",
            Self::SnapshotBegin => "snapshot_begin",
            Self::SnapshotEnd => "snapshot_end",
            Self::Clear => "clear",
            Self::Gap => "gap",
            Self::Unchanged => "unchanged",
            Self::Replace => "replace",
        }
    }
}

/// One event of a market, 56 bytes. Fields that a kind does not name are 0 or `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarketEvent {
    /// When it happened at the exchange, in nanoseconds since the Unix epoch (or since midnight, where the format has no date).
    pub exchange_time: Nanos,
    /// When it was received, on the same scale; equal to `exchange_time` where the format has one stamp only.
    pub local_time: Nanos,
    /// In ticks of the instrument.
    pub price: Price,
    /// In lots of the instrument.
    pub quantity: Quantity,
    /// The order's number (L3), the update's (L2) or the trade's.
    pub id: u64,
    /// Another number that the event names: see its kind.
    pub reference: u64,
    /// Index into [`MarketReader::instruments`](super::MarketReader::instruments).
    pub instrument: u16,
    /// What happened.
    pub kind: Kind,
    /// On which side.
    pub side: Option<Side>,
    /// [`LAST`](Self::LAST), [`SNAPSHOT`](Self::SNAPSHOT), [`BOUNDED`](Self::BOUNDED), [`UNPRICED`](Self::UNPRICED), [`HIDDEN`](Self::HIDDEN).
    pub flags: u8,
}

impl MarketEvent {
    /// The last event of a message: the book is not meant to be looked at before it.
    pub const LAST: u8 = 1;
    /// Part of a snapshot.
    pub const SNAPSHOT: u8 = 2;
    /// Of a [`Kind::Clear`]: only levels at least as good as `price`.
    pub const BOUNDED: u8 = 4;
    /// The feed gives neither price nor side: they are those of the order `id`.
    pub const UNPRICED: u8 = 8;
    /// Of a [`Kind::Trade`]: with an order that the feed never showed, so that nothing else tells of it.
    pub const HIDDEN: u8 = 16;

    /// An event of the first instrument without price, quantity, number, side or flags.
    pub const fn new(kind: Kind, exchange_time: Nanos, local_time: Nanos) -> Self {
        Self {
            exchange_time,
            local_time,
            price: Price(0),
            quantity: Quantity(0),
            id: 0,
            reference: 0,
            instrument: 0,
            kind,
            side: None,
            flags: 0,
        }
    }

    /// True if all of `flags` are set.
    #[inline]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stay_compact_and_kinds_are_numbered_in_order() {
        assert_eq!(size_of::<MarketEvent>(), 56);
        for (number, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, number);
        }
    }
}

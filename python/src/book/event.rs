//! What a book reports, as rows of an array.

use lob::{
    CancelReason, Contradiction, Event, ExternalBook, ExternalError, Handle, Owner, Price, RejectReason, Side,
};

use super::message::Operation;
use crate::record::record;

/// The names of the kinds of events, by their codes.
pub(crate) const EVENT_KINDS: [&str; 8] = agents::simulate::EVENT_KINDS;

/// Why lots left the book or a request was refused, by code.
pub(crate) const REASONS: [(u8, &str); 25] = [
    (0, "none"),
    (1, "requested"),
    (2, "immediate_or_cancel"),
    (3, "no_liquidity"),
    (4, "fill_or_kill"),
    (5, "post_only"),
    (6, "self_trade"),
    (16, "zero_quantity"),
    (17, "zero_display"),
    (18, "price_out_of_limits"),
    (19, "owner_out_of_range"),
    (20, "unknown_order"),
    (21, "would_cross"),
    (22, "cannot_fill"),
    (23, "already_expired"),
    (24, "nothing_to_amend"),
    (25, "not_amendable"),
    (26, "post_only_without_limit"),
    (27, "post_only_immediate"),
    (28, "display_without_rest"),
    (29, "market_good_till"),
    (30, "quantity_overflow"),
    (31, "book_full"),
    (32, "clock_backwards"),
    (33, "duplicate_id"),
];

const UNKNOWN_ORDER: u8 = 20;
const DUPLICATE_ID: u8 = 33;
/// Code of a side that an event does not tell.
pub(crate) const NO_SIDE: u8 = 2;
/// Flag: the amended order kept its place in the queue.
pub(crate) const KEPT_PRIORITY: u8 = 1;
/// Flag: `price` says something.
pub(crate) const HAS_PRICE: u8 = 2;
/// Flag: `owner` says something.
pub(crate) const HAS_OWNER: u8 = 4;

/// Code of a reason to cancel.
pub(crate) const fn cancel_code(reason: CancelReason) -> u8 {
    match reason {
        CancelReason::Requested => 1,
        CancelReason::ImmediateOrCancel => 2,
        CancelReason::NoLiquidity => 3,
        CancelReason::FillOrKill => 4,
        CancelReason::PostOnly => 5,
        CancelReason::SelfTrade => 6,
    }
}

/// Code of a reason to refuse.
pub(crate) const fn reject_code(reason: RejectReason) -> u8 {
    match reason {
        RejectReason::ZeroQuantity => 16,
        RejectReason::ZeroDisplay => 17,
        RejectReason::PriceOutOfLimits(_) => 18,
        RejectReason::OwnerOutOfRange(_) => 19,
        RejectReason::UnknownHandle(_) => UNKNOWN_ORDER,
        RejectReason::WouldCross => 21,
        RejectReason::CannotFill => 22,
        RejectReason::AlreadyExpired(_) => 23,
        RejectReason::NothingToAmend => 24,
        RejectReason::NotAmendable => 25,
        RejectReason::Contradiction(Contradiction::PostOnlyWithoutLimit) => 26,
        RejectReason::Contradiction(Contradiction::PostOnlyImmediate) => 27,
        RejectReason::Contradiction(Contradiction::DisplayWithoutRest) => 28,
        RejectReason::Contradiction(Contradiction::MarketGoodTill) => 29,
        RejectReason::QuantityOverflow => 30,
        RejectReason::BookFull => 31,
        RejectReason::ClockBackwards(_) => 32,
    }
}

record! {
    /// One event of a book, 56 bytes: `lobgym.EVENT_DTYPE`.
    EventRow {
        kind: u8 = "u1",
        side: u8 = "u1",
        reason: u8 = "u1",
        flags: u8 = "u1",
        owner: u32 = "u4",
        id: u64 = "u8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        left: u64 = "u8",
        maker_id: u64 = "u8",
        maker_owner: u32 = "u4",
        message: u32 = "u4",
    }
}

impl EventRow {
    /// The row of an event; `name` gives the name of an order.
    #[inline]
    pub(crate) fn new(event: &Event, name: impl Fn(Handle) -> u64) -> Self {
        let row = |kind, handle, owner: Owner| Self {
            kind,
            side: NO_SIDE,
            flags: HAS_OWNER,
            owner: owner.0,
            id: name(handle),
            ..Self::default()
        };
        let priced = |price: Option<Price>| price.map_or((0, 0), |price| (price.0, HAS_PRICE));
        match *event {
            Event::Accepted { handle, owner, side, price, quantity } => {
                let (price, flag) = priced(price);
                let row = row(0, handle, owner);
                Self { side: side as u8, price, quantity: quantity.0, flags: row.flags | flag, ..row }
            }
            Event::Rejected { owner, reason } => Self {
                kind: 1,
                side: NO_SIDE,
                reason: reject_code(reason),
                flags: if owner.is_some() { HAS_OWNER } else { 0 },
                owner: owner.map_or(0, |owner| owner.0),
                ..Self::default()
            },
            Event::Trade {
                maker,
                taker,
                maker_owner,
                taker_owner,
                price,
                quantity,
                maker_left,
                aggressor,
            } => Self {
                kind: 2,
                side: aggressor as u8,
                reason: 0,
                flags: HAS_OWNER | HAS_PRICE,
                owner: taker_owner.0,
                id: name(taker),
                price: price.0,
                quantity: quantity.0,
                left: maker_left.0,
                maker_id: name(maker),
                maker_owner: maker_owner.0,
                message: 0,
            },
            Event::Cancelled { handle, owner, quantity, left, reason } => Self {
                quantity: quantity.0,
                left: left.0,
                reason: cancel_code(reason),
                ..row(3, handle, owner)
            },
            Event::Amended { handle, owner, price, quantity, kept_priority } => {
                let (price, flag) = priced(price);
                let row = row(4, handle, owner);
                let flags = row.flags | flag | if kept_priority { KEPT_PRIORITY } else { 0 };
                Self { price, quantity: quantity.0, left: quantity.0, flags, ..row }
            }
            Event::Triggered { handle, owner } => row(5, handle, owner),
            Event::Expired { handle, owner, quantity } => {
                Self { quantity: quantity.0, ..row(6, handle, owner) }
            }
            Event::Replenished { handle, owner, visible } => {
                Self { quantity: visible.0, ..row(7, handle, owner) }
            }
        }
    }
}

/// Carries a message out and appends its events. `events` is scratch memory.
#[inline]
pub(crate) fn apply(
    book: &mut ExternalBook,
    operation: Operation,
    message: u32,
    events: &mut Vec<Event>,
    rows: &mut Vec<EventRow>,
) {
    events.clear();
    let mut refused = |reason, id, owner: Option<Owner>| {
        rows.push(EventRow {
            kind: 1,
            side: NO_SIDE,
            reason,
            flags: if owner.is_some() { HAS_OWNER } else { 0 },
            owner: owner.map_or(0, |owner| owner.0),
            id,
            message,
            ..EventRow::default()
        });
    };
    // What the book itself refuses is among its events; the map's refusals are not.
    let id = match operation {
        Operation::Submit { id, order } => {
            if book.submit(id, order, events) == Err(ExternalError::DuplicateId(id)) {
                refused(DUPLICATE_ID, id, Some(order.owner));
            }
            id
        }
        Operation::Cancel { id } => {
            if book.cancel(id, events) == Err(ExternalError::UnknownId(id)) {
                refused(UNKNOWN_ORDER, id, None);
            }
            id
        }
        Operation::Amend { id, amendment } => {
            if book.amend(id, amendment, events) == Err(ExternalError::UnknownId(id)) {
                refused(UNKNOWN_ORDER, id, None);
            }
            id
        }
        Operation::CancelQuantity { owner, side, price, quantity } => {
            // A refusal is among the events.
            let _ = book
                .with_book(events, |book, events| book.cancel_quantity(owner, side, price, quantity, events));
            0
        }
        Operation::MassCancel { owner, side } => {
            book.with_book(events, |book, events| book.mass_cancel(owner, side, events));
            0
        }
        Operation::Expire { until } => {
            // A refusal is among the events.
            let _ = book.with_book(events, |book, events| book.expire(until, events));
            0
        }
        Operation::SetSelfTradePrevention { owner, mode } => {
            // A refusal is among the events.
            let _ =
                book.with_book(events, |book, events| book.set_self_trade_prevention(owner, mode, events));
            0
        }
    };
    for event in &*events {
        // An order that an event names lives, or has been ended by this message: its id is known.
        let mut row = EventRow::new(event, |handle| book.external_id(handle).unwrap_or(0));
        row.message = message;
        if row.kind == 1 {
            row.id = id;
        }
        rows.push(row);
    }
}

/// The side of an order in an event, if it tells.
pub(crate) fn side_code(side: Option<Side>) -> u8 {
    side.map_or(NO_SIDE, |side| side as u8)
}

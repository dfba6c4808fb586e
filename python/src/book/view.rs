//! What can be seen of a book, as arrays: the same for a book of the user's own and for a simulated market's.

use lob::{Handle, OrderBook, OrderView, Side, StopView, TimeInForce};
use numpy::PyArray1;
use pyo3::prelude::*;

use super::message::POST_ONLY;
use crate::record::record;

/// Flag of an order or a stop: it expires.
pub(crate) const HAS_EXPIRY: u8 = 2;
/// Flag of a stop: it becomes a limit order.
pub(crate) const HAS_LIMIT: u8 = 4;

record! {
    /// One price level: `lobgym.LEVEL_DTYPE`.
    LevelRow {
        price: i64 = "i8",
        quantity: u64 = "u8",
        orders: u64 = "u8",
    }
}

record! {
    /// One resting order: `lobgym.ORDER_DTYPE`.
    OrderRow {
        id: u64 = "u8",
        price: i64 = "i8",
        visible: u64 = "u8",
        hidden: u64 = "u8",
        display: u64 = "u8",
        expiry: u64 = "u8",
        owner: u32 = "u4",
        side: u8 = "u1",
        flags: u8 = "u1",
    } padding { _padding: [u8; 2] }
}

record! {
    /// One pending stop: `lobgym.STOP_DTYPE`.
    StopRow {
        id: u64 = "u8",
        stop: i64 = "i8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        display: u64 = "u8",
        expiry: u64 = "u8",
        owner: u32 = "u4",
        side: u8 = "u1",
        time_in_force: u8 = "u1",
        flags: u8 = "u1",
    } padding { _padding: [u8; 1] }
}

impl OrderRow {
    pub(crate) fn new(order: &OrderView, id: u64) -> Self {
        let mut flags = if order.post_only { POST_ONLY } else { 0 };
        if order.expiry.is_some() {
            flags |= HAS_EXPIRY;
        }
        Self {
            id,
            price: order.price.0,
            visible: order.visible.0,
            hidden: order.hidden.0,
            display: order.display.map_or(0, |display| display.0),
            expiry: order.expiry.map_or(0, |expiry| expiry.0),
            owner: order.owner.0,
            side: order.side as u8,
            flags,
            ..Self::default()
        }
    }
}

impl StopRow {
    fn new(stop: &StopView, id: u64) -> Self {
        let (time_in_force, expiry) = match stop.time_in_force {
            TimeInForce::Gtc => (0, None),
            TimeInForce::Ioc => (1, None),
            TimeInForce::Fok => (2, None),
            TimeInForce::Gtd(expiry) => (3, Some(expiry)),
        };
        let mut flags = if stop.post_only { POST_ONLY } else { 0 };
        if expiry.is_some() {
            flags |= HAS_EXPIRY;
        }
        if stop.price.is_some() {
            flags |= HAS_LIMIT;
        }
        Self {
            id,
            stop: stop.stop.0,
            price: stop.price.map_or(0, |price| price.0),
            quantity: stop.quantity.0,
            display: stop.display.map_or(0, |display| display.0),
            expiry: expiry.map_or(0, |expiry| expiry.0),
            owner: stop.owner.0,
            side: stop.side as u8,
            time_in_force,
            flags,
            ..Self::default()
        }
    }
}

/// Bids and asks.
pub(crate) type Depth<'py> = (Bound<'py, PyArray1<LevelRow>>, Bound<'py, PyArray1<LevelRow>>);

/// The best levels of both sides, occupied ones alone.
pub(crate) fn depth<'py>(py: Python<'py>, book: &OrderBook, levels: usize) -> Depth<'py> {
    let side = |side| {
        let rows = book.levels(side).take(levels);
        let rows = rows.map(|(price, quantity, orders)| LevelRow {
            price: price.0,
            quantity: quantity.0,
            orders: orders as u64,
        });
        PyArray1::from_vec(py, rows.collect())
    };
    (side(Side::Buy), side(Side::Sell))
}

fn sides(side: Option<Side>) -> impl Iterator<Item = Side> {
    Side::BOTH.into_iter().filter(move |&one| side.is_none_or(|side| side == one))
}

/// Resting orders in priority order, bids before asks.
pub(crate) fn orders<'py>(
    py: Python<'py>,
    book: &OrderBook,
    side: Option<Side>,
    name: impl Fn(Handle) -> u64,
) -> Bound<'py, PyArray1<OrderRow>> {
    let rows = sides(side).flat_map(|side| book.orders(side));
    PyArray1::from_vec(py, rows.map(|order| OrderRow::new(&order, name(order.handle))).collect())
}

/// Pending stops in firing order, buys before sells.
pub(crate) fn stops<'py>(
    py: Python<'py>,
    book: &OrderBook,
    side: Option<Side>,
    name: impl Fn(Handle) -> u64,
) -> Bound<'py, PyArray1<StopRow>> {
    let rows = sides(side).flat_map(|side| book.stops(side));
    PyArray1::from_vec(py, rows.map(|stop| StopRow::new(&stop, name(stop.handle))).collect())
}

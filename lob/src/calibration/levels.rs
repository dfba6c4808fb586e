//! Level 2: what the flow's events are where the feed gives the lots at each price, now and then, and the trades.

use std::collections::{BTreeMap, VecDeque};

use super::FlowEventKind::{Cancel, Limit, Market};
use super::Observer;
use super::stage::Stage;
use crate::data::market::MarketEvent;
use crate::{Price, Side};

/// Trades that wait for an update, at the most: a feed that sends no updates must not fill the memory.
const WAITING: usize = 1 << 16;

/// Levels of one message, at the most: a longer one is taken in parts.
const MESSAGE: usize = 1 << 16;

/// One trade of the feed.
#[derive(Clone, Copy, Debug)]
struct Trade {
    time: f64,
    /// Of the aggressive order.
    side: Side,
    price: Price,
    quantity: u64,
}

/// What has traded at a price and is not yet accounted for by an update.
#[derive(Clone, Copy, Debug, Default)]
struct Traded {
    quantity: u64,
    /// Updates that did not name the price.
    passed: u8,
}

/// The levels of a feed.
///
/// An update is held back until the next one, so that trades that happened before it but arrive later are known when its changes
/// are told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    /// Quantities by instrument price as the updates give them.
    book: [BTreeMap<i64, u64>; 2],
    traded: [BTreeMap<i64, Traded>; 2],
    trades: VecDeque<Trade>,
    /// Levels of the message that is being read, and of the one held back with its time.
    reading: Vec<(Side, Price, u64)>,
    held: Vec<(Side, Price, u64)>,
    held_time: Option<f64>,
}

impl Levels {
    pub(super) fn clear(&mut self) {
        self.book.iter_mut().for_each(BTreeMap::clear);
        self.traded.iter_mut().for_each(BTreeMap::clear);
        self.trades.clear();
        self.reading.clear();
        self.held.clear();
        self.held_time = None;
    }

    pub(super) fn level(&mut self, event: &MarketEvent) {
        if let Some(side) = event.side {
            self.reading.push((side, event.price, event.quantity.0));
        }
    }

    /// A level of a snapshot.
    pub(super) fn place(&mut self, event: &MarketEvent, stage: &mut Stage) {
        if let Some(side) = event.side {
            self.set(side, event.price, event.quantity.0, stage);
        }
    }

    /// True if there is a level of a message that is not complete yet.
    pub(super) fn is_reading(&self) -> bool {
        !self.reading.is_empty()
    }

    /// True if that message is too long to go on waiting for its end.
    pub(super) fn is_full(&self) -> bool {
        self.reading.len() >= MESSAGE
    }

    /// The first message of a feed that begins without a snapshot: what was read is the book.
    pub(super) fn snapshot(&mut self, stage: &mut Stage) {
        let mut levels = std::mem::take(&mut self.reading);
        for (side, price, quantity) in levels.drain(..) {
            self.set(side, price, quantity, stage);
        }
        self.reading = levels;
    }

    pub(super) fn trade(&mut self, event: &MarketEvent, time: f64, stage: &mut Stage) {
        let Some(side) = event.side.filter(|_| !stage.is_stale() && self.trades.len() < WAITING) else {
            stage.tally.unusable_trades += 1;
            return;
        };
        self.trades.push_back(Trade { time, side, price: event.price, quantity: event.quantity.0 });
    }

    /// A message is complete. If it was an update, the one before is now known in full.
    pub(super) fn message(&mut self, time: f64, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        if self.reading.is_empty() {
            return;
        }
        self.release(stage, observers);
        std::mem::swap(&mut self.reading, &mut self.held);
        self.reading.clear();
        self.held_time = Some(time);
    }

    /// Shows everything that is still held back.
    pub(super) fn flush(&mut self, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        self.release(stage, observers);
        self.trade_until(f64::INFINITY, stage, observers);
    }

    /// Empties a side, only down to `to` if given.
    pub(super) fn clear_side(&mut self, side: Side, to: Option<Price>, stage: &mut Stage) {
        let inside = |price: i64| {
            to.is_none_or(|to| match side {
                Side::Buy => price >= to.0,
                Side::Sell => price <= to.0,
            })
        };
        let prices: Vec<i64> =
            self.book[side.index()].keys().copied().filter(|&price| inside(price)).collect();
        for price in prices {
            self.set(side, Price(price), 0, stage);
        }
    }

    /// The quantity at a price, as an update says: what the model's book shows, traded lots included, becomes that.
    fn set(&mut self, side: Side, price: Price, quantity: u64, stage: &mut Stage) {
        let levels = &mut self.book[side.index()];
        let before = if quantity == 0 { levels.remove(&price.0) } else { levels.insert(price.0, quantity) };
        let before = before.unwrap_or(0);
        // Trades have been taken out of the model's book already.
        let traded = self.traded[side.index()].remove(&price.0).map_or(0, |traded| traded.quantity);
        stage.change(side, price, quantity, before.saturating_sub(traded));
    }

    /// Shows the update that was held back, after the trades before it.
    fn release(&mut self, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        let Some(time) = self.held_time.take() else { return };
        self.trade_until(time, stage, observers);
        let mut held = std::mem::take(&mut self.held);
        // What has gone first, then what has come: in between the book is part of the new one, which is not crossed.
        for &(side, price, quantity) in &held {
            let (expected, _) = self.expected(side, price);
            if quantity < expected {
                stage.show(observers, time, (Cancel, side), price, expected - quantity);
                self.set(side, price, quantity, stage);
            }
        }
        for &(side, price, quantity) in &held {
            let (expected, traded) = self.expected(side, price);
            let before = self.book[side.index()].get(&price.0).copied().unwrap_or(0);
            // More may have traded than was there: that much has come as well, and gone.
            let hidden = traded.saturating_sub(before);
            let arrived = (quantity - expected.min(quantity)).saturating_add(hidden);
            if arrived > 0 {
                stage.tally.came_and_went += u64::from(hidden > 0);
                stage.show(observers, time, (Limit, side), price, arrived);
            }
            self.set(side, price, quantity, stage);
        }
        held.clear();
        self.held = held;
        self.settle(time, stage, observers);
        let crossed = matches!((stage.book.best(Side::Buy), stage.book.best(Side::Sell)), (Some(bid), Some(ask)) if bid >= ask);
        stage.tally.crossed += u64::from(crossed);
        stage.set_crossed(time, crossed);
    }

    /// What is expected at a price before an update: the last quantity less what has traded; and what has traded.
    fn expected(&self, side: Side, price: Price) -> (u64, u64) {
        let before = self.book[side.index()].get(&price.0).copied().unwrap_or(0);
        let traded = self.traded[side.index()].get(&price.0).map_or(0, |traded| traded.quantity);
        (before.saturating_sub(traded), traded)
    }

    /// Trades at prices that two updates have not named: the quantity is what it was, so as much has come as has traded.
    fn settle(&mut self, time: f64, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        for side in Side::BOTH {
            let mut refilled = Vec::new();
            for (&price, traded) in &mut self.traded[side.index()] {
                traded.passed += 1;
                if traded.passed > 1 {
                    refilled.push((Price(price), traded.quantity));
                }
            }
            for (price, quantity) in refilled {
                stage.tally.came_and_went += 1;
                stage.show(observers, time, (Limit, side), price, quantity);
                let unchanged = self.book[side.index()].get(&price.0).copied().unwrap_or(0);
                self.set(side, price, unchanged, stage);
            }
        }
    }

    /// Shows the trades up to `time` as market orders: those of one stamp and side are one.
    fn trade_until(&mut self, time: f64, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        while let Some(first) = self.trades.front().copied().filter(|trade| trade.time <= time) {
            let of_one = |trade: &&Trade| trade.time == first.time && trade.side == first.side;
            let count = self.trades.iter().take_while(of_one).count();
            let total =
                self.trades.iter().take(count).fold(0_u64, |sum, trade| sum.saturating_add(trade.quantity));
            stage.show(observers, first.time, (Market, first.side), Price(0), total);
            let side = first.side.opposite();
            for trade in self.trades.drain(..count) {
                let traded = self.traded[side.index()].entry(trade.price.0).or_default();
                let before = self.book[side.index()].get(&trade.price.0).copied().unwrap_or(0);
                let visible = before.saturating_sub(traded.quantity);
                traded.quantity = traded.quantity.saturating_add(trade.quantity);
                traded.passed = 0;
                stage.change(side, trade.price, 0, trade.quantity.min(visible));
            }
        }
    }
}

//! Level 3: what the flow's events are where the feed names every order.

use hashbrown::HashMap;

use super::FlowEventKind::{Cancel, Limit, Market};
use super::Observer;
use super::stage::Stage;
use crate::data::market::{Kind, MarketEvent};
use crate::{FeedBook, FeedOrder, Price, Quantity, Side};

/// For so long an order may stand at a price where it trades before the book counts as crossed, in seconds.
const PATIENCE: f64 = 1.0;

/// Levels of the book's dense window.
const WINDOW: usize = 4096;

/// An aggressive order whose executions are being collected.
#[derive(Clone, Debug, Default)]
struct Taker {
    /// When it began.
    time: f64,
    side: Option<Side>,
    /// What it has traded: price and quantity of each resting order's part.
    parts: Vec<(Price, u64)>,
}

/// An order that arrived at a price where it trades.
#[derive(Clone, Copy, Debug)]
struct Marketable {
    order: FeedOrder,
    since: f64,
}

/// The orders of a feed.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    /// Those that rest where nothing trades: never crossed.
    book: FeedBook,
    /// The others, by number.
    marketable: HashMap<u64, Marketable>,
    taker: Taker,
    used: bool,
}

impl Default for Orders {
    fn default() -> Self {
        Self { book: FeedBook::new(WINDOW), marketable: HashMap::new(), taker: Taker::default(), used: false }
    }
}

impl Orders {
    /// True once the feed has named an order.
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    pub(super) fn clear(&mut self) {
        self.book.clear();
        self.marketable.clear();
    }

    pub(super) fn see(
        &mut self,
        event: &MarketEvent,
        time: f64,
        stage: &mut Stage,
        observers: &mut [&mut dyn Observer],
    ) {
        if !self.used {
            self.used = true;
            // A feed of orders without a snapshot fills its book from the first order on.
            stage.set_stale(time, false);
        }
        if self.aggressor(event, stage) {
            self.settle(time, stage, observers);
            return;
        }
        if event.kind == Kind::Execute {
            self.execute(event, time, stage, observers);
            return;
        }
        self.flush(stage, observers);
        let known = match event.kind {
            Kind::Add => None,
            Kind::Replace => self.book.order(event.reference),
            _ => self.book.order(event.id),
        };
        match (event.kind, known) {
            (Kind::Add, _) => {
                let Some(side) = event.side else { return };
                let order = FeedOrder { side, price: event.price, quantity: event.quantity };
                self.arrive(event.id, order, event.has(MarketEvent::SNAPSHOT), time, stage, observers);
            }
            (Kind::Modify, None) if let Some(side) = event.side => {
                let order = FeedOrder { side, price: event.price, quantity: event.quantity };
                self.arrive(event.id, order, false, time, stage, observers);
            }
            (_, None) => stage.tally.unknown += 1,
            (Kind::Reduce, Some(order)) => {
                self.withdraw(event.id, order, event.quantity.0, time, stage, observers)
            }
            (Kind::Delete, Some(order)) => {
                self.withdraw(event.id, order, order.quantity.0, time, stage, observers)
            }
            (Kind::Modify, Some(order)) if order.price == event.price && event.quantity.0 > 0 => {
                if event.quantity <= order.quantity {
                    let less = order.quantity.0 - event.quantity.0;
                    self.withdraw(event.id, order, less, time, stage, observers);
                } else {
                    let more = event.quantity.0 - order.quantity.0;
                    if self.book.modify(event.id, event.price, event.quantity).is_ok() {
                        stage.show(observers, time, (Limit, order.side), order.price, more);
                        stage.change(order.side, order.price, more, 0);
                    }
                }
            }
            (Kind::Replace, Some(order)) => {
                self.withdraw(event.reference, order, order.quantity.0, time, stage, observers);
                let order = FeedOrder { price: event.price, quantity: event.quantity, ..order };
                self.arrive(event.id, order, false, time, stage, observers);
            }
            // A change of price, or to nothing.
            (_, Some(order)) => {
                self.withdraw(event.id, order, order.quantity.0, time, stage, observers);
                let order = FeedOrder { price: event.price, quantity: event.quantity, ..order };
                if !order.quantity.is_zero() {
                    self.arrive(event.id, order, false, time, stage, observers);
                }
            }
        }
        self.settle(time, stage, observers);
    }

    /// What happens to an order that has arrived at a price where it trades: the flow sees it by what it trades with. True if it was that.
    fn aggressor(&mut self, event: &MarketEvent, stage: &mut Stage) -> bool {
        let id = if event.kind == Kind::Replace { event.reference } else { event.id };
        let Some(at) = self.marketable.get_mut(&id) else { return false };
        let order = &mut at.order;
        match event.kind {
            Kind::Reduce | Kind::Execute => {
                order.quantity = Quantity(order.quantity.0.saturating_sub(event.quantity.0));
            }
            Kind::Delete => order.quantity = Quantity::ZERO,
            Kind::Modify | Kind::Add | Kind::Replace => {
                (order.price, order.quantity) = (event.price, event.quantity);
            }
            _ => {}
        }
        let at = *at;
        if at.order.quantity.is_zero() {
            self.marketable.remove(&id);
            stage.tally.never_rested += 1;
        } else if event.kind == Kind::Replace {
            self.marketable.remove(&id);
            self.marketable.insert(event.id, at);
        }
        true
    }

    /// True if an order would trade with those that rest.
    fn trades(&self, order: &FeedOrder) -> bool {
        let opposite = self.book.best_price(order.side.opposite());
        opposite.is_some_and(|best| match order.side {
            Side::Buy => order.price >= best,
            Side::Sell => order.price <= best,
        })
    }

    /// A new order.
    fn arrive(
        &mut self,
        id: u64,
        order: FeedOrder,
        is_snapshot: bool,
        time: f64,
        stage: &mut Stage,
        observers: &mut [&mut dyn Observer],
    ) {
        if !is_snapshot && self.trades(&order) {
            stage.tally.marketable += 1;
            self.marketable.insert(id, Marketable { order, since: time });
            return;
        }
        self.rest(id, order, is_snapshot, time, stage, observers);
    }

    fn rest(
        &mut self,
        id: u64,
        order: FeedOrder,
        is_snapshot: bool,
        time: f64,
        stage: &mut Stage,
        observers: &mut [&mut dyn Observer],
    ) {
        if self.book.add(id, order.side, order.price, order.quantity).is_err() {
            stage.tally.unknown += 1;
            return;
        }
        if !is_snapshot {
            stage.show(observers, time, (Limit, order.side), order.price, order.quantity.0);
        }
        stage.change(order.side, order.price, order.quantity.0, 0);
    }

    /// Takes lots out that did not trade.
    fn withdraw(
        &mut self,
        id: u64,
        order: FeedOrder,
        quantity: u64,
        time: f64,
        stage: &mut Stage,
        observers: &mut [&mut dyn Observer],
    ) {
        let quantity = quantity.min(order.quantity.0);
        if quantity == 0 || self.book.reduce(id, Quantity(quantity)).is_err() {
            return;
        }
        stage.show(observers, time, (Cancel, order.side), order.price, quantity);
        stage.change(order.side, order.price, 0, quantity);
    }

    /// A resting order traded: with the aggressive order of those before, or with another one.
    fn execute(
        &mut self,
        event: &MarketEvent,
        time: f64,
        stage: &mut Stage,
        observers: &mut [&mut dyn Observer],
    ) {
        let Some(order) = self.book.order(event.id) else {
            stage.tally.unknown += 1;
            return;
        };
        let side = order.side.opposite();
        let quantity = event.quantity.0.min(order.quantity.0);
        // Of one order if at one stamp, or while an order that trades is on its way.
        let same = self.taker.side == Some(side)
            && (time == self.taker.time || self.marketable.values().any(|at| at.order.side == side));
        if same {
            stage.tally.merged += 1;
        } else {
            self.flush(stage, observers);
            (self.taker.time, self.taker.side) = (time, Some(side));
        }
        self.taker.parts.push((order.price, quantity));
        // What is left stays in the book; `quantity` is not more than there is.
        let _left = self.book.reduce(event.id, Quantity(quantity));
    }

    /// Shows the market order that was being collected.
    pub(super) fn flush(&mut self, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        let Some(side) = self.taker.side.take() else { return };
        let total = self.taker.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.1));
        if total > 0 {
            stage.show(observers, self.taker.time, (Market, side), Price(0), total);
        }
        for (price, quantity) in self.taker.parts.drain(..) {
            stage.change(side.opposite(), price, 0, quantity);
        }
    }

    /// Orders come to rest once there is nothing left for them to trade with.
    fn settle(&mut self, time: f64, stage: &mut Stage, observers: &mut [&mut dyn Observer]) {
        if self.marketable.is_empty() {
            stage.set_crossed(time, false);
            return;
        }
        let settled = |orders: &Self| {
            // The lowest number first: a hash map has no order of its own.
            let rested = orders.marketable.iter().filter(|(_, at)| !orders.trades(&at.order));
            rested.map(|(&id, _)| id).min()
        };
        while let Some(id) = settled(self) {
            let Some(at) = self.marketable.remove(&id) else { return };
            self.flush(stage, observers);
            self.rest(id, at.order, false, time, stage, observers);
        }
        let crossed = self.marketable.values().any(|at| time - at.since > PATIENCE);
        stage.set_crossed(time, crossed);
    }
}

//! Matching, self-trade prevention and triggers.

use lob::{CancelReason, Event, Handle, Price, Quantity, SelfTradePrevention, Side, TimeInForce};

use super::{Order, Reference};

/// Sort key of a price: the better price first.
pub(super) fn rank(side: Side, price: Price) -> i128 {
    match side {
        Side::Buy => -i128::from(price.0),
        Side::Sell => i128::from(price.0),
    }
}

/// True if an order of `side` with this limit (`None`: none) may trade at `price`.
fn reaches(side: Side, limit: Option<Price>, price: Price) -> bool {
    match (limit, side) {
        (None, _) => true,
        (Some(limit), Side::Buy) => price <= limit,
        (Some(limit), Side::Sell) => price >= limit,
    }
}

impl Reference {
    /// Where in `resting` the order with priority on a side is.
    fn first(&self, side: Side) -> Option<usize> {
        (0..self.resting.len())
            .filter(|&index| self.resting[index].side == side)
            .min_by_key(|&index| (rank(side, self.resting_price(index)), index))
    }

    fn resting_price(&self, index: usize) -> Price {
        self.resting[index].price.expect("a resting order has a limit")
    }

    /// True if an order of `side` with this limit would trade (or meet an own order) at once.
    pub(super) fn would_trade(&self, side: Side, limit: Option<Price>) -> bool {
        self.first(side.opposite()).is_some_and(|index| reaches(side, limit, self.resting_price(index)))
    }

    /// True if an order would trade its whole quantity: tried out on a copy.
    pub(super) fn can_fill(&self, order: &Order) -> bool {
        let mut copy = self.clone();
        let mut events = Vec::new();
        copy.trade(&mut order.clone(), &mut events);
        let traded: u128 = events
            .iter()
            .map(|event| match event {
                Event::Trade { quantity, .. } => u128::from(quantity.0),
                _ => 0,
            })
            .sum();
        traded == u128::from(order.open())
    }

    /// An accepted or triggered order acts: it trades, and its rest joins the book or is cancelled.
    pub(super) fn execute(&mut self, mut order: Order, events: &mut Vec<Event>) {
        self.trade(&mut order, events);
        if order.open() == 0 {
            self.free_slot(order.handle);
            return;
        }
        let immediate = matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        if order.price.is_none() {
            self.report_cancelled(&order, CancelReason::NoLiquidity, events);
        } else if immediate {
            self.report_cancelled(&order, CancelReason::ImmediateOrCancel, events);
        } else {
            let rest = order.open();
            order.visible = order.display.map_or(rest, |display| display.0.min(rest));
            order.hidden = rest - order.visible;
            self.resting.push(order);
        }
    }

    /// Matches `taker` (all its lots visible) until it is used up or nothing within its limit is left.
    fn trade(&mut self, taker: &mut Order, events: &mut Vec<Event>) {
        while taker.visible > 0 {
            let Some(index) = self.first(taker.side.opposite()) else { return };
            let price = self.resting_price(index);
            if !reaches(taker.side, taker.price, price) {
                return;
            }
            if self.resting[index].owner == taker.owner {
                match self.self_trade_prevention(taker.owner) {
                    SelfTradePrevention::Allow => {}
                    SelfTradePrevention::CancelNewest => {
                        cancel_taker(taker, taker.visible, events);
                        return;
                    }
                    SelfTradePrevention::CancelOldest => {
                        self.cancel_maker(index, events);
                        continue;
                    }
                    SelfTradePrevention::CancelBoth => {
                        self.cancel_maker(index, events);
                        cancel_taker(taker, taker.visible, events);
                        return;
                    }
                    SelfTradePrevention::Decrement => {
                        let quantity = taker.visible.min(self.resting[index].visible);
                        let maker = &mut self.resting[index];
                        maker.visible -= quantity;
                        events.push(cancelled(maker, quantity));
                        self.replenish_or_end(index, events);
                        cancel_taker(taker, quantity, events);
                        continue;
                    }
                }
            }
            let maker = &mut self.resting[index];
            let quantity = taker.visible.min(maker.visible);
            maker.visible -= quantity;
            taker.visible -= quantity;
            events.push(Event::Trade {
                maker: maker.handle,
                taker: taker.handle,
                maker_owner: maker.owner,
                taker_owner: taker.owner,
                price,
                quantity: Quantity(quantity),
                maker_left: Quantity(maker.open()),
                aggressor: taker.side,
            });
            self.last_trade = Some(price);
            self.replenish_or_end(index, events);
        }
    }

    fn cancel_maker(&mut self, index: usize, events: &mut Vec<Event>) {
        let maker = self.resting.remove(index);
        self.report_cancelled(&maker, CancelReason::SelfTrade, events);
    }

    /// A maker whose visible slice is used up shows the next one at the back of its queue, or is gone.
    fn replenish_or_end(&mut self, index: usize, events: &mut Vec<Event>) {
        if self.resting[index].visible > 0 {
            return;
        }
        let mut maker = self.resting.remove(index);
        if maker.hidden == 0 {
            self.free_slot(maker.handle);
            return;
        }
        let display = maker.display.expect("only an iceberg hides lots").0;
        maker.visible = display.min(maker.hidden);
        maker.hidden -= maker.visible;
        let (handle, owner, visible) = (maker.handle, maker.owner, Quantity(maker.visible));
        events.push(Event::Replenished { handle, owner, visible });
        self.resting.push(maker);
    }

    /// While any stop is due, fires the next one.
    pub(super) fn fire_due_stops(&mut self, events: &mut Vec<Event>) {
        while let Some(handle) = self.next_due() {
            let index = self.stops.iter().position(|order| order.handle == handle).expect("it is due");
            let mut order = self.stops.remove(index);
            order.stop = None;
            events.push(Event::Triggered { handle, owner: order.owner });
            if order.post_only && self.would_trade(order.side, order.price) {
                self.report_cancelled(&order, CancelReason::PostOnly, events);
            } else if order.time_in_force == TimeInForce::Fok && !self.can_fill(&order) {
                self.report_cancelled(&order, CancelReason::FillOrKill, events);
            } else {
                self.execute(order, events);
            }
        }
    }

    fn next_due(&self) -> Option<Handle> {
        let last = self.last_trade?;
        let (buys, sells) = (self.stops_in_firing_order(Side::Buy), self.stops_in_firing_order(Side::Sell));
        let due_buy = buys.iter().find(|order| order.stop.is_some_and(|stop| last >= stop));
        let due_sell = sells.iter().find(|order| order.stop.is_some_and(|stop| last <= stop));
        due_buy.or(due_sell).map(|order| order.handle)
    }

    /// Pending stops of a side: buys by rising trigger, sells by falling trigger, then first come first.
    pub(super) fn stops_in_firing_order(&self, side: Side) -> Vec<&Order> {
        let mut stops: Vec<&Order> = self.stops.iter().filter(|order| order.side == side).collect();
        // Stable: orders of one trigger stay in their order of arrival.
        stops.sort_by_key(|order| rank(side.opposite(), order.stop.expect("a pending stop has a trigger")));
        stops
    }
}

/// The event of lots that self-trade prevention has just taken out of `order`.
fn cancelled(order: &Order, quantity: u64) -> Event {
    Event::Cancelled {
        handle: order.handle,
        owner: order.owner,
        quantity: Quantity(quantity),
        left: Quantity(order.open()),
        reason: CancelReason::SelfTrade,
    }
}

fn cancel_taker(taker: &mut Order, quantity: u64, events: &mut Vec<Event>) {
    taker.visible -= quantity;
    events.push(cancelled(taker, quantity));
}

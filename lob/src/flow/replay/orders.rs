//! Following orders (level-3 data): places in queues are exact.

use hashbrown::HashMap;

use super::flow::{Stage, reaches};
use super::history::becomes_stale;
use crate::data::market::{Kind, MarketEvent, apply};
use crate::sim::CROWD;
use crate::{Amendment, FeedBook, FeedOrder, Handle, NewOrder, Price, Quantity, Side};

/// The crowd's orders in the market's book, by their numbers in the feed.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    handles: HashMap<u64, Handle>,
    /// The number of the order in each slot of the engine's arena.
    numbers: Vec<u64>,
    /// Orders that have fewer lots in the book than in history, and wait to get them.
    waiting: Vec<u64>,
    /// Messages are missing, or a snapshot is under way: the book stands still.
    stale: bool,
}

impl Orders {
    /// `stale`: messages are missing. The market then begins with the book as it was known last.
    pub(super) fn begin(&mut self, stale: bool, stage: &mut Stage<'_>) {
        self.handles.clear();
        self.waiting.clear();
        self.stale = stale;
        for (number, side, price, lots) in resting(stage.history) {
            if stage.would_cross(side, price) {
                self.waiting.push(number);
            } else {
                let lots = Quantity(stage.rules.scaled(lots.0));
                let handle = stage.market.put_back(side, price, lots);
                self.know(number, handle);
            }
        }
    }

    /// What happens at one moment.
    pub(super) fn play(&mut self, events: &[MarketEvent], stage: &mut Stage<'_>) {
        for taken in stage.market.drain_taken() {
            if stage.rules.restores()
                && let Some(&number) = self.numbers.get(taken.maker.slot())
                && self.handles.get(&number) == Some(&taken.maker)
            {
                self.waiting.push(number);
            }
        }
        for event in events {
            stage.agents.follow(stage.market, |_, _| 0.0);
            self.event(event, stage);
        }
        if !self.stale {
            self.give_back(stage);
        }
    }

    fn event(&mut self, event: &MarketEvent, stage: &mut Stage<'_>) {
        if let Some(stale) = becomes_stale(event.kind) {
            let _ = apply(stage.history, event);
            if self.stale && !stale {
                self.take_over(stage);
            }
            self.stale = stale;
            return;
        }
        if self.stale {
            let _ = apply(stage.history, event);
            return;
        }
        match event.kind {
            Kind::Add => {
                if let Some(side) = event.side {
                    let crosses = crosses_history(stage, side, event.price);
                    if apply(stage.history, event).is_ok() {
                        self.place(event.id, side, event.price, crosses, stage);
                    }
                }
            }
            Kind::Execute => self.execute(event, stage),
            Kind::Reduce | Kind::Delete => {
                let _ = apply(stage.history, event);
                self.shrink(event.id, stage);
            }
            Kind::Modify => {
                let Some(before) = stage.history.order(event.id) else {
                    return self.event(&MarketEvent { kind: Kind::Add, ..*event }, stage);
                };
                let stays = before.price == event.price && event.quantity <= before.quantity;
                if apply(stage.history, event).is_err() || stays {
                    self.shrink(event.id, stage);
                } else {
                    self.withdraw(event.id, stage);
                    let crosses = crosses_history(stage, before.side, event.price);
                    self.place(event.id, before.side, event.price, crosses, stage);
                }
            }
            Kind::Replace => {
                let Some(before) = stage.history.order(event.reference) else { return };
                let crosses = crosses_history(stage, before.side, event.price);
                let applied = apply(stage.history, event);
                self.withdraw(event.reference, stage);
                if applied.is_ok() {
                    self.place(event.id, before.side, event.price, crosses, stage);
                }
            }
            Kind::Trade if event.has(MarketEvent::HIDDEN) => {
                let mut volume = event.quantity.0 as f64;
                if let Some(aggressor) = event.side.or_else(|| aggressor_at(stage, event.price)) {
                    // What is shown has priority over what is hidden, at the same price too.
                    let (side, price) = (aggressor.opposite(), event.price);
                    stage.market.count_market_order(aggressor, stage.rules.traded(volume));
                    while volume > 0.0
                        && let Some(index) = stage.agents.position(|order| {
                            order.side == side && (order.price == price || order.better_than(price))
                        })
                    {
                        volume -= stage.agents.trade(index, volume, stage.rules.multiple, stage.market);
                    }
                }
                stage.market.count_traded(stage.rules.traded(volume));
            }
            Kind::Clear => {
                let _ = apply(stage.history, event);
                let numbers = self.handles.keys().copied();
                let mut gone: Vec<u64> =
                    numbers.filter(|&number| stage.history.order(number).is_none()).collect();
                // The order of a hash map is no order.
                gone.sort_unstable();
                for number in gone {
                    self.withdraw(number, stage);
                }
            }
            _ => {}
        }
    }

    /// Makes the book that of history, which a snapshot has brought. Orders that are in it as they were keep their places, and so do the agents'
    /// among them; the others are new.
    fn take_over(&mut self, stage: &mut Stage<'_>) {
        let mut known: Vec<(u64, Handle)> =
            self.handles.iter().map(|(&number, &handle)| (number, handle)).collect();
        // The order of a hash map is no order.
        known.sort_unstable_by_key(|&(number, _)| number);
        for (number, handle) in known {
            let now = stage.history.order(number).map(|order| (order.side, order.price));
            let there = stage.market.book().order(handle).map(|order| (order.side, order.price));
            if now.is_some() && now == there {
                self.shrink(number, stage);
            } else {
                self.withdraw(number, stage);
            }
        }
        let handles = &self.handles;
        let lacks = |number: u64, lots: Quantity| {
            let there = handles.get(&number).and_then(|&handle| stage.market.book().order(handle));
            there.is_none_or(|order| order.visible.0 < stage.rules.scaled(lots.0))
        };
        self.waiting = resting(stage.history)
            .into_iter()
            .filter(|&(number, _, _, lots)| lacks(number, lots))
            .map(|(number, ..)| number)
            .collect();
    }

    /// A resting order trades.
    fn execute(&mut self, event: &MarketEvent, stage: &mut Stage<'_>) {
        let number = event.id;
        let Some(before) = stage.history.order(number) else { return };
        let mut volume = event.quantity.0 as f64;
        let aggressor = before.side.opposite();
        stage.market.count_market_order(aggressor, stage.rules.traded(volume));
        if stage.rules.restores() {
            self.serve_agents(number, before, &mut volume, stage);
            let _ = apply(stage.history, event);
            if let Some((handle, lots)) = self.surplus(number, stage) {
                stage.market.execute(handle, Quantity(lots));
            }
            self.forget_ended(number, stage);
            return;
        }
        let _ = apply(stage.history, event);
        // What agents have taken of it before, the aggressor does not find.
        if let Some((handle, lots)) = self.surplus(number, stage) {
            let mut volume = lots as f64 * stage.rules.multiple;
            self.serve_agents(number, before, &mut volume, stage);
            stage.market.execute(handle, Quantity(stage.rules.traded(volume)));
        }
        self.forget_ended(number, stage);
    }

    /// Agents' orders with priority over an order that trades get what the aggressor brings first.
    fn serve_agents(&mut self, number: u64, order: FeedOrder, volume: &mut f64, stage: &mut Stage<'_>) {
        if stage.agents.is_empty() {
            return;
        }
        let Stage { agents, market, rules, .. } = stage;
        while *volume > 0.0
            && let Some(index) = agents.position(|own| own.side == order.side && own.better_than(order.price))
        {
            *volume -= agents.trade(index, *volume, rules.multiple, market);
        }
        // At the same price: those ahead of it in the queue. An order that waits outside of the book has none behind it.
        let handle = self.handles.get(&number).copied();
        while *volume > 0.0 {
            let ahead = (market.book().orders_at(order.side, order.price))
                .take_while(|resting| Some(resting.handle) != handle)
                .find(|resting| resting.owner != CROWD);
            let Some(index) = ahead.and_then(|ahead| agents.position(|own| own.handle == ahead.handle))
            else {
                break;
            };
            let owed = agents.trade(index, *volume, rules.multiple, market);
            *volume -= owed;
        }
    }

    /// What an order has in the book beyond what history has left of it.
    fn surplus(&self, number: u64, stage: &Stage<'_>) -> Option<(Handle, u64)> {
        let (handle, there) = self.resting(number, stage)?;
        let left = stage.history.order(number).map_or(0, |order| stage.rules.scaled(order.quantity.0));
        there.checked_sub(left).filter(|&surplus| surplus > 0).map(|surplus| (handle, surplus))
    }

    /// An order's name and lots in the book.
    fn resting(&self, number: u64, stage: &Stage<'_>) -> Option<(Handle, u64)> {
        let handle = *self.handles.get(&number)?;
        stage.market.book().order(handle).map(|order| (handle, order.visible.0))
    }

    /// Takes out of the book what history does not have any more.
    fn shrink(&mut self, number: u64, stage: &mut Stage<'_>) {
        if let Some((handle, surplus)) = self.surplus(number, stage) {
            let there = stage.market.book().order(handle).map_or(0, |order| order.visible.0);
            // The order is there, and is the crowd's: nothing can be refused.
            if surplus == there {
                let _ = stage.market.cancel(CROWD, handle);
            } else {
                let _ = stage.market.amend(CROWD, handle, Amendment::quantity(Quantity(there - surplus)));
            }
        }
        self.forget_ended(number, stage);
    }

    fn withdraw(&mut self, number: u64, stage: &mut Stage<'_>) {
        if let Some(handle) = self.handles.remove(&number) {
            let _ = stage.market.cancel(CROWD, handle);
        }
    }

    fn forget_ended(&mut self, number: u64, stage: &Stage<'_>) {
        if stage.history.order(number).is_none() {
            self.handles.remove(&number);
        }
    }

    /// An order of history comes into the book.
    fn place(&mut self, number: u64, side: Side, price: Price, crosses: bool, stage: &mut Stage<'_>) {
        let Some(order) = stage.history.order(number) else { return };
        let lots = stage.rules.scaled(order.quantity.0);
        if crosses {
            // Feeds that show aggressive orders before they trade say next what they met, and agents get theirs then.
            self.waiting.push(number);
            return;
        }
        let meets_agents = stage.would_cross(side, price);
        let handle = stage.market.submit(NewOrder::limit(CROWD, side, price, Quantity(lots))).ok();
        self.know(number, handle);
        if meets_agents {
            stage.agents.look_again();
            if stage.rules.restores() {
                self.waiting.push(number);
            }
        }
    }

    fn know(&mut self, number: u64, handle: Option<Handle>) {
        let Some(handle) = handle else { return };
        if self.numbers.len() <= handle.slot() {
            self.numbers.resize(handle.slot() + 1, 0);
        }
        self.numbers[handle.slot()] = number;
        self.handles.insert(number, handle);
    }

    /// Orders that wait get their lots, at the back of their queues, where they meet nobody.
    fn give_back(&mut self, stage: &mut Stage<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&number| {
            let Some(order) = stage.history.order(number) else { return false };
            let lots = stage.rules.scaled(order.quantity.0);
            let there = self.resting(number, stage);
            if there.is_some_and(|(_, there)| there >= lots) {
                return false;
            }
            if stage.would_cross(order.side, order.price) {
                return true;
            }
            match there {
                Some((handle, _)) => {
                    let _ = stage.market.amend(CROWD, handle, Amendment::quantity(Quantity(lots)));
                }
                None => {
                    let handle = stage.market.put_back(order.side, order.price, Quantity(lots));
                    self.know(number, handle);
                }
            }
            false
        });
        self.waiting = waiting;
    }
}

/// History's orders: number, side, price and lots; best price first, first in the queue first.
fn resting(history: &FeedBook) -> Vec<(u64, Side, Price, Quantity)> {
    let mut resting = Vec::with_capacity(history.order_count());
    for side in Side::BOTH {
        for (price, _) in history.levels(side) {
            resting.extend(history.queue(side, price).map(|(number, lots)| (number, side, price, lots)));
        }
    }
    resting
}

/// Who began a trade with a hidden order of which only the price is known: a seller at the best bid or below, a buyer at the best ask or above; in
/// between, nobody can tell.
fn aggressor_at(stage: &Stage<'_>, price: Price) -> Option<Side> {
    let met = |aggressor: Side| {
        let best = stage.history.best_price(aggressor.opposite());
        best.is_some_and(|best| reaches(aggressor, price, best))
    };
    match (met(Side::Buy), met(Side::Sell)) {
        (true, false) => Some(Side::Buy),
        (false, true) => Some(Side::Sell),
        _ => None,
    }
}

/// True if an order would trade in history.
fn crosses_history(stage: &Stage<'_>, side: Side, price: Price) -> bool {
    let opposite = stage.history.best_price(side.opposite());
    opposite.is_some_and(|opposite| reaches(side, price, opposite))
}

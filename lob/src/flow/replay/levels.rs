//! Following levels (level-2 data): places in queues are estimated.

use hashbrown::HashMap;

use super::flow::{Stage, reaches};
use crate::data::market::{Kind, MarketEvent, apply};
use crate::sim::CROWD;
use crate::{Amendment, Handle, Price, Quantity, Side};

/// The crowd's lots in the market's book, level by level as history has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    /// Levels whose lots in the book may not be what they should be.
    touched: Vec<(Side, Price)>,
    /// Lots of the market that the book has more than history, less if below 0, because of what agents have done.
    offsets: HashMap<(Side, Price), i64>,
    /// Messages are missing: history's book is not to be believed.
    stale: bool,
    /// Levels of history were cleared: what agents' orders stood behind may be gone without a word.
    cleared: bool,
    /// Lots of a queue: the crowd's between agents' orders.
    queue: Vec<(Option<Handle>, u64)>,
}

impl Levels {
    /// `stale`: messages are missing. The market then begins with the book as it was known last.
    pub(super) fn begin(&mut self, stale: bool, stage: &mut Stage<'_>) {
        self.touched.clear();
        self.offsets.clear();
        (self.stale, self.cleared) = (false, false);
        for side in Side::BOTH {
            self.touched.extend(stage.history.levels(side).map(|(price, _)| (side, price)));
        }
        self.settle(stage);
        self.stale = stale;
    }

    /// What happens at one moment.
    pub(super) fn play(&mut self, events: &[MarketEvent], stage: &mut Stage<'_>) {
        for taken in stage.market.drain_taken() {
            self.touched.push((taken.side, taken.price));
            if !stage.rules.restores() {
                *self.offsets.entry((taken.side, taken.price)).or_default() -= taken.lots.cast_signed();
            }
        }
        let (history, unit) = (&*stage.history, stage.rules.unit);
        stage.agents.follow(stage.market, |side, price| history.quantity_at(side, price).0 as f64 * unit);
        for event in events {
            self.event(event, stage);
        }
        self.settle(stage);
    }

    fn event(&mut self, event: &MarketEvent, stage: &mut Stage<'_>) {
        match (event.kind, event.side) {
            (Kind::Level, Some(side)) => self.level(event, side, stage),
            (Kind::Trade, side) if !self.stale => {
                let price = event.price;
                let seen = |side: Side| {
                    let opposite = stage.history.best_price(side.opposite());
                    opposite.is_some_and(|opposite| reaches(side, price, opposite))
                };
                // A feed that does not say who was the aggressor: whoever found somebody at that price.
                let aggressor = side.or_else(|| Side::BOTH.into_iter().find(|&side| seen(side)));
                if let Some(aggressor) = aggressor {
                    self.trade(event, aggressor, stage);
                }
            }
            (Kind::Clear | Kind::SnapshotBegin, _) => {
                for side in Side::BOTH {
                    self.touched.extend(stage.history.levels(side).map(|(price, _)| (side, price)));
                }
                let _ = apply(stage.history, event);
                self.cleared = true;
                self.stale |= event.kind == Kind::SnapshotBegin;
            }
            (Kind::Gap, _) => self.stale = true,
            (Kind::SnapshotEnd, _) => {
                self.stale = false;
                // History has gone on while nothing was known of it.
                for side in Side::BOTH {
                    if let Some((price, lots)) = stage.history.best(side) {
                        self.reach(side, price, lots.0, stage);
                    }
                }
            }
            _ => {}
        }
    }

    /// Levels that were cleared, and have not come back, leave nothing ahead of an agent's order, and nothing that agents changed.
    fn forget_cleared(&mut self, stage: &mut Stage<'_>) {
        if !std::mem::take(&mut self.cleared) {
            return;
        }
        let Stage { history, agents, rules, .. } = stage;
        for order in agents.iter_mut() {
            order.queue.cap(history.quantity_at(order.side, order.price).0 as f64 * rules.unit);
        }
        self.offsets.retain(|&(side, price), _| !history.quantity_at(side, price).is_zero());
    }

    /// All lots at a price are now so many.
    fn level(&mut self, event: &MarketEvent, side: Side, stage: &mut Stage<'_>) {
        let price = event.price;
        let before = stage.history.quantity_at(side, price);
        let best_before = stage.history.best_price(side);
        if apply(stage.history, event).is_err() {
            return;
        }
        self.touched.push((side, price));
        let (after, rules) = (event.quantity, stage.rules);
        if after > before && !event.has(MarketEvent::SNAPSHOT) {
            stage.market.count_limit_order(side, rules.traded((after.0 - before.0) as f64));
        }
        for order in stage.agents.iter_mut().filter(|order| order.side == side && order.price == price) {
            order.queue.level(rules.queue, before.0 as f64 * rules.unit, after.0 as f64 * rules.unit);
        }
        if after.is_zero() {
            self.offsets.remove(&(side, price));
            return;
        }
        let improved = best_before.is_none_or(|best| best != price && reaches(side, price, best));
        if improved && !self.stale {
            self.reach(side, price, after.0, stage);
        }
    }

    /// The best price of a side is such: history has gone through the agents' orders that it reaches, and they have traded.
    fn reach(&mut self, side: Side, price: Price, lots: u64, stage: &mut Stage<'_>) {
        let rules = stage.rules;
        let mut volume = lots as f64;
        while let Some(index) =
            stage.agents.position(|order| order.side != side && reaches(side, price, order.price))
        {
            if rules.restores() {
                stage.agents.fill(index, u64::MAX, stage.market);
                continue;
            }
            let taken = stage.agents.trade(index, volume, rules.multiple, stage.market);
            volume -= taken;
            *self.offsets.entry((side, price)).or_default() -= rules.traded(taken).cast_signed();
            if volume <= 0.0 {
                break;
            }
        }
    }

    /// An aggressive order trades at a price.
    fn trade(&mut self, event: &MarketEvent, aggressor: Side, stage: &mut Stage<'_>) {
        let (side, price, rules) = (aggressor.opposite(), event.price, stage.rules);
        let mut volume = event.quantity.0 as f64;
        stage.market.count_market_order(aggressor, rules.traded(volume));
        // What is offered at better prices was reached first.
        while let Some(index) = stage.agents.position(|order| order.side == side && order.better_than(price))
        {
            if rules.restores() {
                stage.agents.fill(index, u64::MAX, stage.market);
            } else {
                volume -= stage.agents.trade(index, volume, rules.multiple, stage.market);
                if volume <= 0.0 {
                    break;
                }
            }
        }
        let lot = rules.unit * rules.multiple;
        let mut from = 0;
        while let Some(index) =
            stage.agents.position_from(from, |order| order.side == side && order.price == price)
        {
            let order = stage.agents.get_mut(index);
            order.queue.trade(volume * rules.unit);
            let reached = order.queue.take_reached(lot);
            let stays = reached < order.lots;
            let filled = stage.agents.fill(index, reached, stage.market);
            volume = (volume - filled as f64 * rules.multiple).max(0.0);
            if !rules.restores() && filled > 0 {
                *self.offsets.entry((side, price)).or_default() += filled.cast_signed();
            }
            from = index + usize::from(stays);
        }
        self.print(side, price, rules.traded(volume), stage);
    }

    /// The crowd's part of a trade: first come, first served. The level itself follows history, which has yet to report it.
    fn print(&mut self, side: Side, price: Price, lots: u64, stage: &mut Stage<'_>) {
        let mut rest = lots;
        while rest > 0 {
            let first = stage.market.book().orders_at(side, price).find(|order| order.owner == CROWD);
            let Some(first) = first else { break };
            let traded = stage.market.execute(first.handle, Quantity(rest));
            if traded == 0 {
                break;
            }
            rest -= traded;
        }
        stage.market.count_traded(rest);
        self.touched.push((side, price));
    }

    /// Brings the touched levels of the book to what they should be: first what goes, then what comes. What would trade with an agent's order waits.
    fn settle(&mut self, stage: &mut Stage<'_>) {
        if self.stale {
            return;
        }
        self.forget_cleared(stage);
        if self.touched.is_empty() {
            return;
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable_by_key(|&(side, price)| (side as u8, price));
        touched.dedup();
        for &(side, price) in &touched {
            self.shrink(side, price, stage);
        }
        touched.retain(|&(side, price)| !self.grow(side, price, stage));
        self.touched = touched;
    }

    /// Lots of the crowd that should be there.
    fn target(&self, side: Side, price: Price, stage: &Stage<'_>) -> u64 {
        let lots = stage.rules.scaled(stage.history.quantity_at(side, price).0);
        let offset = if self.offsets.is_empty() { None } else { self.offsets.get(&(side, price)) };
        offset.map_or(lots, |&offset| lots.saturating_add_signed(offset))
    }

    /// Takes lots of the crowd out of a level, so that each agent's order has ahead of it what its estimate says.
    fn shrink(&mut self, side: Side, price: Price, stage: &mut Stage<'_>) {
        let target = self.target(side, price, stage);
        let at_price = |order: &super::agents::AgentOrder| order.side == side && order.price == price;
        if !stage.agents.iter().any(at_price) {
            let there = stage.market.book().quantity_at(side, price).0;
            if let Some(surplus) = there.checked_sub(target).filter(|&surplus| surplus > 0) {
                // Refused only for owners and quantities that do not exist.
                let _ = stage.market.cancel_quantity(CROWD, side, price, Quantity(surplus));
            }
            return;
        }
        self.queue.clear();
        let orders = stage.market.book().orders_at(side, price);
        self.queue.extend(orders.map(|order| match order.owner {
            CROWD => (Some(order.handle), order.visible.0),
            _ => {
                let known = stage.agents.iter().find(|known| known.handle == order.handle);
                let lot = stage.rules.unit * stage.rules.multiple;
                let front = known.map_or(f64::INFINITY, |known| known.queue.front / lot);
                (None, (front.max(0.0).round() as u64).min(target))
            }
        }));
        self.queue.push((None, target));
        // `ahead`: lots of the crowd ahead of here; those in `from..index` may still go.
        let (mut ahead, mut from) = (0, 0);
        for index in 0..self.queue.len() {
            let (handle, lots) = self.queue[index];
            if handle.is_some() {
                ahead += lots;
                continue;
            }
            // Newest first, as in a level without agents.
            for back in (from..index).rev() {
                let surplus = ahead.saturating_sub(lots);
                let (Some(handle), there) = self.queue[back] else { continue };
                let leaves = there.min(surplus);
                if leaves == 0 {
                    continue;
                }
                let done = if leaves == there {
                    stage.market.cancel(CROWD, handle).is_ok()
                } else {
                    let smaller = Amendment::quantity(Quantity(there - leaves));
                    stage.market.amend(CROWD, handle, smaller).is_ok()
                };
                if done {
                    self.queue[back].1 -= leaves;
                    ahead -= leaves;
                }
            }
            from = index + 1;
        }
    }

    /// Adds what a level lacks, behind all others. False if that has to wait.
    fn grow(&self, side: Side, price: Price, stage: &mut Stage<'_>) -> bool {
        let target = self.target(side, price, stage);
        let book = stage.market.book();
        let there = if stage.agents.iter().any(|order| order.side == side && order.price == price) {
            book.orders_at(side, price)
                .filter(|order| order.owner == CROWD)
                .map(|order| order.visible.0)
                .sum()
        } else {
            book.quantity_at(side, price).0
        };
        if there >= target {
            return true;
        }
        if stage.would_cross(side, price) {
            return false;
        }
        // Refused only beyond the book's limits; then there is nothing to wait for.
        stage.market.put_back(side, price, Quantity(target - there));
        true
    }
}

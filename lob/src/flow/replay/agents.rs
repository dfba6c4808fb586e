//! The agents' orders in a replayed book, and what they are owed of what trades.

use super::QueueState;
use crate::sim::Market;
use crate::{Handle, Price, Quantity, Side};

/// No count of requests: the book has to be read.
const UNSEEN: u64 = u64::MAX;

/// An agent's resting order.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentOrder {
    pub(super) handle: Handle,
    pub(super) side: Side,
    pub(super) price: Price,
    /// Lots of the market that are open.
    pub(super) lots: u64,
    /// Its estimated place; meaningless where places are exact.
    pub(super) queue: QueueState,
    /// Lots of the file that traded with it and do not make a lot of the market yet.
    owed: f64,
}

impl AgentOrder {
    /// True if it stands at a better price than `price`.
    pub(super) fn better_than(&self, price: Price) -> bool {
        match self.side {
            Side::Buy => self.price > price,
            Side::Sell => self.price < price,
        }
    }
}

/// All resting orders of agents, per side best price first, then longest wait.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentOrders {
    orders: Vec<AgentOrder>,
    /// The market's count of requests of others than the crowd when this was right.
    seen: u64,
    found: Vec<AgentOrder>,
}

impl AgentOrders {
    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.seen = UNSEEN;
    }

    /// Orders have traded in the book by themselves.
    pub(super) fn look_again(&mut self) {
        self.seen = UNSEEN;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AgentOrder> {
        self.orders.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut AgentOrder> {
        self.orders.iter_mut()
    }

    /// Brings the table up to date with what agents have done. `front`: what history has at a price, in units of the instrument.
    pub(super) fn follow(&mut self, market: &Market, front: impl Fn(Side, Price) -> f64) {
        // A stop of theirs may fire at any trade.
        let stops = Side::BOTH.into_iter().any(|side| market.book().stops(side).next().is_some());
        if self.seen == market.foreign_requests() && !stops {
            return;
        }
        self.seen = market.foreign_requests();
        self.found.clear();
        for owner in market.agents() {
            for order in market.book().orders_of(owner) {
                let lots = order.visible.0 + order.hidden.0;
                let known = self.orders.iter().find(|known| known.handle == order.handle);
                // An order that has moved or grown has gone to the back of its queue.
                let kept = known.filter(|known| known.price == order.price && lots <= known.lots);
                self.found.push(match kept {
                    Some(known) => AgentOrder { lots, ..*known },
                    None => AgentOrder {
                        handle: order.handle,
                        side: order.side,
                        price: order.price,
                        lots,
                        queue: QueueState::behind(front(order.side, order.price)),
                        owed: 0.0,
                    },
                });
            }
        }
        std::mem::swap(&mut self.orders, &mut self.found);
        // Orders of one price stay in the order in which they were sent, by their owner's list.
        self.orders.sort_by_key(|order| match order.side {
            Side::Buy => (0, -order.price.0),
            Side::Sell => (1, order.price.0),
        });
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut AgentOrder {
        &mut self.orders[index]
    }

    /// Index of the first order from `from` on for which `is_due` holds.
    pub(super) fn position_from(
        &self,
        from: usize,
        is_due: impl FnMut(&AgentOrder) -> bool,
    ) -> Option<usize> {
        self.orders.get(from..)?.iter().position(is_due).map(|index| from + index)
    }

    /// Index of the first order for which `is_due` holds.
    pub(super) fn position(&self, is_due: impl FnMut(&AgentOrder) -> bool) -> Option<usize> {
        self.orders.iter().position(is_due)
    }

    /// Up to `volume` lots of the file, of which `multiple` make one of the market, trade with the order; returns how many did.
    pub(super) fn trade(&mut self, index: usize, volume: f64, multiple: f64, market: &mut Market) -> f64 {
        let order = &mut self.orders[index];
        let taken = volume.min(order.lots as f64 * multiple - order.owed);
        order.owed += taken;
        let lots = ((order.owed / multiple + 1e-9).floor() as u64).min(order.lots);
        order.owed -= lots as f64 * multiple;
        self.fill(index, lots, market);
        taken
    }

    /// The order trades so many lots of the market, at its price. Returns how many there were.
    pub(super) fn fill(&mut self, index: usize, lots: u64, market: &mut Market) -> u64 {
        let order = &mut self.orders[index];
        let wanted = lots.min(order.lots);
        let mut rest = wanted;
        // An iceberg shows one slice after the other.
        while rest > 0 {
            let traded = market.execute(order.handle, Quantity(rest));
            if traded == 0 {
                order.lots = 0;
                break;
            }
            order.lots -= traded;
            rest -= traded;
        }
        if order.lots == 0 {
            self.orders.remove(index);
        }
        wanted - rest
    }
}

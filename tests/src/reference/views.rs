//! Questions about the naive book, each answered by a walk over all orders.

use lob::{
    BookConfig, Handle, Nanos, OrderView, Owner, Price, Quantity, QueuePosition, SelfTradePrevention, Side,
    StopView, Sweep,
};

use super::matching::rank;
use super::{Order, Reference};

impl Order {
    fn order_view(&self) -> OrderView {
        OrderView {
            handle: self.handle,
            owner: self.owner,
            side: self.side,
            price: self.price.expect("a resting order has a limit"),
            visible: Quantity(self.visible),
            hidden: Quantity(self.hidden),
            display: self.display,
            expiry: self.expiry(),
            post_only: self.post_only,
        }
    }

    fn stop_view(&self) -> StopView {
        StopView {
            handle: self.handle,
            owner: self.owner,
            side: self.side,
            stop: self.stop.expect("a pending stop has a trigger"),
            price: self.price,
            quantity: Quantity(self.open()),
            display: self.display,
            time_in_force: self.time_in_force,
            post_only: self.post_only,
        }
    }
}

impl Reference {
    /// The configuration.
    pub fn config(&self) -> &BookConfig {
        &self.config
    }

    /// An owner's mode of self-trade prevention.
    pub fn self_trade_prevention(&self, owner: Owner) -> SelfTradePrevention {
        let own = self.modes.iter().find(|(other, _)| *other == owner);
        own.map_or(self.config.self_trade_prevention, |(_, mode)| *mode)
    }

    /// The clock.
    pub fn clock(&self) -> Nanos {
        self.clock
    }

    /// Price of the last trade.
    pub fn last_trade(&self) -> Option<Price> {
        self.last_trade
    }

    /// Handles of all live orders: resting in order of arrival in the queues, then pending stops.
    pub fn handles(&self) -> impl Iterator<Item = Handle> {
        self.live().map(|order| order.handle)
    }

    /// Live orders, pending stops included.
    pub fn order_count(&self) -> usize {
        self.live().count()
    }

    /// Open lots of a side: visible, hidden and pending.
    pub fn open_quantity(&self, side: Side) -> Quantity {
        Quantity(self.open(side) as u64)
    }

    /// All resting orders of a side in the order in which they would trade if none were replenished.
    pub fn side(&self, side: Side) -> Vec<OrderView> {
        let mut orders: Vec<OrderView> =
            self.resting.iter().filter(|order| order.side == side).map(Order::order_view).collect();
        orders.sort_by_key(|order| rank(side, order.price));
        orders
    }

    /// Best price of a side.
    pub fn best(&self, side: Side) -> Option<Price> {
        self.side(side).first().map(|order| order.price)
    }

    /// Orders of a level in queue order.
    pub fn orders_at(&self, side: Side, price: Price) -> Vec<OrderView> {
        self.side(side).into_iter().filter(|order| order.price == price).collect()
    }

    /// Visible lots at a price.
    pub fn quantity_at(&self, side: Side, price: Price) -> Quantity {
        Quantity(self.orders_at(side, price).iter().map(|order| order.visible.0).sum())
    }

    /// Non-empty levels from the best outwards: price, visible lots, orders.
    pub fn levels(&self, side: Side) -> Vec<(Price, Quantity, usize)> {
        let mut prices: Vec<Price> = self.side(side).iter().map(|order| order.price).collect();
        prices.dedup();
        prices
            .into_iter()
            .map(|price| (price, self.quantity_at(side, price), self.orders_at(side, price).len()))
            .collect()
    }

    /// Visible lots at own best, one tick behind it, and so on for `n` ticks; zeros if the side is empty.
    pub fn depth_from_own_best(&self, side: Side, n: usize) -> Vec<Quantity> {
        let Some(best) = self.best(side) else { return vec![Quantity::ZERO; n] };
        self.depth(side, n, rank(side, best))
    }

    /// Visible lots of `side` at 1, 2, ... `n` ticks from the opposite best; zeros if the opposite side is empty.
    pub fn depth_from_opposite_best(&self, side: Side, n: usize) -> Vec<Quantity> {
        let Some(opposite) = self.best(side.opposite()) else { return vec![Quantity::ZERO; n] };
        self.depth(side, n, rank(side, opposite) + 1)
    }

    fn depth(&self, side: Side, n: usize, first_rank: i128) -> Vec<Quantity> {
        let mut out = vec![Quantity::ZERO; n];
        for (price, quantity, _) in self.levels(side) {
            if let Ok(index) = usize::try_from(rank(side, price) - first_rank)
                && index < n
            {
                out[index] = quantity;
            }
        }
        out
    }

    /// Resting orders of an owner in order of acceptance.
    pub fn orders_of(&self, owner: Owner) -> Vec<OrderView> {
        let mut orders: Vec<&Order> = self.resting.iter().filter(|order| order.owner == owner).collect();
        orders.sort_by_key(|order| order.accepted);
        orders.into_iter().map(Order::order_view).collect()
    }

    /// Pending stops of an owner in order of acceptance.
    pub fn stops_of(&self, owner: Owner) -> Vec<StopView> {
        let mut orders: Vec<&Order> = self.stops.iter().filter(|order| order.owner == owner).collect();
        orders.sort_by_key(|order| order.accepted);
        orders.into_iter().map(Order::stop_view).collect()
    }

    /// Pending stops of a side in the order in which they would fire.
    pub fn stops(&self, side: Side) -> Vec<StopView> {
        self.stops_in_firing_order(side).into_iter().map(Order::stop_view).collect()
    }

    /// A resting order.
    pub fn order(&self, handle: Handle) -> Option<OrderView> {
        self.resting.iter().find(|order| order.handle == handle).map(Order::order_view)
    }

    /// A pending stop.
    pub fn pending_stop(&self, handle: Handle) -> Option<StopView> {
        self.stops.iter().find(|order| order.handle == handle).map(Order::stop_view)
    }

    /// What stands before a resting order.
    pub fn queue_position(&self, handle: Handle) -> Option<QueuePosition> {
        let order = self.order(handle)?;
        let queue = self.orders_at(order.side, order.price);
        let ahead: Vec<&OrderView> = queue.iter().take_while(|other| other.handle != handle).collect();
        Some(QueuePosition {
            quantity_ahead: Quantity(ahead.iter().map(|other| other.visible.0).sum()),
            orders_ahead: ahead.len() as u64,
        })
    }

    /// What a market order of `side` and `quantity` would do, hidden lots included, nobody's own.
    pub fn sweep(&self, side: Side, quantity: Quantity) -> Sweep {
        let mut sweep = Sweep { filled: Quantity::ZERO, notional: 0, worst: None, levels: 0 };
        for order in self.side(side.opposite()) {
            let open = order.visible.0 + order.hidden.0;
            let filled = open.min(quantity.0 - sweep.filled.0);
            if filled == 0 {
                break;
            }
            if sweep.worst != Some(order.price) {
                sweep.levels += 1;
            }
            sweep.worst = Some(order.price);
            sweep.filled.0 += filled;
            sweep.notional += i128::from(order.price.0) * i128::from(filled);
        }
        sweep
    }
}

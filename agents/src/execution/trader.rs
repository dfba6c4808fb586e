//! What a strategy sees and can do.

use lob::sim::{Command, DeskId, DeskOrder, Simulator, Ticket};
use lob::{Amendment, NewOrder, Owner, Price, Quantity, Side};

use super::Task;

/// A strategy's hands and eyes at one moment of an episode. What it knows of its own orders is what has been reported to it; its commands
/// travel with its latency.
pub struct Trader<'a> {
    pub(super) sim: &'a mut Simulator,
    pub(super) desk: DeskId,
    pub(super) task: &'a Task,
    /// Lots that others traded since t = 0.
    pub(super) volume_of_others: u64,
}

impl Trader<'_> {
    /// The task.
    pub fn task(&self) -> &Task {
        self.task
    }

    /// Time in seconds, from 0 to the horizon.
    pub fn time(&self) -> f64 {
        self.sim.market().now()
    }

    /// Lots not filled yet, as far as reported.
    pub fn remaining(&self) -> u64 {
        self.task.lots.saturating_sub(self.filled())
    }

    /// Lots filled so far, as far as reported.
    pub fn filled(&self) -> u64 {
        self.sim.desk(self.desk).filled()
    }

    /// Own orders that may still trade, oldest first.
    pub fn orders(&self) -> &[DeskOrder] {
        self.sim.desk(self.desk).orders()
    }

    /// Lots of own orders that may still trade.
    pub fn working(&self) -> u64 {
        self.orders().iter().map(|order| order.open.0).sum()
    }

    /// Lots neither filled nor in an order.
    pub fn idle(&self) -> u64 {
        self.remaining().saturating_sub(self.working())
    }

    /// Lots that others have traded among themselves since t = 0: what a participation rate refers to.
    pub fn volume_of_others(&self) -> u64 {
        self.volume_of_others
    }

    /// The best price of the own side: for a sale the best ask.
    pub fn near_touch(&self) -> Option<Price> {
        self.sim.market().book().best(self.task.side)
    }

    /// The best price of the other side: for a sale the best bid.
    pub fn far_touch(&self) -> Option<Price> {
        self.sim.market().book().best(self.task.side.opposite())
    }

    /// The price `ticks` away from the far touch on the passive side: for a sale, best bid + `ticks`.
    pub fn passive(&self, ticks: i64) -> Option<Price> {
        Some(self.task.passive(self.far_touch()?, ticks))
    }

    /// True if `a` is a more passive price than `b`: for a sale, higher.
    pub fn is_more_passive(&self, a: Price, b: Price) -> bool {
        match self.task.side {
            Side::Sell => a > b,
            Side::Buy => a < b,
        }
    }

    /// Places a limit order of up to `lots`, never more than is idle. Nothing happens for 0 lots.
    pub fn place_limit(&mut self, price: Price, lots: u64) -> Option<Ticket> {
        let quantity = Quantity(lots.min(self.idle()));
        let order = NewOrder::limit(Owner(0), self.task.side, price, quantity);
        (quantity.0 > 0).then(|| self.sim.submit(self.desk, order))
    }

    /// Sends a market order of up to `lots`, never more than is idle. Nothing happens for 0 lots.
    pub fn send_market(&mut self, lots: u64) -> Option<Ticket> {
        let quantity = Quantity(lots.min(self.idle()));
        let order = NewOrder::market(Owner(0), self.task.side, quantity);
        (quantity.0 > 0).then(|| self.sim.submit(self.desk, order))
    }

    /// Cancels one order.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.sim.send(self.desk, Command::Cancel(ticket));
    }

    /// Cancels all own orders.
    pub fn cancel_all(&mut self) {
        self.sim.send(self.desk, Command::CancelAll(None));
    }

    /// Moves an order to another price.
    pub fn amend_price(&mut self, ticket: Ticket, price: Price) {
        self.sim.send(self.desk, Command::Amend(ticket, Amendment::price(price)));
    }
}

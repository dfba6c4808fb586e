//! An agent's desk: its orders on their way to the book, in it, and what it has been told about them.

use slab::Slab;

use super::{Latency, LatencyModel, Market, SimRng};
use crate::{Amendment, Event, Handle, NewOrder, OrderKind, Owner, Price, Quantity, RejectReason, Side};

/// An agent's own name for one of its orders: consecutive numbers from 0 in each session. Known at once, while the engine's handle
/// is not before the order has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// What an agent asks for. The owner of a submitted order is filled in by the desk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// A new order, under a ticket that the desk has given out.
    Submit(Ticket, NewOrder),
    /// Cancels one order.
    Cancel(Ticket),
    /// Changes one order.
    Amend(Ticket, Amendment),
    /// Cancels up to so many lots of the agent's at a price, newest first.
    CancelQuantity(Side, Price, Quantity),
    /// Cancels all of the agent's orders, of one side if given.
    CancelAll(Option<Side>),
}

/// What an agent is told, `at` (s) the event happened; it learns of it later by the report's latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// When it happened, in seconds.
    pub at: f64,
    /// Which order; `None` for a refused command that named none.
    pub ticket: Option<Ticket>,
    /// What happened.
    pub news: News,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// It entered the engine.
    Accepted,
    /// It, or a command about it, was refused.
    Rejected(RejectReason),
    /// It traded.
    Filled {
        /// Price in ticks.
        price: Price,
        /// Lots.
        quantity: Quantity,
        /// True if it was resting.
        maker: bool,
    },
    /// Lots were taken out of it.
    Cancelled(Quantity),
    /// Its open size is now this.
    Amended(Quantity),
    /// It reached its time.
    Expired,
    /// Its stop fired.
    Triggered,
}

/// An order as its agent knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeskOrder {
    /// Its name.
    pub ticket: Ticket,
    /// Buy or sell.
    pub side: Side,
    /// Limit price in ticks; `None` for market orders.
    pub price: Option<Price>,
    /// Lots that may still trade, as far as the agent knows.
    pub open: Quantity,
}

/// A letter between agent and book.
#[derive(Clone, Copy, Debug)]
pub(super) enum Letter {
    Order { desk: usize, command: Command },
    Report { desk: usize, report: Report },
}

/// One agent's side of the wire.
#[derive(Clone, Debug)]
pub struct Desk {
    owner: Owner,
    latency: Latency,
    rng: SimRng,
    /// Handle of each ticket, once its order has arrived.
    handles: Vec<Option<Handle>>,
    /// Ticket by slot of the engine's arena.
    tickets: Vec<Option<Ticket>>,
    orders: Vec<DeskOrder>,
    inbox: Vec<Report>,
    filled: u64,
    /// Arrival of the latest letter each way: letters do not overtake each other, as on one connection.
    last_order_arrival: f64,
    last_report_arrival: f64,
}

impl Desk {
    pub(super) fn new(owner: Owner, latency: Latency, rng: SimRng) -> Self {
        Self {
            owner,
            latency,
            rng,
            handles: Vec::new(),
            tickets: Vec::new(),
            orders: Vec::new(),
            inbox: Vec::new(),
            filled: 0,
            last_order_arrival: f64::NEG_INFINITY,
            last_report_arrival: f64::NEG_INFINITY,
        }
    }

    /// Forgets the session; keeps its memory.
    pub(super) fn reset(&mut self, rng: SimRng) {
        self.rng = rng;
        self.handles.clear();
        self.tickets.clear();
        self.orders.clear();
        self.inbox.clear();
        self.filled = 0;
        self.last_order_arrival = f64::NEG_INFINITY;
        self.last_report_arrival = f64::NEG_INFINITY;
    }

    /// Owner number of the agent's orders.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The agent's orders that may still trade, as far as it knows, oldest first; orders on their way are among them.
    pub fn orders(&self) -> &[DeskOrder] {
        &self.orders
    }

    /// Lots traded in this session, bought and sold together, as far as the agent knows.
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// The engine's handle of an order, once it has arrived and been accepted.
    pub fn handle(&self, ticket: Ticket) -> Option<Handle> {
        self.handles.get(ticket.0 as usize).copied().flatten()
    }

    /// Orders sent in this session: their tickets are the numbers below it.
    pub fn sent(&self) -> u32 {
        self.handles.len() as u32
    }

    /// Hands out what the agent has been told since it last asked, oldest first.
    pub fn take_reports(&mut self) -> std::vec::Drain<'_, Report> {
        self.inbox.drain(..)
    }

    /// The ticket of the next order.
    pub(super) fn issue(&mut self, order: &NewOrder) -> Ticket {
        let ticket = Ticket(self.handles.len() as u32);
        self.handles.push(None);
        let price = match order.kind {
            OrderKind::Limit { price } | OrderKind::StopLimit { price, .. } => Some(price),
            OrderKind::Market | OrderKind::Stop { .. } => None,
        };
        self.orders.push(DeskOrder { ticket, side: order.side, price, open: order.quantity });
        ticket
    }

    /// When a command sent now reaches the book.
    pub(super) fn order_arrival(&mut self, now: f64) -> f64 {
        let arrival = now + self.latency.order_seconds(&mut self.rng);
        self.last_order_arrival = arrival.max(self.last_order_arrival);
        self.last_order_arrival
    }

    /// When a report written now reaches the agent.
    pub(super) fn report_arrival(&mut self, now: f64) -> f64 {
        let arrival = now + self.latency.report_seconds(&mut self.rng);
        self.last_report_arrival = arrival.max(self.last_report_arrival);
        self.last_report_arrival
    }

    /// When the last letter posted so far arrives, in seconds.
    pub(super) fn latest_arrival(&self) -> Option<f64> {
        let latest = self.last_order_arrival.max(self.last_report_arrival);
        latest.is_finite().then_some(latest)
    }

    /// Carries out a command at the book.
    pub(super) fn execute(&mut self, command: Command, market: &mut Market) -> Option<Report> {
        let at = market.now();
        let refused = |ticket, reason| Some(Report { at, ticket, news: News::Rejected(reason) });
        let unknown = RejectReason::UnknownHandle(Handle::from_bits(0));
        let handle = |desk: &Self, ticket: Ticket| {
            desk.handles.get(ticket.0 as usize).copied().flatten().ok_or(unknown)
        };
        match command {
            Command::Submit(ticket, order) => match market.submit(NewOrder { owner: self.owner, ..order }) {
                Ok(handle) => {
                    let slot = handle.slot();
                    if slot >= self.tickets.len() {
                        self.tickets.resize(slot + 1, None);
                    }
                    self.tickets[slot] = Some(ticket);
                    self.handles[ticket.0 as usize] = Some(handle);
                    None
                }
                Err(reason) => refused(Some(ticket), reason),
            },
            Command::Cancel(ticket) => {
                let result = handle(self, ticket).and_then(|handle| market.cancel(self.owner, handle));
                result.err().and_then(|reason| refused(Some(ticket), reason))
            }
            Command::Amend(ticket, amendment) => {
                let result =
                    handle(self, ticket).and_then(|handle| market.amend(self.owner, handle, amendment));
                result.err().and_then(|reason| refused(Some(ticket), reason))
            }
            Command::CancelQuantity(side, price, quantity) => {
                let result = market.cancel_quantity(self.owner, side, price, quantity);
                result.err().and_then(|reason| refused(None, reason))
            }
            Command::CancelAll(side) => {
                market.mass_cancel(self.owner, side);
                None
            }
        }
    }

    /// What an event at the book means for this agent.
    pub(super) fn translate(&self, at: f64, event: &Event) -> [Option<Report>; 2] {
        let report = |handle: Handle, news| {
            let ticket = self.tickets.get(handle.slot()).copied().flatten();
            Some(Report { at, ticket, news })
        };
        let mine = |owner: Owner| owner == self.owner;
        match *event {
            Event::Trade { maker, taker, maker_owner, taker_owner, price, quantity, .. } => [
                if mine(maker_owner) {
                    report(maker, News::Filled { price, quantity, maker: true })
                } else {
                    None
                },
                if mine(taker_owner) {
                    report(taker, News::Filled { price, quantity, maker: false })
                } else {
                    None
                },
            ],
            Event::Accepted { handle, owner, .. } if mine(owner) => [report(handle, News::Accepted), None],
            Event::Cancelled { handle, owner, quantity, .. } if mine(owner) => {
                [report(handle, News::Cancelled(quantity)), None]
            }
            Event::Amended { handle, owner, quantity, .. } if mine(owner) => {
                [report(handle, News::Amended(quantity)), None]
            }
            Event::Expired { handle, owner, .. } if mine(owner) => [report(handle, News::Expired), None],
            Event::Triggered { handle, owner } if mine(owner) => [report(handle, News::Triggered), None],
            _ => [None, None],
        }
    }

    /// The agent reads a report.
    pub(super) fn receive(&mut self, report: Report) {
        if let News::Filled { quantity, .. } = report.news {
            self.filled = self.filled.saturating_add(quantity.0);
        }
        if let Some(index) = self.orders.iter().position(|order| Some(order.ticket) == report.ticket) {
            let never_lived = self.handles[self.orders[index].ticket.0 as usize].is_none();
            let open = &mut self.orders[index].open;
            match report.news {
                News::Filled { quantity, .. } | News::Cancelled(quantity) => {
                    open.0 = open.0.saturating_sub(quantity.0);
                }
                News::Amended(quantity) => *open = quantity,
                News::Expired => *open = Quantity::ZERO,
                // A refused new order never lived; a refused command about a live one changes nothing.
                News::Rejected(_) if never_lived => *open = Quantity::ZERO,
                News::Rejected(_) | News::Accepted | News::Triggered => {}
            }
            if self.orders[index].open.is_zero() {
                self.orders.remove(index);
            }
        }
        self.inbox.push(report);
    }
}

/// The letters under way, by the number that the event queue knows them by.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail(Slab<Letter>);

impl Mail {
    pub(super) fn post(&mut self, letter: Letter) -> u32 {
        self.0.insert(letter) as u32
    }

    pub(super) fn take(&mut self, number: u32) -> Option<Letter> {
        self.0.try_remove(number as usize)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

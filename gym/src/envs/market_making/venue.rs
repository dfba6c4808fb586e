//! How messages reach the book: at once, or on a wire that takes its time.

use lob::models::{FeeConfig, Fill, Liquidity};
use lob::sim::{Command, DeskId, Market, News, Simulator, Ticket};
use lob::{Amendment, Handle, NewOrder, Owner, Price, Quantity, Side};

use super::accounts::Accounts;
use super::requote::{Message, Working};

/// Both fields at once: a changed order says what it should be, not what is different.
fn amendment(price: Price, lots: u64) -> Amendment {
    Amendment { quantity: Some(Quantity(lots)), price: Some(price), stop: None }
}

/// Carries a message out without delay. A refusal changes nothing and is seen in the book: prices beyond the book's limits are the one
/// reason.
#[inline]
pub(super) fn execute(market: &mut Market, owner: Owner, message: Message) {
    match message {
        Message::Submit { side, price, lots } => {
            let _ = market.submit(NewOrder::limit(owner, side, price, Quantity(lots)).post_only());
        }
        Message::Amend { id, price, lots } => {
            let _ = market.amend(owner, Handle::from_bits(id), amendment(price, lots));
        }
        Message::Reduce { side, price, lots } => {
            let _ = market.cancel_quantity(owner, side, price, Quantity(lots));
        }
        Message::Cancel { id } => {
            let _ = market.cancel(owner, Handle::from_bits(id));
        }
    }
}

/// An order as the maker knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    order: Working,
    /// Amendments whose answer has not come: until then `order` is what was asked for.
    unanswered: u32,
    /// Its cancellation has been sent.
    leaving: bool,
    /// A market order.
    at_market: bool,
}

/// A maker's end of the wire: what it has sent and what it has been told.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    desk: DeskId,
    /// In the order in which they should stand in a queue: one that is sent to the back goes to the end.
    known: Vec<Known>,
    /// Side by ticket.
    sides: Vec<Side>,
    /// What has been reported.
    accounts: Accounts,
}

impl Wire {
    pub(super) fn new(desk: DeskId) -> Self {
        Self { desk, known: Vec::new(), sides: Vec::new(), accounts: Accounts::default() }
    }

    /// Forgets the session; keeps its memory.
    pub(super) fn reset(&mut self) {
        self.known.clear();
        self.sides.clear();
        self.accounts.reset(0.0);
    }

    /// What is held, as far as reported.
    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The orders in the book, as far as known: what has been asked for counts as done.
    pub(super) fn working(&self, own: &mut Vec<Working>) {
        own.clear();
        let quotes = self.known.iter().filter(|known| !known.leaving && !known.at_market);
        own.extend(quotes.map(|known| known.order));
    }

    /// Lots of market orders under way: bought, sold.
    pub(super) fn under_way(&self) -> [u64; 2] {
        let mut lots = [0; 2];
        for known in self.known.iter().filter(|known| known.at_market) {
            lots[known.order.side.index()] += known.order.open;
        }
        lots
    }

    /// Sends a message.
    pub(super) fn send(&mut self, simulator: &mut Simulator, message: Message) {
        match message {
            Message::Submit { side, price, lots } => {
                // The desk fills the owner in.
                let order = NewOrder::limit(Owner(0), side, price, Quantity(lots)).post_only();
                self.submit(simulator, order, Some(price));
            }
            Message::Amend { id, price, lots } => self.amend(simulator, id, price, lots),
            Message::Reduce { side, price, mut lots } => {
                // A reduction by order, not by price: its answer then says which order it was.
                while lots > 0 {
                    let there = |known: &Known| {
                        let order = &known.order;
                        !known.leaving && order.side == side && order.price == Some(price)
                    };
                    let Some(known) = self.known.iter().rev().find(|known| there(known)) else { break };
                    let Working { id, open, .. } = known.order;
                    if open <= lots {
                        self.cancel(simulator, id);
                    } else {
                        self.amend(simulator, id, price, open - lots);
                    }
                    lots = lots.saturating_sub(open);
                }
            }
            Message::Cancel { id } => self.cancel(simulator, id),
        }
    }

    /// Sends a market order.
    pub(super) fn trade(&mut self, simulator: &mut Simulator, side: Side, lots: u64) {
        self.submit(simulator, NewOrder::market(Owner(0), side, Quantity(lots)), None);
    }

    /// Cancels all orders, of one side if given.
    pub(super) fn cancel_all(&mut self, simulator: &mut Simulator, side: Option<Side>) {
        simulator.send(self.desk, Command::CancelAll(side));
        for known in self.known.iter_mut().filter(|known| !known.at_market) {
            known.leaving |= side.is_none_or(|side| side == known.order.side);
        }
    }

    /// Plays on until everything sent has been answered.
    pub(super) fn settle(&mut self, simulator: &mut Simulator, fees: &FeeConfig) {
        simulator.settle(self.desk);
        self.read(simulator, fees);
    }

    fn submit(&mut self, simulator: &mut Simulator, order: NewOrder, price: Option<Price>) {
        let at_market = price.is_none();
        // Noted first: without delay on the way there, the desk may already have an answer.
        let id = self.sides.len() as u64;
        let working = Working { id, side: order.side, price, open: order.quantity.0 };
        self.sides.push(order.side);
        self.known.push(Known { order: working, unanswered: 0, leaving: false, at_market });
        let ticket = simulator.submit(self.desk, order);
        debug_assert_eq!(u64::from(ticket.0), id, "tickets are consecutive numbers");
    }

    fn amend(&mut self, simulator: &mut Simulator, id: u64, price: Price, lots: u64) {
        let Some(index) = self.find(id) else { return };
        let mut known = self.known[index];
        let keeps_place = known.order.price == Some(price) && lots <= known.order.open;
        (known.order.price, known.order.open) = (Some(price), lots);
        known.unanswered += 1;
        if keeps_place {
            self.known[index] = known;
        } else {
            self.known.remove(index);
            self.known.push(known);
        }
        simulator.send(self.desk, Command::Amend(Ticket(id as u32), amendment(price, lots)));
    }

    fn cancel(&mut self, simulator: &mut Simulator, id: u64) {
        if let Some(index) = self.find(id) {
            self.known[index].leaving = true;
            simulator.send(self.desk, Command::Cancel(Ticket(id as u32)));
        }
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.known.iter().position(|known| known.order.id == id)
    }

    /// Reads what has been reported.
    pub(super) fn read(&mut self, simulator: &mut Simulator, fees: &FeeConfig) {
        for report in simulator.desk_mut(self.desk).take_reports() {
            let Some(ticket) = report.ticket else { continue };
            let id = u64::from(ticket.0);
            if let News::Filled { price, quantity, maker } = report.news {
                let liquidity = if maker { Liquidity::Maker } else { Liquidity::Taker };
                let fill = Fill { side: self.sides[ticket.0 as usize], price, quantity, liquidity };
                let known = &self.known;
                let is_open = |order| known.iter().any(|known| known.order.id == order);
                self.accounts.apply(id, &fill, None, fees, is_open);
            }
            let Some(index) = self.known.iter().position(|known| known.order.id == id) else { continue };
            let known = &mut self.known[index];
            let open = &mut known.order.open;
            let mut gone = false;
            match report.news {
                News::Filled { quantity, .. } | News::Cancelled(quantity) => {
                    *open = open.saturating_sub(quantity.0);
                }
                News::Amended(quantity) => {
                    known.unanswered = known.unanswered.saturating_sub(1);
                    // An answer to an earlier wish than the latest says nothing about the latest.
                    if known.unanswered == 0 {
                        *open = quantity.0;
                    }
                }
                News::Rejected(reason) => match reason {
                    // It is what it should be.
                    lob::RejectReason::NothingToAmend => {
                        known.unanswered = known.unanswered.saturating_sub(1);
                    }
                    // It has gone, or never was.
                    lob::RejectReason::UnknownHandle(_) => gone = true,
                    // A new order that was refused has no amendments to be answered; an amendment leaves the order where it was.
                    _ if known.unanswered == 0 => gone = true,
                    _ => {
                        known.unanswered -= 1;
                        known.order.price = None;
                    }
                },
                News::Expired => gone = true,
                News::Accepted | News::Triggered => {}
            }
            // An amendment under way may yet give lots to an order that seems used up.
            if gone || (known.order.open == 0 && known.unanswered == 0) {
                self.known.remove(index);
            }
        }
    }
}

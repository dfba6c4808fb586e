//! Conservation of lots, kept from events alone: what entered is what traded, was cancelled, expired, was amended
//! away, or is still open.

use lob::{Event, Handle, OrderBook, Owner, Price, Quantity, Side};

use crate::Tally;

/// One live order as the events so far describe it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    handle: Handle,
    owner: Owner,
    side: Side,
    left: u64,
    traded: bool,
}

/// Lots of one owner.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// Accepted and amended upwards.
    entered: u128,
    traded: u128,
    /// Cancelled, expired and amended downwards.
    withdrawn: u128,
}

/// A book-keeper that reads events and owns no book.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Live orders by slot.
    entries: Vec<Option<Entry>>,
    live: usize,
    accounts: Vec<Account>,
    last_trade: Option<Price>,
}

impl Ledger {
    /// Reads one event and counts it.
    ///
    /// # Panics
    ///
    /// If the event names an order that is not live, or contradicts what earlier events left of it.
    pub fn record(&mut self, event: &Event, tally: &mut Tally) {
        tally.record(event);
        match *event {
            Event::Accepted { handle, owner, side, quantity, .. } => {
                let slot = handle.slot();
                if slot >= self.entries.len() {
                    self.entries.resize(slot + 1, None);
                }
                assert!(self.entries[slot].is_none(), "{handle} takes the slot of a live order");
                assert!(!quantity.is_zero(), "{handle} was accepted with no lots");
                self.entries[slot] = Some(Entry { handle, owner, side, left: quantity.0, traded: false });
                self.live += 1;
                self.account(owner).entered += u128::from(quantity.0);
            }
            Event::Trade {
                maker,
                taker,
                maker_owner,
                taker_owner,
                price,
                quantity,
                maker_left,
                aggressor,
            } => {
                self.last_trade = Some(price);
                for (handle, owner, side) in
                    [(maker, maker_owner, aggressor.opposite()), (taker, taker_owner, aggressor)]
                {
                    let entry = self.entry(handle, owner);
                    assert_eq!(entry.side, side, "side of {handle}");
                    if !entry.traded && entry.left > quantity.0 {
                        entry.traded = true;
                        tally.partially_filled += 1;
                    }
                    self.account(owner).traded += u128::from(quantity.0);
                    let left = self.take(handle, owner, quantity);
                    tally.filled += u64::from(left == 0);
                    if handle == maker {
                        assert_eq!(left, maker_left.0, "what is left of maker {handle}");
                    }
                }
            }
            Event::Cancelled { handle, owner, quantity, left, .. } => {
                self.account(owner).withdrawn += u128::from(quantity.0);
                assert_eq!(self.take(handle, owner, quantity), left.0, "what is left of {handle}");
            }
            Event::Expired { handle, owner, quantity } => {
                self.account(owner).withdrawn += u128::from(quantity.0);
                assert_eq!(self.take(handle, owner, quantity), 0, "what is left of {handle}");
            }
            Event::Amended { handle, owner, quantity, .. } => {
                let before = std::mem::replace(&mut self.entry(handle, owner).left, quantity.0);
                self.account(owner).entered += u128::from(quantity.0.saturating_sub(before));
                self.account(owner).withdrawn += u128::from(before.saturating_sub(quantity.0));
            }
            Event::Triggered { handle, owner } => {
                self.entry(handle, owner);
            }
            Event::Replenished { handle, owner, visible } => {
                let left = self.entry(handle, owner).left;
                assert!(visible.0 > 0 && visible.0 <= left, "{handle} shows {visible} of {left}");
            }
            Event::Rejected { .. } => {}
        }
    }

    /// Handles of the orders that should be live.
    pub fn handles(&self) -> impl Iterator<Item = Handle> {
        self.entries.iter().flatten().map(|entry| entry.handle)
    }

    /// Orders that should be live.
    pub fn order_count(&self) -> usize {
        self.live
    }

    /// Compares the book with the events it has reported: every order, every owner's lots, both sides' totals.
    pub fn check(&self, book: &OrderBook) -> Result<(), String> {
        let mut open = vec![0_u128; self.accounts.len()];
        let mut sides = [0_u128; 2];
        for entry in self.entries.iter().flatten() {
            let resting = book.order(entry.handle);
            let pending = book.pending_stop(entry.handle);
            let (owner, side, left) = match (resting, pending) {
                (Some(order), None) => (order.owner, order.side, order.visible.0 + order.hidden.0),
                (None, Some(stop)) => (stop.owner, stop.side, stop.quantity.0),
                other => return Err(format!("{} should be live once: {other:?}", entry.handle)),
            };
            if (owner, side, left) != (entry.owner, entry.side, entry.left) {
                return Err(format!("events say {entry:?}, the book {owner} {side} {left}"));
            }
            open[owner.0 as usize] += u128::from(left);
            sides[side.index()] += u128::from(left);
        }
        if self.live != book.order_count() {
            return Err(format!("events left {} orders, the book has {}", self.live, book.order_count()));
        }
        for side in Side::BOTH {
            if sides[side.index()] != u128::from(book.open_quantity(side).0) {
                return Err(format!(
                    "{side} has {} open, its orders {}",
                    book.open_quantity(side),
                    sides[side.index()]
                ));
            }
        }
        for (owner, (account, open)) in self.accounts.iter().zip(open).enumerate() {
            if account.entered != account.traded + account.withdrawn + open {
                return Err(format!("owner {owner}: {account:?} does not add up with {open} open"));
            }
        }
        if self.last_trade != book.last_trade() {
            return Err(format!("last trade {:?}, the book says {:?}", self.last_trade, book.last_trade()));
        }
        Ok(())
    }

    fn account(&mut self, owner: Owner) -> &mut Account {
        let index = owner.0 as usize;
        if index >= self.accounts.len() {
            self.accounts.resize(index + 1, Account::default());
        }
        &mut self.accounts[index]
    }

    fn entry(&mut self, handle: Handle, owner: Owner) -> &mut Entry {
        let entry = self.entries.get_mut(handle.slot()).and_then(Option::as_mut);
        let entry = entry.unwrap_or_else(|| panic!("an event names {handle}, which is not live"));
        assert_eq!((entry.handle, entry.owner), (handle, owner), "who an event is about");
        entry
    }

    /// Takes lots out of an order, ends it if none are left, and returns how many are.
    fn take(&mut self, handle: Handle, owner: Owner, quantity: Quantity) -> u64 {
        let entry = self.entry(handle, owner);
        assert!(
            quantity.0 > 0 && quantity.0 <= entry.left,
            "{quantity} taken out of {handle}, which has {}",
            entry.left
        );
        entry.left -= quantity.0;
        let left = entry.left;
        if left == 0 {
            self.entries[handle.slot()] = None;
            self.live -= 1;
        }
        left
    }
}

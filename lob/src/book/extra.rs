//! What few orders have: hidden lots, an expiry, the terms of a stop. Kept beside the arena so that plain orders
//! stay small, with the queue of expiries: a binary heap whose entries know their place, so that an order that ends early
//! leaves it at once.

use slab::Slab;

use crate::{Nanos, Price, Quantity, TimeInForce};

#[derive(Clone, Debug)]
pub(super) struct Extra {
    pub(super) hidden: u64,
    pub(super) display: Option<Quantity>,
    /// Time in force: of a resting order GTC or GTD, of a pending stop any.
    pub(super) time_in_force: TimeInForce,
    /// A pending stop's limit; `None` for a market order.
    pub(super) limit: Option<Price>,
    /// Where the expiry heap holds this order, if it does.
    heap_index: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Expiry {
    at: Nanos,
    /// Order of acceptance among orders with an expiry.
    sequence: u64,
    slot: u32,
    extra: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    slab: Slab<Extra>,
    heap: Vec<Expiry>,
    next_sequence: u64,
}

impl Extras {
    /// Forgets everything; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slab.clear();
        self.heap.clear();
        self.next_sequence = 0;
    }

    pub(super) fn insert(
        &mut self,
        hidden: u64,
        display: Option<Quantity>,
        time_in_force: TimeInForce,
        limit: Option<Price>,
    ) -> u32 {
        self.slab.insert(Extra { hidden, display, time_in_force, limit, heap_index: None }) as u32
    }

    pub(super) fn get(&self, index: u32) -> &Extra {
        &self.slab[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Extra {
        &mut self.slab[index as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.unschedule(index);
        self.slab.remove(index as usize);
    }

    /// Puts an order into the queue of expiries.
    pub(super) fn schedule(&mut self, slot: u32, extra: u32, at: Nanos) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.heap.push(Expiry { at, sequence, slot, extra });
        self.rise(self.heap.len() - 1);
    }

    /// Takes an order out of the queue of expiries, if it is there.
    pub(super) fn unschedule(&mut self, extra: u32) {
        let Some(index) = self.slab[extra as usize].heap_index.take() else { return };
        let index = index as usize;
        self.heap.swap_remove(index);
        if index < self.heap.len() {
            let index = self.rise(index);
            self.sink(index);
        }
    }

    /// The slot of the order that expires first, if that is at `until` or before.
    pub(super) fn due(&self, until: Nanos) -> Option<u32> {
        self.heap.first().filter(|expiry| expiry.at <= until).map(|expiry| expiry.slot)
    }

    /// Slots in the order in which they would expire.
    pub(super) fn schedule_order(&self) -> Vec<u32> {
        let mut heap = self.heap.clone();
        heap.sort_unstable();
        heap.into_iter().map(|expiry| expiry.slot).collect()
    }

    fn place(&mut self, index: usize, expiry: Expiry) {
        self.heap[index] = expiry;
        self.slab[expiry.extra as usize].heap_index = Some(index as u32);
    }

    fn rise(&mut self, mut index: usize) -> usize {
        let expiry = self.heap[index];
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.heap[parent] <= expiry {
                break;
            }
            self.place(index, self.heap[parent]);
            index = parent;
        }
        self.place(index, expiry);
        index
    }

    fn sink(&mut self, mut index: usize) {
        let expiry = self.heap[index];
        loop {
            let mut child = 2 * index + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.heap[child + 1] < self.heap[child] {
                child += 1;
            }
            if expiry <= self.heap[child] {
                break;
            }
            self.place(index, self.heap[child]);
            index = child;
        }
        self.place(index, expiry);
    }

    /// True if every scheduled order knows its place and stands behind its parent.
    pub(super) fn heap_is_sound(&self) -> bool {
        self.heap.iter().enumerate().all(|(index, expiry)| {
            self.slab.get(expiry.extra as usize).is_some_and(|extra| extra.heap_index == Some(index as u32))
                && (index == 0 || self.heap[(index - 1) / 2] <= *expiry)
        })
    }

    /// Orders in the queue of expiries.
    pub(super) fn scheduled(&self) -> usize {
        self.heap.len()
    }
}

//! One price level: a first-in-first-out queue of orders, linked through the arena.

use super::arena::{NONE, Node};

#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) count: u32,
    /// Sum of the orders' visible lots; zero in an empty level.
    pub(super) visible: u64,
    /// Sum of the orders' hidden lots.
    pub(super) hidden: u64,
}

impl Level {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE, count: 0, visible: 0, hidden: 0 };

    /// Appends a slot to the queue. Quantities are the caller's business.
    #[inline(always)]
    pub(super) fn push_back(&mut self, nodes: &mut [Node], slot: u32) {
        let tail = self.tail;
        let node = &mut nodes[slot as usize];
        node.prev = tail;
        node.next = NONE;
        self.tail = slot;
        self.count += 1;
        if tail == NONE {
            self.head = slot;
        } else {
            nodes[tail as usize].next = slot;
        }
    }

    /// Takes a slot out of the queue. Quantities are the caller's business.
    #[inline(always)]
    pub(super) fn unlink(&mut self, nodes: &mut [Node], slot: u32) {
        let node = &nodes[slot as usize];
        let (prev, next) = (node.prev, node.next);
        if prev == NONE {
            self.head = next;
        } else {
            nodes[prev as usize].next = next;
        }
        if next == NONE {
            self.tail = prev;
        } else {
            nodes[next as usize].prev = prev;
        }
        self.count -= 1;
    }

    /// Slots of the queue, first to last.
    pub(super) fn slots<'a>(&self, nodes: &'a [Node]) -> impl Iterator<Item = u32> + 'a {
        let mut slot = self.head;
        std::iter::from_fn(move || {
            let current = (slot != NONE).then_some(slot)?;
            slot = nodes[current as usize].next;
            Some(current)
        })
    }
}

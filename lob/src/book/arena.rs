//! Storage of orders: one node a slot, a free list through the free ones, a generation in each.
//!
//! The arena is the engine's own rather than `slab::Slab` because each slot must remember its generation after its
//! order has gone, and because the generation, the links and the quantity of an order then share a cache line;
//! `docs/performance.md` has the figures of both.

use crate::{Handle, Owner, Price, Side};

/// "No slot": the end of a list.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// In the free list (or retired).
    Free,
    /// Taken by an order that is being matched and is in no queue yet.
    InFlight,
    /// In the queue of a price level.
    Resting,
    /// In the queue of a trigger price.
    Pending,
}

/// One order, on a cache line of its own. `price` is the limit of a resting order and the trigger of a pending stop.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Node {
    pub(super) price: i64,
    /// Lots shown; all lots of a pending stop.
    pub(super) visible: u64,
    /// Neighbours in the queue of the level; `next` also links the free list.
    pub(super) prev: u32,
    pub(super) next: u32,
    /// Neighbours among the live orders of the owner, in order of acceptance.
    pub(super) owner_prev: u32,
    pub(super) owner_next: u32,
    pub(super) owner: Owner,
    pub(super) generation: u32,
    /// Index of what few orders have (icebergs, expiries, stops), or `NONE`.
    pub(super) extra: u32,
    pub(super) side: Side,
    pub(super) state: State,
    pub(super) post_only: bool,
}

impl Node {
    /// True if the slot has used up its generations.
    pub(super) fn is_retired(&self) -> bool {
        self.state == State::Free && self.generation == u32::MAX
    }
}

#[derive(Clone, Debug)]
pub(super) struct Arena {
    pub(super) nodes: Vec<Node>,
    free_head: u32,
    live: usize,
}

impl Arena {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { nodes: Vec::with_capacity(capacity), free_head: NONE, live: 0 }
    }

    /// Forgets all slots; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.free_head = NONE;
        self.live = 0;
    }

    /// Slots in use.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// True if [`take`](Self::take) would fail.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.free_head == NONE && self.nodes.len() >= NONE as usize
    }

    /// Takes the slot freed last, or a new one, for an order that is about to be matched. The caller fills
    /// everything but the generation and the state.
    #[inline(always)]
    pub(super) fn take(&mut self) -> u32 {
        self.live += 1;
        let slot = self.free_head;
        if slot == NONE {
            return self.grow();
        }
        let node = &mut self.nodes[slot as usize];
        self.free_head = node.next;
        node.generation += 1;
        node.state = State::InFlight;
        slot
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let slot = self.nodes.len() as u32;
        self.nodes.push(Node {
            price: 0,
            visible: 0,
            prev: NONE,
            next: NONE,
            owner_prev: NONE,
            owner_next: NONE,
            owner: Owner(0),
            generation: 1,
            extra: NONE,
            side: Side::Buy,
            state: State::InFlight,
            post_only: false,
        });
        slot
    }

    #[inline(always)]
    pub(super) fn free(&mut self, slot: u32) {
        self.live -= 1;
        let node = &mut self.nodes[slot as usize];
        node.state = State::Free;
        // A slot that has used up its generations is retired: a handle is never given out twice.
        if node.generation != u32::MAX {
            node.next = self.free_head;
            self.free_head = slot;
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, slot: u32) -> &Node {
        &self.nodes[slot as usize]
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Node {
        &mut self.nodes[slot as usize]
    }

    #[inline]
    pub(super) fn handle(&self, slot: u32) -> Handle {
        Handle::new(slot, self.nodes[slot as usize].generation)
    }

    /// The node of a live order.
    #[inline(always)]
    pub(super) fn find(&self, handle: Handle) -> Option<&Node> {
        self.nodes
            .get(handle.slot())
            .filter(|node| node.generation == handle.generation() && node.state != State::Free)
    }

    /// Slots of the free list, the next one to be taken first.
    pub(super) fn free_slots(&self) -> impl Iterator<Item = u32> + '_ {
        let mut slot = self.free_head;
        std::iter::from_fn(move || {
            let current = (slot != NONE).then_some(slot)?;
            slot = self.nodes[current as usize].next;
            Some(current)
        })
    }

    /// An arena whose slots are all free or retired, to be filled from a snapshot: generations by slot, and the free list in
    /// the order in which it will be used. The caller marks the others as live by [`revive`](Self::revive).
    pub(super) fn from_parts(generations: &[u32], free: &[u32], capacity: usize) -> Self {
        let mut arena = Self::with_capacity(capacity.max(generations.len()));
        for &generation in generations {
            arena.grow();
            let node = arena.nodes.last_mut().expect("grow pushes a node");
            node.generation = generation;
            node.state = State::Free;
        }
        for &slot in free.iter().rev() {
            arena.nodes[slot as usize].next = arena.free_head;
            arena.free_head = slot;
        }
        arena
    }

    /// Marks a slot that is in no free list as taken.
    pub(super) fn revive(&mut self, slot: u32) {
        self.live += 1;
        self.nodes[slot as usize].state = State::InFlight;
    }
}

/// The price of a rank on a side, and the rank of a price: bids rank by price, asks by its negative, so that
/// on both sides the higher rank has priority.
#[inline(always)]
pub(super) fn rank(side: Side, price: Price) -> i64 {
    let mask = -(side as i64);
    (price.0 ^ mask) - mask
}

/// See [`rank`]; the same map leads back.
#[inline]
pub(super) fn price_of(side: Side, rank_of: i64) -> Price {
    Price(rank(side, Price(rank_of)))
}

//! Who owns what: the live orders of each owner in order of acceptance, and the owner's self-trade prevention.

use super::arena::{Arena, NONE, Node};
use crate::{Owner, SelfTradePrevention};

#[derive(Clone, Debug)]
struct Entry {
    head: u32,
    tail: u32,
    mode: Option<SelfTradePrevention>,
}

#[derive(Clone, Debug)]
pub(super) struct Owners {
    entries: Vec<Entry>,
    max: u32,
    default_mode: SelfTradePrevention,
}

impl Owners {
    pub(super) fn new(max: u32, default_mode: SelfTradePrevention) -> Self {
        Self { entries: Vec::new(), max, default_mode }
    }

    /// Forgets orders and modes; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.entries.fill(Entry { head: NONE, tail: NONE, mode: None });
    }

    /// Makes sure that the owner has an entry. False if its number is out of range.
    #[inline(always)]
    pub(super) fn admit(&mut self, owner: Owner) -> bool {
        (owner.0 as usize) < self.entries.len() || self.grow(owner)
    }

    #[cold]
    fn grow(&mut self, owner: Owner) -> bool {
        let legal = owner.0 < self.max;
        if legal {
            self.entries.resize(owner.0 as usize + 1, Entry { head: NONE, tail: NONE, mode: None });
        }
        legal
    }

    pub(super) fn in_range(&self, owner: Owner) -> bool {
        owner.0 < self.max
    }

    /// Appends an order to its owner's list.
    #[inline(always)]
    pub(super) fn link(&mut self, nodes: &mut [Node], slot: u32) {
        let entry = &mut self.entries[nodes[slot as usize].owner.0 as usize];
        let tail = std::mem::replace(&mut entry.tail, slot);
        let node = &mut nodes[slot as usize];
        node.owner_prev = tail;
        node.owner_next = NONE;
        if tail == NONE {
            entry.head = slot;
        } else {
            nodes[tail as usize].owner_next = slot;
        }
    }

    /// Takes an order out of its owner's list.
    #[inline(always)]
    pub(super) fn unlink(&mut self, nodes: &mut [Node], slot: u32) {
        let node = &nodes[slot as usize];
        let (owner, prev, next) = (node.owner, node.owner_prev, node.owner_next);
        if prev == NONE {
            self.entries[owner.0 as usize].head = next;
        } else {
            nodes[prev as usize].owner_next = next;
        }
        if next == NONE {
            self.entries[owner.0 as usize].tail = prev;
        } else {
            nodes[next as usize].owner_prev = prev;
        }
    }

    /// The first live order of an owner, or `NONE`; the rest follow by `owner_next`.
    pub(super) fn first(&self, owner: Owner) -> u32 {
        self.entries.get(owner.0 as usize).map_or(NONE, |entry| entry.head)
    }

    /// The live orders of an owner in order of acceptance.
    pub(super) fn slots<'a>(&self, arena: &'a Arena, owner: Owner) -> impl Iterator<Item = u32> + use<'a> {
        let mut slot = self.first(owner);
        std::iter::from_fn(move || {
            let current = (slot != NONE).then_some(slot)?;
            slot = arena.get(current).owner_next;
            Some(current)
        })
    }

    /// Owners with an entry.
    pub(super) fn known(&self) -> impl Iterator<Item = Owner> + use<> {
        (0..self.entries.len() as u32).map(Owner)
    }

    pub(super) fn mode(&self, owner: Owner) -> SelfTradePrevention {
        self.own_mode(owner).unwrap_or(self.default_mode)
    }

    /// The mode that the owner set itself.
    pub(super) fn own_mode(&self, owner: Owner) -> Option<SelfTradePrevention> {
        self.entries.get(owner.0 as usize).and_then(|entry| entry.mode)
    }

    /// The owner must have been admitted.
    pub(super) fn set_mode(&mut self, owner: Owner, mode: SelfTradePrevention) {
        self.entries[owner.0 as usize].mode = Some(mode);
    }
}

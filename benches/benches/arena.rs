//! `cargo bench -p lobgym-benches --bench arena`: one removal and one insertion, in ns, on 8,000 live nodes in two stores: the
//! engine's arena, and `slab::Slab` with the generations beside it.
//!
//! The arena is private to `lob`; what is here is a copy of `lob/src/book/arena.rs` without what the churn does not use.
//! Which orders go is drawn before the clock starts. Removals and insertions come in blocks, so that an insertion
//! does not simply get the slot of the removal before it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use slab::Slab;

const LIVE: usize = 8_000;
/// Removals, or insertions, in a row.
const BLOCK: usize = 32;
/// Draws of which order goes; used in a circle.
const DRAWS: usize = 1 << 18;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Free,
    InFlight,
    Resting,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Side {
    Buy,
    Sell,
}

/// The engine's node. With the slab, `generation` and `state` lie unused, and the size is the same.
#[repr(C, align(64))]
struct Node {
    price: i64,
    visible: u64,
    prev: u32,
    next: u32,
    owner_prev: u32,
    owner_next: u32,
    owner: u32,
    generation: u32,
    extra: u32,
    side: Side,
    state: State,
    post_only: bool,
}

#[derive(Clone, Copy)]
struct Handle {
    slot: u32,
    generation: u32,
}

/// What the caller says of an order.
#[derive(Clone, Copy)]
struct Order {
    price: i64,
    visible: u64,
    owner: u32,
    side: Side,
}

trait Store {
    fn new() -> Self;
    fn insert(&mut self, order: Order) -> Handle;
    /// The quantity of the order, if the handle is live.
    fn remove(&mut self, handle: Handle) -> Option<u64>;
}

struct Arena {
    nodes: Vec<Node>,
    free_head: u32,
    live: usize,
}

impl Arena {
    #[inline(always)]
    fn take(&mut self) -> u32 {
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
            owner: 0,
            generation: 1,
            extra: NONE,
            side: Side::Buy,
            state: State::InFlight,
            post_only: false,
        });
        slot
    }

    #[inline(always)]
    fn free(&mut self, slot: u32) {
        self.live -= 1;
        let node = &mut self.nodes[slot as usize];
        node.state = State::Free;
        if node.generation != u32::MAX {
            node.next = self.free_head;
            self.free_head = slot;
        }
    }
}

impl Store for Arena {
    fn new() -> Self {
        Self { nodes: Vec::with_capacity(LIVE), free_head: NONE, live: 0 }
    }

    #[inline(always)]
    fn insert(&mut self, order: Order) -> Handle {
        let slot = self.take();
        let node = &mut self.nodes[slot as usize];
        node.price = order.price;
        node.visible = order.visible;
        node.prev = NONE;
        node.next = NONE;
        node.owner_prev = NONE;
        node.owner_next = NONE;
        node.owner = order.owner;
        node.extra = NONE;
        node.side = order.side;
        node.state = State::Resting;
        node.post_only = false;
        Handle { slot, generation: node.generation }
    }

    #[inline(always)]
    fn remove(&mut self, handle: Handle) -> Option<u64> {
        let node = self
            .nodes
            .get(handle.slot as usize)
            .filter(|node| node.generation == handle.generation && node.state != State::Free)?;
        let visible = node.visible;
        self.free(handle.slot);
        Some(visible)
    }
}

/// A generation is odd while its slot is taken, so it also says whether the slot is live.
struct Slabbed {
    nodes: Slab<Node>,
    generations: Vec<u32>,
}

impl Store for Slabbed {
    fn new() -> Self {
        Self { nodes: Slab::with_capacity(LIVE), generations: Vec::with_capacity(LIVE) }
    }

    #[inline(always)]
    fn insert(&mut self, order: Order) -> Handle {
        let slot = self.nodes.insert(Node {
            price: order.price,
            visible: order.visible,
            prev: NONE,
            next: NONE,
            owner_prev: NONE,
            owner_next: NONE,
            owner: order.owner,
            generation: 0,
            extra: NONE,
            side: order.side,
            state: State::Resting,
            post_only: false,
        });
        if slot == self.generations.len() {
            self.generations.push(0);
        }
        let generation = &mut self.generations[slot];
        *generation += 1;
        Handle { slot: slot as u32, generation: *generation }
    }

    #[inline(always)]
    fn remove(&mut self, handle: Handle) -> Option<u64> {
        let slot = handle.slot as usize;
        let generation = self.generations.get_mut(slot).filter(|now| **now == handle.generation)?;
        *generation += 1;
        Some(self.nodes.remove(slot).visible)
    }
}

/// A store with [`LIVE`] orders, and their handles.
struct Churn<S> {
    store: S,
    live: Vec<Handle>,
    draws: Vec<u32>,
    next: usize,
}

impl<S: Store> Churn<S> {
    fn new() -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(20_260_101);
        // The handles are kept dense, so the n-th removal of a block finds LIVE - n of them.
        let draws = (0..DRAWS).map(|n| (rng.next_u64() % (LIVE - n % BLOCK) as u64) as u32).collect();
        let mut store = S::new();
        let live = (0..LIVE).map(|n| store.insert(order(n))).collect();
        Self { store, live, draws, next: 0 }
    }

    /// The time of `pairs` removals and as many insertions.
    fn run(&mut self, pairs: u64) -> Duration {
        let mut lots = 0;
        let mut left = pairs;
        let start = Instant::now();
        while left > 0 {
            let block = left.min(BLOCK as u64) as usize;
            for &draw in &self.draws[self.next..self.next + block] {
                let handle = self.live.swap_remove(draw as usize);
                lots += self.store.remove(handle).expect("a live order");
            }
            for n in 0..block {
                self.live.push(self.store.insert(order(self.next + n)));
            }
            self.next = (self.next + BLOCK) % DRAWS;
            left -= block as u64;
        }
        black_box(lots);
        start.elapsed()
    }
}

#[inline(always)]
fn order(n: usize) -> Order {
    Order {
        price: 10_000 + (n % 61) as i64,
        visible: 1 + (n % 10) as u64,
        owner: (n % 16) as u32,
        side: if n.is_multiple_of(2) { Side::Buy } else { Side::Sell },
    }
}

/// The same as [`slab`]'s private entry.
#[allow(dead_code)]
enum SlabEntry {
    Vacant(usize),
    Occupied(Node),
}

fn arena(criterion: &mut Criterion) {
    println!("bytes a slot: arena {}, slab {} + 4", size_of::<Node>(), size_of::<SlabEntry>());
    let mut group = criterion.benchmark_group("a removal and an insertion, 8,000 live");
    let mut arena = Churn::<Arena>::new();
    group.bench_function("arena", |bencher| bencher.iter_custom(|pairs| arena.run(pairs)));
    let mut slabbed = Churn::<Slabbed>::new();
    group.bench_function("slab and generations", |bencher| bencher.iter_custom(|pairs| slabbed.run(pairs)));
    group.finish();
    assert_eq!((arena.store.live, slabbed.store.nodes.len()), (LIVE, LIVE));
}

criterion_group!(benches, arena);
criterion_main!(benches);

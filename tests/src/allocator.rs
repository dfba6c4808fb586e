//! A global allocator that counts, for tests that assert what the engine allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    /// Without a destructor and known when compiled: reading it allocates nothing, at any time of a thread's life.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator with counters. Install it with `#[global_allocator]` in the test that needs it; such a test
/// file holds one test only, or its tests would count each other's allocations.
#[derive(Debug, Default)]
pub struct CountingAllocator {
    allocated: AtomicU64,
    freed: AtomicU64,
}

impl CountingAllocator {
    /// Counters at zero.
    pub const fn new() -> Self {
        Self { allocated: AtomicU64::new(0), freed: AtomicU64::new(0) }
    }

    /// Calls of this thread that allocated, zeroed or grew memory so far. Those of others, such as the test harness's own thread, which is
    /// at work beside a test, do not count.
    pub fn calls(&self) -> u64 {
        CALLS.get()
    }

    /// Bytes in use now.
    pub fn in_use(&self) -> u64 {
        self.allocated.load(Relaxed) - self.freed.load(Relaxed)
    }

    fn count(&self, allocated: usize, freed: usize) {
        self.allocated.fetch_add(allocated as u64, Relaxed);
        self.freed.fetch_add(freed as u64, Relaxed);
    }
}

// SAFETY: every method hands its arguments on to the system's allocator unchanged and returns what that returns, so
// the contract is the system allocator's own; the counters neither allocate nor touch the memory.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        self.count(layout.size(), 0);
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        self.count(layout.size(), 0);
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.count(0, layout.size());
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        self.count(new_size, layout.size());
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

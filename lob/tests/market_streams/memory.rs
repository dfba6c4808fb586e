//! A global allocator that knows the most memory that was in use at once. A test file that installs it holds one test at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(crate) struct Peak {
    in_use: AtomicUsize,
    most: AtomicUsize,
}

impl Peak {
    pub(crate) const fn new() -> Self {
        Self { in_use: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// Bytes in use now; the most are counted anew from here.
    pub(crate) fn begin(&self) -> usize {
        let now = self.in_use.load(Relaxed);
        self.most.store(now, Relaxed);
        now
    }

    /// The most bytes in use at once since then.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    fn add(&self, bytes: usize) {
        let now = self.in_use.fetch_add(bytes, Relaxed) + bytes;
        self.most.fetch_max(now, Relaxed);
    }
}

// SAFETY: every method hands its arguments on to the system's allocator unchanged and returns what that returns, so the contract is the
// system allocator's own; the counters neither allocate nor touch the memory.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size());
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size());
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.in_use.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both are there while the bytes move.
        self.add(new_size);
        self.in_use.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

//! From order number to slot: directly by index where numbers are dense, as those of exchanges are, by a hash map where they are not.

use hashbrown::HashMap;

use super::arena::NONE;

const PAGE_BITS: u32 = 9;
const PAGE: usize = 1 << PAGE_BITS;
const MASK: u64 = PAGE as u64 - 1;

/// Entries of the root, each for 2^18 numbers: those up to 2^32 above the first one seen are found directly. 64 KiB at most.
const MAX_ROOT: u64 = 1 << 14;

/// Entries of root and pages that are allowed for each live order: what keeps memory bounded where numbers are sparse, or orders few. A file
/// may have a book for each of thousands of instruments, and a replay keeps 64 copies of one.
const ENTRIES_AN_ORDER: usize = 128;

/// Slots by the lower bits of the order's number; or, a level up, pages by the bits above those.
#[derive(Clone, Debug)]
struct Page {
    slots: Box<[u32; PAGE]>,
    live: u32,
}

/// A tree of three levels: root, directories, pages. Directories and pages are made of the same blocks, and count alike.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderIndex {
    pages: Vec<Page>,
    /// Pages without an entry, for new use.
    free: Vec<u32>,
    /// Directory (an index into `pages`) by the number's bits above those of directories and pages, less `base`; or `NONE`.
    root: Vec<u32>,
    base: u64,
    live: usize,
    sparse: HashMap<u64, u32>,
}

/// Place of an order's page in its directory.
#[inline(always)]
const fn place_of(id: u64) -> usize {
    (id >> PAGE_BITS & MASK) as usize
}

impl OrderIndex {
    pub(super) fn clear(&mut self) {
        for page in &mut self.pages {
            page.slots.fill(NONE);
            page.live = 0;
        }
        self.free = (0..self.pages.len() as u32).collect();
        self.root.clear();
        self.live = 0;
        self.sparse.clear();
    }

    /// Orders in it.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    #[inline(always)]
    fn directory_of(&self, id: u64) -> Option<usize> {
        let at = (id >> (2 * PAGE_BITS)).wrapping_sub(self.base);
        let directory = *self.root.get(usize::try_from(at).ok()?)?;
        (directory != NONE).then_some(directory as usize)
    }

    #[inline(always)]
    fn page_of(&self, id: u64) -> Option<usize> {
        let page = self.pages[self.directory_of(id)?].slots[place_of(id)];
        (page != NONE).then_some(page as usize)
    }

    #[inline(always)]
    pub(super) fn get(&self, id: u64) -> Option<u32> {
        if let Some(page) = self.page_of(id) {
            let slot = self.pages[page].slots[(id & MASK) as usize];
            if slot != NONE {
                return Some(slot);
            }
        }
        if self.sparse.is_empty() { None } else { self.sparse.get(&id).copied() }
    }

    /// Adds an order; false, and nothing is changed, if its number is there already.
    #[inline(always)]
    pub(super) fn insert(&mut self, id: u64, slot: u32) -> bool {
        if !self.sparse.is_empty() && self.sparse.contains_key(&id) {
            return false;
        }
        let page = match self.page_of(id) {
            Some(page) => page,
            None => match self.new_page(id) {
                Some(page) => page,
                None => {
                    self.live += 1;
                    self.sparse.insert(id, slot);
                    return true;
                }
            },
        };
        let page = &mut self.pages[page];
        let entry = &mut page.slots[(id & MASK) as usize];
        if *entry != NONE {
            return false;
        }
        *entry = slot;
        page.live += 1;
        self.live += 1;
        true
    }

    #[cold]
    fn new_page(&mut self, id: u64) -> Option<usize> {
        let number = id >> (2 * PAGE_BITS);
        // The page, and a directory that it may need.
        let blocks = self.pages.len() - self.free.len() + 2;
        if blocks * PAGE > ENTRIES_AN_ORDER * (self.live + 1) {
            return None;
        }
        let first = self.root.is_empty();
        if first {
            self.base = number;
        }
        let at = number.checked_sub(self.base).filter(|&at| at < MAX_ROOT)? as usize;
        if blocks * PAGE + at > ENTRIES_AN_ORDER * (self.live + 1) {
            return None;
        }
        if at >= self.root.len() {
            self.root.resize(at + 1, NONE);
        }
        let directory = match self.root[at] {
            NONE => {
                let directory = self.take_page();
                self.root[at] = directory as u32;
                directory
            }
            directory => directory as usize,
        };
        let page = self.take_page();
        self.pages[directory].slots[place_of(id)] = page as u32;
        self.pages[directory].live += 1;
        if first {
            self.take_in_sparse();
        }
        Some(page)
    }

    /// Moves the orders that came before the first page, which are few, to where they are found faster.
    fn take_in_sparse(&mut self) {
        for (id, slot) in std::mem::take(&mut self.sparse) {
            self.live -= 1;
            // They differ, and so do the slots' places: what finds no page is sparse again.
            self.insert(id, slot);
        }
    }

    fn take_page(&mut self) -> usize {
        if let Some(page) = self.free.pop() {
            return page as usize;
        }
        self.pages.push(Page { slots: Box::new([NONE; PAGE]), live: 0 });
        self.pages.len() - 1
    }

    /// The page of an order's number has lost its last entry: it is free, and so is its directory if that was its last page.
    #[cold]
    fn free_page(&mut self, id: u64, page: usize) {
        self.free.push(page as u32);
        let Some(at) = self.directory_of(id) else { return };
        let directory = &mut self.pages[at];
        directory.slots[place_of(id)] = NONE;
        directory.live -= 1;
        if directory.live == 0 {
            self.free.push(at as u32);
            self.root[((id >> (2 * PAGE_BITS)) - self.base) as usize] = NONE;
        }
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, id: u64) -> Option<u32> {
        if let Some(at) = self.page_of(id) {
            let page = &mut self.pages[at];
            let entry = &mut page.slots[(id & MASK) as usize];
            if *entry != NONE {
                let slot = std::mem::replace(entry, NONE);
                page.live -= 1;
                self.live -= 1;
                if page.live == 0 {
                    self.free_page(id, at);
                }
                return Some(slot);
            }
        }
        if self.sparse.is_empty() {
            return None;
        }
        let slot = self.sparse.remove(&id)?;
        self.live -= 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_like_a_hash_map_for_dense_sparse_and_extreme_numbers() {
        let mut index = OrderIndex::default();
        let mut map = HashMap::new();
        let mut state = 7_u64;
        for step in 0..200_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = match state >> 61 {
                0 => state | 1,
                1 => u64::MAX - (state >> 40) % 50,
                2 => (state >> 40) % 50,
                _ => 1_000_000 + step / 2 + (state >> 40) % 3000,
            };
            if state & (1 << 33) == 0 {
                let fresh = !map.contains_key(&id);
                assert_eq!(index.insert(id, step as u32), fresh);
                map.entry(id).or_insert(step as u32);
            } else {
                assert_eq!(index.remove(id), map.remove(&id));
            }
            assert_eq!(index.get(id), map.get(&id).copied());
            assert_eq!(index.len(), map.len());
        }
        for (&id, &slot) in &map {
            assert_eq!(index.get(id), Some(slot));
        }
        index.clear();
        assert!(map.keys().all(|&id| index.get(id).is_none()));
    }

    #[test]
    fn sparse_numbers_take_memory_by_the_order() {
        let mut index = OrderIndex::default();
        for i in 0..100_000_u64 {
            index.insert(i * 40_000, i as u32);
        }
        let entries = index.pages.len() * PAGE;
        assert!(entries <= ENTRIES_AN_ORDER * index.len(), "{entries}");
        assert!(index.root.len() as u64 <= MAX_ROOT);
    }

    #[test]
    fn a_few_orders_far_apart_take_little_memory() {
        let mut index = OrderIndex::default();
        for id in [1, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 40, u64::MAX] {
            assert!(index.insert(id, id as u32 & 7));
        }
        assert_eq!((index.pages.len(), index.root.len()), (0, 0));
        // With more of them there are pages, but no long root; what was freed is used again, directories included.
        (2..400).for_each(|id| assert!(index.insert(id << 8, 1)));
        let entries = index.pages.len() * PAGE + index.root.len();
        assert!(index.pages.len() > 50 && entries <= ENTRIES_AN_ORDER * index.len(), "{entries}");
        (2..400).for_each(|id| assert!(index.remove(id << 8).is_some()));
        assert_eq!((index.len(), index.get(1), index.get(u64::MAX)), (6, Some(1), Some(7)));
        let pages = index.pages.len();
        (2..400).for_each(|id| assert!(index.insert(id << 8, 1)));
        assert!(index.pages.len() <= pages + 2, "{pages} pages, then {}", index.pages.len());
    }
}

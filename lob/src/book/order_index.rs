//! From order number to slot: directly by index where numbers are dense, as those of exchanges are, by a hash map where they are not.

use hashbrown::HashMap;

use super::arena::NONE;

const PAGE_BITS: u32 = 9;
const PAGE: usize = 1 << PAGE_BITS;
const MASK: u64 = PAGE as u64 - 1;

/// Pages that the directory can name: numbers up to 2^32 above the first one seen are found directly. 32 MiB at most.
const MAX_DIRECTORY: u64 = 1 << 23;

/// Entries of pages that are always allowed, and allowed for each live order: what keeps memory bounded where numbers are sparse.
const FREE_ENTRIES: usize = 1 << 18;
const ENTRIES_AN_ORDER: usize = 128;

#[derive(Clone, Debug)]
struct Page {
    slots: Box<[u32; PAGE]>,
    live: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct OrderIndex {
    pages: Vec<Page>,
    /// Pages without an entry, for new use.
    free: Vec<u32>,
    /// Page by number above `base`, or `NONE`.
    directory: Vec<u32>,
    base: u64,
    live: usize,
    sparse: HashMap<u64, u32>,
}

impl OrderIndex {
    pub(super) fn clear(&mut self) {
        for page in &mut self.pages {
            page.slots.fill(NONE);
            page.live = 0;
        }
        self.free = (0..self.pages.len() as u32).collect();
        self.directory.clear();
        self.live = 0;
        self.sparse.clear();
    }

    /// Orders in it.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    #[inline(always)]
    fn page_of(&self, id: u64) -> Option<usize> {
        let page = (id >> PAGE_BITS).wrapping_sub(self.base);
        let page = *self.directory.get(usize::try_from(page).ok()?)?;
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
        let number = id >> PAGE_BITS;
        if self.directory.is_empty() {
            self.base = number;
        }
        let place = number.checked_sub(self.base).filter(|&place| place < MAX_DIRECTORY)? as usize;
        let used = self.pages.len() - self.free.len();
        if used * PAGE > FREE_ENTRIES + ENTRIES_AN_ORDER * self.live {
            return None;
        }
        if place >= self.directory.len() {
            self.directory.resize(place + 1, NONE);
        }
        let page = match self.free.pop() {
            Some(page) => page as usize,
            None => {
                self.pages.push(Page { slots: Box::new([NONE; PAGE]), live: 0 });
                self.pages.len() - 1
            }
        };
        self.directory[place] = page as u32;
        Some(page)
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
                    self.free.push(at as u32);
                    self.directory[((id >> PAGE_BITS) - self.base) as usize] = NONE;
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
        assert!(entries <= FREE_ENTRIES + PAGE + ENTRIES_AN_ORDER * index.len(), "{entries}");
        assert!(index.directory.len() as u64 <= MAX_DIRECTORY);
    }
}

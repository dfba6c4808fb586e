//! Sorting more records than fit into memory: a window of them is held back, and what leaves it goes to a temporary file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A record before it is written: stamps in ns, the price in ticks, the quantity in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub ev: u64,
    pub exchange: i64,
    pub local: i64,
    pub price: i64,
    pub quantity: u64,
    pub id: u64,
    pub reference: u64,
    pub ival: i64,
    /// Its place in the order in which the rows came.
    pub sequence: u64,
}

/// Bytes of a row in a spool.
const ROW: usize = 72;

impl Row {
    fn to_bytes(self) -> [u8; ROW] {
        let mut bytes = [0; ROW];
        let words = [
            self.ev,
            self.exchange.cast_unsigned(),
            self.local.cast_unsigned(),
            self.price.cast_unsigned(),
            self.quantity,
            self.id,
            self.reference,
            self.ival.cast_unsigned(),
            self.sequence,
        ];
        for (part, word) in bytes.chunks_exact_mut(8).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        Self {
            ev: word(0),
            exchange: word(1).cast_signed(),
            local: word(2).cast_signed(),
            price: word(3).cast_signed(),
            quantity: word(4),
            id: word(5),
            reference: word(6),
            ival: word(7).cast_signed(),
            sequence: word(8),
        }
    }
}

/// What rows are sorted by; no two are equal.
pub(super) type Key = (i64, i64, u64);

/// In the order in which they were received; equal stamps as they came.
pub(super) fn by_local(row: &Row) -> Key {
    (row.local, 0, row.sequence)
}

/// In the order in which they happened; equal stamps as they were received.
pub(super) fn by_exchange(row: &Row) -> Key {
    (row.exchange, row.local, row.sequence)
}

/// A temporary file that is gone when it is dropped, and where the system allows it, whatever becomes of the process.
#[derive(Debug)]
struct Spool {
    file: File,
    /// Where it is, if the system would not take its name while it is open.
    named: Option<PathBuf>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Spool {
    fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = path.with_file_name(format!(".{name}.{}.{unique}.spool", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let named = fs::remove_file(&path).is_err().then_some(path);
        Ok(Self { file, named })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(path) = &self.named {
            // Nothing more can be done about a file that will not go.
            let _ = fs::remove_file(path);
        }
    }
}

/// Sorted rows that follow each other in a spool.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    count: u64,
}

/// Takes rows in any order. Memory: two windows. Rows that come at most a window late leave one sorted run in the spool; later
/// ones begin another.
#[derive(Debug)]
pub(super) struct Sorter {
    key: fn(&Row) -> Key,
    window: usize,
    /// The spool will be beside this file.
    beside: PathBuf,
    buffer: Vec<Row>,
    spool: Option<Spool>,
    runs: Vec<Run>,
    spooled: u64,
    latest: Option<Key>,
    bytes: Vec<u8>,
}

impl Sorter {
    pub(super) fn new(beside: &Path, window: usize, key: fn(&Row) -> Key) -> Self {
        Self {
            key,
            window,
            beside: beside.to_owned(),
            buffer: Vec::new(),
            spool: None,
            runs: Vec::new(),
            spooled: 0,
            latest: None,
            bytes: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: Row) -> io::Result<()> {
        if self.buffer.len() >= 2 * self.window {
            self.spill(self.window)?;
        }
        self.buffer.push(row);
        Ok(())
    }

    /// Sorts, and moves the first `count` rows to the spool.
    fn spill(&mut self, count: usize) -> io::Result<()> {
        // Nearly sorted already; a stable sort then costs hardly more than one pass.
        self.buffer.sort_by_key(self.key);
        let Some((first, last)) = self.buffer.first().zip(self.buffer.get(count - 1)) else { return Ok(()) };
        if self.latest.is_none_or(|latest| (self.key)(first) < latest) {
            self.runs.push(Run { first: self.spooled, count: 0 });
        }
        self.latest = Some((self.key)(last));
        if self.spool.is_none() {
            self.spool = Some(Spool::beside(&self.beside)?);
        }
        let (Some(spool), Some(run)) = (&mut self.spool, self.runs.last_mut()) else { return Ok(()) };
        for rows in self.buffer[..count].chunks(1024) {
            self.bytes.clear();
            rows.iter().for_each(|row| self.bytes.extend_from_slice(&row.to_bytes()));
            spool.file.write_all(&self.bytes)?;
        }
        run.count += count as u64;
        self.spooled += count as u64;
        self.buffer.drain(..count);
        Ok(())
    }

    /// All rows, sorted.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.spool.is_none() {
            self.buffer.sort_by_key(self.key);
        } else if !self.buffer.is_empty() {
            self.spill(self.buffer.len())?;
            self.buffer = Vec::new();
        }
        let count = self.spooled + self.buffer.len() as u64;
        let mut sorted = Sorted {
            key: self.key,
            rows: self.buffer,
            at: 0,
            spool: self.spool,
            runs: self.runs,
            readers: Vec::new(),
            heap: BinaryHeap::new(),
            count,
        };
        sorted.rewind()?;
        Ok(sorted)
    }
}

/// Reads one run.
#[derive(Debug)]
struct RunReader {
    rest: Run,
    bytes: Vec<u8>,
    at: usize,
}

impl RunReader {
    fn next(&mut self, file: &mut File, block: usize) -> io::Result<Option<Row>> {
        if self.at == self.bytes.len() {
            let count = self.rest.count.min(block as u64);
            if count == 0 {
                return Ok(None);
            }
            self.bytes.resize(count as usize * ROW, 0);
            self.at = 0;
            file.seek(SeekFrom::Start(self.rest.first * ROW as u64))?;
            file.read_exact(&mut self.bytes)?;
            self.rest = Run { first: self.rest.first + count, count: self.rest.count - count };
        }
        self.at += ROW;
        Ok(Some(Row::from_bytes(&self.bytes[self.at - ROW..self.at])))
    }
}

/// Sorted rows, front to back, as often as needed.
#[derive(Debug)]
pub(super) struct Sorted {
    key: fn(&Row) -> Key,
    /// All of them, if they fitted into memory.
    rows: Vec<Row>,
    at: usize,
    spool: Option<Spool>,
    runs: Vec<Run>,
    readers: Vec<RunReader>,
    /// The next row of each run, the first on top.
    heap: BinaryHeap<Reverse<(Key, usize, Ordered)>>,
    pub(super) count: u64,
}

/// A row that a heap carries along without looking at it: keys differ already.
#[derive(Clone, Copy, Debug)]
struct Ordered(Row);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.0.sequence == other.0.sequence
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.sequence.cmp(&other.0.sequence)
    }
}

/// Rows that are read at once, of all runs together.
const READ_AHEAD: usize = 1 << 16;

impl Sorted {
    fn block(&self) -> usize {
        (READ_AHEAD / self.runs.len().max(1)).clamp(16, 1024)
    }

    pub(super) fn rewind(&mut self) -> io::Result<()> {
        let block = self.block();
        self.at = 0;
        self.heap.clear();
        self.readers.clear();
        let Some(spool) = &mut self.spool else { return Ok(()) };
        for (index, &rest) in self.runs.iter().enumerate() {
            let mut reader = RunReader { rest, bytes: Vec::new(), at: 0 };
            if let Some(row) = reader.next(&mut spool.file, block)? {
                self.heap.push(Reverse(((self.key)(&row), index, Ordered(row))));
            }
            self.readers.push(reader);
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        let block = self.block();
        let Some(spool) = &mut self.spool else {
            self.at += 1;
            return Ok(self.rows.get(self.at - 1).copied());
        };
        let Some(mut top) = self.heap.peek_mut() else { return Ok(None) };
        let Reverse((_, index, Ordered(row))) = *top;
        match self.readers[index].next(&mut spool.file, block)? {
            Some(next) => *top = Reverse(((self.key)(&next), index, Ordered(next))),
            None => drop(std::collections::binary_heap::PeekMut::pop(top)),
        }
        Ok(Some(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: u64, local: i64) -> Row {
        Row { ev: 0, exchange: -local, local, price: 1, quantity: 2, id: 3, reference: 4, ival: 5, sequence }
    }

    fn sorted(window: usize, stamps: impl Iterator<Item = i64>) -> (Sorted, usize) {
        let beside = std::env::temp_dir().join("lob-sorter");
        let (mut sorter, mut most) = (Sorter::new(&beside, window, by_local), 0);
        for (sequence, local) in stamps.enumerate() {
            sorter.push(row(sequence as u64, local)).expect("the temporary folder can be written");
            most = most.max(sorter.buffer.len());
        }
        (sorter.finish().expect("the temporary folder can be written"), most)
    }

    fn all(sorted: &mut Sorted) -> Vec<Row> {
        std::iter::from_fn(|| sorted.next().expect("the spool can be read")).collect()
    }

    #[test]
    fn rows_come_out_as_a_stable_sort_would_have_them_whatever_the_disorder() {
        // In order, a little late, wildly mixed, backwards.
        let orders: [fn(i64) -> i64; 4] = [|i| i / 3, |i| i - (i % 7), |i| i * 7919 % 1009, |i| -i / 2];
        for (which, order) in orders.into_iter().enumerate() {
            for (window, count) in [(8, 5), (8, 16), (8, 17), (64, 10_000)] {
                let mut expected: Vec<Row> = (0..count).map(|i| row(i as u64, order(i))).collect();
                expected.sort_by_key(|row| row.local);
                let (mut sorted, most) = sorted(window, (0..count).map(order));
                assert!(most <= 2 * window);
                assert_eq!(sorted.count, count as u64);
                assert_eq!(all(&mut sorted), expected, "order {which}, window {window}, {count} rows");
                sorted.rewind().expect("the spool can be read");
                assert_eq!(all(&mut sorted).len(), expected.len());
            }
        }
    }

    #[test]
    fn a_little_disorder_leaves_one_run() {
        let (sorted, _) = sorted(64, (0..10_000).map(|i| i - i * 31 % 40));
        assert_eq!((sorted.runs.len(), sorted.rows.len()), (1, 0));
    }
}

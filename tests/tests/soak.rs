//! 50 million requests against invariants and conservation: `cargo test --release -p lobgym-tests --test soak -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test may")]

use lob::{BookConfig, OrderBook};
use lobgym_tests::Tally;
use lobgym_tests::allocator::CountingAllocator;
use lobgym_tests::ledger::Ledger;
use lobgym_tests::workload::{Shape, Workload};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// By now the book has been as full as it gets.
const WARM_UP: u64 = 5_000_000;
const REQUESTS: u64 = 50_000_000;

#[test]
#[ignore = "takes minutes; run by `make soak`"]
fn fifty_million_requests_conserve_lots_in_bounded_memory() {
    let shape = Shape { live: 8_000, owners: 32, wobble_milliticks: 100, trend_milliticks: 2 };
    let config = BookConfig { max_owners: shape.owners, ..BookConfig::default() };
    let mut book = OrderBook::new(config).unwrap();
    let mut workload = Workload::new(shape, 1);
    let (mut ledger, mut tally, mut events) = (Ledger::default(), Tally::default(), Vec::new());
    let (mut warm, mut most_live) = (0, 0);
    for number in 1..=REQUESTS {
        events.clear();
        let granted = book.apply(workload.request(), &mut events).is_ok();
        tally.requests += 1;
        tally.granted += u64::from(granted);
        events.iter().for_each(|event| ledger.record(event, &mut tally));
        workload.observe(&book, &events);
        if number.is_multiple_of(500_000) {
            book.check_invariants().unwrap();
            ledger.check(&book).unwrap();
        }
        most_live = most_live.max(book.order_count());
        if number == WARM_UP {
            warm = ALLOCATOR.in_use();
        }
    }
    println!("{tally}\n{} live, {} bytes in use", book.order_count(), ALLOCATOR.in_use());
    assert!(most_live > shape.live * 4 / 10, "{most_live} live orders at most");
    assert!(tally.granted > REQUESTS * 8 / 10, "a soak of rejections");
    let grown = ALLOCATOR.in_use().saturating_sub(warm);
    assert!(grown < warm / 4, "{warm} bytes after warm-up, {grown} more at the end");
}

//! After warm-up no request allocates, whatever its kind, and no view that is used while stepping does.

#![allow(clippy::unwrap_used, reason = "a test may")]

use lob::{BookConfig, OrderBook, Quantity, Side};
use lobgym_tests::Tally;
use lobgym_tests::allocator::CountingAllocator;
use lobgym_tests::ledger::Ledger;
use lobgym_tests::workload::{Shape, Workload};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// The book warms up with twice as many live orders as it will have, so that no later peak (of icebergs, say) is a first.
const WARM_UP: u64 = 500_000;
const LIVE: usize = 1_000;
const MEASURED: u64 = 1_000_000;

#[test]
fn no_request_allocates_after_warm_up() {
    let shape = Shape { live: 4 * LIVE, owners: 16, wobble_milliticks: 100, trend_milliticks: 5 };
    for window_levels in [64, 1024] {
        let config = BookConfig { max_owners: shape.owners, window_levels, ..BookConfig::default() };
        let mut book = OrderBook::new(config).unwrap();
        let mut workload = Workload::new(shape, 7);
        let mut events = Vec::with_capacity(10_000);
        let (mut ledger, mut tally, mut most_live) = (Ledger::default(), Tally::default(), 0);
        for number in 0..WARM_UP + MEASURED {
            most_live = most_live.max(book.order_count());
            if number == WARM_UP * 9 / 10 {
                workload.limit_live(LIVE);
            }
            let request = workload.request();
            events.clear();
            let before = ALLOCATOR.calls();
            let granted = book.apply(request, &mut events).is_ok();
            let allocations = ALLOCATOR.calls() - before;
            if number >= WARM_UP {
                assert_eq!(allocations, 0, "request {number}, {request:?}, allocated");
            }
            tally.requests += 1;
            tally.granted += u64::from(granted);
            events.iter().for_each(|event| ledger.record(event, &mut tally));
            workload.observe(&book, &events);
            if number >= WARM_UP && number.is_multiple_of(64) {
                let before = ALLOCATOR.calls();
                look(&book, workload.live());
                assert_eq!(ALLOCATOR.calls() - before, 0, "a view allocated");
            }
        }
        println!("window of {window_levels}, {most_live} live orders at most\n{tally}");
        assert!(most_live > 19 * LIVE / 10, "the warm-up saw {most_live} live orders");
        // Far orders, stops, icebergs and expiries were among them.
        for count in [tally.trades, tally.triggered, tally.expired, tally.amended, tally.replenished] {
            assert!(count > MEASURED / 1000, "the workload lacks something");
        }
    }
}

fn look(book: &OrderBook, live: &[lob::Handle]) {
    let mut depth = [Quantity::ZERO; 20];
    for side in Side::BOTH {
        book.depth_from_own_best(side, &mut depth);
        book.depth_from_opposite_best(side, &mut depth);
        assert!(book.sweep(side, Quantity(100)).filled.0 <= 100);
        if let Some(best) = book.best(side) {
            assert!(book.orders_at(side, best).count() == book.order_count_at(side, best));
        }
        assert!(book.levels(side).take(10).all(|(_, quantity, orders)| quantity.0 >= orders as u64));
        assert!(book.stops(side).take(10).all(|stop| stop.side == side));
    }
    if let Some(&handle) = live.first() {
        let _ = (book.queue_position(handle), book.microprice(), book.order(handle));
    }
}

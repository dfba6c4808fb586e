//! A market that drifts over millions of ticks, and orders far from it, cost bounded memory and leave the views right.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;

use lob::{BookConfig, OrderBook, Owner, Price, Quantity, Side};
use lobgym_tests::Pair;
use lobgym_tests::allocator::CountingAllocator;
use lobgym_tests::workload::{Shape, Workload};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// The allocator's counters are everyone's, so this file has one test that does all in turn.
#[test]
fn far_orders_and_a_drifting_market_cost_bounded_memory_and_leave_the_views_right() {
    for trend_milliticks in [1_000, -1_000] {
        drift_over_two_million_ticks(trend_milliticks);
    }
    for wobble in [3, 40, 5_000] {
        drift_like_the_reference(wobble);
    }
    orders_over_the_whole_price_range();
}

fn drift_over_two_million_ticks(trend_milliticks: i64) {
    let shape = Shape { live: 600, owners: 8, wobble_milliticks: 2_000, trend_milliticks };
    let before = ALLOCATOR.in_use();
    let mut book = OrderBook::new(BookConfig { max_owners: shape.owners, ..BookConfig::default() }).unwrap();
    let mut workload = Workload::new(shape, 3);
    let mut events = Vec::new();
    let (mut early, mut late, mut most_live) = (0, 0, 0);
    for number in 0..2_000_000_u64 {
        events.clear();
        let _ = book.apply(workload.request(), &mut events);
        workload.observe(&book, &events);
        let in_use = ALLOCATOR.in_use() - before;
        if number < 200_000 {
            early = early.max(in_use);
        } else {
            late = late.max(in_use);
        }
        if number.is_multiple_of(50_000) {
            check_views(&book, &workload);
            most_live = most_live.max(book.order_count());
        }
    }
    assert!(workload.centre().0.abs() > 1_900_000, "it got as far as {}", workload.centre());
    assert!(most_live > 280, "{most_live} live orders at most");
    assert!(late <= early * 5 / 4, "{early} bytes at most at first, {late} later");
    assert!(late < 1 << 20, "{late} bytes for at most 600 orders");
}

/// Adds the levels up from the orders that the workload knows of.
fn check_views(book: &OrderBook, workload: &Workload) {
    book.check_invariants().unwrap();
    let mut levels = [BTreeMap::new(), BTreeMap::new()];
    for order in workload.live().iter().filter_map(|&handle| book.order(handle)) {
        let level: &mut (u64, usize) = levels[order.side.index()].entry(order.price).or_default();
        level.0 += order.visible.0;
        level.1 += 1;
    }
    for side in Side::BOTH {
        let mut expected: Vec<_> = levels[side.index()]
            .iter()
            .map(|(&price, &(quantity, orders))| (price, Quantity(quantity), orders))
            .collect();
        if side == Side::Buy {
            expected.reverse();
        }
        assert_eq!(book.levels(side).collect::<Vec<_>>(), expected, "levels of {side}");
        let mut depth = vec![Quantity(u64::MAX); 3_000];
        book.depth_from_own_best(side, &mut depth);
        let Some(&(best, ..)) = expected.first() else { continue };
        for (ticks, &quantity) in depth.iter().enumerate() {
            let price = if side == Side::Buy { best.0 - ticks as i64 } else { best.0 + ticks as i64 };
            let level = levels[side.index()].get(&Price(price)).map_or(0, |&(quantity, _)| quantity);
            assert_eq!(quantity.0, level, "{side} depth {ticks} ticks from {best}");
        }
    }
}

fn drift_like_the_reference(wobble: u64) {
    let shape = Shape { live: 120, owners: 4, wobble_milliticks: 1_000 * wobble, trend_milliticks: 1_500 };
    let mut pair = Pair::new(BookConfig { max_owners: 4, window_levels: 64, ..BookConfig::default() });
    let mut workload = Workload::new(shape, wobble);
    for number in 0..20_000_u32 {
        let _ = pair.apply(workload.request());
        workload.observe(pair.engine(), pair.events());
        if number.is_multiple_of(50) {
            pair.compare(workload.centre());
        }
    }
    pair.finish(workload.centre());
}

/// One order at each of many prices that are ever further apart, up to the limits of the book.
fn orders_over_the_whole_price_range() {
    let before = ALLOCATOR.in_use();
    let mut book = OrderBook::new(BookConfig::default()).unwrap();
    let mut events = Vec::new();
    for side in Side::BOTH {
        for exponent in 0..=62_u32 {
            let distance = 1_i64 << exponent;
            let price = Price(if side == Side::Buy { -distance } else { distance });
            book.submit(lob::NewOrder::limit(Owner(0), side, price, Quantity(1)), &mut events).unwrap();
        }
        assert_eq!(book.levels(side).count(), 63);
    }
    book.check_invariants().unwrap();
    assert_eq!((book.best_bid(), book.best_ask()), (Some(Price(-1)), Some(Price(1))));
    let in_use = ALLOCATOR.in_use() - before;
    assert!(in_use < 1 << 20, "{in_use} bytes for 126 orders");
    // Each market order walks to the next level, up to the last.
    for exponent in 0..=62_u32 {
        events.clear();
        book.submit(lob::NewOrder::market(Owner(1), Side::Buy, Quantity(1)), &mut events).unwrap();
        assert_eq!(book.last_trade(), Some(Price(1 << exponent)));
    }
    assert_eq!(book.best_ask(), None);
}

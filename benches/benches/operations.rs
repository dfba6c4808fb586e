//! `cargo bench -p lobgym-benches --bench operations`: what single requests and views cost on a book of about 8,000 live
//! orders, taken from the mixed workload.
//!
//! Requests that change the book come in pairs that undo each other, so that the book stays as it is however
//! often they run.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lob::{Amendment, BookConfig, Event, Handle, NewOrder, OrderBook, Owner, Price, Quantity, Side};
use lobgym_benches::message::Message;
use lobgym_benches::workload::{DEFAULT_SEED, Recipe, generate};

const LIVE: u64 = 8_000;

/// A book in the middle of the mixed workload, and the handles of its live orders.
fn book() -> (OrderBook, Vec<Handle>) {
    let (stream, _) = generate(&Recipe::grown(LIVE), DEFAULT_SEED, 100_000);
    let mut book = OrderBook::new(BookConfig::default()).expect("the default configuration is legal");
    let mut events = Vec::new();
    let mut handles = Vec::new();
    for message in stream.messages() {
        events.clear();
        match *message {
            Message::Limit { owner, side, price, quantity, .. } => {
                handles.push(book.submit(NewOrder::limit(owner, side, price, quantity), &mut events).ok());
            }
            Message::Market { owner, side, quantity, .. } => {
                handles.push(book.submit(NewOrder::market(owner, side, quantity), &mut events).ok());
            }
            Message::Cancel { id } => {
                if let Some(handle) = handles[id as usize] {
                    book.cancel(handle, &mut events).expect("the workload cancels live orders");
                }
            }
        }
    }
    let live = handles.into_iter().flatten().filter(|&handle| book.is_live(handle)).collect();
    (book, live)
}

fn requests(criterion: &mut Criterion) {
    let (fresh, handles) = book();
    let (bid, ask) = (fresh.best_bid().expect("bids"), fresh.best_ask().expect("asks"));
    let owner = Owner(3);
    let mut group = criterion.benchmark_group("request");
    let mut events: Vec<Event> = Vec::with_capacity(1024);

    for (name, distance) in [("touch", 0), ("10 ticks away", 10), ("100,000 ticks away", 100_000)] {
        let mut book = fresh.clone();
        let order = NewOrder::limit(owner, Side::Buy, Price(bid.0 - distance), Quantity(5));
        group.bench_function(format!("add and cancel at {name}"), |bencher| {
            bencher.iter(|| {
                events.clear();
                let handle = book.submit(black_box(order), &mut events).expect("it rests");
                book.cancel(black_box(handle), &mut events).expect("it is there")
            });
        });
    }

    let mut book = fresh.clone();
    group.bench_function(
        "add inside the spread or at the touch, then market order that takes it",
        |bencher| {
            let price = if ask.0 - bid.0 > 1 { Price(bid.0 + 1) } else { bid };
            // In either case one lot comes and one goes, so the size of the book stays.
            let add = NewOrder::limit(owner, Side::Buy, price, Quantity(1));
            let take = NewOrder::market(owner, Side::Sell, Quantity(1));
            bencher.iter(|| {
                events.clear();
                book.submit(black_box(add), &mut events).expect("it rests");
                book.submit(black_box(take), &mut events).expect("it trades")
            });
        },
    );

    let mut book = fresh.clone();
    let mut next = 0;
    group.bench_function("amend down and up again (loses priority)", |bencher| {
        bencher.iter(|| {
            events.clear();
            let handle = handles[next % handles.len()];
            next += 1;
            let quantity = book.order(handle).map_or(Quantity(1), |order| order.visible);
            // Up by one lot to the back of the queue, down by one in place.
            let up = Amendment::quantity(Quantity(quantity.0 + 1));
            book.amend(handle, black_box(up), &mut events).expect("it is live");
            book.amend(handle, Amendment::quantity(quantity), &mut events).expect("it is live");
        });
    });

    let mut book = fresh.clone();
    group.bench_function("refused: stale handle", |bencher| {
        let stale = Handle::from_bits(u64::from(u32::MAX));
        bencher.iter(|| {
            events.clear();
            book.cancel(black_box(stale), &mut events).expect_err("no such order")
        });
    });
    group.bench_function("clone of the book", |bencher| bencher.iter(|| fresh.clone()));
    group.finish();
}

fn views(criterion: &mut Criterion) {
    let (book, handles) = book();
    let bid = book.best_bid().expect("bids");
    let mut group = criterion.benchmark_group("view");
    group.bench_function("best bid and ask", |bencher| {
        bencher.iter(|| (black_box(&book).best_bid(), black_box(&book).best_ask()));
    });
    group.bench_function("mid", |bencher| bencher.iter(|| black_box(&book).mid()));
    group.bench_function("microprice", |bencher| bencher.iter(|| black_box(&book).microprice()));
    group.bench_function("quantity at a price", |bencher| {
        bencher.iter(|| black_box(&book).quantity_at(Side::Buy, black_box(Price(bid.0 - 3))));
    });
    for levels in [10, 30] {
        let mut out = vec![Quantity::ZERO; levels];
        group.bench_function(format!("{levels} levels from the own best"), |bencher| {
            bencher.iter(|| black_box(&book).depth_from_own_best(Side::Buy, black_box(&mut out)));
        });
        group.bench_function(format!("{levels} levels from the opposite best"), |bencher| {
            bencher.iter(|| black_box(&book).depth_from_opposite_best(Side::Buy, black_box(&mut out)));
        });
    }
    group.bench_function("sweep of 1,000 lots", |bencher| {
        bencher.iter(|| black_box(&book).sweep(Side::Buy, black_box(Quantity(1_000))));
    });
    let mut next = 0;
    group.bench_function("queue position", |bencher| {
        bencher.iter(|| {
            next += 1;
            black_box(&book).queue_position(handles[next % handles.len()])
        });
    });
    group.bench_function("orders of an owner", |bencher| {
        bencher.iter(|| black_box(&book).orders_of(Owner(3)).map(|order| order.visible.0).sum::<u64>());
    });
    group.bench_function("digest", |bencher| bencher.iter(|| black_box(&book).digest()));
    group.finish();
}

criterion_group!(benches, requests, views);
criterion_main!(benches);

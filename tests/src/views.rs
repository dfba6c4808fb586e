//! Compares everything that can be asked of the two books.

use lob::{OrderBook, OrderView, Owner, Price, Quantity, Side};

use crate::Reference;

/// Compares what is cheap to ask after every request.
pub fn compare_touch(engine: &OrderBook, reference: &Reference) {
    for side in Side::BOTH {
        assert_eq!(engine.best(side), reference.best(side), "best {side}");
    }
    assert_eq!(engine.last_trade(), reference.last_trade(), "last trade");
    assert_eq!(engine.clock(), reference.clock(), "clock");
    assert_eq!(engine.order_count(), reference.order_count(), "order count");
}

/// Compares all content and all views; `owners` are those to ask about, `around` is a price to probe near.
pub fn compare(engine: &OrderBook, reference: &Reference, owners: u32, around: Price) {
    compare_touch(engine, reference);
    compare_prices(engine, reference);
    for side in Side::BOTH {
        compare_side(engine, reference, side, around);
    }
    for owner in (0..owners).map(Owner) {
        assert_eq!(
            engine.orders_of(owner).collect::<Vec<_>>(),
            reference.orders_of(owner),
            "orders of {owner}"
        );
        assert_eq!(engine.stops_of(owner).collect::<Vec<_>>(), reference.stops_of(owner), "stops of {owner}");
        assert_eq!(
            engine.self_trade_prevention(owner),
            reference.self_trade_prevention(owner),
            "mode of owner {owner}"
        );
    }
    for handle in reference.handles() {
        assert!(engine.is_live(handle), "{handle} is live");
        assert_eq!(engine.order(handle), reference.order(handle), "order {handle}");
        assert_eq!(engine.pending_stop(handle), reference.pending_stop(handle), "stop {handle}");
        assert_eq!(
            engine.queue_position(handle),
            reference.queue_position(handle),
            "queue position of {handle}"
        );
    }
    assert_eq!(engine.digest(), reference.digest(), "digest");
    if let Err(broken) = engine.check_invariants() {
        panic!("invariant broken: {broken}");
    }
}

/// Best prices and what is computed from them.
fn compare_prices(engine: &OrderBook, reference: &Reference) {
    let (bid, ask) = (reference.best(Side::Buy), reference.best(Side::Sell));
    assert_eq!((engine.best_bid(), engine.best_ask()), (bid, ask), "best prices");
    let Some((bid, ask)) = bid.zip(ask) else {
        assert_eq!(
            (engine.spread(), engine.mid(), engine.microprice()),
            (None, None, None),
            "one side is empty"
        );
        return;
    };
    assert!(bid < ask, "crossed: {bid} and {ask}");
    assert_eq!(engine.spread(), Some(ask.0.abs_diff(bid.0)), "spread");
    let mid = (i128::from(bid.0) + i128::from(ask.0)) as f64 / 2.0;
    // The formulas may be evaluated in another order: a few roundings of the larger price apart is equal.
    let tolerance = 1e-12 * (bid.0.unsigned_abs().max(ask.0.unsigned_abs()).max(1)) as f64;
    assert_close(engine.mid(), mid, tolerance, "mid");
    let weight = |side, price| reference.quantity_at(side, price).0 as f64;
    let (bid_lots, ask_lots) = (weight(Side::Buy, bid), weight(Side::Sell, ask));
    let microprice = (ask.0 as f64 * bid_lots + bid.0 as f64 * ask_lots) / (bid_lots + ask_lots);
    assert_close(engine.microprice(), microprice, tolerance, "microprice");
}

fn assert_close(actual: Option<f64>, expected: f64, tolerance: f64, what: &str) {
    let actual = actual.unwrap_or_else(|| panic!("{what} exists"));
    assert!((actual - expected).abs() <= tolerance, "{what}: {actual}, expected {expected}");
}

fn compare_side(engine: &OrderBook, reference: &Reference, side: Side, around: Price) {
    let levels = reference.levels(side);
    assert_eq!(engine.levels(side).collect::<Vec<_>>(), levels, "levels of {side}");
    assert_eq!(engine.stops(side).collect::<Vec<_>>(), reference.stops(side), "stops of {side}");
    assert_eq!(engine.open_quantity(side), reference.open_quantity(side), "open quantity of {side}");

    let config = reference.config();
    let probes = [around, config.min_price, config.max_price, Price(i64::MIN), Price(i64::MAX)];
    let beside = levels.iter().flat_map(|&(price, ..)| [price, Price(price.0 - 1), Price(price.0 + 1)]);
    for price in beside.chain(probes) {
        assert_eq!(
            engine.quantity_at(side, price),
            reference.quantity_at(side, price),
            "{side} lots at {price}"
        );
        let orders: Vec<OrderView> = reference.orders_at(side, price);
        assert_eq!(engine.order_count_at(side, price), orders.len(), "{side} orders at {price}");
        assert_eq!(engine.orders_at(side, price).collect::<Vec<_>>(), orders, "{side} queue at {price}");
    }

    for n in [0, 1, 10, 200] {
        // Whatever the caller's slice held before must not show.
        let mut depth = vec![Quantity(u64::MAX); n];
        engine.depth_from_own_best(side, &mut depth);
        assert_eq!(depth, reference.depth_from_own_best(side, n), "{n} {side} levels from own best");
        depth.fill(Quantity(u64::MAX));
        engine.depth_from_opposite_best(side, &mut depth);
        assert_eq!(
            depth,
            reference.depth_from_opposite_best(side, n),
            "{n} {side} levels from opposite best"
        );
    }

    let open =
        reference.side(side.opposite()).iter().map(|order| order.visible.0 + order.hidden.0).sum::<u64>();
    for quantity in [0, 1, 7, open / 2, open, open.saturating_add(1), u64::MAX] {
        let quantity = Quantity(quantity);
        assert_eq!(
            engine.sweep(side, quantity),
            reference.sweep(side, quantity),
            "{side} sweep of {quantity}"
        );
    }
}

use lob::CancelReason::{ImmediateOrCancel, NoLiquidity};
use lob::RejectReason::{CannotFill, WouldCross};
use lob::SelfTradePrevention::{CancelNewest, CancelOldest, Decrement};
use lob::Side::{Buy, Sell};
use lob::{CancelReason::SelfTrade, Quantity};

use crate::scene::*;

#[test]
fn immediate_or_cancel_never_rests() {
    let mut scene = Scene::new();
    let maker = scene.submit(sell(ANN, 100, 2));
    let taker = scene.submit(buy(BOB, 100, 5).ioc());
    assert_eq!(
        scene.events(),
        [
            accepted(taker, BOB, Buy, Some(100), 5),
            trade((maker, ANN), (taker, BOB), (100, 2, 0), Buy),
            cancelled(taker, BOB, 3, 0, ImmediateOrCancel),
        ]
    );
    assert_eq!(scene.book().order_count(), 0);
}

#[test]
fn immediate_market_order_reports_no_liquidity_like_any_other() {
    let mut scene = Scene::new();
    let taker = scene.submit(market_sell(BOB, 5).ioc());
    assert_eq!(
        scene.events(),
        [accepted(taker, BOB, Sell, None, 5), cancelled(taker, BOB, 5, 0, NoLiquidity)]
    );
}

#[test]
fn fill_or_kill_fills_in_full_or_is_refused() {
    let mut scene = Scene::new();
    let first = scene.submit(sell(ANN, 100, 2));
    let second = scene.submit(sell(ANN, 101, 2));
    assert_eq!(scene.try_submit(buy(BOB, 100, 3).fok()), Err(CannotFill));
    assert_eq!(scene.events(), [rejected(Some(BOB), CannotFill)]);
    assert_eq!(scene.try_submit(market_buy(BOB, 5).fok()), Err(CannotFill));
    let taker = scene.submit(buy(BOB, 101, 3).fok());
    assert_eq!(
        scene.events(),
        [
            accepted(taker, BOB, Buy, Some(101), 3),
            trade((first, ANN), (taker, BOB), (100, 2, 0), Buy),
            trade((second, ANN), (taker, BOB), (101, 1, 1), Buy),
        ]
    );
}

#[test]
fn fill_or_kill_counts_hidden_lots() {
    let mut scene = Scene::new();
    scene.submit(sell(ANN, 100, 9).display(Quantity(2)));
    assert_eq!(scene.try_submit(buy(BOB, 100, 10).fok()), Err(CannotFill));
    scene.submit(buy(BOB, 100, 9).fok());
    assert_eq!(scene.book().order_count(), 0);
}

#[test]
fn fill_or_kill_passes_over_own_orders_that_it_would_cancel() {
    let mut scene = Scene::new();
    scene.mode(BOB, CancelOldest);
    let own = scene.submit(sell(BOB, 100, 4));
    let other = scene.submit(sell(ANN, 100, 3));
    assert_eq!(scene.try_submit(buy(BOB, 100, 4).fok()), Err(CannotFill));
    let taker = scene.submit(buy(BOB, 100, 3).fok());
    assert_eq!(
        scene.events(),
        [
            accepted(taker, BOB, Buy, Some(100), 3),
            cancelled(own, BOB, 4, 0, SelfTrade),
            trade((other, ANN), (taker, BOB), (100, 3, 0), Buy),
        ]
    );
}

#[test]
fn fill_or_kill_counts_up_to_the_first_own_order_otherwise() {
    for mode in [CancelNewest, Decrement, lob::SelfTradePrevention::CancelBoth] {
        let mut scene = Scene::new();
        scene.mode(BOB, mode);
        // Once its slice is used up, Ann's iceberg stands behind Bob's own order.
        scene.submit(sell(ANN, 100, 6).display(Quantity(3)));
        scene.submit(sell(BOB, 100, 1));
        assert_eq!(scene.try_submit(buy(BOB, 100, 4).fok()), Err(CannotFill));
        scene.submit(buy(BOB, 100, 3).fok());
        assert_eq!(scene.book().quantity_at(Sell, lob::Price(100)), Quantity(4));
    }
}

#[test]
fn post_only_rests_or_is_refused() {
    let mut scene = Scene::new();
    scene.submit(sell(ANN, 100, 1));
    assert_eq!(scene.try_submit(buy(BOB, 100, 1).post_only()), Err(WouldCross));
    assert_eq!(scene.events(), [rejected(Some(BOB), WouldCross)]);
    let order = scene.submit(buy(BOB, 99, 1).post_only());
    assert_eq!(scene.queue(Buy, 99), [order]);
}

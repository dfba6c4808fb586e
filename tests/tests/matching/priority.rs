use lob::CancelReason::NoLiquidity;
use lob::Side::{Buy, Sell};

use crate::scene::*;

#[test]
fn better_price_trades_first() {
    let mut scene = Scene::new();
    let worse = scene.submit(sell(ANN, 102, 5));
    let better = scene.submit(sell(BOB, 101, 5));
    let taker = scene.submit(buy(CAT, 102, 7));
    assert_eq!(
        scene.events(),
        [
            accepted(taker, CAT, Buy, Some(102), 7),
            trade((better, BOB), (taker, CAT), (101, 5, 0), Buy),
            trade((worse, ANN), (taker, CAT), (102, 2, 3), Buy),
        ]
    );
}

#[test]
fn earlier_order_trades_first_at_one_price() {
    let mut scene = Scene::new();
    let first = scene.submit(buy(ANN, 99, 5));
    let second = scene.submit(buy(BOB, 99, 5));
    let taker = scene.submit(sell(CAT, 99, 6));
    assert_eq!(
        scene.events(),
        [
            accepted(taker, CAT, Sell, Some(99), 6),
            trade((first, ANN), (taker, CAT), (99, 5, 0), Sell),
            trade((second, BOB), (taker, CAT), (99, 1, 4), Sell),
        ]
    );
}

#[test]
fn trade_happens_at_the_resting_orders_price() {
    let mut scene = Scene::new();
    let maker = scene.submit(buy(ANN, 105, 1));
    let taker = scene.submit(sell(BOB, 95, 1));
    assert_eq!(scene.events()[1], trade((maker, ANN), (taker, BOB), (105, 1, 0), Sell));
}

#[test]
fn rest_of_a_limit_order_joins_the_back_of_its_queue() {
    let mut scene = Scene::new();
    let ahead = scene.submit(buy(ANN, 100, 1));
    scene.submit(sell(BOB, 101, 2));
    let taker = scene.submit(buy(CAT, 101, 5));
    assert_eq!(scene.queue(Buy, 101), [taker]);
    assert_eq!(scene.book().quantity_at(Buy, lob::Price(101)).0, 3);
    let behind = scene.submit(buy(CAT, 100, 1));
    assert_eq!(scene.queue(Buy, 100), [ahead, behind]);
}

#[test]
fn rest_of_a_market_order_is_cancelled() {
    let mut scene = Scene::new();
    let maker = scene.submit(sell(ANN, 500, 2));
    let taker = scene.submit(market_buy(BOB, 3));
    assert_eq!(
        scene.events(),
        [
            accepted(taker, BOB, Buy, None, 3),
            trade((maker, ANN), (taker, BOB), (500, 2, 0), Buy),
            cancelled(taker, BOB, 1, 0, NoLiquidity),
        ]
    );
}

#[test]
fn order_that_touches_nothing_only_rests() {
    let mut scene = Scene::new();
    let order = scene.submit(sell(ANN, -7, 2));
    assert_eq!(scene.events(), [accepted(order, ANN, Sell, Some(-7), 2)]);
    assert_eq!(scene.book().last_trade(), None);
}

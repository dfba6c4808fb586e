use lob::Side::{Buy, Sell};
use lob::{Price, Quantity, QueuePosition, Sweep};

use crate::scene::*;

#[test]
fn touch_is_described_by_spread_mid_and_microprice() {
    let mut scene = Scene::new();
    assert_eq!((scene.book().spread(), scene.book().mid(), scene.book().microprice()), (None, None, None));
    scene.submit(buy(ANN, 100, 3));
    scene.submit(sell(ANN, 104, 1));
    assert_eq!(scene.book().spread(), Some(4));
    assert_eq!(scene.book().mid(), Some(102.0));
    // Three lots bid against one offered: the price leans towards the ask.
    assert_eq!(scene.book().microprice(), Some(103.0));
}

#[test]
fn depth_counts_empty_ticks_from_either_best() {
    let mut scene = Scene::new();
    scene.submit(buy(ANN, 100, 3));
    scene.submit(buy(ANN, 98, 2));
    scene.submit(sell(ANN, 103, 1));
    let mut depth = [Quantity(9); 5];
    scene.book().depth_from_own_best(Buy, &mut depth);
    assert_eq!(depth.map(|quantity| quantity.0), [3, 0, 2, 0, 0]);
    scene.book().depth_from_opposite_best(Buy, &mut depth);
    assert_eq!(depth.map(|quantity| quantity.0), [0, 0, 3, 0, 2]);
    scene.book().depth_from_opposite_best(Sell, &mut depth);
    assert_eq!(depth.map(|quantity| quantity.0), [0, 0, 1, 0, 0]);
}

#[test]
fn queue_position_counts_visible_lots_ahead() {
    let mut scene = Scene::new();
    scene.submit(buy(ANN, 100, 9).display(Quantity(4)));
    scene.submit(buy(BOB, 100, 2));
    let order = scene.submit(buy(CAT, 100, 1));
    let expected = QueuePosition { quantity_ahead: Quantity(6), orders_ahead: 2 };
    assert_eq!(scene.book().queue_position(order), Some(expected));
    let stop = scene.submit(stop_buy(CAT, 200, 1));
    assert_eq!(scene.book().queue_position(stop), None);
}

#[test]
fn sweep_says_what_a_market_order_would_reach_and_leaves_the_book() {
    let mut scene = Scene::new();
    scene.submit(sell(ANN, 100, 5).display(Quantity(1)));
    scene.submit(sell(ANN, 103, 5));
    let sweep = scene.book().sweep(Buy, Quantity(7));
    let expected =
        Sweep { filled: Quantity(7), notional: 5 * 100 + 2 * 103, worst: Some(Price(103)), levels: 2 };
    assert_eq!(sweep, expected);
    assert_eq!(sweep.average_price(), Some(706.0 / 7.0));
    let nothing = Sweep { filled: Quantity(0), notional: 0, worst: None, levels: 0 };
    assert_eq!(scene.book().sweep(Sell, Quantity(7)), nothing);
    assert_eq!(scene.book().order_count(), 2);
}

#[test]
fn microprice_is_right_between_the_price_limits() {
    let mut book = lob::OrderBook::new(lob::BookConfig::default()).unwrap();
    let limit = 1_i64 << 62;
    // They are 2^63 ticks apart, which no i64 holds.
    for order in [buy(ANN, -limit, 1), sell(ANN, limit, 1)] {
        book.submit(order, &mut Vec::new()).unwrap();
    }
    assert_eq!((book.spread(), book.mid(), book.microprice()), (Some(1 << 63), Some(0.0), Some(0.0)));
}

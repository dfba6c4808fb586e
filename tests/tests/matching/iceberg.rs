use lob::Side::{Buy, Sell};
use lob::{Amendment, Quantity};

use crate::scene::*;

#[test]
fn used_up_slice_is_replenished_at_the_back() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(sell(ANN, 100, 7).display(Quantity(3)));
    let other = scene.submit(sell(BOB, 100, 2));
    let taker = scene.submit(market_buy(CAT, 6));
    assert_eq!(
        scene.events(),
        [
            accepted(taker, CAT, Buy, None, 6),
            trade((iceberg, ANN), (taker, CAT), (100, 3, 4), Buy),
            replenished(iceberg, ANN, 3),
            trade((other, BOB), (taker, CAT), (100, 2, 0), Buy),
            trade((iceberg, ANN), (taker, CAT), (100, 1, 3), Buy),
        ]
    );
    let view = scene.book().order(iceberg).unwrap();
    assert_eq!((view.visible, view.hidden), (Quantity(2), Quantity(1)));
}

#[test]
fn last_slice_is_what_is_left() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(buy(ANN, 100, 4).display(Quantity(3)));
    let taker = scene.submit(sell(BOB, 100, 3));
    assert_eq!(
        scene.events()[1..],
        [trade((iceberg, ANN), (taker, BOB), (100, 3, 1), Sell), replenished(iceberg, ANN, 1)]
    );
}

#[test]
fn partly_used_slice_keeps_its_place() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(buy(ANN, 100, 10).display(Quantity(5)));
    let other = scene.submit(buy(BOB, 100, 1));
    scene.submit(sell(CAT, 100, 4));
    assert_eq!(scene.queue(Buy, 100), [iceberg, other]);
    assert_eq!(scene.book().quantity_at(Buy, lob::Price(100)), Quantity(2));
}

#[test]
fn display_of_at_least_the_quantity_hides_nothing() {
    let mut scene = Scene::new();
    let order = scene.submit(buy(ANN, 100, 4).display(Quantity(9)));
    let view = scene.book().order(order).unwrap();
    assert_eq!((view.visible, view.hidden, view.display), (Quantity(4), Quantity(0), Some(Quantity(9))));
}

#[test]
fn incoming_iceberg_trades_all_its_lots_before_it_hides_any() {
    let mut scene = Scene::new();
    let maker = scene.submit(sell(BOB, 100, 5));
    let iceberg = scene.submit(buy(ANN, 100, 9).display(Quantity(1)));
    assert_eq!(
        scene.events(),
        [accepted(iceberg, ANN, Buy, Some(100), 9), trade((maker, BOB), (iceberg, ANN), (100, 5, 0), Buy)]
    );
    let view = scene.book().order(iceberg).unwrap();
    assert_eq!((view.visible, view.hidden), (Quantity(1), Quantity(3)));
}

#[test]
fn larger_iceberg_shows_a_fresh_slice_at_the_back() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(buy(ANN, 100, 6).display(Quantity(4)));
    let other = scene.submit(buy(BOB, 100, 1));
    scene.submit(sell(CAT, 100, 3));
    scene.amend(iceberg, Amendment::quantity(Quantity(5))).unwrap();
    assert_eq!(scene.events(), [amended(iceberg, ANN, Some(100), 5, false)]);
    assert_eq!(scene.queue(Buy, 100), [other, iceberg]);
    let view = scene.book().order(iceberg).unwrap();
    assert_eq!((view.visible, view.hidden), (Quantity(4), Quantity(1)));
}

#[test]
fn smaller_iceberg_loses_hidden_lots_first() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(buy(ANN, 100, 10).display(Quantity(4)));
    for (quantity, visible, hidden) in [(6, 4, 2), (3, 3, 0)] {
        scene.amend(iceberg, Amendment::quantity(Quantity(quantity))).unwrap();
        assert_eq!(scene.events(), [amended(iceberg, ANN, Some(100), quantity, true)]);
        let view = scene.book().order(iceberg).unwrap();
        assert_eq!((view.visible, view.hidden), (Quantity(visible), Quantity(hidden)));
    }
}

use lob::CancelReason::NoLiquidity;
use lob::Side::Buy;

use crate::scene::*;

#[test]
fn slots_are_numbered_in_order_of_acceptance() {
    let mut scene = Scene::new();
    for slot in 0..3 {
        assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(slot, 1));
    }
}

#[test]
fn latest_freed_slot_is_taken_first_with_the_next_generation() {
    let mut scene = Scene::new();
    let orders = [0; 3].map(|_| scene.submit(buy(ANN, 100, 1)));
    scene.cancel(orders[2]).unwrap();
    scene.cancel(orders[0]).unwrap();
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(0, 2));
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(2, 2));
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(3, 1));
}

#[test]
fn order_that_never_rests_takes_and_frees_a_slot() {
    let mut scene = Scene::new();
    let taker = scene.submit(market_buy(ANN, 1));
    assert_eq!(
        scene.events(),
        [accepted(handle(0, 1), ANN, Buy, None, 1), cancelled(taker, ANN, 1, 0, NoLiquidity)]
    );
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(0, 2));
}

#[test]
fn refused_order_takes_no_slot() {
    let mut scene = Scene::new();
    scene.try_submit(buy(ANN, 100, 0)).unwrap_err();
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(0, 1));
}

#[test]
fn incoming_orders_slot_is_freed_after_those_of_its_makers() {
    let mut scene = Scene::new();
    scene.submit(sell(ANN, 100, 1));
    let taker = scene.submit(buy(BOB, 100, 1));
    assert_eq!((taker, scene.book().order_count()), (handle(1, 1), 0));
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(1, 2));
    assert_eq!(scene.submit(buy(ANN, 100, 1)), handle(0, 2));
}

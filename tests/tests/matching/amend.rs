use lob::RejectReason::{
    NotAmendable, NothingToAmend, PriceOutOfLimits, UnknownHandle, WouldCross, ZeroQuantity,
};
use lob::Side::{Buy, Sell};
use lob::{Amendment, Price, Quantity};

use crate::scene::*;

#[test]
fn smaller_amend_keeps_priority() {
    let mut scene = Scene::new();
    let first = scene.submit(buy(ANN, 100, 5));
    let second = scene.submit(buy(BOB, 100, 5));
    scene.amend(first, Amendment::quantity(Quantity(2))).unwrap();
    assert_eq!(scene.events(), [amended(first, ANN, Some(100), 2, true)]);
    assert_eq!(scene.queue(Buy, 100), [first, second]);
}

#[test]
fn larger_amend_loses_priority() {
    let mut scene = Scene::new();
    let first = scene.submit(buy(ANN, 100, 5));
    let second = scene.submit(buy(BOB, 100, 5));
    scene.amend(first, Amendment::quantity(Quantity(6))).unwrap();
    assert_eq!(scene.events(), [amended(first, ANN, Some(100), 6, false)]);
    assert_eq!(scene.queue(Buy, 100), [second, first]);
}

#[test]
fn amend_to_another_price_loses_priority_even_if_smaller() {
    let mut scene = Scene::new();
    let mover = scene.submit(buy(ANN, 99, 5));
    let there = scene.submit(buy(BOB, 100, 5));
    scene
        .amend(mover, Amendment { quantity: Some(Quantity(1)), price: Some(Price(100)), stop: None })
        .unwrap();
    assert_eq!(scene.events(), [amended(mover, ANN, Some(100), 1, false)]);
    assert_eq!(scene.queue(Buy, 100), [there, mover]);
}

#[test]
fn amend_that_crosses_trades_at_once() {
    let mut scene = Scene::new();
    let offer = scene.submit(sell(BOB, 101, 2));
    let bid = scene.submit(buy(ANN, 100, 5));
    scene.amend(bid, Amendment::price(Price(102))).unwrap();
    assert_eq!(
        scene.events(),
        [amended(bid, ANN, Some(102), 5, false), trade((offer, BOB), (bid, ANN), (101, 2, 0), Buy)]
    );
    assert_eq!(scene.queue(Buy, 102), [bid]);
}

#[test]
fn amended_quantity_is_what_is_left_not_what_was_submitted() {
    let mut scene = Scene::new();
    let bid = scene.submit(buy(ANN, 100, 5));
    scene.submit(sell(BOB, 100, 3));
    assert_eq!(scene.amend(bid, Amendment::quantity(Quantity(2))), Err(NothingToAmend));
    scene.amend(bid, Amendment::quantity(Quantity(1))).unwrap();
    assert_eq!(scene.events(), [amended(bid, ANN, Some(100), 1, true)]);
}

#[test]
fn amend_that_changes_nothing_is_refused() {
    let mut scene = Scene::new();
    let bid = scene.submit(buy(ANN, 100, 5));
    let same = Amendment { quantity: Some(Quantity(5)), price: Some(Price(100)), stop: None };
    for amendment in [Amendment::default(), same] {
        assert_eq!(scene.amend(bid, amendment), Err(NothingToAmend));
        assert_eq!(scene.events(), [rejected(Some(ANN), NothingToAmend)]);
    }
}

#[test]
fn amend_of_what_the_order_lacks_is_refused() {
    let mut scene = Scene::new();
    let bid = scene.submit(buy(ANN, 100, 5));
    let stop = scene.submit(stop_buy(BOB, 110, 5));
    let new_stop = Amendment { stop: Some(Price(3)), ..Amendment::default() };
    assert_eq!(scene.amend(bid, new_stop), Err(NotAmendable));
    assert_eq!(scene.events(), [rejected(Some(ANN), NotAmendable)]);
    assert_eq!(scene.amend(stop, Amendment::price(Price(3))), Err(NotAmendable));
    assert_eq!(scene.events(), [rejected(Some(BOB), NotAmendable)]);
}

#[test]
fn amend_of_an_unknown_handle_names_no_owner() {
    let mut scene = Scene::new();
    let nobody = handle(3, 1);
    assert_eq!(scene.amend(nobody, Amendment::price(Price(3))), Err(UnknownHandle(nobody)));
    assert_eq!(scene.events(), [rejected(None, UnknownHandle(nobody))]);
}

#[test]
fn amend_to_zero_or_out_of_limits_is_refused() {
    let mut scene = Scene::new();
    let bid = scene.submit(buy(ANN, 100, 5));
    assert_eq!(scene.amend(bid, Amendment::quantity(Quantity(0))), Err(ZeroQuantity));
    assert_eq!(scene.amend(bid, Amendment::price(Price(1001))), Err(PriceOutOfLimits(Price(1001))));
}

#[test]
fn post_only_order_cannot_be_amended_into_a_trade() {
    let mut scene = Scene::new();
    scene.submit(sell(BOB, 101, 1));
    let bid = scene.submit(buy(ANN, 100, 5).post_only());
    assert_eq!(scene.amend(bid, Amendment::price(Price(101))), Err(WouldCross));
    assert_eq!(scene.events(), [rejected(Some(ANN), WouldCross)]);
    assert_eq!(scene.queue(Buy, 100), [bid]);
    assert!(scene.queue(Sell, 101).len() == 1);
}

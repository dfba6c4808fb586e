use lob::CancelReason::SelfTrade;
use lob::Side::{Buy, Sell};
use lob::{Price, Quantity, SelfTradePrevention as Mode};

use crate::scene::*;

/// Bob, and behind him Ann, offer 4 lots each at 100; Ann's mode is set.
fn two_offers(mode: Mode) -> (Scene, [lob::Handle; 3]) {
    let mut scene = Scene::new();
    scene.mode(ANN, mode);
    let before = scene.submit(sell(BOB, 100, 4));
    let own = scene.submit(sell(ANN, 100, 4));
    let after = scene.submit(sell(CAT, 101, 4));
    (scene, [before, own, after])
}

#[test]
fn allowed_self_trade_trades() {
    let (mut scene, [before, own, _]) = two_offers(Mode::Allow);
    let taker = scene.submit(buy(ANN, 101, 6));
    assert_eq!(
        scene.events()[1..],
        [
            trade((before, BOB), (taker, ANN), (100, 4, 0), Buy),
            trade((own, ANN), (taker, ANN), (100, 2, 2), Buy),
        ]
    );
}

#[test]
fn cancel_newest_ends_the_incoming_order() {
    let (mut scene, [before, own, _]) = two_offers(Mode::CancelNewest);
    let taker = scene.submit(buy(ANN, 101, 10));
    assert_eq!(
        scene.events()[1..],
        [trade((before, BOB), (taker, ANN), (100, 4, 0), Buy), cancelled(taker, ANN, 6, 0, SelfTrade)]
    );
    assert_eq!(scene.queue(Sell, 100), [own]);
}

#[test]
fn cancel_oldest_removes_the_resting_order_and_goes_on() {
    let (mut scene, [before, own, after]) = two_offers(Mode::CancelOldest);
    let taker = scene.submit(buy(ANN, 101, 6));
    assert_eq!(
        scene.events()[1..],
        [
            trade((before, BOB), (taker, ANN), (100, 4, 0), Buy),
            cancelled(own, ANN, 4, 0, SelfTrade),
            trade((after, CAT), (taker, ANN), (101, 2, 2), Buy),
        ]
    );
}

#[test]
fn cancel_oldest_takes_hidden_lots_too() {
    let mut scene = Scene::new();
    scene.mode(ANN, Mode::CancelOldest);
    let own = scene.submit(sell(ANN, 100, 9).display(Quantity(2)));
    let taker = scene.submit(buy(ANN, 100, 1));
    assert_eq!(scene.events()[1..], [cancelled(own, ANN, 9, 0, SelfTrade)]);
    assert_eq!(scene.queue(Buy, 100), [taker]);
}

#[test]
fn cancel_both_ends_the_resting_order_then_the_incoming_one() {
    let (mut scene, [before, own, _]) = two_offers(Mode::CancelBoth);
    let taker = scene.submit(buy(ANN, 101, 10));
    assert_eq!(
        scene.events()[1..],
        [
            trade((before, BOB), (taker, ANN), (100, 4, 0), Buy),
            cancelled(own, ANN, 4, 0, SelfTrade),
            cancelled(taker, ANN, 6, 0, SelfTrade),
        ]
    );
}

#[test]
fn decrement_shrinks_both_and_goes_on() {
    let (mut scene, [before, own, after]) = two_offers(Mode::Decrement);
    let taker = scene.submit(buy(ANN, 101, 9));
    assert_eq!(
        scene.events()[1..],
        [
            trade((before, BOB), (taker, ANN), (100, 4, 0), Buy),
            cancelled(own, ANN, 4, 0, SelfTrade),
            cancelled(taker, ANN, 4, 1, SelfTrade),
            trade((after, CAT), (taker, ANN), (101, 1, 3), Buy),
        ]
    );
}

#[test]
fn decrement_takes_one_slice_of_an_iceberg_at_a_time() {
    let mut scene = Scene::new();
    scene.mode(ANN, Mode::Decrement);
    let own = scene.submit(sell(ANN, 100, 5).display(Quantity(2)));
    let taker = scene.submit(buy(ANN, 100, 3));
    assert_eq!(
        scene.events()[1..],
        [
            cancelled(own, ANN, 2, 3, SelfTrade),
            replenished(own, ANN, 2),
            cancelled(taker, ANN, 2, 1, SelfTrade),
            cancelled(own, ANN, 1, 2, SelfTrade),
            cancelled(taker, ANN, 1, 0, SelfTrade),
        ]
    );
}

#[test]
fn incoming_owners_mode_decides_and_nobody_elses() {
    let mut scene = Scene::new();
    scene.mode(BOB, Mode::CancelBoth);
    let own = scene.submit(sell(ANN, 100, 1));
    let taker = scene.submit(buy(ANN, 100, 1));
    assert_eq!(scene.events()[1..], [trade((own, ANN), (taker, ANN), (100, 1, 0), Buy)]);
}

#[test]
fn prevented_self_trade_sets_no_last_trade_price() {
    let mut scene = Scene::new();
    scene.mode(ANN, Mode::Decrement);
    scene.submit(sell(ANN, 100, 1));
    let stop = scene.submit(stop_buy(BOB, 50, 1));
    scene.submit(buy(ANN, 100, 1));
    assert_eq!(scene.book().last_trade(), None);
    assert!(scene.book().pending_stop(stop).is_some());
}

#[test]
fn amended_order_does_not_meet_itself_but_its_siblings() {
    let mut scene = Scene::new();
    scene.mode(ANN, Mode::CancelNewest);
    scene.submit(sell(ANN, 100, 1));
    let bid = scene.submit(buy(ANN, 99, 2));
    scene.amend(bid, lob::Amendment::price(Price(100))).unwrap();
    assert_eq!(
        scene.events(),
        [amended(bid, ANN, Some(100), 2, false), cancelled(bid, ANN, 2, 0, SelfTrade)]
    );
}

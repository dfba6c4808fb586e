use lob::Nanos;
use lob::RejectReason::{AlreadyExpired, ClockBackwards};
use lob::Side::Buy;

use crate::scene::*;

#[test]
fn orders_expire_by_time_then_acceptance_stops_too() {
    let mut scene = Scene::new();
    let late = scene.submit(buy(ANN, 100, 1).good_till(Nanos(20)));
    let first = scene.submit(stop_buy(BOB, 110, 2).good_till(Nanos(10)));
    let second = scene.submit(buy(ANN, 99, 3).good_till(Nanos(10)));
    let stays = scene.submit(buy(ANN, 98, 4).good_till(Nanos(21)));
    let forever = scene.submit(buy(ANN, 98, 5));
    scene.expire(20).unwrap();
    assert_eq!(scene.events(), [expired(first, BOB, 2), expired(second, ANN, 3), expired(late, ANN, 1)]);
    assert_eq!(scene.queue(Buy, 98), [stays, forever]);
    assert_eq!(scene.book().clock(), Nanos(20));
}

#[test]
fn order_with_an_expiry_at_the_clock_or_before_is_refused() {
    let mut scene = Scene::new();
    scene.expire(10).unwrap();
    for expiry in [0, 10] {
        let refused = AlreadyExpired(Nanos(expiry));
        assert_eq!(scene.try_submit(buy(ANN, 100, 1).good_till(Nanos(expiry))), Err(refused));
        assert_eq!(scene.events(), [rejected(Some(ANN), refused)]);
    }
    scene.submit(buy(ANN, 100, 1).good_till(Nanos(11)));
}

#[test]
fn clock_does_not_run_backwards() {
    let mut scene = Scene::new();
    scene.expire(10).unwrap();
    scene.expire(10).unwrap();
    assert_eq!(scene.expire(9), Err(ClockBackwards(Nanos(9))));
    assert_eq!(scene.events(), [rejected(None, ClockBackwards(Nanos(9)))]);
    assert_eq!(scene.book().clock(), Nanos(10));
}

#[test]
fn amended_order_keeps_its_expiry_and_its_rank_among_those_that_expire() {
    let mut scene = Scene::new();
    let first = scene.submit(buy(ANN, 100, 1).good_till(Nanos(10)));
    let second = scene.submit(buy(BOB, 100, 1).good_till(Nanos(10)));
    scene.amend(first, lob::Amendment::quantity(lob::Quantity(9))).unwrap();
    scene.expire(10).unwrap();
    assert_eq!(scene.events(), [expired(first, ANN, 9), expired(second, BOB, 1)]);
}

use lob::CancelReason::{FillOrKill, ImmediateOrCancel, NoLiquidity, PostOnly};
use lob::Side::{Buy, Sell};
use lob::{Amendment, Nanos, NewOrder, Price, Quantity};

use crate::scene::*;

fn stop_limit_buy(owner: lob::Owner, stop: i64, price: i64, quantity: u64) -> NewOrder {
    NewOrder::stop_limit(owner, Buy, Price(stop), Price(price), Quantity(quantity))
}

#[test]
fn buy_stop_fires_at_its_trigger_and_acts_as_a_market_order() {
    let mut scene = Scene::new();
    let near = scene.submit(sell(BOB, 100, 1));
    let far = scene.submit(sell(BOB, 110, 2));
    let stop = scene.submit(stop_buy(ANN, 100, 3));
    assert_eq!(scene.events(), [accepted(stop, ANN, Buy, None, 3)]);
    let taker = scene.submit(buy(CAT, 100, 1));
    assert_eq!(
        scene.events(),
        [
            accepted(taker, CAT, Buy, Some(100), 1),
            trade((near, BOB), (taker, CAT), (100, 1, 0), Buy),
            triggered(stop, ANN),
            trade((far, BOB), (stop, ANN), (110, 2, 0), Buy),
            cancelled(stop, ANN, 1, 0, NoLiquidity),
        ]
    );
}

#[test]
fn sell_stop_fires_at_its_trigger_or_below() {
    let mut scene = Scene::new();
    let bid = scene.submit(buy(BOB, 90, 1));
    let stop = scene.submit(stop_sell(ANN, 95, 1));
    scene.trade_at(96);
    assert!(scene.book().pending_stop(stop).is_some());
    scene.trade_at(95);
    assert_eq!(scene.events()[2..], [triggered(stop, ANN), trade((bid, BOB), (stop, ANN), (90, 1, 0), Sell)]);
}

#[test]
fn no_stop_is_due_before_the_first_trade() {
    let mut scene = Scene::new();
    scene.submit(sell(BOB, 100, 1));
    let stop = scene.submit(stop_buy(ANN, -1000, 1));
    assert!(scene.book().pending_stop(stop).is_some());
}

#[test]
fn stop_that_is_due_when_submitted_fires_at_once() {
    let mut scene = Scene::new();
    scene.trade_at(100);
    let stop = scene.submit(stop_buy(ANN, 100, 2));
    assert_eq!(
        scene.events(),
        [accepted(stop, ANN, Buy, None, 2), triggered(stop, ANN), cancelled(stop, ANN, 2, 0, NoLiquidity)]
    );
}

#[test]
fn stop_limit_rests_at_its_limit_under_the_same_handle() {
    let mut scene = Scene::new();
    let stop = scene.submit(stop_limit_buy(ANN, 100, 98, 5).display(Quantity(2)).good_till(Nanos(9)));
    assert_eq!(scene.events(), [accepted(stop, ANN, Buy, Some(98), 5)]);
    scene.trade_at(100);
    assert_eq!(scene.events()[2..], [triggered(stop, ANN)]);
    let view = scene.book().order(stop).unwrap();
    assert_eq!((view.price, view.visible, view.hidden), (Price(98), Quantity(2), Quantity(3)));
    assert_eq!(view.expiry, Some(Nanos(9)));
}

#[test]
fn lowest_buy_fires_first_then_sells_from_the_highest() {
    let mut scene = Scene::new();
    let [low_sell, high_sell] = [stop_sell(ANN, 101, 1), stop_sell(ANN, 103, 1)].map(|o| scene.submit(o));
    let [high_buy, low_buy] = [stop_buy(ANN, 99, 1), stop_buy(ANN, 97, 1)].map(|order| scene.submit(order));
    scene.trade_at(100);
    let fired: Vec<_> = scene.events().iter().filter(|e| matches!(e, lob::Event::Triggered { .. })).collect();
    assert_eq!(
        fired,
        [low_buy, high_buy, high_sell, low_sell].map(|handle| triggered(handle, ANN)).each_ref()
    );
}

#[test]
fn first_come_is_first_fired_at_one_trigger() {
    let mut scene = Scene::new();
    let [first, second] = [ANN, BOB].map(|owner| scene.submit(stop_buy(owner, 100, 1)));
    scene.trade_at(100);
    assert_eq!(
        scene.events()[2..],
        [
            triggered(first, ANN),
            cancelled(first, ANN, 1, 0, NoLiquidity),
            triggered(second, BOB),
            cancelled(second, BOB, 1, 0, NoLiquidity),
        ]
    );
}

#[test]
fn trade_of_a_stop_can_fire_the_next() {
    let mut scene = Scene::new();
    let offer = scene.submit(sell(CAT, 120, 5));
    let second = scene.submit(stop_buy(BOB, 120, 1));
    let first = scene.submit(stop_buy(ANN, 100, 1));
    scene.trade_at(100);
    assert_eq!(
        scene.events()[2..],
        [
            triggered(first, ANN),
            trade((offer, CAT), (first, ANN), (120, 1, 4), Buy),
            triggered(second, BOB),
            trade((offer, CAT), (second, BOB), (120, 1, 3), Buy),
        ]
    );
}

#[test]
fn only_the_last_trade_price_counts() {
    let mut scene = Scene::new();
    let stop = scene.submit(stop_buy(ANN, 105, 1));
    scene.submit(sell(BOB, 110, 1));
    scene.submit(sell(BOB, 90, 1));
    // One market order trades at 90 and then at 110: the stop looks at 110 only.
    scene.submit(market_buy(CAT, 2));
    assert_eq!(scene.events()[3], triggered(stop, ANN));
    let passed = scene.submit(stop_sell(ANN, 95, 1));
    assert!(scene.book().pending_stop(passed).is_some());
}

#[test]
fn triggered_order_that_would_have_been_refused_is_cancelled() {
    let mut scene = Scene::new();
    scene.submit(sell(BOB, 100, 1));
    let post_only = scene.submit(stop_limit_buy(ANN, 50, 100, 1).post_only());
    let fill_or_kill = scene.submit(stop_buy(ANN, 51, 2).fok());
    let immediate = scene.submit(stop_limit_buy(ANN, 52, 99, 1).ioc());
    scene.trade_at(60);
    assert_eq!(
        scene.events()[2..],
        [
            triggered(post_only, ANN),
            cancelled(post_only, ANN, 1, 0, PostOnly),
            triggered(fill_or_kill, ANN),
            cancelled(fill_or_kill, ANN, 2, 0, FillOrKill),
            triggered(immediate, ANN),
            cancelled(immediate, ANN, 1, 0, ImmediateOrCancel),
        ]
    );
}

#[test]
fn amended_trigger_that_is_due_fires() {
    let mut scene = Scene::new();
    scene.trade_at(100);
    let stop = scene.submit(stop_buy(ANN, 110, 1));
    let amendment = Amendment { stop: Some(Price(100)), ..Amendment::default() };
    scene.amend(stop, amendment).unwrap();
    assert_eq!(
        scene.events(),
        [amended(stop, ANN, None, 1, false), triggered(stop, ANN), cancelled(stop, ANN, 1, 0, NoLiquidity)]
    );
}

#[test]
fn smaller_pending_stop_keeps_its_place_and_a_larger_one_does_not() {
    let mut scene = Scene::new();
    let first = scene.submit(stop_buy(ANN, 100, 5));
    let second = scene.submit(stop_buy(BOB, 100, 5));
    scene.amend(first, Amendment::quantity(Quantity(4))).unwrap();
    assert_eq!(scene.events(), [amended(first, ANN, None, 4, true)]);
    let firing = |scene: &Scene| scene.book().stops(Buy).map(|stop| stop.handle).collect::<Vec<_>>();
    assert_eq!(firing(&scene), [first, second]);
    scene.amend(first, Amendment::quantity(Quantity(6))).unwrap();
    assert_eq!(scene.events(), [amended(first, ANN, None, 6, false)]);
    assert_eq!(firing(&scene), [second, first]);
}

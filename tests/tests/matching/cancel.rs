use lob::CancelReason::Requested;
use lob::RejectReason::{OwnerOutOfRange, UnknownHandle, ZeroQuantity};
use lob::Side::{Buy, Sell};
use lob::{Owner, Price, Quantity, Request};

use crate::scene::*;

fn lots(owner: Owner, quantity: u64) -> Request {
    Request::CancelQuantity { owner, side: Buy, price: Price(100), quantity: Quantity(quantity) }
}

#[test]
fn cancel_takes_all_that_is_left_hidden_lots_too() {
    let mut scene = Scene::new();
    let order = scene.submit(buy(ANN, 100, 9).display(Quantity(2)));
    scene.submit(sell(BOB, 100, 3));
    scene.cancel(order).unwrap();
    assert_eq!(scene.events(), [cancelled(order, ANN, 6, 0, Requested)]);
    assert_eq!(scene.book().order_count(), 0);
}

#[test]
fn cancel_reaches_pending_stops() {
    let mut scene = Scene::new();
    let stop = scene.submit(stop_sell(ANN, 90, 4));
    scene.cancel(stop).unwrap();
    assert_eq!(scene.events(), [cancelled(stop, ANN, 4, 0, Requested)]);
}

#[test]
fn stale_handle_is_refused() {
    let mut scene = Scene::new();
    let gone = scene.submit(buy(ANN, 100, 1));
    scene.cancel(gone).unwrap();
    let heir = scene.submit(buy(BOB, 100, 1));
    assert_eq!(heir.slot(), gone.slot());
    assert_eq!(scene.cancel(gone), Err(UnknownHandle(gone)));
    assert_eq!(scene.events(), [rejected(None, UnknownHandle(gone))]);
    assert_eq!(scene.queue(Buy, 100), [heir]);
}

#[test]
fn cancel_of_a_quantity_takes_the_newest_first_and_shrinks_the_last_in_place() {
    let mut scene = Scene::new();
    let oldest = scene.submit(buy(ANN, 100, 5));
    let others = scene.submit(buy(BOB, 100, 5));
    let newest = scene.submit(buy(ANN, 100, 3));
    scene.apply(lots(ANN, 4)).unwrap();
    assert_eq!(
        scene.events(),
        [cancelled(newest, ANN, 3, 0, Requested), cancelled(oldest, ANN, 1, 4, Requested)]
    );
    assert_eq!(scene.queue(Buy, 100), [oldest, others]);
}

#[test]
fn cancel_of_a_quantity_takes_hidden_lots_before_visible_ones() {
    let mut scene = Scene::new();
    let iceberg = scene.submit(buy(ANN, 100, 9).display(Quantity(4)));
    scene.apply(lots(ANN, 6)).unwrap();
    assert_eq!(scene.events(), [cancelled(iceberg, ANN, 6, 3, Requested)]);
    let view = scene.book().order(iceberg).unwrap();
    assert_eq!((view.visible, view.hidden), (Quantity(3), Quantity(0)));
}

#[test]
fn cancel_of_a_quantity_where_nothing_is_does_nothing() {
    let mut scene = Scene::new();
    scene.submit(buy(BOB, 100, 1));
    scene.submit(stop_buy(ANN, 100, 1));
    scene.apply(lots(ANN, 5)).unwrap();
    assert_eq!(scene.events(), []);
    assert_eq!(scene.book().order_count(), 2);
}

#[test]
fn cancel_of_a_quantity_is_refused_without_owner_or_lots() {
    let mut scene = Scene::new();
    assert_eq!(scene.apply(lots(Owner(16), 0)), Err(OwnerOutOfRange(Owner(16))));
    assert_eq!(scene.events(), [rejected(Some(Owner(16)), OwnerOutOfRange(Owner(16)))]);
    assert_eq!(scene.apply(lots(ANN, 0)), Err(ZeroQuantity));
    assert_eq!(scene.events(), [rejected(Some(ANN), ZeroQuantity)]);
}

#[test]
fn mass_cancel_goes_by_acceptance_whatever_happened_since() {
    let mut scene = Scene::new();
    let stop = scene.submit(stop_buy(ANN, 110, 1));
    let ask = scene.submit(sell(ANN, 105, 2));
    let bid = scene.submit(buy(ANN, 100, 3));
    let others = scene.submit(buy(BOB, 100, 3));
    scene.amend(ask, lob::Amendment::quantity(Quantity(7))).unwrap();
    scene.apply(Request::MassCancel { owner: ANN, side: None }).unwrap();
    assert_eq!(
        scene.events(),
        [
            cancelled(stop, ANN, 1, 0, Requested),
            cancelled(ask, ANN, 7, 0, Requested),
            cancelled(bid, ANN, 3, 0, Requested),
        ]
    );
    assert_eq!(scene.queue(Buy, 100), [others]);
}

#[test]
fn mass_cancel_of_a_side_leaves_the_other() {
    let mut scene = Scene::new();
    let ask = scene.submit(sell(ANN, 105, 2));
    let bid = scene.submit(buy(ANN, 100, 3));
    scene.apply(Request::MassCancel { owner: ANN, side: Some(Sell) }).unwrap();
    assert_eq!(scene.events(), [cancelled(ask, ANN, 2, 0, Requested)]);
    assert_eq!(scene.queue(Buy, 100), [bid]);
}

#[test]
fn mass_cancel_of_an_owner_out_of_range_does_nothing() {
    let mut scene = Scene::new();
    scene.submit(buy(ANN, 100, 3));
    assert_eq!(scene.apply(Request::MassCancel { owner: Owner(99), side: None }), Ok(0));
    assert_eq!(scene.events(), []);
}

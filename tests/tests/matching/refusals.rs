use lob::Contradiction::{DisplayWithoutRest, MarketGoodTill, PostOnlyImmediate, PostOnlyWithoutLimit};
use lob::RejectReason::{
    AlreadyExpired, Contradiction, OwnerOutOfRange, PriceOutOfLimits, QuantityOverflow, ZeroDisplay,
    ZeroQuantity,
};
use lob::{Amendment, Nanos, NewOrder, Owner, Price, Quantity, RejectReason, Side};

use crate::scene::*;

fn refused(order: NewOrder, reason: RejectReason) {
    let mut scene = Scene::new();
    assert_eq!(scene.try_submit(order), Err(reason), "{order:?}");
    assert_eq!(scene.events(), [rejected(Some(order.owner), reason)]);
}

#[test]
fn checks_come_in_order() {
    // Each order breaks all the rules that come later, as far as they can be broken together.
    let nobody = Owner(16);
    refused(buy(nobody, 5_000, 0).post_only().fok().display(Quantity(0)), OwnerOutOfRange(nobody));
    refused(buy(ANN, 5_000, 0).post_only().fok().display(Quantity(0)), ZeroQuantity);
    refused(market_buy(ANN, 1).post_only().fok().display(Quantity(0)), Contradiction(PostOnlyWithoutLimit));
    refused(buy(ANN, 5_000, 1).post_only().fok().display(Quantity(0)), Contradiction(PostOnlyImmediate));
    refused(buy(ANN, 5_000, 1).fok().display(Quantity(0)), Contradiction(DisplayWithoutRest));
    refused(buy(ANN, 5_000, 1).good_till(Nanos(0)).display(Quantity(0)), ZeroDisplay);
    refused(buy(ANN, 5_000, u64::MAX).good_till(Nanos(0)), PriceOutOfLimits(Price(5_000)));
    refused(buy(ANN, 100, u64::MAX).good_till(Nanos(0)), AlreadyExpired(Nanos(0)));
}

#[test]
fn contradictions_are_refused() {
    for order in [market_buy(ANN, 1), stop_buy(ANN, 100, 1)] {
        refused(order.post_only(), Contradiction(PostOnlyWithoutLimit));
        refused(order.display(Quantity(1)), Contradiction(DisplayWithoutRest));
    }
    refused(buy(ANN, 100, 1).post_only().ioc(), Contradiction(PostOnlyImmediate));
    refused(buy(ANN, 100, 1).display(Quantity(1)).ioc(), Contradiction(DisplayWithoutRest));
    refused(market_buy(ANN, 1).good_till(Nanos(9)), Contradiction(MarketGoodTill));
    let mut scene = Scene::new();
    scene.submit(stop_buy(ANN, 100, 1).good_till(Nanos(9)));
}

#[test]
fn limit_is_checked_before_the_stop() {
    let order = |stop, price| NewOrder::stop_limit(ANN, Side::Sell, Price(stop), Price(price), Quantity(1));
    refused(order(-1001, 1001), PriceOutOfLimits(Price(1001)));
    refused(order(-1001, 1000), PriceOutOfLimits(Price(-1001)));
}

#[test]
fn open_quantity_of_a_side_cannot_overflow() {
    let mut scene = Scene::new();
    scene.submit(buy(ANN, 100, u64::MAX - 10).display(Quantity(1 << 62)));
    scene.submit(stop_buy(ANN, 200, 8));
    assert_eq!(scene.try_submit(buy(BOB, 50, 3)), Err(QuantityOverflow));
    assert_eq!(scene.try_submit(stop_buy(BOB, 300, 3).ioc()), Err(QuantityOverflow));
    // What can neither rest nor wait is no danger, and the other side is another sum.
    scene.submit(market_buy(BOB, u64::MAX));
    scene.submit(buy(BOB, 50, u64::MAX).ioc());
    scene.submit(sell(BOB, 300, u64::MAX));
    let order = scene.submit(buy(BOB, 50, 2));
    assert_eq!(scene.amend(order, Amendment::quantity(Quantity(3))), Err(QuantityOverflow));
    assert_eq!(scene.events(), [rejected(Some(BOB), QuantityOverflow)]);
}

#[test]
fn self_trade_prevention_is_set_for_owners_in_range() {
    let mut scene = Scene::new();
    let (owner, mode) = (Owner(16), lob::SelfTradePrevention::Decrement);
    let request = lob::Request::SetSelfTradePrevention { owner, mode };
    assert_eq!(scene.apply(request), Err(OwnerOutOfRange(owner)));
    assert_eq!(scene.events(), [rejected(Some(owner), OwnerOutOfRange(owner))]);
    scene.mode(ANN, mode);
    assert_eq!(scene.events(), []);
    assert_eq!(scene.book().self_trade_prevention(ANN), mode);
}

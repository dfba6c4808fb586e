//! From the orders that there are to those that are wanted, with as few messages as keep most places in the queues.

use lob::{Price, Side};

use super::pricing::{MAX_LEVELS, Targets};

/// Most orders that top up one price. One more, and the last of them is enlarged instead, which sends it to the back.
const MAX_AT_PRICE: u32 = 4;

/// One of the maker's orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Working {
    /// The handle's bits, or the ticket.
    pub(super) id: u64,
    pub(super) side: Side,
    /// Ticks; `None` if it is not known where it stands.
    pub(super) price: Option<Price>,
    /// Lots that may still trade.
    pub(super) open: u64,
}

/// What is asked of the venue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Message {
    /// A new post-only order behind what is there.
    Submit { side: Side, price: Price, lots: u64 },
    /// An order goes to another price, or grows.
    Amend { id: u64, price: Price, lots: u64 },
    /// Lots go from the maker's orders at a price, those furthest back first; the rest keeps its place.
    Reduce { side: Side, price: Price, lots: u64 },
    /// An order goes.
    Cancel { id: u64 },
}

/// The messages that make `own` orders into the targets of both sides.
///
/// Lots at a wanted price stay where they are: surplus is taken from the back, what is missing joins behind in an order of its own (an
/// amendment upwards would send the whole order to the back). Orders at other prices are moved to where something is missing; those
/// that nobody needs are cancelled.
pub(super) fn plan(targets: &[Targets; 2], own: &[Working], messages: &mut Vec<Message>) {
    messages.clear();
    // A side that moves towards the other's present orders waits until those have moved away.
    let lowest_ask =
        own.iter().filter(|order| order.side == Side::Sell).filter_map(|order| order.price).min();
    let highest_bid = targets[0].as_slice().first();
    let asks_first = highest_bid.zip(lowest_ask).is_some_and(|(bid, ask)| bid.0 >= ask);
    let order = if asks_first { [Side::Sell, Side::Buy] } else { Side::BOTH };
    for side in order {
        plan_side(side, targets[side.index()].as_slice(), own, messages);
    }
}

fn plan_side(side: Side, targets: &[(Price, u64)], own: &[Working], messages: &mut Vec<Message>) {
    // Nearly always: at most one order, and at most one target.
    let mut mine = own.iter().filter(|order| order.side == side);
    match (mine.next(), mine.next(), targets) {
        (None, _, []) => {}
        (None, _, &[(price, lots)]) => messages.push(Message::Submit { side, price, lots }),
        (Some(order), None, []) => messages.push(Message::Cancel { id: order.id }),
        (Some(order), None, &[(price, lots)]) if order.price != Some(price) => {
            messages.push(Message::Amend { id: order.id, price, lots });
        }
        (Some(order), None, &[(_, lots)]) if order.open == lots => {}
        _ => plan_levels(side, targets, own, messages),
    }
}

fn plan_levels(side: Side, targets: &[(Price, u64)], own: &[Working], messages: &mut Vec<Message>) {
    let mut have = [0; MAX_LEVELS];
    let mut count = [0; MAX_LEVELS];
    let mut last = [None; MAX_LEVELS];
    let mine = || own.iter().filter(|order| order.side == side);
    let level_of = |order: &Working| targets.iter().position(|target| Some(target.0) == order.price);
    let mut strays = 0;
    for order in mine() {
        match level_of(order) {
            Some(level) => {
                have[level] += order.open;
                count[level] += 1;
                last[level] = Some(order);
            }
            None => strays += 1,
        }
    }
    let mut missing = [0; MAX_LEVELS];
    for (level, &(price, lots)) in targets.iter().enumerate() {
        if have[level] > lots {
            messages.push(Message::Reduce { side, price, lots: have[level] - lots });
        }
        missing[level] = lots.saturating_sub(have[level]);
    }
    if strays > 0 {
        for order in mine().filter(|order| level_of(order).is_none()) {
            let id = order.id;
            messages.push(match missing.iter().position(|&lots| lots > 0) {
                Some(level) => {
                    let lots = std::mem::take(&mut missing[level]);
                    Message::Amend { id, price: targets[level].0, lots }
                }
                None => Message::Cancel { id },
            });
        }
    }
    for (level, &(price, _)) in targets.iter().enumerate().filter(|&(level, _)| missing[level] > 0) {
        let lots = missing[level];
        messages.push(match last[level] {
            Some(order) if count[level] >= MAX_AT_PRICE => {
                Message::Amend { id: order.id, price, lots: order.open + lots }
            }
            _ => Message::Submit { side, price, lots },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Action;
    use crate::envs::market_making::pricing::{Reference, targets};
    use crate::quoting::{OffsetsAndSizes, QuoteAction, Quotes};

    const BUY: Side = Side::Buy;
    const SELL: Side = Side::Sell;

    fn order(id: u64, side: Side, price: i64, open: u64) -> Working {
        Working { id, side, price: Some(Price(price)), open }
    }

    /// Messages towards one quote a side, at these prices and sizes.
    fn messages(bid: (i64, u64), ask: (i64, u64), own: &[Working]) -> Vec<Message> {
        let mid = (bid.0 + ask.0) as f64 / 2.0;
        let half = (ask.0 - bid.0) as f64 / 2.0;
        let scale = OffsetsAndSizes { min_offset: 0.0, max_offset: 10.0, max_lots: 20 };
        let action = scale.action(&Quotes { offset: [half; 2], lots: [bid.1, ask.1] });
        let reference = Reference { mid, best: [None, None], mirrored: false };
        let codec = QuoteAction::OffsetsAndSizes(scale);
        let wanted = targets(&codec, Action::Continuous(&action), &reference, [99, 99]);
        let mut messages = Vec::new();
        plan(&wanted, own, &mut messages);
        messages
    }

    #[test]
    fn unchanged_quotes_send_nothing() {
        let own = [order(1, BUY, 100, 5), order(2, SELL, 103, 2), order(3, SELL, 103, 3)];
        assert_eq!(messages((100, 5), (103, 5), &own), []);
    }

    #[test]
    fn a_quote_that_was_hit_is_topped_up_behind_and_keeps_its_place() {
        let own = [order(1, BUY, 100, 2), order(2, SELL, 103, 5)];
        let submit = Message::Submit { side: BUY, price: Price(100), lots: 3 };
        assert_eq!(messages((100, 5), (103, 5), &own), [submit]);
    }

    #[test]
    fn a_smaller_quote_loses_lots_from_the_back() {
        let own = [order(1, BUY, 100, 2), order(2, BUY, 100, 3)];
        let reduce = Message::Reduce { side: BUY, price: Price(100), lots: 4 };
        assert_eq!(messages((100, 1), (103, 0), &own), [reduce]);
    }

    #[test]
    fn a_quote_at_another_price_is_an_amendment_and_spare_orders_go() {
        let own = [order(1, BUY, 99, 2), order(2, BUY, 99, 3), order(3, SELL, 103, 5)];
        let amend = Message::Amend { id: 1, price: Price(100), lots: 5 };
        assert_eq!(
            messages((100, 5), (103, 0), &own),
            [amend, Message::Cancel { id: 2 }, Message::Cancel { id: 3 }]
        );
    }

    #[test]
    fn orders_at_a_price_stay_few() {
        let own: Vec<Working> = (0..4).map(|id| order(id, BUY, 100, 1)).collect();
        let amend = Message::Amend { id: 3, price: Price(100), lots: 3 };
        assert_eq!(messages((100, 6), (103, 0), &own), [amend]);
    }

    #[test]
    fn a_side_makes_room_before_the_other_comes() {
        let own = [order(1, BUY, 100, 5), order(2, SELL, 102, 5)];
        let bid = |price| Message::Amend { id: 1, price: Price(price), lots: 5 };
        let ask = |price| Message::Amend { id: 2, price: Price(price), lots: 5 };
        assert_eq!(messages((103, 5), (105, 5), &own), [ask(105), bid(103)]);
        assert_eq!(messages((97, 5), (99, 5), &own), [bid(97), ask(99)]);
    }

    #[test]
    fn an_order_whose_price_is_not_known_is_put_where_it_should_be() {
        let own = [Working { price: None, ..order(1, BUY, 0, 5) }];
        let amend = Message::Amend { id: 1, price: Price(100), lots: 5 };
        assert_eq!(messages((100, 5), (103, 0), &own), [amend]);
    }
}

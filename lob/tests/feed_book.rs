//! The book that follows a feed, against one that is too simple to be wrong.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeMap;

use lob::{FeedBook, FeedProblem, Price, Quantity, Side};
use proptest::prelude::*;

/// Orders (number, lots) in the order of their queue, by side and price.
#[derive(Default)]
struct Naive(BTreeMap<(usize, i64), Vec<(u64, u64)>>);

impl Naive {
    fn find(&self, id: u64) -> Option<((usize, i64), usize)> {
        self.0.iter().find_map(|(&key, queue)| Some((key, queue.iter().position(|order| order.0 == id)?)))
    }

    fn add(&mut self, id: u64, side: Side, price: i64, lots: u64) -> Result<(), FeedProblem> {
        if lots == 0 {
            return Err(FeedProblem::ZeroQuantity);
        }
        if self.find(id).is_some() {
            return Err(FeedProblem::DuplicateOrder(id));
        }
        self.0.entry((side.index(), price)).or_default().push((id, lots));
        Ok(())
    }

    fn remove(&mut self, id: u64) -> Option<((usize, i64), u64)> {
        let (key, at) = self.find(id)?;
        let queue = self.0.get_mut(&key).unwrap();
        let (_, lots) = queue.remove(at);
        if queue.is_empty() {
            self.0.remove(&key);
        }
        Some((key, lots))
    }

    fn reduce(&mut self, id: u64, lots: u64) -> Result<Quantity, FeedProblem> {
        let (key, at) = self.find(id).ok_or(FeedProblem::UnknownOrder(id))?;
        let left = self.0[&key][at].1;
        if left <= lots {
            self.remove(id);
            return if left < lots { Err(FeedProblem::TooMany(id)) } else { Ok(Quantity::ZERO) };
        }
        self.0.get_mut(&key).unwrap()[at].1 -= lots;
        Ok(Quantity(left - lots))
    }

    fn modify(&mut self, id: u64, price: i64, lots: u64) -> Result<(), FeedProblem> {
        let ((side, old), at) = self.find(id).ok_or(FeedProblem::UnknownOrder(id))?;
        if lots == 0 {
            return Err(FeedProblem::ZeroQuantity);
        }
        let left = &mut self.0.get_mut(&(side, old)).unwrap()[at].1;
        if old == price && lots <= *left {
            *left = lots;
            return Ok(());
        }
        self.remove(id);
        self.0.entry((side, price)).or_default().push((id, lots));
        Ok(())
    }

    fn levels(&self, side: Side) -> Vec<(Price, Quantity)> {
        let levels = self.0.range((side.index(), i64::MIN)..=(side.index(), i64::MAX));
        let mut levels: Vec<_> = levels
            .map(|(&(_, price), queue)| (Price(price), Quantity(queue.iter().map(|order| order.1).sum())))
            .collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64, bool, i64, u64),
    Reduce(u64, u64),
    Delete(u64),
    Modify(u64, i64, u64),
    Replace(u64, u64, i64, u64),
    Clear(bool, Option<i64>),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![4 => 0..60_u64, 1 => any::<u64>().prop_map(|id| id | 1 << 40)];
    // Prices near each other, and prices beyond the window.
    let price = || prop_oneof![4 => 0..80_i64, 1 => -4_000..4_000_i64];
    prop_oneof![
        6 => (id(), any::<bool>(), price(), 0..20_u64).prop_map(|(id, buy, price, lots)| Step::Add(id, buy, price, lots)),
        2 => (id(), 0..20_u64).prop_map(|(id, lots)| Step::Reduce(id, lots)),
        2 => id().prop_map(Step::Delete),
        2 => (id(), price(), 0..20_u64).prop_map(|(id, price, lots)| Step::Modify(id, price, lots)),
        2 => (id(), id(), price(), 1..20_u64).prop_map(|(old, new, price, lots)| Step::Replace(old, new, price, lots)),
        1 => (any::<bool>(), prop::option::of(price())).prop_map(|(buy, to)| Step::Clear(buy, to)),
    ]
}

fn side(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn feed_book_behaves_like_the_naive_one(steps in prop::collection::vec(step(), 1..300)) {
        let (mut book, mut naive) = (FeedBook::new(64), Naive::default());
        for step in steps {
            match step {
                Step::Add(id, buy, price, lots) => prop_assert_eq!(
                    book.add(id, side(buy), Price(price), Quantity(lots)),
                    naive.add(id, side(buy), price, lots)
                ),
                Step::Reduce(id, lots) => prop_assert_eq!(book.reduce(id, Quantity(lots)), naive.reduce(id, lots)),
                Step::Delete(id) => prop_assert_eq!(book.delete(id).ok().map(|lots| lots.0), naive.remove(id).map(|gone| gone.1)),
                Step::Modify(id, price, lots) => {
                    prop_assert_eq!(book.modify(id, Price(price), Quantity(lots)), naive.modify(id, price, lots));
                }
                Step::Replace(old, new, price, lots) => {
                    let expected = match naive.remove(old) {
                        None => Err(FeedProblem::UnknownOrder(old)),
                        Some(((at, _), _)) => naive.add(new, Side::BOTH[at], price, lots),
                    };
                    prop_assert_eq!(book.replace(old, new, Price(price), Quantity(lots)), expected);
                }
                Step::Clear(buy, to) => {
                    book.clear_side(side(buy), to.map(Price));
                    naive.0.retain(|&(at, price), _| {
                        at != side(buy).index() || to.is_some_and(|to| if buy { price < to } else { price > to })
                    });
                }
            }
            book.check_invariants().unwrap();
            for side in Side::BOTH {
                let levels = naive.levels(side);
                prop_assert_eq!(book.best(side), levels.first().copied());
                prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), levels);
            }
        }
        for (&(at, price), queue) in &naive.0 {
            let found: Vec<(u64, u64)> = book.queue(Side::BOTH[at], Price(price)).map(|(id, lots)| (id, lots.0)).collect();
            prop_assert_eq!(&found, queue);
        }
    }
}

#[test]
fn whole_levels_are_set_and_may_cross() {
    let mut book = FeedBook::new(64);
    book.set_level(Side::Buy, Price(100), Quantity(5)).unwrap();
    book.set_level(Side::Sell, Price(99), Quantity(7)).unwrap();
    book.set_level(Side::Buy, Price(-1_000_000), Quantity(1)).unwrap();
    assert_eq!(book.best(Side::Buy), Some((Price(100), Quantity(5))));
    assert_eq!(book.best(Side::Sell), Some((Price(99), Quantity(7))));
    assert_eq!(book.add(1, Side::Buy, Price(100), Quantity(1)), Err(FeedProblem::Mixed));
    book.set_level(Side::Buy, Price(100), Quantity(0)).unwrap();
    book.set_level(Side::Buy, Price(100), Quantity(0)).unwrap();
    assert_eq!(book.best(Side::Buy), Some((Price(-1_000_000), Quantity(1))));
    book.add(1, Side::Buy, Price(100), Quantity(1)).unwrap();
    assert_eq!(book.set_level(Side::Buy, Price(100), Quantity(3)), Err(FeedProblem::Mixed));
    let far = Price(i64::MAX);
    assert_eq!(book.set_level(Side::Sell, far, Quantity(3)), Err(FeedProblem::Price(far)));
    assert_eq!(book.add(2, Side::Buy, Price(100), Quantity(u64::MAX)), Err(FeedProblem::Full));
    book.check_invariants().unwrap();
}

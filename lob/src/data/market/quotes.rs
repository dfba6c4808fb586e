//! Whether the best prices that a feed announces are those of the book that its depth updates build.
//!
//! Binance sends both, numbered on one scale. A quote whose number is that of an update must equal the book behind it. One that
//! lies between two updates is a state that the book passed through: it equals the book before or after the later update, or
//! shows levels that the later update names, levels that came and went between the two, or a level of both books that is best for a
//! moment because everything better is away. What is none of these is unexplained.

use std::collections::VecDeque;

use serde::Serialize;

use crate::{FeedBook, Price, Quantity, Side};

/// Updates that a late quote is still compared with.
const HISTORY: usize = 512;

/// Quotes that wait for the update behind them.
const WAITING: usize = 1 << 20;

type Top = Option<(Price, Quantity)>;

/// How announced best prices compare with the book. The counts are exclusive and add up to all quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuoteAgreement {
    /// All quotes.
    pub quotes: u64,
    /// Numbered as an update, and equal to the book after it, prices and sizes.
    pub same_update_agrees: u64,
    /// Numbered as an update, but different.
    pub same_update_differs: u64,
    /// Between two updates, and equal to the book after the earlier one.
    pub equals_earlier: u64,
    /// Between two updates, and equal to the book after the later one.
    pub equals_later: u64,
    /// Between two updates: one side as after the earlier, the other as after the later.
    pub sides_of_both: u64,
    /// Between two updates: a side stands at a price that the later update names, with a size in between.
    pub passed_through: u64,
    /// Between two updates: a side stands at a price that was empty before and after, and that neither update names.
    pub came_and_went: u64,
    /// Between two updates: a side stands at a level that is the same before and after, size included, but not the best in either: what is
    /// better was away for a moment.
    pub uncovered: u64,
    /// Between two updates, and none of these: the book is wrong, or the feed.
    pub unexplained: u64,
    /// Before the first book.
    pub before_book: u64,
    /// While the book was stale, or older than the snapshot that followed.
    pub while_stale: u64,
    /// No later update came.
    pub after_last_update: u64,
    /// Older than the updates that are kept for comparison.
    pub too_late: u64,
    /// Of all: those that came after the update that reports them.
    pub late: u64,
}

impl QuoteAgreement {
    /// Quotes that were compared with a book.
    pub fn compared(&self) -> u64 {
        self.same_update_agrees
            + self.same_update_differs
            + self.equals_earlier
            + self.equals_later
            + self.sides_of_both
            + self.passed_through
            + self.came_and_went
            + self.uncovered
            + self.unexplained
    }
}

#[derive(Clone, Copy, Debug)]
struct Quote {
    id: u64,
    sides: [(Price, Quantity); 2],
}

#[derive(Clone, Copy, Debug)]
struct Touched {
    side: Side,
    price: Price,
    before: Quantity,
}

#[derive(Clone, Debug, Default)]
struct Update {
    id: u64,
    before: [Top; 2],
    after: [Top; 2],
    touched: Vec<Touched>,
}

/// Compares quotes with a book.
#[derive(Clone, Debug, Default)]
pub(super) struct QuoteCheck {
    result: QuoteAgreement,
    bid: Option<(u64, Price, Quantity)>,
    waiting: VecDeque<Quote>,
    history: VecDeque<Update>,
    /// Buffers of forgotten updates.
    spare: Vec<Update>,
    current: Update,
    open: bool,
    /// Number of the latest update or snapshot; `None` while there is no book to compare with.
    reached: Option<u64>,
    had_book: bool,
}

fn tops(book: &FeedBook) -> [Top; 2] {
    Side::BOTH.map(|side| book.best(side))
}

impl QuoteCheck {
    /// Half of a quote; the bid comes first.
    pub(super) fn best(
        &mut self,
        side: Option<Side>,
        id: u64,
        price: Price,
        quantity: Quantity,
        book: &FeedBook,
    ) {
        match (side, self.bid.take()) {
            (Some(Side::Buy), _) => self.bid = Some((id, price, quantity)),
            (Some(Side::Sell), Some((bid_id, bid, size))) if bid_id == id => {
                self.quote(Quote { id, sides: [(bid, size), (price, quantity)] }, book);
            }
            _ => {}
        }
    }

    fn quote(&mut self, quote: Quote, book: &FeedBook) {
        self.result.quotes += 1;
        match self.reached {
            Some(reached) if quote.id <= reached => {
                self.result.late += 1;
                self.compare(quote, book);
            }
            _ => {
                if self.waiting.len() == WAITING {
                    self.waiting.pop_front();
                    self.result.after_last_update += 1;
                }
                self.waiting.push_back(quote);
            }
        }
    }

    /// A level is about to change.
    pub(super) fn touch(&mut self, side: Side, price: Price, book: &FeedBook) {
        if !self.open {
            self.open = true;
            self.current.before = tops(book);
        }
        self.current.touched.push(Touched { side, price, before: book.quantity_at(side, price) });
    }

    /// The update `id` is complete.
    pub(super) fn update(&mut self, id: u64, book: &FeedBook) {
        if !self.open {
            self.current.before = tops(book);
        }
        self.open = false;
        if self.reached.is_none() {
            self.current.touched.clear();
            return;
        }
        self.current.id = id;
        self.current.after = tops(book);
        if self.history.len() == HISTORY
            && let Some(mut oldest) = self.history.pop_front()
        {
            oldest.touched.clear();
            self.spare.push(oldest);
        }
        let next = self.spare.pop().unwrap_or_default();
        self.history.push_back(std::mem::replace(&mut self.current, next));
        self.reached = Some(id);
        let mut count = self.waiting.len();
        while count > 0 {
            count -= 1;
            let Some(quote) = self.waiting.pop_front() else { break };
            if quote.id <= id { self.compare(quote, book) } else { self.waiting.push_back(quote) }
        }
    }

    /// The book is in step again, as of the number `id`.
    pub(super) fn resynchronised(&mut self, id: u64, book: &FeedBook) {
        self.forget_history();
        let older = self.waiting.iter().filter(|quote| quote.id < id).count() as u64;
        self.waiting.retain(|quote| quote.id >= id);
        *(if self.had_book { &mut self.result.while_stale } else { &mut self.result.before_book }) += older;
        self.had_book = true;
        self.reached = Some(id);
        let update = Update { id, before: tops(book), after: tops(book), touched: Vec::new() };
        self.history.push_back(update);
        while self.waiting.front().is_some_and(|quote| quote.id == id) {
            if let Some(quote) = self.waiting.pop_front() {
                self.compare(quote, book);
            }
        }
    }

    /// Messages are missing.
    pub(super) fn stale(&mut self) {
        self.forget_history();
        self.reached = None;
        // Quotes that wait lie behind the last update before the gap: no later one will tell.
        self.result.while_stale += self.waiting.len() as u64;
        self.waiting.clear();
    }

    fn forget_history(&mut self) {
        self.open = false;
        self.current.touched.clear();
        self.history.clear();
    }

    pub(super) fn finish(mut self) -> QuoteAgreement {
        let rest = self.waiting.len() as u64;
        if self.reached.is_some() {
            self.result.after_last_update += rest;
        } else if self.had_book {
            self.result.while_stale += rest;
        } else {
            self.result.before_book += rest;
        }
        self.result
    }

    fn compare(&mut self, quote: Quote, book: &FeedBook) {
        let at = self.history.partition_point(|update| update.id < quote.id);
        let Some(update) = self.history.get(at) else {
            self.result.after_last_update += 1;
            return;
        };
        let quoted = quote.sides.map(Some);
        if update.id == quote.id {
            let agrees = update.after == quoted;
            *(if agrees {
                &mut self.result.same_update_agrees
            } else {
                &mut self.result.same_update_differs
            }) += 1;
            return;
        }
        if at == 0 {
            self.result.too_late += 1;
            return;
        }
        let result = &mut self.result;
        if update.before == quoted {
            result.equals_earlier += 1;
        } else if update.after == quoted {
            result.equals_later += 1;
        } else {
            let (mut passed, mut lived, mut uncovered) = (false, false, false);
            for side in Side::BOTH {
                let i = side.index();
                if update.before[i] == quoted[i] || update.after[i] == quoted[i] {
                    continue;
                }
                let price = quote.sides[i].0;
                let names = |touched: &&Touched| touched.side == side && touched.price == price;
                if update.touched.iter().any(|touched| names(&touched)) {
                    passed = true;
                    continue;
                }
                // What stood there after the update: what a later one found there, or what stands there now.
                let later =
                    self.history.iter().skip(at + 1).find_map(|later| later.touched.iter().find(names));
                let stood = later.map_or_else(|| book.quantity_at(side, price), |touched| touched.before);
                if stood == quote.sides[i].1 {
                    uncovered = true;
                } else if stood.is_zero() {
                    lived = true;
                } else {
                    result.unexplained += 1;
                    return;
                }
            }
            *(if uncovered {
                &mut result.uncovered
            } else if lived {
                &mut result.came_and_went
            } else if passed {
                &mut result.passed_through
            } else {
                &mut result.sides_of_both
            }) += 1;
        }
    }
}

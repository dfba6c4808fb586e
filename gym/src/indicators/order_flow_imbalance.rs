//! Order-flow imbalance.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::{Quote, amount, number};
use super::window::Window;

/// What limit orders, market orders and cancellations at the best prices add to demand less what they add to supply, summed over the last
/// `window` changes of quotes: Cont, Kukanov and Stoikov (2014), "The Price Impact of Order Book Events", Journal of Financial
/// Econometrics 12(1), section 2. In units of size. The contribution of the n-th quote is
///
/// `e = q_bid 1(p_bid >= p_bid') - q_bid' 1(p_bid <= p_bid') - q_ask 1(p_ask <= p_ask') + q_ask' 1(p_ask >= p_ask')`
///
/// with primes for the quote before. First value at index `window`, as the first quote has none before it. TA-Lib has none.
#[derive(Clone, Debug)]
pub struct OrderFlowImbalance {
    window: Window<f64>,
    last: Option<Quote>,
}

impl OrderFlowImbalance {
    pub(super) fn new(window: usize) -> Self {
        Self { window: Window::new(window), last: None }
    }
}

/// One quote's contribution after another.
fn contribution(quote: Quote, before: Quote) -> f64 {
    let on = |condition: bool, size: f64| if condition { size } else { 0.0 };
    let demand = on(quote.bid_price >= before.bid_price, quote.bid_size)
        - on(quote.bid_price <= before.bid_price, before.bid_size);
    let supply = on(quote.ask_price <= before.ask_price, quote.ask_size)
        - on(quote.ask_price >= before.ask_price, before.ask_size);
    demand - supply
}

/// Numbers and sizes as both indicators of quotes take them.
pub(super) fn check_quote(quote: Quote) -> Validity {
    number("bid_price", quote.bid_price)?;
    amount("bid_size", quote.bid_size)?;
    number("ask_price", quote.ask_price)?;
    amount("ask_size", quote.ask_size)
}

impl Indicator for OrderFlowImbalance {
    type Input = Quote;
    type Output = f64;

    fn check(&self, quote: Quote) -> Validity {
        check_quote(quote)
    }

    fn advance(&mut self, quote: Quote) -> f64 {
        match self.last.replace(quote) {
            Some(before) => self.window.push(contribution(quote, before)).unwrap_or(f64::NAN),
            None => f64::NAN,
        }
    }

    fn reset(&mut self) {
        self.window.reset();
        self.last = None;
    }

    fn warm_up(&self) -> usize {
        self.window.period()
    }
}

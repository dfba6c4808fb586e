//! Fills where there is no book: at the next bar's open, half a spread away, or at the last quote where nobody trades in that bar; with fees and
//! an impact model.

use std::path::Path;

use lob::models::FeeConfig;

use super::config::TraderConfig;
use super::session::{Filled, Session, Wish};
use crate::config::ConfigError;
use crate::envs::costs::Orders;
use crate::prices::TickBar;

/// Steps in which an order is cut to what can be paid: the last bit of a double.
const HALVINGS: u32 = 53;

/// Fills orders at bars.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    orders: Option<Orders>,
    transaction_cost: f64,
    /// Whether an impact model asks how much the bars say that others trade.
    meets_volume: bool,
}

impl Paper {
    /// What the settings say; `interval_seconds` is the length of a bar.
    ///
    /// # Errors
    /// A file or a setting that is not legal.
    pub(super) fn new(
        config: &TraderConfig,
        fees: FeeConfig,
        interval_seconds: f64,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        fees.validate().map_err(|error| error.within("fees"))?;
        let observed = (config.conditions.volume.is_none(), Some(interval_seconds));
        let orders = Orders::observing(fees, &config.impact, &config.conditions, observed, 1, directory)?;
        let meets_volume = config.meets_volume();
        Ok(Self { orders, transaction_cost: config.transaction_cost, meets_volume })
    }

    /// Forgets every order.
    pub(super) fn reset(&mut self) {
        if let Some(orders) = &mut self.orders {
            orders.reset();
        }
    }

    /// What happens to a session's wish in the bar after the last one: fundings at the last price, the order at its beginning, and a liquidation
    /// wherever the bar reaches it. The bar itself is not yet closed. An order of nothing costs nothing.
    pub(super) fn play(&mut self, session: &mut Session, wish: Wish, bar: &TickBar) {
        session.fund(session.bar.time_ns, bar.time_ns);
        let [open, low, high] = path(&session.bar, bar);
        if session.wallet.is_open() && session.liquidation_in(open, open, open).is_some() {
            session.liquidate(open);
            return;
        }
        self.fill(session, wish, open, bar);
        if let Some(price) = session.liquidation_in(open, low, high) {
            session.liquidate(price);
        }
    }

    /// Fills a wish at `reference`, the undisturbed price as the bar begins, and half a spread away from it.
    fn fill(&mut self, session: &mut Session, wish: Wish, reference: f64, bar: &TickBar) {
        let buys = match wish {
            Wish::Hold => false,
            Wish::Trade(money) => money > 0.0,
            Wish::Close => session.wallet.units < 0.0,
        };
        let touch = touch(&session.bar, bar, reference, buys);
        let mut units = session.units(wish, touch, self.transaction_cost);
        let volatility = session.volatility();
        let volume = [session.volume()];
        if self.meets_volume && volume[0] <= 0.0 {
            // Nobody has traded yet: there is nobody to trade with, and nothing says at what price there would be.
            units = 0.0;
        }
        if buys && session.terms.account.leverage() == 1.0 && !session.terms.account.may_be_short() {
            units = self.affordable(session, units, touch, volatility, &volume);
        }
        let notional = units * touch;
        let charge = match &mut self.orders {
            Some(orders) => orders.trade(0, notional, touch, volatility, Some(&volume)),
            None => Default::default(),
        };
        if units == 0.0 {
            return;
        }
        let fees = charge.fees + self.transaction_cost * notional.abs();
        // Impact is part of the price, which stays above 0 whatever the model says.
        let price = (touch + charge.impact / units).max(0.0);
        let slippage = (price - reference) * units;
        session.book(Filled { units, price, fees, slippage });
    }

    /// As many units, up to these, as there is money for, costs included; 0 where there is none for any.
    fn affordable(
        &self,
        session: &Session,
        units: f64,
        touch: f64,
        volatility: f64,
        volume: &[f64; 1],
    ) -> f64 {
        let cash = session.wallet.cash;
        let can_be_paid = |units: f64| {
            let notional = units * touch;
            let charge = match &self.orders {
                Some(orders) => orders.estimate(0, notional, touch, volatility, Some(volume)),
                None => Default::default(),
            };
            notional * (1.0 + self.transaction_cost) + charge.fees + charge.impact.max(0.0) <= cash
        };
        if units <= 0.0 || can_be_paid(units) {
            return units;
        }
        // What an order costs grows with it, a minimum fee included, which an order of nothing pays as well.
        let (mut less, mut more) = (0.0, units);
        for _ in 0..HALVINGS {
            let half = (less + more) / 2.0;
            if can_be_paid(half) {
                less = half;
            } else {
                more = half;
            }
        }
        match session.terms.lot_size {
            None => less,
            Some(lot) => libm::trunc(less / lot * (1.0 + 1e-12)) * lot,
        }
    }
}

/// Whether nobody traded in `bar` and a quote was there: what prices the bar has are older than that quote.
fn is_quote_alone(before: &TickBar, bar: &TickBar) -> bool {
    !bar.traded && before.quoted
}

/// What the undisturbed price is as a bar begins, and the lowest and highest it comes to: its own prices, or the middles of the quotes before and
/// after a bar without a trade.
fn path(before: &TickBar, bar: &TickBar) -> [f64; 3] {
    if !is_quote_alone(before, bar) {
        return [bar.tick.open, bar.tick.low, bar.tick.high];
    }
    let (open, end) = (middle(before), middle(bar));
    [open, open.min(end), open.max(end)]
}

fn middle(bar: &TickBar) -> f64 {
    (bar.tick.bid_price + bar.tick.ask_price) / 2.0
}

/// The best price for an order as a bar begins. In one without a trade that is the quote before it: the last trade's price is nobody's offer.
/// Else it is the bar's first trade and half the spread that was known; but where the file has quotes, what neither the one before nor the one
/// after it offers is not had.
fn touch(before: &TickBar, bar: &TickBar, reference: f64, buys: bool) -> f64 {
    let side = |bar: &TickBar| if buys { bar.tick.ask_price } else { bar.tick.bid_price };
    // The quote of the bar before is what was known; a crossed one, as feeds have them, is no gift.
    let half = ((before.tick.ask_price - before.tick.bid_price) / 2.0).max(0.0);
    let touch = if buys { reference + half } else { (reference - half).max(0.0) };
    if is_quote_alone(before, bar) || !before.quoted || !bar.quoted {
        return touch;
    }
    if buys { touch.max(side(before).min(side(bar))) } else { touch.min(side(before).max(side(bar))) }
}

//! Fills where there is no book: at the next bar's open, half a spread away, with fees and an impact model.

use std::path::Path;

use lob::models::FeeConfig;

use super::config::TraderConfig;
use super::session::{Filled, Session, Wish};
use crate::config::ConfigError;
use crate::envs::costs::Orders;
use crate::prices::TickBar;

/// Fills orders at bars.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    orders: Option<Orders>,
    transaction_cost: f64,
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
        let observed = (config.conditions.volume.is_none(), Some(interval_seconds));
        let orders = Orders::observing(fees, &config.impact, &config.conditions, observed, 1, directory)?;
        Ok(Self { orders, transaction_cost: config.transaction_cost })
    }

    /// Forgets every order.
    pub(super) fn reset(&mut self) {
        if let Some(orders) = &mut self.orders {
            orders.reset();
        }
    }

    /// What happens to a session's wish in the bar after the last one: fundings at the last price, the order at its open, and a liquidation
    /// wherever the bar reaches it. The bar itself is not yet closed. An order of nothing costs nothing.
    pub(super) fn play(&mut self, session: &mut Session, wish: Wish, bar: &TickBar) {
        session.fund(session.bar.time_ns, bar.time_ns);
        let open = bar.tick.open;
        if session.wallet.is_open() && session.liquidation_in(open, open, open).is_some() {
            session.liquidate(open);
            return;
        }
        self.fill(session, wish, open);
        if let Some(price) = session.liquidation_in(open, bar.tick.low, bar.tick.high) {
            session.liquidate(price);
        }
    }

    fn fill(&mut self, session: &mut Session, wish: Wish, open: f64) {
        let quote = session.bar.tick;
        // The quote of the bar before is what was known; a crossed one, as feeds have them, is no gift.
        let half = ((quote.ask_price - quote.bid_price) / 2.0).max(0.0);
        let buys = match wish {
            Wish::Hold => false,
            Wish::Trade(money) => money > 0.0,
            Wish::Close => session.wallet.units < 0.0,
        };
        let touch = if buys { open + half } else { (open - half).max(0.0) };
        let mut units = session.units(wish, touch, self.transaction_cost);
        let volatility = session.volatility();
        let volume = [session.volume()];
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
        let slippage = (price - open) * units;
        session.book(Filled { units, price, fees, slippage });
    }

    /// As many units as there is money for, costs included.
    fn affordable(
        &self,
        session: &Session,
        mut units: f64,
        touch: f64,
        volatility: f64,
        volume: &[f64; 1],
    ) -> f64 {
        for _ in 0..8 {
            let notional = units * touch;
            let charge = match &self.orders {
                Some(orders) => orders.estimate(0, notional, touch, volatility, Some(volume)),
                None => Default::default(),
            };
            let cost = notional * (1.0 + self.transaction_cost) + charge.fees + charge.impact.max(0.0);
            let cash = session.wallet.cash;
            if cost <= cash {
                return units;
            }
            units *= cash / cost * (1.0 - 1e-12);
            if let Some(lot) = session.terms.lot_size {
                units = libm::trunc(units / lot) * lot;
            }
        }
        // Costs that do not shrink with the order, such as a minimum fee beyond all money.
        0.0
    }
}

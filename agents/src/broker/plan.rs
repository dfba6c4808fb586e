//! From target weights to orders that pass the limits.

use super::{
    Account, BrokerError, Intent, Market, Refusal, RiskLimits, Rule, Targets, Venue, View, check_targets,
};

/// Why an order was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Target weights.
    Rebalance,
    /// The kill switch.
    Flatten,
}

impl Reason {
    /// Its name, as it is recorded.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rebalance => "rebalance",
            Self::Flatten => "flatten",
        }
    }
}

/// An order, as it is written down before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Unique: `step-asset`.
    pub client_id: String,
    /// The asset.
    pub asset: usize,
    /// Shares, bought (> 0) or sold (< 0).
    pub quantity: i64,
    /// Last known price, cents a share.
    pub reference: i64,
    /// Expected price, cents a share.
    pub expected: i64,
}

/// What was not traded, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The asset; none if all targets were refused.
    pub asset: Option<usize>,
    /// Shares that would have been traded; 0 for targets.
    pub quantity: i64,
    /// The rule.
    pub refusal: Refusal,
}

/// An account, as far as a plan needs it: cents and shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// At the start.
    pub capital: i64,
    /// Money.
    pub cash: i64,
    /// Shares of each asset.
    pub positions: Vec<i64>,
    /// Net asset value at the day's start.
    pub day_nav: i64,
    /// Value of what was traded since then.
    pub day_turnover: i64,
}

impl Holdings {
    /// Cash and positions at these prices.
    ///
    /// # Errors
    /// [`BrokerError::Overflow`].
    pub fn nav(&self, prices: &[i64]) -> Result<i64, BrokerError> {
        let value = |(&shares, &price): (&i64, &i64)| i128::from(shares) * i128::from(price);
        let nav = i128::from(self.cash) + self.positions.iter().zip(prices).map(value).sum::<i128>();
        i64::try_from(nav).map_err(|_| BrokerError::Overflow("the net asset value"))
    }

    /// Whether nothing is held but cash.
    pub fn is_flat(&self) -> bool {
        self.positions.iter().all(|&shares| shares == 0)
    }
}

/// What a decision came to: room that is used again at each.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Orders, sales before purchases.
    pub orders: Vec<Order>,
    /// What was refused.
    pub refused: Vec<Refused>,
    weights: Vec<f64>,
    changes: Vec<(usize, i64)>,
}

/// What a plan is made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) market: &'a Market,
    pub(super) venue: &'a Venue,
    pub(super) limits: &'a RiskLimits,
    /// Share of the net asset value that stays in cash.
    pub(super) reserve: f64,
    pub(super) seed: u64,
}

impl Plan {
    /// Asks for targets and holds them and the orders that lead there against the limits.
    pub(super) fn rebalance(
        &mut self,
        desk: &Desk<'_>,
        targets: &mut dyn Targets,
        holdings: &Holdings,
    ) -> Result<(), BrokerError> {
        self.clear();
        let (market, assets) = (desk.market, desk.market.assets());
        let nav = holdings.nav(market.prices())?;
        let view = View {
            market,
            venue: desk.venue,
            positions: &holdings.positions,
            cash: holdings.cash,
            nav,
            seed: desk.seed,
        };
        targets.decide(&view, &mut self.weights);
        if let Err(refusal) = check_targets(&self.weights, targets.len(assets)) {
            self.refused.push(Refused { asset: None, quantity: 0, refusal });
            return Ok(());
        }
        if targets.holds() {
            return Ok(());
        }
        let invested = nav as f64 * (1.0 - desk.reserve);
        for (asset, (weight, &price)) in self.weights[..assets].iter().zip(market.prices()).enumerate() {
            // A price of 0 is refused below; what is held stays.
            let wanted = if price > 0 {
                (weight.max(0.0) * invested.max(0.0) / price as f64).floor() as i64
            } else {
                holdings.positions[asset]
            };
            self.changes.push((asset, wanted - holdings.positions[asset]));
        }
        self.write(desk, holdings, false)
    }

    /// Sells everything, as much of it at a time as an order may have.
    pub(super) fn flatten(&mut self, desk: &Desk<'_>, holdings: &Holdings) -> Result<(), BrokerError> {
        self.clear();
        let most = i64::try_from(desk.limits.max_order_quantity).unwrap_or(i64::MAX);
        let changes = holdings.positions.iter().map(|&shares| (-shares).clamp(-most, most));
        self.changes.extend(changes.enumerate());
        self.write(desk, holdings, true)
    }

    fn clear(&mut self) {
        self.orders.clear();
        self.refused.clear();
        self.changes.clear();
    }

    /// Orders for the changes, sales first as purchases need their money.
    fn write(&mut self, desk: &Desk<'_>, holdings: &Holdings, killed: bool) -> Result<(), BrokerError> {
        let Self { orders, refused, changes, .. } = self;
        let prices = desk.market.prices();
        let nav = holdings.nav(prices)?;
        let (mut cash, mut day_turnover) = (holdings.cash, holdings.day_turnover);
        changes.sort_by_key(|&(asset, change)| (change > 0, asset));
        for &(asset, mut quantity) in changes.iter().filter(|(_, change)| *change != 0) {
            let reference = prices[asset];
            let account = Account {
                capital: holdings.capital,
                nav,
                day_nav: holdings.day_nav,
                day_turnover,
                position: holdings.positions[asset],
                data_age: desk.market.data_age(),
                killed,
            };
            let (quantity, quote, checked) = loop {
                // Without a price there is nothing to be quoted: the collar says so.
                let quote =
                    if reference > 0 { Some(desk.venue.quote(desk.market, asset, quantity)?) } else { None };
                let price = quote.map_or(0, |quote| quote.price(quantity));
                let checked = desk.limits.check(&Intent { quantity, price, reference }, &account);
                match checked {
                    // Whatever its impact, a position must come to an end: less at a time moves the price less.
                    Err(Refusal { rule: Rule::PriceCollar, .. })
                        if killed && quantity.abs() > 1 && price > 0 =>
                    {
                        quantity /= 2;
                    }
                    _ => break (quantity, quote, checked),
                }
            };
            if let Err(refusal) = checked {
                refused.push(Refused { asset: Some(asset), quantity, refusal });
                continue;
            }
            let Some(quote) = quote else { continue };
            let paid = quote.paid()?;
            if quantity > 0 && paid > cash {
                let refusal = Refusal { rule: Rule::BuyingPower, found: paid as f64, limit: cash as f64 };
                refused.push(Refused { asset: Some(asset), quantity, refusal });
                continue;
            }
            cash = cash.checked_sub(paid).ok_or(BrokerError::Overflow("cash"))?;
            day_turnover = day_turnover.saturating_add(quote.value.saturating_abs());
            let expected = quote.price(quantity);
            let client_id = format!("{}-{asset}", desk.market.step());
            orders.push(Order { client_id, asset, quantity, reference, expected });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use std::path::Path;

    use super::super::PaperConfig;
    use super::super::targets::Says;
    use super::*;

    fn planned(config: &PaperConfig, targets: &[f64], holdings: &Holdings, kill: bool) -> Plan {
        let mut market = Market::new(config, 0, Path::new(""), 1).unwrap();
        market.advance();
        let venue = Venue::new(config, market.assets()).unwrap();
        let limits = &config.limits;
        let desk = Desk { market: &market, venue: &venue, limits, reserve: config.cash_reserve, seed: 1 };
        let mut plan = Plan::default();
        if kill {
            plan.flatten(&desk, holdings).unwrap();
        } else {
            plan.rebalance(&desk, &mut Says(targets.to_vec()), holdings).unwrap();
        }
        plan
    }

    fn two_assets() -> (PaperConfig, Holdings) {
        let config = PaperConfig { assets: Some(2), ..PaperConfig::default() };
        let holdings = Holdings {
            capital: 100_000_000,
            cash: 60_000_000,
            positions: vec![4_000, 0],
            day_nav: 100_000_000,
            day_turnover: 0,
        };
        (config, holdings)
    }

    #[test]
    fn no_order_follows_from_targets_that_are_no_weights() {
        let (config, holdings) = two_assets();
        for targets in [&[f64::NAN, 1.0][..], &[1.0], &[0.4, 0.4], &[-0.5, 1.5], &[]] {
            let plan = planned(&config, targets, &holdings, false);
            assert!(plan.orders.is_empty(), "{targets:?}");
            assert_eq!(plan.refused.len(), 1);
            assert_eq!(plan.refused[0].asset, None);
        }
        assert_eq!(planned(&config, &[0.6, 0.4], &holdings, false).refused.len(), 2);
    }

    #[test]
    fn sales_come_first_and_purchases_need_cash() {
        let (mut config, holdings) = two_assets();
        config.limits.max_order_notional = 2.0;
        config.limits.max_position = 2.0;
        let sides = |plan: &Plan| plan.orders.iter().map(|order| order.quantity.signum()).collect::<Vec<_>>();
        assert_eq!(sides(&planned(&config, &[0.0, 1.0], &holdings, false)), [-1, 1]);
        // All is invested, and the reserve with it: costs cannot be paid.
        config.cash_reserve = 0.0;
        let plan = planned(&config, &[0.0, 1.0], &holdings, false);
        assert_eq!(sides(&plan), [-1]);
        assert_eq!(plan.refused[0].refusal.rule, Rule::BuyingPower);
    }

    #[test]
    fn what_cannot_be_sold_within_the_collar_is_sold_bit_by_bit() {
        let (mut config, holdings) = two_assets();
        config.volume = 10.0;
        let at_once = planned(&config, &[0.0, 1.0], &holdings, false);
        assert_eq!(at_once.refused[0].refusal.rule, Rule::PriceCollar);
        let plan = planned(&config, &[], &holdings, true);
        assert!(plan.orders.len() == 1 && (-3_999..0).contains(&plan.orders[0].quantity), "{plan:?}");
        assert!(plan.refused.is_empty());
    }
}

//! Limits that every order is held against before it is sent.

use std::fmt;

use lob::ParameterError;
use lob::parameter::positive;
use serde::{Deserialize, Serialize};

/// How far the sum of target weights may be from 1: what 32-bit floats leave of it.
const SIMPLEX_TOLERANCE: f64 = 1e-4;

/// The limits. Shares are of the net asset value, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskLimits {
    /// Largest value of a position, a share of the net asset value.
    pub max_position: f64,
    /// Most shares of an asset in one order.
    pub max_order_quantity: u64,
    /// Largest value of an order, a share of the net asset value.
    pub max_order_notional: f64,
    /// Most that is traded in a day, a share of the net asset value at the day's start.
    pub max_daily_turnover: f64,
    /// How far an order's price may be from the reference price, a share of the latter.
    pub price_collar: f64,
    /// Oldest market data that may be traded on, seconds.
    pub max_data_age: f64,
    /// Largest loss since the start, a share of the capital; from there on positions are only reduced.
    pub max_loss: f64,
}

impl Default for RiskLimits {
    fn default() -> Self {
        Self {
            max_position: 0.5,
            max_order_quantity: 1_000_000,
            max_order_notional: 0.25,
            max_daily_turnover: 2.0,
            price_collar: 0.05,
            max_data_age: 5.0,
            max_loss: 0.3,
        }
    }
}

/// Which limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The kill switch is on: nothing but reductions.
    KillSwitch,
    /// Market data are too old, or from the future.
    StaleData,
    /// The price is too far from the reference, or one of them is not above 0.
    PriceCollar,
    /// Too many shares, or none.
    OrderSize,
    /// The order is worth too much.
    OrderNotional,
    /// The position would be worth too much.
    MaxPosition,
    /// Too much was traded in the day.
    DailyTurnover,
    /// Too much was lost since the start.
    LossLimit,
    /// There is not enough cash for the order and its costs.
    BuyingPower,
    /// Target weights are not as many as there are assets.
    TargetLength,
    /// A target weight is no finite number.
    TargetNotFinite,
    /// Target weights are not on the simplex.
    TargetOffSimplex,
}

impl Rule {
    /// Its name, as it is recorded.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::StaleData => "stale_data",
            Self::PriceCollar => "price_collar",
            Self::OrderSize => "order_size",
            Self::OrderNotional => "order_notional",
            Self::MaxPosition => "max_position",
            Self::DailyTurnover => "daily_turnover",
            Self::LossLimit => "loss_limit",
            Self::BuyingPower => "buying_power",
            Self::TargetLength => "target_length",
            Self::TargetNotFinite => "target_not_finite",
            Self::TargetOffSimplex => "target_off_simplex",
        }
    }
}

/// Why something was not traded: the rule, what was found and what is legal.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// What was found.
    pub found: f64,
    /// What would have been legal, at most (of lengths and sums: exactly).
    pub limit: f64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} (limit: {})", self.rule.name(), self.found, self.limit)
    }
}

/// An order that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Shares, bought (> 0) or sold (< 0).
    pub quantity: i64,
    /// The price that it is expected to trade at, cents a share.
    pub price: i64,
    /// The last known price, cents a share.
    pub reference: i64,
}

/// What the checks need to know of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// Money at the start, cents.
    pub capital: i64,
    /// Net asset value now, cents.
    pub nav: i64,
    /// Net asset value at the day's start, cents.
    pub day_nav: i64,
    /// Value of what was traded since then, cents.
    pub day_turnover: i64,
    /// Shares held of the order's asset.
    pub position: i64,
    /// Seconds since the market data's last change.
    pub data_age: f64,
    /// Whether the kill switch is on.
    pub killed: bool,
}

impl RiskLimits {
    /// Checks every limit.
    ///
    /// # Errors
    /// The first that is not a finite number above 0, or no order at all.
    pub fn validate(&self) -> Result<(), ParameterError> {
        positive("max_position", self.max_position)?;
        if self.max_order_quantity == 0 {
            return Err(ParameterError::new("max_order_quantity", 0, "1 or more"));
        }
        positive("max_order_notional", self.max_order_notional)?;
        positive("max_daily_turnover", self.max_daily_turnover)?;
        positive("price_collar", self.price_collar)?;
        positive("max_data_age", self.max_data_age)?;
        positive("max_loss", self.max_loss)
    }

    /// Holds an order against every limit. An order that only reduces a position passes the kill switch, the loss limit and the limits of
    /// value and turnover, so that an account can always be flattened; size, price and age of data bind every order.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn check(&self, order: &Intent, account: &Account) -> Result<(), Refusal> {
        let limit = |rule, found: f64, limit: f64| {
            // Not a number is never within a limit.
            if found <= limit { Ok(()) } else { Err(Refusal { rule, found, limit }) }
        };
        // A clock that went back makes no data fresh.
        let age = if account.data_age < 0.0 { f64::INFINITY } else { account.data_age };
        limit(Rule::StaleData, age, self.max_data_age)?;
        let away = if order.price > 0 && order.reference > 0 {
            (order.price as f64 - order.reference as f64).abs() / order.reference as f64
        } else {
            f64::INFINITY
        };
        limit(Rule::PriceCollar, away, self.price_collar)?;
        let shares = order.quantity.unsigned_abs();
        if shares == 0 || shares > self.max_order_quantity {
            let (found, limit) = (shares as f64, self.max_order_quantity as f64);
            return Err(Refusal { rule: Rule::OrderSize, found, limit });
        }
        let after = i128::from(account.position) + i128::from(order.quantity);
        let reduces = order.quantity.signum() == -account.position.signum()
            && after.unsigned_abs() < u128::from(account.position.unsigned_abs())
            && after.signum() != i128::from(order.quantity.signum());
        if reduces {
            return Ok(());
        }
        if account.killed {
            return Err(Refusal { rule: Rule::KillSwitch, found: 1.0, limit: 0.0 });
        }
        let loss = (account.capital as f64 - account.nav as f64) / account.capital as f64;
        limit(Rule::LossLimit, loss, self.max_loss)?;
        let nav = account.nav as f64;
        let notional = shares as f64 * order.price as f64;
        limit(Rule::OrderNotional, notional, self.max_order_notional * nav)?;
        let value = after.unsigned_abs() as f64 * order.reference.max(order.price) as f64;
        limit(Rule::MaxPosition, value, self.max_position * nav)?;
        let turnover = account.day_turnover as f64 + notional;
        limit(Rule::DailyTurnover, turnover, self.max_daily_turnover * account.day_nav as f64)
    }
}

/// Refuses what a policy says unless it is `expected` finite weights, none below 0, with a sum of 1.
///
/// # Errors
/// What is wrong with them first.
pub fn check_targets(targets: &[f64], expected: usize) -> Result<(), Refusal> {
    if targets.len() != expected {
        let (found, limit) = (targets.len() as f64, expected as f64);
        return Err(Refusal { rule: Rule::TargetLength, found, limit });
    }
    if let Some(&found) = targets.iter().find(|weight| !weight.is_finite()) {
        return Err(Refusal { rule: Rule::TargetNotFinite, found, limit: 1.0 });
    }
    if let Some(&found) = targets.iter().find(|weight| **weight < -SIMPLEX_TOLERANCE) {
        return Err(Refusal { rule: Rule::TargetOffSimplex, found, limit: 0.0 });
    }
    let sum: f64 = targets.iter().sum();
    if (sum - 1.0).abs() > SIMPLEX_TOLERANCE {
        return Err(Refusal { rule: Rule::TargetOffSimplex, found: sum, limit: 1.0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    const ORDER: Intent = Intent { quantity: 100, price: 10_000, reference: 10_000 };
    const ACCOUNT: Account = Account {
        capital: 100_000_000,
        nav: 100_000_000,
        day_nav: 100_000_000,
        day_turnover: 0,
        position: 0,
        data_age: 0.0,
        killed: false,
    };

    fn rule(order: Intent, account: Account) -> Option<Rule> {
        RiskLimits::default().check(&order, &account).err().map(|refusal| refusal.rule)
    }

    #[test]
    fn each_rule_refuses_just_beyond_its_limit() {
        assert_eq!(rule(ORDER, ACCOUNT), None);
        // 25% of the net asset value an order, 50% a position, 200% a day, 5% collar, 5 s, 30% loss.
        assert_eq!(rule(Intent { quantity: 2_500, ..ORDER }, ACCOUNT), None);
        assert_eq!(rule(Intent { quantity: 2_501, ..ORDER }, ACCOUNT), Some(Rule::OrderNotional));
        assert_eq!(rule(ORDER, Account { position: 4_900, ..ACCOUNT }), None);
        assert_eq!(rule(ORDER, Account { position: 4_901, ..ACCOUNT }), Some(Rule::MaxPosition));
        assert_eq!(rule(ORDER, Account { day_turnover: 199_000_000, ..ACCOUNT }), None);
        assert_eq!(rule(ORDER, Account { day_turnover: 199_000_001, ..ACCOUNT }), Some(Rule::DailyTurnover));
        assert_eq!(rule(Intent { price: 10_500, ..ORDER }, ACCOUNT), None);
        assert_eq!(rule(Intent { price: 9_499, ..ORDER }, ACCOUNT), Some(Rule::PriceCollar));
        assert_eq!(rule(Intent { reference: 0, ..ORDER }, ACCOUNT), Some(Rule::PriceCollar));
        assert_eq!(rule(ORDER, Account { data_age: 5.0, ..ACCOUNT }), None);
        for data_age in [5.1, -1.0, f64::NAN] {
            assert_eq!(rule(ORDER, Account { data_age, ..ACCOUNT }), Some(Rule::StaleData));
        }
        assert_eq!(rule(ORDER, Account { nav: 70_000_000, ..ACCOUNT }), None);
        assert_eq!(rule(ORDER, Account { nav: 69_999_999, ..ACCOUNT }), Some(Rule::LossLimit));
        assert_eq!(rule(ORDER, Account { killed: true, ..ACCOUNT }), Some(Rule::KillSwitch));
        for quantity in [0, 1_000_001, i64::MIN] {
            assert_eq!(rule(Intent { quantity, ..ORDER }, ACCOUNT), Some(Rule::OrderSize));
        }
    }

    #[test]
    fn a_killed_account_in_ruins_can_be_flattened_but_not_turned() {
        let account = Account { position: 5_000, nav: 1, killed: true, day_turnover: i64::MAX, ..ACCOUNT };
        assert_eq!(rule(Intent { quantity: -5_000, ..ORDER }, account), None);
        assert_eq!(rule(Intent { quantity: -5_001, ..ORDER }, account), Some(Rule::KillSwitch));
        let short = Account { position: -5_000, ..account };
        assert_eq!(rule(Intent { quantity: 5_000, ..ORDER }, short), None);
        assert_eq!(rule(Intent { quantity: 5_001, ..ORDER }, short), Some(Rule::KillSwitch));
    }

    #[test]
    fn targets_that_are_no_weights_are_refused() {
        let rule = |targets: &[f64]| check_targets(targets, 2).err().map(|refusal| refusal.rule);
        assert_eq!(rule(&[0.25, 0.75]), None);
        assert_eq!(rule(&[1.0]), Some(Rule::TargetLength));
        assert_eq!(rule(&[f64::NAN, 1.0]), Some(Rule::TargetNotFinite));
        assert_eq!(rule(&[f64::INFINITY, 0.0]), Some(Rule::TargetNotFinite));
        assert_eq!(rule(&[-0.5, 1.5]), Some(Rule::TargetOffSimplex));
        assert_eq!(rule(&[0.5, 0.6]), Some(Rule::TargetOffSimplex));
        let refusal = check_targets(&[1.0], 2).unwrap_err();
        assert_eq!(refusal.to_string(), "target_length: 1 (limit: 2)");
    }

    #[test]
    fn limits_are_checked_by_name() {
        RiskLimits::default().validate().unwrap();
        let bad = RiskLimits { max_loss: f64::NAN, ..RiskLimits::default() };
        assert_eq!(bad.validate().unwrap_err().key, "max_loss");
        let bad = RiskLimits { max_order_quantity: 0, ..RiskLimits::default() };
        assert_eq!(bad.validate().unwrap_err().key, "max_order_quantity");
    }
}

//! Money and one position: fills, funding, liquidation, and what of the profit is realised.

use lob::ParameterError;
use lob::parameter::{finite, non_negative, positive, probability};
use serde::{Deserialize, Serialize};

/// A perpetual future on margin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FuturesConfig {
    /// Largest value of a position, in units of the equity.
    pub leverage: f64,
    /// The position is liquidated once the equity is not above this share of its value.
    pub maintenance_margin: f64,
    /// What a long position pays at each funding where the bars do not say it, a share of its value; below 0 it receives.
    pub funding_rate: f64,
    /// Time between fundings, s: they come at its multiples since 1970 (bars) or since the session began (books).
    pub funding_interval_seconds: f64,
    /// What a liquidation costs, a share of the position's value.
    pub liquidation_fee: f64,
    /// Whether positions may be short.
    pub short: bool,
}

impl Default for FuturesConfig {
    /// Fundings every 8 hours at 1 basis point, the interest that Binance's formula comes to while its premium is small; a maintenance
    /// margin of 0.5%; a liquidation fee of 1.25%. Venues have other numbers for other instruments and sizes.
    fn default() -> Self {
        Self {
            leverage: 5.0,
            maintenance_margin: 0.005,
            funding_rate: 0.0001,
            funding_interval_seconds: 28_800.0,
            liquidation_fee: 0.0125,
            short: true,
        }
    }
}

/// What a position is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountConfig {
    /// The asset itself: never short, never more than there is money for.
    #[default]
    Spot,
    /// A perpetual future on margin.
    Futures(FuturesConfig),
}

impl AccountConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let Self::Futures(futures) = self else { return Ok(()) };
        let check = || {
            positive("leverage", futures.leverage)?;
            probability("maintenance_margin", futures.maintenance_margin)?;
            if futures.leverage * futures.maintenance_margin >= 1.0 {
                let legal = format!("less than {}, 1 / maintenance_margin", 1.0 / futures.maintenance_margin);
                return Err(ParameterError::new("leverage", futures.leverage, legal));
            }
            finite("funding_rate", futures.funding_rate)?;
            probability("funding_rate", futures.funding_rate.abs())?;
            positive("funding_interval_seconds", futures.funding_interval_seconds)?;
            probability("liquidation_fee", futures.liquidation_fee)?;
            non_negative("liquidation_fee", futures.liquidation_fee)
        };
        check().map_err(|error| error.within("account.futures"))
    }

    /// Largest value of a position, in units of the equity.
    pub fn leverage(&self) -> f64 {
        match self {
            Self::Spot => 1.0,
            Self::Futures(futures) => futures.leverage,
        }
    }

    /// Whether positions may be short.
    pub fn may_be_short(&self) -> bool {
        matches!(self, Self::Futures(futures) if futures.short)
    }
}

/// Cash, a position, and their past. `equity = capital + realised + unrealised` at all times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wallet {
    /// Money; below 0 what a future's position was bought with beyond the margin.
    pub cash: f64,
    /// Units held, < 0 short.
    pub units: f64,
    /// What the open position has brought so far, money: below 0 what it has cost, fees and impact included.
    pub flow: f64,
    /// Profit of what has been closed, after all costs; fundings and liquidation fees included, money.
    pub realised: f64,
    /// Paid to the venue and brokers since the start, liquidation fees included, money.
    pub fees: f64,
    /// Paid for moving the price, and half the spread for each unit, money.
    pub slippage: f64,
    /// Paid for holding (received where below 0), money.
    pub funding: f64,
    /// Value of all that was traded, money.
    pub traded: f64,
    /// Trades.
    pub fills: u64,
    /// Positions that have been opened from nothing.
    pub cycles: u64,
    /// Of them, those that ended with a profit after costs.
    pub won: u64,
    /// The open position's profit so far, of its parts that are closed.
    cycle_realised: f64,
}

impl Wallet {
    /// One with so much money and nothing else.
    pub fn new(capital: f64) -> Self {
        Self { cash: capital, ..Self::default() }
    }

    /// Money and the position's value at a price.
    pub fn equity(&self, price: f64) -> f64 {
        self.cash + self.units * price
    }

    /// Profit of the open position at a price, after what it has cost so far; closing it will cost more.
    pub fn unrealised(&self, price: f64) -> f64 {
        self.flow + self.units * price
    }

    /// What the open position has realised so far, money: of parts that are closed, and fundings.
    pub fn cycle_realised(&self) -> f64 {
        self.cycle_realised
    }

    /// The price at which the open position would end even before the costs of closing it; none without a position.
    pub fn average_price(&self) -> Option<f64> {
        (self.units != 0.0).then(|| -self.flow / self.units)
    }

    /// True while there is a position.
    pub fn is_open(&self) -> bool {
        self.units != 0.0
    }

    /// Books a trade of `units` (< 0 sold) at `price`, with its fees and what it paid beyond the undisturbed price (`slippage`, already in
    /// `price`; for the record).
    pub fn trade(&mut self, units: f64, price: f64, fees: f64, slippage: f64) {
        if units == 0.0 {
            return;
        }
        self.fills += 1;
        self.traded += (units * price).abs();
        self.fees += fees;
        self.slippage += slippage;
        let paid = -units * price - fees;
        self.cash += paid;
        let closes = self.units != 0.0 && self.units.signum() != units.signum();
        if !closes {
            self.open(units, paid);
            return;
        }
        let share = (units / self.units).abs();
        if share < 1.0 {
            let gained = self.flow * share + paid;
            self.realise(gained);
            self.flow -= self.flow * share;
            self.units += units;
        } else {
            // What is beyond the position opens another one, with its part of the costs.
            let gained = self.flow + paid / share;
            self.realise(gained);
            let rest = self.units + units;
            self.end_cycle();
            if rest != 0.0 {
                self.open(rest, paid - paid / share);
            }
        }
    }

    fn open(&mut self, units: f64, paid: f64) {
        if self.units == 0.0 {
            self.cycles += 1;
        }
        self.units += units;
        self.flow += paid;
    }

    fn realise(&mut self, gained: f64) {
        self.realised += gained;
        self.cycle_realised += gained;
    }

    fn end_cycle(&mut self) {
        self.won += u64::from(self.cycle_realised > 0.0);
        (self.units, self.flow, self.cycle_realised) = (0.0, 0.0, 0.0);
    }

    /// Pays a funding of `rate` at `price`: `units x price x rate`, which shorts receive.
    pub fn fund(&mut self, rate: f64, price: f64) {
        let paid = self.units * price * rate;
        self.cash -= paid;
        self.funding += paid;
        if paid != 0.0 {
            self.realise(-paid);
        }
    }

    /// The price at which the equity is `margin` of the position's value: `P = cash / (margin |q| - q)`. None where no price is.
    pub fn liquidation_price(&self, margin: f64) -> Option<f64> {
        let price = self.cash / (margin * self.units.abs() - self.units);
        (self.units != 0.0 && price > 0.0 && price.is_finite()).then_some(price)
    }

    /// Closes everything at `price`, with a fee; what is then lost beyond all money is the venue's, as insurance funds do it.
    pub fn liquidate(&mut self, price: f64, fee_share: f64) {
        let fee = (self.units * price).abs() * fee_share;
        self.trade(-self.units, price, fee, 0.0);
        if self.cash < 0.0 {
            self.realised -= self.cash;
            self.fees += self.cash;
            self.cash = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cycle_realises_what_it_brought_after_costs() {
        let mut wallet = Wallet::new(1_000.0);
        wallet.trade(2.0, 100.0, 0.2, 0.0);
        wallet.trade(2.0, 90.0, 0.18, 0.0);
        assert_eq!(wallet.average_price(), Some((200.2 + 180.18) / 4.0));
        wallet.trade(-4.0, 100.0, 0.4, 0.0);
        assert!((wallet.realised - (400.0 - 0.4 - 200.2 - 180.18)).abs() < 1e-12);
        assert_eq!((wallet.cycles, wallet.won, wallet.units), (1, 1, 0.0));
        assert!((wallet.cash - 1_000.0 - wallet.realised).abs() < 1e-12);
    }

    #[test]
    fn a_position_that_turns_ends_one_cycle_and_begins_another() {
        let mut wallet = Wallet::new(1_000.0);
        wallet.trade(1.0, 100.0, 0.0, 0.0);
        wallet.trade(-3.0, 90.0, 3.0, 0.0);
        assert_eq!((wallet.units, wallet.cycles, wallet.won), (-2.0, 2, 0));
        assert!((wallet.realised - (-11.0)).abs() < 1e-12);
        assert!((wallet.average_price().unwrap() - 89.0).abs() < 1e-12);
    }

    #[test]
    fn a_long_with_leverage_is_liquidated_where_its_margin_is_gone() {
        let mut wallet = Wallet::new(100.0);
        wallet.trade(10.0, 100.0, 0.0, 0.0);
        let price = wallet.liquidation_price(0.005).unwrap();
        assert!((wallet.equity(price) - 0.005 * 10.0 * price).abs() < 1e-9 && price < 100.0);
        wallet.liquidate(price, 0.0125);
        assert_eq!((wallet.cash, wallet.units), (0.0, 0.0));
        assert!((wallet.realised + 100.0).abs() < 1e-9);
        let mut short = Wallet::new(100.0);
        short.trade(-10.0, 100.0, 0.0, 0.0);
        let price = short.liquidation_price(0.005).unwrap();
        assert!((short.equity(price) - 0.005 * 10.0 * price).abs() < 1e-9 && price > 100.0);
    }

    proptest! {
        #[test]
        fn equity_is_capital_and_all_profits(
            trades in prop::collection::vec((-5.0f64..5.0, 1.0f64..200.0, 0.0f64..1.0, -0.01f64..0.01), 1..60)
        ) {
            let mut wallet = Wallet::new(1_000.0);
            for (units, price, fee, rate) in trades {
                wallet.trade(units, price, fee, 0.0);
                wallet.fund(rate, price);
                let sum = 1_000.0 + wallet.realised + wallet.unrealised(price);
                prop_assert!((wallet.equity(price) - sum).abs() < 1e-8 * (1.0 + sum.abs()));
            }
            let price = 50.0;
            wallet.trade(-wallet.units, price, 0.0, 0.0);
            prop_assert!(wallet.flow == 0.0 && wallet.units == 0.0);
            prop_assert!((wallet.cash - 1_000.0 - wallet.realised).abs() < 1e-7);
        }
    }
}

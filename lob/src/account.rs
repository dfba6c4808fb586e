//! One participant's money and position.

use serde::{Deserialize, Serialize};

use crate::models::{Fill, Liquidity};
use crate::{Price, Side};

/// Cash, position, fees and profit of one participant.
///
/// Cash is an exact integer in ticks x lots: what was received for sales minus what was paid for purchases, before fees.
/// Fees are kept apart, as a float. The split of the profit into realised and unrealised is by average cost and is a float as
/// well; their sum, less fees, is [`profit`](Self::profit) whatever the split.
///
/// Exact while |cash| stays below 2^127 ticks x lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    cash: i128,
    position: i128,
    /// Average price of the open position in ticks; meaningless while there is none.
    average: f64,
    realised: f64,
    fees: f64,
    bought: u128,
    sold: u128,
    made: u128,
}

impl Account {
    /// Nothing held, nothing owed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Books a trade and its fee (in ticks x lots; negative is a rebate).
    pub fn apply(&mut self, fill: &Fill, fee: f64) {
        let lots = i128::from(fill.quantity.0);
        let signed = match fill.side {
            Side::Buy => {
                self.bought += u128::from(fill.quantity.0);
                lots
            }
            Side::Sell => {
                self.sold += u128::from(fill.quantity.0);
                -lots
            }
        };
        if fill.liquidity == Liquidity::Maker {
            self.made += u128::from(fill.quantity.0);
        }
        self.value_position(fill.price, signed);
        self.cash -= i128::from(fill.price.0) * signed;
        self.position += signed;
        self.fees += fee;
    }

    /// Average cost and realised profit, before the position changes by `signed` lots.
    fn value_position(&mut self, price: Price, signed: i128) {
        let price = price.0 as f64;
        let opens = self.position == 0 || (self.position > 0) == (signed > 0);
        if opens {
            let (held, added) = (self.position.unsigned_abs() as f64, signed.unsigned_abs() as f64);
            if added > 0.0 {
                // As a step from the old average: nothing large cancels.
                let average = if held == 0.0 { price } else { self.average };
                self.average = average + (price - average) * (added / (held + added));
            }
            return;
        }
        let closed =
            if signed.unsigned_abs() < self.position.unsigned_abs() { -signed } else { self.position };
        self.realised += (price - self.average) * closed as f64;
        if signed.unsigned_abs() > self.position.unsigned_abs() {
            // The position changes sides: what is left was opened at this price.
            self.average = price;
        }
    }

    /// Cash received minus cash paid, before fees, in ticks x lots.
    pub const fn cash(&self) -> i128 {
        self.cash
    }

    /// Lots held; negative if short.
    pub const fn position(&self) -> i128 {
        self.position
    }

    /// Fees paid minus rebates received, in ticks x lots.
    pub const fn fees(&self) -> f64 {
        self.fees
    }

    /// Average price of the open position in ticks; `None` without one.
    pub fn average_price(&self) -> Option<f64> {
        (self.position != 0).then_some(self.average)
    }

    /// Lots bought.
    pub const fn bought(&self) -> u128 {
        self.bought
    }

    /// Lots sold.
    pub const fn sold(&self) -> u128 {
        self.sold
    }

    /// Lots traded by resting orders.
    pub const fn made(&self) -> u128 {
        self.made
    }

    /// Cash and position together if every lot were worth `price`, before fees, in ticks x lots. Exact.
    pub const fn value_at(&self, price: Price) -> i128 {
        self.cash + self.position * price.0 as i128
    }

    /// Profit with the position valued at `mark` ticks (a mid price, say), after fees, in ticks x lots.
    pub fn profit(&self, mark: f64) -> f64 {
        self.gross_profit(mark) - self.fees
    }

    /// Profit with the position valued at `mark` ticks, before fees, in ticks x lots.
    pub fn gross_profit(&self, mark: f64) -> f64 {
        // Whole ticks in integers: cash and position are large and nearly cancel.
        let whole = mark.floor();
        self.value_at(Price(whole as i64)) as f64 + self.position as f64 * (mark - whole)
    }

    /// Profit on what has been closed, by average cost, before fees, in ticks x lots.
    pub const fn realised(&self) -> f64 {
        self.realised
    }

    /// Profit on what is open, valued at `mark` ticks, before fees, in ticks x lots.
    pub fn unrealised(&self, mark: f64) -> f64 {
        if self.position == 0 { 0.0 } else { (mark - self.average) * self.position as f64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Event, Handle, Owner, Quantity};

    fn fill(side: Side, price: i64, lots: u64, liquidity: Liquidity) -> Fill {
        Fill { side, price: Price(price), quantity: Quantity(lots), liquidity }
    }

    #[test]
    fn a_round_trip_through_zero() {
        let mut account = Account::new();
        account.apply(&fill(Side::Buy, 100, 10, Liquidity::Taker), 0.5);
        account.apply(&fill(Side::Buy, 103, 5, Liquidity::Maker), -0.25);
        assert_eq!((account.cash(), account.position(), account.average_price()), (-1515, 15, Some(101.0)));
        account.apply(&fill(Side::Sell, 104, 20, Liquidity::Taker), 1.0);
        assert_eq!(account.realised(), 45.0);
        assert_eq!((account.position(), account.average_price()), (-5, Some(104.0)));
        assert_eq!(account.unrealised(102.5), 7.5);
        assert_eq!(account.gross_profit(102.5), 52.5);
        assert_eq!(account.profit(102.5), 52.5 - 1.25);
        assert_eq!((account.bought(), account.sold(), account.made()), (15, 20, 5));
        account.apply(&fill(Side::Buy, 104, 5, Liquidity::Maker), 0.0);
        assert_eq!((account.position(), account.average_price(), account.unrealised(1.0)), (0, None, 0.0));
        assert_eq!(account.value_at(Price(7)), 45);
    }

    #[test]
    fn a_trade_with_oneself_changes_nothing_but_fees() {
        let handle = Handle::from_bits(1);
        let event = Event::Trade {
            maker: handle,
            taker: handle,
            maker_owner: Owner(1),
            taker_owner: Owner(1),
            price: Price(100),
            quantity: Quantity(3),
            maker_left: Quantity(0),
            aggressor: Side::Buy,
        };
        let mut account = Account::new();
        for fill in Fill::of(&event, Owner(1)) {
            account.apply(&fill, 0.5);
        }
        assert_eq!((account.cash(), account.position(), account.fees()), (0, 0, 1.0));
        assert_eq!(Fill::of(&event, Owner(2)).count(), 0);
    }

    proptest! {
        #[test]
        fn profit_is_realised_plus_unrealised_less_fees(
            trades in prop::collection::vec((any::<bool>(), -2000i64..2000, 1u64..1000, -1.0..1.0f64), 0..60),
            mark in -4000i64..4000,
        ) {
            let mark = mark as f64 / 2.0;
            let mut account = Account::new();
            let (mut cash, mut position, mut fees) = (0i128, 0i128, 0.0);
            for (buy, price, lots, fee) in trades {
                let side = if buy { Side::Buy } else { Side::Sell };
                account.apply(&fill(side, price, lots, Liquidity::Taker), fee);
                let signed = if buy { i128::from(lots) } else { -i128::from(lots) };
                cash -= signed * i128::from(price);
                position += signed;
                fees += fee;
            }
            prop_assert_eq!((account.cash(), account.position()), (cash, position));
            prop_assert_eq!(account.profit(mark), cash as f64 + position as f64 * mark - fees);
            let split = account.realised() + account.unrealised(mark);
            prop_assert!((split - account.gross_profit(mark)).abs() < 1e-6, "{} {}", split, account.gross_profit(mark));
        }

        #[test]
        fn every_trade_is_a_zero_sum(price in -5000i64..5000, lots in 1u64..10_000, mark in -5000i64..5000) {
            let (mut buyer, mut seller) = (Account::new(), Account::new());
            buyer.apply(&fill(Side::Buy, price, lots, Liquidity::Taker), 0.0);
            seller.apply(&fill(Side::Sell, price, lots, Liquidity::Maker), 0.0);
            prop_assert_eq!(buyer.value_at(Price(mark)) + seller.value_at(Price(mark)), 0);
        }
    }
}

//! What a ledger says of itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::{BrokerError, Ledger, kill_file};

/// A position. Amounts are in cents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Position {
    /// The asset, from 0.
    pub asset: usize,
    /// Shares.
    pub quantity: i64,
    /// A share's price at the last close.
    pub price: i64,
    /// Of the position at that price.
    pub value: i64,
    /// Share of the net asset value.
    pub weight: f64,
    /// That value less all that was paid for the asset since the start, fees and impact included, and got for it.
    pub profit: i64,
}

/// A ledger in figures. Amounts are in cents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The ledger's file.
    pub ledger: String,
    /// Of the market.
    pub seed: u64,
    /// Who decides: a strategy, or `policy:` and the path of a trained one.
    pub policy: String,
    /// Steps closed.
    pub step: u64,
    /// Whether a step is open: its orders are written, it is not closed.
    pub open_step: bool,
    /// Whether the kill switch is on.
    pub killed: bool,
    /// Whether cash, positions and net asset value follow, to the cent, from capital and fills.
    pub reconciled: bool,
    /// Money at the start.
    pub capital: i64,
    /// Money.
    pub cash: i64,
    /// Net asset value at the last close.
    pub nav: i64,
    /// That less the capital.
    pub profit: i64,
    /// The highest net asset value at a close.
    pub peak: i64,
    /// What positions are worth, a share of the net asset value.
    pub exposure: f64,
    /// Paid to the venue since the start.
    pub fees: i64,
    /// Paid for impact since the start.
    pub slippage: i64,
    /// Value of all trades since the start.
    pub turnover: i64,
    /// Orders by status.
    pub orders: BTreeMap<String, u64>,
    /// Fills since the start.
    pub fills: u64,
    /// Refusals by rule.
    pub rejections: BTreeMap<String, u64>,
    /// An asset each.
    pub positions: Vec<Position>,
}

impl Summary {
    /// Reads a ledger's file, also while a broker writes it; it is one moment's.
    ///
    /// # Errors
    /// A file that is no ledger, or one without an account yet.
    pub fn of(path: &Path) -> Result<Self, BrokerError> {
        let ledger = Ledger::read(path)?;
        // One transaction: all figures are of the same moment.
        ledger.check(|c| c.execute_batch("BEGIN"))?;
        Self::within(&ledger)
    }

    /// The same of an open ledger, within a transaction of the caller's.
    pub(super) fn within(ledger: &Ledger) -> Result<Self, BrokerError> {
        let path = ledger.path();
        let Some(opening) = ledger.opening()? else {
            return Err(ledger.wrong("has no account yet".to_owned()));
        };
        let (state, _) = ledger.state()?;
        let (nav, last_fills): (i64, i64) = ledger.check(|c| {
            let sql = "SELECT nav, (SELECT count(*) FROM fills WHERE fills.step > nav.step) FROM nav \
                       ORDER BY step DESC LIMIT 1";
            c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        let peak = ledger.check(|c| c.query_row("SELECT max(nav) FROM nav", [], |row| row.get(0)))?;
        let prices: Vec<i64> = ledger.check(|c| {
            c.prepare("SELECT price FROM positions ORDER BY asset")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        let sums = "SELECT count(*), coalesce(sum(abs(value)), 0), coalesce(sum(slippage), 0), \
                    coalesce(sum(fee), 0), coalesce(sum(value), 0) FROM fills";
        let [fills, turnover, slippage, fees, value] = ledger.check(|c| {
            c.query_row(sums, [], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, i64>(4)?])
            })
        })?;
        let sql = "SELECT positions.quantity = coalesce(sum(fills.quantity), 0), \
                   coalesce(sum(fills.value + slippage + fee), 0) FROM positions \
                   LEFT JOIN fills ON fills.asset = positions.asset GROUP BY positions.asset";
        let held: Vec<(bool, i64)> = ledger
            .check(|c| c.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())?;
        let holdings = &state.holdings;
        // Between a fill and its step's close the last net asset value is of another account.
        let closed = last_fills > 0 || holdings.nav(&prices)? == nav;
        let reconciled = holdings.cash == holdings.capital - value - slippage - fees
            && held.iter().all(|&(held, _)| held)
            && closed;
        let counts = |sql: &str| {
            ledger.check(|c| {
                c.prepare(sql)?
                    .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
                    .collect::<Result<BTreeMap<String, u64>, _>>()
            })
        };
        let position = |(asset, (&quantity, &price)): (usize, (&i64, &i64))| {
            let value = quantity.saturating_mul(price);
            let profit = value.saturating_sub(held[asset].1);
            Position { asset, quantity, price, value, weight: value as f64 / nav as f64, profit }
        };
        let positions: Vec<_> = holdings.positions.iter().zip(&prices).enumerate().map(position).collect();
        Ok(Self {
            ledger: path.display().to_string(),
            seed: opening.seed,
            policy: opening.policy,
            step: state.step,
            open_step: state.decided > state.step,
            killed: kill_file(path).try_exists().unwrap_or(true),
            reconciled,
            capital: holdings.capital,
            cash: holdings.cash,
            nav,
            profit: nav - holdings.capital,
            peak,
            exposure: positions.iter().map(|position| position.weight.abs()).sum(),
            fees,
            slippage,
            turnover,
            orders: counts("SELECT status, count(*) FROM orders GROUP BY status")?,
            fills: fills.cast_unsigned(),
            rejections: counts("SELECT rule, count(*) FROM rejections GROUP BY rule")?,
            positions,
        })
    }

    /// For people: plain characters, amounts in money.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let list = |counts: &BTreeMap<String, u64>| match counts.len() {
            0 => "none".to_owned(),
            _ => counts.iter().map(|(key, n)| format!("{key} {n}")).collect::<Vec<_>>().join(", "),
        };
        let yes = |value, what: &str| if value { format!(", {what}") } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}: step {}{}{}, seed {}, {}",
            self.ledger,
            self.step,
            yes(self.open_step, "the next one is open"),
            yes(self.killed, "KILL SWITCH ON"),
            self.seed,
            self.policy,
        );
        let _ = writeln!(
            text,
            "net asset value {}, profit {}, highest {}, cash {}, exposure {:.1}%",
            money(self.nav),
            money(self.profit),
            money(self.peak),
            money(self.cash),
            100.0 * self.exposure,
        );
        let _ = writeln!(
            text,
            "traded {}, fees {}, impact {}; orders: {}; fills: {}; refused: {}",
            money(self.turnover),
            money(self.fees),
            money(self.slippage),
            list(&self.orders),
            self.fills,
            list(&self.rejections),
        );
        let _ = writeln!(
            text,
            "{}\n",
            if self.reconciled {
                "reconciled to the cent"
            } else {
                "NOT RECONCILED: the figures contradict each other"
            }
        );
        let rows = self.positions.iter().map(|position| {
            vec![
                position.asset.to_string(),
                position.quantity.to_string(),
                money(position.price),
                money(position.value),
                format!("{:.2}%", 100.0 * position.weight),
                money(position.profit),
            ]
        });
        text += &crate::report::plain_table(
            &["asset", "shares", "price", "value", "weight", "profit"],
            1,
            rows.collect(),
        );
        text
    }
}

/// Cents as money.
pub(crate) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, part) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    format!("{sign}{whole}.{part:02}")
}

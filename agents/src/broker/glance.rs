//! What somebody who watches a broker wants to see of its ledger.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{BrokerError, Ledger, Summary};

/// Orders and refusals that are shown.
const RECENT: usize = 50;

/// Points of the history, at most twice as many.
const POINTS: i64 = 400;

/// An order, as it stands. Amounts are in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentOrder {
    /// The step.
    pub step: u64,
    /// The asset.
    pub asset: usize,
    /// Shares, bought (> 0) or sold (< 0).
    pub quantity: i64,
    /// `pending`, `filled` or `cancelled`.
    pub status: String,
    /// Average price a share before fees, once it is filled; else the one that was expected.
    pub price: i64,
    /// What it paid to the venue and for impact.
    pub cost: i64,
}

/// What was not traded, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentRefusal {
    /// The step.
    pub step: u64,
    /// The asset; none if all targets were refused.
    pub asset: Option<usize>,
    /// Shares that would have been traded.
    pub quantity: i64,
    /// The rule.
    pub rule: String,
    /// What was found.
    pub found: f64,
    /// What would have been legal.
    pub legal: f64,
}

/// How fast a broker was in its last steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Time of the last decision.
    pub decision: Duration,
    /// The 99th percentile of those that are kept.
    pub decision_p99: Duration,
    /// Steps a second; none before the second one.
    pub rate: Option<f64>,
    /// Since the last decision.
    pub quiet: Duration,
}

impl Pace {
    /// Whether the broker seems to run: the last step is not much longer ago than steps take, or 5 seconds.
    pub fn is_live(&self) -> bool {
        let usual = self.rate.map_or(0.0, |rate| 3.0 / rate);
        self.quiet.as_secs_f64() <= usual.max(5.0)
    }
}

/// A ledger at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// Its figures.
    pub summary: Summary,
    /// Steps and net asset values, cents: evenly spaced, the first and the last among them.
    pub history: Vec<(u64, i64)>,
    /// The largest loss since a maximum before, a share of that.
    pub max_drawdown: f64,
    /// The last orders, newest first.
    pub orders: Vec<RecentOrder>,
    /// The last refusals, newest first.
    pub refusals: Vec<RecentRefusal>,
    /// None before the first step.
    pub pace: Option<Pace>,
}

impl Glance {
    /// Reads a ledger's file, also while a broker writes it; it is one moment's.
    ///
    /// # Errors
    /// A file that is not there or no ledger, or one without an account yet.
    pub fn of(path: &Path) -> Result<Self, BrokerError> {
        let ledger = Ledger::read(path)?;
        ledger.check(|c| c.execute_batch("BEGIN"))?;
        let summary = Summary::within(&ledger)?;
        let apart = (summary.step.cast_signed() / POINTS).max(1);
        let history = ledger.check(|c| {
            c.prepare("SELECT step, nav FROM nav WHERE step % ?1 = 0 OR step = ?2 ORDER BY step")?
                .query_map([apart, summary.step.cast_signed()], |row| {
                    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
                })?
                .collect()
        })?;
        let sql = "SELECT coalesce(max(1.0 - nav * 1.0 / peak), 0.0) \
                   FROM (SELECT nav, max(nav) OVER (ORDER BY step) AS peak FROM nav)";
        let max_drawdown = ledger.check(|c| c.query_row(sql, [], |row| row.get(0)))?;
        Ok(Self {
            history,
            max_drawdown,
            orders: orders(&ledger)?,
            refusals: refusals(&ledger)?,
            pace: pace(&ledger)?,
            summary,
        })
    }

    /// The loss since the highest net asset value, a share of that.
    pub fn drawdown(&self) -> f64 {
        1.0 - self.summary.nav as f64 / self.summary.peak as f64
    }
}

fn orders(ledger: &Ledger) -> Result<Vec<RecentOrder>, BrokerError> {
    let sql = "SELECT orders.step, orders.asset, orders.quantity, status, expected, value, slippage, fee FROM orders \
               LEFT JOIN fills USING (client_id) ORDER BY orders.rowid DESC LIMIT ?1";
    ledger.check(|c| {
        c.prepare(sql)?
            .query_map([RECENT as i64], |row| {
                let quantity: i64 = row.get(2)?;
                let fill: Option<(i64, i64, i64)> = match row.get::<_, Option<i64>>(5)? {
                    Some(value) => Some((value, row.get(6)?, row.get(7)?)),
                    None => None,
                };
                Ok(RecentOrder {
                    step: row.get::<_, i64>(0)?.cast_unsigned(),
                    asset: row.get::<_, i64>(1)? as usize,
                    quantity,
                    status: row.get(3)?,
                    price: match fill {
                        Some((value, slippage, _)) => {
                            (value.saturating_add(slippage) as f64 / quantity as f64).round() as i64
                        }
                        None => row.get(4)?,
                    },
                    cost: fill.map_or(0, |(_, slippage, fee)| slippage.saturating_add(fee)),
                })
            })?
            .collect()
    })
}

fn refusals(ledger: &Ledger) -> Result<Vec<RecentRefusal>, BrokerError> {
    let sql = "SELECT step, asset, quantity, rule, found, legal FROM rejections ORDER BY id DESC LIMIT ?1";
    ledger.check(|c| {
        c.prepare(sql)?
            .query_map([RECENT as i64], |row| {
                // Kept as text, which has what is no number too.
                let number = |index| -> rusqlite::Result<f64> {
                    Ok(row.get::<_, String>(index)?.parse().unwrap_or(f64::NAN))
                };
                Ok(RecentRefusal {
                    step: row.get::<_, i64>(0)?.cast_unsigned(),
                    asset: row.get::<_, Option<i64>>(1)?.map(|asset| asset as usize),
                    quantity: row.get(2)?,
                    rule: row.get(3)?,
                    found: number(4)?,
                    legal: number(5)?,
                })
            })?
            .collect()
    })
}

fn pace(ledger: &Ledger) -> Result<Option<Pace>, BrokerError> {
    let sql = "SELECT decision_ns, decided_ms FROM timings ORDER BY step DESC";
    let rows: Vec<(u64, u64)> = ledger.check(|c| {
        c.prepare(sql)?
            .query_map([], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
            })?
            .collect()
    })?;
    let Some(&(last, decided)) = rows.first() else { return Ok(None) };
    let mut sorted: Vec<u64> = rows.iter().map(|&(nanoseconds, _)| nanoseconds).collect();
    sorted.sort_unstable();
    let rank = (0.99 * sorted.len() as f64).ceil() as usize;
    // The last steps alone, so that a pause before them is soon forgotten.
    let recent = &rows[..rows.len().min(20)];
    let span = recent.last().map_or(0, |&(_, first)| decided.saturating_sub(first));
    let rate = (recent.len() > 1 && span > 0).then(|| (recent.len() - 1) as f64 * 1e3 / span as f64);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Pace {
        decision: Duration::from_nanos(last),
        decision_p99: Duration::from_nanos(sorted[rank.clamp(1, sorted.len()) - 1]),
        rate,
        quiet: now.saturating_sub(Duration::from_millis(decided)),
    }))
}

//! Everything that must survive: one SQLite file, one transaction a transition.
//!
//! A step writes, each whole or not at all: its orders and refusals ([`Ledger::decide`]), each fill with the cash and position it leaves
//! ([`Ledger::fill`]), and the close with the net asset value ([`Ledger::close`]). A fill has its order's identifier as primary key: the
//! database itself refuses a second one.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lob::models::Impact;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::crash;
use super::plan::{Holdings, Order, Reason, Refused};
use super::schema::{APPLICATION_ID, TABLES, TIMINGS, VERSION};
use super::{BrokerError, Execution, Rule};

/// What a ledger is begun with and does not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Of the market and of policies that draw.
    pub seed: u64,
    /// The settings, as JSON.
    pub config: String,
    /// Where their relative paths start.
    pub directory: PathBuf,
    /// Who decides, as a [`Choice`](super::Choice) is written.
    pub policy: String,
}

/// What a ledger says the account is.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The last step that is closed.
    pub step: u64,
    /// The last one whose orders are written: that or the next.
    pub decided: u64,
    /// Cash and positions.
    pub holdings: Holdings,
}

/// The database of a paper broker.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Opens a ledger for writing; a file that is not there or empty gets tables without an account.
    ///
    /// # Errors
    /// A file that cannot be opened or is something else.
    pub fn open(path: &Path) -> Result<Self, BrokerError> {
        let mut connection = Connection::open(path).map_err(|problem| database(path, problem))?;
        let hook = || {
            crash::point("in a commit");
            false
        };
        connection.commit_hook(Some(hook)).map_err(|problem| database(path, problem))?;
        let mut ledger = Self { connection, path: path.to_owned() };
        // Also where a second one slips past the lock file: SQLite lets one write at a time.
        ledger.check(|c| c.busy_timeout(std::time::Duration::from_secs(5)))?;
        let objects: i64 =
            ledger.check(|c| c.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)))?;
        if objects > 0 {
            ledger.verify()?;
        }
        // FULL: a commit is on the disk before the next thing happens.
        ledger.check(|c| {
            c.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        })?;
        if objects == 0 {
            ledger.transact(|transaction| {
                transaction.execute_batch(TABLES)?;
                transaction.execute_batch(&format!(
                    "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
                ))
            })?;
        }
        Ok(ledger)
    }

    /// Opens a ledger for reading, also while a broker writes it.
    ///
    /// # Errors
    /// A file that is not there or is something else.
    pub fn read(path: &Path) -> Result<Self, BrokerError> {
        if !path.exists() {
            let problem = "there is no such ledger; lobgym paper --db begins one".to_owned();
            return Err(BrokerError::Ledger { path: path.to_owned(), problem });
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|problem| database(path, problem))?;
        let ledger = Self { connection, path: path.to_owned() };
        ledger.check(|c| c.busy_timeout(std::time::Duration::from_secs(5)))?;
        ledger.verify()?;
        Ok(ledger)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was begun with, if it was.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn opening(&self) -> Result<Option<Opening>, BrokerError> {
        let sql = "SELECT seed, config, directory, policy FROM settings";
        self.check(|c| {
            c.query_row(sql, [], |row| {
                Ok(Opening {
                    seed: row.get::<_, i64>(0)?.cast_unsigned(),
                    config: row.get(1)?,
                    directory: row.get::<_, String>(2)?.into(),
                    policy: row.get(3)?,
                })
            })
            .optional()
        })
    }

    /// Begins: an account with this many cents, and nothing of any asset.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(
        &mut self,
        opening: &Opening,
        capital: i64,
        prices: &[i64],
        impacts: &[Impact],
    ) -> Result<(), BrokerError> {
        let impacts = self.encode(impacts)?;
        self.transact(|transaction| {
            transaction.execute(
                "INSERT INTO settings (id, seed, config, directory, policy) VALUES (1, ?1, ?2, ?3, ?4)",
                params![
                    opening.seed.cast_signed(),
                    opening.config,
                    opening.directory.to_string_lossy(),
                    opening.policy,
                ],
            )?;
            let sql = "INSERT INTO account VALUES (1, ?1, ?1, 0, 0, ?1, 0)";
            transaction.execute(sql, [capital])?;
            transaction.execute("INSERT INTO nav VALUES (0, ?1, ?1, 0, 0, 0)", [capital])?;
            let mut insert = transaction.prepare("INSERT INTO positions VALUES (?1, 0, ?2, ?3)")?;
            for (asset, (price, impact)) in prices.iter().zip(&impacts).enumerate() {
                insert.execute(params![asset as i64, price, impact])?;
            }
            Ok(())
        })
    }

    /// The account, and what each asset's impact model remembers.
    ///
    /// # Errors
    /// What SQLite says; a memory that is none.
    pub fn state(&self) -> Result<(State, Vec<Impact>), BrokerError> {
        let sql = "SELECT capital, cash, step, decided, day_nav, day_turnover FROM account";
        let mut state = self.check(|c| {
            c.query_row(sql, [], |row| {
                Ok(State {
                    step: row.get::<_, i64>(2)?.cast_unsigned(),
                    decided: row.get::<_, i64>(3)?.cast_unsigned(),
                    holdings: Holdings {
                        capital: row.get(0)?,
                        cash: row.get(1)?,
                        positions: Vec::new(),
                        day_nav: row.get(4)?,
                        day_turnover: row.get(5)?,
                    },
                })
            })
        })?;
        let rows = self.check(|c| {
            c.prepare("SELECT quantity, impact FROM positions ORDER BY asset")?
                .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut impacts = Vec::with_capacity(rows.len());
        for (quantity, bytes) in rows {
            state.holdings.positions.push(quantity);
            let impact = postcard::from_bytes(&bytes).map_err(|error| self.wrong(error.to_string()))?;
            impacts.push(impact);
        }
        Ok((state, impacts))
    }

    /// Writes a step's orders before any of them is sent, what was refused, the day's figures, how long the decision took, and what it saw, of
    /// which the last `memory` are kept.
    ///
    /// # Errors
    /// What SQLite says; nothing is written then.
    pub fn decide(
        &mut self,
        step: u64,
        (orders, reason): (&[Order], Reason),
        refused: &[Refused],
        holdings: &Holdings,
        (seen, memory): (&[f32], u64),
        lasted: Duration,
    ) -> Result<(), BrokerError> {
        crash::point("before the orders");
        let nanoseconds = i64::try_from(lasted.as_nanos()).unwrap_or(i64::MAX);
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let milliseconds = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        let step = step.cast_signed();
        self.transact(|transaction| {
            let sql = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending')";
            let mut insert = transaction.prepare_cached(sql)?;
            for order in orders {
                let Order { client_id, asset, quantity, reference, expected } = order;
                let asset = *asset as i64;
                insert.execute(params![
                    client_id,
                    step,
                    asset,
                    quantity,
                    reference,
                    expected,
                    reason.name()
                ])?;
                crash::point("between orders");
            }
            let sql = "INSERT INTO rejections (step, asset, quantity, rule, found, legal) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut insert = transaction.prepare_cached(sql)?;
            for Refused { asset, quantity, refusal } in refused {
                let asset = asset.map(|asset| asset as i64);
                let (found, legal) = (refusal.found.to_string(), refusal.limit.to_string());
                insert.execute(params![step, asset, quantity, refusal.rule.name(), found, legal])?;
            }
            if memory > 0 {
                let bytes: Vec<u8> = seen.iter().flat_map(|number| number.to_le_bytes()).collect();
                transaction.execute("INSERT INTO observations VALUES (?1, ?2)", params![step, bytes])?;
                let oldest = step.saturating_sub(memory.min(1 << 40).cast_signed());
                transaction.execute("DELETE FROM observations WHERE step <= ?1", [oldest])?;
            }
            let sql = "INSERT INTO timings VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(sql)?.execute(params![step, nanoseconds, milliseconds])?;
            let oldest = step.saturating_sub(TIMINGS);
            transaction.prepare_cached("DELETE FROM timings WHERE step <= ?1")?.execute([oldest])?;
            let sql = "UPDATE account SET decided = ?1, day_nav = ?2, day_turnover = ?3";
            transaction.execute(sql, params![step, holdings.day_nav, holdings.day_turnover])?;
            Ok(())
        })?;
        crash::point("after the orders");
        Ok(())
    }

    /// What the last decisions saw, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn observations(&self) -> Result<Vec<Vec<f32>>, BrokerError> {
        let numbers = |bytes: Vec<u8>| {
            bytes
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect()
        };
        self.check(|c| {
            c.prepare("SELECT numbers FROM observations ORDER BY step")?
                .query_map([], |row| Ok(numbers(row.get(0)?)))?
                .collect()
        })
    }

    /// A step's orders in the order they are to be sent, and whether each is still to be.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn orders(&self, step: u64) -> Result<Vec<(Order, bool)>, BrokerError> {
        let sql = "SELECT client_id, asset, quantity, reference, expected, status = 'pending' FROM orders \
                   WHERE step = ?1 ORDER BY rowid";
        self.check(|c| {
            c.prepare_cached(sql)?
                .query_map([step.cast_signed()], |row| {
                    let order = Order {
                        client_id: row.get(0)?,
                        asset: row.get::<_, i64>(1)? as usize,
                        quantity: row.get(2)?,
                        reference: row.get(3)?,
                        expected: row.get(4)?,
                    };
                    Ok((order, row.get(5)?))
                })?
                .collect()
        })
    }

    /// A step's fills: asset, and shares times the reference price, cents.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn traded(&self, step: u64) -> Result<Vec<(usize, i64)>, BrokerError> {
        self.check(|c| {
            c.prepare_cached("SELECT asset, value FROM fills WHERE step = ?1")?
                .query_map([step.cast_signed()], |row| Ok((row.get::<_, i64>(0)? as usize, row.get(1)?)))?
                .collect()
        })
    }

    /// Writes a fill with the account that it leaves (`holdings`) and what the asset's impact model remembers now.
    ///
    /// # Errors
    /// What SQLite says, also if the order has a fill already; nothing is written then.
    pub fn fill(
        &mut self,
        step: u64,
        order: &Order,
        execution: &Execution,
        holdings: &Holdings,
        impact: &Impact,
    ) -> Result<(), BrokerError> {
        crash::point("before a fill");
        let impact = self.encode(std::slice::from_ref(impact))?.swap_remove(0);
        let asset = order.asset as i64;
        let Execution { value, slippage, fee } = *execution;
        self.transact(|transaction| {
            let row = params![
                order.client_id,
                step.cast_signed(),
                asset,
                order.quantity,
                value,
                slippage,
                fee,
                holdings.cash
            ];
            let sql = "INSERT INTO fills VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            transaction.prepare_cached(sql)?.execute(row)?;
            crash::point("in a fill, before the order's status");
            let sql = "UPDATE orders SET status = 'filled' WHERE client_id = ?1 AND status = 'pending'";
            one(transaction.prepare_cached(sql)?.execute([&order.client_id])?)?;
            let sql = "UPDATE positions SET quantity = ?2, impact = ?3 WHERE asset = ?1";
            let quantity = holdings.positions[order.asset];
            one(transaction.prepare_cached(sql)?.execute(params![asset, quantity, impact])?)?;
            crash::point("in a fill, before the cash");
            let sql = "UPDATE account SET cash = ?1, day_turnover = ?2";
            let row = params![holdings.cash, holdings.day_turnover];
            one(transaction.prepare_cached(sql)?.execute(row)?)
        })?;
        crash::point("after a fill");
        Ok(())
    }

    /// Gives up a step's orders that have not been sent: refused by the kill switch.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cancel(&mut self, step: u64) -> Result<usize, BrokerError> {
        let step = step.cast_signed();
        self.transact(|transaction| {
            let sql = "INSERT INTO rejections (step, asset, quantity, rule, found, legal) \
                       SELECT step, asset, quantity, ?2, '1', '0' FROM orders \
                       WHERE step = ?1 AND status = 'pending' ORDER BY rowid";
            transaction.execute(sql, params![step, Rule::KillSwitch.name()])?;
            let sql = "UPDATE orders SET status = 'cancelled' WHERE step = ?1 AND status = 'pending'";
            transaction.execute(sql, [step])
        })
    }

    /// Closes a step: net asset value, prices, and what the impact models remember after it.
    ///
    /// # Errors
    /// What SQLite says; nothing is written then.
    pub fn close(
        &mut self,
        step: u64,
        nav: i64,
        holdings: &Holdings,
        prices: &[i64],
        impacts: &[Impact],
    ) -> Result<(), BrokerError> {
        crash::point("before the close");
        let impacts = self.encode(impacts)?;
        let step = step.cast_signed();
        self.transact(|transaction| {
            let sql = "INSERT INTO nav SELECT ?1, ?2, ?3, \
                       (SELECT coalesce(sum(abs(value)), 0) FROM fills WHERE step = ?1), \
                       (SELECT count(*) FROM orders WHERE step = ?1), (SELECT count(*) FROM fills WHERE step = ?1)";
            transaction.prepare_cached(sql)?.execute(params![step, nav, holdings.cash])?;
            crash::point("in the close, before the positions");
            let sql = "UPDATE positions SET price = ?2, impact = ?3 WHERE asset = ?1";
            let mut update = transaction.prepare_cached(sql)?;
            for (asset, (price, impact)) in prices.iter().zip(&impacts).enumerate() {
                one(update.execute(params![asset as i64, price, impact])?)?;
            }
            crash::point("in the close, before the step");
            one(transaction.prepare_cached("UPDATE account SET step = ?1")?.execute([step])?)
        })?;
        crash::point("after the close");
        Ok(())
    }

    /// The connection, for what is only read.
    pub(super) fn check<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, BrokerError> {
        work(&self.connection).map_err(|problem| database(&self.path, problem))
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, BrokerError> {
        let path = &self.path;
        let run = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run(&mut self.connection).map_err(|problem| database(path, problem))
    }

    fn verify(&self) -> Result<(), BrokerError> {
        let pragma = |name| self.check(|c| c.pragma_query_value(None, name, |row| row.get::<_, i64>(0)));
        if pragma("application_id")? != APPLICATION_ID {
            return Err(self.wrong("is no ledger of a paper broker".to_owned()));
        }
        match pragma("user_version")? {
            VERSION => Ok(()),
            other => Err(self.wrong(format!("has version {other} of the ledger; this build has {VERSION}"))),
        }
    }

    pub(super) fn wrong(&self, problem: String) -> BrokerError {
        BrokerError::Ledger { path: self.path.clone(), problem }
    }

    /// In binary, as text would not keep every bit.
    fn encode(&self, impacts: &[Impact]) -> Result<Vec<Vec<u8>>, BrokerError> {
        let bytes = impacts.iter().map(postcard::to_stdvec).collect::<Result<_, _>>();
        bytes.map_err(|error| self.wrong(error.to_string()))
    }
}

fn database(path: &Path, problem: rusqlite::Error) -> BrokerError {
    BrokerError::Database { path: path.to_owned(), problem }
}

/// Exactly one row was changed.
fn one(rows: usize) -> rusqlite::Result<()> {
    if rows == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(rows)) }
}

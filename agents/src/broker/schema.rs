//! The ledger's tables.

/// Of this layout; another is refused, not guessed at.
pub(super) const VERSION: i64 = 2;

/// `PRAGMA application_id`: "lobp". Other databases are not written to.
pub(super) const APPLICATION_ID: i64 = 0x6c6f_6270;

/// Steps whose timings are kept.
pub(super) const TIMINGS: i64 = 256;

/// Amounts are in cents. `account.step` is the last step that is closed, `account.decided` the last one whose orders are written.
pub(super) const TABLES: &str = "
CREATE TABLE settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seed INTEGER NOT NULL,
    config TEXT NOT NULL,
    directory TEXT NOT NULL,
    policy TEXT NOT NULL
) STRICT;
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    capital INTEGER NOT NULL,
    cash INTEGER NOT NULL,
    step INTEGER NOT NULL,
    decided INTEGER NOT NULL CHECK (decided IN (step, step + 1)),
    day_nav INTEGER NOT NULL,
    day_turnover INTEGER NOT NULL CHECK (day_turnover >= 0)
) STRICT;
CREATE TABLE positions (
    asset INTEGER PRIMARY KEY,
    quantity INTEGER NOT NULL,
    price INTEGER NOT NULL,
    impact BLOB NOT NULL
) STRICT;
CREATE TABLE orders (
    client_id TEXT PRIMARY KEY,
    step INTEGER NOT NULL,
    asset INTEGER NOT NULL REFERENCES positions (asset),
    quantity INTEGER NOT NULL CHECK (quantity <> 0),
    reference INTEGER NOT NULL,
    expected INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('rebalance', 'flatten')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'filled', 'cancelled'))
) STRICT;
CREATE INDEX orders_of_step ON orders (step);
CREATE TABLE fills (
    client_id TEXT PRIMARY KEY REFERENCES orders (client_id),
    step INTEGER NOT NULL,
    asset INTEGER NOT NULL REFERENCES positions (asset),
    quantity INTEGER NOT NULL CHECK (quantity <> 0),
    value INTEGER NOT NULL,
    slippage INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    cash INTEGER NOT NULL
) STRICT;
CREATE INDEX fills_of_step ON fills (step);
CREATE TABLE nav (
    step INTEGER PRIMARY KEY,
    nav INTEGER NOT NULL,
    cash INTEGER NOT NULL,
    turnover INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    fills INTEGER NOT NULL
) STRICT;
CREATE TABLE rejections (
    id INTEGER PRIMARY KEY,
    step INTEGER NOT NULL,
    asset INTEGER REFERENCES positions (asset),
    quantity INTEGER NOT NULL,
    rule TEXT NOT NULL,
    found TEXT NOT NULL,
    legal TEXT NOT NULL
) STRICT;
CREATE INDEX rejections_of_rule ON rejections (rule);
CREATE TABLE timings (
    step INTEGER PRIMARY KEY,
    decision_ns INTEGER NOT NULL,
    decided_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE observations (
    step INTEGER PRIMARY KEY,
    numbers BLOB NOT NULL
) STRICT;
";

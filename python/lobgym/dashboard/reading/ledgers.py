"""Ledgers of paper brokers: SQLite files that are only ever read here. Amounts become money."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas

from lobgym.dashboard.reading.files import Unreadable, stamp

__all__ = ["Ledger", "find_ledgers", "load_ledger"]

#: Rows of orders and refusals that are shown.
_LATEST = 500


@dataclass(frozen=True)
class Ledger:
    """What a broker has written, at one moment."""

    path: Path
    policy: str
    seed: int
    capital: float
    cash: float
    step: int
    #: ``step``, ``nav``, ``cash``, ``turnover`` (money).
    nav: pandas.DataFrame
    #: ``asset``, ``quantity``, ``price``, ``value``, ``weight``.
    positions: pandas.DataFrame
    #: The latest first: ``order``, ``step``, ``asset``, ``quantity``, ``status``, ``price``, ``slippage``, ``fee``.
    orders: pandas.DataFrame
    #: The latest first: ``step``, ``asset``, ``quantity``, ``rule``, ``found``, ``legal``.
    refusals: pandas.DataFrame
    #: Number of refusals by rule.
    rules: dict[str, int]
    fees: float
    slippage: float
    #: ``"running"``, ``"stopped"`` or ``"unknown"``, where the system does not say who holds a lock; and whether the switch is thrown.
    state: str
    killed: bool

    @property
    def equity(self) -> float:
        """Net asset value at the last close."""
        return float(self.nav["nav"].iloc[-1]) if len(self.nav) else self.capital


def _lock_state(path: Path) -> str:
    """Whether a broker holds the ledger's lock. The system is asked: taking the lock, however shortly, could turn a broker away."""
    try:
        status = os.stat(f"{path}.lock")
    except OSError:
        return "stopped"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return "unknown"
    # 1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF
    held = {line.split()[-3].rsplit(":", 1)[-1] for line in lines if "->" not in line and line.count(" ") >= 7}
    return "running" if str(status.st_ino) in held else "stopped"


_QUERIES = {
    "nav": "SELECT step, nav / 100.0 AS nav, cash / 100.0 AS cash, turnover / 100.0 AS turnover FROM nav ORDER BY step",
    "positions": "SELECT asset, quantity, price / 100.0 AS price, quantity * price / 100.0 AS value FROM positions "
    "ORDER BY asset",
    "orders": "SELECT o.client_id AS 'order', o.step, o.asset, o.quantity, o.reason, o.status, "
    "CASE WHEN f.quantity THEN f.value / 100.0 / f.quantity END AS price, f.slippage / 100.0 AS slippage, "
    "f.fee / 100.0 AS fee FROM orders o LEFT JOIN fills f USING (client_id) ORDER BY o.step DESC, o.asset "
    f"LIMIT {_LATEST}",
    "refusals": f"SELECT step, asset, quantity, rule, found, legal FROM rejections ORDER BY id DESC LIMIT {_LATEST}",
}


def load_ledger(path: str | os.PathLike[str]) -> Ledger:
    """Reads a ledger, while its broker writes or later. Raises ``Unreadable``."""
    path = Path(path)
    stamp(path)
    try:
        uri = path.absolute().as_uri() + "?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=2.0)) as base:
            # One transaction: all tables are of the same step.
            base.execute("BEGIN")
            capital, cash, step = base.execute("SELECT capital, cash, step FROM account").fetchone()
            seed, policy = base.execute("SELECT seed, policy FROM settings").fetchone()
            frames = {name: pandas.read_sql_query(query, base) for name, query in _QUERIES.items()}
            fees, slippage = base.execute("SELECT total(fee), total(slippage) FROM fills").fetchone()
            rules = dict(base.execute("SELECT rule, count(*) FROM rejections GROUP BY rule ORDER BY 2 DESC").fetchall())
    except (sqlite3.Error, pandas.errors.DatabaseError) as error:
        raise Unreadable(path, f"no ledger of `lobgym paper`: {str(error).splitlines()[-1]}") from error
    except TypeError as error:
        raise Unreadable(path, "a ledger without an account: its broker did not get so far") from error
    ledger = Ledger(
        path=path,
        policy=str(policy),
        seed=int(seed),
        capital=capital / 100,
        cash=cash / 100,
        step=int(step),
        rules=rules,
        fees=fees / 100,
        slippage=slippage / 100,
        state=_lock_state(path),
        killed=Path(f"{path}.kill").exists(),
        **frames,
    )
    ledger.positions["weight"] = ledger.positions["value"] / ledger.equity if ledger.equity else 0.0
    return ledger


def find_ledgers(places: list[str]) -> list[Path]:
    """The ledgers that there are: of directories all, of a file it and those that the page numbers after it."""
    ledgers: dict[str, Path] = {}
    for place in map(Path, places):
        numbered = place.parent.glob(f"{place.stem}-*{place.suffix}")
        for path in sorted(place.glob("*.db")) if place.is_dir() else [place, *sorted(numbered)]:
            if path.exists():
                ledgers.setdefault(os.path.realpath(path), path)
    return list(ledgers.values())

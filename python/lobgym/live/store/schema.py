"""The tables, the same in every database. docs/live.md explains each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "TABLES", "Bar", "Incident", "Table", "Tick", "rows"]

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Table:
    """A table: its columns with their types, what identifies a row, and what PostgreSQL finds rows by."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    #: One row for each message. DuckDB finds ranges of these by the least and largest value of each block, rows being in order of time,
    #: and an index over all rows would slow every insert; the key of their batch keeps them from being written twice.
    long: bool = False
    #: What PostgreSQL has an index over.
    indices: tuple[tuple[str, ...], ...] = ()

    def create(self, *, index_long: bool) -> str:
        """The statement that makes it if there is none."""
        columns = [f"{name} {kind}" for name, kind in self.columns.items()]
        if index_long or not self.long:
            columns.append(f"PRIMARY KEY ({', '.join(self.key)})")
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(columns)})"


@dataclass(slots=True)
class Tick:
    """A row of ``ticks``, without its run."""

    sequence: int
    kind: str
    received_ns: int
    time_ns: int
    exchange_ms: int | None
    first_id: int | None
    last_id: int | None
    previous_id: int | None
    price: float | None
    quantity: float | None
    side: str | None
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    payload: str | None


@dataclass(slots=True)
class Bar:
    """A row of ``bars``, without its run."""

    start_ns: int
    interval_ns: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    trades: int
    quotes: int
    spread: float | None
    imbalance: float | None
    skew_ns: int | None
    complete: bool
    #: The best quote at the bar's end.
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None


@dataclass(slots=True)
class Incident:
    """A row of ``incidents``, without its run."""

    number: int
    received_ns: int
    sequence: int
    kind: str
    detail: str


_BIG, _TEXT, _REAL = "BIGINT", "VARCHAR", "DOUBLE PRECISION"

TABLES = {
    table.name: table
    for table in (
        Table("store_format", {"version": "INTEGER NOT NULL"}, ("version",)),
        Table(
            "runs",
            {
                "run": "BIGINT NOT NULL",
                "venue": "VARCHAR NOT NULL",
                "symbol": "VARCHAR NOT NULL",
                "url": _TEXT,
                "interval_ns": _BIG,
                "started_ns": "BIGINT NOT NULL",
                "ended_ns": _BIG,
                "ending": _TEXT,
                "skew_ns": _BIG,
            },
            ("run",),
        ),
        Table(
            "batches",
            {
                "run": "BIGINT NOT NULL",
                "batch": "BIGINT NOT NULL",
                "first_sequence": _BIG,
                "last_sequence": _BIG,
                "ticks": "BIGINT NOT NULL",
                "first_ns": _BIG,
                "last_ns": _BIG,
                "written_ns": "BIGINT NOT NULL",
            },
            ("run", "batch"),
        ),
        Table(
            "ticks",
            {
                "run": "BIGINT NOT NULL",
                "sequence": "BIGINT NOT NULL",
                "kind": "VARCHAR NOT NULL",
                "received_ns": "BIGINT NOT NULL",
                "time_ns": "BIGINT NOT NULL",
                "exchange_ms": _BIG,
                "first_id": _BIG,
                "last_id": _BIG,
                "previous_id": _BIG,
                "price": _REAL,
                "quantity": _REAL,
                "side": _TEXT,
                "bid": _REAL,
                "bid_size": _REAL,
                "ask": _REAL,
                "ask_size": _REAL,
                "payload": _TEXT,
            },
            ("run", "sequence"),
            long=True,
            indices=(("run", "time_ns"),),
        ),
        Table(
            "bars",
            {
                "run": "BIGINT NOT NULL",
                "start_ns": "BIGINT NOT NULL",
                "interval_ns": "BIGINT NOT NULL",
                "open": _REAL,
                "high": _REAL,
                "low": _REAL,
                "close": _REAL,
                "volume": _REAL,
                "trades": _BIG,
                "quotes": _BIG,
                "spread": _REAL,
                "imbalance": _REAL,
                "skew_ns": _BIG,
                "complete": "BOOLEAN NOT NULL",
                # Last, as where a migration puts them: the order is the same in old stores and new ones.
                "bid": _REAL,
                "bid_size": _REAL,
                "ask": _REAL,
                "ask_size": _REAL,
            },
            ("run", "interval_ns", "start_ns"),
        ),
        Table(
            "incidents",
            {
                "run": "BIGINT NOT NULL",
                "number": "BIGINT NOT NULL",
                "received_ns": "BIGINT NOT NULL",
                "sequence": "BIGINT NOT NULL",
                "kind": "VARCHAR NOT NULL",
                "detail": _TEXT,
            },
            ("run", "number"),
        ),
    )
}

#: What brings a store of a version to the next one.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: tuple(f"ALTER TABLE bars ADD COLUMN {name} {_REAL}" for name in ("bid", "bid_size", "ask", "ask_size")),
    2: (f"ALTER TABLE runs ADD COLUMN IF NOT EXISTS skew_ns {_BIG}",),
}

_GETTERS: dict[type, Any] = {kind: attrgetter(*kind.__dataclass_fields__) for kind in (Tick, Bar, Incident)}


def rows(run: int, items: Sequence[Tick] | Sequence[Bar] | Sequence[Incident]) -> list[tuple[Any, ...]]:
    """Rows as the tables have them."""
    if not items:
        return []
    values = _GETTERS[type(items[0])]
    return [(run, *values(item)) for item in items]

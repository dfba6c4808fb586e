"""A store of ticks: what is written and asked, in one place; databases differ in how they connect, load rows and take part in a transaction."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from lobgym.live.errors import StoreError
from lobgym.live.store.schema import MIGRATIONS, SCHEMA_VERSION, TABLES, Bar, Incident, Table, Tick, rows

__all__ = ["Batch", "Store"]

_Result = TypeVar("_Result")


@dataclass
class Batch:
    """What is written at once: all of it or nothing."""

    run: int
    number: int
    ticks: list[Tick] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)


class Store(ABC):
    """A database with the tables of :mod:`lobgym.live.store.schema`. Serves one thread at a time.

    Placeholders in statements are ``%s``.
    """

    #: What messages call it: without a password.
    name: str

    # What databases do differently.

    @abstractmethod
    def connect(self) -> None:
        """Opens the database, anew if it is open. Raises :class:`StoreError` if that fails."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the database; harmless if it is closed."""

    @abstractmethod
    def abandon(self) -> None:
        """Forgets the database without a word to it, as another thread hangs in it; closed from now on."""

    def hurry(self) -> None:
        """Has the database itself give up what takes it too long in this transaction, where it can."""
        return

    @abstractmethod
    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""

    @abstractmethod
    def load(self, table: Table, values: list[tuple[Any, ...]]) -> None:
        """Inserts rows, fast."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside take effect together at its end, or none does."""

    @abstractmethod
    def failure(self, error: Exception) -> str | None:
        """The first line of what the database says went wrong; ``None`` if ``error`` is not one of its own."""

    @abstractmethod
    def export(self, table: Table, condition: str, values: Sequence[Any], target: Path) -> int:
        """Writes the rows of a table for which ``condition`` holds into a Parquet file, whole or not at all. Returns their number."""

    #: Whether tables with a row a message get a key and indices.
    index_long: bool

    #: What puts ticks in order. Their times never go back in a run, so that time before the number is the same order.
    tick_order = "run, sequence"

    # What is the same in all.

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _guarded(self, what: str, action: Callable[[], _Result]) -> _Result:
        """What ``action`` returns; errors of the database become a :class:`StoreError` that names the store."""
        try:
            return action()
        except StoreError:
            raise
        except Exception as error:
            reason = self.failure(error)
            if reason is None:
                raise
            raise StoreError(f"{what} {self.name}: {reason}") from error

    def prepare(self) -> None:
        """Makes what tables are missing, and brings an older schema to this version, all at once or not at all."""

        def make() -> None:
            with self.transaction():
                for table in TABLES.values():
                    self.execute(table.create(index_long=self.index_long))
                    for columns in table.indices if self.index_long else ():
                        name = "_".join((table.name, *columns))
                        self.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({', '.join(columns)})")
                versions = self.execute("SELECT version FROM store_format")
                if not versions:
                    self.execute("INSERT INTO store_format VALUES (%s)", (SCHEMA_VERSION,))
                    return
                found = int(versions[0][0])
                if not min(MIGRATIONS) <= found <= SCHEMA_VERSION:
                    raise self._other_version(found)
                for version in range(found, SCHEMA_VERSION):
                    for statement in MIGRATIONS[version]:
                        self.execute(statement)
                if found < SCHEMA_VERSION:
                    self.execute("UPDATE store_format SET version = %s", (SCHEMA_VERSION,))

        self._guarded("cannot prepare", make)

    def check(self) -> None:
        """Checks the version of a store that is only read."""
        versions = self._guarded("cannot read the version of", lambda: self.execute("SELECT version FROM store_format"))
        found = int(versions[0][0]) if versions else 0
        if found != SCHEMA_VERSION:
            raise self._other_version(found)

    def _other_version(self, found: int) -> StoreError:
        advice = "; `lobgym store upgrade` brings it to that, as does collecting into it" if found in MIGRATIONS else ""
        return StoreError(f"{self.name} has a schema of version {found}; legal: {SCHEMA_VERSION}{advice}")

    def begin_run(self, venue: str, symbol: str, url: str, interval_ns: int) -> int:
        """Notes that a collection begins. Returns its number."""

        def begin() -> int:
            with self.transaction():
                run = int(self.execute("SELECT coalesce(max(run), 0) + 1 FROM runs")[0][0])
                self.execute(
                    "INSERT INTO runs VALUES (%s, %s, %s, %s, %s, %s, NULL, NULL, NULL)",
                    (run, venue, symbol, url, interval_ns, time.time_ns()),
                )
            return run

        for attempt in range(5):
            try:
                return self._guarded("cannot begin a run in", begin)
            except StoreError:
                # Another collector may have taken the number.
                if attempt == 4:
                    raise
                time.sleep(0.05 * (attempt + 1))
        raise AssertionError("unreachable")

    def end_run(self, run: int, ending: str, skew_ns: int | None = None) -> None:
        """Notes that a collection ended, why, and the smallest skew of its stamps. A run without an ending was killed."""

        def end() -> None:
            with self.transaction():
                self.hurry()
                self.execute(
                    "UPDATE runs SET ended_ns = %s, ending = %s, skew_ns = %s WHERE run = %s",
                    (time.time_ns(), ending, skew_ns, run),
                )

        self._guarded("cannot end a run in", end)

    def write(self, batch: Batch) -> bool:
        """Writes a batch in one transaction. Returns False if it is there already: its commit came through, but not the word of it."""

        def write() -> bool:
            with self.transaction():
                self.hurry()
                key = (batch.run, batch.number)
                if self.execute("SELECT 1 FROM batches WHERE run = %s AND batch = %s", key):
                    return False
                ticks = batch.ticks
                first, last = (ticks[0], ticks[-1]) if ticks else (None, None)
                self.execute(
                    "INSERT INTO batches VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        *key,
                        first and first.sequence,
                        last and last.sequence,
                        len(ticks),
                        first and first.time_ns,
                        last and last.time_ns,
                        time.time_ns(),
                    ),
                )
                for name, items in (("ticks", ticks), ("bars", batch.bars), ("incidents", batch.incidents)):
                    if items:
                        self.load(TABLES[name], rows(batch.run, items))
            return True

        return self._guarded("cannot write to", write)

    def _condition(
        self, venue: str | None, symbol: str | None, column: str, start_ns: int | None, end_ns: int | None
    ) -> tuple[str, list[Any]]:
        """A condition for rows of a venue and symbol, ``start_ns`` <= time < ``end_ns``; runs first, there being few."""
        chosen, values = ["1 = 1"], []
        for name, value in (("venue", venue), ("symbol", symbol)):
            if value is not None:
                chosen.append(f"{name} = %s")
                values.append(value)
        runs = [int(row[0]) for row in self.execute(f"SELECT run FROM runs WHERE {' AND '.join(chosen)}", values)]
        if not runs:
            return "1 = 0", []
        condition = f"run IN ({', '.join(map(str, runs))})"
        bounds: list[Any] = []
        for sign, bound in ((">=", start_ns), ("<", end_ns)):
            if bound is not None:
                condition += f" AND {column} {sign} %s"
                bounds.append(bound)
        return condition, bounds

    def columns(self, statement: str, values: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
        """What a statement gives as arrays, masked where there is nothing."""
        found = self.execute(statement, values)
        arrays: dict[str, Any] = {}
        for name, column in zip(names, zip(*found, strict=True) if found else ((),) * len(names), strict=True):
            given = next((value for value in column if value is not None), None)
            kind = "f8" if isinstance(given, float) else "i8" if isinstance(given, int) else object
            if None in column:
                missing = [value is None for value in column]
                array = np.array([given if value is None else value for value in column], dtype=kind)
                arrays[name] = np.ma.array(array, mask=missing)
            else:
                arrays[name] = np.array(column, dtype=kind)
        return arrays

    def tick_columns(
        self,
        venue: str,
        symbol: str,
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Ticks of ``start_ns`` <= ``time_ns`` < ``end_ns`` as NumPy arrays by column, masked where a kind has no value; in order.

        ``names``: columns of the table ``ticks``; all but the messages' texts if not given.
        """
        legal = TABLES["ticks"].columns
        chosen = [name for name in legal if name != "payload"] if names is None else list(names)
        for name in chosen:
            if name not in legal:
                raise StoreError(f"column is {name!r}; legal: {', '.join(legal)}")

        def query() -> dict[str, Any]:
            condition, bounds = self._condition(venue, symbol, "time_ns", start_ns, end_ns)
            statement = f"SELECT {', '.join(chosen)} FROM ticks WHERE {condition} ORDER BY {self.tick_order}"
            return self.columns(statement, bounds, chosen)

        return self._guarded("cannot read", query)

    def _range(
        self, table: Table, column: str, order: str, venue: str, symbol: str, *more: Any
    ) -> list[tuple[Any, ...]]:
        start_ns, end_ns, extra, values = more

        def query() -> list[tuple[Any, ...]]:
            condition, bounds = self._condition(venue, symbol, column, start_ns, end_ns)
            columns = ", ".join(table.columns)
            return self.execute(
                f"SELECT {columns} FROM {table.name} WHERE {condition}{extra} ORDER BY {order}", [*bounds, *values]
            )

        return self._guarded("cannot read", query)

    def ticks(
        self,
        venue: str,
        symbol: str,
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        kinds: Sequence[str] = (),
    ) -> Iterator[tuple[int, Tick]]:
        """Each run with its ticks of ``start_ns`` <= ``time_ns`` < ``end_ns``, in the order in which they came."""
        extra = f" AND kind IN ({', '.join(['%s'] * len(kinds))})" if kinds else ""
        found = self._range(TABLES["ticks"], "time_ns", self.tick_order, venue, symbol, start_ns, end_ns, extra, kinds)
        return ((row[0], Tick(*row[1:])) for row in found)

    def bars(
        self, venue: str, symbol: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[tuple[int, Bar]]:
        """Each run with its bars of ``start_ns`` <= beginning < ``end_ns``."""
        found = self._range(TABLES["bars"], "start_ns", "run, start_ns", venue, symbol, start_ns, end_ns, "", ())
        return ((row[0], Bar(*row[1:])) for row in found)

    def incidents(self, run: int) -> list[Incident]:
        """What happened in a run besides messages, in order."""

        def query() -> list[Incident]:
            columns = ", ".join(list(TABLES["incidents"].columns)[1:])
            found = self.execute(f"SELECT {columns} FROM incidents WHERE run = %s ORDER BY number", (run,))
            return [Incident(*row) for row in found]

        return self._guarded("cannot read", query)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, with how many ticks each has and of what span."""

        def query() -> list[dict[str, Any]]:
            names = [*TABLES["runs"].columns, "ticks", "batches", "first_ns", "last_ns"]
            columns = ", ".join(f"r.{name}" for name in TABLES["runs"].columns)
            found = self.execute(
                f"SELECT {columns}, coalesce(sum(b.ticks), 0), count(b.batch), min(b.first_ns), max(b.last_ns) "
                f"FROM runs r LEFT JOIN batches b ON b.run = r.run GROUP BY {columns} ORDER BY r.run"
            )
            return [dict(zip(names, row, strict=True)) for row in found]

        return self._guarded("cannot read", query)

    def export_parquet(
        self,
        table: str,
        target: Path,
        *,
        venue: str | None = None,
        symbol: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> int:
        """Writes ``ticks``, ``bars`` or another table with runs as Parquet, whole or not at all. Returns the number of rows."""
        legal = [name for name, layout in TABLES.items() if "run" in layout.columns]
        if table not in legal:
            raise StoreError(f"table is {table!r}; legal: {', '.join(legal)}")
        columns = TABLES[table].columns
        clock = next(
            (name for name in ("time_ns", "start_ns", "received_ns", "started_ns", "first_ns") if name in columns), ""
        )

        def write() -> int:
            condition, values = self._condition(venue, symbol, clock, start_ns, end_ns)
            return self.export(TABLES[table], condition, values, target)

        try:
            return self._guarded("cannot export from", write)
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror or error}") from error

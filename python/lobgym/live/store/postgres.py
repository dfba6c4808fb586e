"""The store in a server: PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import conninfo
from psycopg.adapt import Loader
from psycopg.pq import Format

from lobgym.live.errors import StoreError
from lobgym.live.store.base import Store
from lobgym.live.store.schema import TABLES, Table

__all__ = ["PostgresStore"]

#: Rows that an export has in memory.
_CHUNK = 100_000

#: A server that has gone without a word (a cable, a firewall, a machine that froze) is noticed within half a minute, for the kernel would
#: wait a quarter of an hour for its acknowledgements, and for ever for its answer. What a URL says of these goes before.
_NETWORK = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}

#: Milliseconds that a statement of a collection may take a server that still speaks: another one's lock, for instance.
_STATEMENT_MS = 30_000

#: What two processes that make the tables at once wait for.
_LOCK = 0x6C6F6267796D

#: Words that are sent as their places here, two bytes each; other columns of text have any.
_WORDS = {"kind": ("depth", "best", "trade", "snapshot", "gap"), "side": ("buy", "sell")}
#: A number that no row has, for the one that a row has not.
_NOTHING = -(2**63)


class _Untouched(Loader):
    """Hands bytes over as they come."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)


def _place(name: str) -> tuple[str, str] | None:
    """How a column of ``ticks`` is sent in a place of fixed width: its SQL, and the type that NumPy reads it as. ``None``: it is not."""
    if words := _WORDS.get(name):
        cases = " ".join(f"WHEN '{word}' THEN {place}" for place, word in enumerate(words))
        return f"int2send((CASE {name} {cases} ELSE CASE WHEN {name} IS NULL THEN -1 ELSE -2 END END)::smallint)", ">i2"
    kind = TABLES["ticks"].columns[name]
    if kind.startswith("BIGINT"):
        return f"int8send({name if kind.endswith('NOT NULL') else f'coalesce({name}, ({_NOTHING})::bigint)'})", ">i8"
    if kind == "DOUBLE PRECISION":
        return f"float8send(coalesce({name}, 'NaN'))", ">f8"
    return None


def _joined(parts: list[str]) -> str:
    """The parts one after the other: in a tree, so that long ones are copied seldom."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_joined(parts[:half])} || {_joined(parts[half:])})"


def _array(name: str, sent: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A column as it is handed out, masked where a row has nothing."""
    if not len(sent):
        return np.array((), dtype=object)
    values: np.ndarray[Any, Any]
    if words := _WORDS.get(name):
        values, mask = np.array([*words, None], dtype=object)[sent], sent == -1
    else:
        values = sent.astype(sent.dtype.newbyteorder("="))
        mask = np.isnan(values) if values.dtype.kind == "f" else values == _NOTHING
    if mask.all():
        values = np.full(len(sent), None, dtype=object)
    return np.ma.array(values, mask=mask) if mask.any() else values


class PostgresStore(Store):
    """A PostgreSQL database; several collectors may write to it."""

    index_long = True
    # As the index over times has them: sorting an hour of ticks takes seconds.
    tick_order = "run, time_ns, sequence"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise StoreError(f"the URL of the store cannot be read: {error}") from None
        host, database = parts.get("host", "localhost"), parts.get("dbname", "")
        self._parts = {**_NETWORK, **parts}
        self.name, self.read_only = f"postgresql://{host}/{database}", read_only
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self.connect()
        try:
            if read_only:
                self.check()
            else:
                self.prepare()
        except BaseException:
            self.close()
            raise

    def connect(self) -> None:
        """Opens the database, anew if it is open."""
        self.close()
        try:
            connection = psycopg.connect(conninfo.make_conninfo("", **self._parts), autocommit=True)
            # Starting workers, or compiling a query, takes longer than reading a range.
            connection.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
            connection.read_only = self.read_only
            self._connection = connection
        except psycopg.Error as error:
            raise StoreError(f"cannot connect to {self.name}: {self.failure(error)}") from error

    def close(self) -> None:
        """Lets go of the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Forgets the database; the thread that is in it lets go of it."""
        self._connection = None

    def hurry(self) -> None:
        """Has the server give up a statement of this transaction that takes too long."""
        self.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MS}")

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            raise StoreError(f"{self.name} is closed")
        return self._connection

    def prepare(self) -> None:
        """Makes what tables are missing."""
        # CREATE TABLE IF NOT EXISTS is not safe against another one at the same moment.
        self._guarded("cannot lock", lambda: self.execute("SELECT pg_advisory_lock(%s)", (_LOCK,)))
        try:
            super().prepare()
        finally:
            self._guarded("cannot unlock", lambda: self.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,)))

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        done = self._open().execute(statement.encode(), tuple(values), binary=True)
        return done.fetchall() if done.description else []

    def columns(self, statement: str, values: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
        """What a statement about ticks gives as arrays, masked where there is nothing.

        The server packs all rows into one value, each as wide as the others: no object is made of a number, here or there.
        """
        places = [_place(name) for name in names]
        known = [place for place in places if place is not None]
        if not known or len(known) < len(places):
            # Texts of any length.
            return super().columns(statement, values, names)
        with self._open().cursor(binary=True) as cursor:
            cursor.adapters.register_loader("bytea", _Untouched)
            query = f"SELECT string_agg({_joined([sql for sql, _ in known])}, '') FROM ({statement}) AS found"
            ((data,),) = cursor.execute(query.encode(), tuple(values)).fetchall()
        layout = np.dtype([(name, kind) for name, (_, kind) in zip(names, known, strict=True)])
        table = np.frombuffer(data or b"", layout)
        if any((table[name] == -2).any() for name in names if name in _WORDS):
            return super().columns(statement, values, names)
        return {name: _array(name, table[name]) for name in names}

    def load(self, table: Table, values: list[tuple[Any, ...]]) -> None:
        """Inserts rows."""
        copy = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN"
        with self._open().cursor() as cursor, cursor.copy(copy.encode()) as stream:
            for row in values:
                stream.write_row(row)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is inside."""
        with self._open().transaction():
            yield

    def failure(self, error: Exception) -> str | None:
        """What the database says went wrong."""
        return str(error).split("\n", 1)[0] if isinstance(error, psycopg.Error) else None

    def export(self, table: Table, condition: str, values: Sequence[Any], target: Path) -> int:
        """Writes rows into a Parquet file."""
        import duckdb

        from lobgym.live.store.duck import DuckStore, copy_to_parquet

        query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {condition} ORDER BY {', '.join(table.key)}"
        with tempfile.TemporaryDirectory(prefix="lobgym-export-") as directory:
            connection = self._open()
            store = DuckStore(Path(directory) / "export.duckdb")
            with store, connection.transaction(), connection.cursor("export") as cursor:
                cursor.execute(query.encode(), tuple(values))
                while chunk := cursor.fetchmany(_CHUNK):
                    store.load(table, chunk)
                store.close()
            with duckdb.connect(str(store.path), read_only=True) as copied:
                return copy_to_parquet(
                    copied, f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}", (), target
                )

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

#: What two processes that make the tables at once wait for.
_LOCK = 0x6C6F6267796D

#: Columns of numbers: the SQL of what stands for nothing in them, which no row has, and NumPy's type as the server sends it.
_MISSING = {
    "BIGINT": (f"({-(2**63)})::bigint", np.dtype([("length", ">i4"), ("value", ">i8")])),
    "DOUBLE PRECISION": ("'NaN'::double precision", np.dtype([("length", ">i4"), ("value", ">f8")])),
}
#: Bytes before the first value of a one-dimensional array as the server sends it: dimensions, flag, type, length, first index.
_ARRAY_HEADER = 20


class _Untouched(Loader):
    """Hands an array of numbers over as it comes."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)


def _missing(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    mask: np.ndarray[Any, Any] = np.isnan(values) if values.dtype.kind == "f" else values == -(2**63)
    return mask


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
        self._url, self.name, self.read_only = url, f"postgresql://{host}/{database}", read_only
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
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
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
        """What a statement about ticks gives as arrays, masked where there is nothing. The server packs each column: no object is made of a number."""
        kinds = [TABLES["ticks"].columns[name].removesuffix(" NOT NULL") for name in names]
        packed = [
            f"array_agg(coalesce({name}, {_MISSING[kind][0]}))" if kind in _MISSING else f"array_agg({name})"
            for name, kind in zip(names, kinds, strict=True)
        ]
        with self._open().cursor(binary=True) as cursor:
            for kind in ("int8", "float8"):
                cursor.adapters.register_loader(cursor.adapters.types[kind].array_oid, _Untouched)
            query = f"SELECT {', '.join(packed)} FROM ({statement}) AS found"
            (row,) = cursor.execute(query.encode(), tuple(values)).fetchall()
        found: dict[str, Any] = {}
        for name, kind, data in zip(names, kinds, row, strict=True):
            if data is None:
                found[name] = np.array((), dtype=object)
            elif kind in _MISSING:
                column = np.frombuffer(data, _MISSING[kind][1], offset=_ARRAY_HEADER)["value"]
                column = column.astype(column.dtype.newbyteorder("="))
                mask = _missing(column)
                if mask.all():
                    found[name] = np.ma.array(np.full(len(column), None, dtype=object), mask=mask)
                else:
                    found[name] = np.ma.array(column, mask=mask) if mask.any() else column
            else:
                column = np.array(data, dtype=object)
                mask = np.array([value is None for value in data])
                found[name] = np.ma.array(column, mask=mask) if mask.any() else column
        return found

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

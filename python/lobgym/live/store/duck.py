"""The store in a file: DuckDB."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from lobgym.live.errors import StoreError
from lobgym.live.store.base import Store
from lobgym.live.store.schema import Table

__all__ = ["DuckStore", "copy_to_parquet"]


def copy_to_parquet(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any], target: Path) -> int:
    """Writes what a query gives into a Parquet file, which appears whole or not at all. Returns the number of rows."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    quoted = str(part).replace("'", "''")
    try:
        done = connection.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)", list(values))
        count = done.fetchone()
        os.replace(part, target)
    except duckdb.IOException as error:
        reason = str(error).split("\n", 1)[0]
        raise StoreError(f"cannot write {target}: {reason}") from error
    finally:
        part.unlink(missing_ok=True)
    return int(count[0]) if count else 0


def _column(name: str, values: tuple[Any, ...], kind: str, columns: dict[str, Any]) -> str:
    """Adds a column as DuckDB takes it over fastest. Returns the expression that gives it.

    Plain arrays only, with what is missing beside them: not every version looks at the masks of masked ones.
    """
    if not kind.startswith(("BIGINT", "INTEGER", "DOUBLE")):
        columns[name] = np.array(values, dtype=bool if kind.startswith("BOOLEAN") else object)
        return name
    number = "f8" if kind.startswith("DOUBLE") else "i8"
    if None not in values:
        columns[name] = np.array(values, dtype=number)
        return name
    missing = np.array([value is None for value in values])
    if missing.all():
        return "NULL"
    columns[name] = np.array([0 if value is None else value for value in values], dtype=number)
    columns[f"{name}_missing"] = missing
    return f"CASE WHEN {name}_missing THEN NULL ELSE {name} END"


class DuckStore(Store):
    """A DuckDB file, which one process has open for writing, or several for reading.

    What was committed survives a killed process: it is in the write-ahead log beside the file, which the next one to open it takes over.
    """

    index_long = False

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.name, self.read_only = path, str(path), read_only
        self._connection: duckdb.DuckDBPyConnection | None = None
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
        if self.read_only and not self.path.exists():
            raise StoreError(f"there is no store {self.path}: `lobgym collect --store {self.path}` makes it")
        try:
            self._connection = duckdb.connect(str(self.path), read_only=self.read_only)
        except duckdb.Error as error:
            hint = ": another process has it open; stop it first" if "lock" in str(error).lower() else ""
            raise StoreError(f"cannot open {self.path}: {self.failure(error)}{hint}") from error

    def close(self) -> None:
        """Lets go of the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # What it cannot write now was never committed.
            with contextlib.suppress(duckdb.Error):
                connection.close()

    def abandon(self) -> None:
        """Forgets the database; the thread that is in it lets go of it."""
        self._connection = None

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise StoreError(f"{self.path} is closed")
        return self._connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        done = self._open().execute(statement.replace("%s", "?"), list(values))
        return done.fetchall() if done.description else []

    def columns(self, statement: str, values: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
        """What a statement gives as arrays."""
        found: dict[str, Any] = self._open().execute(statement.replace("%s", "?"), list(values)).fetchnumpy()
        return {name: found[name] for name in names}

    def load(self, table: Table, values: list[tuple[Any, ...]]) -> None:
        """Inserts rows."""
        columns: dict[str, Any] = {}
        loaded = [
            _column(name, column, kind, columns)
            for (name, kind), column in zip(table.columns.items(), zip(*values, strict=True), strict=True)
        ]
        connection = self._open()
        connection.register("loaded_columns", columns)
        try:
            connection.execute(f"INSERT INTO {table.name} SELECT {', '.join(loaded)} FROM loaded_columns")
        finally:
            connection.unregister("loaded_columns")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is inside."""
        connection = self._open()
        connection.execute("BEGIN")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # The transaction may be gone already.
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise

    def failure(self, error: Exception) -> str | None:
        """What the database says went wrong."""
        return str(error).split("\n", 1)[0] if isinstance(error, duckdb.Error) else None

    def export(self, table: Table, condition: str, values: Sequence[Any], target: Path) -> int:
        """Writes rows into a Parquet file."""
        query = f"SELECT * FROM {table.name} WHERE {condition} ORDER BY {', '.join(table.key)}".replace("%s", "?")
        return copy_to_parquet(self._open(), query, values, target)

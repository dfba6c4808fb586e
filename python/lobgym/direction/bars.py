"""Bars in CSV and Parquet files, and what features see of them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["COLUMN", "DirectionError", "inputs", "number", "read_bars", "write_bars"]

#: What the probabilities' column is called.
COLUMN = "up_probability"

#: The numbers of a tick, by the columns of bars.
_NAMES = {name: name for name in ("open", "high", "low", "close", "volume", "session")} | {
    "bid_price": "bid",
    "bid_size": "bid_size",
    "ask_price": "ask",
    "ask_size": "ask_size",
}

#: What columns of stamps are called, the likeliest first, as for a trader's bars.
_TIMES = ("start_ns", "time_ns", "time", "timestamp", "datetime", "date", "open_time")

_Array = npt.NDArray[np.float64]


class DirectionError(ValueError):
    """Bars, settings or files that cannot be used; the message names what, with its value and what is legal."""


def number(name: str, value: float, least: float, *, whole: bool = True) -> None:
    """Checks that a setting is a number from ``least`` on."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not (is_whole if whole else isinstance(value, (int, float))) or not least <= value < float("inf"):
        raise DirectionError(f"{name} is {value!r}; legal: {'an integer' if whole else 'a number'} >= {least:g}")


def _column(bars: Mapping[str, Any], name: str) -> _Array:
    try:
        values = np.asarray(np.ma.filled(np.ma.asarray(bars[name], dtype=np.float64), np.nan))
    except (TypeError, ValueError) as error:
        raise DirectionError(f"column {name} is not numbers: {error}") from error
    if values.ndim != 1:
        raise DirectionError(f"column {name} has the shape {values.shape}; legal: one dimension")
    return values


def _filled(values: _Array) -> _Array:
    """With the latest known value where there is none; NaN before the first."""
    known = np.where(np.isnan(values), -1, np.arange(len(values)))
    latest = np.maximum.accumulate(known)
    return np.where(latest >= 0, values[np.maximum(latest, 0)], np.nan)


def inputs(bars: Mapping[str, Any], needed: list[str]) -> tuple[dict[str, _Array], int]:
    """What features need of bars, by the names that they have for it, and the first row in which all of it is known.

    Where nothing was traded, the price stands at the last close and the volume is 0; quotes stand until the next one.
    """
    columns = list(bars)
    # Bars without a number of their session are of one.
    needed = [name for name in needed if name != "session" or name in columns]
    lacking = [_NAMES[name] for name in dict.fromkeys(["close", *needed]) if _NAMES[name] not in columns]
    if lacking:
        raise DirectionError(
            f"the bars have no column {', '.join(lacking)}, which the features need; they have {', '.join(map(str, columns))}"
        )
    found = {name: _column(bars, _NAMES[name]) for name in dict.fromkeys(["close", *needed])}
    if len({len(values) for values in found.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(values)}" for name, values in found.items())
        raise DirectionError(f"columns differ in length ({lengths})")
    close = _filled(found["close"])
    for name, values in found.items():
        if name in ("open", "high", "low", "close"):
            found[name] = np.where(np.isnan(values), close, values)
        elif name == "volume":
            found[name] = np.where(np.isnan(values), 0.0, values)
        else:
            found[name] = _filled(values)
    known = ~np.any([np.isnan(values) for values in found.values()], axis=0)
    return found, int(np.argmax(known)) if known.any() else len(known)


def _duckdb() -> Any:
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        raise ImportError(f"reading bars needs {error.name}: pip install 'lobgym[xgboost]'") from error


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DirectionError(f"{path} has the ending {suffix!r}; legal: .csv, .parquet")
    return suffix[1:]


def _source(path: Path, *, text: bool) -> str:
    quoted = str(path).replace("'", "''")
    if _kind(path) == "parquet":
        return f"read_parquet('{quoted}')"
    return f"read_csv('{quoted}', header=true, delim=',', all_varchar={str(text).lower()}, sample_size=-1)"


def _open(path: Path, *, text: bool) -> Any:
    """A database with the file's rows in the table ``bars``, in their order."""
    duckdb = _duckdb()
    if not path.is_file():
        raise DirectionError(f"there is no file {path}")
    connection = duckdb.connect()
    try:
        connection.execute(f"CREATE TABLE bars AS SELECT * FROM {_source(path, text=text)}")
    except duckdb.Error as error:
        connection.close()
        reason = str(error).split("\n", 1)[0]
        raise DirectionError(f"cannot read {path}: {reason}") from error
    return connection


def _number_of_rows(connection: Any) -> int:
    return int(connection.execute("SELECT count(*) FROM bars").fetchone()[0])


def read_bars(path: str | os.PathLike[str]) -> dict[str, _Array]:
    """The columns of numbers in a CSV file (with a header) or a Parquet file, NaN where there is none.

    Raises:
        DirectionError: If the file cannot be read, has bars of several symbols or intervals, or is not in order of time, each stamp once.

    """
    file = Path(path)
    with _open(file, text=_kind(file) == "csv") as connection:
        names = [row[0] for row in connection.execute("SELECT column_name FROM (DESCRIBE bars)").fetchall()]
        for name in ("venue", "symbol", "interval_ns"):
            if name in names:
                several = connection.execute(f'SELECT DISTINCT "{name}" FROM bars ORDER BY 1 LIMIT 5').fetchall()
                if len(several) > 1:
                    shown = ", ".join(str(row[0]) for row in several)
                    raise DirectionError(f"{file} has bars of several in the column {name} ({shown}); legal: one")
        _check_order(file, connection, names)
        quoted = {name: '"' + name.replace('"', '""') + '"' for name in names}
        # Texts that are not numbers (a venue, a time as text) make no column; those among numbers are wrong.
        casts = ", ".join(f"TRY_CAST({each} AS DOUBLE)" for each in quoted.values())
        found = connection.execute(f"SELECT {casts} FROM bars").fetchnumpy() if names else {}
        texts = connection.execute(
            f"SELECT {', '.join(f'count({each})' for each in quoted.values()) or 0} FROM bars"
        ).fetchone()
        bars: dict[str, _Array] = {}
        for name, values, given in zip(names, found.values(), texts, strict=True):
            column = np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan))
            numbers = np.ma.count(values) if np.ma.isMaskedArray(values) else len(values)
            if numbers == given:
                bars[name] = column
            elif numbers and name in _NAMES.values():
                row = connection.execute(
                    f"SELECT {quoted[name]} FROM bars WHERE {quoted[name]} IS NOT NULL AND TRY_CAST({quoted[name]} AS DOUBLE) IS NULL LIMIT 1"
                ).fetchone()
                raise DirectionError(f"{file} has {row[0]!r} in the column {name}; legal: numbers")
    return bars


def _check_order(file: Path, connection: Any, names: list[str]) -> None:
    """Stamps ascend, each once, as a trader has them; numbers and times as text alike."""
    name = next((each for time in _TIMES for each in names if each.lower() == time), None)
    if name is None:
        return
    column = '"' + name.replace('"', '""') + '"'
    for kind in ("DECIMAL(38, 9)", "TIMESTAMP_NS"):
        stamps = f"SELECT rowid AS place, {column} AS stamp, TRY_CAST({column} AS {kind}) AS time FROM bars"
        if connection.execute(f"SELECT count(*) FROM ({stamps}) WHERE time IS NULL").fetchone()[0]:
            continue
        pairs = f"SELECT *, lag(time) OVER (ORDER BY place) AS last, lag(stamp) OVER (ORDER BY place) AS before FROM ({stamps})"
        row = connection.execute(
            f"SELECT place, stamp, before FROM ({pairs}) WHERE time <= last ORDER BY place LIMIT 1"
        ).fetchone()
        if row is not None:
            raise DirectionError(
                f"{file} is not in order of time at row {row[0] + 1} (column {name}: {row[1]} after {row[2]}); legal: ascending, each once"
            )
        return


def write_bars(
    source: str | os.PathLike[str], target: str | os.PathLike[str], probabilities: npt.NDArray[np.float64]
) -> None:
    """Writes the bars of a file with the column ``up_probability`` besides, empty where it is NaN; whole or not at all.

    From CSV to CSV every other cell stays as it is. A column of that name that was there is replaced.

    Raises:
        DirectionError: If a file cannot be read or written.

    """
    before, after = Path(source), Path(target)
    kinds = _kind(before), _kind(after)
    part = after.with_name(f".{after.name}.{os.getpid()}.part")
    quoted = str(part).replace("'", "''")
    layout = "FORMAT parquet, COMPRESSION zstd" if kinds[1] == "parquet" else "FORMAT csv, HEADER, COMPRESSION none"
    with _open(before, text=kinds == ("csv", "csv")) as connection:
        count = _number_of_rows(connection)
        if count < len(probabilities):
            raise DirectionError(f"{before} has {count} bars now; legal: {len(probabilities)} or more, as there were")
        names = [row[0] for row in connection.execute("SELECT column_name FROM (DESCRIBE bars)").fetchall()]
        chosen = "* EXCLUDE up_probability" if COLUMN in names else "*"
        # A file that is collected into may have grown.
        column = np.full(count, np.nan)
        column[: len(probabilities)] = probabilities
        connection.register("found", {"p": column})
        query = (
            f"SELECT b.*, CASE WHEN isnan(f.p) THEN NULL ELSE f.p END AS {COLUMN} FROM (SELECT {chosen} FROM bars) b "
            "POSITIONAL JOIN found f"
        )
        try:
            connection.execute(f"COPY ({query}) TO '{quoted}' ({layout})")
            os.replace(part, after)
        except (_duckdb().Error, OSError) as error:
            reason = str(error).split("\n", 1)[0]
            raise DirectionError(f"cannot write {after}: {reason}") from error
        finally:
            part.unlink(missing_ok=True)

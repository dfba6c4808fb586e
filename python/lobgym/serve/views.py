"""What jobs have made so far, read from the files that they write."""

from __future__ import annotations

import csv
import functools
import json
import math
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lobgym.serve.binary import find_binary
from lobgym.serve.collected import Collected
from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import Job
from lobgym.serve.logs import lines_backwards, position_of
from lobgym.serve.places import Places
from lobgym.serve.settings import Settings

__all__ = ["Views", "bar_rows", "last_metrics", "session_rows"]

Row = dict[str, Any]

#: Seconds for which a session's status is not asked for again, and that asking may take.
_STATUS_AGE, _STATUS_PATIENCE = 1.0, 20.0
_MOST_STATUSES = 64
_SPEAKING = ("true", "false")


def _cell(text: str) -> Any:
    """A number, a truth, a text, or nothing; numbers that JSON has no word for are nothing."""
    if text in ("", "None"):
        return None
    if text.lower() in _SPEAKING:
        return text.lower() == "true"
    if re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else None


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        line = stream.readline(1 << 16)
    return next(csv.reader([line]), []) if line.endswith("\n") else []


def _rows_backwards(path: Path, end: int | None = None) -> Iterator[Row]:
    """Rows of a CSV file with a header, the last one first; those that begin before ``end``, if it is given."""
    try:
        names = _header(path)
    except OSError:
        return
    following = None
    for line in lines_backwards(path, end=end):
        # One late, as the last to come is the header.
        if following is not None:
            cells = next(csv.reader([following]), [])
            if names and len(cells) == len(names):
                yield {name: _cell(cell) for name, cell in zip(names, cells, strict=True)}
        following = line


def bar_rows(path: Path, limit: int, start_ns: int | None = None, end_ns: int | None = None) -> list[Row]:
    """The last bars of a range of time, in their order; its end is not included."""
    if path.suffix == ".parquet":
        return _parquet_rows(path, limit, start_ns, end_ns)
    found: list[Row] = []
    for row in _rows_backwards(path, None if end_ns is None else _position(path, end_ns)):
        if len(found) >= limit:
            break
        time_ns = row.get("start_ns")
        if isinstance(time_ns, int):
            if start_ns is not None and time_ns < start_ns:
                break
            if end_ns is not None and time_ns >= end_ns:
                continue
        found.append(row)
    return found[::-1]


def _position(path: Path, end_ns: int) -> int | None:
    """Where the bars of a moment begin in a file, whose bars are in order of time."""
    try:
        names = _header(path)
        if "start_ns" not in names:
            return None
        column = names.index("start_ns")

        def start(line: str) -> int | None:
            cells = next(csv.reader([line]), [])
            time_ns = _cell(cells[column]) if len(cells) == len(names) else None
            return time_ns if type(time_ns) is int else None

        return position_of(path, end_ns, start)
    except OSError:
        return None


def _parquet_rows(path: Path, limit: int, start_ns: int | None, end_ns: int | None) -> list[Row]:
    import duckdb

    conditions = [("start_ns >= ?", start_ns), ("start_ns < ?", end_ns)]
    chosen = [(text, value) for text, value in conditions if value is not None]
    where = f"WHERE {' AND '.join(text for text, _ in chosen)}" if chosen else ""
    try:
        with duckdb.connect() as connection:
            result = connection.execute(
                f"SELECT * FROM read_parquet(?) {where} ORDER BY start_ns DESC LIMIT ?",
                [str(path), *(value for _, value in chosen), limit],
            )
            names = [column[0] for column in result.description or []]
            rows = result.fetchall()
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise ServeError("bars", path.stem, f"Parquet with a column start_ns ({message})", status=409) from error
    return [{name: _cell(str(value)) for name, value in zip(names, row, strict=True)} for row in rows][::-1]


def session_rows(directory: Path) -> Iterator[Row]:
    """A trading session's bars, the last one first; its settings and its ending are none."""
    for line in lines_backwards(directory / "session.jsonl"):
        try:
            row = json.loads(line, parse_constant=lambda _: None)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row:
            yield row


@functools.lru_cache(maxsize=32)
def _curve(path: Path, _size: int, _changed: int, points: int) -> tuple[list[Row], Row | None]:
    """So many rows of metrics, evenly taken, the last one among them; and that one."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        count = sum(line.endswith("\n") for line in stream) - 1
        stream.seek(0)
        reader = csv.reader(stream)
        names = next(reader, [])
        step = max(1, math.ceil(count / points))
        kept = (row for index, row in enumerate(islice(reader, max(count, 0))) if (count - 1 - index) % step == 0)
        rows = deque(
            (
                {name: _cell(cell) for name, cell in zip(names, row, strict=True)}
                for row in kept
                if len(row) == len(names)
            ),
            maxlen=points,
        )
    return list(rows), (rows[-1] if rows else None)


@functools.lru_cache(maxsize=64)
def _total_steps(config: Path, _changed: int) -> int | None:
    """Of a run's settings: those of the section ``train``, each on a line of its own with two spaces before it."""
    section = config.read_text(encoding="utf-8").partition("\ntrain:\n")[2]
    found = re.search(r"^  steps: ([0-9]+)$", section, re.MULTILINE)
    return int(found[1]) if found else None


def last_metrics(directory: Path) -> Row | None:
    """The last whole row of a run's metrics."""
    return next(_rows_backwards(directory / "metrics.csv"), None)


class Views:
    """Reads what is in a state directory."""

    def __init__(self, settings: Settings, places: Places, collected: Collected) -> None:
        self._settings, self._places, self._collected = settings, places, collected
        self._statuses: dict[str, tuple[float, Row | None]] = {}
        self._asking = threading.Lock()

    def status(self, job: Job, points: int = 0) -> Row:
        """All that every job has, and what its kind has besides."""
        more = {"collection": self._collection, "training": self._training, "trading": self._trading}[job.kind]
        own = more(job, points)
        if job.state == "finished":
            own["progress"] = 1.0
        return {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "reason": job.reason,
            "request": job.request,
            "created": job.created,
            "started": job.started,
            "ended": job.ended,
            "attempts": job.attempt,
            "exit_code": job.exit_code,
        } | own

    def _collection(self, job: Job, points: int) -> Row:
        path = self._places.bars(job.request["store"])
        bars = [] if path is None else bar_rows(path, max(points, 1))
        seconds = job.request["seconds"]
        share = None
        if seconds is not None and job.started is not None:
            share = min(1.0, ((job.ended or time.time()) - job.started) / seconds)
        own = {"latest": bars[-1] if bars else None, "bars": bars[-points:] if points else []}
        return {"progress": share, "bars_written": self._collected.count(job)} | own

    def _training(self, job: Job, points: int) -> Row:
        directory = self._places.inside("runs", job.id)
        curve: list[Row] = []
        latest = total = None
        try:
            if points:
                metrics = (directory / "metrics.csv").stat()
                curve, latest = _curve(directory / "metrics.csv", metrics.st_size, metrics.st_mtime_ns, points)
            else:
                latest = last_metrics(directory)
            config = directory / "config.yaml"
            total = _total_steps(config, config.stat().st_mtime_ns)
        except OSError:
            pass
        steps = None if latest is None else latest.get("steps")
        share = min(1.0, steps / total) if steps is not None and total else None
        return {"progress": share, "latest": latest, "steps": steps, "total_steps": total, "curve": curve}

    def _trading(self, job: Job, points: int) -> Row:
        latest = next(session_rows(self._places.inside("trades", job.id)), None)
        most = job.request["steps"]
        share = min(1.0, latest.get("step", 0) / most) if latest is not None and most else None
        return {"progress": share, "latest": latest, "status": self._asked(job) if points else None}

    def _asked(self, job: Job) -> Row | None:
        """What the command says of a session, at most so old."""
        directory = self._places.inside("trades", job.id)
        if not (directory / "session.jsonl").exists():
            return None
        with self._asking:
            age, status = self._statuses.get(job.id, (0.0, None))
            if time.monotonic() - age < _STATUS_AGE:
                return status
            command = [find_binary(self._settings), "trade", "status", str(directory), "--json"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_STATUS_PATIENCE)
                said = json.loads(done.stdout, parse_constant=lambda _: None) if done.returncode == 0 else None
                status = said if isinstance(said, dict) else None
            except (OSError, ValueError, subprocess.TimeoutExpired):
                status = None
            if len(self._statuses) >= _MOST_STATUSES:
                self._statuses.clear()
            self._statuses[job.id] = (time.monotonic(), status)
            return status

"""The record of jobs: SQLite, each change one transaction that is on the disk before anybody is told of it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lobgym.serve.errors import ServeError

__all__ = ["ACTIVE", "ENDS", "OPEN", "Event", "Job", "Kind", "Ledger", "State"]

Kind = Literal["collection", "training", "trading"]
State = Literal["queued", "running", "stopping", "finished", "failed", "stopped"]

#: A process runs, or should.
ACTIVE: tuple[State, ...] = ("running", "stopping")
#: Not at its end.
OPEN: tuple[State, ...] = ("queued", *ACTIVE)
ENDS: tuple[State, ...] = ("finished", "failed", "stopped")

_VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    request TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    stop_asked REAL,
    attempt INTEGER NOT NULL DEFAULT 0,
    pid INTEGER,
    identity TEXT,
    exit_code INTEGER
);
CREATE INDEX jobs_by_state ON jobs (state, kind);
CREATE TABLE events (
    job TEXT NOT NULL,
    number INTEGER NOT NULL,
    time REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A row of ``jobs``. Times are seconds since 1970."""

    number: int
    id: str
    kind: Kind
    state: State
    reason: str | None
    request: dict[str, Any]
    created: float
    started: float | None
    ended: float | None
    stop_asked: float | None
    #: How often a process has been started for it.
    attempt: int
    pid: int | None
    #: See :func:`lobgym.serve.processes.identity`.
    identity: str | None
    exit_code: int | None

    @property
    def is_open(self) -> bool:
        """Whether it is not at its end yet."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a job's state; numbered 1, 2, 3, ... in each job."""

    number: int
    time: float
    state: State
    reason: str | None


_COLUMNS = ", ".join(Job.__dataclass_fields__)


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(Job.__dataclass_fields__, row, strict=True))
    return Job(**(values | {"request": json.loads(values["request"])}))


class Ledger:
    """Jobs and how they came to be as they are. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        """Opens the file, which is made if there is none.

        Raises:
            ServeError: If it is of another version, or no such file.

        """
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        except sqlite3.Error as error:
            raise ServeError("state", str(path), f"a ledger of jobs, or no file yet ({error})") from error
        if version not in (0, _VERSION):
            raise ServeError("state", str(path), f"a ledger of version {_VERSION}; it is of version {version}")

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def _rows(self, condition: str, values: Iterable[Any] = ()) -> list[Job]:
        with self._lock:
            rows = self._connection.execute(f"SELECT {_COLUMNS} FROM jobs {condition}", tuple(values)).fetchall()
        return [_job(row) for row in rows]

    def accept(self, kind: Kind, request: dict[str, Any], most: int) -> Job | None:
        """A new job in the queue; ``None`` if so many of its kind are not at their end."""
        now = time.time()
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self.count(kind, OPEN) >= most:
                return None
            cursor = self._connection.execute(
                "INSERT INTO jobs (kind, state, request, created) VALUES (?, 'queued', ?, ?)",
                (kind, json.dumps(request), now),
            )
            id = f"{kind}-{cursor.lastrowid}"
            self._connection.execute("UPDATE jobs SET id = ? WHERE number = ?", (id, cursor.lastrowid))
            self._record(id, "queued", None, now)
            return self.job(id)

    def _record(self, id: str, state: State, reason: str | None, now: float) -> None:
        self._connection.execute(
            "INSERT INTO events SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ? FROM events WHERE job = ?",
            (id, now, state, reason, id),
        )

    def change(self, id: str, expected: tuple[State, ...], state: State, reason: str | None, **columns: Any) -> bool:
        """Moves a job on from one of the expected states. ``False``, and nothing is changed, if it is in another by now."""
        columns = {"state": state, "reason": reason} | columns
        now = time.time()
        if state not in OPEN:
            columns.setdefault("ended", now)
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            changed = self._connection.execute(
                f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in columns)} "
                f"WHERE id = ? AND state IN ({', '.join('?' * len(expected))})",
                (*columns.values(), id, *expected),
            ).rowcount
            if changed:
                self._record(id, state, reason, now)
        return bool(changed)

    def note(self, id: str, **columns: Any) -> None:
        """Writes down what is no change of state."""
        with self._lock:
            self._connection.execute(
                f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?", (*columns.values(), id)
            )

    def job(self, id: str) -> Job | None:
        """The job of that name."""
        return next(iter(self._rows("WHERE id = ?", [id])), None)

    def jobs(
        self,
        kind: Kind | None = None,
        states: tuple[State, ...] | None = None,
        *,
        before: int | None = None,
        limit: int = -1,
        oldest_first: bool = False,
    ) -> list[Job]:
        """Jobs of a kind, in some states, numbered below ``before``; the latest first unless told otherwise."""
        conditions, values = ["TRUE"], list[Any]()
        if kind is not None:
            conditions.append("kind = ?")
            values.append(kind)
        if states is not None:
            conditions.append(f"state IN ({', '.join('?' * len(states))})")
            values.extend(states)
        if before is not None:
            conditions.append("number < ?")
            values.append(before)
        order = "ASC" if oldest_first else "DESC"
        return self._rows(f"WHERE {' AND '.join(conditions)} ORDER BY number {order} LIMIT ?", [*values, limit])

    def count(self, kind: Kind, states: tuple[State, ...]) -> int:
        """How many there are."""
        with self._lock:
            (count,) = self._connection.execute(
                f"SELECT count(*) FROM jobs WHERE kind = ? AND state IN ({', '.join('?' * len(states))})",
                (kind, *states),
            ).fetchone()
        return int(count)

    def events(self, id: str, after: int = 0) -> list[Event]:
        """A job's changes, after the one with that number."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, time, state, reason FROM events WHERE job = ? AND number > ? ORDER BY number",
                (id, after),
            ).fetchall()
        return [Event(*row) for row in rows]

"""Bars in a CSV file that grows while they are collected, for what follows them: a line a bar, whole or not at all."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from lobgym.live.errors import CollectError, LiveError
from lobgym.live.store.schema import Bar

__all__ = ["COLUMNS", "BarsFile"]

#: The columns, in order.
COLUMNS = (
    *("start_ns", "open", "high", "low", "close", "volume", "trades", "quotes", "spread", "imbalance"),
    *("bid", "bid_size", "ask", "ask_size", "complete"),
)

_HEADER = (",".join(COLUMNS) + "\n").encode()

#: How much of the end of a file is looked at.
_TAIL = 1 << 16


def _cell(value: Any) -> str:
    """As text: nothing for ``None``; a double as the shortest text that reads back as it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)


class BarsFile:
    """Appends bars to a file, with one write each, so that a reader sees whole lines.

    A file that is there goes on behind its last whole line: what a crash left of another is cut off. A bar that does not begin after the
    last one is there already, and left out. One process writes to a file at a time.

    Raises:
        LiveError: If the file cannot be opened, is something else, has bars of another interval, or another process writes to it.

    """

    def __init__(self, path: Path, interval_ns: int) -> None:
        self.path = path
        #: Bars written, and left out.
        self.written = self.skipped = 0
        #: Where the latest bar begins, of those in the file.
        self.last_ns: int | None = None
        self._size = 0
        self._file: int | None = None
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise LiveError(f"cannot open {path}: {error.strerror or error}") from error
        try:
            self._lock(file)
            self._take_over(file, interval_ns)
        except OSError as error:
            os.close(file)
            raise LiveError(f"cannot go on with {path}: {error.strerror or error}") from error
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def __enter__(self) -> BarsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file; harmless if it is closed. Bars that come later are left out."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _lock(self, file: int) -> None:
        """Keeps other processes from appending to the file; the system lets go of the lock with the process."""
        try:
            import fcntl
        except ImportError:  # Windows has no such lock.
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LiveError(f"another process writes to {self.path}; give another file, or stop it first") from None

    def _take_over(self, file: int, interval_ns: int) -> None:
        size = os.fstat(file).st_size
        # Not by `pread`, which Windows lacks.
        found = os.read(file, len(_HEADER))
        if size < len(_HEADER) and _HEADER.startswith(found):
            # New, or killed before the header was whole.
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            self._write(file, _HEADER)
            return
        if found != _HEADER:
            header = found.split(b"\n", 1)[0].decode(errors="replace")
            raise LiveError(
                f"{self.path} begins with {header[:200]!r}; legal: {_HEADER.decode().strip()!r}; give another file"
            )
        begin = max(size - _TAIL, 0)
        os.lseek(file, begin, os.SEEK_SET)
        tail = os.read(file, size - begin)
        end = tail.rfind(b"\n") + 1
        # The first of them is the header, or cut.
        starts = [self._start(line) for line in tail[:end].splitlines()[1:]]
        if begin and not starts:
            raise LiveError(f"{self.path} has a line of more than {_TAIL} bytes: it is no file of bars")
        if starts:
            self.last_ns = starts[-1]
            self._check_interval(starts, interval_ns)
        self._size = begin + end
        os.ftruncate(file, self._size)
        os.lseek(file, self._size, os.SEEK_SET)

    def _start(self, line: bytes) -> int:
        """Where the bar of a line begins."""
        first, *others = line.split(b",")
        if not first.isdigit() or len(others) != len(COLUMNS) - 1:
            raise LiveError(
                f"{self.path} has the line {line[:200].decode(errors='replace')!r}; legal: {len(COLUMNS)} values"
            )
        return int(first)

    def _check_interval(self, starts: list[int], interval_ns: int) -> None:
        """Bars of two intervals in one file would look like one series."""
        steps = Counter(b - a for a, b in itertools.pairwise(starts))
        step, times = steps.most_common(1)[0] if steps else (0, 0)
        # Steps between runs are of any length; one that comes again and again is the interval.
        if (times >= 3 and step != interval_ns) or starts[-1] % interval_ns:
            has = f"of {step / 1e9:g} s" if times >= 3 else f"that begin at {starts[-1]} ns"
            raise LiveError(
                f"{self.path} has bars {has}, and the interval is {interval_ns / 1e9:g} s; give another file"
            )

    def _write(self, file: int, line: bytes) -> None:
        written = os.write(file, line)
        if written < len(line):
            raise OSError(f"{written} of {len(line)} bytes were written")
        self._size += written

    def append(self, bars: Iterable[Bar]) -> None:
        """Appends bars that begin after those before.

        Raises:
            CollectError: If the file cannot be written; it ends with a whole line then, and takes no more.

        """
        for bar in bars:
            if self._file is None:
                return
            if self.last_ns is not None and bar.start_ns <= self.last_ns:
                self.skipped += 1
                continue
            line = ",".join(_cell(getattr(bar, name)) for name in COLUMNS) + "\n"
            try:
                self._write(self._file, line.encode())
            except OSError as error:
                self._give_up()
                raise CollectError(
                    f"cannot write to {self.path}: {error.strerror or error}; it has {self.written} bars of this run"
                ) from error
            self.last_ns = bar.start_ns
            self.written += 1

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                os.ftruncate(file, self._size)
            finally:
                os.close(file)

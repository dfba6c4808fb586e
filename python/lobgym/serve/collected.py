"""Which bars of a file a collection wrote: several write to one, each behind the one before."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from lobgym.serve.ledger import Job, Ledger
from lobgym.serve.places import Places

__all__ = ["Collected"]

_BLOCK = 1 << 20
_MOST_COUNTS = 1024


class Collected:
    """Keeps in ``logs/ID.bars`` where a collection's bars begin in its file, in bytes, and where those of the next one do."""

    def __init__(self, places: Places, ledger: Ledger) -> None:
        self._places, self._ledger = places, ledger
        #: By job: where counting began, up to where it has come, and the lines in between.
        self._counts: dict[str, tuple[int, int, int]] = {}

    def begin(self, job: Job) -> None:
        """Notes that the job begins to write, unless it is begun again."""
        if self._read(job) is not None:
            return
        here = _whole(self._places.inside("bars", job.request["store"], ".csv"))
        for other in self._ledger.jobs("collection"):
            if other.request["store"] == job.request["store"] and other.number < job.number:
                span = self._read(other)
                if span is not None and span[1] is None:
                    self._write(other, span[0], here)
        self._write(job, here, None)

    def count(self, job: Job) -> int | None:
        """Bars of the job that are in the file; ``None`` if nobody knows where they begin."""
        span = self._read(job)
        if span is None:
            return None
        begin, end = span
        try:
            with self._places.inside("bars", job.request["store"], ".csv").open("rb") as stream:
                size = stream.seek(0, 2)
                end = size if end is None else min(end, size)
                first, reached, lines = self._counts.get(job.id, (begin, begin, 0))
                if first != begin or reached > end:
                    reached, lines = begin, 0
                stream.seek(reached)
                while reached < end and (block := stream.read(min(_BLOCK, end - reached))):
                    reached += len(block)
                    lines += block.count(b"\n")
        except OSError:
            return 0
        if len(self._counts) >= _MOST_COUNTS:
            self._counts.clear()
        self._counts[job.id] = (begin, reached, lines)
        # At the beginning there is the header.
        return max(lines - (begin == 0), 0)

    def wrote(self, job: Job) -> bool:
        """Whether the file has bars of the job; where nobody knows, whether it has any."""
        count = self.count(job)
        if count is not None:
            return count > 0
        path = self._places.bars(job.request["store"])
        if path is None or path.suffix != ".csv":
            return path is not None
        with path.open("rb") as stream:
            return stream.read(_BLOCK).count(b"\n") > 1

    def _path(self, job: Job) -> Path:
        return self._places.inside("logs", job.id).with_suffix(".bars")

    def _read(self, job: Job) -> tuple[int, int | None] | None:
        try:
            said = json.loads(self._path(job).read_text())
            return int(said["begin"]), None if said["end"] is None else int(said["end"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, job: Job, begin: int, end: int | None) -> None:
        path = self._path(job)
        unfinished = path.with_suffix(".bars.tmp")
        unfinished.write_text(json.dumps({"begin": begin, "end": end}))
        os.replace(unfinished, path)


def _whole(path: Path) -> int:
    """The bytes of a file up to its last line end: what a crash left of another line is cut off by who writes next."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        end = stream.seek(0, 2)
        while end > 0:
            begin = max(end - _BLOCK, 0)
            stream.seek(begin)
            found = stream.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0

"""The ends of files that grow: logs, metrics, bars, sessions. None is read whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["last_line", "last_lines", "lines_backwards"]

_BLOCK = 1 << 16


def lines_backwards(path: Path, most_bytes: int = 1 << 28, *, unfinished: bool = False) -> Iterator[str]:
    """The lines of a file, the last one first. What comes after the last line end is being written, and left out unless it is asked for."""
    try:
        stream = path.open("rb")
    except OSError:
        return
    with stream:
        position = stream.seek(0, 2)
        least = max(0, position - most_bytes)
        rest, is_last = b"", not unfinished
        while position > least:
            step = min(_BLOCK, position - least)
            position -= step
            stream.seek(position)
            lines = (stream.read(step) + rest).split(b"\n")
            rest = lines.pop(0)
            if is_last and lines:
                lines.pop()
                is_last = False
            for line in reversed(lines):
                yield line.decode("utf-8", "replace")
        if position == 0 and not is_last:
            yield rest.decode("utf-8", "replace")


def _plain(line: str) -> str:
    # What a progress bar wrote over is not shown.
    shown = line.rstrip("\r").rpartition("\r")[2]
    return "".join(character for character in shown if character.isprintable()).strip()


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines with something in them, in their order."""
    found: list[str] = []
    for line in lines_backwards(path, 1 << 20, unfinished=True):
        if len(found) >= count:
            break
        if plain := _plain(line):
            found.append(plain[:2000])
    return found[::-1]


def last_line(path: Path, longest: int = 300) -> str | None:
    """The last line with something in it."""
    found = last_lines(path, 1)
    return found[0][:longest] if found else None

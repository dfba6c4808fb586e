"""The ends of files that grow, and ranges of those that are in order: logs, metrics, bars, sessions. None is read whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["last_line", "last_lines", "lines_backwards", "position_of"]

_BLOCK = 1 << 16


def lines_backwards(
    path: Path, most_bytes: int | None = None, *, unfinished: bool = False, end: int | None = None
) -> Iterator[str]:
    """The lines of a file, the last one first. What comes after the last line end is being written, and left out unless it is asked for.

    ``most_bytes``: no more than so many are read. ``end``: where to begin, instead of at the end of the file.
    """
    try:
        stream = path.open("rb")
    except OSError:
        return
    with stream:
        position = stream.seek(0, 2)
        if end is not None:
            position = min(position, end)
        least = 0 if most_bytes is None else max(0, position - most_bytes)
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


def position_of(path: Path, first: int, key: Callable[[str], int | None]) -> int:
    """Where the first line begins whose key is ``first`` or more, in a file that is in the order of keys; its size if there is none.

    Lines without a key, as the header, are passed over. Reads two lines for each doubling of the file.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)

        def line_from(position: int) -> tuple[int, int, int | None]:
            """The first line with a key that begins there or later: its beginning, its end and its key, which is ``None`` if there is none."""
            stream.seek(max(position - 1, 0))
            if position:
                stream.readline()
            while (begin := stream.tell()) < size:
                line = stream.readline()
                # What has no end is being written.
                if line.endswith(b"\n") and (found := key(line.decode("utf-8", "replace"))) is not None:
                    return begin, begin + len(line), found
            return size, size, None

        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            _, end, found = line_from(middle)
            if found is None or found >= first:
                high = middle
            else:
                low = end
        return line_from(low)[0]


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

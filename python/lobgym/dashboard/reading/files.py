"""Files read once for each of their versions, and what is wrong with those that cannot be read."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Unreadable", "cached", "found", "read_json", "stamp"]

T = TypeVar("T")

#: Files larger than this are no results of ours; reading them would only fill the memory.
MAX_BYTES = 256 * 1024 * 1024
#: Versions of files that are kept.
_KEPT = 256


class Unreadable(Exception):
    """A file that is damaged or is not what it should be: names the file and the reason."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        """``reason``: in words, without the path."""
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


def stamp(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Time of the last change (ns) and size (bytes): another version of a file has another stamp.

    Raises ``Unreadable`` for a file that there is not.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    return status.st_mtime_ns, status.st_size


_cache: OrderedDict[tuple[str, str], tuple[tuple[int, int], Any]] = OrderedDict()
_lock = threading.Lock()


def cached(path: str | os.PathLike[str], read: Callable[[Path], T]) -> T:
    """What ``read`` makes of a file, kept until the file changes; refusals are kept likewise.

    The value is shared by all pages and sessions: it must not be changed.
    """
    version = stamp(path)
    key = (os.path.abspath(path), f"{read.__module__}.{read.__qualname__}")
    with _lock:
        kept = _cache.get(key)
        if kept is not None and kept[0] == version:
            _cache.move_to_end(key)
            if isinstance(kept[1], Unreadable):
                raise kept[1]
            return kept[1]
    value: Any
    try:
        value = read(Path(path))
    except Unreadable as error:
        value = error
    with _lock:
        _cache[key] = (version, value)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    if isinstance(value, Unreadable):
        raise value
    return value


def read_json(path: Path) -> Any:
    """A JSON file. Raises ``Unreadable`` with the place of the damage."""
    if stamp(path)[1] > MAX_BYTES:
        raise Unreadable(path, f"it is larger than {MAX_BYTES // 1024**2} MiB")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise Unreadable(path, f"no UTF-8 text: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        reason = "it is empty" if not error.doc.strip() else f"no JSON: {error.msg}, line {error.lineno}"
        raise Unreadable(path, reason) from error
    except RecursionError as error:
        raise Unreadable(path, "nested too deeply") from error


def found(places: list[str], wanted: Callable[[str], bool], depth: int = 3, most: int = 2000) -> Iterator[Path]:
    """Files below directories (and files given themselves) whose name is wanted, each once, in order.

    ``depth``: how far below; ``most``: directories looked into. Hidden ones and links are left alone.
    """
    seen: set[str] = set()
    for place in places:
        if os.path.isfile(place):
            real = os.path.realpath(place)
            if real not in seen:
                seen.add(real)
                yield Path(place)
            continue
        for looked, (directory, below, files) in enumerate(os.walk(place), 1):
            level = len(Path(directory).relative_to(place).parts)
            below[:] = [] if level >= depth or looked >= most else sorted(n for n in below if not n.startswith("."))
            for name in sorted(files):
                path = os.path.join(directory, name)
                real = os.path.realpath(path)
                if wanted(name) and real not in seen:
                    seen.add(real)
                    yield Path(path)

"""Recorded raw feeds: lines of a local stamp in ns, a space, and the message as the exchange sent it (docs/market_data.md)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lobgym.live.errors import LiveError

__all__ = ["Line", "read_recording"]

#: A longer line is no message.
LONGEST = 8 << 20


@dataclass(slots=True)
class Line:
    """A line of a recording."""

    stamp_ns: int
    #: The message as it came.
    text: str
    #: The stream, as ``btcusdt@trade``; ``None`` for a snapshot.
    stream: str | None
    #: What is in the message.
    data: dict[str, Any]


def _line(raw: bytes, where: str) -> Line:
    stamp, _, rest = raw.partition(b" ")
    try:
        stamp_ns = int(stamp)
        text = rest.strip().decode()
        message = json.loads(text)
        stream = message.get("stream")
        data = message["data"] if stream is not None else message
    except (ValueError, AttributeError, KeyError, RecursionError) as error:
        raise LiveError(f"{where}: {error}; legal: a stamp in ns, a space, and a message of Binance") from None
    if stream is None and "lastUpdateId" not in data:
        raise LiveError(f"{where}: neither a message of a combined stream nor a snapshot: {text:.60}")
    return Line(stamp_ns, text, stream, data)


def read_recording(path: Path) -> Iterator[Line]:
    """The lines of a recording, plain or gzip.

    Raises:
        LiveError: If it cannot be read; the message names the line.

    """
    number = 0
    try:
        with open(path, "rb") as probe:
            packed = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else open(path, "rb") as file:
            while raw := file.readline(LONGEST + 1):
                number += 1
                if len(raw) > LONGEST:
                    raise LiveError(f"{path}: line {number}: is longer than {LONGEST} bytes")
                if raw.strip():
                    yield _line(raw, f"{path}: line {number}")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LiveError(f"cannot read {path} behind line {number}: {reason}") from error

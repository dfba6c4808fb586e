"""What a collection is told, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from lobgym.live.errors import LiveError

__all__ = ["VENUES", "Settings", "Venue", "parse_interval"]


@dataclass(frozen=True)
class Venue:
    """A market of Binance: where its streams and its snapshots are."""

    url: str
    snapshot_url: str


VENUES = {
    "binance": Venue("wss://stream.binance.com:9443", "https://api.binance.com/api/v3/depth"),
    "binance-usdm": Venue("wss://fstream.binance.com", "https://fapi.binance.com/fapi/v1/depth"),
}

_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse_interval(text: str) -> int:
    """A time such as ``5s`` in nanoseconds.

    Raises:
        LiveError: If it is none, or longer than a day.

    """
    found = re.fullmatch(r"([1-9]\d{0,8})(ms|s|m|h)", text)
    nanoseconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < nanoseconds <= 24 * _UNITS["h"]:
        raise LiveError(f"interval is {text!r}; legal: a number and ms, s, m or h, 24h at most, as 5s")
    return nanoseconds


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether a text is a URL with a host that can be asked: what the parser finds out only when it is asked for the port included."""
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@dataclass(frozen=True)
class Settings:
    """What is collected, from where, and how patiently."""

    venue: str = "binance"
    symbol: str = "BTCUSDT"
    interval_ns: int = 5 * 10**9
    #: Of the websocket; ``None``: the venue's own.
    url: str | None = None
    #: Of the depth's snapshots; ``None``: the venue's own, or at ``url`` where one is given.
    snapshot_url: str | None = None
    #: How long to collect; ``None``: until a signal.
    seconds: float | None = None
    #: Rows that are not in the store yet, at most, while it answers (half of them are written in one transaction), and how long they are gathered.
    batch_rows: int = 5_000
    batch_seconds: float = 1.0
    #: Rows that wait while the store is away, and for how long.
    buffer_rows: int = 500_000
    store_patience_seconds: float = 60.0
    #: No message for so long: the connection is given up.
    stall_seconds: float = 30.0
    #: A larger frame ends the connection.
    frame_bytes: int = 4 << 20
    #: The first pause before a connection is tried again; it doubles up to the longest, and each is drawn from half of it to all of it.
    backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 60.0
    #: Attempts before the first message has come; afterwards it is tried for ever.
    attempts: int = 5
    #: How long, and for how many updates, a missing depth update is waited for before it is a gap.
    reorder_seconds: float = 0.25
    reorder_updates: int = 4

    def __post_init__(self) -> None:
        if self.venue not in VENUES:
            raise LiveError(f"venue is {self.venue!r}; legal: {', '.join(VENUES)}")
        if not re.fullmatch(r"[A-Z0-9]{2,20}(_[A-Z0-9]{1,12})?", self.symbol):
            raise LiveError(f"symbol is {self.symbol!r}; legal: as the exchange writes it, e.g. BTCUSDT")
        for name, value, schemes in (
            ("url", self.url, ("ws", "wss")),
            ("snapshot_url", self.snapshot_url, ("http", "https")),
        ):
            if value is not None and not _is_url(value, schemes):
                raise LiveError(
                    f"{name} is {value!r}; legal: {'://..., '.join(schemes)}://..., with a host, and a port up to 65535"
                )
        numbers = (
            "batch_rows",
            "batch_seconds",
            "buffer_rows",
            "stall_seconds",
            "frame_bytes",
            "backoff_seconds",
            "attempts",
        )
        for name in (*numbers, "store_patience_seconds", "longest_backoff_seconds", "seconds"):
            number = getattr(self, name)
            if number is not None and not 0 < number < float("inf"):
                raise LiveError(f"{name} is {number}; legal: a finite number > 0")
        if self.buffer_rows < self.batch_rows:
            raise LiveError(f"buffer_rows is {self.buffer_rows}; legal: batch_rows ({self.batch_rows}) or more")

    @property
    def stream_url(self) -> str:
        """Of the combined stream. A URL with a path of its own is taken as it is."""
        base = self.url or VENUES[self.venue].url
        parts = urlsplit(base)
        if parts.path not in ("", "/") or parts.query:
            return base
        symbol = self.symbol.lower()
        streams = "/".join(f"{symbol}@{kind}" for kind in ("depth@100ms", "bookTicker", "trade"))
        return f"{base.rstrip('/')}/stream?streams={streams}"

    @property
    def depth_url(self) -> str:
        """Of the depth's snapshot."""
        base = self.snapshot_url or VENUES[self.venue].snapshot_url
        if self.snapshot_url is None and self.url is not None:
            parts = urlsplit(self.url)
            scheme = "https" if parts.scheme == "wss" else "http"
            base = urlunsplit((scheme, parts.netloc, urlsplit(base).path, "", ""))
        return f"{base}{'&' if '?' in base else '?'}{urlencode({'symbol': self.symbol, 'limit': 1000})}"

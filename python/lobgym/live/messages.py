"""Binance's messages, spot and USD-M futures: depth updates, best bid and ask, trades, and snapshots of the depth.

A message is taken whole or refused with a reason; nothing of it is believed before it is checked.
"""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_MILLISECONDS", "Event", "MalformedMessage", "parse_message", "parse_snapshot"]

#: Beyond it, a stamp in nanoseconds does not fit into 63 bits.
MAX_MILLISECONDS = (2**63 - 1) // 1_000_000


class MalformedMessage(ValueError):
    """A message that cannot be read; the text says where and why."""


@dataclass(slots=True)
class Event:
    """What a message says. Prices in quote currency, sizes in base currency, stamps in ms since 1970; ``None`` where it says nothing."""

    #: ``depth``, ``best``, ``trade`` or ``snapshot``; the collector adds ``gap``.
    kind: str
    exchange_ms: int | None = None
    #: Depth: ``U``; trades and quotes: their number.
    first_id: int | None = None
    #: Depth: ``u``; snapshots: ``lastUpdateId``; trades and quotes: their number.
    last_id: int | None = None
    #: Futures' depth: ``pu``.
    previous_id: int | None = None
    price: float | None = None
    quantity: float | None = None
    #: Trades: the aggressor's, ``buy`` or ``sell``.
    side: str | None = None
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    #: Depth and snapshots: the message as it came.
    payload: str | None = None


def _integer(data: dict[str, Any], key: str, most: int = 2**63 - 1) -> int:
    value = data.get(key)
    if type(value) is not int or not 0 <= value <= most:
        raise MalformedMessage(f"{key} is {value!r:.60}; legal: an integer from 0 to {most}")
    return value


def _decimal(value: Any, key: str, least: str) -> float:
    """A number in a text, as Binance sends them: ``least`` says whether 0 is legal."""
    number = math.nan
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not math.isfinite(number) or number < 0 or (least == "positive" and number == 0):
        raise MalformedMessage(f"{key} is {value!r:.60}; legal: a finite {least} number in a text")
    return number


def _levels(data: dict[str, Any], key: str) -> None:
    levels = data.get(key)
    if not isinstance(levels, list):
        raise MalformedMessage(f"{key} is {levels!r:.60}; legal: a list of [price, size]")
    for level in levels:
        if not isinstance(level, list) or len(level) < 2:
            raise MalformedMessage(f"{key} has {level!r:.60}; legal: [price, size]")
        _decimal(level[0], f"{key}: price", "positive")
        _decimal(level[1], f"{key}: size", "non-negative")


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedMessage(f"JSON ends or breaks at character {error.pos}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise MalformedMessage(f"no JSON that can be read: {error}") from None
    if not isinstance(message, dict):
        raise MalformedMessage(f"is {message!r:.60}; legal: a JSON object")
    return message


def parse_snapshot(text: str) -> Event:
    """A snapshot of the depth, from the REST endpoint.

    Raises:
        MalformedMessage: If it is none.

    """
    data = _parse(text)
    for key in ("bids", "asks"):
        _levels(data, key)
    stamp = _integer(data, "E", MAX_MILLISECONDS) if "E" in data else None
    return Event("snapshot", stamp, last_id=_integer(data, "lastUpdateId"), payload=text)


def parse_message(text: str, symbol: str) -> Event | None:
    """A message of a stream, combined (``{"stream": ..., "data": ...}``) or plain; ``None`` for an answer to a request.

    Raises:
        MalformedMessage: If it is no depth update, best bid and ask or trade of ``symbol``.

    """
    message = _parse(text)
    data = message.get("data", message) if "stream" in message else message
    if not isinstance(data, dict):
        raise MalformedMessage(f"data is {data!r:.60}; legal: a JSON object")
    if "result" in data and "id" in data and "s" not in data:
        return None
    if data.get("s") != symbol:
        raise MalformedMessage(f"s is {data.get('s')!r:.60}; legal: {symbol!r}")
    kind = data.get("e")
    if kind == "depthUpdate":
        stamp = _integer(data, "E", MAX_MILLISECONDS)
        first, last = _integer(data, "U"), _integer(data, "u")
        if first > last:
            raise MalformedMessage(f"U is {first} and u is {last}; legal: U <= u")
        previous = _integer(data, "pu") if "pu" in data else None
        for key in ("b", "a"):
            _levels(data, key)
        return Event("depth", stamp, first, last, previous, payload=text)
    if kind == "trade":
        stamp, number = _integer(data, "E", MAX_MILLISECONDS), _integer(data, "t")
        price, quantity = _decimal(data.get("p"), "p", "positive"), _decimal(data.get("q"), "q", "positive")
        maker = data.get("m")
        if not isinstance(maker, bool):
            raise MalformedMessage(f"m is {maker!r:.60}; legal: true, false")
        side = "sell" if maker else "buy"
        return Event("trade", stamp, number, number, price=price, quantity=quantity, side=side)
    if kind == "bookTicker" or (kind is None and "B" in data and "A" in data):
        # Spot sends no stamp and no name with it.
        optional = _integer(data, "E", MAX_MILLISECONDS) if "E" in data else None
        number = _integer(data, "u")
        bid, ask = _decimal(data.get("b"), "b", "positive"), _decimal(data.get("a"), "a", "positive")
        bid_size = _decimal(data.get("B"), "B", "non-negative")
        ask_size = _decimal(data.get("A"), "A", "non-negative")
        return Event("best", optional, number, number, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)
    raise MalformedMessage(f"e is {kind!r:.60}; legal: 'depthUpdate', 'trade', 'bookTicker'")

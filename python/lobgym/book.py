"""The codes of the order book's arrays, by name.

``lobgym.OrderBook`` takes messages and gives events as NumPy structured arrays; the enumerations here name the numbers in them, and
:func:`format_events` prints events as text. Prices are integer ticks, quantities integer lots, times integer nanoseconds.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
import numpy.typing as npt

from lobgym._core import EVENT_DTYPE, MESSAGE_DTYPE

__all__ = [
    "EventFlag",
    "EventKind",
    "MessageFlag",
    "MessageKind",
    "OrderFlag",
    "Reason",
    "SelfTradePrevention",
    "Side",
    "TimeInForce",
    "format_events",
    "messages",
]


class Side(IntEnum):
    """Field ``side``. ``BOTH`` in a mass cancel; the same number in an event that does not tell."""

    BUY = 0
    SELL = 1
    BOTH = 2


class MessageKind(IntEnum):
    """Field ``kind`` of a message."""

    LIMIT = 0
    MARKET = 1
    CANCEL = 2
    STOP = 3
    STOP_LIMIT = 4
    AMEND = 5
    CANCEL_QUANTITY = 6
    MASS_CANCEL = 7
    EXPIRE = 8
    SET_SELF_TRADE_PREVENTION = 9


class TimeInForce(IntEnum):
    """Field ``time_in_force``: good till cancelled, immediate or cancel, fill or kill, good till a time (field ``expiry``)."""

    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3


class MessageFlag(IntFlag):
    """Field ``flags`` of a message: post-only of a new order, or what an amendment changes."""

    POST_ONLY = 1
    AMEND_QUANTITY = 2
    AMEND_PRICE = 4
    AMEND_STOP = 8


class OrderFlag(IntFlag):
    """Field ``flags`` of an order or a stop in the book."""

    POST_ONLY = 1
    HAS_EXPIRY = 2
    HAS_LIMIT = 4


class SelfTradePrevention(IntEnum):
    """What happens when an owner's order would trade with another of the same owner."""

    ALLOW = 0
    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    DECREMENT = 4


class EventKind(IntEnum):
    """Field ``kind`` of an event."""

    ACCEPTED = 0
    REJECTED = 1
    TRADE = 2
    CANCELLED = 3
    AMENDED = 4
    TRIGGERED = 5
    EXPIRED = 6
    REPLENISHED = 7


class EventFlag(IntFlag):
    """Field ``flags`` of an event: which of its fields say something, and whether an amended order kept its place."""

    KEPT_PRIORITY = 1
    HAS_PRICE = 2
    HAS_OWNER = 4


class Reason(IntEnum):
    """Field ``reason``: why lots were cancelled (1 to 6) or a request was refused (16 and above)."""

    NONE = 0
    REQUESTED = 1
    IMMEDIATE_OR_CANCEL = 2
    NO_LIQUIDITY = 3
    FILL_OR_KILL = 4
    POST_ONLY = 5
    SELF_TRADE = 6
    ZERO_QUANTITY = 16
    ZERO_DISPLAY = 17
    PRICE_OUT_OF_LIMITS = 18
    OWNER_OUT_OF_RANGE = 19
    UNKNOWN_ORDER = 20
    WOULD_CROSS = 21
    CANNOT_FILL = 22
    ALREADY_EXPIRED = 23
    NOTHING_TO_AMEND = 24
    NOT_AMENDABLE = 25
    POST_ONLY_WITHOUT_LIMIT = 26
    POST_ONLY_IMMEDIATE = 27
    DISPLAY_WITHOUT_REST = 28
    MARKET_GOOD_TILL = 29
    QUANTITY_OVERFLOW = 30
    BOOK_FULL = 31
    CLOCK_BACKWARDS = 32
    DUPLICATE_ID = 33


def messages(count: int, **fields: npt.ArrayLike) -> npt.NDArray[np.void]:
    """An array of ``count`` messages, all zero but for the given fields; each is one value for all rows or one a row.

    >>> import lobgym
    >>> bids = lobgym.messages(3, kind=lobgym.MessageKind.LIMIT, id=[1, 2, 3], price=[100, 99, 98], quantity=5)
    >>> bids["price"].tolist()
    [100, 99, 98]
    """
    array: npt.NDArray[np.void] = np.zeros(count, MESSAGE_DTYPE)
    names = MESSAGE_DTYPE.names or ()
    for name, values in fields.items():
        if name not in names:
            raise ValueError(f"{name} is an unknown field; legal: one of {', '.join(names)}")
        array[name] = values
    return array


def format_events(events: npt.NDArray[np.void]) -> str:
    """Events of a book as text, one a line.

    >>> import lobgym
    >>> book = lobgym.OrderBook()
    >>> print(lobgym.format_events(book.submit_limit(1, "buy", 100, 5)))
    accepted 1: buy 5 at 100, owner 0
    """
    if not isinstance(events, np.ndarray) or events.dtype != EVENT_DTYPE:
        found = getattr(events, "dtype", type(events))
        raise ValueError(f"events.dtype is {found}; legal: lobgym.EVENT_DTYPE")
    return "\n".join(_format(event) for event in events)


def _format(event: Any) -> str:
    kind = EventKind(event["kind"])
    name, lots = kind.name.lower(), event["quantity"]
    price = f" at {event['price']}" if event["flags"] & EventFlag.HAS_PRICE else ""
    owner = f", owner {event['owner']}" if event["flags"] & EventFlag.HAS_OWNER else ""
    reason = Reason(event["reason"]).name.lower().replace("_", " ")
    if kind == EventKind.TRADE:
        side = Side(event["side"]).name.lower()
        return f"trade: {side} {event['id']} takes {lots} of {event['maker_id']}{price}, {event['left']} left there"
    if kind == EventKind.ACCEPTED:
        return f"accepted {event['id']}: {Side(event['side']).name.lower()} {lots}{price}{owner}"
    if kind == EventKind.REJECTED:
        return f"rejected {event['id']}: {reason}{owner}"
    if kind == EventKind.CANCELLED:
        return f"cancelled {event['id']}: {lots} ({reason}), {event['left']} left"
    if kind == EventKind.AMENDED:
        kept = "kept" if event["flags"] & EventFlag.KEPT_PRIORITY else "lost"
        return f"amended {event['id']}: {lots}{price}, place in the queue {kept}"
    if kind == EventKind.TRIGGERED:
        return f"triggered {event['id']}"
    return f"{name} {event['id']}: {lots}"

"""What goes wrong while market data are collected, in words for the terminal."""

from __future__ import annotations

__all__ = ["CollectError", "LiveError", "StoreError"]


class LiveError(Exception):
    """Something that the user can act on; the message says what, with its value and what is legal."""


class CollectError(LiveError):
    """The collection cannot go on."""


class StoreError(LiveError):
    """The store cannot be opened, read or written."""

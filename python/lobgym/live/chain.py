"""The chains of numbers: whether depth updates, and trades, follow each other without a gap.

The rules are those of Binance's "How to manage a local order book correctly", as ``lob::data::market`` has them (docs/market_data.md):
before a snapshot updates wait; the first one applied must reach across the snapshot's number; from then on each must continue the one
before (spot: ``U`` = previous ``u`` + 1; futures: ``pu`` = previous ``u``).
"""

from __future__ import annotations

from collections import deque
from enum import Enum

__all__ = ["Chain", "Numbers", "Trades", "Verdict"]

#: Updates that wait for a snapshot; beyond it the oldest are given up.
HELD_UPDATES = 1 << 16

#: So many trades behind one that is missing, it is lost: a late one comes sooner.
_LATE_TRADES = 4

#: Places where trades are missing that are remembered; beyond it the oldest is given up.
_HOLES = 64

#: ``(U, u, pu)``.
Numbers = tuple[int, int, "int | None"]


class Verdict(Enum):
    """What an update is to the book."""

    APPLY = "apply"
    #: Repeats a part of what was applied.
    OVERLAPS = "overlaps"
    OLD = "old"
    #: Updates before it are missing.
    GAP = "gap"
    #: There is no book yet, or a stale one.
    HOLD = "hold"


class Chain:
    """Follows the numbers of one symbol's updates."""

    def __init__(self) -> None:
        #: The number that the book has reached; ``None`` if there is none or it is stale.
        self.reached: int | None = None
        self._following = False
        self._held: deque[Numbers] = deque(maxlen=HELD_UPDATES)

    def judge(self, numbers: Numbers) -> Verdict:
        """The verdict over an update, which changes nothing yet."""
        first, last, previous = numbers
        reached = self.reached
        if reached is None:
            return Verdict.HOLD
        if self._following:
            if last <= reached:
                return Verdict.OLD
            if previous is not None:
                return Verdict.APPLY if previous == reached else Verdict.GAP
            if first == reached + 1:
                return Verdict.APPLY
            return Verdict.OVERLAPS if first <= reached else Verdict.GAP
        if previous is None:
            if last <= reached:
                return Verdict.OLD
            return Verdict.APPLY if first <= reached + 1 else Verdict.GAP
        if last < reached:
            return Verdict.OLD
        # Where nothing happened between a snapshot and the next update, that one continues the snapshot itself.
        return Verdict.APPLY if first <= reached or previous == reached else Verdict.GAP

    def update(self, numbers: Numbers) -> Verdict:
        """Judges an update and moves on; one behind a gap waits for the next snapshot."""
        verdict = self.judge(numbers)
        if verdict in (Verdict.APPLY, Verdict.OVERLAPS):
            self.reached, self._following = numbers[1], True
        elif verdict is Verdict.GAP:
            self.reached = None
        if verdict in (Verdict.GAP, Verdict.HOLD):
            self._held.append(numbers)
        return verdict

    def lose(self) -> None:
        """Whatever comes next continues nothing."""
        self.reached = None

    def snapshot(self, number: int) -> bool:
        """Takes a snapshot over, and what waited for it. False if updates between the two are missing: it is too old, or others are."""
        if self.reached is not None and self.reached > number:
            return True
        held, self._held = self._held, deque(maxlen=HELD_UPDATES)
        self.reached, self._following = number, False
        for numbers in sorted(held, key=lambda numbers: numbers[:2]):
            self.update(numbers)
        return self.reached is not None


class Trades:
    """Follows the numbers of one symbol's trades, which the exchange gives without a gap."""

    def __init__(self) -> None:
        self._latest: int | None = None
        #: What is missing, the oldest first: first number, last number, and trades that came since.
        self._holes: list[tuple[int, int, int]] = []
        #: Trades that never came.
        self.lost = 0

    def take(self, number: int) -> bool:
        """Takes a trade. True if some between it and the latest one are missing."""
        latest, holes = self._latest, self._holes
        self._latest = number if latest is None else max(latest, number)
        self._holes = [(first, last, since + 1) for first, last, since in holes]
        if latest is None or number == latest + 1:
            return False
        if number > latest:
            self._holes.append((latest + 1, number - 1, 0))
            return True
        self._holes = [
            (begin, end, since)
            for first, last, since in self._holes
            for begin, end in (
                ((first, number - 1), (number + 1, last)) if first <= number <= last else ((first, last),)
            )
            if begin <= end
        ]
        return False

    def given_up(self, *, at_once: bool = False) -> list[tuple[int, int]]:
        """The first and last numbers of trades that will not come any more, each time told once. ``at_once``: none will."""
        found, kept = [], []
        for index, (first, last, since) in enumerate(self._holes):
            if at_once or since >= _LATE_TRADES or len(self._holes) - index > _HOLES:
                found.append((first, last))
                self.lost += last - first + 1
            else:
                kept.append((first, last, since))
        self._holes = kept
        return found

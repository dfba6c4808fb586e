"""The exchange's clock: which stamps are believed."""

from __future__ import annotations

from dataclasses import dataclass

from lobgym.live.messages import Event

__all__ = ["Held", "Stamps"]

#: A stamp that is further ahead of the latest one than the local clock says, by more than this, has to be borne out by the next one.
LEAP_NS = 60 * 10**9

#: No recording is from the future; a local clock may be wrong.
DAY_NS = 24 * 3600 * 10**9


@dataclass(slots=True)
class Held:
    """A message, and where it came from."""

    event: Event
    received_ns: int
    frame: int
    #: Of the tick before it.
    sequence: int
    text: str

    @property
    def stamp_ns(self) -> int:
        """Of the exchange."""
        return (self.event.exchange_ms or 0) * 1_000_000


class Stamps:
    """Holds a message back whose stamp leaps ahead, as does the first one, until another comes.

    One wrong stamp would put all that follows to one instant, as time never goes back in a run. A recording may have a pause: then what
    comes next is as late, or later. A stamp is wrong if the next one is more than a minute before it; the first of all, also if the next one is more than a day behind it.
    """

    def __init__(self) -> None:
        self._known_ns: int | None = None
        self._received_ns = 0
        self._held: Held | None = None

    def _fits(self, stamp_ns: int, received_ns: int) -> bool:
        """Whether it is no leap."""
        if self._known_ns is None:
            return False
        return stamp_ns - self._known_ns <= LEAP_NS + max(0, received_ns - self._received_ns)

    def _believe(self, message: Held) -> Held:
        self._known_ns = max(self._known_ns or 0, message.stamp_ns)
        self._received_ns = message.received_ns
        return message

    def take(self, message: Held) -> tuple[list[Held], Held | None]:
        """Takes a message with a stamp. Returns those that are believed by now, and one that is refused, if so."""
        believed, refused = list[Held](), None
        held, self._held = self._held, None
        if held is not None:
            ahead_ns = held.stamp_ns - message.stamp_ns
            if ahead_ns > LEAP_NS or (self._known_ns is None and -ahead_ns > DAY_NS):
                refused = held
            else:
                believed.append(self._believe(held))
        if self._fits(message.stamp_ns, message.received_ns):
            believed.append(self._believe(message))
        else:
            self._held = message
        return believed, refused

    def release(self) -> tuple[Held | None, Held | None]:
        """What is held, as nothing else comes: believed, or refused if it is more than a day ahead of what was known."""
        held, self._held = self._held, None
        if held is None:
            return None, None
        if self._known_ns is not None and held.stamp_ns - self._known_ns > DAY_NS:
            return None, held
        return self._believe(held), None

"""What is made of a symbol's messages: gaps, duplicates, clocks, bars, and rows for a store."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Hashable

from lobgym.live.bars import BarBuilder
from lobgym.live.bars_file import BarsFile
from lobgym.live.chain import Chain, Numbers, Trades, Verdict
from lobgym.live.clock import DAY_NS, Held, Stamps
from lobgym.live.messages import Event, MalformedMessage, parse_message, parse_snapshot
from lobgym.live.settings import Settings
from lobgym.live.store import Incident, Tick
from lobgym.live.writer import Writer

__all__ = ["Collector"]

#: Numbers of messages that are remembered, so that none is stored twice.
_REMEMBERED = 1 << 16

#: Incidents of one kind that are stored; all are counted.
_MOST_INCIDENTS = 1_000

#: Messages that wait for the first one with a stamp, and for how many seconds; then the local clock has to do.
_MOST_UNSTAMPED, _UNSTAMPED_SECONDS = 10_000, 10.0


class _Seen:
    """The latest numbers of one kind of message."""

    def __init__(self) -> None:
        self._order: deque[Hashable] = deque()
        self._set: set[Hashable] = set()

    def add(self, number: Hashable) -> bool:
        """False if it has been seen."""
        if number in self._set:
            return False
        self._set.add(number)
        self._order.append(number)
        if len(self._order) > _REMEMBERED:
            self._set.discard(self._order.popleft())
        return True


class Collector:
    """What is known of one symbol, and what is done with each message."""

    def __init__(self, settings: Settings, writer: Writer, bars_file: BarsFile | None = None) -> None:
        self.settings, self._writer, self._bars_file = settings, writer, bars_file
        #: Messages stored, by kind; and what else happened, by cause.
        self.kinds: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.bars = 0
        #: The smallest difference between the local and the exchange's stamps: the clocks' skew and the shortest way.
        self.skew_ns: int | None = None
        #: Set when the book is stale: a snapshot is wanted.
        self.stale = asyncio.Event()
        self.stale.set()
        self._chain, self._trades = Chain(), Trades()
        #: When the connection was lost, until something that came over another has a stamp.
        self._lost_ns: int | None = None
        self._bars = BarBuilder(settings.interval_ns)
        self._seen = {kind: _Seen() for kind in ("depth", "best", "trade")}
        self._sequence = self._incidents = self._frames = 0
        #: The exchange's clock, 0: not known yet; whether it is the local one, as no message has a stamp.
        self._time_ns, self._local = 0, False
        self._stamps = Stamps()
        #: Messages without a stamp, when they came, and in which frame.
        self._unstamped: list[tuple[Event, int, int]] = []
        #: Since when messages wait for a clock.
        self._waiting_since: float | None = None
        #: The number of the latest depth update.
        self._latest: int | None = None
        #: Depth updates behind one that is missing, and since when.
        self._early: dict[Numbers, tuple[Event, int]] = {}
        self._early_since = 0.0

    @property
    def lost_trades(self) -> int:
        """Trades that never came, by their numbers."""
        return self._trades.lost

    def incident(self, kind: str, detail: str) -> None:
        """Counts what happened and notes it, with where."""
        self.causes[kind] += 1
        if self.causes[kind] > _MOST_INCIDENTS:
            return
        self._incidents += 1
        self._writer.incident(Incident(self._incidents, time.time_ns(), self._sequence, kind, detail[:500]))

    def frame(self, frame: str | bytes) -> None:
        """Takes what came in a frame."""
        self._frames += 1
        received_ns = time.time_ns()
        try:
            if isinstance(frame, bytes):
                raise MalformedMessage("is binary; legal: text")
            event = parse_message(frame, self.settings.symbol)
            if event is not None and event.exchange_ms is not None:
                ahead_ns = event.exchange_ms * 1_000_000 - received_ns
                if ahead_ns > DAY_NS:
                    raise MalformedMessage(
                        f"E is {event.exchange_ms}, {ahead_ns // 10**9} s ahead of the local clock; legal: less than a day"
                    )
        except MalformedMessage as error:
            where = f"frame {self._frames}, behind sequence {self._sequence}"
            self.incident("malformed", f"{where}: {error}: {frame[:120]!r}")
            return
        if event is None:
            return
        if not self._time_ns and self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if event.exchange_ms is None:
            self._take(event, received_ns)
            return
        believed, refused = self._stamps.take(Held(event, received_ns, self._frames, self._sequence, frame))
        if refused is not None:
            self._refuse(refused, event.exchange_ms)
        for each in believed:
            self._take_held(each)

    def _take_held(self, message: Held) -> None:
        """Takes a message that waited for another; what came since without a stamp comes behind it."""
        waiting = self._unstamped
        self._unstamped = [each for each in waiting if each[2] < message.frame]
        since = waiting[len(self._unstamped) :]
        self._take(message.event, message.received_ns)
        self._unstamped += since
        if self._time_ns:
            self._place_unstamped()

    def _refuse(self, message: Held, next_ms: int | None = None) -> None:
        """Notes a stamp that cannot be, by the message behind it, or before it at the end."""
        stamp, other = message.event.exchange_ms or 0, "before" if next_ms is None else "behind"
        away = (stamp - (self._time_ns // 10**6 if next_ms is None else next_ms)) // 1000
        where = f"frame {message.frame}, behind sequence {message.sequence}"
        detail = f"{where}: E is {stamp}, {away:+d} s from the message {other} it: {message.text[:120]!r}"
        self.incident("malformed", detail)

    def _take(self, event: Event, received_ns: int) -> None:
        if event.kind == "depth":
            self._depth(event, received_ns)
        elif self._seen[event.kind].add(event.last_id):
            self._store(event, received_ns)
        else:
            self.causes["duplicate"] += 1

    def _store(self, event: Event, received_ns: int) -> None:
        """Gives a message its place."""
        if event.exchange_ms is not None and event.kind != "snapshot":
            # A snapshot's is not that of the stream, which may be behind it: trades would come after their time.
            stamp_ns = event.exchange_ms * 1_000_000
            if self.skew_ns is None or received_ns - stamp_ns < self.skew_ns:
                self.skew_ns = received_ns - stamp_ns
            known, self._time_ns, self._local = self._time_ns, max(self._time_ns, stamp_ns), False
            if not known:
                self._place_unstamped()
        elif self._local:
            self._time_ns = max(self._time_ns, received_ns)
        elif not self._time_ns:
            # Nothing has said yet what time it is at the exchange.
            self._unstamped.append((event, received_ns, self._frames))
            if len(self._unstamped) >= _MOST_UNSTAMPED:
                self._start_clock()
            return
        self._place(event, received_ns)

    def _place_unstamped(self) -> None:
        """Gives their places to messages that came before the first stamp."""
        waiting, self._unstamped = self._unstamped, []
        for event, received_ns, _ in waiting:
            if self._local:
                self._time_ns = max(self._time_ns, received_ns)
            self._place(event, received_ns)

    def _start_clock(self) -> None:
        """Has messages wait no longer for a stamp: the only one that there was is believed; without one, it is the local clock that counts."""
        self._waiting_since = None
        believed, refused = self._stamps.release()
        if refused is not None:
            self._refuse(refused)
        if believed is not None:
            self._take_held(believed)
        if not self._time_ns and self._unstamped:
            self._local = True
            self._place_unstamped()

    def _place(self, event: Event, received_ns: int) -> None:
        self._sequence += 1
        tick = Tick(
            self._sequence,
            event.kind,
            received_ns,
            self._time_ns,
            event.exchange_ms,
            event.first_id,
            event.last_id,
            event.previous_id,
            event.price,
            event.quantity,
            event.side,
            event.bid,
            event.bid_size,
            event.ask,
            event.ask_size,
            event.payload,
        )
        self.kinds[event.kind] += 1
        gap = event.kind == "trade" and self._trades.take(event.last_id or 0)
        resumes = self._resumes(event, received_ns)
        if resumes:
            self._lost_ns = None
        bars = self._bars.add(tick, resumes=resumes, gap=gap)
        if bars:
            self.bars += len(bars)
            self._writer.bars(bars)
        self._writer.tick(tick)
        if event.kind == "trade":
            self._note_lost_trades()
        if bars and self._bars_file is not None:
            self._bars_file.append(bars)

    def _resumes(self, event: Event, received_ns: int) -> bool:
        """Whether it is the first message behind an outage that says what time it is by now, at the exchange."""
        if self._lost_ns is None or event.kind not in self._seen:
            return False
        # Depth updates may have waited since before it.
        return received_ns >= self._lost_ns and (event.exchange_ms is not None or self._local)

    def _note_lost_trades(self, *, at_once: bool = False) -> None:
        for first, last in self._trades.given_up(at_once=at_once):
            self.incident("lost_trades", f"{last - first + 1} trades never came: t {first} to {last}")

    def _depth(self, event: Event, received_ns: int) -> None:
        numbers = (event.first_id or 0, event.last_id or 0, event.previous_id)
        if not self._seen["depth"].add(numbers):
            self.causes["duplicate"] += 1
            return
        if self._is_early(numbers):
            # The missing one may only be late.
            if not self._early:
                self._early_since = time.monotonic()
            self._early[numbers] = event, received_ns
            if len(self._early) >= self.settings.reorder_updates:
                self.give_up_missing()
            return
        self._apply(numbers, event, received_ns)
        waiting = sorted(self._early)
        for early in waiting:
            if not self._is_early(early):
                self.causes["reordered"] += 1
                self._apply(early, *self._early.pop(early))

    def _is_early(self, numbers: Numbers) -> bool:
        """Whether updates before this one are missing, of those stored or of the book."""
        first, last, previous = numbers
        if (latest := self._latest) is not None and last > latest:
            return previous != latest if previous is not None else first > latest + 1
        return self._chain.judge(numbers) is Verdict.GAP

    def _apply(self, numbers: Numbers, event: Event, received_ns: int) -> None:
        if self._chain.update(numbers) is Verdict.OVERLAPS:
            self.causes["overlapping_update"] += 1
        self._latest = max(numbers[1], self._latest or 0)
        self._store(event, received_ns)

    def give_up_missing(self) -> None:
        """Depth updates before those that wait are missing: the book is stale until a snapshot."""
        if not self._early:
            return
        waiting = sorted(self._early.items(), key=lambda item: item[0][:2])
        self._early = {}
        first = waiting[0][0]
        reached = self._chain.reached
        self.incident(
            "gap", f"the book has reached update {reached}, the next is U {first[0]}, u {first[1]}, pu {first[2]}"
        )
        self._chain.lose()
        self._store(
            Event("gap", first_id=None if reached is None else reached + 1, last_id=first[0] - 1), time.time_ns()
        )
        for numbers, (event, received_ns) in waiting:
            self._apply(numbers, event, received_ns)
        self.stale.set()

    def look(self) -> None:
        """Does what time alone decides: a missing update, or a stamp, has been waited for long enough."""
        now = time.monotonic()
        if self._early and now - self._early_since > self.settings.reorder_seconds:
            self.give_up_missing()
        if self._time_ns:
            self._waiting_since = None
        elif self._waiting_since is not None and now - self._waiting_since > _UNSTAMPED_SECONDS:
            self._start_clock()

    def snapshot(self, text: str) -> bool:
        """Takes a snapshot over. False if the updates since do not reach across it.

        Raises:
            MalformedMessage: If it is none.

        """
        event = parse_snapshot(text)
        fits = self._chain.snapshot(event.last_id or 0)
        self._store(event, time.time_ns())
        self.causes["snapshot"] += 1
        if fits:
            self.stale.clear()
        return fits

    def disconnected(self) -> None:
        """What comes next may be anything; the numbers of depth updates and trades will tell."""
        self._lost_ns = time.time_ns()
        self._bars.lost()

    def finish(self) -> None:
        """Writes what has begun. Not the last bar into the file of bars: its interval is not over, and another run may see its end."""
        self.give_up_missing()
        self._start_clock()
        self.give_up_missing()
        self._note_lost_trades(at_once=True)
        bars = self._bars.finish()
        self.bars += len(bars)
        self._writer.bars(bars)

    def line(self) -> str:
        """How it goes, for a terminal."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.causes.items()))
        skew = "" if self.skew_ns is None else f"; clock {self.skew_ns / 1e6:+.1f} ms"
        written = f"{self._writer.ticks} stored in {self._writer.batches} batches, {self._writer.waiting} waiting"
        if self._bars_file is not None:
            written += f"; {self._bars_file.written} bars in {self._bars_file.path}"
            if self._bars_file.skipped:
                written += f" ({self._bars_file.skipped} were there)"
        lost = f"; {self._trades.lost} trades lost" if self._trades.lost else ""
        return f"{kinds or 'no message yet'}; {self.bars} bars; {written}{skew}{lost}{'; ' if causes else ''}{causes}"

"""Collects a symbol's messages into a store: connections, gaps, duplicates, clocks. :func:`collect` runs one."""

from __future__ import annotations

import asyncio
import random
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Hashable
from http.client import HTTPException

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, PayloadTooBig, WebSocketException

from lobgym.live.bars import BarBuilder
from lobgym.live.chain import Chain, Numbers, Verdict
from lobgym.live.errors import CollectError
from lobgym.live.feed import END
from lobgym.live.messages import Event, MalformedMessage, parse_message, parse_snapshot
from lobgym.live.settings import Settings
from lobgym.live.store import Incident, Store, Tick
from lobgym.live.writer import Writer

__all__ = ["Collector", "collect"]

#: Numbers of messages that are remembered, so that none is stored twice.
_REMEMBERED = 1 << 16

#: A snapshot is no longer than this.
_SNAPSHOT_BYTES = 32 << 20

#: Incidents of one kind that are stored; all are counted.
_MOST_INCIDENTS = 1_000

#: Messages that wait for the first one with a stamp.
_MOST_UNSTAMPED = 10_000

#: A stamp that is so much further ahead of the latest one than the local clock says is no stamp.
_LEAP_NS = 24 * 3600 * 10**9

_Say = Callable[[str], object]


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

    def __init__(self, settings: Settings, writer: Writer) -> None:
        self.settings, self._writer = settings, writer
        #: Messages stored, by kind; and what else happened, by cause.
        self.kinds: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.bars = 0
        #: The smallest difference between the local and the exchange's stamps: the clocks' skew and the shortest way.
        self.skew_ns: int | None = None
        #: Set when the book is stale: a snapshot is wanted.
        self.stale = asyncio.Event()
        self.stale.set()
        self._chain = Chain()
        self._bars = BarBuilder(settings.interval_ns)
        self._seen = {kind: _Seen() for kind in ("depth", "best", "trade")}
        self._sequence = self._incidents = self._frames = 0
        #: The exchange's clock, 0: not known yet; and the local one at the latest message.
        self._time_ns = self._latest_ns = 0
        self._unstamped: list[tuple[Event, int]] = []
        #: The number of the latest depth update.
        self._latest: int | None = None
        #: Depth updates behind one that is missing, and since when.
        self._early: dict[Numbers, tuple[Event, int]] = {}
        self._early_since = 0.0

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
            if event is not None and event.exchange_ms is not None and self._time_ns:
                leap = event.exchange_ms * 1_000_000 - self._time_ns
                if leap > _LEAP_NS + max(0, received_ns - self._latest_ns):
                    raise MalformedMessage(f"E is {event.exchange_ms}, {leap // 10**9} s ahead; legal: less than a day")
        except MalformedMessage as error:
            self.incident(
                "malformed", f"frame {self._frames}, behind sequence {self._sequence}: {error}: {frame[:120]!r}"
            )
            return
        if event is None:
            return
        if event.kind == "depth":
            self._depth(event, received_ns)
        elif self._seen[event.kind].add(event.last_id):
            self._store(event, received_ns)
        else:
            self.causes["duplicate"] += 1

    def _store(self, event: Event, received_ns: int) -> None:
        """Gives a message its place."""
        if event.exchange_ms is None:
            if not self._time_ns and len(self._unstamped) < _MOST_UNSTAMPED:
                # Nothing has said yet what time it is at the exchange.
                self._unstamped.append((event, received_ns))
                return
        else:
            exchange_ns = event.exchange_ms * 1_000_000
            known, self._time_ns = self._time_ns, max(self._time_ns, exchange_ns)
            if event.kind != "snapshot" and (self.skew_ns is None or received_ns - exchange_ns < self.skew_ns):
                self.skew_ns = received_ns - exchange_ns
            if not known:
                self._place_unstamped()
        self._time_ns = self._time_ns or received_ns
        self._latest_ns = received_ns
        self._place(event, received_ns)

    def _place_unstamped(self) -> None:
        """Gives their places to messages that came before the first stamp."""
        waiting, self._unstamped = self._unstamped, []
        for event, received_ns in waiting:
            self._time_ns = self._time_ns or received_ns
            self._place(event, received_ns)

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
        bars = self._bars.add(tick)
        if bars:
            self.bars += len(bars)
            self._writer.bars(bars)
        self._writer.tick(tick)

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

    def overdue(self) -> bool:
        """Whether a missing update has been waited for long enough."""
        return bool(self._early) and time.monotonic() - self._early_since > self.settings.reorder_seconds

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
        """What comes next may be anything; the numbers of depth updates will tell."""
        self._bars.quote_lost()

    def finish(self) -> None:
        """Writes what has begun."""
        self.give_up_missing()
        self._place_unstamped()
        bars = self._bars.finish()
        self.bars += len(bars)
        self._writer.bars(bars)

    def line(self) -> str:
        """How it goes, for a terminal."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.causes.items()))
        skew = "" if self.skew_ns is None else f"; clock {self.skew_ns / 1e6:+.1f} ms"
        written = f"{self._writer.ticks} stored in {self._writer.batches} batches, {self._writer.waiting} waiting"
        return f"{kinds or 'no message yet'}; {self.bars} bars; {written}{skew}{'; ' if causes else ''}{causes}"


def _fetch(url: str) -> str:
    """The text at a URL, with limits."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "lobgym"}), timeout=10) as answer:
        body: bytes = answer.read(_SNAPSHOT_BYTES + 1)
    if len(body) > _SNAPSHOT_BYTES:
        raise MalformedMessage(f"is longer than {_SNAPSHOT_BYTES} bytes")
    return body.decode()


class _Backoff:
    """Pauses that double, each drawn from half of it to all of it, so that clients do not come back all at once."""

    def __init__(self, settings: Settings) -> None:
        self._first, self._longest = settings.backoff_seconds, settings.longest_backoff_seconds
        self._next = self._first

    def reset(self) -> None:
        self._next = self._first

    def pause(self) -> float:
        pause = self._next
        self._next = min(2 * pause, self._longest)
        return random.uniform(pause / 2, pause)


async def _keep_synchronised(collector: Collector, connected: asyncio.Event) -> None:
    """Fetches a snapshot whenever the book is stale."""
    backoff = _Backoff(collector.settings)
    while True:
        await collector.stale.wait()
        await connected.wait()
        try:
            text = await asyncio.to_thread(_fetch, collector.settings.depth_url)
            if collector.snapshot(text):
                backoff.reset()
                continue
            collector.incident("old_snapshot", "the snapshot does not meet the updates; another one is fetched")
        except (OSError, HTTPException, MalformedMessage, ValueError) as error:
            collector.incident("no_snapshot", f"{collector.settings.depth_url}: {error}")
        await asyncio.sleep(backoff.pause())


class _Watch:
    """Ends a connection on which nothing comes."""

    def __init__(self, collector: Collector, stall_seconds: float) -> None:
        self.latest = time.monotonic()
        self.stalled = False
        self._collector, self._seconds = collector, stall_seconds

    async def run(self, connection: ClientConnection) -> None:
        while True:
            await asyncio.sleep(min(self._seconds / 4, self._collector.settings.reorder_seconds, 1.0))
            if self._collector.overdue():
                self._collector.give_up_missing()
            if time.monotonic() - self.latest > self._seconds:
                self.stalled = True
                connection.transport.abort()
                return


async def _receive(collector: Collector, writer: Writer, connection: ClientConnection) -> bool:
    """Takes messages until the connection ends. True if the recording behind it is over."""
    settings = collector.settings
    watch = _Watch(collector, settings.stall_seconds)
    watching = asyncio.create_task(watch.run(connection))
    try:
        while True:
            frame = await connection.recv()
            watch.latest = time.monotonic()
            collector.frame(frame)
            if writer.full:
                await writer.room()
                watch.latest = time.monotonic()
    except ConnectionClosed as closed:
        if watch.stalled:
            collector.incident("stalled", f"nothing came for {settings.stall_seconds:g} s: connecting again")
        elif isinstance(closed.__cause__, PayloadTooBig) or (closed.sent and closed.sent.code == 1009):
            collector.incident("oversized", f"a frame of more than {settings.frame_bytes} bytes: connecting again")
        elif closed.rcvd and closed.rcvd.reason == END:
            return True
        else:
            collector.incident("disconnected", str(closed))
        return False
    finally:
        watching.cancel()
        collector.disconnected()


def _unreachable(settings: Settings, error: Exception) -> CollectError:
    advice = (
        ""
        if settings.url
        else (
            "; without the internet, give --url, for instance of a recording: "
            "`lobgym replay-feed FILE --port 9000`, then --url ws://127.0.0.1:9000"
        )
    )
    reason = str(error) or type(error).__name__
    return CollectError(f"cannot connect to {settings.stream_url}: {reason}, {settings.attempts} times{advice}")


async def _connections(collector: Collector, writer: Writer, connected: asyncio.Event, say: _Say) -> None:
    """Connects again and again; returns when a recording is over."""
    settings, backoff, failures = collector.settings, _Backoff(collector.settings), 0
    while True:
        try:
            async with connect(
                settings.stream_url,
                max_size=settings.frame_bytes,
                max_queue=256,
                open_timeout=10,
                close_timeout=1,
                compression=None,
                user_agent_header="lobgym",
            ) as connection:
                collector.incident("connected", settings.stream_url)
                connected.set()
                before = sum(collector.kinds.values())
                if await _receive(collector, writer, connection):
                    return
                if sum(collector.kinds.values()) > before:
                    failures = 0
                    backoff.reset()
        except (OSError, WebSocketException, asyncio.TimeoutError) as error:
            failures += 1
            if failures >= settings.attempts and not collector.kinds:
                raise _unreachable(settings, error) from error
            collector.incident("unreachable", f"{settings.stream_url}: {error or type(error).__name__}")
            say(f"cannot connect to {settings.stream_url}: {error or type(error).__name__}; trying again")
        finally:
            connected.clear()
        await asyncio.sleep(backoff.pause())


async def collect(
    settings: Settings,
    store: Store,
    *,
    stop: asyncio.Event | None = None,
    say: _Say = lambda text: None,
    progress: _Say | None = None,
) -> Collector:
    """Collects until ``stop`` is set, the time is up, or a recording ends; then everything is in the store.

    Raises:
        CollectError: If nothing can be connected to at all, or the store fails for too long.

    """
    stop = stop or asyncio.Event()
    run = store.begin_run(settings.venue, settings.symbol, settings.stream_url, settings.interval_ns)
    writer = Writer(
        store,
        run,
        batch_rows=settings.batch_rows,
        batch_seconds=settings.batch_seconds,
        buffer_rows=settings.buffer_rows,
        patience_seconds=settings.store_patience_seconds,
        troubled=say,
    )
    collector = Collector(settings, writer)
    connected = asyncio.Event()
    writing = asyncio.create_task(writer.run())
    receiving = asyncio.create_task(_connections(collector, writer, connected, say))
    synchronising = asyncio.create_task(_keep_synchronised(collector, connected))
    stopping = asyncio.create_task(stop.wait())
    reporting = asyncio.create_task(_report(collector, progress))
    ending = "stopped"
    try:
        tasks = (writing, receiving, synchronising, stopping)
        done, _ = await asyncio.wait(tasks, timeout=settings.seconds, return_when=asyncio.FIRST_COMPLETED)
        ending = "end of recording" if receiving in done else "stopped" if stopping in done else "time is up"
    finally:
        for task in (receiving, synchronising, stopping, reporting):
            task.cancel()
        await asyncio.gather(receiving, synchronising, stopping, reporting, return_exceptions=True)
        collector.finish()
        await writer.close()
        await writing
    for task in (receiving, synchronising):
        if not task.cancelled() and (error := task.exception()) is not None:
            await asyncio.to_thread(store.end_run, run, f"failed: {error}"[:500])
            raise error
    await asyncio.to_thread(store.end_run, run, ending)
    return collector


async def _report(collector: Collector, progress: _Say | None) -> None:
    while progress is not None:
        await asyncio.sleep(1.0)
        progress(collector.line())

"""A collection from its beginning to its end: connections that come and go, snapshots, and the writer behind them. :func:`collect` runs one."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable
from http.client import HTTPException

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, PayloadTooBig, WebSocketException

from lobgym.live.bars_file import BarsFile
from lobgym.live.collector import Collector
from lobgym.live.errors import CollectError
from lobgym.live.feed import END
from lobgym.live.fetch import SECONDS, fetch, retry_after
from lobgym.live.messages import MalformedMessage
from lobgym.live.settings import Settings
from lobgym.live.store import Store
from lobgym.live.worker import Worker
from lobgym.live.writer import Writer

__all__ = ["collect"]

#: Seconds after which an answer that its thread still waits for (for a name to be found, for instance) is given up.
_FETCH_SECONDS = 2 * SECONDS

_Say = Callable[[str], object]


class _Connect(connect):
    """Connects to where it is told, and to nowhere that an answer leads to: whoever may be asked was decided by the URL's host."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Nothing is followed."""
        return exc


async def _fetch(url: str) -> str:
    """The text at a URL."""
    worker = Worker("lobgym-snapshot")
    answer = worker.submit(functools.partial(fetch, url))
    try:
        # Not `wait_for`, which up to Python 3.11 swallows a cancellation that comes together with the answer.
        if not (await asyncio.wait({answer}, timeout=_FETCH_SECONDS))[0]:
            raise asyncio.TimeoutError(f"no answer in {_FETCH_SECONDS:g} s")
        return answer.result()
    finally:
        answer.cancel()
        worker.close()


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
        wanted = 0.0
        try:
            text = await _fetch(collector.settings.depth_url)
            if collector.snapshot(text):
                backoff.reset()
                continue
            collector.incident("old_snapshot", "the snapshot does not meet the updates; another one is fetched")
        except (OSError, HTTPException, asyncio.TimeoutError, MalformedMessage, ValueError) as error:
            wanted = retry_after(error, time.time())
            more = f"; it wants to be left alone for {wanted:g} s" if wanted else ""
            collector.incident("no_snapshot", f"{collector.settings.depth_url}: {error or type(error).__name__}{more}")
        await asyncio.sleep(max(backoff.pause(), wanted))


class _Watch:
    """Ends a connection on which nothing comes."""

    def __init__(self, collector: Collector, stall_seconds: float) -> None:
        self.latest = time.monotonic()
        self.stalled = False
        #: What looking after it ended with, which ends the collection.
        self.failure: CollectError | None = None
        self._collector, self._seconds = collector, stall_seconds

    async def run(self, connection: ClientConnection) -> None:
        while True:
            await asyncio.sleep(min(self._seconds / 4, self._collector.settings.reorder_seconds, 1.0))
            try:
                self._collector.look()
            except CollectError as error:
                self.failure = error
                connection.transport.abort()
                return
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
        if watch.failure is not None:
            raise watch.failure from None
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
        wanted = 0.0
        try:
            async with _Connect(
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
            wanted = retry_after(error, time.time())
        finally:
            connected.clear()
        await asyncio.sleep(max(backoff.pause(), wanted))


async def collect(
    settings: Settings,
    store: Store,
    *,
    bars_file: BarsFile | None = None,
    stop: asyncio.Event | None = None,
    say: _Say = lambda text: None,
    progress: _Say | None = None,
) -> Collector:
    """Collects until ``stop`` is set, the time is up, or a recording ends; then everything is in the store.

    Bars go into ``bars_file`` too, each as soon as its interval is over.

    Raises:
        CollectError: If nothing can be connected to at all, the store fails for too long, or the file of bars cannot be written.

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
    collector = Collector(settings, writer, bars_file)
    connected = asyncio.Event()
    writing = asyncio.create_task(writer.run())
    receiving = asyncio.create_task(_connections(collector, writer, connected, say))
    synchronising = asyncio.create_task(_keep_synchronised(collector, connected))
    stopping = asyncio.create_task(stop.wait())
    reporting = asyncio.create_task(_report(collector, progress))
    ending, failure = "stopped", None
    try:
        tasks = (writing, receiving, synchronising, stopping)
        done, _ = await asyncio.wait(tasks, timeout=settings.seconds, return_when=asyncio.FIRST_COMPLETED)
        ending = "end of recording" if receiving in done else "stopped" if stopping in done else "time is up"
    finally:
        for task in (receiving, synchronising, stopping, reporting):
            task.cancel()
        await asyncio.gather(receiving, synchronising, stopping, reporting, return_exceptions=True)
        for task in (receiving, synchronising):
            if failure is None and not task.cancelled():
                failure = task.exception()
        try:
            collector.finish()
        except CollectError as error:
            failure = failure or error
        await writer.close()
        try:
            await writing
        finally:
            await writer.end(ending if failure is None else f"failed: {failure}"[:500], collector.skew_ns)
    if failure is not None:
        raise failure
    return collector


async def _report(collector: Collector, progress: _Say | None) -> None:
    while progress is not None:
        await asyncio.sleep(1.0)
        progress(collector.line())

"""Rows on their way into a store: gathered into batches, written by a thread of their own, tried again while the store is away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lobgym.live.errors import CollectError
from lobgym.live.store import Bar, Batch, Incident, Store, StoreError, Tick

__all__ = ["Writer"]

#: Seconds between attempts while the store fails.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: A store that has not answered for so many seconds counts as away.
_SLOW = 5.0


class Writer:
    """Writes what it is given, in order, each row once.

    A transaction takes half a batch at most, so that one half is gathered while the other is written: with a store that answers, no more
    than ``batch_rows`` rows are ever not in it, which is what a kill costs. What fails is kept and tried again, on a new connection. Up to
    ``buffer_rows`` rows wait then; when there are more, or the store has failed for ``patience_seconds``, the collection ends with
    :class:`CollectError`: whole transactions are missing then, and nothing of them is in the store.
    """

    def __init__(
        self,
        store: Store,
        run: int,
        *,
        batch_rows: int,
        batch_seconds: float,
        buffer_rows: int,
        patience_seconds: float,
        troubled: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._store, self._run, self._troubled = store, run, troubled
        self._batch_rows, self._batch_seconds = batch_rows, batch_seconds
        self._buffer_rows, self._patience = buffer_rows, patience_seconds
        self._batch = Batch(run, 1)
        self._waiting: deque[Batch] = deque()
        self._waiting_rows = 0
        self._began = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "lobgym-store")
        self._work, self._drained = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._failing_since: float | None = None
        self._writing_since: float | None = None
        self._reason = ""
        #: Batches and ticks in the store.
        self.batches = self.ticks = 0
        #: Times that a batch had to be tried again.
        self.retries = 0

    @property
    def waiting(self) -> int:
        """Ticks that are not in the store yet."""
        return self._waiting_rows + len(self._batch.ticks)

    def tick(self, tick: Tick) -> None:
        """Takes a message."""
        self._batch.ticks.append(tick)
        if 2 * len(self._batch.ticks) >= self._batch_rows:
            self._cut()

    def bars(self, bars: list[Bar]) -> None:
        """Takes bars."""
        self._batch.bars.extend(bars)

    def incident(self, incident: Incident) -> None:
        """Takes an incident."""
        self._batch.incidents.append(incident)

    def _cut(self) -> None:
        """Ends the batch that is being gathered."""
        batch = self._batch
        self._began = time.monotonic()
        if not (batch.ticks or batch.bars or batch.incidents):
            return
        self._waiting.append(batch)
        self._waiting_rows += len(batch.ticks)
        self._batch = Batch(self._run, batch.number + 1)
        self._work.set()

    async def room(self) -> None:
        """Returns when there is room for more rows, at once unless the store is slow. Raises if it fails and the buffer is full."""
        while self.full:
            if self._failing_since is not None:
                raise self._given_up("the buffer is full")
            self._drained.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._drained.wait(), 0.5)

    @property
    def full(self) -> bool:
        """Whether :meth:`room` would have to wait: a batch is not in the store, or, while the store is away, the buffer is used up."""
        since = self._writing_since
        if self._failing_since is not None or (since is not None and time.monotonic() - since > _SLOW):
            return self.waiting >= self._buffer_rows
        # What one frame may bring at most: a gap's row, a snapshot, and the updates that waited for one that was late.
        return self.waiting >= self._batch_rows - min(16, self._batch_rows // 4)

    def _given_up(self, why: str) -> CollectError:
        seconds = time.monotonic() - (self._failing_since or time.monotonic())
        return CollectError(
            f"the store has failed for {seconds:.0f} s and {why}: {self.waiting} ticks are lost, {self.ticks} are in it, none in part; {self._reason}"
        )

    async def close(self) -> None:
        """Has everything written that came."""
        self._cut()
        self._closing = True
        self._work.set()

    async def run(self) -> None:
        """Writes until it is closed. Raises :class:`CollectError` when the store has failed for too long."""
        loop = asyncio.get_running_loop()
        pause, broken = _FIRST_PAUSE, False
        try:
            while True:
                if not self._waiting:
                    if self._closing:
                        return
                    self._work.clear()
                    try:
                        left = self._began + self._batch_seconds - time.monotonic()
                        await asyncio.wait_for(self._work.wait(), max(left, 0.01))
                    except asyncio.TimeoutError:
                        self._cut()
                    continue
                batch = self._waiting[0]
                self._writing_since = time.monotonic()
                try:
                    if broken:
                        await loop.run_in_executor(self._thread, self._store.connect)
                    await loop.run_in_executor(self._thread, self._store.write, batch)
                except StoreError as error:
                    broken, self._reason = True, str(error)
                    self.retries += 1
                    now = time.monotonic()
                    if self._failing_since is None:
                        self._failing_since = now
                        self._troubled(f"{error}; trying again, {self._buffer_rows} ticks may wait")
                    if now - self._failing_since > self._patience:
                        raise self._given_up(f"patience is {self._patience:g} s") from error
                    if self.full:
                        raise self._given_up("the buffer is full") from error
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                finally:
                    self._writing_since = None
                if self._failing_since is not None:
                    self._troubled("the store is back")
                pause, broken, self._failing_since = _FIRST_PAUSE, False, None
                self._waiting.popleft()
                self._waiting_rows -= len(batch.ticks)
                self.batches += 1
                self.ticks += len(batch.ticks)
                self._drained.set()
        finally:
            self._thread.shutdown(wait=True)

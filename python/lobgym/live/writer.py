"""Rows on their way into a store: gathered into batches, written by a thread of their own, tried again while the store is away."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable

from lobgym.live.errors import CollectError
from lobgym.live.store import Bar, Batch, Incident, Store, StoreError, Tick
from lobgym.live.worker import Worker

__all__ = ["Writer"]

#: Seconds between attempts while the store fails.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: A store that has not answered for so many seconds counts as away.
_SLOW = 5.0
#: Seconds between two looks at one that does not answer: whether the buffer is full.
_LOOK = 0.25


class Writer:
    """Writes what it is given, in order, each row once.

    A transaction takes half a batch at most, so that one half is gathered while the other is written: with a store that answers, no more
    than ``batch_rows`` rows are ever not in it, which is what a kill costs. What fails is kept and tried again, on a new connection. Up to
    ``buffer_rows`` rows wait then; when there are more, or the store has failed for ``patience_seconds``, the collection ends with
    :class:`CollectError`: whole transactions are missing then, and nothing of them is in the store. Not to answer is a failure too, which
    begins with the question: a thread that hangs is left behind, and the one transaction that it is in comes whole or not at all.
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
        self._worker = Worker("lobgym-store")
        self._work, self._drained = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._failing_since: float | None = None
        self._broken, self._hangs, self._lost, self._reason = False, False, False, ""
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
            drained = asyncio.ensure_future(self._drained.wait())
            try:
                # Not `wait_for`, which up to Python 3.11 swallows a cancellation that comes together with what it waits for.
                await asyncio.wait({drained}, timeout=0.5)
            finally:
                drained.cancel()

    @property
    def full(self) -> bool:
        """Whether :meth:`room` would have to wait: a batch is not in the store, or, while the store is away, the buffer is used up."""
        if self._failing_since is not None:
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
                await self._persist(functools.partial(self._store.write, batch))
                self._waiting.popleft()
                self._waiting_rows -= len(batch.ticks)
                self.batches += 1
                self.ticks += len(batch.ticks)
                self._drained.set()
        except CollectError:
            self._lost = True
            raise

    async def end(self, ending: str, skew_ns: int | None) -> None:
        """Notes how the run ended and its clocks' skew, as patiently as everything else is written, and lets go of the thread.

        Not if the store was given up: it would be asked in vain.
        """
        try:
            if not self._lost:
                await self._persist(functools.partial(self._store.end_run, self._run, ending, skew_ns))
        finally:
            self._worker.close()
            if not self._hangs:
                self._worker.join()

    async def _persist(self, action: Callable[[], object]) -> None:
        """Does something with the store until it succeeds, on a new connection after each failure."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if self._broken:
                    await self._answer(self._store.connect)
                    self._broken = False
                await self._answer(action)
            except StoreError as error:
                self._broken, self._reason = True, str(error)
                self.retries += 1
                self._fails(f"{error}; trying again", time.monotonic())
                self._check()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if self._failing_since is not None:
                    self._troubled("the store is back")
                self._failing_since = None
                return

    async def _answer(self, action: Callable[[], object]) -> None:
        """Waits for the store, but not for ever."""
        began = time.monotonic()
        future = self._worker.submit(action)
        while not (await asyncio.wait({future}, timeout=_LOOK))[0]:
            self._hangs = True
            silent = time.monotonic() - began
            if silent > min(_SLOW, self._patience):
                self._reason = f"{self._store.name} has not answered for {silent:.0f} s"
                self._fails(self._reason, began)
            if self._failing_since is not None:
                try:
                    self._check()
                except CollectError:
                    future.cancel()
                    # Nobody else may touch what the thread is in; it finds the store closed when it comes back.
                    self._store.abandon()
                    raise
        self._hangs = False
        future.result()

    def _fails(self, what: str, since: float) -> None:
        if self._failing_since is None:
            self._failing_since = since
            self._troubled(f"{what}, {self._buffer_rows} ticks may wait")

    def _check(self) -> None:
        """Raises if the store has been away for too long, or too much waits for it."""
        if self._failing_since is None:
            return
        if time.monotonic() - self._failing_since > self._patience:
            raise self._given_up(f"patience is {self._patience:g} s")
        if self.full:
            raise self._given_up("the buffer is full")

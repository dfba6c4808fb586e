"""Server-sent events: a job's changes of state, all of them, and its progress, as it is now."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import ENDS, Event
from lobgym.serve.service import Service

__all__ = ["Streams"]

#: Seconds between two looks.
_PERIOD = 0.25


class _Stream(StreamingResponse):
    """Says when it is over, also if nothing of it was sent."""

    def __init__(self, events: AsyncIterator[str], left: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()


class Streams:
    """All streams that are open."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open = 0
        self._closing = False

    def close(self) -> None:
        """Lets the streams end: clients come again, with the number of the last event that they have."""
        self._closing = True

    async def open(self, id: str, last: str | None) -> Response:
        """The stream of a job, after the event that a client had last.

        An event's number is ``CHANGES.PROGRESS``: how many changes of state there were, and a number that grows with what the job has
        made (steps of a training or a session, nanoseconds of the last bar). Of changes none is left out; of progress only the latest is told.
        """
        settings = self._service.settings
        numbers = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18}|[0-9]{19})", last or "0.0")
        if numbers is None:
            raise ServeError("header.Last-Event-ID", last, "the id of an event, as 3.120")
        after, progress = int(numbers[1]), int(numbers[2])
        job = await anyio.to_thread.run_sync(self._service.jobs.get, id)
        if last is not None and not job.is_open:
            changes = await anyio.to_thread.run_sync(self._service.ledger.events, id, after)
            if not changes:
                # Tells a browser not to come again.
                return Response(status_code=204)
        if self._open >= settings.max_streams:
            legal = f"{settings.max_streams} at most are open at the same time"
            raise ServeError("too many streams of events", legal=legal, status=429, retry_after=5)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        # Counted from here on: the response begins a moment later.
        self._open += 1
        return _Stream(self._events(id, after, progress), self._left, headers)

    def _left(self) -> None:
        self._open -= 1

    async def _events(self, id: str, after: int, progress: int) -> AsyncIterator[str]:
        told = time.monotonic()
        yield "retry: 2000\n\n"
        while not self._closing:
            # The changes first: what is made between the two looks is told in the next round, and nothing is after the end.
            changes = await anyio.to_thread.run_sync(self._service.ledger.events, id, after)
            status = await anyio.to_thread.run_sync(self._status, id)
            ended = changes.pop() if changes and changes[-1].state in ENDS else None
            for change in changes:
                after, told = change.number, time.monotonic()
                yield _change("state", change, progress)
            if (now := _progress(status)) > progress:
                progress, told = now, time.monotonic()
                body = {name: status[name] for name in ("state", "progress", "latest")}
                yield _event("progress", f"{after}.{progress}", body)
            if ended is not None:
                yield _change("end", ended, progress)
                return
            if time.monotonic() - told >= self._service.settings.heartbeat_seconds:
                told = time.monotonic()
                yield ": still here\n\n"
            await anyio.sleep(_PERIOD)

    def _status(self, id: str) -> dict[str, Any]:
        return self._service.views.status(self._service.jobs.get(id))


def _progress(status: dict[str, Any]) -> int:
    latest = status["latest"] or {}
    for name in ("steps", "step", "start_ns"):
        if isinstance(latest.get(name), int):
            return int(latest[name])
    return 0


def _change(kind: str, change: Event, progress: int) -> str:
    body = {"state": change.state, "reason": change.reason, "time": change.time}
    return _event(kind, f"{change.number}.{progress}", body)


def _event(kind: str, number: str, body: dict[str, Any]) -> str:
    return f"event: {kind}\nid: {number}\ndata: {json.dumps(body, allow_nan=False)}\n\n"

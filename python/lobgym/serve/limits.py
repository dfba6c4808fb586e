"""How much may be asked: requests a second and at once, bytes of a body, and seconds for both sides."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lobgym.serve.errors import ServeError
from lobgym.serve.security import OPEN_PATHS, Gate
from lobgym.serve.settings import Settings

__all__ = ["Buckets", "Limits", "answer"]

#: Clients that are remembered; the one that has been silent longest is forgotten, and was full again by then.
_CLIENTS = 4096
_BUSY = 1


def answer(error: ServeError) -> JSONResponse:
    """The error as an answer."""
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


class Buckets:
    """A token bucket for each client."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, float(burst), clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Takes a token.

        Raises:
            ServeError: 429, if there is none, with the seconds until there is.

        """
        now = self._clock()
        tokens, since = self._clients.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._clients[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - tokens) / self._rate)
            legal = f"{self._rate:g} a second, {self._burst:g} at once"
            raise ServeError("too many requests", legal=legal, status=429, retry_after=max(1, wait))


class Limits:
    """Goes around an application: what passes is within the limits, and what does not is told so."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._gate = Gate(settings)
        # Those without the token may be anybody, and as many as they like: they take nothing away from those who have it.
        self._known = Buckets(settings.rate_per_second, settings.rate_burst)
        self._strangers = Buckets(settings.rate_per_second, settings.rate_burst)
        #: Requests that are being answered.
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            if self.running >= self._settings.max_requests:
                raise ServeError("too many requests at once", status=429, retry_after=_BUSY)
            place = _Place(self)
            try:
                body = await self._body(scope, receive)
                await self._timed(place, scope, _replay(body, receive), send)
            finally:
                place.leave()
        except ServeError as error:
            response = answer(error)
            if error.status in (400, 408, 413):
                # What else was sent is not read.
                response.headers["Connection"] = "close"
            await response(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Who it is, and whether there were too many of theirs."""
        client = (scope.get("client") or ("-", 0))[0]
        try:
            known = self._gate.check(scope)
        except ServeError:
            self._strangers.take(client)
            raise
        (self._known if known else self._strangers).take(client)
        # None is waited for where nothing is done with it: a slot could be held by who is nobody.
        if (scope["method"] in ("GET", "HEAD") or scope["path"] in OPEN_PATHS) and _has_body(scope):
            raise ServeError("body", legal="none here", status=400)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._settings.max_body_bytes
        too_long = ServeError("the body is too long", legal=f"at most {most} bytes", status=413)
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and (len(length) > 18 or int(length) > most):
            raise too_long
        parts = bytearray()
        try:
            with anyio.fail_after(self._settings.body_seconds):
                while True:
                    message = await receive()
                    # A client that went away: what it sent of a request is none.
                    if message["type"] != "http.request":
                        raise ServeError("the body has no end", status=400)
                    parts += message.get("body", b"")
                    if len(parts) > most:
                        raise too_long
                    if not message.get("more_body", False):
                        return bytes(parts)
        except TimeoutError:
            legal = f"{self._settings.body_seconds:g} seconds at most"
            raise ServeError("the body did not come", legal=legal, status=408) from None

    async def _timed(self, place: _Place, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[bool] = loop.create_future()
        begun = late = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if not late:
                # Streams go on for as long as they like, and so do clients that read slowly: uvicorn ends those.
                begun = True
                await send(message)

        def ended(done: asyncio.Task[None]) -> None:
            if not outcome.done():
                outcome.set_result(True)
            elif not done.cancelled():
                # Whoever waited for it has gone.
                done.exception()

        def give_up() -> None:
            nonlocal late
            if not begun and not outcome.done():
                late = True
                outcome.set_result(False)

        async def answering() -> None:
            with given_up:
                await self._app(scope, receive, sending)

        # In a task of its own, as nothing that is given up ends before the thread that it waits for: it is not waited for.
        given_up = anyio.CancelScope()
        task = asyncio.ensure_future(answering())
        task.add_done_callback(ended)
        timer = loop.call_later(self._settings.request_seconds, give_up)
        try:
            in_time = await outcome
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            timer.cancel()
        if in_time:
            task.result()
            return
        place.keep(task)
        # Not the task itself: that would free its place among the threads while its thread still works.
        given_up.cancel()
        legal = f"{self._settings.request_seconds:g} seconds at most"
        raise ServeError("the answer took too long", legal=legal, status=503, retry_after=5)


class _Place:
    """One of those that are answered at the same time; what was given up has its own until its thread has come back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._task: asyncio.Task[None] | None = None
        limits.running += 1

    def keep(self, task: asyncio.Task[None]) -> None:
        """Has it left when the task is done."""
        self._task = task

    def leave(self) -> None:
        """Makes room for another, now or as soon as may be."""
        if self._task is None:
            self._limits.running -= 1
        else:
            self._task.add_done_callback(self._left)

    def _left(self, _task: asyncio.Task[None]) -> None:
        self._limits.running -= 1


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0").strip("0") != "" or "transfer-encoding" in headers


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives what has been read already, and what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay

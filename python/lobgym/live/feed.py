"""A recorded feed over a real websocket, laid out as Binance's, with faults on request: ``replay-feed``."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lobgym.live.errors import LiveError
from lobgym.live.recording import Line

__all__ = ["END", "Faults", "Feed"]

#: With what a connection is closed where the recording ends.
END = "end of recording"

#: Levels a side of a snapshot, unless the request says how many.
_LIMIT, _MOST = 1000, 5000

#: How long a client that should go is waited for, in seconds.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong, each after every so many messages; 0: never.

    Messages are counted over the whole recording. ``stall_after`` happens once.
    """

    #: Connections are closed. Nothing is lost, unless ``drop_loses`` says so: the recording waits for the next client.
    drop_every: int = 0
    #: So many messages are lost each time that connections are closed.
    drop_loses: int = 0
    #: A message is left out.
    gap_every: int = 0
    #: A message comes twice.
    duplicate_every: int = 0
    #: A message comes after the next one.
    reorder_every: int = 0
    #: A message comes, before itself, with its end cut off.
    malformed_every: int = 0
    #: A frame of ``oversize_bytes`` comes.
    oversize_every: int = 0
    #: Nothing more comes, and connections stay open, until clients give up.
    stall_after: int = 0
    oversize_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value < 0:
                raise LiveError(f"{each.name} is {value}; legal: 0 (never) or more")


class _Book:
    """The depth as of what was played: for snapshots."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.stamps: dict[str, int] = {}
        self._sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        #: Updates that came before the first snapshot, which it may not contain.
        self._held: list[dict[str, Any]] = []

    def snapshot(self, data: dict[str, Any]) -> None:
        if self.number is not None and self.number > data["lastUpdateId"]:
            return
        self.number = data["lastUpdateId"]
        self._sides = {side: dict(map(tuple, data[side])) for side in self._sides}
        held, self._held = self._held, []
        for update in held:
            self.update(update)

    def update(self, data: dict[str, Any]) -> None:
        if self.number is None:
            self._held.append(data)
            return
        if data["u"] <= self.number:
            return
        self.number = data["u"]
        self.stamps = {key: data[key] for key in ("E", "T") if key in data} if "pu" in data else {}
        for key, side in (("b", "bids"), ("a", "asks")):
            levels = self._sides[side]
            for price, size in data[key]:
                if float(size) == 0:
                    levels.pop(price, None)
                else:
                    levels[price] = size

    def text(self, limit: int) -> str:
        bids = sorted(self._sides["bids"].items(), key=lambda level: -float(level[0]))[:limit]
        asks = sorted(self._sides["asks"].items(), key=lambda level: float(level[0]))[:limit]
        return json.dumps(
            {"lastUpdateId": self.number, **self.stamps, "bids": bids, "asks": asks}, separators=(",", ":")
        )


def _kind(stream: str) -> tuple[str, str]:
    """Symbol and kind of a stream: one name for all speeds of the depth."""
    symbol, _, kind = stream.partition("@")
    return symbol.lower(), kind.split("@", 1)[0]


class _Client:
    """A connection, and what it has subscribed to."""

    def __init__(self, connection: ServerConnection, streams: Iterable[str], combined: bool) -> None:
        self.connection, self.combined = connection, combined
        self.streams = {_kind(stream): stream for stream in streams if stream}

    async def send(self, line: Line, text: str) -> None:
        if line.stream is None or _kind(line.stream) not in self.streams:
            return
        if text is line.text and not self.combined:
            text = text[text.index('"data":') + 7 : text.rindex("}")]
        # A client that goes is seen to where it was accepted.
        with contextlib.suppress(ConnectionClosed):
            await self.connection.send(text)

    async def answer(self, message: str | bytes) -> None:
        """What Binance answers to SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        try:
            request = json.loads(message)
            method, number = request["method"], request.get("id")
            names = [str(name) for name in request.get("params") or ()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            reply: dict[str, Any] = {"error": {"code": 3, "msg": "Invalid JSON"}}
        else:
            reply = {"result": None, "id": number}
            if method == "SUBSCRIBE":
                self.streams.update({_kind(name): name for name in names})
            elif method == "UNSUBSCRIBE":
                for name in names:
                    self.streams.pop(_kind(name), None)
            elif method == "LIST_SUBSCRIPTIONS":
                reply["result"] = list(self.streams.values())
            else:
                reply = {"error": {"code": 2, "msg": "Invalid request"}, "id": number}
        await self.connection.send(json.dumps(reply))


class Feed:
    """Plays a recording to whoever is connected; it waits while nobody is.

    All clients see the same moment of the recording, and the slowest one sets the pace. Snapshots (``/api/v3/depth``, ``/fapi/v1/depth``)
    are of the book as of that moment.
    """

    def __init__(
        self,
        lines: Iterable[Line],
        *,
        speed: float | None = 1.0,
        faults: Faults | None = None,
        first: int | None = None,
    ) -> None:
        """``speed``: times as fast as it was recorded; ``None``: as fast as possible. ``first``: play so many messages only."""
        if speed is not None and not speed > 0:
            raise LiveError(f"speed is {speed}; legal: > 0, or max")
        self._lines, self._speed, self._faults, self._first = lines, speed, faults or Faults(), first
        self._clients: set[_Client] = set()
        self._present, self._booked = asyncio.Event(), asyncio.Event()
        self._book = _Book()
        #: Messages played.
        self.played = 0
        self.finished = asyncio.Event()

    def _respond(self, connection: ServerConnection, request: Request) -> Any:
        parts = urlsplit(request.path)
        if parts.path in ("/api/v3/depth", "/fapi/v1/depth"):
            return self._snapshot(connection, parse_qs(parts.query))
        if parts.path == "/stream" or parts.path.startswith("/ws"):
            return None
        return connection.respond(
            http.HTTPStatus.NOT_FOUND, "legal: /stream?streams=..., /ws/..., /api/v3/depth, /fapi/v1/depth\n"
        )

    async def _snapshot(self, connection: ServerConnection, query: dict[str, list[str]]) -> Response:
        try:
            limit = int(query.get("limit", [str(_LIMIT)])[0])
        except ValueError:
            limit = 0
        if not 1 <= limit <= _MOST:
            text = json.dumps({"code": -1100, "msg": f"limit: legal: 1 to {_MOST}"})
            return Response(400, "Bad Request", Headers({"Content-Type": "application/json"}), text.encode())
        try:
            # A request that comes before the recording's snapshot waits for it.
            await asyncio.wait_for(self._booked.wait(), 10)
        except asyncio.TimeoutError:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "the recording has had no snapshot yet\n")
        body = self._book.text(limit).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(200, "OK", headers, body)

    async def _accept(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else "/"
        parts = urlsplit(path)
        combined = parts.path == "/stream"
        names = parse_qs(parts.query).get("streams", [""])[0] if combined else parts.path.removeprefix("/ws").strip("/")
        client = _Client(connection, names.split("/"), combined)
        self._clients.add(client)
        self._present.set()
        try:
            async for message in connection:
                await client.answer(message)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)
            if not self._clients:
                self._present.clear()

    async def _emptied(self) -> None:
        """Waits until the clients of now have gone, but not for ever."""
        leaving = [client.connection.wait_closed() for client in self._clients]
        if leaving:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.gather(*leaving), _PATIENCE)
        await asyncio.sleep(0)

    async def _close_all(self, code: int, reason: str) -> None:
        await asyncio.gather(*(client.connection.close(code, reason) for client in list(self._clients)))

    async def _send(self, line: Line, text: str) -> None:
        for client in list(self._clients):
            await client.send(line, text)

    async def _send_raw(self, text: str) -> None:
        for client in list(self._clients):
            with contextlib.suppress(ConnectionClosed):
                await client.connection.send(text)

    async def play(self) -> None:
        """Plays the recording once."""
        loop = asyncio.get_running_loop()
        begin: tuple[float, int] | None = None
        late: Line | None = None
        faults, lost = self._faults, 0
        for line in self._lines:
            if line.stream is None:
                self._book.snapshot(line.data)
                self._booked.set()
                continue
            if self._first is not None and self.played >= self._first:
                break
            if not self._present.is_set():
                await self._present.wait()
                begin = None
            if self._speed is not None:
                if begin is None:
                    begin = loop.time(), line.stamp_ns
                due = begin[0] + (line.stamp_ns - begin[1]) / 1e9 / self._speed
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
            elif self.played % 64 == 0:
                # Requests for snapshots, and those who leave, get their turn.
                await asyncio.sleep(0)
            self.played += 1
            if line.data.get("e") == "depthUpdate":
                self._book.update(line.data)
            if lost > 0:
                lost -= 1
                continue
            await self._faulty(line, late)
            lost = faults.drop_loses if self._hits(faults.drop_every) else 0
            late = line if self._hits(faults.reorder_every) and late is None else None
        if late is not None:
            await self._send(late, late.text)
        await self._close_all(1000, END)
        self.finished.set()

    def _hits(self, every: int) -> bool:
        return every > 0 and self.played % every == 0

    async def _faulty(self, line: Line, late: Line | None) -> None:
        """Sends a line, with what goes wrong at it."""
        faults = self._faults
        if self._hits(faults.malformed_every):
            await self._send_raw(line.text[: len(line.text) // 2])
        if self._hits(faults.oversize_every):
            await self._send_raw('{"stream":"' + "x" * faults.oversize_bytes + '"}')
            await self._emptied()
            await self._present.wait()
        left_out = self._hits(faults.gap_every)
        postponed = self._hits(faults.reorder_every) and late is None
        if not left_out and not postponed:
            await self._send(line, line.text)
        if self._hits(faults.duplicate_every):
            await self._send(line, line.text)
        if late is not None:
            await self._send(late, late.text)
        if self._hits(faults.drop_every):
            await self._close_all(1012, "service restart")
            await self._emptied()
        if faults.stall_after and self.played == faults.stall_after:
            await asyncio.gather(*(client.connection.wait_closed() for client in list(self._clients)))
            await asyncio.sleep(0)

    async def serve(self, host: str, port: int, ready: Callable[[int], object] = lambda port: None) -> None:
        """Serves until the recording is over. ``ready`` is told the port: port 0 takes a free one."""
        try:
            server: Server = await serve(
                self._accept, host, port, process_request=self._respond, max_size=1 << 16, compression=None
            )
        except (OSError, OverflowError) as error:
            raise LiveError(f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}") from error
        async with server:
            ready(next(iter(server.sockets)).getsockname()[1])
            await self.play()

"""Addresses that lead elsewhere, say nothing, or want to be left alone: of snapshots, and of the stream itself."""

from __future__ import annotations

import asyncio
import contextlib
import http
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from live_session import QUICK, Faults, collect, sample, with_feed

from lobgym.live import fetch
from lobgym.live.errors import CollectError
from lobgym.live.messages import MalformedMessage
from lobgym.live.store import open_store

Answer = Callable[[BaseHTTPRequestHandler, int], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """The URL of a server that answers with this, told how often it was asked before, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            with contextlib.suppress(OSError):
                answer(self, len(asked) - 1)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def dribble(handler: BaseHTTPRequestHandler, begin: bytes) -> None:
    """A byte now and then, which keeps each wait for one short."""
    handler.wfile.write(begin)
    end = time.monotonic() + 100
    while time.monotonic() < end:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.02)


BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nX-Long: "


def test_a_text_is_fetched() -> None:
    with serving(lambda handler, _: say(handler, "{\u00fc}".encode())) as (url, asked):
        assert fetch.fetch(f"{url}/depth?limit=3") == "{\u00fc}"
        assert asked == ["/depth?limit=3"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_snapshot_is_not_fetched_from_where_an_answer_leads(status: int) -> None:
    with (
        serving(lambda handler, _: say(handler, b"{}")) as (elsewhere, reached),
        serving(lambda handler, _: say(handler, b"", status, Location=f"{elsewhere}/internal")) as (url, _),
        pytest.raises(HTTPError, match=str(status)),
    ):
        fetch.fetch(url)
    assert reached == []


def test_a_connection_is_not_made_to_where_an_answer_leads(tmp_path: Path) -> None:
    from websockets.asyncio.server import serve

    asked: list[str] = []

    async def act() -> None:
        def elsewhere(connection: Any, request: Any) -> None:
            asked.append("elsewhere")

        async def silent(connection: Any) -> None:
            await connection.wait_closed()

        async with serve(silent, "127.0.0.1", 0, process_request=elsewhere) as second:
            port = next(iter(second.sockets)).getsockname()[1]

            def redirect(connection: Any, request: Any) -> Any:
                asked.append("here")
                answer = connection.respond(http.HTTPStatus.FOUND, "")
                answer.headers["Location"] = f"ws://127.0.0.1:{port}/internal"
                return answer

            async with serve(silent, "127.0.0.1", 0, process_request=redirect) as first:
                url = f"ws://127.0.0.1:{next(iter(first.sockets)).getsockname()[1]}"
                with open_store(str(tmp_path / "ticks.duckdb")) as store:
                    await asyncio.wait_for(collect(replace(QUICK, url=url, attempts=2), store), 60)

    with pytest.raises(CollectError, match="HTTP 302"):
        asyncio.run(act())
    assert asked == ["here", "here"]


@pytest.mark.parametrize("begin", [BODY, HEAD], ids=["body", "head"])
def test_an_answer_that_dribbles_is_given_up(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.5)
    with serving(lambda handler, _: dribble(handler, begin)) as (url, _), pytest.raises(TimeoutError):
        fetch.fetch(url)


def test_an_answer_that_is_too_long_or_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_LONGEST", 10)
    with serving(lambda handler, count: say(handler, b"x" * 11 if count == 0 else b"\xff")) as (url, _):
        with pytest.raises(MalformedMessage, match="longer than 10 bytes"):
            fetch.fetch(url)
        with pytest.raises(MalformedMessage, match="is no text"):
            fetch.fetch(url)


def collected(store: Path, answer: Answer, seconds: float = 2.0, **changes: Any) -> tuple[Any, list[str]]:
    """What comes of a collection whose snapshots are at this server, and what that was asked."""
    lines = sample()
    span = (lines[-1].stamp_ns - lines[0].stamp_ns) / 1e9
    feeds: list[str] = []

    def answering(handler: BaseHTTPRequestHandler, count: int) -> None:
        handler.feed = feeds[0]  # type: ignore[attr-defined]
        answer(handler, count)

    with serving(answering) as (url, asked), open_store(str(store)) as opened:

        async def act(feed_url: str, feed: Any) -> Any:
            feeds.append(feed_url.replace("ws://", "http://"))
            settings = replace(QUICK, url=feed_url, snapshot_url=url, **changes)
            return await asyncio.wait_for(collect(settings, opened), 100)

        return asyncio.run(with_feed(lines, Faults(), span / seconds, act)), asked


def test_a_book_is_healed_although_a_snapshot_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.3)

    def answer(handler: Any, count: int) -> None:
        if count == 0:
            dribble(handler, BODY)
        with urllib.request.urlopen(f"{handler.feed}/api/v3/depth", timeout=30) as snapshot:
            say(handler, snapshot.read())

    done, asked = collected(tmp_path / "ticks.duckdb", answer, 6.0)
    assert done.causes["no_snapshot"] >= 1 and done.causes["snapshot"] >= 1 and len(asked) >= 2


def test_a_snapshot_that_hangs_does_not_keep_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 600.0)
    monkeypatch.setattr("lobgym.live.session._FETCH_SECONDS", 600.0)
    let_go = threading.Event()
    done, asked = collected(tmp_path / "ticks.duckdb", lambda handler, _: let_go.wait(300) and None)
    left = [thread for thread in threading.enumerate() if thread.name == "lobgym-snapshot"]
    let_go.set()
    assert len(asked) == 1 and done.causes["snapshot"] == 0
    assert len(left) == 1 and left[0].daemon, "the process does not wait for it"
    left[0].join(60)


def test_a_snapshot_that_comes_with_the_end_does_not_keep_a_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    from lobgym.live import session

    monkeypatch.setattr(session, "fetch", lambda url: "{}")

    async def act() -> None:
        fetching = asyncio.create_task(session._fetch("http://x"))
        await asyncio.sleep(0)
        # The answer is there, and the task has not been told when it is cancelled.
        time.sleep(0.5)
        asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(fetching.cancel))
        await asyncio.wait({fetching})
        assert fetching.cancelled()

    asyncio.run(act())


def test_who_wants_to_be_left_alone_is(tmp_path: Path) -> None:
    done, asked = collected(
        tmp_path / "ticks.duckdb", lambda handler, _: say(handler, b"slow down", 429, Retry_After="3600")
    )
    assert len(asked) == 1 and done.causes["no_snapshot"] == 1
    with open_store(str(tmp_path / "ticks.duckdb"), read_only=True) as store:
        (noted,) = [each.detail for each in store.incidents(1) if each.kind == "no_snapshot"]
    assert noted.endswith("HTTP Error 429: Too Many Requests; it wants to be left alone for 3600 s")


def test_an_exchange_that_wants_to_be_left_alone_is_not_connected_to_again(tmp_path: Path) -> None:
    with (
        serving(lambda handler, _: say(handler, b"", 429, Retry_After="3600")) as (url, asked),
        open_store(str(tmp_path / "ticks.duckdb")) as store,
    ):
        settings = replace(QUICK, url=url.replace("http", "ws"), seconds=3.0)
        done = asyncio.run(asyncio.wait_for(collect(settings, store), 100))
        assert done.causes["unreachable"] == len(asked) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:17:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("9" * 30, 3 * 86_400.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("\u0665", 0.0),
        (None, 0.0),
    ],
)
def test_how_long_is_said_in_seconds_or_as_a_date(said: str | None, seconds: float) -> None:
    headers = Message()
    if said is not None:
        headers["Retry-After"] = said
    assert fetch.retry_after(HTTPError("http://x", 418, "I'm a teapot", headers, None), 1_000.0) == seconds
    assert fetch.retry_after(OSError("x"), 1_000.0) == 0.0

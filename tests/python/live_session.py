"""A recording played to a collector over a real websocket on this machine, and what must be in the store then."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb", reason="needs duckdb: pip install 'lobgym[live]'")
pytest.importorskip("websockets", reason="needs websockets: pip install 'lobgym[live]'")

from lobgym.live.collector import Collector  # noqa: E402
from lobgym.live.feed import Faults, Feed  # noqa: E402
from lobgym.live.recording import Line, read_recording  # noqa: E402
from lobgym.live.session import collect  # noqa: E402
from lobgym.live.settings import Settings  # noqa: E402
from lobgym.live.store import Store, Tick  # noqa: E402

DATA = Path(__file__).parents[3] / "shared" / "data"
SAMPLES = {"binance": "binance_spot_btcusdt_20240808.gz", "binance-usdm": "binance_usdm_btcusdt_20240808.gz"}

#: What a message says, as a test sees it.
Row = tuple[Any, ...]


def sample(venue: str = "binance", first: int = 1_500) -> list[Line]:
    """The snapshot and the first messages of a sample."""
    path = DATA / SAMPLES[venue]
    if not path.exists():
        pytest.skip(f"needs {SAMPLES[venue]} in ../shared/data")
    lines: list[Line] = []
    messages = 0
    for line in read_recording(path):
        if line.stream is not None:
            messages += 1
        lines.append(line)
        if messages == first:
            break
    return lines


def expected(line: Line) -> Row:
    """The row of a line, straight from its JSON."""
    data = line.data
    if data.get("e") == "depthUpdate":
        return ("depth", data["E"], data["U"], data["u"], data.get("pu"), *[None] * 7, line.text)
    if data.get("e") == "trade":
        side = "sell" if data["m"] else "buy"
        number = data["t"]
        price, quantity = float(data["p"]), float(data["q"])
        return ("trade", data["E"], number, number, None, price, quantity, side, None, None, None, None, None)
    best = [float(data[key]) for key in "bBaA"]
    return ("best", data.get("E"), data["u"], data["u"], None, None, None, None, *best, None)


def rows_of(lines: list[Line]) -> list[Row]:
    return [expected(line) for line in lines if line.stream is not None]


def row(tick: Tick) -> Row:
    return (
        *(tick.kind, tick.exchange_ms, tick.first_id, tick.last_id, tick.previous_id, tick.price, tick.quantity),
        *(tick.side, tick.bid, tick.bid_size, tick.ask, tick.ask_size, tick.payload),
    )


def stored(store: Store, venue: str = "binance") -> list[Row]:
    """The messages in a store, and that each run's numbers are 1, 2, 3, ... in order of time."""
    runs: dict[int, list[Tick]] = {}
    for run, tick in store.ticks(venue, "BTCUSDT"):
        runs.setdefault(run, []).append(tick)
    for ticks in runs.values():
        assert [tick.sequence for tick in ticks] == list(range(1, len(ticks) + 1))
        assert all(a.time_ns <= b.time_ns for a, b in itertools.pairwise(ticks))
    return [row(tick) for ticks in runs.values() for tick in ticks if tick.kind not in ("snapshot", "gap")]


QUICK = Settings(
    backoff_seconds=0.01,
    longest_backoff_seconds=0.05,
    stall_seconds=1.0,
    batch_rows=400,
    frame_bytes=1 << 20,
    buffer_rows=2_000,
    store_patience_seconds=10.0,
)


async def with_feed(
    lines: list[Line], faults: Faults, speed: float | None, act: Callable[[str, Feed], Awaitable[Any]]
) -> Any:
    """What ``act`` returns, told the URL of a feed."""
    feed = Feed(lines, speed=speed, faults=faults)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(feed.serve("127.0.0.1", 0, port.set_result))
    try:
        return await act(f"ws://127.0.0.1:{await port}", feed)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def play(
    lines: list[Line],
    store: Store,
    faults: Faults | None = None,
    *,
    speed: float | None = None,
    settings: Settings = QUICK,
) -> Collector:
    """Collects a recording to its end."""

    async def act(url: str, feed: Feed) -> Collector:
        return await asyncio.wait_for(collect(replace(settings, url=url), store), 60)

    done: Collector = asyncio.run(with_feed(lines, faults or Faults(), speed, act))
    return done


def book_of(rows: list[tuple[str, str | None, int | None, int | None, int | None]]) -> dict[str, dict[float, float]]:
    """The book that depth updates and snapshots make by the exchange's rules, read naively."""
    sides: dict[str, dict[float, float]] = {}
    reached, following = None, False
    held: list[Any] = []

    def update(numbers: Any, text: str | None) -> None:
        nonlocal reached, following
        first, last, previous = numbers
        if reached is None:
            held.append((numbers, text))
            return
        if last < reached or (previous is None and last == reached):
            return
        whole = previous == reached if previous is not None else first == reached + 1
        if not (whole or (not following and first <= reached + (previous is None))):
            reached = None
            held.append((numbers, text))
            return
        reached, following = last, True
        data = json.loads(text or "")["data"]
        for key in "ba":
            for price, size in data[key]:
                sides[key].pop(float(price), None)
                if float(size):
                    sides[key][float(price)] = float(size)

    for kind, text, first, last, previous in rows:
        if kind == "gap":
            reached = None
        elif kind == "depth":
            update((first, last, previous), text)
        elif kind == "snapshot" and text is not None:
            data = json.loads(text)
            sides = {key: {float(p): float(q) for p, q in data[name]} for key, name in (("b", "bids"), ("a", "asks"))}
            reached, following = last, False
            waiting, held = held, []
            for numbers, earlier in waiting:
                update(numbers, earlier)
    assert reached is not None, "the book is stale at the end"
    return sides


def best_levels(sides: dict[str, dict[float, float]], depth: int = 50) -> list[tuple[float, float]]:
    bids, asks = sorted(sides["b"].items(), reverse=True)[:depth], sorted(sides["a"].items())[:depth]
    return bids + asks

"""What is collected over a real websocket is what was recorded, row by row, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from live_session import (
    QUICK,
    SAMPLES,
    Collector,
    Faults,
    Settings,
    best_levels,
    book_of,
    collect,
    play,
    rows_of,
    sample,
    stored,
    with_feed,
)

from lobgym.live.bars import BarBuilder
from lobgym.live.errors import CollectError, LiveError
from lobgym.live.store import Bar, Incident, Store, StoreError, Tick, open_store
from lobgym.live.store.base import Batch
from lobgym.live.store.duck import DuckStore
from lobgym.live.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(str(tmp_path / "ticks.duckdb")) as opened:
        yield opened


def ticks(store: Store, venue: str = "binance") -> list[Tick]:
    return [tick for _, tick in store.ticks(venue, "BTCUSDT")]


def depth(all_ticks: list[Tick]) -> list[Any]:
    return [(tick.kind, tick.payload, tick.first_id, tick.last_id, tick.previous_id) for tick in all_ticks]


def by_kind(rows: list[Any]) -> dict[str, list[Any]]:
    return {kind: [row for row in rows if row[0] == kind] for kind in ("depth", "best", "trade")}


def book_of_lines(lines: list[Any]) -> Any:
    rows = []
    for line in lines:
        data = line.data
        if line.stream is None:
            rows.append(("snapshot", line.text, None, data["lastUpdateId"], None))
        elif data.get("e") == "depthUpdate":
            rows.append(("depth", line.text, data["U"], data["u"], data.get("pu")))
    return book_of(rows)


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_stored_rows_equal_the_recording(venue: str, store: Store) -> None:
    lines = sample(venue, 3_000)
    done = play(lines, store, settings=replace(QUICK, venue=venue))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["gap"] == done.causes["malformed"] == done.causes["duplicate"] == 0
    assert best_levels(book_of(depth(ticks(store, venue)))) == best_levels(book_of_lines(lines))
    (run,) = store.runs()
    assert (run["ending"], run["ticks"]) == ("end of recording", len(ticks(store, venue)))
    assert [each.kind for each in store.incidents(1)] == ["connected"]


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_disconnects_lose_and_repeat_nothing(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(drop_every=200), settings=replace(QUICK, venue=venue))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["disconnected"] == 7 and done.causes["connected"] == 8
    assert done.causes["gap"] == 0
    assert Counter(each.kind for each in store.incidents(1)) == {"connected": 8, "disconnected": 7}


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_duplicates_are_dropped(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(duplicate_every=3), settings=replace(QUICK, venue=venue))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["duplicate"] == 500


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_a_gap_is_found_and_healed_by_a_snapshot(venue: str, store: Store) -> None:
    lines = sample(venue)
    messages = [line for line in lines if line.stream is not None]
    lost = next(
        n for n in range(len(messages) // 2 + 1, len(messages)) if messages[n - 1].data.get("e") == "depthUpdate"
    )
    # Slow enough for the snapshot to come before the end.
    span = (lines[-1].stamp_ns - lines[0].stamp_ns) / 1e9
    done = play(lines, store, Faults(gap_every=lost), speed=span / 1.5, settings=replace(QUICK, venue=venue))
    assert done.causes["gap"] == 1 and done.kinds["gap"] == 1
    # Depth updates behind the gap wait a moment for the missing one, while quotes and trades go on.
    assert by_kind(stored(store, venue)) == by_kind(rows_of(messages[: lost - 1] + messages[lost:]))
    collected = ticks(store, venue)
    (gap,) = [tick for tick in collected if tick.kind == "gap"]
    assert sum(tick.kind == "snapshot" and tick.sequence > gap.sequence for tick in collected) >= 1
    assert best_levels(book_of(depth(collected))) == best_levels(book_of_lines(lines))
    if venue == "binance":
        assert (gap.first_id, gap.last_id) == (messages[lost - 1].data["U"], messages[lost - 1].data["u"])


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_reordered_depth_updates_are_put_in_order(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(reorder_every=7), settings=replace(QUICK, venue=venue))
    found, true = stored(store, venue), rows_of(lines)
    assert sorted(found, key=repr) == sorted(true, key=repr)
    assert [row for row in found if row[0] == "depth"] == [row for row in true if row[0] == "depth"]
    assert done.causes["gap"] == 0


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_a_depth_update_behind_its_successor_is_no_gap(venue: str, store: Store) -> None:
    lines = [line for line in sample(venue, 3_000) if line.stream is None or line.data.get("e") == "depthUpdate"]
    done = play(lines, store, Faults(reorder_every=50), speed=20, settings=replace(QUICK, venue=venue))
    assert done.causes["reordered"] >= 2 and done.causes["gap"] == 0
    assert stored(store, venue) == rows_of(lines)


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_malformed_messages_are_counted_and_located(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(malformed_every=100), settings=replace(QUICK, venue=venue))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["malformed"] == 15
    found = [each for each in store.incidents(1) if each.kind == "malformed"]
    assert len(found) == 15 and found[0].detail.startswith("frame 100, behind sequence ")
    assert "JSON" in found[0].detail and '{"stream"' in found[0].detail


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_oversized_frames_end_the_connection_only(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(oversize_every=500, oversize_bytes=2 << 20), settings=replace(QUICK, venue=venue))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["oversized"] == 3


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_a_stalled_connection_is_given_up(venue: str, store: Store) -> None:
    lines = sample(venue)
    done = play(lines, store, Faults(stall_after=700), settings=replace(QUICK, venue=venue, stall_seconds=0.5))
    assert stored(store, venue) == rows_of(lines)
    assert done.causes["stalled"] == 1 and done.causes["connected"] == 2


@pytest.mark.parametrize("venue", list(SAMPLES))
def test_what_an_outage_costs_is_counted_and_its_bars_are_incomplete(venue: str, store: Store) -> None:
    lines = sample(venue)
    messages = [line for line in lines if line.stream is not None]
    done = play(
        lines, store, Faults(drop_every=400, drop_loses=150), settings=replace(QUICK, venue=venue, interval_ns=10**8)
    )
    # Of every 400 messages, the first 150 are lost, but of the first ones.
    came = [line for n, line in enumerate(messages) if n < 400 or n % 400 >= 150]
    assert by_kind(stored(store, venue)) == by_kind(rows_of(came))
    trades = [line.data["t"] for line in messages if line.data.get("e") == "trade"]
    seen = [line.data["t"] for line in came if line.data.get("e") == "trade"]
    assert done.lost_trades == seen[-1] - seen[0] + 1 - len(seen) > 0
    noted = [each.detail for each in store.incidents(1) if each.kind == "lost_trades"]
    assert done.causes["lost_trades"] == len(noted) and "trades never came: t " in noted[0]
    assert f"{done.lost_trades} trades lost" in done.line()
    # By the latest stamp so far, as bars are.
    clock = itertools.accumulate((line.data.get("E", 0) for line in messages), max)
    at = [(now // 100, line) for now, line in zip(clock, messages, strict=True) if line.data.get("e") == "trade"]
    lost = {number for number, line in at if line not in came}
    bars = {bar.start_ns // 10**8: bar for _, bar in store.bars(venue, "BTCUSDT")}
    whole = Counter(number for number, _ in at)
    assert lost and not any(bars[number].complete for number in lost)
    assert all(bar.trades == whole[number] for number, bar in bars.items() if bar.complete)
    assert len(trades) > len(seen) and sum(bar.complete for bar in bars.values()) > len(bars) // 2


class Rows(Writer):
    """What a collector gives to be written."""

    def __init__(self) -> None:
        self.ticks_of_it: list[Tick] = []
        self.noted: list[Incident] = []
        self.bars_of_it: list[Bar] = []

    def tick(self, tick: Tick) -> None:
        self.ticks_of_it.append(tick)

    def incident(self, incident: Incident) -> None:
        self.noted.append(incident)

    def bars(self, bars: list[Bar]) -> None:
        self.bars_of_it += bars


def trade(number: int, stamp: int, **more: Any) -> str:
    data = {"e": "trade", "E": stamp, "s": "BTCUSDT", "t": number, "p": "1.5", "q": "2", "T": stamp, "m": True, **more}
    return json.dumps({"stream": "btcusdt@trade", "data": data})


QUOTE = '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1.4","B":"1","a":"1.6","A":"2"}}'


def test_messages_before_the_first_stamp_have_its_time() -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    collector.snapshot('{"lastUpdateId":5,"bids":[],"asks":[]}')
    collector.frame(QUOTE)
    collector.frame(trade(1, 1_700_000_000_000))
    assert rows.ticks_of_it == [], "one stamp alone may be wrong"
    collector.frame(trade(2, 1_699_999_999_000))
    found = [(tick.kind, tick.time_ns // 10**6) for tick in rows.ticks_of_it]
    assert found == [(kind, 1_700_000_000_000) for kind in ("snapshot", "best", "trade", "trade")]


def incomplete(rows: Rows) -> list[int]:
    """Which bars of a second say that they are."""
    return [bar.start_ns // 10**9 - 1_700_000_000 for bar in rows.bars_of_it if not bar.complete]


def test_bars_of_an_outage_are_incomplete() -> None:
    rows = Rows()
    collector = Collector(Settings(interval_ns=10**9), rows)
    begin = 1_700_000_000_000
    for second in range(4):
        collector.frame(trade(second, begin + 1000 * second))
    collector.disconnected()
    # A quote without a stamp does not say how long it took.
    collector.frame(QUOTE)
    collector.frame(trade(4, begin + 6_500))
    for second in range(7, 10):
        collector.frame(trade(second - 2, begin + 1000 * second))
    # The first one, and those from the loss to what came behind it.
    assert incomplete(rows) == [0, 3, 4, 5, 6]
    assert len(rows.bars_of_it) == 9 and collector.lost_trades == 0
    # The quote counts from when it can have been the best, and the bars of the outage do not have it.
    assert [bar.bid is None for bar in rows.bars_of_it] == [True] * 6 + [False] * 3
    assert [bar.spread is None for bar in rows.bars_of_it] == [True] * 6 + [False] * 3


def test_missing_trades_are_counted_and_their_bars_incomplete() -> None:
    rows = Rows()
    collector = Collector(Settings(interval_ns=10**9), rows)
    # 12 and 13 never come; 17 comes late; 20 to 29 never come, at the very end.
    for number, second in ((10, 0), (11, 1), (14, 3), (15, 4), (16, 5), (18, 6), (17, 6), (19, 7), (30, 8)):
        collector.frame(trade(number, 1_700_000_000_000 + 1000 * second))
    assert collector.lost_trades == 2 and collector.causes["lost_trades"] == 1
    assert rows.noted[-1].detail == "2 trades never came: t 12 to 13"
    collector.finish()
    assert collector.lost_trades == 12
    assert rows.noted[-1].detail == "10 trades never came: t 20 to 29"
    # Of a late one nobody knows that it comes.
    assert incomplete(rows) == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (trade(2, 9_000_000_000_000), "s ahead of the local clock; legal: less than a day"),
        (trade(2, -1), "E is -1; legal: an integer from 0 to"),
        (trade(2, 1, p="nan"), "p is 'nan'; legal: a finite positive number in a text"),
        (trade(2, 1, p="-3"), "p is '-3'"),
        (trade(2, 1, q=3), "q is 3; legal"),
        (trade(2, 1, m="yes"), "m is 'yes'; legal: true, false"),
        (trade(2**63, 1), f"t is {2**63}; legal"),
        (trade(2, 1, s="ETHUSDT"), "s is 'ETHUSDT'; legal: 'BTCUSDT'"),
        (trade(2, 1, e="kline"), "e is 'kline'; legal: 'depthUpdate', 'trade', 'bookTicker'"),
        ('{"stream":"x","data":3}', "data is 3; legal: a JSON object"),
        ("[1]", "is [1]; legal: a JSON object"),
        ("[" * 200_000, "no JSON that can be read"),
        ('{"e":', "JSON ends or breaks at character 5"),
        ('{"e":"depthUpdate","s":"BTCUSDT","E":1,"U":9,"u":8,"b":[],"a":[]}', "U is 9 and u is 8; legal: U <= u"),
        ('{"e":"depthUpdate","s":"BTCUSDT","E":1,"U":8,"u":8,"b":[["1"]],"a":[]}', "b has ['1']; legal: [price, size]"),
        (b"binary", "is binary; legal: text"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(frame: str | bytes, reason: str) -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    for number in (0, 1):
        collector.frame(trade(number, 1_700_000_000_000))
    collector.frame(frame)
    assert len(rows.ticks_of_it) == 2 and collector.causes["malformed"] == 1
    assert reason in rows.noted[0].detail and "frame 3, behind sequence 2" in rows.noted[0].detail


BEGIN = 1_700_000_000_000


def test_a_snapshot_does_not_move_the_clock_of_the_stream() -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    for number in (0, 1):
        collector.frame(trade(number, BEGIN))
    collector.snapshot(f'{{"lastUpdateId":5,"E":{BEGIN + 900},"bids":[],"asks":[]}}')
    collector.frame(trade(2, BEGIN + 100))
    found = [(tick.kind, tick.exchange_ms, tick.time_ns) for tick in rows.ticks_of_it[2:]]
    assert found == [
        ("snapshot", BEGIN + 900, BEGIN * 10**6),
        ("trade", BEGIN + 100, (BEGIN + 100) * 10**6),
    ]


@pytest.mark.parametrize(
    ("stamps", "kept"),
    [
        # A wrong one, ahead by an hour or a week, at any place; the first one also if it is long before.
        ([0, 1, 3600, 2, 3], [0, 1, 2, 3]),
        ([0, 1, 604_800, 2, 3], [0, 1, 2, 3]),
        ([3600, 0, 1, 2], [0, 1, 2]),
        ([-1_000_000_000, 0, 1, 2], [0, 1, 2]),
        ([0, 1, 2, 604_800], [0, 1, 2]),
        # A pause of the recording; messages that are rare; one alone; late ones.
        ([0, 1, 3600, 3601, 3602], [0, 1, 3600, 3601, 3602]),
        ([0, 300, 600, 900], [0, 300, 600, 900]),
        ([0], [0]),
        ([0, 1, 2, 604_800, 604_801], [0, 1, 2, 604_800, 604_801]),
        ([0, 30, 10, 31], [0, 30, 10, 31]),
    ],
)
def test_a_wrong_stamp_does_not_stop_the_clock(stamps: list[int], kept: list[int]) -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    for number, stamp in enumerate(stamps):
        collector.frame(trade(number, BEGIN + 1000 * stamp))
    collector.finish()
    found = [tick.exchange_ms for tick in rows.ticks_of_it]
    assert found == [BEGIN + 1000 * stamp for stamp in kept]
    assert rows.ticks_of_it[-1].time_ns == max(each for each in found if each) * 10**6
    refused = [each.detail for each in rows.noted if each.kind == "malformed"]
    assert len(refused) == len(stamps) - len(kept)
    assert all(" s from the message b" in each and "behind sequence " in each for each in refused)


def quote(number: int) -> str:
    return QUOTE.replace('"u":1', f'"u":{number}')


def test_messages_keep_their_order_around_the_first_stamp() -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    for frame in (quote(1), trade(1, BEGIN), quote(2), quote(3), trade(2, BEGIN + 100), quote(4)):
        collector.frame(frame)
    assert [(tick.kind, tick.last_id) for tick in rows.ticks_of_it] == [
        *(("best", 1), ("trade", 1), ("best", 2), ("best", 3), ("trade", 2), ("best", 4))
    ]


def test_a_stream_without_stamps_goes_by_the_local_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lobgym.live.collector._MOST_UNSTAMPED", 50)
    now = [BEGIN * 10**6]
    monkeypatch.setattr("lobgym.live.collector.time.time_ns", lambda: now[0])
    rows = Rows()
    collector = Collector(Settings(interval_ns=10**9), rows)
    for number in range(120):
        collector.frame(quote(number))
        now[0] += 10**8
        assert (len(rows.ticks_of_it) == 0) == (number < 49)
    assert [tick.last_id for tick in rows.ticks_of_it] == list(range(120)), "in order"
    assert [tick.sequence for tick in rows.ticks_of_it] == list(range(1, 121))
    assert all(tick.time_ns == tick.received_ns for tick in rows.ticks_of_it)
    assert len(rows.bars_of_it) == 11 and all(bar.quotes == 10 for bar in rows.bars_of_it)
    # An outage ends with what comes over the next connection.
    collector.disconnected()
    now[0] += 3 * 10**9
    for number in range(120, 150):
        collector.frame(quote(number))
        now[0] += 10**8
    # The bar of the loss, those without anything, and the one of the first message.
    assert [bar.complete for bar in rows.bars_of_it] == [False] + [True] * 10 + [False] * 5 + [True]
    # A stamp takes over; time never goes back.
    collector.frame(trade(1, BEGIN + 60_000))
    collector.frame(trade(2, BEGIN + 60_001))
    collector.frame(quote(150))
    assert [tick.time_ns for tick in rows.ticks_of_it[-3:]] == [(BEGIN + 60_000 + n) * 10**6 for n in (0, 1, 1)]


def test_a_stamp_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    collector = Collector(Settings(), rows)
    collector.frame(quote(1))
    collector.look()
    assert rows.ticks_of_it == []
    monkeypatch.setattr("lobgym.live.collector._UNSTAMPED_SECONDS", -1.0)
    collector.look()
    collector.frame(quote(2))
    assert [tick.last_id for tick in rows.ticks_of_it] == [1, 2]
    assert all(tick.time_ns == tick.received_ns for tick in rows.ticks_of_it)
    # The only stamp there was is a clock as well.
    rows = Rows()
    collector = Collector(Settings(), rows)
    collector.frame(quote(1))
    collector.frame(trade(1, BEGIN))
    collector.look()
    assert [tick.time_ns for tick in rows.ticks_of_it] == [BEGIN * 10**6] * 2


def naive_bars(collected: list[Tick], interval: int) -> dict[int, Any]:
    """Bars from all ticks at once: a step function of the quote, integrated over each interval."""
    bars = {}
    first, last = collected[0].time_ns // interval, collected[-1].time_ns // interval
    quotes = [tick for tick in collected if tick.kind == "best"]
    for number in range(first, last + 1):
        begin, end = number * interval, min((number + 1) * interval, collected[-1].time_ns)
        trades = [tick for tick in collected if tick.kind == "trade" and tick.time_ns // interval == number]
        prices = [tick.price for tick in trades]
        weight = spread = imbalance = 0.0
        for quote, after in zip(quotes, [*quotes[1:], None], strict=True):
            until = after.time_ns if after is not None else collected[-1].time_ns
            held = min(until, end) - max(quote.time_ns, begin)
            if held > 0:
                bid, ask, bids, asks = quote.bid, quote.ask, quote.bid_size, quote.ask_size
                assert bid is not None and ask is not None and bids is not None and asks is not None
                weight += held
                spread += held * (ask - bid)
                imbalance += held * (bids - asks) / (bids + asks)
        skews = [
            tick.received_ns - tick.exchange_ms * 10**6
            for tick in collected
            if tick.time_ns // interval == number and tick.exchange_ms is not None and tick.kind != "snapshot"
        ]
        closing = [quote for quote in quotes if quote.time_ns // interval <= number][-1:]
        bars[number * interval] = (
            *((prices[0], max(prices), min(prices), prices[-1]) if prices else [None] * 4),
            *(sum(tick.quantity for tick in trades), len(trades)),
            sum(quote.time_ns // interval == number for quote in quotes),
            *((spread / weight, imbalance / weight) if weight else (None, None)),
            min(skews, default=None),
            number not in (first, last),
            # The connection is gone before the last bar's end.
            *([(q.bid, q.bid_size, q.ask, q.ask_size) for q in closing if number < last] or [(None,) * 4]),
        )
    return bars


@pytest.mark.parametrize("interval_ms", [100, 5_000])
def test_bars_equal_a_naive_computation(interval_ms: int, store: Store) -> None:
    interval = interval_ms * 10**6
    play(sample("binance-usdm", 2_500), store, settings=replace(QUICK, venue="binance-usdm", interval_ns=interval))
    true = naive_bars(ticks(store, "binance-usdm"), interval)
    found = {bar.start_ns: bar for _, bar in store.bars("binance-usdm", "BTCUSDT")}
    assert list(found) == list(true) and len(found) > 1
    for start, values in true.items():
        bar = found[start]
        assert (bar.open, bar.high, bar.low, bar.close, bar.trades, bar.quotes) == (*values[:4], *values[5:7])
        assert bar.volume == pytest.approx(values[4], rel=1e-12)
        assert (bar.skew_ns, bar.complete) == values[9:11]
        assert (bar.bid, bar.bid_size, bar.ask, bar.ask_size) == values[11]
        # A bar without time in it (a quote at the very end) has the last quote's.
        if values[7] is not None:
            assert bar.spread == pytest.approx(values[7], rel=1e-9)
            assert bar.imbalance == pytest.approx(values[8], rel=1e-9, abs=1e-12)


def test_a_bar_has_the_quote_at_its_end_unless_it_was_lost() -> None:
    def quote(number: int, time_ns: int, bid: float) -> Tick:
        return Tick(number, "best", time_ns, time_ns, None, *[number] * 2, *[None] * 4, bid, 1.0, bid + 1, 2.0, None)

    builder = BarBuilder(10)
    found = [
        bar for number, time_ns in enumerate((3, 8, 20), 1) for bar in builder.add(quote(number, time_ns, 5.0 + number))
    ]
    # What comes at the end of a bar is the next one's.
    assert [(bar.start_ns, bar.bid, bar.bid_size, bar.ask, bar.ask_size) for bar in found] == [
        (0, 7.0, 1.0, 8.0, 2.0),
        (10, 7.0, 1.0, 8.0, 2.0),
    ]
    builder.lost()
    (lost,) = builder.finish()
    assert (lost.bid, lost.bid_size, lost.ask, lost.ask_size, lost.quotes) == (None, None, None, None, 1)


def test_a_quote_counts_until_the_connection_is_lost() -> None:
    def tick(kind: str, time_ns: int, spread: float) -> Tick:
        best = (5.0, 1.0, 5.0 + spread, 2.0) if kind == "best" else (None,) * 4
        price = (1.0, 1.0, "buy") if kind == "trade" else (None,) * 3
        return Tick(*(time_ns + 1, kind, time_ns, time_ns, None, time_ns, time_ns, None), *price, *best, None)

    builder = BarBuilder(10)
    builder.add(tick("best", 0, 1.0))
    builder.add(tick("trade", 8, 0.0))
    builder.lost()
    builder.add(tick("best", 9, 3.0))
    (bar,) = builder.add(tick("trade", 11, 0.0))
    assert bar.spread == pytest.approx((8 * 1 + 1 * 3) / 9)
    assert bar.imbalance == pytest.approx(-1 / 3)


class AbsentStore(DuckStore):
    """A store that goes away for some batches, once before and once after its commit."""

    refused = 0

    def connect(self) -> None:
        if 0 < self.refused < 3:
            self.refused += 1
            raise StoreError("the server is away")
        super().connect()

    def write(self, batch: Batch) -> bool:
        if batch.number == 2 and not self.refused:
            self.refused = 1
            raise StoreError("the server has gone")
        done = super().write(batch)
        if batch.number == 4 and done:
            raise StoreError("the connection broke, and nobody knows whether that was written")
        return done


def test_a_store_that_comes_back_has_every_row_once(tmp_path: Path) -> None:
    lines = sample()
    with AbsentStore(tmp_path / "ticks.duckdb") as store:
        play(lines, store)
        assert store.refused == 3
        assert stored(store) == rows_of(lines)
        assert store.runs()[0]["batches"] >= 7


class LostStore(DuckStore):
    """A store that goes away for good."""

    def write(self, batch: Batch) -> bool:
        if batch.number > 2:
            raise StoreError("no space left")
        return super().write(batch)


def test_a_store_that_stays_away_ends_the_collection_with_whole_batches(tmp_path: Path) -> None:
    lines = sample()
    with LostStore(tmp_path / "ticks.duckdb") as store:
        with pytest.raises(CollectError, match=r"store has failed for .* none in part; no space left"):
            play(lines, store, settings=replace(QUICK, batch_seconds=60.0, buffer_rows=600))
        kept = stored(store)
        assert kept == rows_of(lines)[: len(kept)] and 390 <= len(kept) <= 400
        assert store.runs()[0]["ticks"] == 400


class HungStore(DuckStore):
    """A store that stops to answer, without an error, until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.let_go = threading.Event()

    def write(self, batch: Batch) -> bool:
        if batch.number > 2:
            self.let_go.wait(120)
        return super().write(batch)


def left_behind() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lobgym-store"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"store_patience_seconds": 1.0}, "patience is 1 s"),
        ({"store_patience_seconds": 1_000.0, "buffer_rows": 600}, "the buffer is full"),
    ],
)
def test_a_store_that_hangs_ends_the_collection_as_one_that_fails(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lobgym.live.writer._SLOW", 0.2)
    lines, said, before = sample(), list[str](), left_behind()
    store = HungStore(tmp_path / "ticks.duckdb")

    async def act(url: str, feed: Any) -> None:
        settings = replace(QUICK, url=url, batch_seconds=60.0, **changes)
        await asyncio.wait_for(collect(settings, store, say=said.append), 60)

    with pytest.raises(CollectError, match=rf"the store has failed for .*{message}.*has not answered for"):
        asyncio.run(with_feed(lines, Faults(), None, act))
    assert len(said) == 1 and "has not answered for" in said[0] and "ticks may wait" in said[0]
    (thread,) = [each for each in left_behind() if each not in before]
    assert thread.daemon, "the process does not wait for it"
    store.close()
    store.let_go.set()
    thread.join(60)
    # What it was in the midst of came to nothing, and not in part.
    with open_store(str(store.path), read_only=True) as again:
        kept = stored(again)
        assert kept == rows_of(lines)[: len(kept)] and 390 <= len(kept) <= 400
        assert again.runs()[0]["batches"] == 2 and again.runs()[0]["ending"] is None


def test_a_stopped_collection_waits_for_a_hung_store_as_long_as_its_patience(tmp_path: Path) -> None:
    store = HungStore(tmp_path / "ticks.duckdb")

    async def act(url: str, feed: Any) -> None:
        stop = asyncio.Event()
        collecting = asyncio.create_task(
            collect(replace(QUICK, url=url, store_patience_seconds=3.0, buffer_rows=10**6), store, stop=stop)
        )
        while feed.played < 800:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(collecting, 60)

    with pytest.raises(CollectError, match=r"patience is 3 s.*has not answered"):
        asyncio.run(with_feed(sample(), Faults(), None, act))
    store.let_go.set()
    for thread in left_behind():
        thread.join(60)
    store.close()


class LateStore(DuckStore):
    """A store that answers late, but does, and once says that nothing came of it although it did."""

    def write(self, batch: Batch) -> bool:
        done = super().write(batch)
        if batch.number in (2, 4) and done:
            threading.Event().wait(0.6)
            if batch.number == 4:
                raise StoreError("no answer in time")
        return done


def test_a_write_that_comes_back_late_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lobgym.live.writer._SLOW", 0.1)
    lines = sample()
    with LateStore(tmp_path / "ticks.duckdb") as store:
        play(lines, store)
        assert stored(store) == rows_of(lines)
        assert store.runs()[0]["ending"] == "end of recording"


class RestartedStore(DuckStore):
    """A store that is away when the collection is over."""

    refused = 0

    def end_run(self, run: int, ending: str, skew_ns: int | None = None) -> None:
        if self.refused < 2:
            self.refused += 1
            raise StoreError("the server was restarted")
        super().end_run(run, ending, skew_ns)


def test_the_end_of_a_run_is_noted_although_the_store_was_away(tmp_path: Path) -> None:
    with RestartedStore(tmp_path / "ticks.duckdb") as store:
        play(sample(first=300), store)
        assert store.refused == 2 and store.runs()[0]["ending"] == "end of recording"


def test_a_run_has_the_least_skew_of_its_bars(store: Store) -> None:
    done = play(sample(), store)
    (run,) = store.runs()
    least = min(bar.skew_ns for _, bar in store.bars("binance", "BTCUSDT") if bar.skew_ns is not None)
    assert run["skew_ns"] == done.skew_ns == least


def test_a_failure_at_the_very_end_costs_no_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Collector.finish

    def failing(self: Collector) -> None:
        finish(self)
        raise CollectError("cannot write to bars.csv")

    monkeypatch.setattr(Collector, "finish", failing)
    lines = sample()
    with pytest.raises(CollectError, match=r"cannot write to bars\.csv"):
        play(lines, store, settings=replace(QUICK, batch_seconds=60.0))
    assert stored(store) == rows_of(lines)
    assert store.runs()[0]["ending"] == "failed: cannot write to bars.csv"


def test_a_failure_between_messages_ends_the_collection(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Collector) -> None:
        if sum(self.kinds.values()) >= 700:
            raise CollectError("cannot write to bars.csv")

    monkeypatch.setattr(Collector, "look", failing)
    lines = sample()
    with pytest.raises(CollectError, match=r"cannot write to bars\.csv"):
        play(lines, store, Faults(stall_after=700))
    kept = stored(store)
    assert kept == rows_of(lines)[: len(kept)] and len(kept) >= 690


def test_no_threads_are_left(store: Store) -> None:
    play(sample(first=300), store)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("lobgym-store")]


def test_a_feed_that_is_not_there_is_named(store: Store) -> None:
    settings = replace(QUICK, url="ws://127.0.0.1:9", attempts=2)
    with pytest.raises(CollectError, match=r"cannot connect to ws://127.0.0.1:9/stream\?.* 2 times"):
        asyncio.run(collect(settings, store))
    assert "failed: cannot connect" in store.runs()[0]["ending"]


def test_plain_streams_and_subscriptions_are_served() -> None:
    lines = sample(first=400)

    async def act(url: str, feed: Any) -> list[str]:
        from websockets.asyncio.client import connect

        async with connect(f"{url}/ws/btcusdt@trade") as plain:
            await plain.send('{"method":"LIST_SUBSCRIPTIONS","id":3}')
            return [str(message) async for message in plain]

    found = asyncio.run(with_feed(lines, Faults(), None, act))
    trades = [line.text for line in lines if line.data.get("e") == "trade"]
    answers = [text for text in found if '"result"' in text]
    assert [text for text in found if '"result"' not in text] == [text[text.index("data") + 6 : -1] for text in trades]
    assert answers in ([], ['{"result": ["btcusdt@trade"], "id": 3}'])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"venue": "nyse"}, "venue is 'nyse'; legal: binance, binance-usdm"),
        ({"symbol": "btc/usdt"}, "symbol is 'btc/usdt'; legal"),
        ({"url": "http://x"}, "url is 'http://x'; legal: ws://..., wss://..."),
        ({"stall_seconds": 0.0}, "stall_seconds is 0.0; legal: a finite number > 0"),
        ({"buffer_rows": 10}, r"buffer_rows is 10; legal: batch_rows \(5000\) or more"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(LiveError, match=message):
        Settings(**wrong)

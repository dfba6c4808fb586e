"""Indicators from Python: arrays and ticks, TA-Lib's values, and what is said about what is not legal."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lobgym import indicators as ind

FIXTURE = Path(__file__).parents[2] / "gym/tests/data/talib.json"
RNG = np.random.default_rng(4)
CLOSE = 100 * np.exp(np.cumsum(0.002 * RNG.standard_normal(400)))
HIGH, LOW = CLOSE + RNG.random(400), CLOSE - RNG.random(400)
VOLUME = RNG.integers(0, 4, 400).astype(float)
SESSION = (np.arange(400) // 150).astype(float)
BID, ASK = np.floor(CLOSE), np.floor(CLOSE) + RNG.integers(1, 3, 400)
BID_SIZE, ASK_SIZE = RNG.integers(0, 9, 400), RNG.integers(1, 9, 400)
QUOTES = (BID, BID_SIZE, ASK, ASK_SIZE)

#: A function with its class, settings of both, and arrays.
BOTH: list[tuple[Callable[..., Any], Callable[..., Any], dict[str, Any], tuple[npt.ArrayLike, ...]]] = [
    (ind.sma, ind.Sma, {"period": 7}, (CLOSE,)),
    (ind.ema, ind.Ema, {"period": 7}, (CLOSE,)),
    (ind.rsi, ind.Rsi, {}, (CLOSE,)),
    (ind.macd, ind.Macd, {"fast": 5, "slow": 9, "signal": 3}, (CLOSE,)),
    (ind.bollinger, ind.Bollinger, {"deviations_up": 1}, (CLOSE,)),
    (ind.atr, ind.Atr, {"period": 5}, (HIGH, LOW, CLOSE)),
    (ind.vwap, ind.Vwap, {}, (CLOSE, VOLUME)),
    (ind.vwap, ind.Vwap, {"window": 9}, (CLOSE, VOLUME)),
    (ind.volatility, ind.Volatility, {"divisor": "population"}, (CLOSE,)),
    (ind.log_return, ind.LogReturn, {"period": 3}, (CLOSE,)),
    (ind.order_flow_imbalance, ind.OrderFlowImbalance, {"window": 5}, QUOTES),
    (ind.microprice_deviation, ind.MicropriceDeviation, {"unit": 0.5}, QUOTES),
    (ind.microprice_deviation, ind.MicropriceDeviation, {"unit": "price"}, QUOTES),
]


def columns(result: Any) -> list[npt.NDArray[np.float64]]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize(("function", "kind", "settings", "arrays"), BOTH)
def test_arrays_and_ticks_give_the_same_bits(
    function: Callable[..., Any],
    kind: Callable[..., Any],
    settings: dict[str, Any],
    arrays: tuple[npt.NDArray[Any], ...],
) -> None:
    batch = columns(function(*arrays, **settings))
    assert all(column.dtype == np.float64 and column.shape == (400,) for column in batch)
    streaming = kind(**settings)
    for _ in range(2):
        rows = np.array([np.atleast_1d(streaming.update(*tick)) for tick in zip(*arrays, strict=True)])
        for column, streamed in zip(batch, rows.T, strict=True):
            assert column.tobytes() == streamed.tobytes()
        streaming.reset()
    if function is not ind.vwap:
        assert [int(np.isnan(column).sum()) for column in batch] == [streaming.warm_up] * len(batch)


def test_sessions_begin_where_their_number_changes() -> None:
    whole = ind.vwap(CLOSE, VOLUME, session=SESSION)
    days = [day == SESSION for day in range(3)]
    parts = [ind.vwap(CLOSE[rows], VOLUME[rows]) for rows in days]
    # A session without volume yet has the last one's value.
    for rows, part in zip(days, parts, strict=True):
        begun = ~np.isnan(part)
        np.testing.assert_array_equal(whole[rows][begun], part[begun])
    streaming = ind.Vwap()
    streamed = [streaming.update(*tick) for tick in zip(CLOSE, VOLUME, SESSION, strict=True)]
    np.testing.assert_array_equal(whole, streamed)


def test_any_array_of_numbers_goes_in_and_stays_as_it_is() -> None:
    prices = np.array([3, 5, 4, 8, 6], dtype=np.int32)
    expected = ind.ema(prices.astype(float), 2)
    before = prices.copy()
    np.testing.assert_array_equal(ind.ema(prices, 2), expected)
    np.testing.assert_array_equal(ind.ema(prices.tolist(), 2), expected)
    np.testing.assert_array_equal(ind.ema(np.repeat(prices, 2)[::2], 2), expected)
    np.testing.assert_array_equal(ind.ema(prices.astype(">f4"), 2), expected)
    np.testing.assert_array_equal(prices, before)
    assert ind.ema([], 2).shape == (0,)
    assert np.isnan(ind.ema([1.0], 2)).all()


@pytest.mark.parametrize(
    "case", json.loads(FIXTURE.read_text(encoding="utf-8"))["cases"], ids=lambda case: str(case["settings"])
)
def test_values_are_those_of_ta_lib_as_recorded(case: dict[str, Any]) -> None:
    series = json.loads(FIXTURE.read_text(encoding="utf-8"))["series"]
    function: Callable[..., Any] = getattr(ind, case["indicator"])
    found = columns(function(*(series[name] for name in case["inputs"]), **case["settings"]))
    for column, expected in zip(found, case["outputs"], strict=True):
        wanted = np.array([math.nan if number is None else number for number in expected])
        np.testing.assert_allclose(column, wanted, rtol=0, atol=1e-9, equal_nan=True)


def test_values_are_those_of_ta_lib_over_a_million_ticks() -> None:
    talib = pytest.importorskip("talib")
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(1e-3 * rng.standard_normal(1_000_000)))
    close /= np.exp(np.linspace(0, np.log(close[-1] / close[0]), close.size))
    high, low = close + 0.1 * rng.random(close.size), close - 0.1 * rng.random(close.size)
    pairs = [
        *((ind.sma(close, period), talib.SMA(close, period)) for period in (2, 20, 200)),
        *((ind.ema(close, period), talib.EMA(close, period)) for period in (2, 20, 200)),
        *((ind.rsi(close, period), talib.RSI(close, period)) for period in (2, 14, 200)),
        *((ind.atr(high, low, close, period), talib.ATR(high, low, close, period)) for period in (1, 14, 200)),
        *zip(ind.macd(close), talib.MACD(close), strict=True),
        *zip(ind.bollinger(close, 20), talib.BBANDS(close, 20, 2, 2), strict=True),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ind.rsi(CLOSE, period=1), ValueError, "period is 1; legal: an integer from 2 to 100000"),
        (lambda: ind.rsi(CLOSE, period=2.5), ValueError, "period is 2.5; legal: an integer of 0 or more"),  # type: ignore[arg-type]
        (lambda: ind.Rsi(period=-1), ValueError, "period is -1; legal: an integer of 0 or more"),
        (lambda: ind.macd(CLOSE, fast=30), ValueError, "fast is 30; legal: an integer from 2 to 25"),
        (lambda: ind.volatility(CLOSE, divisor="n"), ValueError, 'divisor is "n"; legal: sample or population'),  # type: ignore[arg-type]
        (lambda: ind.bollinger(CLOSE, deviations_up=math.nan), ValueError, "deviations_up is nan; legal: a finite"),
        (lambda: ind.microprice_deviation(*QUOTES, unit=0.0), ValueError, "unit.ticks is 0; legal: a number from"),
        (lambda: ind.sma([1.0, math.nan]), ValueError, "close[1] is NaN; legal: a number from -1e100 to 1e100"),
        (lambda: ind.volatility([1.0, 0.0]), ValueError, "close[1] is 0; legal: a number from 1e-100 to 1e100"),
        (lambda: ind.vwap([1, 2], [1, -2]), ValueError, "volume[1] is -2; legal: 0, or a number from"),
        (lambda: ind.atr(LOW, HIGH, CLOSE), ValueError, "low[0] is "),
        (lambda: ind.atr(HIGH, LOW, CLOSE[1:]), ValueError, "close is 399 long; legal: 400 long, as high is"),
        (lambda: ind.vwap(CLOSE, VOLUME, session=[1]), ValueError, "session is 1 long; legal: 400 long, as price is"),
        (lambda: ind.sma(np.ones((2, 2))), ValueError, "close is an array of shape (2, 2); legal: a one-dimensional"),
        (lambda: ind.sma(["a"]), TypeError, "close is an array of <U1; legal: a one-dimensional array of numbers"),
        (lambda: ind.sma([True]), TypeError, "close is an array of bool; legal: a one-dimensional array of numbers"),
        (lambda: ind.Sma().update("a"), TypeError, "close is 'a'; legal: a number"),  # type: ignore[arg-type]
        (lambda: ind.Sma().update(math.inf), ValueError, "close is inf; legal: a number from -1e100 to 1e100"),
    ],
)
def test_what_is_not_legal_is_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_a_refused_tick_changes_nothing() -> None:
    disturbed, plain = ind.Rsi(3), ind.Rsi(3)
    for close in CLOSE[:50]:
        with pytest.raises(ValueError, match="close is NaN"):
            disturbed.update(math.nan)
        with pytest.raises(TypeError, match="close is None"):
            disturbed.update(None)  # type: ignore[arg-type]
        assert np.array(disturbed.update(close)).tobytes() == np.array(plain.update(close)).tobytes()


def test_other_threads_run_meanwhile() -> None:
    close = np.full(4_000_000, 100.0)
    times: list[float] = []

    def work() -> None:
        times.append(time.perf_counter())
        ind.volatility(close, 20)
        times.append(time.perf_counter())

    worker = threading.Thread(target=work)
    worker.start()
    longest, last = 0.0, time.perf_counter()
    while worker.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    begin, end = times
    # With the GIL held, this thread would stand still as long as the call takes.
    assert longest < 0.7 * (end - begin)


def test_named_results() -> None:
    assert ind.macd(CLOSE)._fields == ind.Macd().update(1.0)._fields == ("line", "signal", "histogram")
    assert ind.bollinger(CLOSE)._fields == ind.Bollinger().update(1.0)._fields == ("upper", "middle", "lower")

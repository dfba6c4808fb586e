"""Market events that `lobgym data convert` writes, as NumPy and the package hftbacktest see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import lobgym_command

ROWS = """id,timestamp,exchange.timestamp,price,volume,action,direction
1,10000,10000,5.01,700000000,created,bid
2,10001,10000,5.03,900000000,created,ask
2,10002,10000,5.03,300000000,changed,ask
3,10003,10003,5.02,100000000,created,ask
1,10004,10000,5.01,700000000,deleted,bid
"""

SPOT = """1000000000 {"lastUpdateId":4,"bids":[["1.00","9.0"],["0.99","4.0"]],"asks":[["1.02","9.0"]]}
1100000000 {"stream":"x","data":{"e":"depthUpdate","E":900,"s":"X","U":5,"u":6,"b":[["1.01","2.5"]],"a":[]}}
1200000000 {"stream":"x","data":{"e":"trade","E":950,"s":"X","t":8,"p":"1.02","q":"0.5","T":950,"m":false,"M":true}}
1300000000 {"stream":"x","data":{"e":"depthUpdate","E":1400,"s":"X","U":7,"u":7,"b":[["1.01","0.0"]],"a":[]}}
"""


def convert(tmp_path: Path, text: str) -> Path:
    """The npz of a file of market data."""
    source, target = tmp_path / "source", tmp_path / "events.npz"
    source.write_text(text)
    lobgym_command("data", "convert", str(source), "--out", str(target))
    return target


def events(path: Path) -> Any:
    """The records."""
    with np.load(path) as file:
        return file["data"]


def test_orders_are_records_of_the_documented_layout(tmp_path: Path) -> None:
    data = events(convert(tmp_path, ROWS))
    assert data.dtype.itemsize == 64
    assert list(data["ev"] & 0xFF) == [10, 10, 13, 12, 10, 11]
    assert list(data["px"]) == [5.01, 5.03, 5.03, 5.03, 5.02, 5.01]
    assert list(data["qty"]) == [7.0, 9.0, 6.0, 3.0, 1.0, 7.0]
    assert list(data["order_id"]) == [1, 2, 2, 2, 3, 1]
    assert (data["ev"] >> 30 == 3).all()


def test_nothing_is_received_before_it_is_sent(tmp_path: Path) -> None:
    data = events(convert(tmp_path, SPOT))
    assert (data["local_ts"] >= data["exch_ts"]).all()
    local, exchange = data[data["ev"] >> 30 & 1 == 1], data[data["ev"] >> 31 == 1]
    assert (np.diff(local["local_ts"]) >= 0).all() and (np.diff(exchange["exch_ts"]) >= 0).all()


def test_hftbacktest_plays_the_file(tmp_path: Path) -> None:
    package = pytest.importorskip("hftbacktest")
    validation = pytest.importorskip("hftbacktest.data")
    data = events(convert(tmp_path, SPOT))
    assert data.dtype == package.event_dtype
    validation.validate_event_order(data)
    asset = (
        package.BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.01)
        .lot_size(0.5)
    )
    backtest = package.HashMapMarketDepthBacktest([asset])
    seen, going = [], True
    while going:
        # 1 is the end of the data, which comes with the last event.
        going = backtest.wait_next_feed(True, 10**12) in (0, 2)
        depth = backtest.depth(0)
        seen.append((round(depth.best_bid, 2), depth.best_bid_qty, round(depth.best_ask, 2), depth.best_ask_qty))
    backtest.close()
    assert (1.01, 2.5, 1.02, 9.0) in seen
    assert seen[-1] == (1.0, 9.0, 1.02, 9.0)

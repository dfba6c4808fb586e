"""Comparisons of execution strategies."""

from __future__ import annotations

import builtins
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lobgym


@pytest.fixture(scope="module")
def comparison() -> lobgym.Comparison:
    return lobgym.compare(["noise", "flow"], lots=[60, 20], strategies=["twap", "sl"], episodes=60, seed=3)


def test_tables_have_a_row_for_each_cell_and_strategy(comparison: lobgym.Comparison) -> None:
    table = comparison.table
    assert table["market"].tolist() == ["noise"] * 4 + ["flow"] * 4
    assert table["lots"].tolist() == [20, 20, 60, 60] * 2
    assert table["strategy"].tolist() == ["twap", "sl"] * 4
    assert table["episodes"].tolist() == [60] * 8
    paired = comparison.paired
    assert paired["strategy"].tolist() == ["sl"] * 4
    assert paired["against"].tolist() == ["twap"] * 4
    assert (paired["ci95_low"] < paired["difference"]).all()
    outcomes = comparison.outcomes
    assert outcomes.rows == 2 * 2 * 2 * 60


def test_tables_follow_from_the_outcomes(comparison: lobgym.Comparison) -> None:
    outcomes = comparison.outcomes.to_pandas()
    means = outcomes.groupby(["market", "lots", "strategy"]).mean(numeric_only=True)
    table = comparison.table.to_pandas().set_index(["market", "lots", "strategy"])
    for key, row in table.iterrows():
        assert row["reward_mean"] == pytest.approx(means.loc[key, "reward"])
        assert row["shortfall_ticks"] == pytest.approx(means.loc[key, "shortfall_ticks"])
    wide = outcomes.pivot(index=["market", "lots", "episode"], columns="strategy", values="reward")
    differences = (wide["sl"] - wide["twap"]).groupby(["market", "lots"]).mean()
    for market, lots, difference in zip(
        comparison.paired["market"], comparison.paired["lots"], comparison.paired["difference"], strict=True
    ):
        assert difference == pytest.approx(differences.loc[(market, lots)])
    parts = outcomes["spread_ticks"] + outcomes["impact_ticks"] + outcomes["timing_ticks"] + outcomes["fees_ticks"]
    np.testing.assert_allclose(parts, outcomes["shortfall_ticks"], atol=1e-9)


def test_results_go_to_pandas_and_polars(comparison: lobgym.Comparison) -> None:
    table = comparison.table
    assert table.to_polars()["reward_mean"].to_list() == table["reward_mean"].tolist()
    assert table.to_pandas()["market"].tolist() == table["market"].tolist()
    assert table.to_numpy()["lots"].tolist() == table["lots"].tolist()
    assert "<td>noise</td>" in comparison._repr_html_()
    with pytest.raises(KeyError, match="reward_mean"):
        table["reward"]


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_missing_package_is_named(
    comparison: lobgym.Comparison, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        getattr(comparison.table, f"to_{package}")()


def test_json_is_the_commands(comparison: lobgym.Comparison) -> None:
    parsed = json.loads(comparison.to_json())
    assert set(parsed) == {"cells", "seconds", "settings"}
    assert [cell["lots"] for cell in parsed["cells"]] == [20, 60, 20, 60]
    assert parsed["cells"][0]["strategies"][0]["reward_mean"] == comparison.table["reward_mean"][0]
    settings = parsed["settings"]
    assert (settings["seed"], settings["episodes"], settings["side"]) == (3, 60, "sell")
    assert settings["interrupted"] is False
    # The recorded command makes it again.
    again = eval(settings["command"], {"lobgym": lobgym})
    assert json.loads(again.to_json())["cells"] == parsed["cells"]


def test_report_is_a_page(comparison: lobgym.Comparison, tmp_path: Path) -> None:
    comparison.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page == comparison.html()
    assert "<svg" in page
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]
    with pytest.raises(OSError, match="nowhere"):
        comparison.to_html(tmp_path / "nowhere" / "report.html")


def test_results_do_not_depend_on_threads() -> None:
    one, two = (lobgym.compare(strategies="sl", episodes=40, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.outcomes["reward"], two.outcomes["reward"])


def test_market_settings_matter() -> None:
    fees = {"maker_taker": {"maker": {"per_lot": 1.0}, "taker": {"per_lot": 1.0}}}
    free = lobgym.compare(strategies="market", episodes=20)
    charged = lobgym.compare(strategies="market", episodes=20, fees=fees)
    np.testing.assert_allclose(free.outcomes["reward"] - charged.outcomes["reward"], 1.0)


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"market": "nois"}, ValueError, ["market", "nois"]),
        ({"market": []}, ValueError, ["market", "empty"]),
        ({"market": 3}, TypeError, ["market", "3"]),
        ({"lots": 0}, ValueError, ["lots", "0", "1 to 1000000"]),
        ({"lots": [20, -1]}, ValueError, ["lots", "-1"]),
        ({"lots": []}, ValueError, ["lots", "empty"]),
        ({"strategies": ["twop"]}, ValueError, ["strategies", "twop", "twap"]),
        ({"strategies": []}, ValueError, ["strategies", "empty"]),
        ({"side": "both"}, ValueError, ["side", "both", "sell"]),
        ({"episodes": 0}, ValueError, ["episodes", "0"]),
        ({"horizon_seconds": 0.0}, ValueError, ["horizon_seconds", "0"]),
        ({"step_seconds": 200.0}, ValueError, ["step_seconds", "200", "horizon"]),
        ({"participation_rate": 1.5}, ValueError, ["participation_rate", "1.5"]),
        ({"risk_aversion": -1.0}, ValueError, ["risk_aversion", "-1"]),
        ({"threads": 0}, ValueError, ["threads", "0"]),
        ({"lot": 3}, ValueError, ["lot", "3", "unknown"]),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], parts: list[str]) -> None:
    with pytest.raises(error) as raised:
        lobgym.compare(**arguments)
    for part in parts:
        assert part in str(raised.value)


def test_progress_is_told_and_ctrl_c_ends_a_comparison() -> None:
    told: list[tuple[int, int]] = []
    lobgym.compare(strategies="sl", episodes=100, progress=lambda *done: told.append(done))
    assert told[-1] == (100, 100)
    assert told == sorted(told)
    sent: list[float] = []

    def press() -> None:
        time.sleep(0.5)
        sent.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        lobgym.compare(episodes=1_000_000)
    thread.join()
    assert time.monotonic() - sent[0] < 1.0

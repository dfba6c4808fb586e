"""Policies evaluated over the same sessions."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lobgym

SHORT = {"market": "flow", "steps": 40}


@pytest.fixture(scope="module")
def evaluation() -> lobgym.Evaluation:
    return lobgym.evaluate("market_making", ["join", "mid:distance=0.5", "random"], episodes=40, seed=3, **SHORT)


def test_tables_have_a_row_for_each_policy(evaluation: lobgym.Evaluation) -> None:
    table = evaluation.table
    assert table["name"].tolist() == ["join", "mid:distance=0.5", "random"]
    assert table["episodes"].tolist() == [40] * 3
    rewards = evaluation.rewards
    assert list(rewards) == table["name"].tolist()
    means = [values.mean() for values in rewards.values()]
    np.testing.assert_allclose(table["reward_mean"], means)
    errors = [values.std(ddof=1) / np.sqrt(40) for values in rewards.values()]
    np.testing.assert_allclose(table["reward_se"], errors)
    paired = evaluation.paired
    assert paired["name"].tolist() == ["mid:distance=0.5", "random"]
    assert paired["against"].tolist() == ["join"] * 2
    np.testing.assert_allclose(paired["difference"], np.array(means[1:]) - means[0])
    assert (paired["ci95_low"] < paired["difference"]).all()


def test_json_is_the_commands(evaluation: lobgym.Evaluation) -> None:
    parsed = json.loads(evaluation.to_json())
    assert set(parsed) == {"policies", "paired", "settings"}
    assert parsed["policies"][0]["reward_mean"] == evaluation.table["reward_mean"][0]
    assert evaluation.settings == parsed["settings"]
    assert (parsed["settings"]["seed"], parsed["settings"]["env"]["steps"]) == (3, 40)
    # The recorded command makes it again.
    again = eval(parsed["settings"]["command"], {"lobgym": lobgym})
    assert json.loads(again.to_json())["policies"] == parsed["policies"]


def test_report_is_a_page(evaluation: lobgym.Evaluation, tmp_path: Path) -> None:
    evaluation.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "One episode of" in page
    with pytest.raises(OSError, match="nowhere"):
        evaluation.to_html(tmp_path / "nowhere" / "report.html")
    assert "market_making, market flow, 40 sessions" in str(evaluation)
    assert repr(evaluation).startswith("Evaluation(policies=[")


def test_settings_may_be_a_mapping_or_keywords() -> None:
    settings = {"name": "market_making", **SHORT}
    names = ["join", "random"]
    one = lobgym.evaluate(settings, names, episodes=20, threads=1)
    two = lobgym.evaluate(policies=names, episodes=20, threads=2, **SHORT)
    np.testing.assert_array_equal(one.rewards["join"], two.rewards["join"])
    three = lobgym.evaluate(settings, names, episodes=20, steps=20)
    assert not np.array_equal(one.rewards["join"], three.rewards["join"])


def test_every_environment_is_evaluated() -> None:
    execution = lobgym.evaluate("execution", episodes=20, lots=10)
    assert execution.table["name"].tolist() == ["sl", "twap", "market"]
    assert execution.paired["against"].tolist() == ["twap"] * 2
    np.testing.assert_allclose(execution.table["reward_mean"][2], execution.rewards["market"].mean())
    model = lobgym.evaluate("model_market_making", against="random", episodes=200)
    assert model.table["name"].tolist() == ["as:gamma=0.1", "random"]
    assert model.paired["name"].tolist() == ["as:gamma=0.1"]
    assert model.paired["ci95_low"][0] > 0.0
    for found in (execution, model):
        assert found.html().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ({"env": "market_makin"}, ValueError, ["market_makin", "market_making"]),
        ({"env": 3}, TypeError, ["env", "3"]),
        ({"env": {"lots": 20}}, TypeError, ["env", "name"]),
        ({"env": {"name": "execution", "lot": 20}}, ValueError, ["lot", "20"]),
        ({"policies": ["joint"]}, ValueError, ["joint", "join, mid"]),
        ({"policies": []}, ValueError, ["policies", "empty"]),
        ({"policies": 3}, TypeError, ["policies", "3"]),
        ({"policies": ["policy:nowhere"]}, FileNotFoundError, ["nowhere"]),
        ({"policies": ["join"], "against": "mid"}, ValueError, ["against", "mid", "join"]),
        ({"env": "execution", "grid": True}, ValueError, ["grid", "execution"]),
        ({"env": "model_market_making", "policies": ["join"]}, ValueError, ["join", "no book"]),
        ({"episodes": 0}, ValueError, ["episodes", "0"]),
        ({"threads": 0}, ValueError, ["threads", "0"]),
        ({"progress": 3}, ValueError, ["progress", "3"]),
        ({"stepz": 3}, ValueError, ["stepz", "steps"]),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], parts: list[str]) -> None:
    with pytest.raises(error) as raised:
        lobgym.evaluate(**arguments)
    for part in parts:
        assert part in str(raised.value)


def test_progress_is_told_and_ctrl_c_ends_it() -> None:
    told: list[tuple[int, int]] = []
    lobgym.evaluate(policies="join", episodes=50, progress=lambda *done: told.append(done), **SHORT)
    assert told[-1] == (50, 50)
    assert told == sorted(told)
    sent: list[float] = []

    def press() -> None:
        time.sleep(0.5)
        sent.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        lobgym.evaluate(policies="join", episodes=1_000_000)
    thread.join()
    assert time.monotonic() - sent[0] < 1.0

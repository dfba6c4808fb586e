"""JSON results: comparisons, evaluations and backtests, told apart by what is in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas

from lobgym.dashboard.reading.files import Unreadable, cached, found, read_json, stamp

__all__ = ["Backtest", "Comparison", "Evaluation", "Result", "find_results", "load_result"]

#: What a run of the dashboard leaves beside a result: the sessions one by one, which the JSON does not have.
SESSIONS_SUFFIX = ".sessions.npz"


@dataclass(frozen=True)
class Result:
    """What all results have."""

    path: Path
    settings: dict[str, Any]
    command: str
    #: When the file changed last, seconds since 1970.
    changed: float


@dataclass(frozen=True)
class Comparison(Result):
    """Of execution strategies: ``lobgym compare --json``."""

    #: A row for each market, size and strategy, with the fields of the JSON.
    table: pandas.DataFrame
    #: ``market``, ``lots``, ``name``, ``against``, ``difference``, ``low``, ``high``.
    paired: pandas.DataFrame
    #: A row for each session, market, size and strategy, where they were kept: ``market``, ``lots``, ``strategy``, ``reward``, ...
    sessions: pandas.DataFrame | None


@dataclass(frozen=True)
class Evaluation(Result):
    """Of policies in an environment: ``lobgym evaluate --json``, or a run's ``evaluation.json``."""

    env: str
    table: pandas.DataFrame
    paired: pandas.DataFrame
    #: ``strategy``, ``reward``, where they were kept.
    sessions: pandas.DataFrame | None


@dataclass(frozen=True)
class Backtest(Result):
    """Of portfolios: ``lobgym backtest --json``."""

    #: A row a strategy: ``name``, ``ruined`` and the metrics.
    table: pandas.DataFrame
    paired: pandas.DataFrame
    #: Net asset values of each strategy, one more than there are periods.
    nav: dict[str, np.ndarray[Any, Any]]
    #: Of each strategy and period: shares of the net asset value.
    turnover: dict[str, np.ndarray[Any, Any]]
    costs: dict[str, np.ndarray[Any, Any]]
    choices: pandas.DataFrame
    #: Period of the first decision of the test; dates of the values, where there are any.
    start: int
    dates: list[str] | None


R = TypeVar("R", bound=Result)


def _paired(rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    made = []
    for row in rows:
        low, high = row.get("ci95") or (None, None)
        made.append(
            {
                **more,
                "name": row["name"],
                "against": row["against"],
                "difference": float(row["difference"]),
                "low": math.nan if low is None else float(low),
                "high": math.nan if high is None else float(high),
            }
        )
    return made


_PAIRED = ["name", "against", "difference", "low", "high"]


def _changed(path: Path) -> float:
    return stamp(path)[0] / 1e9


def _sessions(path: Path) -> pandas.DataFrame | None:
    kept = path.with_name(path.name + SESSIONS_SUFFIX)
    if not kept.exists() or stamp(kept)[0] < stamp(path)[0] - 60e9:
        return None
    try:
        with np.load(kept, allow_pickle=False) as file:
            return pandas.DataFrame({name: file[name] for name in file.files})
    except (OSError, ValueError, EOFError, KeyError):
        return None


def _comparison(path: Path, data: dict[str, Any]) -> Comparison:
    rows, paired = [], []
    for cell in data["cells"]:
        where = {"market": cell["market"], "lots": cell["lots"]}
        rows += [{**where, **strategy} for strategy in cell["strategies"]]
        paired += _paired(cell.get("paired", []), **where)
    if not rows:
        raise Unreadable(path, "a comparison without strategies")
    settings = data.get("settings", {})
    return Comparison(
        path,
        settings,
        settings.get("command", ""),
        _changed(path),
        pandas.DataFrame(rows),
        pandas.DataFrame(paired, columns=["market", "lots", *_PAIRED]),
        _sessions(path),
    )


def _evaluation(path: Path, data: dict[str, Any]) -> Evaluation:
    settings = data.get("settings", {})
    env = settings.get("env", {})
    if not data["policies"]:
        raise Unreadable(path, "an evaluation without policies")
    table = pandas.DataFrame([{k: v for k, v in row.items() if not isinstance(v, list)} for row in data["policies"]])
    table["name"]  # every row names its policy, or this is no evaluation
    paired = pandas.DataFrame(_paired(data.get("paired", [])), columns=_PAIRED)
    name = env.get("name", "?") if isinstance(env, dict) else "?"
    return Evaluation(path, settings, settings.get("command", ""), _changed(path), name, table, paired, _sessions(path))


def _backtest(path: Path, data: dict[str, Any]) -> Backtest:
    strategies = data["strategies"]
    if not strategies:
        raise Unreadable(path, "a backtest without strategies")
    rows = [{"name": s["name"], "ruined": bool(s.get("ruined")), **s["metrics"]} for s in strategies]

    def series(*keys: str) -> dict[str, np.ndarray[Any, Any]]:
        return {s["name"]: sum(np.array(s[key], dtype=np.float64) for key in keys) for s in strategies}  # type: ignore[misc]

    start = int(data["parts"]["test"]["start"])
    stamps = data.get("stamps")
    choices = [{"name": s["name"], **choice} for s in strategies for choice in s.get("choices", [])]
    nav = series("nav")
    length = max(len(values) for values in nav.values())
    return Backtest(
        path,
        data.get("settings", {}),
        data.get("command", ""),
        _changed(path),
        pandas.DataFrame(rows),
        pandas.DataFrame(_paired(data.get("paired", [])), columns=_PAIRED),
        nav,
        series("turnover"),
        series("fees", "impact"),
        pandas.DataFrame(choices, columns=["name", "period", "strategy", "growth"]),
        start,
        [str(value) for value in stamps[start : start + length]] if stamps else None,
    )


def _read(path: Path) -> Result:
    data = read_json(path)
    try:
        if isinstance(data, dict) and "cells" in data:
            return _comparison(path, data)
        if isinstance(data, dict) and "policies" in data:
            return _evaluation(path, data)
        if isinstance(data, dict) and {"strategies", "parts"} <= data.keys():
            return _backtest(path, data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise Unreadable(path, f"not as `lobgym` writes it: {what}") from error
    raise Unreadable(path, "no result of `lobgym compare`, `evaluate` or `backtest`")


def load_result(path: Path) -> Result:
    """A result. Raises ``Unreadable`` if it is none, or damaged."""
    return cached(path, _read)


def find_results(places: list[str], kind: type[R]) -> tuple[list[R], list[Unreadable]]:
    """The results of a kind in files and directories, the latest first, and the files that are damaged.

    JSON of other programs is no damage, but for a file that was named itself.
    """
    results: list[R] = []
    problems: list[Unreadable] = []
    for path in found(places, lambda name: name.endswith(".json") and name != "run.json"):
        try:
            result = load_result(path)
            if isinstance(result, kind):
                results.append(result)
        except Unreadable as error:
            if "no result of" not in error.reason or str(path) in places:
                problems.append(error)
    return sorted(results, key=lambda result: -result.changed), problems

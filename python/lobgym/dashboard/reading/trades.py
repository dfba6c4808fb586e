"""Directories of `lobgym trade`: the journal as it grows, and the trader's state."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from lobgym.dashboard import programs
from lobgym.dashboard.reading.files import Unreadable, found, stamp
from lobgym.dashboard.reading.growing import GrowingLines

__all__ = ["Trade", "find_trades", "latest", "load_trade", "written"]

_JOURNAL = "session.jsonl"


@dataclass(frozen=True)
class Trade:
    """What a trader has done, at one moment."""

    directory: Path
    settings: dict[str, Any]
    #: A row a bar, with the journal's fields.
    bars: pandas.DataFrame
    #: What ``lobgym trade status --json`` says; what follows from the journal where the program cannot be asked.
    status: dict[str, Any]
    #: Why the program could not be asked, else empty.
    note: str

    @property
    def fills(self) -> pandas.DataFrame:
        """The bars at which something was traded, the latest first."""
        if "traded" not in self.bars:
            return self.bars.iloc[:0]
        return self.bars[self.bars["traded"].fillna(0.0) != 0.0].iloc[::-1]


class _Journal:
    """A journal so far."""

    def __init__(self, path: Path) -> None:
        self._lines = GrowingLines(path)
        self._settings: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self._frame = pandas.DataFrame()
        self._seen = False
        self._lock = threading.Lock()

    def read(self) -> tuple[dict[str, Any], pandas.DataFrame]:
        with self._lock:
            anew, lines = self._lines.update()
            if anew:
                self._settings, self._rows, self._frame, self._seen = {}, [], pandas.DataFrame(), False
            for line in lines:
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    # What a killed trader left of a line, before it went on.
                    continue
                if not isinstance(row, dict):
                    continue
                if "settings" in row:
                    self._settings = row["settings"] if isinstance(row["settings"], dict) else {}
                elif "equity" in row:
                    self._rows.append(row)
            if lines:
                self._frame = pandas.DataFrame(self._rows)
            self._seen = self._seen or bool(lines)
            if self._seen and not self._settings and not self._rows:
                raise Unreadable(self._lines.path, "no journal of `lobgym trade`: neither settings nor bars in it")
            return self._settings, self._frame


_journals: dict[str, _Journal] = {}
_statuses: dict[str, tuple[Any, dict[str, Any] | None, str]] = {}


def _own_status(settings: dict[str, Any], bars: pandas.DataFrame, killed: bool) -> dict[str, Any]:
    """What the journal alone says."""
    status: dict[str, Any] = {"state": "killed" if killed else "unknown", "kill_switch": killed, "steps": len(bars)}
    policy = settings.get("policy")
    status["policy"] = policy if isinstance(policy, str) else "?"
    if not len(bars):
        return status
    equity = bars["equity"].astype(float)
    env = settings.get("env")
    first = env.get("capital") if isinstance(env, dict) else None
    start = float(first) if isinstance(first, int | float) else float(equity.iloc[0])
    falls = 1.0 - equity / equity.cummax().clip(lower=start)
    last = bars.iloc[-1]
    status |= {"initial_equity": start, "equity": float(equity.iloc[-1]), "profit": float(equity.iloc[-1]) - start}
    status |= {"drawdown": float(falls.iloc[-1]), "max_drawdown": float(falls.max())}
    status |= {key: float(last[key]) for key in ("position", "cash", "realised_profit") if key in bars}
    status |= {f"{key}s": float(bars[key].sum()) for key in ("fee",) if key in bars}
    status |= {key: float(bars[key].sum()) for key in ("impact", "funding") if key in bars}
    if "traded" in bars:
        status["fills"] = int((bars["traded"].fillna(0.0) != 0.0).sum())
    if last.get("action") == "liquidated":
        status["state"] = "liquidated"
    return status


def _asked_status(directory: Path, version: Any) -> tuple[dict[str, Any] | None, str]:
    """What the program says, asked once for each version of the journal: a trader that died is noticed a little later."""
    key = os.path.abspath(directory)
    kept = _statuses.get(key)
    if kept is not None and kept[0] == version:
        return kept[1], kept[2]
    try:
        said = programs.ask("trade", "status", str(directory), "--json", timeout=5.0)
        answer = (said, "") if isinstance(said, dict) else (None, "`lobgym trade status` said nothing")
    except programs.ProgramError as error:
        answer = (None, str(error))
    _statuses[key] = (version, *answer)
    return answer


def load_trade(directory: str | os.PathLike[str], moment: int = 0, ask: bool = True) -> Trade:
    """Reads a trader's directory, while it trades or later. Raises ``Unreadable``.

    ``moment``: another one asks the program again. ``ask``: whether the program is asked at all, which takes a process.
    """
    directory = Path(directory)
    path = directory / _JOURNAL
    version = (stamp(path), (directory / "kill").exists(), moment)
    settings, bars = _journals.setdefault(os.path.abspath(path), _Journal(path)).read()
    said, note = _asked_status(directory, version) if ask else (None, "")
    status = _own_status(settings, bars, version[1])
    # In this order: what the program says counts, and what it leaves out is there.
    return Trade(directory, settings, bars, {**status, **(said or {})}, note)


def find_trades(places: list[str]) -> list[Path]:
    """The traders' directories, in an order that does not change while they trade."""
    return [path.parent for path in found(places, lambda name: name == _JOURNAL, depth=2)]


def written(directory: Path) -> float:
    """When a trader wrote last, seconds since 1970; 0 if its journal went away."""
    try:
        return stamp(directory / _JOURNAL)[0] / 1e9
    except Unreadable:
        return 0.0


def latest(directories: list[Path]) -> Path:
    """That of the trader who wrote last."""
    return max(directories, key=written)

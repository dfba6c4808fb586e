"""Runs of trainings: found, described, and their metrics read as they grow."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas

from lobgym.dashboard.reading.files import Unreadable, cached, found, read_json, stamp
from lobgym.dashboard.reading.growing import GrowingLines

__all__ = ["GROWING_SECONDS", "Training", "find_trainings", "latest_return", "metrics", "names"]

#: A run without a policy counts as running while its metrics changed so lately.
GROWING_SECONDS = 30.0


@dataclass(frozen=True)
class Training:
    """A run's directory, and what is known of it at a glance."""

    directory: Path
    algorithm: str
    env: str
    market: str
    seed: int | None
    #: Environment steps made and wanted.
    steps: int
    target: int | None
    #: ``"complete"``, ``"running"`` or ``"stopped"``.
    state: str
    #: When the metrics changed last, seconds since 1970.
    changed: float
    #: What could not be read, file by file.
    problems: list[str] = field(default_factory=list)

    @property
    def progress(self) -> float | None:
        """Share of the steps that are made, 0 to 1."""
        return min(self.steps / self.target, 1.0) if self.target else None


def _settings(path: Path) -> dict[str, str]:
    """The plain values of a run's settings, as ``section.key``: enough to name a run, and it reads settings that this version does not know."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(path, str(getattr(error, "strerror", None) or "no UTF-8 text")) from error
    values, section = {}, ""
    for line in text.splitlines():
        if top := re.fullmatch(r"(\w+):\s*", line):
            section = top[1]
        elif inner := re.fullmatch(r"  (\w+):\s*(\S.*?)\s*", line):
            values[f"{section}.{inner[1]}"] = inner[2].strip("'\"")
    if not values:
        raise Unreadable(path, "no settings in it")
    return values


def _integer(text: str | None) -> int | None:
    try:
        return int(float(text.replace("_", ""))) if text is not None else None
    except (ValueError, OverflowError):
        return None


class _Metrics:
    """The metrics of a run so far."""

    def __init__(self, path: Path) -> None:
        self._lines = GrowingLines(path)
        self._names: list[str] = []
        self._rows: list[list[float]] = []
        self._frame: pandas.DataFrame | None = None
        self._lock = threading.Lock()

    def frame(self) -> pandas.DataFrame:
        with self._lock:
            anew, lines = self._lines.update()
            if anew:
                self._names, self._rows, self._frame = [], [], None
            if lines and not self._names:
                self._names = lines.pop(0).split(",")
                if "steps" not in self._names:
                    self._names, self._lines = [], GrowingLines(self._lines.path)
                    raise Unreadable(self._lines.path, "its first line has no column `steps`")
            for line in lines:
                cells = line.split(",")
                # A line of another length is what a killed process left; the next one begins after it.
                if len(cells) == len(self._names):
                    try:
                        self._rows.append([float(cell) if cell else math.nan for cell in cells])
                    except ValueError:
                        continue
            if lines or self._frame is None:
                rows = np.array(self._rows, dtype=np.float64).reshape(len(self._rows), len(self._names))
                self._frame = pandas.DataFrame(rows, columns=self._names)
            return self._frame


_metrics: dict[str, _Metrics] = {}


def metrics(directory: str | os.PathLike[str]) -> pandas.DataFrame:
    """The metrics of a run, a row an update, NaN where nothing was logged; only what is new is read.

    The frame is shared: it must not be changed. Raises ``Unreadable``.
    """
    path = Path(directory) / "metrics.csv"
    return _metrics.setdefault(os.path.abspath(path), _Metrics(path)).frame()


def latest_return(directory: str | os.PathLike[str]) -> float | None:
    """The mean return of a run's latest update that had a whole episode; ``None`` where there is none yet."""
    try:
        frame = metrics(directory)
    except Unreadable:
        return None
    if "return_mean" not in frame:
        return None
    known = frame["return_mean"].dropna()
    return float(known.iloc[-1]) if len(known) else None


def _describe(directory: Path) -> Training:
    problems: list[str] = []
    settings: dict[str, str] = {}
    seed = None
    try:
        settings = cached(directory / "config.yaml", _settings)
    except Unreadable as error:
        problems.append(str(error))
    try:
        origin = cached(directory / "run.json", read_json)
        seed = origin.get("seed") if isinstance(origin, dict) else None
    except Unreadable as error:
        problems.append(str(error))
    steps, changed = 0, 0.0
    try:
        changed = stamp(directory / "metrics.csv")[0] / 1e9
        frame = metrics(directory)
        steps = int(frame["steps"].iloc[-1]) if len(frame) else 0
    except Unreadable as error:
        problems.append(str(error))
    if (directory / "policy.safetensors").exists():
        state = "complete"
    else:
        state = "running" if time.time() - changed < GROWING_SECONDS else "stopped"
    return Training(
        directory=directory,
        algorithm=settings.get("train.algorithm", "?"),
        env=settings.get("env.name", "?"),
        market=settings.get("env.market", ""),
        seed=seed if isinstance(seed, int) else _integer(settings.get("train.seed")),
        steps=steps,
        target=_integer(settings.get("train.steps")),
        state=state,
        changed=changed,
        problems=problems,
    )


def find_trainings(places: list[str]) -> list[Training]:
    """The runs in directories and below them, those that changed last first."""
    directories = [path.parent for path in found(places, lambda name: name == "metrics.csv", depth=4)]
    return sorted((_describe(directory) for directory in directories), key=lambda run: -run.changed)


def names(runs: list[Training]) -> dict[Path, str]:
    """A short name for each run: that of its directory, with as many above it as it takes to tell them apart."""
    short: dict[Path, str] = {}
    for length in range(1, 8):
        taken: dict[str, list[Path]] = {}
        for run in runs:
            if run.directory not in short:
                taken.setdefault("/".join(run.directory.absolute().parts[-length:]), []).append(run.directory)
        for name, directories in taken.items():
            if len(directories) == 1:
                short[directories[0]] = name
    for run in runs:
        short.setdefault(run.directory, str(run.directory))
    return short

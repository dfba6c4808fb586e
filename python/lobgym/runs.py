"""Trainings on the disk, without PyTorch."""

from __future__ import annotations

import csv
import functools
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lobgym
from lobgym import _core
from lobgym.policy import Policy
from lobgym.table import Table

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

__all__ = ["Run", "load_run"]

_CONFIG, _METRICS, _EPISODES, _POLICY = "config.yaml", "metrics.csv", "episodes.csv", "policy.safetensors"

#: Columns of the metrics, and of the log of episodes, that count something.
_INTEGERS = {"update", "steps", "episodes", "environment", "episode"}


class Run:
    """A training and what it left in its directory: what ``lobgym.train`` returns and ``lobgym.load_run`` opens.

    Everything is read when it is asked for, so that a run can be watched while another process trains.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """See :func:`load_run`."""
        self._directory = Path(directory)
        if not (self._directory / _CONFIG).exists():
            raise FileNotFoundError(f"{self._directory}: there is no run here, as it has no {_CONFIG}")

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self._directory

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """All settings with their values, defaults included: sections ``env`` and ``train``."""
        return _core._settings(self._directory / _CONFIG)

    @property
    def origin(self) -> dict[str, Any]:
        """Where it comes from: ``seed``, ``code_version``, ``libtorch``, ``device``, ``threads`` and when it began."""
        origin: dict[str, Any] = json.loads((self._directory / "run.json").read_text(encoding="utf-8"))
        return origin

    @property
    def complete(self) -> bool:
        """Whether training came to its end; ``lobgym.train(..., resume=True)`` goes on with one that did not."""
        return (self._directory / _POLICY).exists()

    @property
    def steps(self) -> int:
        """Environment steps made."""
        steps = self.table.get("steps")
        return 0 if steps is None or not len(steps) else int(steps[-1])

    @property
    def mean_return(self) -> float | None:
        """Mean total reward of the last 100 episodes of training, in the environment's unit; ``None`` before the first has ended."""
        means = self.table.get("return_mean")
        return None if means is None or not len(means) or math.isnan(means[-1]) else float(means[-1])

    @property
    def table(self) -> Table:
        """The metrics, a row for each update. Where there was no number to log, there is NaN."""
        return _read(self._directory / _METRICS)

    @property
    def episodes(self) -> Table:
        """What single episodes were like, a row for each that was logged: its return, the environment's information at its end (``info.NAME``), and
        what the policy did on average: ``logit.CHOICE``, ``probability.CHOICE``, ``chosen.CHOICE``, ``entropy``, or ``output.NAME`` and
        ``action.NAME``. NaN where there was no number. Raises ``FileNotFoundError`` for a run without the log.
        """
        path = self._directory / _EPISODES
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no log of episodes; train.episode_log: true keeps one")
        return _read(path)

    @property
    def metrics(self) -> pandas.DataFrame:
        """The metrics as a ``pandas.DataFrame``, a row for each update; needs pandas. :attr:`table` has the same without it."""
        try:
            return self.table.to_pandas()
        except ImportError as error:
            raise ImportError(
                "Run.metrics needs pandas: pip install pandas; Run.table is the same without it"
            ) from error

    @functools.cached_property
    def policy(self) -> Policy:
        """The policy that was learned. Raises ``FileNotFoundError`` for a run that is not complete."""
        if not self.complete:
            raise FileNotFoundError(
                f"{self._directory}: there is no policy yet, as training is not complete; lobgym.train(..., resume=True) goes on with it"
            )
        return Policy.load(self._directory)

    def evaluate(
        self,
        *others: str,
        episodes: int | None = None,
        seed: int | None = None,
        threads: int | None = None,
        against: str | None = None,
        **keywords: Any,
    ) -> Any:
        """Lets the policy and ``others`` play the same sessions of its environment, none of which a training plays.

        ``others`` are names that ``lobgym.evaluate`` knows: rules of market making (``"mid:distance=1"``), strategies of execution
        (``"twap"``), ``"policy:DIRECTORY"``. The arguments are passed on to it, and what it returns is returned: a table with a row for each
        policy, paired differences, and reports. Raises ``FileNotFoundError`` for a run that is not complete.
        """
        # Before anything is played.
        _ = self.policy
        for name, value in {"episodes": episodes, "seed": seed, "threads": threads, "against": against}.items():
            if value is not None:
                keywords[name] = value
        return lobgym.evaluate(env=self.config["env"], policies=[f"policy:{self._directory}", *others], **keywords)

    def html(self) -> str:
        """The learning curves and settings: a page that needs nothing else."""
        return _core._training_html(self._directory)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Writes that page."""
        Path(path).write_text(self.html(), encoding="utf-8")

    def __repr__(self) -> str:
        state = "complete" if self.complete else "not complete"
        return f"<lobgym.Run {str(self._directory)!r}: {self.steps} steps, {state}>"


def _read(path: Path) -> Table:
    """The whole rows of a CSV file that may be growing."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    names = rows[0] if rows else []
    # The last row of a run that is being written, or was killed, may be a part of one.
    rows = [row for row in rows[1:] if len(row) == len(names)]
    columns = {}
    for index, name in enumerate(names):
        cells = [row[index] for row in rows]
        if name in _INTEGERS:
            columns[name] = np.array([int(cell) for cell in cells], dtype=np.int64)
        else:
            columns[name] = np.array([float(cell) if cell else math.nan for cell in cells], dtype=np.float64)
    return Table(columns)


def load_run(directory: str | os.PathLike[str]) -> Run:
    """The run in a directory, finished or not. Raises ``FileNotFoundError`` if there is none. Needs no PyTorch."""
    return Run(directory)

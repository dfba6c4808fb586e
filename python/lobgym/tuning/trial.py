"""One trial: a training with the settings that were drawn, pruned where it falls behind, and what it was worth."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lobgym.vector import VectorEnv

if TYPE_CHECKING:
    import optuna

__all__ = ["INTERVALS", "METRICS", "Interrupted", "Plan", "Trainer", "evaluate", "play"]

#: How often a training reports its mean return to the pruner.
INTERVALS = 20

#: What a trial may be judged by.
METRICS = ("return", "evaluation")

#: Seconds between two lines of a trial.
_SILENCE = 30.0

#: The first of the seeds of held-out episodes: far from those that people give.
_HELD_OUT = 1 << 40

#: What trains: ``lobgym.train``, or something with its signature.
Trainer = Callable[..., Any]


class Interrupted(Exception):
    """The search was asked to stop; the trial can go on later."""


@dataclass(frozen=True)
class Plan:
    """What all trials have in common."""

    directory: Path
    #: What :func:`lobgym.train` takes.
    config: str | dict[str, Any]
    #: Settings by path that no trial changes.
    fixed: dict[str, Any]
    metric: str
    #: The seeds that each trial trains.
    seeds: tuple[int, ...]
    #: Held-out episodes, for the metric ``evaluation``.
    episodes: int
    threads: int | None


def play(
    plan: Plan,
    trainer: Trainer,
    trial: optuna.Trial,
    settings: Mapping[str, Any],
    name: str,
    stopped: Callable[[], bool],
) -> float:
    """Trains the trial in the directory ``name`` and returns its worth, the mean over its seeds.

    Raises ``optuna.TrialPruned``, :class:`Interrupted`, and what the trainer raises.
    """
    import optuna

    values = []
    for index, seed in enumerate(plan.seeds):
        directory = plan.directory / name if len(plan.seeds) == 1 else plan.directory / name / f"seed-{seed}"
        watch = _Watch(trial, index, name, stopped)
        if not (directory / "policy.safetensors").exists():
            _train(plan, trainer, {**plan.fixed, **settings, "train.seed": seed}, directory, watch)
        if watch.pruned:
            raise optuna.TrialPruned
        if watch.interrupted or stopped():
            raise Interrupted
        run = watch.run if watch.run is not None else _finished(directory)
        value = run.mean_return if plan.metric == "return" else evaluate(run, plan.episodes, stopped)
        if value is None or not math.isfinite(value):
            raise ValueError(
                f"the {plan.metric} of {directory} is {value}; legal: a number, so train for longer than an episode"
            )
        values.append(float(value))
    return sum(values) / len(values)


def _finished(directory: Path) -> Any:
    from lobgym.runs import Run

    return Run(directory)


def _train(plan: Plan, trainer: Trainer, settings: dict[str, Any], directory: Path, watch: _Watch) -> None:
    resume = (directory / "checkpoint.safetensors").exists()
    if not resume and directory.exists():
        # Left by a search that was killed before the first checkpoint.
        shutil.rmtree(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    watch.run = trainer(
        plan.config, out=directory, resume=resume, callback=watch, progress=False, threads=plan.threads, **settings
    )


class _Watch:
    """Follows a training: reports to the pruner, says where it is, ends it."""

    def __init__(self, trial: optuna.Trial, index: int, name: str, stopped: Callable[[], bool]) -> None:
        self.trial = trial
        self.first = index * INTERVALS
        self.name = name
        self.stopped = stopped
        self.run: Any = None
        self.pruned = False
        self.interrupted = False
        self.interval = 0
        self.said = time.monotonic()

    def __call__(self, report: Mapping[str, Any]) -> bool:
        if self.stopped():
            self.interrupted = True
            return False
        mean, share = report["mean_return"], report["steps"] / max(1, report["total_steps"])
        if time.monotonic() - self.said >= _SILENCE:
            self.said = time.monotonic()
            text = "" if mean is None else f", return {mean:.4g}"
            print(
                f"{self.name}: {share:.0%}, {report['steps_per_second']:,.0f} steps/s{text}",
                file=sys.stderr,
                flush=True,
            )
        interval = int(share * INTERVALS)
        if (
            mean is None
            or not math.isfinite(mean)
            or interval <= self.interval
            or report["update"] >= report["updates"]
        ):
            return True
        self.interval = interval
        self.trial.report(mean, self.first + interval)
        self.pruned = self.trial.should_prune()
        return not self.pruned


def evaluate(run: Any, episodes: int, stopped: Callable[[], bool] = lambda: False) -> float:
    """Mean total reward of a run's policy over episodes that no training sees, taking the likeliest actions.

    The episodes are the same for all policies of an environment. Raises :class:`Interrupted`.
    """
    env = dict(run.config["env"])
    batch = VectorEnv(env["name"], episodes, config=env, autoreset_mode="NextStep", infos="none")
    observations, _ = batch.reset(seed=_HELD_OUT)
    totals, playing, state = np.zeros(episodes), np.ones(episodes, dtype=bool), None
    starts = np.ones(episodes, dtype=bool)
    try:
        while playing.any():
            if stopped():
                raise Interrupted
            actions, state = run.policy.predict(observations, state, starts, deterministic=True)
            observations, rewards, terminations, truncations, _ = batch.step(actions)
            totals[playing] += rewards[playing]
            starts = terminations | truncations
            playing &= ~starts
    finally:
        batch.close()
    return float(totals.mean())

"""A search from its settings to its result."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lobgym import _core
from lobgym.tuning.processes import in_processes, in_this_process, only_one
from lobgym.tuning.space import Dimension, default_space, lookup, parse_space
from lobgym.tuning.study import BEST, NAME, Search, quiet, say, short
from lobgym.tuning.trial import METRICS, Plan, Trainer

if TYPE_CHECKING:
    import optuna

__all__ = ["Tuning", "tune"]


@dataclass(frozen=True)
class Tuning:
    """A search and what it has found."""

    #: Where it is.
    directory: Path
    #: The best trial's worth; ``None`` if no trial has come to its end.
    best_value: float | None
    #: The settings that were searched, as the best trial had them.
    best_settings: dict[str, Any]
    #: A training configuration with all settings of the best trial.
    best_config: Path | None
    #: A row for each trial: ``number``, ``state``, ``value``, ``directory``, ``seconds``, ``problem`` and the settings.
    trials: list[dict[str, Any]]
    #: Optuna's own object, for its plots and importances.
    study: optuna.Study
    #: False if it was interrupted or ran out of time.
    complete: bool
    #: By Ctrl-C.
    interrupted: bool

    def __str__(self) -> str:
        """The best trials as a table."""
        ended = sorted((row for row in self.trials if row["state"] == "complete"), key=lambda row: -row["value"])
        lines = [f"{'trial':>5} {'value':>12}  settings"]
        for row in ended[:5]:
            settings = ", ".join(f"{key.removeprefix('train.')}={short(row[key])}" for key in self.best_settings)
            lines.append(f"{row['number']:>5} {row['value']:>12.5g}  {settings}")
        count = {state: sum(row["state"] == state for row in self.trials) for state in ("complete", "pruned", "failed")}
        lines.append(f"{count['complete']} complete, {count['pruned']} pruned, {count['failed']} failed")
        if self.best_config is not None:
            lines.append(f"best configuration: {self.best_config}")
        return "\n".join(lines)


def tune(
    config: Mapping[str, Any] | str | os.PathLike[str],
    *,
    trials: int = 20,
    jobs: int = 1,
    out: str | os.PathLike[str] | None = None,
    space: Mapping[str, Any] | None = None,
    seed: int = 0,
    seeds: int = 1,
    metric: str = "return",
    episodes: int = 256,
    timeout: float | None = None,
    threads: int | None = None,
    prune: bool = True,
    settings: Mapping[str, Any] | None = None,
    trainer: Trainer | None = None,
) -> Tuning:
    """Searches settings of a training: ``lobgym.tune("config/tune/market_making_ppo.yaml", trials=50, jobs=2)``.

    ``config``: a file with ``config`` (a training), ``space`` and ``set``, or a training itself: a file or a mapping with the sections
    ``env`` and ``train``. ``space`` says what is searched (the file's, or a default for the algorithm): ``{"train.learning_rate": {"low":
    1e-4, "high": 1e-2, "log": True}, "train.network.hidden": {"choices": [[64, 64], [128, 128]]}}``. ``settings`` are fixed for all trials:
    ``{"train.steps": 200_000}``.

    ``out`` is the search's directory (``runs/tune-NAME``). If it has a search already, that goes on until it has ``trials``, interrupted
    trainings from their checkpoints; it must be the same search. ``jobs`` trials run at a time, each in its own process if more than one,
    with ``threads`` threads (by default the machine's cores are shared out). A script that uses ``jobs`` needs ``if __name__ == "__main__":``.

    The worth of a trial is the mean over ``seeds`` trainings, all trials with the same, of ``metric``: ``"return"``, the mean total reward of
    the last 100 training episodes, or ``"evaluation"``, the mean total reward of the policy over ``episodes`` episodes that no training
    sees. Trials whose return falls behind the median of the others are pruned unless ``prune`` is false. ``seed`` decides what is drawn.
    After ``timeout`` seconds no further trial begins.

    Ctrl-C stops the search; the same call goes on. Raises ``ValueError`` for what is not legal, ``ImportError`` where Optuna or PyTorch is
    missing, and ``OSError``.
    """
    _need_optuna()
    _check(trials=trials, jobs=jobs, seeds=seeds, episodes=episodes)
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; legal: one of {', '.join(METRICS)}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout is {timeout!r}; legal: None or seconds, more than 0")
    base, known, name, file_space, fixed = _read(config)
    fixed = {**fixed, **(settings or {})}
    if space is None:
        space = file_space if file_space is not None else default_space(str(lookup(known, "train.algorithm")))
    dimensions = parse_space(space)
    for dimension in dimensions:
        if dimension.key in fixed:
            raise ValueError(f"{dimension.key} is in the space and set to {fixed[dimension.key]!r}; legal: one of both")
    directory = Path(out) if out is not None else Path("runs") / f"tune-{name}"
    first = lookup(known, "train.seed") if fixed.get("train.seed") is None else fixed.pop("train.seed")
    plan = Plan(
        directory=directory.absolute(),
        config=base,
        fixed=fixed,
        metric=metric,
        seeds=tuple(int(first or 0) + index for index in range(seeds)),
        episodes=episodes,
        threads=threads if threads is not None else max(1, (os.cpu_count() or 1) // jobs),
    )
    setup = {
        "config": known,
        "settings": fixed,
        "space": {dimension.key: dimension.describe() for dimension in dimensions},
        "seed": seed,
        "seeds": seeds,
        "metric": metric,
        "episodes": episodes if metric == "evaluation" else None,
        "prune": prune,
    }
    search = Search(plan, dimensions, trainer, trials, seed, prune, timeout)
    directory.mkdir(parents=True, exist_ok=True)
    with only_one(directory), quiet():
        study, storage = search.open()
        _same(study, setup, directory)
        _put_in_line(study, storage, dimensions, known)
        interrupted = in_this_process(search, study) if jobs == 1 else in_processes(search, jobs)
        rows = search.write(study)
    if interrupted:
        say("interrupted; the same search goes on where it is")
    best = search.best(study)
    return Tuning(
        directory=directory,
        best_value=None if best is None else best.value,
        best_settings={} if best is None else search.settings(best.params),
        best_config=None if best is None else directory / BEST,
        trials=rows,
        study=study,
        complete=len(rows) >= trials,
        interrupted=interrupted,
    )


def _need_optuna() -> None:
    try:
        import optuna.storages.journal  # noqa: F401
    except ImportError as error:
        raise ImportError("lobgym.tune needs Optuna 4 or later: pip install 'lobgym[tune]'", name="optuna") from error


def _check(**numbers: int) -> None:
    for key, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"{key} is {number!r}; legal: a whole number from 1")


def _read(
    config: Mapping[str, Any] | str | os.PathLike[str],
) -> tuple[str | dict[str, Any], dict[str, Any], str, Mapping[str, Any] | None, dict[str, Any]]:
    """What to train, its settings as far as they are stated, a name, the file's space, and its fixed settings."""
    if isinstance(config, Mapping):
        return dict(config), dict(config), str(lookup(config, "env.name") or "search"), None, {}
    path = Path(config)
    found: dict[str, Any] = _core._settings(path)
    if "config" not in found:
        return str(path.absolute()), found, path.stem, None, {}
    unknown = sorted(set(found) - {"config", "space", "set"})
    if unknown:
        raise ValueError(f"{path}: {unknown[0]} is an unknown key; legal: config, space, set")
    if not isinstance(found["config"], str):
        raise ValueError(
            f"{path}: config is {found['config']!r}; legal: the path of a training's file, from this file's directory"
        )
    fixed = found.get("set") or {}
    if not isinstance(fixed, Mapping):
        raise ValueError(f"{path}: set is {fixed!r}; legal: a mapping of settings by path, as train.steps")
    training = path.absolute().parent / found["config"]
    return str(training), _core._settings(training), path.stem, found.get("space"), dict(fixed)


def _same(study: optuna.Study, setup: dict[str, Any], directory: Path) -> None:
    """Refuses to go on with another search."""
    setup = json.loads(json.dumps(setup))
    before = study.user_attrs.get("setup")
    if before is None:
        study.set_user_attr("setup", setup)
        return
    for key, value in setup.items():
        if before.get(key) != value:
            raise ValueError(
                f"{key} is {value!r}; legal: {before.get(key)!r}, as {directory} has it, or another directory for another search"
            )


def _put_in_line(
    study: optuna.Study, storage: optuna.storages.BaseStorage, dimensions: list[Dimension], known: Mapping[str, Any]
) -> None:
    """Trials that were interrupted or killed, once more; of a new search the training's own values, as far as they are stated."""
    import optuna

    if not study.trials:
        stated = {one.key: one.parameter(lookup(known, one.key)) for one in dimensions}
        stated = {key: value for key, value in stated.items() if value is not None}
        if stated:
            study.enqueue_trial(stated)
    identity = storage.get_study_id_from_name(NAME)
    for trial in study.trials:
        if trial.state.name == "RUNNING":
            # Its process was killed: nobody else searches here.
            name = trial.user_attrs.get("directory", f"trial-{trial.number}")
            number = storage.get_trial_id_from_study_id_trial_number(identity, trial.number)
            storage.set_trial_user_attr(number, "interrupted", name)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    again = {trial.user_attrs.get("again") for trial in study.trials}
    for trial in study.trials:
        if "interrupted" in trial.user_attrs and trial.number not in again:
            marks = {"directory": trial.user_attrs["interrupted"], "again": trial.number}
            study.enqueue_trial(trial.params, user_attrs=marks)

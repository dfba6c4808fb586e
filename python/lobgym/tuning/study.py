"""The study: trials in a journal, and what is written of them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lobgym
from lobgym.atomic import write_atomically
from lobgym.tuning.space import Dimension
from lobgym.tuning.trial import INTERVALS, Interrupted, Plan, Trainer, play

if TYPE_CHECKING:
    import optuna

__all__ = ["BEST", "NAME", "Search", "counts", "quiet", "say", "short"]

#: The study's name in its journal, and the files beside that.
NAME, _JOURNAL, BEST, _TRIALS = "lobgym", "study.journal", "best.yaml", "trials.csv"

#: Trials that are drawn without regard to the others' values; half as many must have ended before any is pruned.
_STARTUP = 8


@dataclass(frozen=True)
class Search:
    """What a process that tries needs to know."""

    plan: Plan
    dimensions: list[Dimension]
    #: ``lobgym.train`` where there is none.
    trainer: Trainer | None
    trials: int
    seed: int
    prune: bool
    timeout: float | None

    def open(self) -> tuple[optuna.Study, optuna.storages.BaseStorage]:
        """The study in the directory, which is made if there is none, and where it is kept."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        storage = optuna.storages.JournalStorage(JournalFileBackend(str(self.plan.directory / _JOURNAL)))
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if self.prune:
            # Not in the first fifth of a training, which says little.
            pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP // 2, n_warmup_steps=INTERVALS // 5)
        study = optuna.create_study(
            storage=storage, study_name=NAME, direction="maximize", pruner=pruner, load_if_exists=True
        )
        return study, storage

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Settings by path from what Optuna knows."""
        return {one.key: one.value(parameters[one.key]) for one in self.dimensions if one.key in parameters}

    def best(self, study: optuna.Study) -> optuna.trial.FrozenTrial | None:
        """The best of the trials that came to their end; the first of equals."""
        ended = [trial for trial in study.trials if trial.state.name == "COMPLETE" and trial.value is not None]
        return max(ended, key=lambda trial: (trial.value, -trial.number), default=None)

    def work(self, study: optuna.Study, exclusive: Any, stopped: Callable[[], bool], deadline: float | None) -> None:
        """Tries until there are enough trials. ``exclusive`` is a lock that all processes of the search share.

        Raises :class:`Interrupted`, and ``ValueError`` for settings that the very first training refuses.
        """
        trainer = self.trainer if self.trainer is not None else lobgym.train
        while not stopped() and (deadline is None or time.monotonic() < deadline):
            with exclusive:
                if sum(counts(trial) for trial in study.trials) >= self.trials:
                    return
                begun = [trial for trial in study.trials if trial.state.name != "WAITING"]
                # From the number of draws, so that one after the other, interrupted or not, the same are drawn.
                drawn = sum("again" not in trial.user_attrs for trial in begun)
                study.sampler = _sampler((self.seed * 1_000_003 + drawn) % (1 << 32))
                trial = study.ask()
                values = {dimension.key: dimension.suggest(trial) for dimension in self.dimensions}
            self._try(study, trial, values, trainer, exclusive, stopped)

    def _try(
        self,
        study: optuna.Study,
        trial: optuna.Trial,
        values: dict[str, Any],
        trainer: Trainer,
        exclusive: Any,
        stopped: Callable[[], bool],
    ) -> None:
        import optuna

        states = optuna.trial.TrialState
        name = trial.user_attrs.get("directory", f"trial-{trial.number}")
        text = ", ".join(f"{key.removeprefix('train.')}={short(value)}" for key, value in values.items())
        say(f"{name}: {text}")
        begun, value, state = time.monotonic(), None, states.COMPLETE
        try:
            value = play(self.plan, trainer, trial, values, name, stopped)
            outcome = f"{value:.5g}"
        except optuna.TrialPruned:
            state, outcome = states.PRUNED, "pruned"
        except (KeyboardInterrupt, Interrupted) as error:
            self._interrupt(study, trial, name)
            raise Interrupted from error
        except (ImportError, OSError):
            # The next trial would not fare better.
            self._interrupt(study, trial, name)
            raise
        except Exception as error:
            if isinstance(error, ValueError) and not any(map(_trained, study.trials)):
                # Nothing was ever trained: what is wrong are the settings, not this trial's values.
                self._interrupt(study, trial, name)
                raise
            trial.set_user_attr("problem", str(error))
            state, outcome = states.FAIL, f"failed: {error}"
        trial.set_user_attr("seconds", round(time.monotonic() - begun, 3))
        with exclusive:
            study.tell(trial, value, state=state)
            self.write(study)
            done = sum(one.state.is_finished() and counts(one) for one in study.trials)
            best = self.best(study)
        so_far = "" if best is None else f"; best {best.value:.5g} (trial {best.number})"
        say(f"{name}: {outcome}{so_far}; {done} of {self.trials} trials")

    def _interrupt(self, study: optuna.Study, trial: optuna.Trial, name: str) -> None:
        import optuna

        trial.set_user_attr("interrupted", name)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def write(self, study: optuna.Study) -> list[dict[str, Any]]:
        """Writes the table of trials and the best configuration; returns the former."""
        rows = []
        for trial in study.trials:
            if not counts(trial) or not trial.state.is_finished():
                continue
            names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
            row: dict[str, Any] = {
                "number": trial.number,
                "state": names[trial.state.name],
                # A pruned trial's last report is no worth.
                "value": trial.value if trial.state.name == "COMPLETE" else None,
                "directory": trial.user_attrs.get("directory", f"trial-{trial.number}"),
                "seconds": trial.user_attrs.get("seconds"),
                "problem": trial.user_attrs.get("problem"),
            }
            rows.append({**row, **self.settings(trial.params)})
        keys = ["number", "state", "value", "directory", "seconds", "problem", *(one.key for one in self.dimensions)]
        text = io.StringIO()
        table = csv.DictWriter(text, keys, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({key: json.dumps(cell) if isinstance(cell, list) else cell for key, cell in row.items()})
        write_atomically(self.plan.directory / _TRIALS, text.getvalue())
        best = self.best(study)
        if best is not None:
            name = best.user_attrs.get("directory", f"trial-{best.number}")
            run = self.plan.directory / name
            if len(self.plan.seeds) > 1:
                run /= f"seed-{self.plan.seeds[0]}"
            content = (run / "config.yaml").read_text(encoding="utf-8")
            origin = f"# The best of {len(rows)} trials, trial {best.number}: {self.plan.metric} {best.value:.6g}.\n"
            write_atomically(self.plan.directory / BEST, origin + content)
        return rows


def counts(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether it is one of the trials that were asked for, ended or not; interrupted ones come again."""
    return trial.state.name != "WAITING" and "interrupted" not in trial.user_attrs


def _trained(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.state.name in ("COMPLETE", "PRUNED") or bool(trial.intermediate_values)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's own lines about each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    with warnings.catch_warnings():
        # That trials which are running count as bad ones is called experimental; without it, parallel trials crowd together.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP, constant_liar=True)


def short(value: Any) -> str:
    """A setting for people."""
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else json.dumps(value)


def say(text: str) -> None:
    """A line of progress, to standard error."""
    print(text, file=sys.stderr, flush=True)

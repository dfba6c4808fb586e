"""The kinds of jobs: ``lobgym collect``, ``lobgym train`` and ``lobgym trade`` with what a request asked for."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path

from lobgym.serve.binary import find_binary, find_presets
from lobgym.serve.collected import Collected
from lobgym.serve.errors import ServeError
from lobgym.serve.jobs import Work
from lobgym.serve.ledger import Job, Kind, Ledger
from lobgym.serve.places import Places
from lobgym.serve.settings import Settings

__all__ = ["RULES", "works"]

#: Who trades without having learned.
RULES = ("lowrider", "buy_and_hold", "random", "cash")


class Collecting:
    """``lobgym collect`` into a store and a file of bars that have the same name; or into the database of the settings, and the file."""

    kind: Kind = "collection"
    stop_signal = signal.SIGTERM

    def __init__(self, settings: Settings, places: Places, ledger: Ledger) -> None:
        self._settings, self._places, self._collected = settings, places, Collected(places, ledger)

    def most(self, settings: Settings) -> int:
        """See :class:`Work`."""
        return settings.max_collections

    def waits_for(self, job: Job) -> str | None:
        """See :class:`Work`."""
        return None

    def command(self, job: Job) -> list[str]:
        """See :class:`Work`."""
        request, name = job.request, job.request["store"]
        self._collected.begin(job)
        command = [sys.executable, "-m", "lobgym.live", "collect"]
        command += ["--venue", request["venue"], "--symbol", request["symbol"], "--interval", request["interval"]]
        command += ["--store", self._settings.collect_into or str(self._places.store(name))]
        command += ["--bars-file", str(self._places.inside("bars", name, ".csv"))]
        if request["url"] is not None:
            command.append(f"--url={request['url']}")
        if request["seconds"] is not None:
            # Of one that is resumed, what is left of it.
            gone = 0.0 if job.started is None else time.time() - job.started
            command.append(f"--for={max(1.0, request['seconds'] - gone)}")
        return command

    def is_complete(self, job: Job) -> bool:
        """See :class:`Work`."""
        return False


class Training:
    """``lobgym train`` into ``runs/ID``."""

    kind: Kind = "training"
    stop_signal = signal.SIGINT

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings, self._places = settings, places

    def most(self, settings: Settings) -> int:
        """See :class:`Work`."""
        return settings.max_trainings

    def waits_for(self, job: Job) -> str | None:
        """See :class:`Work`."""
        return None

    def command(self, job: Job) -> list[str]:
        """See :class:`Work`."""
        request = job.request
        presets = find_presets(self._settings)
        preset = None if presets is None else presets / f"{request['preset']}.yaml"
        if preset is None or not preset.is_file():
            raise ServeError("preset", request["preset"], "a training that is in the directory of presets")
        changes = dict(request["settings"])
        if request["bars"] is not None:
            bars = self._places.bars(request["bars"])
            if bars is None:
                raise ServeError("bars", request["bars"], "the name of a file of bars")
            changes["env.bars"] = {"file": str(bars)}
        named = {"feature_set": "env.features", "steps": "train.steps", "seed": "train.seed"}
        changes |= {key: request[name] for name, key in named.items() if request[name] is not None}
        command = [find_binary(self._settings), "train", str(preset)]
        for key, value in changes.items():
            # JSON is YAML, whatever is in the text.
            command += ["--set", f"{key}={json.dumps(value)}"]
        directory = self.directory(job)
        command += ["--out", str(directory)]
        if (directory / "checkpoint.safetensors").exists():
            command.append("--resume")
        elif directory.exists():
            # Killed before its first checkpoint: nothing to go on from.
            shutil.rmtree(directory)
        return command

    def is_complete(self, job: Job) -> bool:
        """See :class:`Work`."""
        return (self.directory(job) / "policy.safetensors").exists()

    def directory(self, job: Job) -> Path:
        """Of the run."""
        return self._places.inside("runs", job.id)


class Trading:
    """``lobgym trade`` into ``trades/ID``; with the same directory it goes on where it was."""

    kind: Kind = "trading"
    stop_signal = signal.SIGTERM

    def __init__(self, settings: Settings, places: Places, ledger: Ledger) -> None:
        self._settings, self._places, self._ledger = settings, places, ledger

    def most(self, settings: Settings) -> int:
        """See :class:`Work`."""
        return settings.max_tradings

    def waits_for(self, job: Job) -> str | None:
        """See :class:`Work`."""
        collection = job.request["collection"]
        if self._places.bars(job.request["bars"]) is not None or collection is None:
            return None
        source = self._ledger.job(collection)
        if source is None or not source.is_open:
            return None
        return f"waits for the first bar of {collection}"

    def command(self, job: Job) -> list[str]:
        """See :class:`Work`."""
        request = job.request
        bars = self._places.bars(request["bars"])
        if bars is None:
            raise ServeError("bars", request["bars"], "a file with bars; the collection ended without any")
        policy = request["policy"]
        if policy not in RULES:
            # Relative to the state directory, where the process runs: colons and commas in the way there would mean something.
            policy = f"policy:{self._places.inside('runs', policy).relative_to(self._places.root)}"
        command = [find_binary(self._settings), "trade", "--policy", policy, "--bars", str(bars)]
        command += ["--out", str(self.directory(job)), "--speed", str(request["speed"])]
        if request["follow"]:
            command.append("--follow")
            if request["from_start"]:
                command.append("--from-start")
        if request["transaction_cost"] is not None:
            command += ["--set", f"env.transaction_cost={request['transaction_cost']}"]
        if request["steps"] is not None:
            command += ["--steps", str(request["steps"])]
        return command

    def is_complete(self, job: Job) -> bool:
        """See :class:`Work`."""
        return False

    def directory(self, job: Job) -> Path:
        """Of the session."""
        return self._places.inside("trades", job.id)


def works(settings: Settings, places: Places, ledger: Ledger) -> dict[Kind, Work]:
    """All kinds."""
    kinds: tuple[Work, ...] = (
        Collecting(settings, places, ledger),
        Training(settings, places),
        Trading(settings, places, ledger),
    )
    return {work.kind: work for work in kinds}

"""A training that takes no time: its returns follow from its settings. Its own module, as other processes import it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

UPDATES = 40


class Run:
    def __init__(self, directory: Path, mean_return: float, policy: Any = None) -> None:
        self.directory = directory
        self.mean_return = mean_return
        self.policy = policy


def worth(settings: dict[str, Any]) -> float:
    """Best, 0, at a learning rate of 0.01 and widths of 64."""
    rate = float(settings.get("train.learning_rate", 1.0))
    return -abs(rate - 0.01) - 0.1 * (settings.get("train.network.hidden", [64]) != [64])


def trainer(
    config: Any,
    *,
    out: Path,
    resume: bool = False,
    callback: Callable[[dict[str, Any]], bool],
    progress: bool,
    threads: int,
    **settings: Any,
) -> Run:
    """As lobgym.train. The setting `train.seconds` makes it take time."""
    assert progress is False and threads >= 1 and resume == (out / "checkpoint.safetensors").exists()
    if "train.oops" in settings:
        raise ValueError("train.oops is 1, an unknown setting; legal: none")
    if settings.get("train.learning_rate", 0.0) > 0.9:
        raise RuntimeError("update 3: the loss is not finite")
    out.mkdir(exist_ok=True)
    (out / "config.yaml").write_text("train: " + json.dumps(settings, sort_keys=True) + "\n", encoding="utf-8")
    first = int((out / "checkpoint.safetensors").read_text()) if resume else 0
    with (out / "log").open("a") as log:
        log.write(f"{os.getpid()} from {first}\n")
    mean = None
    for update in range(first + 1, UPDATES + 1):
        time.sleep(settings.get("train.seconds", 0.0) / UPDATES)
        mean = worth(settings) * (2.0 - update / UPDATES) if update > 2 else None
        report = {
            "update": update,
            "updates": UPDATES,
            "steps": 10 * update,
            "total_steps": 10 * UPDATES,
            "steps_per_second": 1.0,
            "mean_return": mean,
            "metrics": {},
        }
        if not callback(report) and update < UPDATES:
            (out / "checkpoint.safetensors").write_text(str(update))
            return Run(out, mean or 0.0)
    (out / "policy.safetensors").write_text("")
    return Run(out, mean or 0.0)

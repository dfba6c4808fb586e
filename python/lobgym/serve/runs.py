"""Directories of trainings, by name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from lobgym import _core
from lobgym.serve.errors import ServeError
from lobgym.serve.places import Places
from lobgym.serve.views import last_metrics

__all__ = ["settings_of", "state_of"]


@functools.lru_cache(maxsize=512)
def _settings(config: Path, _changed: int) -> dict[str, Any]:
    settings: dict[str, Any] = _core._settings(config)
    return settings


def _all_settings(places: Places, name: str) -> dict[str, Any]:
    config = places.inside("runs", name) / "config.yaml"
    try:
        return _settings(config, config.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


def settings_of(places: Places, name: str) -> dict[str, Any]:
    """The texts among a run's settings of its environment, such as its ``name`` and ``features``."""
    env = _all_settings(places, name).get("env")
    found = env if isinstance(env, dict) else {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def state_of(places: Places, name: str) -> dict[str, Any] | None:
    """What a run has come to; ``None`` if there is none of that name."""
    try:
        directory = places.inside("runs", name)
    except ServeError:
        return None
    if not (directory / "config.yaml").is_file():
        return None
    train = _all_settings(places, name).get("train")
    algorithm = train.get("algorithm") if isinstance(train, dict) else None
    latest = last_metrics(directory) or {}
    return {
        "id": name,
        "complete": (directory / "policy.safetensors").is_file(),
        "steps": latest.get("steps"),
        "mean_return": latest.get("return_mean"),
        "algorithm": algorithm if isinstance(algorithm, str) else None,
        "environment": settings_of(places, name).get("name"),
    }

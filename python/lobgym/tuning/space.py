"""What is searched: settings, and the values that each may have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

__all__ = ["Dimension", "default_space", "lookup", "parse_space"]


@dataclass(frozen=True)
class Dimension:
    """A setting, by its path (``train.learning_rate``), and its legal values: a range or choices."""

    key: str
    low: float = 0.0
    high: float = 0.0
    #: Search the logarithm.
    log: bool = False
    #: Whole numbers.
    integer: bool = False
    #: Instead of a range; each as JSON, so that lists can be chosen, too.
    choices: tuple[str, ...] = ()

    def suggest(self, trial: optuna.Trial) -> Any:
        """A value for the setting."""
        if self.choices:
            return json.loads(trial.suggest_categorical(self.key, self.choices))
        if self.integer:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def parameter(self, value: Any) -> Any:
        """A setting's value as Optuna knows it, or ``None`` if it is outside."""
        if self.choices:
            text = json.dumps(value)
            return text if text in self.choices else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        return int(value) if self.integer else float(value)

    def value(self, parameter: Any) -> Any:
        """A setting's value from what Optuna knows."""
        return json.loads(parameter) if self.choices else parameter

    def describe(self) -> dict[str, Any]:
        """As configuration files have it."""
        if self.choices:
            return {"choices": [json.loads(choice) for choice in self.choices]}
        return {"low": self.low, "high": self.high, "log": self.log, "int": self.integer}


def parse_space(space: Mapping[str, Any]) -> list[Dimension]:
    """The section ``space``: ``{low, high, log, int}`` or ``{choices}`` by the setting's path.

    Raises ``ValueError`` with the key, its value and what would be legal.
    """
    if not isinstance(space, Mapping) or not space:
        raise ValueError(f"space is {space!r}; legal: a mapping of settings (train.learning_rate) to ranges or choices")
    return [_dimension(str(key), record) for key, record in space.items()]


def _dimension(key: str, record: Any) -> Dimension:
    where = f"space.{key}"
    if key.partition(".")[0] not in ("env", "train") or "." not in key:
        raise ValueError(f"{where} is no setting; legal: a path as train.learning_rate or env.market")
    if not isinstance(record, Mapping):
        raise ValueError(f"{where} is {record!r}; legal: {{low, high, log, int}} or {{choices}}")
    unknown = sorted(set(record) - {"low", "high", "log", "int", "choices"})
    if unknown:
        raise ValueError(f"{where}.{unknown[0]} is an unknown key; legal: low, high, log, int, choices")
    if "choices" in record:
        choices = record["choices"]
        if len(record) > 1 or not isinstance(choices, list | tuple) or not choices:
            raise ValueError(f"{where} is {dict(record)!r}; legal beside each other: nothing, a list of choices")
        texts = tuple(json.dumps(choice) for choice in choices)
        if len(set(texts)) < len(texts):
            raise ValueError(f"{where}.choices is {choices!r}; legal: each choice once")
        return Dimension(key, choices=texts)
    low, high = (_number(f"{where}.{name}", record.get(name)) for name in ("low", "high"))
    for name in ("log", "int"):
        if not isinstance(record.get(name, False), bool):
            raise ValueError(f"{where}.{name} is {record[name]!r}; legal: true or false")
    log, integer = record.get("log", False), record.get("int", False)
    if not low < high:
        raise ValueError(f"{where}.high is {high!r}; legal: more than low, {low!r}")
    if log and low <= 0:
        raise ValueError(f"{where}.low is {low!r}; legal with log: more than 0")
    if integer and not (low == int(low) and high == int(high)):
        raise ValueError(f"{where} goes from {low!r} to {high!r}; legal with int: whole numbers")
    return Dimension(key, low, high, log, integer)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is {value!r}; legal: a finite number")
    return value


def lookup(settings: Mapping[str, Any], key: str) -> Any:
    """The value at a path, or ``None``."""
    value: Any = settings
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


_DISCOUNTS = {"choices": [0.9, 0.95, 0.98, 0.99, 0.995, 0.999]}
_HIDDEN = {"choices": [[32, 32], [64, 64], [128, 128]]}

_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "ppo": {
        "train.learning_rate": {"low": 1e-4, "high": 3e-3, "log": True},
        "train.rollout_steps": {"choices": [64, 125, 250, 500]},
        "train.epochs": {"low": 2, "high": 12, "int": True},
        "train.minibatches": {"choices": [4, 8, 16, 32]},
        "train.discount": _DISCOUNTS,
        "train.trace": {"low": 0.8, "high": 1.0},
        "train.clip": {"low": 0.1, "high": 0.4},
        "train.entropy_coefficient": {"low": 1e-5, "high": 1e-2, "log": True},
        "train.initial_deviation": {"low": 0.2, "high": 1.0, "log": True},
        "train.network.hidden": _HIDDEN,
    },
    "actor_critic": {
        "train.learning_rate": {"low": 1e-4, "high": 3e-3, "log": True},
        "train.rollout_steps": {"choices": [25, 50, 100, 200]},
        "train.clip": {"low": 0.1, "high": 0.8},
        "train.value_coefficient": {"low": 0.1, "high": 1.0, "log": True},
        "train.gradient_norm": {"low": 0.2, "high": 5.0, "log": True},
        "train.initial_deviation": {"low": 0.5, "high": 1.5},
        "train.network.hidden": _HIDDEN,
    },
    "reinforce": {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "train.rollout_steps": {"choices": [100, 200, 400]},
        "train.entropy_coefficient": {"low": 1e-5, "high": 1e-2, "log": True},
        "train.gradient_norm": {"low": 0.2, "high": 5.0, "log": True},
        "train.initial_deviation": {"low": 0.2, "high": 1.5, "log": True},
        "train.network.hidden": _HIDDEN,
    },
    "dqn": {
        "train.learning_rate": {"low": 5e-5, "high": 2e-3, "log": True},
        "train.batch": {"choices": [64, 128, 256]},
        "train.gradient_steps": {"choices": [2, 4, 8, 16]},
        "train.discount": _DISCOUNTS,
        "train.n_step": {"low": 1, "high": 8, "int": True},
        "train.target_interval": {"low": 200, "high": 5_000, "log": True, "int": True},
        "train.epsilon_share": {"low": 0.05, "high": 0.5},
        "train.prioritised": {"choices": [False, True]},
        "train.network.hidden": _HIDDEN,
    },
}


def default_space(algorithm: str) -> dict[str, dict[str, Any]]:
    """The space that is searched where none is given. Raises ``ValueError`` for an algorithm that there is not."""
    if algorithm not in _DEFAULTS:
        raise ValueError(f"train.algorithm is {algorithm!r}; legal: one of {', '.join(_DEFAULTS)}")
    return {key: dict(record) for key, record in _DEFAULTS[algorithm].items()}

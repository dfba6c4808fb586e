"""Gymnasium's spaces for what the native environments describe."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lobgym import _core

__all__ = ["action_space", "observation_space"]


def _box(shape: tuple[int, ...], components: list[tuple[str, str, float, float]]) -> spaces.Box:
    low = np.array([low for _, _, low, _ in components], dtype=np.float32).reshape(shape)
    high = np.array([high for _, _, _, high in components], dtype=np.float32).reshape(shape)
    return spaces.Box(low, high, dtype=np.float32)


def observation_space(native: _core.Env | _core.VecEnv | _core.Policy) -> spaces.Space[NDArray[np.float32]]:
    """The observation space of one environment: a box of 32-bit floats."""
    # Gymnasium's types do not say which number a box holds.
    return cast("spaces.Space[NDArray[np.float32]]", _box(native.observation_shape, native.observation_components))


def action_space(native: _core.Env | _core.VecEnv | _core.Policy) -> spaces.Space[Any]:
    """The action space of one environment: ``Box``, ``Discrete`` or ``MultiDiscrete``."""
    kind, shape, components, choices = native.action_description
    if kind == "box":
        return _box(shape, components)
    if kind == "discrete":
        return spaces.Discrete(len(choices[0][1]))
    return spaces.MultiDiscrete(np.array([len(names) for _, names in choices], dtype=np.int64))

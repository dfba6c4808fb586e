"""Trained policies, without PyTorch."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lobgym import _core, spaces

__all__ = ["Policy"]


class Policy:
    """What a training has learned: ``Policy.load("runs/market_making_ppo-1").predict(observation)``.

    ``predict()`` has the shape of Stable-Baselines3's, and a policy can be passed to its ``evaluate_policy``. Nothing here needs PyTorch.
    """

    def __init__(self, native: _core.Policy) -> None:
        self._native = native
        #: The space that observations are of.
        self.observation_space = spaces.observation_space(native)
        #: The space that actions are of.
        self.action_space = spaces.action_space(native)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, seed: int | None = None) -> Policy:
        """The policy of a file, or of the run in a directory.

        ``seed`` is that of the actions that ``predict(deterministic=False)`` draws; without one the operating system's chance chooses.
        Raises ``FileNotFoundError`` where there is none, and ``ValueError`` for a file that is no policy or one of another format.
        """
        if seed is not None and not 0 <= seed < 1 << 64:
            raise ValueError(f"seed is {seed}; legal: an integer from 0 to 2**64 - 1")
        return cls(_core.Policy(path, secrets.randbits(64) if seed is None else seed))

    def predict(
        self,
        observation: ArrayLike,
        state: tuple[NDArray[np.float32], ...] | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], tuple[NDArray[np.float32], ...] | None]:
        """Actions for one observation of shape (d,) or several of shape (n, d). Returns (action, state).

        The action is of the action space: shape (k,) or (n, k), for discrete ones () or (n,). ``deterministic`` chooses the likeliest, else
        one is drawn.

        A policy with memory (``header["network"]["window"]`` above 1) returns a ``state``, to be passed to the next call: the observations
        that it remembers, normalised, in an array of shape (n, window, d). ``episode_start``, booleans of shape (n,), says who begins an
        episode and has nothing to remember. Without a state everybody does. Other policies return the state that they were given.
        """
        return self._native.predict(observation, state, episode_start, deterministic)

    def fits(self, env: gymnasium.Env[Any, Any] | gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
        """Raises ``ValueError``, with what differs, if it cannot act in this environment of lobgym's: wrapped, single or a batch."""
        native = getattr(env.unwrapped, "_native", None)
        if not isinstance(native, _core.Env | _core.VecEnv):
            raise TypeError(f"env is {env!r}; legal: a lobgym.Env or lobgym.VectorEnv, in wrappers or not")
        self._native.fits(native)

    @property
    def header(self) -> dict[str, Any]:
        """Where it comes from and what it needs: ``network``, ``head``, ``observation``, ``action``, ``env``, ``training`` and others."""
        return self._native.header

    @property
    def path(self) -> os.PathLike[str]:
        """The file that it was loaded from."""
        return self._native.path

    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]:
        """The observation index by index: name, unit, low, high."""
        return self._native.observation_components

    @property
    def action_components(self) -> list[tuple[str, str, float, float]]:
        """A continuous action index by index: name, unit, low, high. Empty if it is discrete."""
        return self._native.action_description[2]

    @property
    def action_choices(self) -> Sequence[tuple[str, list[str]]]:
        """A discrete action: each of its lists' name, and the names of what can be chosen. Empty if it is continuous."""
        return self._native.action_description[3]

    def __repr__(self) -> str:
        header = self.header
        task, algorithm = header["env"].get("name", "?"), header["training"].get("algorithm", "?")
        return f"<lobgym.Policy for {task}, {algorithm}, {header['head']['kind']}>"

"""One environment with Gymnasium's manners."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from lobgym import _core, spaces

__all__ = ["Env", "Info", "Observation", "picture_size"]

#: What an environment sees: 32-bit floats.
Observation = NDArray[np.float32]

#: Where the episode stands, by name; the environment's page has the units.
Info = dict[str, float]

#: Settings that make an environment: a mapping, the name of a shipped configuration, or the path of a YAML file.
Config = Mapping[str, Any] | str | os.PathLike[str]

_RENDER_MODES = ["ansi", "human", "rgb_array"]


def picture_size(render_mode: str | None, render_size: tuple[int, int]) -> tuple[int, int] | None:
    """The size of the picture that ``render_mode`` wants to be kept, after a check of both."""
    if render_mode is not None and render_mode not in _RENDER_MODES:
        legal = ", ".join(_RENDER_MODES)
        raise ValueError(f"render_mode is {render_mode!r}; legal: None or one of {legal}")
    width, height = render_size
    if not (64 <= width <= 4096 and 64 <= height <= 4096):
        raise ValueError(f"render_size is {render_size!r}; legal: (width, height), 64 to 4096 pixels each")
    return (width, height) if render_mode == "rgb_array" else None


class Env(gymnasium.Env[Observation, Any]):
    """One environment: ``lobgym.Env("execution", lots=60)`` or ``gymnasium.make("lobgym/Execution-v0", lots=60)``.

    The first argument is the environment's name (``market_making``, ``execution``, ``model_market_making``,
    ``portfolio_rebalancing``, ``multi_asset_trading``, ``trader``; ``prices`` and ``features`` of the two before the last may be arrays) or that of a
    configuration that comes with the package (``market_making_classic``). Settings are keyword arguments, or stand in ``config``: a
    dictionary, the name of a configuration, or the path of a YAML file, whose section ``env`` is read. Keyword arguments override it.
    A setting that there is not, or that is not legal, raises ``ValueError`` with its key, its value and what would be legal.

    ``reset(seed=s)`` begins the first episode of seed ``s``; ``reset()`` goes on with the next one. The same seed gives the same
    episodes. If no seed is ever given, the operating system's chance chooses one.

    ``render_mode`` is ``"ansi"`` (the ladder as text), ``"human"`` (the same, live in the terminal) or ``"rgb_array"`` (the depth of the
    episode as a picture of ``render_size``, width x height).
    """

    metadata: dict[str, Any] = {"render_modes": _RENDER_MODES, "render_fps": 10}

    def __init__(
        self,
        name: str,
        *,
        config: Config | None = None,
        render_mode: str | None = None,
        render_size: tuple[int, int] = (640, 400),
        **settings: Any,
    ) -> None:
        size = picture_size(render_mode, render_size)
        self._settle(_core.Env(name, config, settings, picture_size=size), render_mode)

    def _settle(self, native: _core.Env, render_mode: str | None) -> None:
        self._native = native
        self._shows = render_mode == "human"
        self._seeded = False
        self._drawn = False
        self.render_mode = render_mode
        self.observation_space = spaces.observation_space(native)
        self.action_space = spaces.action_space(native)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begins the first episode of ``seed``, or the next one. ``options`` has no effect. Returns (observation, info)."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(1 << 63))
        elif seed is not None and seed >= 1 << 64:
            raise ValueError(f"seed is {seed}; legal: an integer from 0 to 2**64 - 1")
        result = self._native.reset(seed)
        self._seeded = True
        if self._shows:
            self.render()
        return result

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Acts. Returns (observation, reward, terminated, truncated, info), the arrays and the dictionary fresh ones."""
        result = self._native.step(action)
        if self._shows:
            self.render()
        return result

    def render(self) -> Any:
        """A frame: text for ``"ansi"``, ``uint8[height, width, 3]`` for ``"rgb_array"``; ``"human"`` prints it and returns ``None``."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() without a render_mode; legal: render_mode= ansi, human or rgb_array when it is made"
            )
            return None
        if self.render_mode == "rgb_array":
            return self._native.rgb()
        if self.render_mode == "ansi":
            return self._native.ansi()
        if sys.stdout.isatty():
            # Home, then clear what is below; the first frame clears all of the screen.
            sys.stdout.write(("\x1b[H\x1b[J" if self._drawn else "\x1b[2J\x1b[H") + self._native.ansi(colour=True))
        else:
            sys.stdout.write(self._native.ansi())
        sys.stdout.flush()
        self._drawn = True
        return None

    def close(self) -> None:
        """Frees everything; other calls than this one raise ``lobgym.ClosedError`` from now on."""
        self._native.close()

    def fork(self) -> Env:
        """A copy that stands where this one stands: the same actions have the same future in both."""
        other = type(self).__new__(type(self))
        other._settle(self._native.fork(), self.render_mode)
        other._seeded = self._seeded
        other.spec = self.spec
        other._np_random = copy.deepcopy(self._np_random)
        other._np_random_seed = self._np_random_seed
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Env:
        """``fork()``, so that ``copy.deepcopy`` of an environment in Gymnasium's wrappers forks it."""
        return self.fork()

    def save_state(self) -> _core.State:
        """Where it stands, for any number of ``restore_state()``. It does not change when the environment goes on."""
        return self._native.save_state()

    def restore_state(self, state: _core.State) -> tuple[Observation, Info]:
        """Puts the environment back to where it, or one with the same settings, stood. Returns (observation, info) of then."""
        result = self._native.restore_state(state)
        self._seeded = True
        return result

    @property
    def config(self) -> dict[str, Any]:
        """All settings with their values, defaults included."""
        return self._native.config

    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]:
        """The observation index by index: name, unit, low, high."""
        return self._native.observation_components

    @property
    def action_components(self) -> list[tuple[str, str, float, float]]:
        """A continuous action index by index: name, unit, low, high. Empty if it is discrete."""
        return self._native.action_description[2]

    @property
    def action_choices(self) -> list[tuple[str, list[str]]]:
        """A discrete action: each of its lists' name, and the names of what can be chosen. Empty if it is continuous."""
        return self._native.action_description[3]

    def __repr__(self) -> str:
        """The environment's name, if it is open."""
        state = "closed" if self._native.closed else f"{len(self.observation_components)} observations"
        return f"<lobgym.Env({self.config['name']}), {state}>"

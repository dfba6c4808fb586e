"""A native batch of environments with Gymnasium's manners."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import gymnasium.vector
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from lobgym import _core, spaces
from lobgym.envs import Config, Observation, picture_size

__all__ = ["VectorEnv"]

_NATIVE_MODES = {
    AutoresetMode.NEXT_STEP: "next_step",
    AutoresetMode.SAME_STEP: "same_step",
    AutoresetMode.DISABLED: "disabled",
}

Flags = NDArray[np.bool_]
Rewards = NDArray[np.float64]


class VectorEnv(gymnasium.vector.VectorEnv[Observation, Any, Any]):
    """Many environments on worker threads: ``gymnasium.make_vec("lobgym/Execution-v0", 1024, lots=60)``.

    Environment ``i`` does exactly what :class:`lobgym.Env` does with its seed, whatever the number of threads. The results, infos and
    masks are those of Gymnasium's ``SyncVectorEnv`` over single environments.

    - ``config`` and keyword arguments: as for :class:`lobgym.Env`. ``max_episode_steps`` is one of them.
    - ``threads``: 0 takes as many as the machine has and the batch is worth.
    - ``autoreset_mode``: ``AutoresetMode.NEXT_STEP`` (default), ``SAME_STEP`` or ``DISABLED``, or their values as strings.
    - ``reuse_buffers``: if true, the arrays returned are the same ones each time and change with the next call.
    - ``infos``: ``"all"``, or ``"none"`` for speed; ``final_obs`` is there all the same.
    """

    metadata: dict[str, Any] = {
        "render_modes": ["ansi", "human", "rgb_array"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        name: str,
        num_envs: int = 1,
        *,
        config: Config | None = None,
        threads: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        reuse_buffers: bool = False,
        infos: Literal["all", "none"] = "all",
        render_mode: str | None = None,
        render_size: tuple[int, int] = (640, 400),
        **settings: Any,
    ) -> None:
        try:
            mode = AutoresetMode(autoreset_mode)
        except ValueError:
            legal = ", ".join(mode.value for mode in AutoresetMode)
            raise ValueError(f"autoreset_mode is {autoreset_mode!r}; legal: one of {legal}") from None
        if infos not in ("all", "none"):
            raise ValueError(f"infos is {infos!r}; legal: one of all, none")
        for key, value, least in (("num_envs", num_envs, 1), ("threads", threads, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{key} is {value!r}; legal: an integer of {least} or more")
        native = _core.VecEnv(
            name,
            int(num_envs),
            config,
            settings,
            threads=int(threads),
            autoreset=_NATIVE_MODES[mode],
            reuse_buffers=bool(reuse_buffers),
            infos=infos == "all",
            picture_size=picture_size(render_mode, render_size),
        )
        self._settle(native, mode, render_mode)

    def _settle(self, native: _core.VecEnv, mode: AutoresetMode, render_mode: str | None) -> None:
        self._native = native
        self._step = native.step
        self._seeded = False
        self.num_envs = native.num_envs
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "autoreset_mode": mode}
        self.single_observation_space = spaces.observation_space(native)
        self.single_action_space = spaces.action_space(native)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins episodes. Returns (observations, infos).

        A number ``s`` as ``seed`` gives environment ``i`` the seed ``s + i``; a sequence gives each its own, or none. Without a seed each
        goes on with its next episode. ``options={"reset_mask": mask}`` resets only the environments that the boolean array marks; the
        others' observations are what they were.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        if seeds is None and not self._seeded:
            seeds = [int(number) for number in self.np_random.integers(1 << 63, size=self.num_envs)]
        elif seeds is not None and not self._seeded:
            drawn = self.np_random.integers(1 << 63, size=self.num_envs)
            seeds = [int(drawn[i]) if own is None else own for i, own in enumerate(seeds)]
        mask = self._mask(options)
        result = self._native.reset(seeds, mask)
        self._seeded = True
        return result

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None] | None:
        if seed is None:
            return None
        if isinstance(seed, SupportsIndex) and not isinstance(seed, np.ndarray):
            first = seed.__index__()
            seeds: list[int | None] = [first + i for i in range(self.num_envs)]
        else:
            seeds = [None if own is None else own.__index__() for own in seed]
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed is a list of {len(seeds)}; legal: one for each of {self.num_envs} environments")
        for own in seeds:
            if own is not None and not 0 <= own < 1 << 64:
                raise ValueError(f"seed is {own}; legal: an integer from 0 to 2**64 - 1")
        return seeds

    def _mask(self, options: dict[str, Any] | None) -> list[bool] | None:
        if options is None or "reset_mask" not in options:
            return None
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray):
            raise TypeError(f"options['reset_mask'] is a {type(mask).__name__}; legal: a numpy array of bool")
        if mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] has dtype {mask.dtype}; legal: bool")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] has shape {mask.shape}; legal: ({self.num_envs},)")
        if not mask.any():
            raise ValueError("options['reset_mask'] marks no environment; legal: at least one True")
        marked: list[bool] = mask.tolist()
        return marked

    def step(self, actions: Any) -> tuple[Observation, Rewards, Flags, Flags, dict[str, Any]]:
        """Acts in all environments. Returns (observations, rewards, terminations, truncations, infos)."""
        return self._step(actions)

    def render(self) -> tuple[Any, ...] | None:
        """A frame of each environment: text for ``"ansi"``, ``uint8[height, width, 3]`` for ``"rgb_array"``; ``"human"`` prints them."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() without a render_mode; legal: render_mode= ansi, human or rgb_array when it is made"
            )
            return None
        if self.render_mode == "rgb_array":
            return tuple(self._native.rgb())
        frames = self._native.ansi()
        if self.render_mode == "ansi":
            return tuple(frames)
        print("\n".join(frames), flush=True)
        return None

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the threads; other calls than ``close()`` raise ``lobgym.ClosedError`` from now on."""
        # Gymnasium closes what is garbage, also a batch whose settings were refused.
        if hasattr(self, "_native"):
            self._native.close()

    def fork(self) -> VectorEnv:
        """A copy that stands where this one stands, with threads of its own: the same actions have the same future in both."""
        other = type(self).__new__(type(self))
        other._settle(self._native.fork(), self.metadata["autoreset_mode"], self.render_mode)
        other._seeded = self._seeded
        other.spec = self.spec
        other._np_random = copy.deepcopy(self._np_random)
        other._np_random_seed = self._np_random_seed
        return other

    def save_state(self, index: int | None = None) -> _core.State:
        """Where all environments stand, or number ``index``; the latter fits a single :class:`lobgym.Env` as well."""
        return self._native.save_state(index)

    def restore_state(self, state: _core.State, index: int | None = None) -> tuple[Observation, dict[str, Any]]:
        """Puts all environments, or number ``index``, back to where they stood. Returns (observations, infos) of then."""
        result = self._native.restore_state(state, index)
        self._seeded = True
        return result

    def rollout(self, actions: Any, steps: int) -> tuple[float, int]:
        """Takes ``steps`` steps with the same actions in one native call, to time it; Ctrl-C ends it between two steps.

        Returns the sum of all rewards and how many episodes ended.
        """
        return self._native.rollout(actions, steps)

    @property
    def threads(self) -> int:
        """Threads that step the environments, the caller's included."""
        return self._native.threads

    @property
    def config(self) -> dict[str, Any]:
        """All settings with their values, defaults included."""
        return self._native.config

    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]:
        """One environment's observation index by index: name, unit, low, high."""
        return self._native.observation_components

    @property
    def action_components(self) -> list[tuple[str, str, float, float]]:
        """One environment's continuous action index by index: name, unit, low, high. Empty if it is discrete."""
        return self._native.action_description[2]

    @property
    def action_choices(self) -> list[tuple[str, list[str]]]:
        """One environment's discrete action: each list's name, and what can be chosen. Empty if it is continuous."""
        return self._native.action_description[3]

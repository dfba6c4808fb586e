"""A native batch for Stable-Baselines3. The only module of the package that imports it, and with it PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv as _VecEnv

from lobgym.vector import VectorEnv

__all__ = ["VecEnv"]

Indices = int | Sequence[int] | None


class VecEnv(_VecEnv):
    """Stable-Baselines3's ``VecEnv`` over a :class:`lobgym.VectorEnv`: ``PPO("MlpPolicy", VecEnv("execution", 128, lots=60))``.

    Takes what :class:`lobgym.VectorEnv` takes, but for ``autoreset_mode``: Stable-Baselines3 knows same-step resets alone. An info of an
    ended episode holds the environment's last infos, ``terminal_observation`` and ``TimeLimit.truncated``; the infos in between are
    empty, unless ``infos="all"``, which costs time for each environment and step.
    """

    def __init__(self, name: str, num_envs: int = 1, *, infos: str = "last", **settings: Any) -> None:
        if infos not in ("all", "last"):
            raise ValueError(f"infos is {infos!r}; legal: one of all, last")
        if "autoreset_mode" in settings:
            raise ValueError("autoreset_mode is given; legal: nothing, as Stable-Baselines3 knows SameStep alone")
        self.batch = VectorEnv(name, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **settings)
        self._all_infos = infos == "all"
        self._actions: Any = None
        super().__init__(num_envs, self.batch.single_observation_space, self.batch.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Begins an episode of each environment, with the seeds that ``seed()`` has set."""
        observations, infos = self.batch.reset(seed=self._seeds)
        self.reset_infos = _rows(infos, range(self.num_envs), self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Takes the actions; ``step_wait()`` acts."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Acts. Returns (observations, rewards, dones, infos)."""
        observations, rewards, terminations, truncations, infos = self.batch.step(self._actions)
        dones = terminations | truncations
        ended = np.flatnonzero(dones).tolist()
        every = range(self.num_envs) if self._all_infos else ()
        rows = _rows(infos, every, self.num_envs)
        if self._all_infos:
            for row in rows:
                row["TimeLimit.truncated"] = False
        if ended:
            last = _rows(infos["final_info"], ended, self.num_envs)
            for index in ended:
                row = rows[index] = last[index]
                row["terminal_observation"] = infos["final_obs"][index]
                row["TimeLimit.truncated"] = bool(truncations[index] and not terminations[index])
        return observations, rewards.astype(np.float32), dones, rows

    def close(self) -> None:
        """Ends the threads; other calls raise ``lobgym.ClosedError`` from now on."""
        self.batch.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of each environment, with ``render_mode="rgb_array"``."""
        return self.batch.render() or ()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The batch's attribute, once for each environment."""
        value = getattr(self.batch, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Sets the batch's attribute. It has one for all environments, so that ``indices`` must be left out."""
        if indices is not None:
            raise ValueError(
                f"indices is {indices!r}; legal: None, as the environments of a native batch share their attributes"
            )
        setattr(self.batch, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls the batch's method that works on single environments: ``render`` and ``save_state``."""
        if method_name == "render":
            frames = self.batch.render()
            return [frames[index] if frames else None for index in self._get_indices(indices)]
        if method_name == "save_state":
            return [self.batch.save_state(index) for index in self._get_indices(indices)]
        raise AttributeError(f"method_name is {method_name!r}; legal for a native batch: one of render, save_state")

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """Never: a native batch has no Python environments that a wrapper could be around."""
        return [False for _ in self._get_indices(indices)]


def _rows(infos: dict[str, Any], wanted: Sequence[int], num_envs: int) -> list[dict[str, Any]]:
    """A dictionary for each environment; empty but for those wanted."""
    rows: list[dict[str, Any]] = [{} for _ in range(num_envs)]
    if wanted:
        for name, values in infos.items():
            if not name.startswith(("_", "final_")):
                column = values.tolist()
                for index in wanted:
                    rows[index][name] = column[index]
    return rows

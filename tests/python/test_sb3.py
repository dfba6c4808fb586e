"""Stable-Baselines3, where it is installed: `make test-sb3`."""

from __future__ import annotations

import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import Case
from policy_files import write_policy

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import lobgym.sb3


def test_sb3s_checker_is_content(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Advice, not a fault: the published execution task's actions are shares from 0 to 1.
        warnings.filterwarnings("ignore", message="We recommend you to use a symmetric and normalized Box action space")
        check_env(case.env())


@pytest.mark.parametrize("limit", [None, 7])
def test_the_adapter_is_sb3s_batch_of_single_environments(case: Case, limit: int | None) -> None:
    def make() -> gymnasium.Env:
        return gymnasium.make(case.id, max_episode_steps=limit, **case.settings)

    theirs = DummyVecEnv([make] * 3)
    ours = lobgym.sb3.VecEnv(case.name, 3, infos="all", max_episode_steps=limit, **case.settings)
    theirs.seed(5), ours.seed(5)
    assert np.array_equal(theirs.reset(), ours.reset())
    assert theirs.reset_infos == ours.reset_infos
    theirs.action_space.seed(1)
    ended = 0
    for _ in range(120):
        actions = np.stack([theirs.action_space.sample() for _ in range(3)])
        left, right = theirs.step(actions), ours.step(actions)
        for a, b in zip(left[:3], right[:3], strict=True):
            assert a.dtype == b.dtype and np.array_equal(a, b)
        for a, b in zip(left[3], right[3], strict=True):
            last, own = a.pop("terminal_observation", None), b.pop("terminal_observation", None)
            assert a == b and (last is None) == (own is None) and np.array_equal(last, own)
            ended += last is not None
    assert ended >= 3


def test_infos_between_the_ends_are_empty(model: Case) -> None:
    batch = VecMonitor(lobgym.sb3.VecEnv(model.name, 2, max_episode_steps=3))
    batch.reset()
    actions = np.zeros((2, 4), dtype=np.float32)
    assert batch.step(actions)[3] == [{}, {}] == batch.step(actions)[3]
    infos = batch.step(actions)[3]
    assert all(info["TimeLimit.truncated"] and info["episode"]["l"] == 3 and "profit" in info for info in infos)


def test_sb3_evaluates_a_policy_of_ours(model: Case, tmp_path: Path) -> None:
    policy = lobgym.Policy.load(write_policy(tmp_path / "policy.safetensors", model.env(), window=2).path)
    batch = VecMonitor(lobgym.sb3.VecEnv(model.name, 3, **model.settings))
    batch.seed(2)
    returns, lengths = evaluate_policy(policy, batch, n_eval_episodes=3, return_episode_rewards=True)
    env, expected = model.env(), []
    for seed in (2, 3, 4):
        observation, _ = env.reset(seed=seed)
        state, total, done = None, 0.0, False
        while not done:
            action, state = policy.predict(observation, state)
            observation, reward, terminated, truncated, _ = env.step(action)
            total, done = total + reward, terminated or truncated
        expected.append(total)
    assert len(lengths) == 3
    np.testing.assert_allclose(sorted(returns), sorted(expected), rtol=1e-4)


def test_what_is_not_legal_is_named(model: Case) -> None:
    with pytest.raises(ValueError, match="autoreset_mode"):
        lobgym.sb3.VecEnv(model.name, 2, autoreset_mode="NextStep")
    with pytest.raises(ValueError, match="infos is 'none'; legal"):
        lobgym.sb3.VecEnv(model.name, 2, infos="none")
    batch = lobgym.sb3.VecEnv(model.name, 2)
    with pytest.raises(AttributeError, match="legal for a native batch"):
        batch.env_method("sing")
    assert batch.env_is_wrapped(gymnasium.Wrapper) == [False, False]
    assert batch.get_attr("num_envs") == [2, 2]
    assert [state.num_envs for state in batch.env_method("save_state")] == [1, 1]

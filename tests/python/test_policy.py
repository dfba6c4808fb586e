"""Trained policies without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from conftest import Case
from gymnasium.wrappers import RecordEpisodeStatistics
from policy_files import Handmade, write_policy

import lobgym

GRID = Case("market_making", {"steps": 40, "action": "grid"})


@pytest.fixture
def box(tmp_path: Path, model: Case) -> Handmade:
    return write_policy(tmp_path / "box.safetensors", model.env())


@pytest.fixture
def remembering(tmp_path: Path, model: Case) -> Handmade:
    return write_policy(tmp_path / "remembering.safetensors", model.env(), window=3)


def observations(case: Case, count: int) -> Any:
    env = case.env()
    rows = [env.reset(seed=1)[0]]
    while len(rows) < count:
        rows.append(env.step(env.action_space.sample())[0])
    return np.stack(rows)


@pytest.mark.parametrize("case", [Case("model_market_making"), GRID], ids=str)
def test_actions_are_those_that_numpy_computes(tmp_path: Path, case: Case) -> None:
    handmade = write_policy(tmp_path / "policy.safetensors", case.env(), seed=4)
    policy = lobgym.Policy.load(handmade.path)
    seen = observations(case, 20)
    expected = handmade.actions(seen[:, None])
    actions, state = policy.predict(seen)
    assert state is None
    np.testing.assert_allclose(actions, expected, atol=1e-5)
    assert actions.dtype == policy.action_space.dtype and len({str(action) for action in actions}) > 1
    for observation, action in zip(seen, actions, strict=True):
        alone = policy.predict(observation)[0]
        assert np.array_equal(alone, action) and policy.action_space.contains(alone)
        assert policy.observation_space.contains(observation)
    assert policy.predict(seen[:0])[0].shape == (0, *actions.shape[1:])


def test_a_policy_plays_an_episode(box: Handmade, model: Case) -> None:
    policy, env = lobgym.Policy.load(box.path), model.env()
    observation, _ = env.reset(seed=3)
    done = False
    while not done:
        observation, _, terminated, truncated, _ = env.step(policy.predict(observation)[0])
        done = terminated or truncated


def test_lists_other_types_and_layouts_are_read(box: Handmade, model: Case) -> None:
    policy, seen = lobgym.Policy.load(box.path), observations(model, 4)
    expected = policy.predict(seen)[0]
    for same in (seen.tolist(), np.asfortranarray(seen), np.repeat(seen, 2, axis=0)[::2]):
        assert np.array_equal(policy.predict(same)[0], expected)
    np.testing.assert_allclose(policy.predict(seen.astype(np.float64))[0], expected)


def test_memory_is_carried_in_the_state(remembering: Handmade, model: Case) -> None:
    policy, seen = lobgym.Policy.load(remembering.path), observations(model, 5)
    before = np.zeros((3, seen.shape[1]), dtype=np.float32)
    state = None
    for observation in seen:
        before = np.vstack([before[1:], observation])
        action, state = policy.predict(observation, state)
        np.testing.assert_allclose(action, remembering.actions(before[None])[0], atol=1e-5)
        assert state is not None and np.array_equal(state[0], before[None])
    # What was seen before matters, and who begins an episode has seen nothing.
    again = policy.predict(seen[0], state)[0]
    fresh = policy.predict(seen[0])[0]
    assert not np.array_equal(again, fresh)
    both, _ = policy.predict(seen[:1].repeat(2, axis=0), (np.repeat(state[0], 2, axis=0),), np.array([False, True]))
    assert np.array_equal(both, np.stack([again, fresh]))


def test_a_policy_without_memory_returns_the_state_it_was_given(box: Handmade, model: Case) -> None:
    state = (np.zeros(3, dtype=np.float32),)
    assert lobgym.Policy.load(box.path).predict(observations(model, 2), state, np.ones(2, dtype=bool))[1] is state


def test_drawn_actions_depend_on_the_seed_alone(box: Handmade, model: Case) -> None:
    seen = observations(model, 50)

    def drawn(seed: int | None) -> Any:
        policy = lobgym.Policy.load(box.path, seed=seed)
        return np.stack([policy.predict(seen, deterministic=False)[0] for _ in range(2)])

    assert np.array_equal(drawn(0), drawn(0))
    assert not np.array_equal(drawn(0), drawn(1)) and not np.array_equal(drawn(None), drawn(None))
    assert not np.array_equal(*drawn(0))
    # In the bounds, and about the likeliest action.
    low, high = box.bounds or (0, 0)
    assert (drawn(0) >= low).all() and (drawn(0) <= high).all()
    assert np.abs(drawn(0) - lobgym.Policy.load(box.path).predict(seen)[0]).mean() < 0.3 * np.max(high - low)


@pytest.mark.parametrize(
    ("observation", "problem"),
    [
        (np.zeros(5), r"observation is of shape \(5,\); legal: numbers of shape \(6,\) or \(n, 6\)"),
        (np.zeros((2, 2, 6)), r"observation is of shape \(2, 2, 6\)"),
        (np.full(6, np.nan), "observation is NaN in places"),
        (["a"] * 6, "observation is of dtype"),
        ([[1.0], [1.0, 2.0]], "observation is .*inhomogeneous"),
    ],
)
def test_what_is_no_observation_is_refused(box: Handmade, observation: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        lobgym.Policy.load(box.path).predict(observation)


def test_what_is_no_state_is_refused(remembering: Handmade, model: Case) -> None:
    policy, seen = lobgym.Policy.load(remembering.path), observations(model, 2)
    with pytest.raises(ValueError, match=r"state is of shape \(1, 3, 6\); legal: None, .* shape \(2, 3, 6\)"):
        policy.predict(seen, policy.predict(seen[0])[1])
    with pytest.raises(ValueError, match="state is a tuple of 2"):
        policy.predict(seen, (seen, seen))
    with pytest.raises(ValueError, match="episode_start is of 3 values; legal: None, or booleans"):
        policy.predict(seen, None, np.zeros(3, dtype=bool))


def test_an_environment_fits_or_is_refused_with_what_differs(box: Handmade, model: Case) -> None:
    policy = lobgym.Policy.load(box.path)
    policy.fits(model.env())
    policy.fits(model.batch(2))
    policy.fits(RecordEpisodeStatistics(gymnasium.make(model.id, **model.settings)))
    with pytest.raises(ValueError, match="does not fit the environment execution: its observation has 6 numbers"):
        policy.fits(lobgym.Env("execution"))
    with pytest.raises(TypeError, match=r"legal: a lobgym\.Env"):
        policy.fits(gymnasium.make("CartPole-v1"))


def test_the_header_says_what_the_policy_is(box: Handmade, model: Case) -> None:
    policy = lobgym.Policy.load(str(box.path))
    assert policy.header["env"] == model.env().config
    assert policy.header["network"]["hidden"] == [8]
    assert policy.observation_components == model.env().observation_components
    assert policy.action_components == model.env().action_components and not policy.action_choices
    assert Path(policy.path) == box.path
    assert repr(policy) == "<lobgym.Policy for model_market_making, ppo, gaussian>"


def test_files_that_are_no_policies_are_refused(tmp_path: Path, model: Case) -> None:
    path = tmp_path / "policy.safetensors"
    for missing in (path, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"policy\.safetensors"):
            lobgym.Policy.load(missing)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="no safetensors file"):
        lobgym.Policy.load(tmp_path)
    write_policy(path, model.env(), format=99)
    with pytest.raises(ValueError, match="format is 99; legal: 1"):
        lobgym.Policy.load(tmp_path)
    write_policy(path, model.env(), action={"kind": "discrete", "choices": ["buy"]})
    with pytest.raises(ValueError, match="its head does not give the actions"):
        lobgym.Policy.load(path)
    with pytest.raises(ValueError, match="seed is -1"):
        lobgym.Policy.load(path, seed=-1)

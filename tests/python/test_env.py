"""One environment."""

from __future__ import annotations

import copy
import io
import sys
import threading
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from conftest import Case
from gymnasium.utils.env_checker import check_env, data_equivalence

import lobgym
from lobgym import _core


def play(env: gymnasium.Env[Any, Any], steps: int, seed: int | None = None) -> list[Any]:
    """What an environment does under actions that are the same each time."""
    env.action_space.seed(7)
    seen: list[Any] = [env.reset(seed=seed)] if seed is not None else []
    for _ in range(steps):
        seen.append(env.step(env.action_space.sample()))
        if seen[-1][2] or seen[-1][3]:
            seen.append(env.reset())
    return seen


def test_gymnasiums_checker_is_content(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    env = gymnasium.make(case.id, **case.settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    # Some numbers have no bounds by nature, a price for one; that is the only thing the checker may remark on.
    remarks = [str(warning.message) for warning in caught if "infinity" not in str(warning.message)]
    assert remarks == []


def test_spaces_hold_what_is_seen(case: Case) -> None:
    env = case.env()
    assert len(env.observation_components) == np.prod(env.observation_space.shape)
    for observation, *_ in play(env, 200, seed=3):
        assert observation in env.observation_space
        assert observation.dtype == np.float32


def test_one_seed_gives_one_row_of_episodes(case: Case) -> None:
    first, second = play(case.env(), 150, seed=11), play(case.env(), 150, seed=11)
    assert data_equivalence(first, second, exact=True)
    assert not data_equivalence(first, play(case.env(), 150, seed=12))


def test_seed_zero_is_a_seed(case: Case) -> None:
    env = case.env()
    assert data_equivalence(play(env, 20, seed=0), play(env, 20, seed=0), exact=True)


def test_without_a_seed_chance_chooses(model: Case) -> None:
    env, other = model.env(), model.env()
    env.reset(), other.reset()
    assert not data_equivalence(play(env, 20), play(other, 20))


def test_reset_without_seed_goes_on(model: Case) -> None:
    env = model.env()
    env.reset(seed=1)
    first = play(env, 10)
    env.reset()
    second = play(env, 10)
    env.reset(seed=1)
    assert data_equivalence(first, play(env, 10), exact=True)
    assert not data_equivalence(first, second)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(model: Case, seed: int) -> None:
    with pytest.raises((ValueError, gymnasium.error.Error), match=str(seed)):
        model.env().reset(seed=seed)


def test_results_are_fresh_each_time(case: Case) -> None:
    env = case.env()
    observation, info = env.reset(seed=1)
    kept, kept_info = observation.copy(), dict(info)
    env.action_space.seed(1)
    for _ in range(5):
        observation_next, _, terminated, truncated, info_next = env.step(env.action_space.sample())
        assert observation_next is not observation and info_next is not info
        if terminated or truncated:
            env.reset()
    assert np.array_equal(kept, observation) and kept_info == info
    assert all(type(value) is float for value in info.values())


def test_a_fork_has_the_same_future(case: Case) -> None:
    env = case.env()
    env.action_space.seed(0)
    play(env, 5, seed=21)
    fork = env.fork()
    assert data_equivalence(play(env, 100), play(fork, 100), exact=True)


def test_a_deep_copy_in_wrappers_is_a_fork(model: Case) -> None:
    env = gymnasium.make(model.id, max_episode_steps=30, **model.settings)
    env.action_space.seed(0)
    play(env, 5, seed=21)
    other = copy.deepcopy(env)
    assert data_equivalence(play(env, 60), play(other, 60), exact=True)


def test_a_saved_state_can_be_restored_again_and_again(case: Case) -> None:
    env = case.env()
    play(env, 4, seed=5)
    state = env.save_state()
    first = play(env, 60)
    for _ in range(2):
        observation, info = env.restore_state(state)
        assert observation in env.observation_space and info
        assert data_equivalence(play(env, 60), first, exact=True)
    # Into another one with the same settings, too.
    other = case.env()
    other.restore_state(state)
    assert data_equivalence(play(other, 60), first, exact=True)


def test_a_state_of_other_settings_is_refused(model: Case) -> None:
    state = model.env().save_state()
    with pytest.raises(ValueError, match="step_seconds"):
        lobgym.Env(model.name).restore_state(state)


def test_steps_that_cannot_be_are_refused(model: Case) -> None:
    env = model.env()
    action = np.zeros(4, dtype=np.float32)
    with pytest.raises(gymnasium.error.ResetNeeded, match="before reset"):
        env.step(action)
    env.reset(seed=1)
    while not env.step(action)[2]:
        pass
    with pytest.raises(gymnasium.error.ResetNeeded, match="after the episode ended"):
        env.step(action)
    env.reset()
    env.step(action)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.zeros(3), r"shape \(3,\); legal: numbers of shape \(4,\)"),
        (np.zeros((1, 4)), r"shape \(1, 4\)"),
        ([0.0, np.nan, 0.0, 0.0], r"action\[1\].*NaN; legal: a number"),
        ("buy", r"legal: numbers"),
        (None, r"legal: numbers"),
        ([0.0, 0.0, 0.0, 1j], r"complex128; legal: numbers"),
        ([[0.0], [0.0, 1.0]], r"legal: numbers"),
    ],
)
def test_actions_outside_the_space_are_refused(model: Case, action: Any, words: str) -> None:
    env = model.env()
    before = env.reset(seed=1)
    with pytest.raises(lobgym.InvalidAction, match=words) as caught:
        env.step(action)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, gymnasium.error.InvalidAction)
    # Nothing has been done.
    state = env.save_state()
    assert data_equivalence(env.restore_state(state), before, exact=True)


def test_choices_outside_the_space_are_refused(case: Case) -> None:
    env = case.env()
    if isinstance(env.action_space, gymnasium.spaces.Box):
        pytest.skip("its actions are continuous")
    env.reset(seed=1)
    legal = np.asarray(env.action_space.sample())
    for value in (-1, 1_000_000):
        with pytest.raises(lobgym.InvalidAction, match=rf"{value}; legal: an integer from 0 to"):
            env.step(np.full_like(legal, value))
    with pytest.raises(lobgym.InvalidAction, match="legal: integers"):
        env.step(legal + 0.5)
    env.step(legal.tolist())


@pytest.mark.parametrize("dtype", ["float64", "int8", "float16", "bool"])
def test_actions_of_other_types_are_converted(model: Case, dtype: str) -> None:
    action = np.array([1, 0, 1, 1])
    results = []
    for given in (action.astype("float32"), action.astype(dtype), action.astype(dtype).tolist()):
        env = model.env()
        env.reset(seed=9)
        results.append([env.step(given) for _ in range(10)])
    strided = np.zeros(8, dtype="float32")
    strided[::2] = action
    env.reset(seed=9)
    results.append([env.step(strided[::2]) for _ in range(10)])
    assert all(data_equivalence(results[0], other, exact=True) for other in results[1:])


def test_a_closed_environment_says_so(model: Case) -> None:
    env = model.env()
    env.reset(seed=1)
    env.close()
    env.close()
    for call in (env.reset, env.save_state, env.fork, lambda: env.step(np.zeros(4))):
        with pytest.raises(lobgym.ClosedError, match="has been closed"):
            call()
    assert issubclass(lobgym.ClosedError, gymnasium.error.ClosedEnvironmentError)
    assert "closed" in repr(env)


def test_two_threads_in_one_environment_do_no_harm(model: Case) -> None:
    env = model.env()
    env.reset(seed=1)
    problems: list[Exception] = []

    def drive() -> None:
        for _ in range(3000):
            try:
                if env.step(np.zeros(4, dtype=np.float32))[2]:
                    env.reset()
            except (lobgym.BusyError, gymnasium.error.ResetNeeded):
                pass
            except Exception as problem:
                problems.append(problem)
                return

    threads = [threading.Thread(target=drive) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert problems == []
    env.reset(seed=1)


def test_ansi_is_text(case: Case) -> None:
    env = case.env(render_mode="ansi")
    env.reset(seed=1)
    before = env.render()
    play(env, 3)
    assert isinstance(before, str) and before != env.render()


def test_rgb_array_grows_with_the_episode(case: Case) -> None:
    env = case.env(render_mode="rgb_array", render_size=(320, 200))
    env.reset(seed=1)
    before = env.render()
    assert before.shape == (200, 320, 3) and before.dtype == np.uint8
    play(env, 5)
    assert not np.array_equal(before, env.render())


def test_human_prints_a_frame_each_step(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    env = case.env(render_mode="human")
    env.reset(seed=1)
    assert (first := capsys.readouterr().out)
    assert "\x1b[H" not in first, "a file gets no cursor movements"
    env.step(env.action_space.sample())
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"), [({"render_mode": "3d"}, "3d.*legal"), ({"render_size": (0, 9)}, "legal")]
)
def test_pictures_that_cannot_be_are_refused(model: Case, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model.env(**options)


def test_a_live_ladder_stays_in_its_place(model: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    env = model.env(render_mode="human")
    env.reset(seed=1)
    env.step(env.action_space.sample())
    assert screen.getvalue().startswith("\x1b[2J\x1b[H")
    assert screen.getvalue().count("\x1b[H\x1b[J") == 1


def test_a_panic_is_an_exception() -> None:
    for elsewhere in (False, True):
        with pytest.raises(lobgym.InternalError, match="please report it: on purpose"):
            _core._panic(elsewhere)

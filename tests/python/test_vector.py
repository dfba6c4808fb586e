"""A native batch, beside Gymnasium's own batch of single environments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import gymnasium
import numpy as np
import pytest
from conftest import Case
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

import lobgym

MODES = list(AutoresetMode)


def both(case: Case, num_envs: int, mode: AutoresetMode, **more: Any) -> tuple[Any, Any]:
    """The same environments in Gymnasium's batch and in ours."""
    sync = gymnasium.make_vec(
        case.id, num_envs, "sync", vector_kwargs={"autoreset_mode": mode}, **case.settings, **more
    )
    native = gymnasium.make_vec(case.id, num_envs, "vector_entry_point", autoreset_mode=mode, **case.settings, **more)
    return sync, native


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("limit", [None, 5], ids=["to the end", "cut off"])
def test_a_batch_is_gymnasiums_batch_of_single_environments(case: Case, mode: AutoresetMode, limit: int | None) -> None:
    sync, native = both(case, 4, mode, max_episode_steps=limit)
    assert native.metadata["autoreset_mode"] is mode
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(sync, name) == getattr(native, name), name
    assert data_equivalence(sync.reset(seed=5), native.reset(seed=5), exact=True)
    sync.action_space.seed(1)
    ended = 0
    for step in range(400):
        actions = sync.action_space.sample()
        theirs, ours = sync.step(actions), native.step(actions)
        assert data_equivalence(theirs, ours, exact=True), step
        done = ours[2] | ours[3]
        if mode is AutoresetMode.DISABLED and done.any():
            options = ({"reset_mask": done.copy()} for _ in range(2))
            assert data_equivalence(sync.reset(options=next(options)), native.reset(options=next(options)), exact=True)
        ended += int(done.sum())
        if ended >= 12:
            break
    assert ended >= 12, "three episodes of each"
    # From the middle of episodes, with seeds for some.
    seeds = [3, None, 2**63, 0]
    assert data_equivalence(sync.reset(seed=seeds), native.reset(seed=seeds), exact=True)
    assert data_equivalence(sync.step(actions), native.step(actions), exact=True)


def test_a_row_is_a_single_environment(case: Case) -> None:
    batch = case.batch(3, autoreset_mode="SameStep")
    env = case.env()
    observations, infos = batch.reset(seed=[4, 8, 15])
    observation, info = env.reset(seed=8)
    batch.action_space.seed(2)
    for _ in range(100):
        assert data_equivalence(observation, observations[1], exact=True)
        assert info == {name: infos[name][1] for name in info}
        actions = batch.action_space.sample()
        observations, rewards, terminations, truncations, infos = batch.step(actions)
        observation, reward, terminated, truncated, info = env.step(actions[1])
        assert (reward, terminated, truncated) == (rewards[1], terminations[1], truncations[1])
        if terminated or truncated:
            assert data_equivalence(observation, infos["final_obs"][1], exact=True)
            assert info == {name: infos["final_info"][name][1] for name in info}
            observation, info = env.reset()


def test_threads_change_no_bit(case: Case) -> None:
    results = []
    for threads in (1, 2, 5):
        batch = case.batch(11, threads=threads)
        assert batch.threads == threads
        batch.action_space.seed(3)
        seen: list[Any] = [batch.reset(seed=7)]
        seen += [batch.step(batch.action_space.sample()) for _ in range(60)]
        results.append(seen)
    assert all(data_equivalence(results[0], other, exact=True) for other in results[1:])


def test_many_are_reset_as_few_are(model: Case) -> None:
    batch = model.batch(1000)
    batch.reset(seed=100)
    actions = np.zeros((1000, 4), dtype=np.float32)
    moved = batch.step(actions)[0]
    few = model.batch(2)
    few.reset(seed=[100, 1099])
    assert np.array_equal(few.step(actions[:2])[0], moved[[0, 999]])


def test_a_seed_gives_each_its_own(model: Case) -> None:
    batch = model.batch(3)
    actions = np.zeros((3, 4), dtype=np.float32)
    batch.reset(seed=40)
    rows = batch.step(actions)[0]
    batch.reset(seed=[42, 41, 40])
    assert np.array_equal(batch.step(actions)[0], rows[::-1])
    assert len({row.tobytes() for row in rows}) == 3


def test_without_a_seed_chance_chooses(model: Case) -> None:
    actions = np.zeros((3, 4), dtype=np.float32)
    rows = []
    for _ in range(2):
        batch = model.batch(3)
        batch.reset()
        rows += [row.tobytes() for row in batch.step(actions)[0]]
    assert len(set(rows)) == 6


@pytest.mark.parametrize("seed", [[1, 2], [1, 2, -3], 2**64, 2**64 - 2])
def test_seeds_that_do_not_fit_are_refused(model: Case, seed: Any) -> None:
    with pytest.raises((ValueError, gymnasium.error.Error), match="seed"):
        model.batch(3).reset(seed=seed)


def test_results_are_fresh_unless_buffers_are_reused(model: Case) -> None:
    actions = np.zeros((4, 4), dtype=np.float32)
    fresh, reused = model.batch(4), model.batch(4, reuse_buffers=True)
    fresh.reset(seed=1), reused.reset(seed=1)
    first = fresh.step(actions)
    kept = [array.copy() for array in first[:4]]
    same = reused.step(actions)
    assert data_equivalence(first, same, exact=True)
    second, again = fresh.step(actions), reused.step(actions)
    assert data_equivalence(second, again, exact=True)
    assert all(np.array_equal(array, copy) for array, copy in zip(first[:4], kept, strict=True))
    assert not any(np.shares_memory(a, b) for a, b in zip(first[:4], second[:4], strict=True))
    assert all(np.shares_memory(a, b) for a, b in zip(same[:4], again[:4], strict=True))
    assert np.shares_memory(same[4]["mid"], again[4]["mid"])


def test_infos_can_be_left_out(model: Case) -> None:
    batch = model.batch(3, infos="none", autoreset_mode="SameStep", max_episode_steps=2)
    actions = np.zeros((3, 4), dtype=np.float32)
    assert batch.reset(seed=1)[1] == {}
    assert batch.step(actions)[4] == {}
    infos = batch.step(actions)[4]
    assert set(infos) == {"final_obs", "_final_obs"} and infos["_final_obs"].all()


def test_a_disabled_batch_waits_for_its_reset(model: Case) -> None:
    batch = model.batch(2, autoreset_mode="Disabled", max_episode_steps=3)
    actions = np.zeros((2, 4), dtype=np.float32)
    batch.reset(seed=1)
    for _ in range(3):
        last = batch.step(actions)
    assert last[3].all()
    with pytest.raises(gymnasium.error.ResetNeeded, match="environment 0"):
        batch.step(actions)
    observations, infos = batch.reset(options={"reset_mask": np.array([True, False])})
    assert np.array_equal(observations[1], last[0][1]) and infos["_mid"].tolist() == [True, False]
    with pytest.raises(gymnasium.error.ResetNeeded, match="environment 1"):
        batch.step(actions)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        ([True, False], TypeError),
        (np.array([1, 0]), TypeError),
        (np.ones(3, bool), ValueError),
        (np.zeros(2, bool), ValueError),
    ],
)
def test_masks_that_do_not_fit_are_refused(model: Case, mask: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"reset_mask.*legal"):
        model.batch(2).reset(options={"reset_mask": mask})


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.zeros(4), np.zeros((2, 3)), [["a"] * 4] * 2])
def test_actions_outside_the_space_are_refused(model: Case, bad: Any) -> None:
    batch = model.batch(2)
    batch.reset(seed=1)
    with pytest.raises(lobgym.InvalidAction, match=r"legal: numbers of shape \(2, 4\)"):
        batch.step(bad)
    actions = np.zeros((2, 4), dtype=np.float32)
    actions[1, 2] = np.nan
    with pytest.raises(lobgym.InvalidAction, match=r"action\[2\] of environment 1 is NaN"):
        batch.step(actions)


def test_actions_of_any_layout_are_the_same_actions(model: Case) -> None:
    numbers = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float32)
    results = []
    for actions in (
        numbers,
        np.asfortranarray(numbers),
        numbers.astype(np.float64),
        numbers.tolist(),
        numbers[::-1][::-1],
    ):
        batch = model.batch(3)
        batch.reset(seed=1)
        results.append([batch.step(actions) for _ in range(20)])
    assert all(data_equivalence(results[0], other, exact=True) for other in results[1:])


def test_a_fork_has_the_same_future(case: Case) -> None:
    batch = case.batch(3)
    batch.reset(seed=1)
    actions = [batch.action_space.sample() for _ in range(60)]
    for action in actions[:7]:
        batch.step(action)
    fork, state = batch.fork(), batch.save_state()
    future = [batch.step(action) for action in actions]
    assert data_equivalence([fork.step(action) for action in actions], future, exact=True)
    batch.restore_state(state)
    assert data_equivalence([batch.step(action) for action in actions], future, exact=True)


def test_one_row_can_be_moved(case: Case) -> None:
    batch, env = case.batch(3), case.env()
    batch.reset(seed=1), env.reset(seed=99)
    action = env.action_space.sample() * 0  # which ends no episode
    seen = env.step(action)[0]
    observations, _ = batch.restore_state(env.save_state(), 2)
    assert np.array_equal(observations[2], seen)
    actions = np.stack([np.asarray(action)] * 3)
    assert np.array_equal(batch.step(actions)[0][2], env.step(action)[0])
    env.restore_state(batch.save_state(2))
    assert np.array_equal(batch.step(actions)[0][2], env.step(action)[0])
    with pytest.raises(IndexError, match="index is 3; legal: 0 to 2"):
        batch.save_state(3)
    with pytest.raises(ValueError, match="state is of 1 environments; legal: a state of 3"):
        batch.restore_state(env.save_state())


def test_a_rollout_is_so_many_steps(model: Case) -> None:
    batch, other = model.batch(3), model.batch(3)
    batch.reset(seed=1), other.reset(seed=1)
    actions = np.zeros((3, 4), dtype=np.float32)
    total, ended = batch.rollout(actions, 120)
    steps = [other.step(actions) for _ in range(120)]
    assert ended == sum(int((step[2] | step[3]).sum()) for step in steps) == 6
    assert np.isclose(total, sum(step[1].sum() for step in steps))
    assert data_equivalence(batch.step(actions), other.step(actions), exact=True)


def test_a_closed_batch_says_so(model: Case) -> None:
    batch = model.batch(2)
    batch.reset(seed=1)
    batch.close()
    batch.close()
    for call in (batch.reset, batch.fork, batch.save_state, lambda: batch.step(np.zeros((2, 4)))):
        with pytest.raises(lobgym.ClosedError, match="have been closed"):
            call()


def test_two_threads_in_one_batch_do_no_harm(model: Case) -> None:
    batch = model.batch(64, threads=2)
    batch.reset(seed=1)
    actions = np.zeros((64, 4), dtype=np.float32)
    problems: list[Exception] = []
    busy = threading.Event()

    def drive() -> None:
        while not busy.is_set() and time.monotonic() < end:
            try:
                batch.step(actions)
            except lobgym.BusyError:
                busy.set()
            except Exception as problem:
                problems.append(problem)
                return

    end = time.monotonic() + 20
    threads = [threading.Thread(target=drive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert problems == [] and busy.is_set()
    batch.step(actions)


def test_stepping_releases_the_interpreters_lock(model: Case) -> None:
    batch = model.batch(200_000, threads=1, infos="none")
    batch.reset(seed=1)
    actions = np.zeros((200_000, 4), dtype=np.float32)
    counted = 0

    def drive() -> None:
        for _ in range(20):
            batch.step(actions)

    thread = threading.Thread(target=drive)
    thread.start()
    # With the lock held for a whole step, this loop would come by about twice a step.
    while thread.is_alive():
        counted += 1
    thread.join()
    assert counted > 10_000


def test_a_batch_does_not_outlive_os_fork(model: Case) -> None:
    program = """
        import os, numpy as np, lobgym
        batch = lobgym.VectorEnv("model_market_making", 64, threads=2)
        batch.reset(seed=1)
        child = os.fork()
        if child == 0:
            try:
                batch.step(np.zeros((64, 4), dtype=np.float32))
            except RuntimeError as problem:
                os._exit(17 if "os.fork()" in str(problem) else 1)
            os._exit(2)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "17"


def test_ctrl_c_ends_a_long_call_within_a_second() -> None:
    program = """
        import numpy as np, lobgym
        batch = lobgym.VectorEnv("model_market_making", 64, threads=2)
        batch.reset(seed=1)
        actions = np.zeros((64, 4), dtype=np.float32)
        print("ready", flush=True)
        try:
            batch.rollout(actions, 10**12)
        except KeyboardInterrupt:
            batch.step(actions)
            print("interrupted", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        time.sleep(0.3)
        begin = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.readline().strip() == "interrupted"
        assert time.monotonic() - begin < 1.0


def test_more_than_memory_holds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"num_envs is .*; legal: fewer environments"):
        lobgym.VectorEnv("model_market_making", 2**61)


def test_gymnasiums_wrappers_fit(model: Case) -> None:
    batch = gymnasium.wrappers.vector.RecordEpisodeStatistics(gymnasium.make_vec(model.id, 2, max_episode_steps=3))
    batch.reset(seed=1)
    for _ in range(3):
        infos = batch.step(np.zeros((2, 4), dtype=np.float32))[4]
    assert infos["episode"]["l"].tolist() == [3, 3]


def test_frames_of_all_of_them(case: Case) -> None:
    batch = case.batch(2, render_mode="rgb_array", render_size=(320, 200))
    batch.reset(seed=1)
    before = batch.render()
    batch.step(batch.action_space.sample())
    after = batch.render()
    assert [frame.shape for frame in after] == [(200, 320, 3)] * 2
    assert not np.array_equal(before, after)
    texts = case.batch(2, render_mode="ansi")
    texts.reset(seed=1)
    assert all(isinstance(frame, str) for frame in texts.render())

"""`lobgym.train`: what needs PyTorch and the extension is run where they are (`make test-torch`), the rest everywhere."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LEARNERS

import lobgym
from lobgym.training import Report

learners = pytest.mark.skipif(not LEARNERS, reason="needs PyTorch and lobgym._torch: make test-torch")

#: 8 updates of a small training.
SMALL: dict[str, Any] = {
    "config": "model_market_making_ppo",
    "steps": 1_024,
    "environments": 8,
    "rollout_steps": 16,
    "minibatches": 2,
    "epochs": 2,
    "network": {"hidden": [8]},
    "checkpoint_updates": 0,
    "env": {"max_episode_steps": 20},
}


def small(out: Path, **more: Any) -> lobgym.Run:
    return lobgym.train(**{**SMALL, "out": out, **more})


def a_run(directory: Path, metrics: str) -> None:
    """A run's files, made by hand."""
    directory.mkdir()
    (directory / "config.yaml").write_text("env: {name: model_market_making}\ntrain: {algorithm: ppo}\n")
    (directory / "run.json").write_text(json.dumps({"seed": 4}))
    (directory / "metrics.csv").write_text(metrics)


# Without PyTorch


@pytest.mark.parametrize(
    ("torch", "problem"),
    [
        (None, r'needs PyTorch 2\.11\.0: pip install "lobgym\[agents\]"'),
        ("2.3.0+cpu", r"needs PyTorch 2\.11\.0, here it is 2\.3\.0\+cpu"),
        ("2.11.0", r"needs the extension lobgym\._torch .*make torch"),
    ],
)
def test_what_is_missing_is_named_with_how_to_come_by_it(
    torch: str | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = None if torch is None else types.SimpleNamespace(__version__=torch)
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "lobgym._torch", None)
    with pytest.raises(ImportError, match=problem):
        lobgym.train("model_market_making_ppo")


def test_an_extension_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(__version__="2.11.0+cpu"))
    monkeypatch.setitem(sys.modules, "lobgym._torch", types.SimpleNamespace(__version__="0.0.1"))
    with pytest.raises(ImportError, match=r"lobgym\._torch is of version 0\.0\.1"):
        lobgym.train("model_market_making_ppo")


def test_a_run_is_read_without_pytorch(tmp_path: Path) -> None:
    # The last row was being written when the process was killed.
    a_run(tmp_path / "run", "update,steps,return_mean,loss\n1,10,,0.5\n2,20,1.25,0.25\n3,30,1")
    run = lobgym.load_run(tmp_path / "run")
    assert run.directory == tmp_path / "run" and run.origin == {"seed": 4}
    assert run.config == {"env": {"name": "model_market_making"}, "train": {"algorithm": "ppo"}}
    assert (run.complete, run.steps, run.mean_return) == (False, 20, 1.25)
    assert list(run.table) == ["update", "steps", "return_mean", "loss"] and run.table.rows == 2
    assert run.table["steps"].dtype == np.int64 and np.isnan(run.table["return_mean"][0])
    assert run.metrics["loss"].tolist() == [0.5, 0.25]
    with pytest.raises(FileNotFoundError, match=r"no policy yet, .*resume=True"):
        _ = run.policy
    assert repr(run) == f"<lobgym.Run {str(tmp_path / 'run')!r}: 20 steps, not complete>"


def test_the_log_of_episodes_is_read_without_pytorch(tmp_path: Path) -> None:
    a_run(tmp_path / "run", "update\n")
    run = lobgym.load_run(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"no log of episodes; train\.episode_log: true"):
        _ = run.episodes
    header = 'update,environment,episode,steps,return,info.profit,"action.a, b"\n'
    (tmp_path / "run" / "episodes.csv").write_text(header + "1,0,0,20,1.5,0.25,\n2,3,1,7,-1,0.5,0.125\n2,4,")
    table = run.episodes
    assert list(table) == ["update", "environment", "episode", "steps", "return", "info.profit", "action.a, b"]
    assert table.rows == 2 and table["environment"].tolist() == [0, 3] and table["episode"].dtype == np.int64
    assert table["return"].tolist() == [1.5, -1.0] and np.isnan(table["action.a, b"][0])


@pytest.mark.parametrize("metrics", ["", "update,steps,return_mean\n", "update,steps,return_mean\n1,10,\n"])
def test_a_run_that_has_just_begun_has_no_mean(tmp_path: Path, metrics: str) -> None:
    a_run(tmp_path / "run", metrics)
    run = lobgym.load_run(tmp_path / "run")
    assert run.mean_return is None and run.steps in (0, 10)


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run here"):
        lobgym.load_run(tmp_path)


def test_metrics_without_pandas_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "run", "update\n1\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas; Run\.table"):
        _ = lobgym.load_run(tmp_path / "run").metrics


# With it


@learners
def test_training_gives_a_run_and_a_policy(tmp_path: Path) -> None:
    run = small(tmp_path / "run")
    assert run.complete and run.steps == 1_024 and run.directory == tmp_path / "run"
    assert run.config["train"]["network"]["hidden"] == [8]
    assert run.config["train"]["network"]["activation"] == "tanh"  # overridden beside it, not with it
    assert run.config["env"]["max_episode_steps"] == 20
    assert run.metrics["update"].tolist() == list(range(1, 9))
    assert run.mean_return == run.metrics["return_mean"].iloc[-1]
    env = lobgym.Env("model_market_making", max_episode_steps=20)
    run.policy.fits(env)
    observation, _ = env.reset(seed=1)
    assert env.action_space.contains(run.policy.predict(observation)[0])
    assert run.policy.header["training"]["steps"] == 1_024
    page = (run.directory / "report.html").read_text(encoding="utf-8")
    assert page == run.html() and "mean return" in page and "Training of model_market_making" in page


@learners
def test_each_episode_is_logged(tmp_path: Path) -> None:
    run = small(tmp_path / "run", episode_log=1)
    episodes, metrics = run.episodes, run.table
    # 8 environments x 128 steps, episodes of 20 steps.
    assert episodes.rows == metrics["episodes"].sum() == 48
    assert (episodes["steps"] == 20).all() and set(episodes["environment"]) == set(range(8))
    assert episodes["return"].mean() == pytest.approx(run.mean_return)
    names = [name for name, *_ in lobgym.Env("model_market_making").action_components]
    assert all(np.isfinite(episodes[f"{group}.{name}"]).all() for group in ("output", "action") for name in names)
    assert np.isfinite(episodes["info.profit"]).all()
    assert not (small(tmp_path / "none", episode_log=False).directory / "episodes.csv").exists()


@learners
def test_the_same_seed_learns_the_same_with_any_number_of_threads(tmp_path: Path) -> None:
    runs = [small(tmp_path / str(threads), threads=threads) for threads in (1, 2)]
    other = small(tmp_path / "other", seed=1)
    first, second, third = ((run.directory / "policy.safetensors").read_bytes() for run in (*runs, other))
    assert first == second != third


@learners
def test_the_callback_is_told_of_each_update_on_this_thread(tmp_path: Path) -> None:
    reports: list[Report] = []

    def callback(report: Report) -> None:
        assert threading.current_thread() is threading.main_thread()
        reports.append(report)

    run = small(tmp_path / "run", callback=callback)
    assert [report["update"] for report in reports] == list(range(1, 9))
    last = reports[-1]
    assert (last["updates"], last["steps"], last["total_steps"]) == (8, 1_024, 1_024)
    assert last["mean_return"] == run.mean_return and last["steps_per_second"] > 0
    assert last["metrics"]["policy_loss"] == pytest.approx(run.table["policy_loss"][-1])


@learners
def test_a_training_that_the_callback_ended_is_resumed_to_the_same_policy(tmp_path: Path) -> None:
    whole = small(tmp_path / "whole")
    part = small(tmp_path / "part", callback=lambda report: report["update"] < 3)
    assert not part.complete and part.steps == 3 * 128
    resumed = small(tmp_path / "part", resume=True)
    assert resumed.complete and resumed.steps == 1_024
    assert resumed.policy.path.read_bytes() == whole.policy.path.read_bytes()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"train\.seed was 0, now it is 3"):
        small(tmp_path / "part", resume=True, seed=3)


@learners
def test_an_exception_of_the_callback_ends_training_with_a_checkpoint(tmp_path: Path) -> None:
    def callback(report: Report) -> None:
        if report["update"] == 2:
            raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        small(tmp_path / "run", callback=callback)
    assert lobgym.load_run(tmp_path / "run").steps == 2 * 128
    assert small(tmp_path / "run", resume=True).complete


@learners
def test_ctrl_c_ends_training_with_a_checkpoint(tmp_path: Path) -> None:
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path / "run", steps=1_000_000_000, callback=lambda report: begun.set())
    run = lobgym.load_run(tmp_path / "run")
    assert not run.complete and run.steps > 0 and (run.directory / "checkpoint.safetensors").exists()


@learners
def test_other_threads_of_python_run_while_it_trains(tmp_path: Path) -> None:
    counted, over = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not over.is_set():
            counted += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    begun = time.monotonic()
    small(tmp_path / "run", steps=20_000)
    seconds = time.monotonic() - begun
    over.set()
    counter.join()
    # A thread that the lock is kept from counts to a handful.
    assert counted > 20 * seconds


@learners
def test_pytorch_keeps_its_threads(tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    small(tmp_path / "run")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@learners
def test_a_run_without_a_directory_gets_the_first_free_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [small(None) for _ in range(2)]  # type: ignore[arg-type]
    env, train = {"name": "model_market_making"}, {"algorithm": "reinforce", "rollout_steps": 8, "steps": 8}
    runs.append(lobgym.train({"env": env, "train": train}, environments=1))
    (tmp_path / "mine.yaml").write_text(json.dumps({"env": env, "train": train}))
    runs.append(lobgym.train(tmp_path / "mine.yaml", environments=1))
    names = ["model_market_making_ppo-1", "model_market_making_ppo-2", "model_market_making_reinforce-1", "mine-1"]
    assert [run.directory for run in runs] == [Path("runs") / name for name in names]


@learners
@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"stesp": 5}, r"train\.stesp is 5, an unknown setting; .*did you mean steps\?"),
        ({"env": {"volatilty": 3}}, r"env\.volatilty is 3, an unknown setting; .*did you mean volatility\?"),
        ({"train.network.hiden": [3]}, r"hiden"),
        ({"env.volatility": -1}, r"env\.volatility is -1"),
        ({"trian.steps": 3}, "trian is .*the sections env and train"),
        ({"env": "execution"}, r'env is "execution"; legal: a map of settings'),
        ({"learning_rate": float("nan")}, "learning_rate is nan; legal: a finite number"),
        ({"config": "market_making_poo"}, r'config is "market_making_poo"; .*did you mean market_making_ppo\?'),
        ({"device": "tpu"}, 'device is "tpu"; legal: "cpu"'),
        ({"threads": 0}, "threads is 0; legal: None, or an integer from 1 to 1024"),
        ({"out": None, "resume": True}, "out is None; legal: the run's directory"),
    ],
)
def test_what_is_not_legal_is_named(overrides: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=problem):
        small(**{"out": tmp_path / "run", **overrides})
    assert not (tmp_path / "run").exists()


@learners
def test_a_file_is_blamed_for_its_own_mistakes_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("env: {name: model_market_making}\ntrain: {algorithm: ppo, clip: -1}\n")
    with pytest.raises(ValueError, match=r"mine\.yaml: train\.clip is -1"):
        lobgym.train(path)
    with pytest.raises(ValueError, match=r"^train\.clip is -2"):
        lobgym.train(path, clip=-2)
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        lobgym.train(tmp_path / "none.yaml")


@learners
def test_directories_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    small(tmp_path / "run")
    with pytest.raises(FileExistsError, match="there is a run already; go on with it by resume=True"):
        small(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint\.safetensors to go on from"):
        small(tmp_path / "none", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        small(tmp_path / "file" / "run")


@learners
def test_a_training_that_diverges_says_where(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"update \d+, minibatch \d+: the .* training has diverged"):
        small(tmp_path / "run", learning_rate=1e30, gradient_norm=1e30)


@learners
def test_progress_is_told_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small(tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    small(tmp_path / "told", progress=True)
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"training in {tmp_path / 'told'}\n")
    assert "100% 1,024/1,024 steps" in err and "steps/s, return " in err and "0:00 left" in err


@learners
@pytest.mark.skipif(not hasattr(lobgym, "evaluate"), reason="lobgym.evaluate is not in this version")
def test_a_market_maker_is_evaluated_beside_others(tmp_path: Path) -> None:
    settings = {"steps": 256, "environments": 4, "rollout_steps": 16, "minibatches": 1, "epochs": 1}
    run = lobgym.train("market_making_ppo", out=tmp_path / "run", env={"steps": 20, "market": "noise"}, **settings)
    evaluation = run.evaluate("join", "mid:distance=1", episodes=4)
    assert evaluation.table.rows == 3

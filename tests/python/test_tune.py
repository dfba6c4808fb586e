"""Hyperparameter search, over a made-up training (`tuning_trainer.py`)."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tuning_trainer
from conftest import LEARNERS

import lobgym
from lobgym.tuning import default_space, tune

pytest.importorskip("optuna")

ROOT = Path(__file__).parents[2]
SPACE = {
    "train.learning_rate": {"low": 1e-4, "high": 0.5, "log": True},
    "train.network.hidden": {"choices": [[32], [64], [64, 64]]},
}
CONFIG = {"env": {"name": "model_market_making"}, "train": {"algorithm": "ppo", "learning_rate": 0.1}}


def search(out: Path, **more: Any) -> Any:
    return tune(CONFIG, **{"space": SPACE, "out": out, "trials": 12, "trainer": tuning_trainer.trainer, **more})


def drawn(out: Path) -> list[list[str]]:
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [[row["train.learning_rate"], row["train.network.hidden"]] for row in rows]


def test_the_best_settings_are_found_and_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = search(tmp_path, trials=30, settings={"train.steps": 400})
    assert found.complete and not found.interrupted and len(found.trials) == 30
    # The training's own rate comes first, and is among the worst.
    assert found.trials[0]["train.learning_rate"] == 0.1
    values = [row["value"] for row in found.trials if row["state"] == "complete"]
    assert found.best_value == max(values) == pytest.approx(tuning_trainer.worth(found.best_settings))
    assert found.best_value > -0.01 and found.best_settings["train.network.hidden"] == [64]
    assert any(row["state"] == "pruned" and row["value"] is None for row in found.trials)
    best = max((row for row in found.trials if row["state"] == "complete"), key=lambda row: row["value"])
    text = (tmp_path / "best.yaml").read_text()
    assert text.startswith(f"# The best of 30 trials, trial {best['number']}: return")
    written = json.loads(text.splitlines()[1].removeprefix("train: "))
    assert written == {**found.best_settings, "train.steps": 400, "train.seed": 0}
    assert text.splitlines()[1:] == (tmp_path / best["directory"] / "config.yaml").read_text().splitlines()
    assert len(drawn(tmp_path)) == 30
    assert "best configuration" in str(found) and f"{best['number']:>5}" in str(found).splitlines()[1]
    assert "30 of 30 trials" in capfd.readouterr().err


def test_pruned_trials_are_shorter_and_pruning_can_be_left_out(tmp_path: Path) -> None:
    assert {row["state"] for row in search(tmp_path / "a", trials=20).trials} == {"complete", "pruned"}
    assert {row["state"] for row in search(tmp_path / "b", trials=20, prune=False).trials} == {"complete"}
    policies = [directory / "policy.safetensors" for directory in (tmp_path / "a").glob("trial-*")]
    assert {file.exists() for file in policies} == {True, False}


def test_a_search_goes_on_where_it_was_and_draws_the_same(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", seed=5)
    assert search(tmp_path / "other", seed=6).trials[3:] != whole.trials[3:]
    search(tmp_path / "parts", seed=5, trials=4)
    # Ctrl-C in the middle of the seventh trial.
    left = [0]

    def interrupt(config: Any, **keywords: Any) -> Any:
        left[0] += 1
        callback = keywords.pop("callback")

        def observed(report: dict[str, Any]) -> bool:
            answer = callback(report)
            if left[0] == 3 and report["update"] == 2:
                (keywords["out"] / "checkpoint.safetensors").write_text("2")
                raise KeyboardInterrupt
            return answer

        return tuning_trainer.trainer(config, callback=observed, **keywords)

    stopped = search(tmp_path / "parts", seed=5, trainer=interrupt)
    assert stopped.interrupted and not stopped.complete and len(stopped.trials) == 6
    resumed = search(tmp_path / "parts", seed=5)
    assert resumed.complete and not resumed.interrupted
    assert drawn(tmp_path / "parts") == drawn(tmp_path / "whole")
    assert [row["value"] for row in resumed.trials] == [row["value"] for row in whole.trials]
    again = next(row for row in resumed.trials if row["directory"] == "trial-6")
    log = (tmp_path / "parts" / "trial-6" / "log").read_text().splitlines()
    assert again["number"] == 7 and [line.split()[-1] for line in log] == ["0", "2"]
    # There is nothing left to do.
    assert search(tmp_path / "parts", seed=5).trials == resumed.trials


def test_another_search_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    search(tmp_path, trials=1)
    for more, key in [
        ({"seed": 1}, "seed"),
        ({"metric": "evaluation"}, "metric"),
        ({"settings": {"train.steps": 3}}, "settings"),
        ({"space": {"train.clip": {"low": 0, "high": 1}}}, "space"),
    ]:
        with pytest.raises(ValueError, match=f"{key} is .*; legal: .* or another directory"):
            search(tmp_path, **more)


def test_trials_that_fail_say_why_and_the_search_goes_on(tmp_path: Path) -> None:
    space = {"train.learning_rate": {"choices": [0.1, 0.95]}}
    found = search(tmp_path, space=space, trials=10)
    failed = [row for row in found.trials if row["state"] == "failed"]
    assert failed and all(row["problem"] == "update 3: the loss is not finite" for row in failed)
    assert len(found.trials) == 10 and found.best_settings == {"train.learning_rate": 0.1}


def test_settings_that_no_training_takes_end_the_search(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.oops is 1, an unknown setting"):
        search(tmp_path, settings={"train.oops": 1})
    with pytest.raises(ValueError, match=r"train\.oops is 1, an unknown setting"):
        search(tmp_path / "jobs", settings={"train.oops": 1}, jobs=2)


def test_several_seeds_are_averaged(tmp_path: Path) -> None:
    found = search(tmp_path, trials=3, seeds=2, settings={"train.seed": 7})
    seeds = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("trial-*/seed-*"))
    assert seeds == [f"trial-{trial}/seed-{seed}" for trial in range(3) for seed in (7, 8)]
    assert '"train.seed": 7' in (tmp_path / "best.yaml").read_text()
    assert found.best_value == pytest.approx(tuning_trainer.worth(found.best_settings))


def test_what_is_not_legal_is_named(tmp_path: Path) -> None:
    for more, expected in [
        ({"trials": 0}, "trials is 0; legal: a whole number from 1"),
        ({"jobs": 1.5}, "jobs is 1.5; legal"),
        ({"metric": "luck"}, "metric is 'luck'; legal: one of return, evaluation"),
        ({"timeout": 0.0}, "timeout is 0.0; legal"),
        ({"settings": {"train.learning_rate": 1}}, "train.learning_rate is in the space and set to 1"),
    ]:
        with pytest.raises(ValueError) as error:
            search(tmp_path, **more)
        assert expected in str(error.value)
    assert not list(tmp_path.iterdir())


def test_no_trial_begins_after_the_time_is_up(tmp_path: Path) -> None:
    found = search(tmp_path, timeout=0.3, settings={"train.seconds": 0.25})
    assert not found.complete and not found.interrupted and 1 <= len(found.trials) <= 3


def test_jobs_share_the_trials(tmp_path: Path) -> None:
    found = search(tmp_path, jobs=2, settings={"train.seconds": 0.2})
    assert found.complete and len(found.trials) == 12
    assert len({(tmp_path / row["directory"] / "log").read_text().split()[0] for row in found.trials}) == 2
    assert len(drawn(tmp_path)) == 12 and (tmp_path / "best.yaml").exists()


PROGRAM = """
import sys, tuning_trainer
from lobgym.tuning import tune
if __name__ == "__main__":
    found = tune({config}, space={space}, trials=6, jobs=2, out={out!r}, trainer=tuning_trainer.trainer,
                 settings={{"train.seconds": {seconds}}})
    sys.exit(130 if found.interrupted else 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_search_with_jobs_that_is_stopped_goes_on(tmp_path: Path, kill: signal.Signals) -> None:
    out, program = tmp_path / "search", tmp_path / "program.py"
    program.write_text(PROGRAM.format(config=CONFIG, space=SPACE, out=str(out), seconds=2.0))
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen([sys.executable, str(program)], env=environment)
    deadline = time.monotonic() + 60
    while not list(out.glob("trial-*/log")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(kill)
    assert process.wait(60) == (130 if kill == signal.SIGINT else -kill)
    if kill == signal.SIGKILL:
        # The processes of the search notice that nobody waits for them.
        time.sleep(1.0)
    begun = len(list(out.glob("trial-*")))
    assert begun <= 2
    found = tune(
        CONFIG, space=SPACE, trials=6, out=out, trainer=tuning_trainer.trainer, settings={"train.seconds": 2.0}, jobs=2
    )
    assert found.complete and len(found.trials) == 6
    logs = [(out / row["directory"] / "log").read_text().splitlines() for row in found.trials]
    assert sum(len(log) > 1 for log in logs) == begun


def test_files_name_the_training_and_the_space(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "maker.yaml").write_text(json.dumps(CONFIG))
    file = tmp_path / "search.yaml"
    seen = []

    def see(config: Any, **keywords: Any) -> Any:
        seen.append((config, keywords["train.steps"], keywords["train.learning_rate"]))
        return tuning_trainer.trainer(config, **keywords)

    content: dict[str, Any] = {"config": "train/maker.yaml", "space": SPACE, "set": {"train.steps": 5}}
    file.write_text(json.dumps(content))
    tune(file, trials=1, out=tmp_path / "out", trainer=see)
    assert seen == [(str(tmp_path / "train" / "maker.yaml"), 5, 0.1)]
    # A training without a search: the default space.
    found = tune(tmp_path / "train" / "maker.yaml", trials=1, out=tmp_path / "default", trainer=tuning_trainer.trainer)
    assert set(found.best_settings) == set(default_space("ppo"))
    for wrong, expected in [
        ({**content, "trails": 3}, "trails is an unknown key; legal: config, space, set"),
        ({**content, "config": 3}, "config is 3; legal: the path"),
        ({**content, "set": 3}, "set is 3; legal: a mapping"),
    ]:
        file.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=expected):
            tune(file, out=tmp_path / "out")


@pytest.mark.parametrize("file", sorted((ROOT / "config" / "tune").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_searches_that_come_with_the_project_are_legal(file: Path, tmp_path: Path) -> None:
    def see(config: Any, **keywords: Any) -> Any:
        assert Path(config).resolve() == ROOT / "config" / "train" / file.name
        return tuning_trainer.trainer(config, **{**keywords, "train.learning_rate": 0.1})

    found = tune(file, trials=2, out=tmp_path, trainer=see)
    assert [row["state"] for row in found.trials] == ["complete"] * 2


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lobgym.tuning", *arguments], capture_output=True, text=True)


def test_the_command_tells_usage_from_failure(tmp_path: Path) -> None:
    result = command("--help")
    assert result.returncode == 0 and "lobgym tune" in result.stdout and "Warning" not in result.stderr
    for arguments, code, expected in [
        (["none.yaml"], 1, "none.yaml"),
        (["x.yaml", "--set", "steps=3"], 2, "legal: KEY=VALUE"),
        ([str(ROOT / "config/tune/market_making_ppo.yaml"), "--trials", "0"], 2, "trials is 0; legal"),
    ]:
        result = command(*arguments, *([] if "--set" in arguments else ["--out", str(tmp_path / "out")]))
        assert result.returncode == code and expected in result.stderr


@pytest.mark.skipif(not LEARNERS, reason="needs PyTorch and lobgym._torch: make test-torch")
def test_real_trainings_are_tuned_and_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    config = {
        "env": {"name": "model_market_making", "max_episode_steps": 20},
        "train": {"algorithm": "ppo", "environments": 4, "rollout_steps": 32, "steps": 2560, "minibatches": 2},
    }
    space = {
        "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "train.network.hidden": {"choices": [[8], [8, 8]]},
    }
    keywords: dict[str, Any] = {"space": space, "trials": 2, "metric": "evaluation", "episodes": 8, "prune": False}
    whole = lobgym.tune(config, out=tmp_path / "whole", **keywords)

    def interrupt(config: Any, **keywords: Any) -> Any:
        callback = keywords.pop("callback")

        def observed(report: Any) -> bool:
            if report["update"] == 9 and not keywords["resume"]:
                raise KeyboardInterrupt
            return bool(callback(report))

        return lobgym.train(config, callback=observed, **keywords)

    for _ in range(2):
        assert lobgym.tune(config, out=tmp_path / "parts", trainer=interrupt, **keywords).interrupted
    parts = lobgym.tune(config, out=tmp_path / "parts", **keywords)
    assert parts.complete and parts.best_settings == whole.best_settings and parts.best_value == whole.best_value
    assert whole.best_config is not None and parts.best_config is not None
    assert whole.best_config.read_text().splitlines()[1:] == parts.best_config.read_text().splitlines()[1:]
    best = lobgym.load_run(tmp_path / "whole" / "trial-0").config
    assert {"env", "train"} == set(best)
    assert lobgym.train(whole.best_config, steps=256, out=tmp_path / "again").complete

"""What a hyperparameter search needs besides Optuna: spaces, and held-out episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tuning_trainer

import lobgym
from lobgym import _core
from lobgym.tuning import Dimension, default_space, parse_space
from lobgym.tuning.trial import Interrupted, evaluate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({}, "space is {}; legal: a mapping"),
        ({"learning_rate": {"low": 0, "high": 1}}, "space.learning_rate is no setting; legal: a path"),
        ({"train.a": 3}, "space.train.a is 3; legal: {low, high, log, int} or {choices}"),
        ({"train.a": {"min": 0}}, "space.train.a.min is an unknown key; legal: low, high, log, int, choices"),
        ({"train.a": {"low": 0}}, "space.train.a.high is None; legal: a finite number"),
        ({"train.a": {"low": 0, "high": float("inf")}}, "space.train.a.high is inf"),
        ({"train.a": {"low": 2, "high": 1}}, "space.train.a.high is 1; legal: more than low, 2"),
        ({"train.a": {"low": 0, "high": 1, "log": True}}, "space.train.a.low is 0; legal with log: more than 0"),
        ({"train.a": {"low": 0.5, "high": 2, "int": True}}, "legal with int: whole numbers"),
        ({"train.a": {"low": 0, "high": 1, "log": "yes"}}, "space.train.a.log is 'yes'; legal: true or false"),
        ({"train.a": {"choices": []}}, "legal beside each other: nothing, a list of choices"),
        ({"train.a": {"choices": [1], "low": 0}}, "legal beside each other"),
        ({"train.a": {"choices": [1, 1]}}, "legal: each choice once"),
    ],
)
def test_a_space_that_is_not_legal_is_named(space: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_space(space)
    assert expected in str(error.value)


def test_values_come_back_from_what_optuna_knows() -> None:
    hidden, steps = parse_space(
        {"train.h": {"choices": [[32], None, "a"]}, "train.n": {"low": 1, "high": 9, "int": True}}
    )
    assert [hidden.value(hidden.parameter(value)) for value in ([32], None, "a")] == [[32], None, "a"]
    assert hidden.parameter([31]) is None
    assert (steps.parameter(9), steps.parameter(10), steps.parameter("9"), steps.parameter(True)) == (
        9,
        None,
        None,
        None,
    )
    assert parse_space({"train.h": hidden.describe(), "train.n": steps.describe()}) == [hidden, steps]


@pytest.mark.parametrize("algorithm", ["ppo", "actor_critic", "reinforce", "dqn"])
def test_every_algorithm_has_a_legal_default_space(algorithm: str) -> None:
    dimensions = parse_space(default_space(algorithm))
    assert Dimension("train.network.hidden", choices=("[32, 32]", "[64, 64]", "[128, 128]")) in dimensions
    with pytest.raises(ValueError, match=r"train\.algorithm is 'magic'; legal: one of ppo"):
        default_space("magic")


@pytest.mark.parametrize("file", sorted((ROOT / "config" / "tune").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_searches_that_come_with_the_project_are_of_its_trainings(file: Path) -> None:
    search = _core._settings(file)
    assert set(search) == {"config", "set", "space"}
    assert (file.parent / search["config"]).resolve() == ROOT / "config" / "train" / file.name
    assert not {dimension.key for dimension in parse_space(search["space"])} & set(search["set"])


class Still:
    """A policy that does nothing, and counts the episodes that begin."""

    def __init__(self) -> None:
        self.begun = 0

    def predict(self, observations: Any, state: Any, starts: Any, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic and state == (None if self.begun == 0 else self.begun)
        self.begun += int(starts.sum())
        return np.zeros((len(observations), 4), dtype=np.float32), self.begun


def test_held_out_episodes_are_the_same_each_time_and_count_whole() -> None:
    run = tuning_trainer.Run(Path(), 0.0, Still())
    run.config = {"env": {"name": "model_market_making", "max_episode_steps": 9}}  # type: ignore[attr-defined]
    value = evaluate(run, 6)
    assert run.policy.begun == 6
    alone = []
    for index in range(6):
        env = lobgym.Env("model_market_making", max_episode_steps=9)
        env.reset(seed=(1 << 40) + index)
        alone.append(sum(env.step(np.zeros(4, dtype=np.float32))[1] for _ in range(9)))
    assert value == pytest.approx(np.mean(alone))
    with pytest.raises(Interrupted):
        evaluate(run, 2, stopped=lambda: True)

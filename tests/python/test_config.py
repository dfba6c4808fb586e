"""Settings from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from conftest import Case

import lobgym

NAME = "model_market_making"


def test_keywords_dictionary_file_and_make_mean_the_same(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("env:\n  name: model_market_making\n  volatility: 3.5\n  max_quote_lots: 4\n")
    own = {"volatility": 3.5, "max_quote_lots": 4}
    configs = [
        lobgym.Env(NAME, **own).config,
        lobgym.Env(NAME, config=own).config,
        lobgym.Env(NAME, config=file).config,
        lobgym.Env(NAME, config=str(file)).config,
        gymnasium.make("lobgym/ModelMarketMaking-v0", **own).unwrapped.config,
        lobgym.VectorEnv(NAME, 2, config=own).config,
    ]
    assert all(config == configs[0] for config in configs)
    assert configs[0]["volatility"] == 3.5 and configs[0]["decay"] == 1.5


def test_keywords_override(tmp_path: Path) -> None:
    file = tmp_path / "own.yml"
    file.write_text("env: {volatility: 3.5, decay: 2}")
    config = lobgym.Env(NAME, config=file, volatility=1).config
    assert (config["volatility"], config["decay"]) == (1.0, 2.0)


def test_config_is_what_makes_the_same_environment(case: Case) -> None:
    config = case.env().config
    assert lobgym.Env(case.name, config=config).config == config


def test_numpy_scalars_count_as_numbers() -> None:
    config = lobgym.Env(NAME, volatility=np.float32(2.5), max_quote_lots=np.int16(3)).config
    assert (config["volatility"], config["max_quote_lots"]) == (2.5, 3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lotz": 3}, r"lotz is 3, an unknown setting; legal: one of .*volatility"),
        ({"volatilty": 3}, r"did you mean volatility"),
        ({"volatility": -1}, r"volatility is -1; legal: a finite number > 0"),
        ({"volatility": float("nan")}, r"volatility is nan; legal: a finite number"),
        ({"volatility": "high"}, r'volatility is "high"; legal: a number'),
        ({"max_quote_lots": 1.5}, r"max_quote_lots is 1.5; legal: an integer"),
        ({"max_quote_lots": 2**70}, r"max_quote_lots is 1180591620717411303424; legal: an integer of 64 bits"),
        ({"volatility": object()}, r"volatility is <object.*; legal: None, a bool, a number"),
        ({"volatility": [1, {"a": {2}}]}, r"volatility\[1\]\.a is \{2\}; legal"),
        ({"max_episode_steps": 0}, r"max_episode_steps is 0; legal: an integer of 1 or more"),
        ({"config": "no_such"}, r'config is "no_such"; legal: one of .*market_making_classic'),
        ({"config": 7}, r"config is 7; legal: a dictionary of settings"),
        ({"config": {3: 4}}, r"3; legal: a string"),
        ({"config": {"name": "execution"}}, r'name is "execution"; legal: "model_market_making"'),
    ],
)
def test_what_is_not_legal_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lobgym.Env(NAME, **settings)
    with pytest.raises(ValueError, match=words):
        lobgym.VectorEnv(NAME, 2, **settings)


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="not nested so deeply"):
        lobgym.Env(NAME, volatility=endless)


def test_an_unknown_environment_is_named() -> None:
    with pytest.raises(ValueError, match=r'name is "chess"; legal: one of market_making'):
        lobgym.Env("chess")


def test_problems_in_a_file_name_it(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    with pytest.raises(FileNotFoundError, match=r"own\.yaml"):
        lobgym.Env(NAME, config=file)
    file.write_text("env: {volatility: -3}")
    with pytest.raises(ValueError, match=r"own.yaml: env.volatility is -3; legal"):
        lobgym.Env(NAME, config=file)
    with pytest.raises(ValueError, match=r"^decay is -1; legal"):
        lobgym.Env(NAME, config=file, volatility=1, decay=-1)
    file.write_text("env: [")
    with pytest.raises(ValueError, match=r"own\.yaml"):
        lobgym.Env(NAME, config=file)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_envs": 0}, "num_envs is 0; legal: an integer of 1 or more"),
        ({"num_envs": 2.5}, "num_envs is 2.5; legal"),
        ({"threads": -1}, "threads is -1; legal: an integer of 0 or more"),
        ({"autoreset_mode": "Sometimes"}, "autoreset_mode is 'Sometimes'; legal: one of NextStep, SameStep, Disabled"),
        ({"infos": "some"}, "infos is 'some'; legal: one of all, none"),
    ],
)
def test_options_of_a_batch_that_are_not_legal_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lobgym.VectorEnv(NAME, **{"num_envs": 2, **options})

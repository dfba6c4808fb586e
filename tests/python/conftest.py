"""The environments that tests run over, each with every kind of action and small enough for many episodes; and what is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lobgym

# Shells start what runs in the background with Ctrl-C ignored, and then the tests that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TORCH = importlib.util.find_spec("torch")

#: Whether `lobgym.train` can be used. A module without an origin is the directory python/torch.
LEARNERS = bool(_TORCH and _TORCH.origin and importlib.util.find_spec("lobgym._torch"))

IDS = {
    "execution": "lobgym/Execution-v0",
    "market_making": "lobgym/MarketMaking-v0",
    "model_market_making": "lobgym/ModelMarketMaking-v0",
    "multi_asset_trading": "lobgym/MultiAssetTrading-v0",
    "portfolio_rebalancing": "lobgym/PortfolioRebalancing-v0",
    "trader": "lobgym/Trader-v0",
}


@dataclass(frozen=True)
class Case:
    """An environment with settings."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return IDS[self.name]

    def env(self, **more: Any) -> lobgym.Env:
        env = lobgym.Env(self.name, **self.settings, **more)
        env.action_space.seed(4)  # the same actions in every run of a test
        return env

    def batch(self, num_envs: int, **more: Any) -> lobgym.VectorEnv:
        batch = lobgym.VectorEnv(self.name, num_envs, **self.settings, **more)
        batch.action_space.seed(4)
        return batch

    def __str__(self) -> str:
        return "-".join([self.name, str(self.settings.get("action", ""))]).rstrip("-")


CASES = [
    Case("model_market_making", {"step_seconds": 0.02}),
    *(Case("market_making", {"steps": 40, "action": action}) for action in ("offsets_and_sizes", "grid", "ladder")),
    *(Case("execution", {"horizon_seconds": 120.0, "action": action}) for action in ("simplex", "discrete", "rate")),
    Case("multi_asset_trading", {"steps": 12}),
    Case("portfolio_rebalancing", {"steps": 15, "assets": 4}),
    *(
        Case("trader", {"steps": 20, "window": 4, "interval_seconds": 1.0, "action": action})
        for action in ("trades", "lots")
    ),
]


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Each environment with each kind of action."""
    return request.param


@pytest.fixture
def model() -> Case:
    """The cheapest environment, for what does not depend on which it is."""
    return CASES[0]


def find_command() -> str | None:
    """The command `lobgym`: the one that is named in LOBGYM_BINARY, the installed, or the latest built one."""
    if named := os.environ.get("LOBGYM_BINARY"):
        return named
    built = [Path(__file__).parents[2] / "target" / profile for profile in ("release", "debug")]
    installed = shutil.which("lobgym", path=str(Path(sys.executable).parent))
    found = [path for place in built if (path := shutil.which("lobgym", path=str(place)))]
    return installed or max(found, key=lambda path: Path(path).stat().st_mtime, default=None)


def lobgym_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command `lobgym`; where there is none, the test is skipped."""
    command = find_command()
    if command is None:
        pytest.skip("the command lobgym is neither installed nor built")
    return subprocess.run([command, *arguments], check=True, capture_output=True, text=True)

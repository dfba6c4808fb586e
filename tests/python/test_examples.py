"""The examples run, where what they need is installed: `make test-sb3`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


@pytest.mark.parametrize(
    ("script", "module", "words"),
    [("sb3_ppo.py", "stable_baselines3", "PPO: mean return"), ("cleanrl_ppo.py", "torch", "iteration 2/2")],
)
def test_example_trains(script: str, module: str, words: str) -> None:
    pytest.importorskip(module)
    command = [sys.executable, str(EXAMPLES / script), "--total-timesteps", "2048", "--num-envs", "16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout

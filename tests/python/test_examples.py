"""The examples run, where what they need is installed: `make test-sb3`, `make test-torch`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LEARNERS

import lobgym

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


@pytest.mark.parametrize(
    ("script", "module", "words"),
    [
        ("sb3_ppo.py", "stable_baselines3", "PPO: mean return"),
        ("cleanrl_ppo.py", "torch.nn", "iteration 2/2"),
        pytest.param(
            "train_market_maker.py",
            "torch.nn",
            "glft",
            marks=pytest.mark.skipif(
                not (LEARNERS and hasattr(lobgym, "evaluate")),
                reason="needs lobgym._torch and lobgym.evaluate",
            ),
        ),
    ],
)
def test_example_trains(script: str, module: str, words: str, tmp_path: Path) -> None:
    pytest.importorskip(module)
    command = [sys.executable, str(EXAMPLES / script), "--total-timesteps", "2048", "--num-envs", "16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout

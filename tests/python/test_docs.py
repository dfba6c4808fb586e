"""The blocks of the README and of the pages about Python run, each page's in order, in one namespace; trainings are cut short."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import LEARNERS

import lobgym

ROOT = Path(__file__).parents[2]

XGBOOST = all(importlib.util.find_spec(name) for name in ("xgboost", "duckdb"))


PAGES = [
    ("README.md", 1),
    ("docs/python.md", 6),
    ("docs/indicators.md", 2),
    pytest.param("docs/direction.md", 1, marks=pytest.mark.skipif(not XGBOOST, reason="needs XGBoost and DuckDB")),
    pytest.param(
        "docs/python_training.md", 5, marks=pytest.mark.skipif(not LEARNERS, reason="needs PyTorch and lobgym._torch")
    ),
]


#: Enough to see a training work; pages may say what is worth its time. More than any of theirs whose numbers they look at.
MOST_STEPS = 20_000


@pytest.mark.parametrize(("page", "least"), PAGES)
def test_the_page_runs(page: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train = lobgym.train

    def briefly(config: Any, *, steps: int, **settings: Any) -> lobgym.Run:
        return train(config, steps=min(steps, MOST_STEPS), **{"evaluation_episodes": 4} | settings)

    monkeypatch.setattr(lobgym, "train", briefly)
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert len(blocks) >= least
    namespace: dict[str, Any] = {}
    for block in blocks:
        if "lobgym.train(" in block[1] and not LEARNERS:
            continue
        # Empty lines before it, so that a traceback has the page's line numbers.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], page, "exec"), namespace)

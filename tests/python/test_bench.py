"""`python -m lobgym.bench`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobgym import bench


def test_results_are_a_table_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    small = "--env model_market_making --num-envs 8 --threads 1 --seconds 0.02 --runs 3"
    bench.main(["env", *small.split(), "--json", str(file)])
    assert "model_market_making" in capsys.readouterr().out
    results = json.loads(file.read_text())["results"]
    assert [row["front"] for row in results] == ["native", "python", "python"]
    for row in results:
        rate = row["steps_per_second"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
        assert (row["env"], row["threads"], row["num_envs"]) == ("model_market_making", 1, 8)
        assert row["settings"]["volatility"] == 2.0
